"""`benchmarks/speed.py`: the textbook step and the file's step are the same mathematics, and what is told is so."""

import argparse
import copy
import importlib
import json
import os
import sys
import time

import numpy as np
import pytest
import torch
from conftest import GANS, ROOT
from torch import nn

sys.path.insert(0, str(ROOT / "benchmarks"))
import speed  # noqa: E402
import textbook  # noqa: E402

import data  # noqa: E402
import metrics  # noqa: E402

MODELS = {"gan": GANS, "vae": ("dsa", "rjvae")}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def small(name, *flags):
    """The module, its flags at a small size, and its networks, with weights that are not those of the last call."""
    model = importlib.import_module(name)
    args = model.parse_args(["--size", "32", "--width", "8", "--batch", "3", "--device", "cpu", *flags])
    return model, args, model.build(args)


def same_updates(nets, plain, args, own_update, textbook_update):
    """Both updates, and then: the same gradient of every parameter when its optimizer steps, the same weights after.

    own_update and textbook_update take the networks and their optimizers; `plain` are the networks of the textbook.
    """
    sides = []
    for fused, of, update in ((True, nets, own_update), (False, plain, textbook_update)):
        names, seen, was = {p: name for name, p in of.named_parameters()}, {}, copy.deepcopy(of.state_dict())
        used = of if fused else textbook.textbook_nets(of)

        def keep(optimizer, *_, names=names, seen=seen):
            for p in (p for group in optimizer.param_groups for p in group["params"]):
                seen.setdefault(names[p], []).append(p.grad.clone())

        optimizers = speed.adams(used, args, fused)
        for optimizer in optimizers.values():
            optimizer.register_step_pre_hook(keep)
        for _ in range(2):  # gradients that an update leaves behind must not reach the next
            update(used, optimizers)
        assert set(seen) == set(names.values())
        assert all(not torch.equal(p, was[name]) for p, name in names.items())
        sides.append((seen, {name: p.detach() for p, name in names.items()}))
    (own, own_weights), (book, book_weights) = sides
    for name, gradients in book.items():
        assert len(own[name]) == len(gradients) == 2 and gradients[0].any(), name
        for first, second in zip(own[name], gradients, strict=True):
            # the absolute part is rounding: a bias before BatchNorm has no gradient but that
            assert torch.allclose(first, second, rtol=0, atol=1e-8 * second.abs().max().item() + 1e-14), name
        assert torch.allclose(own_weights[name], book_weights[name], rtol=0, atol=1e-8), name


@pytest.mark.parametrize("decoded", ["what is seen", "every frame"])
@pytest.mark.parametrize("name", MODELS["gan"])
def test_gan_equals_its_textbook(name, decoded, float64):
    """Three updates with BCE and gathered gradients equal the file's two. Decoding every frame changes BatchNorm's
    statistics, so G_I is in evaluation mode where the textbook does that, and in training mode where it does not."""
    model, args, nets = small(name, "--noise", "0", "--kappa", "20")
    if decoded == "every frame":
        nets["G_I"].eval()
    shapes = {"frames": (3,), "summary": (3,), "clips": (3, 16)}
    real = {term: torch.rand(*shapes[term], 3, 32, 32) * 2 - 1 for term in model.TERMS}

    def fakes(nets):
        if decoded == "every frame":
            return textbook.textbook_fakes(model, nets, args, data.seeded(1))
        return own_fakes(nets)

    def own_fakes(nets):
        return model.fake_batch(nets, args, torch.tensor([20]), 20, data.seeded(1))

    def textbook_update(nets, optimizers):
        marks = []
        textbook.textbook_update(model, nets, optimizers, real, lambda: fakes(nets), marks.append)
        assert marks == ["fakes"] * 3

    def own_update(nets, optimizers):
        model.update(nets, optimizers, real, own_fakes(nets))

    same_updates(nets, copy.deepcopy(nets), args, own_update, textbook_update)


@pytest.mark.parametrize("name", MODELS["gan"])
def test_gan_textbook_is_plain(name):
    """Every convolution of it has its input and its weight in the plain layout; its noise has the file's sigma."""
    nets, seen = textbook.textbook_nets(small(name)[2]), []
    for layer in nets.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)):
            layer.register_forward_hook(lambda layer, x, y: seen.append((x[0], layer.weight)))
    nets["D_I"](torch.zeros(2, 3, 32, 32))
    nets["D_V"](nets["G_I"](torch.randn(2, 16, 60)))
    assert len(seen) == 4 + 5 + 4
    assert all(tensor.is_contiguous() for pair in seen for tensor in pair)
    assert 0.09 < seen[0][0].std() < 0.11  # of the zeros


@pytest.mark.parametrize("name", MODELS["vae"])
def test_vae_equals_its_textbook(name, float64):
    """Frames coded one at a time and LSTMs stepped in Python equal the file's step, BatchNorm in evaluation mode."""
    model, args, nets = small(name, "--frames", "5")
    x = torch.rand(3, 5, 3, 32, 32) * 2 - 1

    def update(nets, optimizers):
        model.update(nets, optimizers, x, data.seeded(1))

    same_updates(nets.eval(), copy.deepcopy(nets), args, update, update)


def test_stepped_lstm():
    lstm, x = nn.LSTM(4, 6, batch_first=True, bidirectional=True), torch.randn(3, 5, 4)
    (out, (h, c)), (stepped, (last_h, last_c)) = lstm(x), textbook.Stepped(lstm)(x)
    for expected, found in ((out, stepped), (h, last_h), (c, last_c)):
        assert torch.allclose(expected, found, atol=1e-6)


@pytest.mark.parametrize("name", ["rjgan", "rjvae"])
def test_own_is_set_up_as_train_is(name, argv, monkeypatch):
    """The same optimizers, and the same networks in bf16 and compiled, as where the file trains."""
    made = []

    class Spy(torch.optim.Adam):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            settings = {key: value for key, value in self.defaults.items() if key != "foreach"}
            made.append((settings, [p.shape for p in self.param_groups[0]["params"]]))

    model = importlib.import_module(name)
    monkeypatch.setattr(torch.optim, "Adam", Spy)
    monkeypatch.setattr(data, "accelerate", lambda nets, args: made.extend(type(net).__name__ for net in nets))
    args = model.parse_args(argv("--iters", 1))
    model.train(args)
    trained, made[:] = list(made), []
    speed.own(name, args)
    assert sorted(map(str, made)) == sorted(map(str, trained)) and len(made) >= 3


def test_textbook_items(tiny):
    """An item holds a clip and frames of its own video, as floats in [-1, 1]."""
    videos = data.load(str(tiny), size=32)
    args = argparse.Namespace(frames=16, stride=2, batch=20)  # more than there are videos
    item = textbook.Items(videos, args, ["frames"])[3]
    whole = data.to_float(videos[3])
    starts = [t for t in range(40 - 30) if torch.allclose(item["clips"], whole[t : t + 31 : 2], atol=1e-6)]
    assert len(starts) >= 1 and any(torch.allclose(item["frames"], frame, atol=1e-6) for frame in whole)
    batch = next(textbook.batches(importlib.import_module("rjgan"), videos, args))
    assert {term: x.shape[0] for term, x in batch.items()} == {"clips": 20, "frames": 20, "summary": 20}


# --- FLOPs -----------------------------------------------------------------------------------------------------------


def test_flops_by_hand():
    """Forward, and twice as much backward; without a gradient of the input, once."""

    def both_ways(net, x):
        return speed.count_gflop(lambda: net(x)[0].sum().backward()) * 1e9

    conv, up = nn.Conv3d(3, 5, 4, (1, 2, 2), (0, 1, 1)), nn.ConvTranspose2d(6, 5, 4, 2, 1)
    once = 2 * 2 * (5 * 4 * 4) * 5 * (3 * 4**3)  # two clips of 8x8x8 to 5x4x4
    assert both_ways(conv, torch.randn(2, 3, 8, 8, 8, requires_grad=True)) == pytest.approx(3 * once)
    assert both_ways(conv, torch.randn(2, 3, 8, 8, 8)) == pytest.approx(2 * once)
    once = 2 * 2 * (4 * 4) * 6 * (5 * 4**2)
    assert both_ways(up, torch.randn(2, 6, 4, 4, requires_grad=True)) == pytest.approx(3 * once)
    lstm, x = nn.LSTM(32, 64, batch_first=True, bidirectional=True), torch.randn(4, 7, 32, requires_grad=True)
    assert both_ways(lstm, x) == pytest.approx(3 * 2 * 2 * 4 * 7 * (32 + 64) * 4 * 64)


def test_largest_convolution(tiny):
    """D_V's second convolution; I3D's layers are found as well, though it calls them as functions."""
    _, args, _ = small("rjgan", "--data", str(tiny))
    step, _, nets = speed.own_step("rjgan", args)
    with speed.LargestConvolution() as conv:
        step()
    assert conv.title == "conv3d 8-16" and torch.equal(conv.tensors[1], nets["D_V"].net[4].weight)
    assert conv.tensors[0].shape == (3, 8, 13, 16, 16) and conv.flops == 2 * 3 * (10 * 8 * 8) * 16 * (8 * 4**3)
    assert speed.count_gflop(lambda: conv.function(*conv.tensors, *conv.rest)) == pytest.approx(conv.flops / 1e9)
    with speed.LargestConvolution() as conv:
        nn.ConvTranspose2d(6, 5, 4, 2, 1)(torch.randn(2, 6, 4, 4))
    assert conv.flops == 2 * 2 * (4 * 4) * 6 * (5 * 4**2)
    with speed.LargestConvolution() as conv, torch.inference_mode():
        metrics.I3D().eval().get_submodule("Conv3d_2c_3x3")(torch.rand(1, 64, 9, 8, 8))
    assert conv.title == "conv3d 64-192"


def test_a_vae_costs_its_textbook_as_many_flops(tiny):
    """So neither the fused LSTM nor the stepped one is left out; the first steps need a little less backward."""
    _, args, _ = small("rjvae", "--data", str(tiny))
    (*_, book), (*_, own) = speed.textbook("rjvae", args), speed.own("rjvae", args)
    assert own["gflop"] == pytest.approx(book["gflop"], rel=0.03)


# --- Processes -------------------------------------------------------------------------------------------------------


def clocked(name, args):
    """A step that waits; "b" holds 400 MB."""
    clock, held = speed.Clock("cpu"), np.ones(400 * 2**20 * (name == "b"), np.uint8)

    def step():
        clock.mark("nothing")
        begun = time.monotonic()
        time.sleep(0.01)
        clock.mark("waited")
        clock.mark((begun, len(held), os.getpid()))  # smuggled out as the name of a part

    return step, clock, {}


def die(name, args):
    os._exit(1)


def test_processes_take_turns_and_share_no_memory():
    args, held = argparse.Namespace(device="cpu"), np.ones(800 * 2**20, np.uint8)  # of which they must not hear
    results = speed.interleave({key: (clocked, key, args) for key in "ab"}, 3, threads=1)
    a, b = (results[key] for key in "ab")
    assert a["threads"] == 1 and all(0.01 <= run["waited"] < 1 for run in a["runs"])
    told = [[next(part for part in run if isinstance(part, tuple)) for run in side["runs"]] for side in (a, b)]
    order = sorted((begun, key) for key, side in zip("ab", told, strict=True) for begun, *_ in side)
    assert "".join(key for _, key in order) == "ababab"
    assert len({pid for side in told for *_, pid in side} | {os.getpid()}) == 3
    assert 350 < b["peak_mb"] - a["peak_mb"] < 500 and len(held)
    with pytest.raises(data.UserError, match="died"):
        speed.interleave({"a": (die, "a", args)}, 1)


# --- Results ---------------------------------------------------------------------------------------------------------


def test_measures_and_writes(tiny, tmp_path, capsys):
    argv = f"--size 32 --width 8 --batch 2 --repeats 2 --threads 1 --device cpu --data {tiny} --json {tmp_path}"
    assert speed.main(argv.split()) == 0
    table = capsys.readouterr().out.strip()
    result = json.loads((tmp_path / "speed-rjgan-cpu.json").read_text())
    assert table == speed.speed_table([result])
    expected = {"model": "rjgan", "size": 32, "width": 8, "batch": 2, "frames": 16, "threads": 1, "repeats": 2}
    assert {key: result[key] for key in expected} == expected
    assert set(result["limits"]) == {"conv3d 8-16", "matmul 1024", "matmul 2048"}
    for side in (result["own"], result["textbook"]):
        assert set(side["parts"]) == {"data", "fakes", "D", "G"} and len(side["runs"]) == 2
        assert side["seconds"] == pytest.approx(sum(sum(run.values()) for run in side["runs"]) / 2)
        assert side["per_second"] * side["seconds"] == pytest.approx(1)
        fastest = max(rate for title, rate in result["limits"].items() if "matmul" in title)
        assert side["share_matmul"] * fastest * side["seconds"] == pytest.approx(side["gflop"])
        assert side["share_conv"] * result["limits"]["conv3d 8-16"] == pytest.approx(side["gflop_per_s"])
        assert 100 < side["base_mb"] <= side["peak_mb"] + 1 < 5000
    assert result["ratio"] == pytest.approx(result["textbook"]["seconds"] / result["own"]["seconds"])
    assert result["own"]["gflop"] < result["textbook"]["gflop"]  # one batch of fakes instead of three


def example(**changes):
    side = {"seconds": 0.5, "per_second": 2.0, "parts": {"data": 0.1, "G": 0.4}, "peak_mb": 2048}
    own = side | {"share_matmul": 0.8, "share_conv": 0.7}
    result = {"model": "rjgan", "size": 64, "width": 64, "batch": 32, "frames": 16, "device": "cpu", "threads": 2}
    result |= {"precision": "fp32", "compile": False, "own": own, "textbook": side | {"per_second": 1.0}, "ratio": 2.0}
    return result | changes


def test_table():
    without = {key: value for key, value in example(model="i3d", precision="bf16", compile=True).items()}
    without.pop("textbook")
    loads = {
        "per_second": 9.0,
        "seconds": 1,
        "parts": {},
        "peak_mb": 512,
        "frames_per_s": {"first": 2000, "cached": 1e6},
    }
    lines = speed.speed_table([example(), without, example(model="data", own=loads)]).splitlines()
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1
    row = "| rjgan, cpu, fp32 | 64x64, width 64, 32 x 16 frames | 2 | 1 | 2.00 | 80 % | 70 % "
    row += "| 2.0 | 2.0 | data 20 %, G 80 % |"
    assert lines[2] == row and "| i3d, cpu, bf16, compiled | 64x64, 32 x 16 frames |" in lines[3]
    assert "| 2 |  |  | 80 % | 70 % | 2.0 |  |" in lines[3]
    assert "|  |  | 0.5 | 2.0 | frames/s: first load 2,000, later 1,000,000 |" in lines[4]


def test_growth_is_fitted_and_drawn(tiny, tmp_path, monkeypatch):
    """Times of known exponents are found again."""
    asked = {}

    def interleave(jobs, repeats, threads):
        asked.update({axis_value: args for axis_value, (_, _, args) in jobs.items()})
        assert all(make is speed.own for make, *_ in jobs.values())
        flags = [args for *_, args in jobs.values()]
        lengths = [len(data.load(args.data, args.data_root, args.size, "all")) for args in flags]
        assert lengths == ([8, 80] if flags[-1].data == "10" else [8] * len(jobs))
        return {
            v: {"runs": [{"a": v**2}] * 3, "base_mb": 5, "peak_mb": 5 + v, "gflop": v**3, "threads": 1} for v in jobs
        }

    monkeypatch.setattr(speed, "interleave", interleave)
    results = tmp_path / "docs" / "results"
    results.mkdir(parents=True)
    argv = f"--growth --repeats 3 --data {tiny} --device cpu --json {results}"
    assert speed.main(argv.split()) == 0
    growth = json.loads((results / "speed-growth-cpu.json").read_text())["growth"]
    assert list(growth) == ["batch", "frames", "size", "width", "videos"]
    for axis, row in growth.items():
        assert row["values"] == list(speed.AXES[axis])
        assert list(row["exponents"].values()) == pytest.approx([2, 1, 3]), axis
    assert asked[24].frames == 24 and asked[24].kappa == "24" and asked[64].size == 64

    speed.draw_growth({"growth": growth}, tmp_path / "growth.png", "digest")
    assert (tmp_path / "growth.png").stat().st_size > 5000


@pytest.mark.parametrize(
    "argv, words",
    [
        ("--model nothing", ["nothing", "rjgan"]),
        ("--repeats 0", ["--repeats", "0"]),
        ("--threads two", ["--threads", "two"]),
        ("--size 48", ["--size", "48"]),
        ("--precision fp8", ["fp8"]),
        ("--data nowhere", ["nowhere"]),
    ],
)
def test_errors_are_one_line(argv, words, fails):
    fails(speed.main, argv.split(), *words)
