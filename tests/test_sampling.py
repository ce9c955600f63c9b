"""The GAN files: samples of a trained run, and the paper's figures."""

import numpy as np
import pytest
import torch
from PIL import Image

import data
import rjgan


def test_sample_writes_the_same_videos_for_a_seed(gan, run):
    found = {}
    for key, flags in {"a": (), "b": (), "seed": ("--seed", "1")}.items():
        assert gan.main(["--out", str(run), "--sample", "3", "--frames", "20", *flags]) == 0
        found[key] = np.load(run / "samples.npy")
    assert found["a"].shape == (3, 20, 32, 32, 3) and found["a"].dtype == np.uint8
    assert (found["a"] == found["b"]).all() and (found["a"] != found["seed"]).any()


@pytest.mark.parametrize("frames", [1, 64])
def test_sample_of_any_length(gan, run, frames):
    before = (run / "checkpoint.pt").read_bytes(), (run / "config.json").read_bytes()
    assert gan.main(["--out", str(run), "--sample", "2", "--frames", str(frames)]) == 0
    assert np.load(run / "samples.npy").shape == (2, frames, 32, 32, 3)
    assert before == ((run / "checkpoint.pt").read_bytes(), (run / "config.json").read_bytes())


def test_sample_in_memory(gan, run):
    _, nets = gan.load_run(run)
    state = torch.get_rng_state()
    drawn = gan.sample(nets, 20, 5, data.seeded(3))
    assert torch.equal(state, torch.get_rng_state())  # it has a generator of its own
    assert drawn["videos"].shape == (20, 5, 3, 32, 32) and drawn["images"].shape == (20, 3, 32, 32)
    assert drawn["videos"].abs().max() <= 1 and not drawn["videos"].requires_grad
    z = nets["R_M"](drawn["content"], drawn["motion"])
    assert torch.allclose(drawn["videos"], nets["G_I"](z), atol=1e-5)
    again = gan.sample(nets, 20, 5, data.seeded(4), content=drawn["content"], motion=drawn["motion"])
    assert torch.equal(drawn["videos"], again["videos"])  # the draws decide everything
    for name, other in (("content", "motion"), ("motion", "content")):
        half = gan.sample(nets, 20, 5, data.seeded(4), **{name: drawn[name]})
        assert torch.equal(half[name], drawn[name]) and not torch.equal(half[other], drawn[other])
        assert not torch.equal(half["videos"], drawn["videos"])
    if gan is not rjgan:  # without a summary frame, a frame of each video
        pairs = zip(drawn["videos"], drawn["images"], strict=True)
        assert all((video == image).flatten(1).all(1).any() for video, image in pairs)


def test_longer_videos_begin_as_shorter_ones(gan, run):
    """The recurrence goes on: the first frames do not depend on how many follow."""
    _, nets = gan.load_run(run)
    drawn = gan.sample(nets, 2, 64, data.seeded(0))
    extra = drawn["motion"].shape[1] - 64
    short = gan.sample(nets, 2, 16, data.seeded(0), drawn["content"], drawn["motion"][:, : 16 + extra])
    assert torch.allclose(drawn["videos"][:, :16], short["videos"], atol=1e-5)


def test_figures(gan, run):
    assert gan.main(["--out", str(run), "--sample", "2"]) == 0
    columns = 17 if gan is rjgan else 16
    sizes = {path.stem: Image.open(path).size for path in (run / "figures").iterdir()}
    assert sizes["images"] == (2 + 16 * 98, 2 + 4 * 98)
    assert sizes["content_motion"] == (2 + columns * 98, 2 + 9 * 98)
    assert sizes["interpolation"] == (2 + columns * 98, 2 + 8 * 98)


def test_figures_hold_what_they_name(gan, run, monkeypatch, tmp_path):
    calls, original = [], gan.sample
    monkeypatch.setattr(gan, "sample", lambda *args, **more: calls.append(original(*args, **more)) or calls[-1])
    _, nets = gan.load_run(run)
    gan.save_figures(nets, tmp_path, gan.parse_args(["--frames", "16"]), data.seeded(0))
    _, swapped, between = calls
    content, motion = swapped["content"].unflatten(0, (3, 3)), swapped["motion"].unflatten(0, (3, 3))
    assert (content == content[:, :1]).all() and (motion == motion[:1]).all()  # rows by content, then by motion
    assert len(content[:, 0].unique(dim=0)) == 3 and len(motion[0].unique(dim=0)) == 3
    steps = between["content"].diff(dim=0)
    assert torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-5) and steps.abs().max() > 0
    assert (between["motion"] == between["motion"][:1]).all()


def test_sample_of_a_run_without_grids_yet(gan, run):
    """A run that was killed after its first save, before its first grid."""
    for file in (run / "samples").iterdir():
        file.unlink()
    assert gan.main(["--out", str(run), "--sample", "2"]) == 0
