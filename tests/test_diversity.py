"""benchmarks/diversity.py: its numbers on videos that are known, and its error."""

import json
import statistics
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import diversity  # noqa: E402

import mocogan  # noqa: E402
import rjgan  # noqa: E402
import rmocogan  # noqa: E402


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


def test_residuals_are_those_of_rmocogan(argv):
    """A row has what its own networks make; a fresh MLP hardly moves the content."""
    run = str(rmocogan.train(rmocogan.parse_args(argv("--iters", 1))))
    row = diversity.measure([run], 4)[run]
    assert diversity.residuals(*rmocogan.load_run(run)).items() <= row.items()
    assert 40 < row["rank"] <= 50 and row["between"] < 0.5


def test_residuals_of_rmocogan():
    """A residual that is the same in all frames, in two directions; then one that changes from frame to frame alone."""

    class Fake(nn.Module):
        def draw(self, n, frames, rng):
            return torch.randn(n, 50, generator=rng), torch.randn(n, frames, 10, generator=rng)

        def forward(self, z_C, eps):
            content = z_C[:, None].expand(-1, eps.shape[1], -1).clone()
            if self.still:
                content[..., 2:] = 0
            else:
                content[..., :] += torch.tensor([1.0, -1.0]).repeat(eps.shape[1] // 2)[None, :, None]
            return torch.cat([content, eps], -1)

    fake = Fake()
    fake.still = True
    found = diversity.residuals({"frames": 16}, {"R_M": fake})
    assert found["rank"] == pytest.approx(2, abs=0.01) and found["within"] == 0
    assert found["between"] == pytest.approx(48 / 50, abs=0.03)
    fake.still = False
    found = diversity.residuals({"frames": 16}, {"R_M": fake})
    assert found["rank"] > 48 and found["between"] < 1e-6
    assert found["within"] == pytest.approx((16 / 15) ** 0.5, abs=1e-3)


def test_raw_weights_are_asked_for(argv, monkeypatch):
    run, loaded = str(rjgan.train(rjgan.parse_args(argv("--iters", 1)))), []
    original = rjgan.load_run
    monkeypatch.setattr(rjgan, "load_run", lambda run, raw: loaded.append(raw) or original(run, raw=raw))
    for flags in ([], ["--raw"]):
        assert diversity.main([run, "--n", "4", *flags]) == 0
    assert loaded == [False, True]


def test_what_is_no_run(tmp_path, fails):
    fails(diversity.main, [str(tmp_path)], tmp_path)


def test_the_page_says_what_collapses_and_what_drifts():
    found, mean = {"paper": "diversity-faces", "fast": "diversity-faces-fast"}, {}
    for recipe, name in found.items():
        rows = json.loads((ROOT / f"docs/results/{name}.json").read_text())
        for model in ("mocogan", "rmocogan", "rjgan"):
            seeds = [row for run, row in rows.items() if f"/{model}-" in run]
            mean[recipe, model] = {key: statistics.mean(row[key] for row in seeds) for key in seeds[0]}
        real = rows["real"]
    text = " ".join((ROOT / "docs/results.md").read_text().split())
    closest = [mean["paper", "rmocogan"], mean["paper", "mocogan"], real]
    said = "its closest videos are {:.2f} apart, those of MoCoGAN {:.2f}, and real ones {:.2f}."
    assert said.format(*(row["closest"] for row in closest)) in text
    assert abs(mean["fast", "rmocogan"]["closest"] - real["closest"]) < 0.01 and "as close as real ones" in text
    slower = [1 - row["late step"] / row["step"] for row in mean.values()]
    assert 0.36 < max(slower) < 0.42 and min(slower) > 0 and "by up to two fifths" in text
    moves = [mean[recipe, "rmocogan"]["step"] / mean[recipe, "mocogan"]["step"] for recipe in found]
    assert "{:.1f} as much by the paper's recipe, {:.1f} by preset fast; and MoCoGAN moves less".format(*moves) in text
    assert all(mean[recipe, "mocogan"]["step"] < real["step"] for recipe in found)
    assert 1.8 < mean["paper", "rjgan"]["step"] / real["step"] < 2.2 and "move twice as much as real ones" in text
    assert f"they move {mean['fast', 'rjgan']['step'] / real['step']:.1f} times as much as real ones." in text
    rank = "the rank is {rank:.1f}, and delta_C deviates by {between:.2f} over".format(**mean["paper", "rmocogan"])
    assert rank in text and "it is {rank:.1f} and {between:.2f}.".format(**mean["fast", "rmocogan"]) in text
