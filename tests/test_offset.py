"""benchmarks/offset.py: its numbers and its picture are of the summary frames, and its errors take one line."""

import json
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT, train
from PIL import Image

sys.path.insert(0, str(ROOT / "benchmarks"))
import offset  # noqa: E402

import rjvae  # noqa: E402


def test_numbers_and_picture(argv, tmp_path):
    """Residuals that are all alike: with what they share, mu gives every frame, and without it something else."""
    run = train(rjvae, argv("--frames", 8))
    path = run / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    for head in ("Prior.head", "Posterior.motion_head.2"):
        state["ema"][f"{head}.weight"].zero_()
        state["ema"][f"{head}.bias"] = torch.tensor([2.0, -20.0]).repeat_interleave(rjvae.MOTION)
    torch.save(state, path)
    assert offset.main([str(run), str(tmp_path / "rows.png"), str(tmp_path / "numbers.json")]) == 0
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert found["shared"] == found["delta"] == pytest.approx(2 * rjvae.MOTION**0.5, abs=0.01)
    assert found["summary"] < 0.001 < found["mu alone"]
    rows = np.asarray(Image.open(tmp_path / "rows.png").convert("RGB")).astype(int)
    alone, summary, first, last = (rows[y : y + 96] for y in range(2, 4 * 98, 98))
    assert abs(summary - first).max() <= 1 and abs(summary - last).max() <= 1 and abs(summary - alone).max() > 1


def test_a_run_that_is_not_there(tmp_path, fails):
    fails(offset.main, [str(tmp_path / name) for name in ("none", "rows.png", "numbers.json")], tmp_path / "none")
    assert not (tmp_path / "rows.png").exists()
