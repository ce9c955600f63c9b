"""benchmarks/diversity.py: its numbers on videos that are known, and its error."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import diversity  # noqa: E402

import mocogan  # noqa: E402
import rjgan  # noqa: E402


def test_numbers_of_known_videos():
    """Still videos, four all -1 and four all 1: 16 of 28 pairs are 2 apart, the closest 0; then motion."""
    still = torch.tensor([-1.0, 1.0] * 4)[:, None, None, None, None].expand(8, 4, 3, 2, 2)
    assert diversity.diversity(still) == {"spread": round(2 * 16 / 28, 4), "closest": 0.0, "step": 0.0}
    moving = still + torch.arange(4)[None, :, None, None, None] / 10
    assert diversity.diversity(moving)["step"] == 0.1


def test_how_far_a_video_leaves_its_summary_frame(argv, monkeypatch):
    """Frames that are t / 64 brighter than the summary frame are 1 / 64 and 16 / 64 away from it; MoCoGAN has none."""
    runs = [str(model.train(model.parse_args(argv("--iters", 1, out=model.MODEL)))) for model in (rjgan, mocogan)]
    summary, frames = torch.rand(8, 3, 32, 32) - 0.5, torch.arange(1, 65)[None, :, None, None, None] / 64
    known = {"videos": summary[:, None] + frames, "images": summary}
    for model in (rjgan, mocogan):
        monkeypatch.setattr(model, "sample", lambda nets, n, frames, rng: known)
    rows = diversity.measure(runs, 8)
    assert rows[runs[0]]["away 1"] == round(1 / 64, 4) and rows[runs[0]]["away 16"] == 0.25
    assert "away 1" not in rows[runs[1]] and rows["real"]["step"] > 0


def test_raw_weights_are_asked_for(argv, monkeypatch):
    run, loaded = str(rjgan.train(rjgan.parse_args(argv("--iters", 1)))), []
    original = rjgan.load_run
    monkeypatch.setattr(rjgan, "load_run", lambda run, raw: loaded.append(raw) or original(run, raw=raw))
    for flags in ([], ["--raw"]):
        assert diversity.main([run, "--n", "4", *flags]) == 0
    assert loaded == [False, True]


def test_what_is_no_run(tmp_path, fails):
    fails(diversity.main, [str(tmp_path)], tmp_path)
