"""benchmarks/probe.py: each change does to the videos what it says, and nothing else."""

import json
import sys

import pytest
import torch
from conftest import ROOT
from test_metrics import needs_weights

sys.path.insert(0, str(ROOT / "benchmarks"))
import probe  # noqa: E402

import data  # noqa: E402
import mocogan  # noqa: E402
import rjgan  # noqa: E402


def test_blurred_and_frozen():
    checks = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    checks = checks.expand(2, 4, 3, 8, 8)
    assert torch.equal(probe.metrics.blurred(checks), torch.zeros(2, 4, 3, 8, 8))  # fine detail goes,
    flat = torch.rand(2, 4, 3, 1, 1).expand(2, 4, 3, 8, 8)
    assert torch.allclose(probe.metrics.blurred(flat), flat)  # and the rest stays
    clips = torch.rand(2, 4, 3, 8, 8)
    assert torch.equal(probe.frozen(clips), clips[:, [0, 0, 0, 0]])


def test_recoloured_clips_have_the_colours_of_others_and_keep_their_pattern():
    generator = torch.Generator().manual_seed(0)
    clips, like = torch.randn(2, 3, 4, 3, 8, 8, generator=generator)
    like = 5 + 2 * like
    made = probe.recoloured(clips, like)
    for of in (torch.mean, torch.std):
        assert torch.allclose(of(made, (1, 3, 4)), of(like, (1, 3, 4)), atol=1e-4)
    pairs = torch.stack([clips.transpose(1, 2).flatten(2), made.transpose(1, 2).flatten(2)], 2).flatten(0, 1)
    assert all(torch.corrcoef(pair)[0, 1] > 0.9999 for pair in pairs)


def test_shrunk_residuals():
    latents = rjgan.Latents()
    mu, motion = latents.draw(2, 5, torch.Generator().manual_seed(0))
    whole = latents(mu, motion)
    probe.shrunk(latents, 0.5)
    half = latents(mu, motion)
    assert torch.allclose(half - mu[:, None], (whole - mu[:, None]) / 2, atol=1e-6)


def test_recalibrated_averages():
    """G_I's first normalisation then gives, in evaluation mode, mean 0 and variance 1 on what it is for."""
    nets = rjgan.build(rjgan.parse_args("--size 32 --width 8 --device cpu".split())).eval()
    norm, seen = nets["G_I"].net[1], []
    norm.register_forward_hook(lambda _, __, y: seen.append(y.clone()))

    def moments():
        seen.clear()
        nets["G_I"](nets["R_M"](*nets["R_M"].draw(256, 16, torch.Generator().manual_seed(1))))
        return seen[0].mean((0, 2, 3)).abs().max(), (seen[0].var((0, 2, 3)) - 1).abs().max()

    with torch.no_grad():
        assert moments()[1] > 0.5
        probe.recalibrate(nets, {"frames": 16}, torch.Generator().manual_seed(0))
        mean, variance = moments()
    assert mean < 0.2 and variance < 0.2 and not norm.training


@pytest.mark.parametrize("model", [mocogan, rjgan])
def test_variants_of_a_run(model, argv):
    """Each has its shape and differs from the sampled videos; frozen ones are their first frames."""
    run = model.train(model.parse_args(argv("--iters", 1)))
    made = probe.variants(run, 4, torch.rand(4, 16, 3, 32, 32))
    assert ({"summary", "half"} <= set(made)) == (model is rjgan)
    assert all(videos.shape == (4, 16, 3, 32, 32) for videos in made.values())
    videos = made.pop("sampled")
    assert torch.equal(made["frozen"][:, 9], videos[:, 0])
    for name, changed in made.items():
        assert not torch.equal(changed, videos), name
    raw = probe.variants(run, 4, torch.rand(4, 16, 3, 32, 32), raw=True)["sampled"]
    drawn = model.sample(model.load_run(run, raw=True)[1], 4, 16, data.seeded(0))["videos"]
    assert torch.equal(raw, drawn) and not torch.equal(raw, videos)


@needs_weights
def test_report(argv, tmp_path, fails):
    """A second call adds to what the first one wrote; N others of the real clips are nearer than noisy ones."""
    run = rjgan.train(rjgan.parse_args(argv("--iters", 1)))
    for name in ("summary", "noisy"):
        assert (
            probe.main([str(run), "--n", "2", "--only", "sampled", name, "--json", str(tmp_path / "probe.json")]) == 0
        )
    rows = json.loads((tmp_path / "probe.json").read_text())
    assert rows["n"] == 2 and set(rows[str(run)]) == {"sampled", "summary"}
    assert 0 < rows["real"]["sampled"] < rows["real"]["noisy"]
    assert rows["resize"] == "tf1"
    # numbers that do not stand beside those that are there
    for other in (("--resize", "half-pixel"), ("--n", "3"), ("--raw",)):
        line = fails(probe.main, [str(run), "--n", "2", "--json", str(tmp_path / "probe.json"), *other])
        assert "half-pixel" in line or other[0] != "--resize"


def test_what_is_no_run(tmp_path, fails):
    fails(probe.main, [str(tmp_path)], tmp_path)
