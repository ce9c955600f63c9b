"""benchmarks/questions.py: each variant changes what it says and nothing else; its numbers are what they are called."""

import json
import statistics
import sys

import pytest
import torch
from conftest import ROOT
from test_metrics import needs_weights
from torch import nn

sys.path.insert(0, str(ROOT / "benchmarks"))
import questions  # noqa: E402
import render  # noqa: E402

import data  # noqa: E402
import mocogan  # noqa: E402
import rjgan  # noqa: E402
import rmocogan  # noqa: E402


def test_initial_states():
    zero, drawn = questions.Zero(), questions.Drawn()
    z_C, eps = zero.draw(3, 5, data.seeded(0))
    z_M, _ = zero.gru(eps[:, 1:])
    torch.testing.assert_close(zero(z_C, eps)[..., mocogan.CONTENT :], z_M)
    assert eps[:, 1:].abs().min() > 0

    drawn.eval()
    z_C, eps = drawn.draw(3, 5, data.seeded(0))
    assert eps.shape == (3, 6, mocogan.MOTION) and eps.abs().min() > 0
    z_M, _ = drawn.gru(eps[:, 1:], eps[:, 0][None].contiguous())
    torch.testing.assert_close(drawn(z_C, eps)[..., mocogan.CONTENT :], z_M)
    from_zero, _ = drawn.gru(eps[:, 1:])  # the hook does not stay
    assert not torch.allclose(from_zero, z_M)


def test_wide_statistics():
    """BatchNorm's running averages are those of all videos; in evaluation it is RMoCoGAN."""
    torch.manual_seed(0)
    net = questions.Wide()
    z_C, eps = net.draw(2, 4, data.seeded(0))
    plain = rmocogan.Latents()
    plain.load_state_dict(net.state_dict())
    torch.manual_seed(5)
    z = net(z_C, eps)
    torch.manual_seed(5)
    others = plain.draw(questions.MORE, 4, torch.default_generator)
    all_z = plain(torch.cat([z_C, others[0]]), torch.cat([eps, others[1]]))
    assert z.shape == (2, 4, rmocogan.LATENT)
    torch.testing.assert_close(z, all_z[:2])
    torch.testing.assert_close(net.mlp[1].running_var, plain.mlp[1].running_var)
    torch.testing.assert_close(net.eval()(z_C, eps), plain.eval()(z_C, eps))


def test_first_weights():
    args = rmocogan.parse_args("--size 32 --width 8 --device cpu".split())
    latents = questions.build_flat(args)["R_M"]
    z_C, eps = latents.draw(4, 3, data.seeded(0))
    assert torch.equal(latents(z_C, eps)[:, 1, : rmocogan.CONTENT], z_C)

    nets = questions.build_2019(rjgan.parse_args("--size 32 --width 8 --device cpu".split()))
    scales = torch.cat([m.weight for m in nets.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d)])
    assert 0 <= scales.min() < 0.1 and 0.9 < scales.max() <= 1
    first, *_, last = [m for m in nets["G_I"].modules() if isinstance(m, nn.ConvTranspose2d)]
    for layer, before in ((first, rjgan.LATENT), (last, 8)):
        assert layer.weight.abs().max().item() == pytest.approx((before * 16) ** -0.5, rel=0.05)


def test_the_page_says_what_first_weights_give():
    """G_I's output before the tanh, of latents from the prior, at the paper's size and width."""
    args, z, found = rjgan.parse_args(["--device", "cpu"]), torch.randn(32, 60, 1, 1, generator=data.seeded(0)), []
    for build in (questions.build_2019, rjgan.build):
        torch.manual_seed(0)
        with torch.no_grad():
            found.append(build(args)["G_I"].net[:-1](z).std().item())
    text = " ".join((ROOT / "docs/differences.md").read_text().split())
    was, now = found
    assert f"a deviation of {was:.1f}; today it is" in text and 0.8 < now < 1.05 and "today it is 0.9 (" in text


def test_the_page_has_the_answers():
    """Each variant's FVD and its verdict by the rule of the page; what the residuals of RMoCoGAN do at every stop."""
    text = (ROOT / "docs/results.md").read_text()
    rows = json.loads((ROOT / "docs/results/questions-faces.json").read_text())["rows"]
    of = {name: [row for row in rows if row["variant"] == name] for name in questions.CHANGES}
    words = {"mocogan-zero": "h(0) = 0", "rmocogan-drawn": "h(0) ~ N(0, I)", "rmocogan-flat": "last layer at zero"}
    words |= {"rmocogan-wide": "256 videos more in BatchNorm", "rjgan-2019": "first weights of 2019"}

    def cell(values, places):
        return f"{statistics.mean(values):.{places}f} ± {statistics.stdev(values):.{places}f}"

    for variant, found in of.items():
        model, _, change = variant.partition("-")
        fvds, base = ([row["fvd"] for row in part] for part in (found, of[model]))
        lost = statistics.mean(fvds) - statistics.mean(base)
        error = (statistics.variance(fvds) / len(fvds) + statistics.variance(base) / len(base)) ** 0.5
        word = "not decided" if abs(lost) < 2 * error else "worse" if lost > 0 else "better"
        name = {"mocogan": "MoCoGAN", "rmocogan": "RMoCoGAN", "rjgan": "RJGAN"}[model]
        name += f", {words[variant]}" if change else ""
        assert f"| {name} | {len(fvds)} | {cell(fvds, 1)} | {word if change else ''} |" in text
        if variant == "rjgan-2019":
            lower = [two - one for one, two in zip(fvds, base, strict=True)]  # by seed
            assert f"FVD is lower in every seed, by {min(lower):.0f} to {max(lower):.0f}." in " ".join(text.split())
        if model == "rmocogan":
            stops = found[0]["residuals"]
            ranks = [f"{statistics.mean(row['residuals'][stop]['rank'] for row in found):.1f}" for stop in stops]
            last = [row["residuals"]["2000"] for row in found]
            moves = [f"{statistics.mean(row[name] for row in last):.2f}" for name in ("between", "within")]
            assert f"| {name} | {' | '.join(ranks + moves)} |" in text


def test_the_page_says_what_first_weights_do_in_preset_fast():
    text = " ".join((ROOT / "docs/results.md").read_text().split())
    rows = json.loads((ROOT / "docs/results/questions-faces-fast.json").read_text())["rows"]
    quality = json.loads((ROOT / "docs/results/ablation-faces.json").read_text())["rows"]
    beside = [row for row in quality if row["recipe"] == "earlier"]
    sides = [sorted(row["fvd"] for row in side) for side in (rows, beside)]
    assert [row["seed"] for row in rows] == [row["seed"] for row in beside] == [0, 1, 2]
    assert render.verdict(*sides)[0] == "not decided"
    first, second = (render.cell(fvds, 1) for fvds in sides)
    assert f"seeds, is {first} ([numbers](results/questions-faces-fast.json)) instead of {second}. So" in text


def test_the_page_says_what_a_flat_start_does_in_longer_runs():
    text = " ".join((ROOT / "docs/results.md").read_text().split())
    flat = json.loads((ROOT / "docs/results/questions-faces-minutes.json").read_text())["rows"]
    runs = json.loads((ROOT / "docs/results/long-faces-minutes.json").read_text())["runs"]
    sides = [row["fvd"] for row in flat], [run["fvd-averaged"]["fvd"] for run in runs if run["variant"] == "rmocogan"]
    assert [len(side) for side in sides] == [3, 3] and render.verdict(*sides)[0] == "not decided"
    rank, between = (statistics.mean(row["residuals"]["5000"][key] for row in flat) for key in ("rank", "between"))
    assert f"With the last layer at zero they are {rank:.1f} and {between:.2f} after 5000" in text
    first, second = (render.cell(fvds, 1) for fvds in sides)
    assert f"FVD is {first} ([numbers](results/questions-faces-minutes.json)), beside {second}. A slower" in text


@needs_weights
def test_rows_are_kept(tiny, tmp_path, monkeypatch, capsys):
    flags = f"--width 4 --stops 1 2 --n 2 --seeds 0 --data {tiny} --data-root {tmp_path} --runs {tmp_path / 'runs'}"
    flags = [*flags.split(), "--preset", "fast", "--json", str(tmp_path / "questions.json"), "--variants"]
    original = rmocogan.Latents
    assert questions.main([*flags, "rmocogan-drawn"]) == 0
    assert rmocogan.Latents is original
    (row,) = json.loads((tmp_path / "questions.json").read_text())["rows"]
    config = json.loads((tmp_path / "runs/fast/rmocogan-drawn-0/config.json").read_text())
    assert config["preset"] == "fast" and config["penalty"] == 1
    assert set(row["residuals"]) == {"1", "2"} and row["fvd"] > 0 and row["iterations"] == 2
    again = [str(tmp_path / "again.json") if word.endswith(".json") else word for word in flags]  # as after a kill
    assert questions.main([*again, "rmocogan-drawn"]) == 0
    assert json.loads((tmp_path / "again.json").read_text())["rows"] == [row]
    monkeypatch.setattr(questions, "measure", lambda variant, seed, args: {"variant": variant, "seed": seed})
    assert questions.main([*flags, "rmocogan-drawn", "mocogan-zero"]) == 0
    for flag, value in (("preset", "paper"), ("width", 8), ("n", 3)):  # rows of two settings in one file
        with pytest.raises(SystemExit):
            questions.main([*flags, "mocogan", f"--{flag}", str(value)])
    err = capsys.readouterr().err
    assert all(f"are of {was}: give another file" in err for was in ({"preset": "fast"}, {"width": 4}, {"n": 2}))
    rows = json.loads((tmp_path / "questions.json").read_text())["rows"]
    assert rows == [row, {"variant": "mocogan-zero", "seed": 0}]


def test_a_data_set_that_is_not_there(tmp_path, fails):
    flags = f"--variants rjgan --data cats --data-root {tmp_path} --runs {tmp_path / 'runs'}".split()
    fails(questions.main, [*flags, "--json", str(tmp_path / "questions.json")], "cats")
    assert not (tmp_path / "questions.json").exists()
