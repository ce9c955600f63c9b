"""benchmarks/diversity.py: its numbers on videos that are known, and its error."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import diversity


def test_numbers_of_known_videos():
    """Still videos, four all -1 and four all 1: 16 of 28 pairs are 2 apart, the closest 0; then motion."""
    still = torch.tensor([-1.0, 1.0] * 4)[:, None, None, None, None].expand(8, 4, 3, 2, 2)
    assert diversity.diversity(still) == {"spread": round(2 * 16 / 28, 4), "closest": 0.0, "step": 0.0}
    moving = still + torch.arange(4)[None, :, None, None, None] / 10
    assert diversity.diversity(moving)["step"] == 0.1


def test_what_is_no_run(tmp_path, capsys):
    assert diversity.main([str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert line.startswith("diversity.py: error: ") and line.count("\n") == 1
