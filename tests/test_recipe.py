"""Averaged weights; the recipe of preset fast: losses, penalties, networks, images first; and the presets."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import assert_equal, checkpoint, terms_of, train
from torch import nn

import data
import dsa
import metrics
import mocogan
import rjgan
import rjvae
import rmocogan

FAST = "--penalty 1 --batch-norm off --noise 0 --clip-size 16 --upsample refined --image-width 12".split()

# --- Averaged weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [mocogan, rmocogan, rjgan, dsa, rjvae], ids=lambda file: file.__name__)
def test_averages_are_those_of_a_loop(file, argv, monkeypatch):
    """Every weight and every buffer of BatchNorm, by hand from what the networks were after each iteration."""
    seen, original = [], data.average
    flags = argv("--iters", 4, "--ema", 0.25, *(["--frames", 8] if file in (dsa, rjvae) else []))

    def watched(ema, nets, *decay):
        seen.append({name: value.clone() for name, value in nets.state_dict().items()})
        original(ema, nets, *decay)

    torch.manual_seed(0)
    args = file.parse_args(flags)
    mean = file.build(args).state_dict()  # the average begins with the networks as they are made
    monkeypatch.setattr(data, "average", watched)
    run = train(file, flags)
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    for i, now in enumerate(seen, 1):
        decay = min(0.25, (1 + i) / (10 + i))
        mean = {k: decay * v + (1 - decay) * now[k] if v.is_floating_point() else now[k] for k, v in mean.items()}
    assert state["ema"] and {name.split(".")[0] for name in state["ema"]} >= {
        "rjvae": {"Decoder", "Prior", "Encoder", "Posterior"}, "dsa": {"Decoder", "Prior", "Encoder", "Posterior"}
    }.get(file.MODEL, {"G_I", "R_M"})  # fmt: skip
    for name, value in state["ema"].items():
        torch.testing.assert_close(value, mean[name], rtol=1e-4, atol=1e-6)
    changed = [name for name, value in state["ema"].items() if not torch.equal(value, state["nets"][name])]
    assert any("running" in name for name in changed) and any("weight" in name for name in changed)


def test_training_does_not_depend_on_the_average(gan, argv):
    a, b = (checkpoint(train(gan, argv("--iters", 4, "--ema", ema, out=str(ema)))) for ema in (0.999, 0))
    assert_equal(*({k: v for k, v in state.items() if not k.startswith("/ema/")} for state in (a, b)))
    for name in [name for name in b if name.startswith("/ema/")]:  # without decay it is what was trained
        assert torch.equal(b[name], b[name.replace("/ema/", "/nets/")])


def test_who_uses_which_weights(gan, argv):
    run = train(gan, argv("--iters", 3))
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    for raw, expected in ((True, state["nets"]), (False, state["nets"] | state["ema"])):
        nets = gan.load_run(run, raw=raw)[1].state_dict()
        assert all(torch.equal(nets[name], value) for name, value in expected.items())
    videos = {}
    for flags in ((), ("--raw",)):
        assert gan.main(["--out", str(run), "--sample", "4", *flags]) == 0
        videos[flags] = np.load(run / "samples.npy")
        model, nets, weights = metrics.load_model(run, "cpu", raw=bool(flags))
        assert weights["raw"] is bool(flags)
        assert (metrics.generate(model, nets, 4, 16, 0, "cpu")["videos"].numpy() == videos[flags]).all()
    assert (videos[()] != videos["--raw",]).any()


def test_a_checkpoint_of_a_flag_that_is_gone(gan, argv, fails):
    """--image-width was --g-width once: one line, not the shapes of every tensor."""
    run = train(gan, argv("--image-width", 12))
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    state["config"]["g_width"] = state["config"].pop("image_width")
    torch.save(state, run / "checkpoint.pt")
    (run / "config.json").write_text(json.dumps(state["config"]))
    for flags in (["--sample", "2"], ["--resume", "--iters", "3"]):
        fails(gan.main, ["--out", str(run), *flags], "checkpoint.pt has other networks", "train it again")


# --- Losses and penalties --------------------------------------------------------------------------------------------


class Quadratic(nn.Module):
    """D(x) = a sum x^2 + b sum x, as two patches that are alike, so that a gradient is 2 a x + b by hand."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def forward(self, x):
        x = x.flatten(1)
        return (self.a * x.square().sum(1) + self.b * x.sum(1))[:, None, None, None].expand(-1, 1, 2, 1)


def batches(gan, seed=0):
    """Stub discriminators, and a real and a fake batch of every term."""
    nets = nn.ModuleDict({"D_I": Quadratic(0.3, -0.7), "D_V": Quadratic(-0.2, 0.4)})
    generator = data.seeded(seed)
    shapes = {term: (5, 16, 3, 4, 4) if term == "clips" else (5, 3, 4, 4) for term in terms_of(gan)}
    return nets, *({t: torch.randn(s, generator=generator) for t, s in shapes.items()} for _ in range(2))


def test_penalties_equal_the_gradient_by_hand(gan):
    nets, real, fake = batches(gan)
    penalties = gan.gradient_penalties(nets, real, fake)
    assert list(penalties) == list(terms_of(gan))
    for term, penalty in penalties.items():
        D, expected = nets[gan.TERMS[term]], 0
        for x in (real[term], fake[term]):
            expected = expected + (2 * D.a * x + D.b).square().flatten(1).sum(1).mean()
        torch.testing.assert_close(penalty, expected)
        ours = torch.autograd.grad(penalty, [D.a, D.b], retain_graph=True)
        theirs = torch.autograd.grad(expected, [D.a, D.b])
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other)


def test_a_penalty_reaches_all_of_D_and_none_of_G(gan, argv):
    args = gan.parse_args(argv(*FAST))
    torch.manual_seed(0)
    nets = gan.build(args)
    videos = data.from_arrays("noise", list(np.random.default_rng(0).integers(0, 256, (4, 20, 32, 32, 3), np.uint8)))
    real = gan.real_batch(videos, videos, args, data.seeded(0))
    fake = gan.fake_batch(nets, args, torch.tensor([16]), 16, data.seeded(0))
    sum(gan.gradient_penalties(nets, real, fake).values()).backward()
    for name, p in nets.named_parameters():
        if name.startswith(("G_I.", "R_M.")):
            assert p.grad is None, name
        elif not name.endswith("bias"):  # a bias moves D's gradient only where it moves the kinks of LeakyReLU
            assert p.grad.abs().max() > 0, name


def test_penalties_come_every_few_iterations_with_their_weight(gan, argv, monkeypatch):
    given, original = [], gan.update
    monkeypatch.setattr(gan, "update", lambda *a: given.append(a[4:]) or original(*a))
    run = train(gan, argv(*FAST, "--penalty", 0.5, "--iters", 9, "--log-every", 1))
    assert given == [(penalty,) for penalty in (0, 0, 0, 2.0, 0, 0, 0, 2.0, 0)]
    rows = data.read_log(run / "log.csv")
    assert [np.isfinite(row["R_frames"]) for row in rows] == [i % 4 == 0 for i in range(1, 10)]


def test_update_descends_the_loss_and_half_the_penalty(gan):
    """One step of gradient descent on D: the sum of the losses and of half the weighted penalties, by autograd."""
    nets, real, fake = batches(gan)
    nets["G_I"], nets["R_M"] = nn.Linear(1, 1), nn.Linear(1, 1)
    fake = {term: x + 0 * nets["G_I"].weight.sum() for term, x in fake.items()}
    losses = gan.discriminator_losses(nets, real, fake)
    penalties = gan.gradient_penalties(nets, real, fake)
    total = sum(losses.values()) + 3.0 / 2 * sum(penalties.values())
    parameters = [*nets["D_I"].parameters(), *nets["D_V"].parameters()]
    expected = [p - 0.01 * g for p, g in zip(parameters, torch.autograd.grad(total, parameters), strict=True)]
    optimizers = {"D": torch.optim.SGD(parameters, 0.01), "G": torch.optim.SGD(nets["G_I"].parameters(), 0.01)}
    gan.update(nets, optimizers, real, fake, 3.0)
    for p, value in zip(parameters, expected, strict=True):
        torch.testing.assert_close(p.detach(), value.detach())


# --- Networks --------------------------------------------------------------------------------------------------------


def test_networks_of_the_recipe(gan, argv):
    nets = gan.build(gan.parse_args(argv(*FAST)))
    kinds = [type(layer) for layer in [*nets["D_I"].modules(), *nets["D_V"].modules()]]
    assert not {nn.BatchNorm2d, nn.BatchNorm3d} & set(kinds)
    assert all(layer.sigma == 0 for name in ("D_I", "D_V") for layer in nets[name].modules() if hasattr(layer, "sigma"))
    assert nets["G_I"].net[0].out_channels == 12 * 4
    assert nets["D_I"].net[1].out_channels == 12 and nets["D_V"].net[1].out_channels == 8
    for width, half in ((12, 6), (1, 1)):  # the layer that refined adds sees all pixels
        G = gan.build(gan.parse_args(argv("--upsample", "refined", "--image-width", width)))["G_I"]
        assert [type(layer) for layer in G.net][-4:] == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.Tanh]
        assert G.net[:-4](torch.zeros(2, 60, 1, 1)).shape == (2, half, 32, 32)
        assert G(torch.zeros(2, 3, 60)).shape == (2, 3, 3, 32, 32)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_discriminators_without_batch_norm_begin_alive(gan, argv, size):
    """The signal keeps its size from layer to layer, so the logits of different inputs differ."""
    torch.manual_seed(0)
    nets = gan.build(gan.parse_args(argv(*FAST, "--size", size)))
    x = F.interpolate(torch.rand(8, 3, 4, 4, generator=data.seeded(0)) * 2 - 1, size=size, mode="bilinear")
    for D, inputs in ((nets["D_I"], x), (nets["D_V"], x[:, None].repeat(1, 16, 1, 1, 1))):
        assert D(inputs).flatten(1).mean(1).std() > 0.02  # torch's own first weights: below 0.005
        for layer in [layer for layer in D.net if hasattr(layer, "weight")]:
            he = (2 / (1 + 0.2**2) / layer.weight[0].numel()) ** 0.5
            assert layer.weight.std().item() == pytest.approx(he, rel=0.15)


def test_a_bias_of_the_update_gate_makes_latents_drift(gan, argv):
    """h(t) = (1 - u) n + u h(t-1): the bias of u alone differs, and the latents move less from frame to frame."""
    latents, steps = {}, {}
    for bias in (0.0, 2.0, 40.0):
        torch.manual_seed(0)
        latents[bias] = gan.build(gan.parse_args(argv("--gate-bias", bias)))["R_M"].eval()
        z = latents[bias](*latents[bias].draw(64, 16, data.seeded(0)))[..., -10:]  # what the GRU moves in all three
        steps[bias] = z.diff(dim=1).square().mean().sqrt()
    change = {key: latents[2.0].state_dict()[key] - value for key, value in latents[0.0].state_dict().items()}
    reset, update, new = change.pop("gru.bias_hh_l0").view(3, -1)
    assert torch.allclose(update, torch.tensor(2.0)) and not reset.any() and not new.any()
    assert not any(value.any() for value in change.values())
    assert steps[2.0] < 0.5 * steps[0.0] and steps[40.0] < 1e-6  # so closed that nothing moves


def test_a_gate_bias_is_a_number_of_at_least_0(gan, argv, fails):
    for value in ("nan", "inf", "-1"):
        fails(gan.main, argv(f"--gate-bias={value}"), "--gate-bias")


@pytest.mark.parametrize("size, clip_size, k", [(32, 16, 2), (64, 32, 2), (128, 32, 4), (32, 32, 1), (32, 64, 1)])
def test_video_discriminator_sees_means_of_pixels(gan, argv, size, clip_size, k):
    """Of k x k pixels where clips are larger than --clip-size; clips that are not are seen as they are."""
    net = gan.build(gan.parse_args(argv(*FAST, "--size", size, "--width", 4, "--clip-size", clip_size)))["D_V"]
    x = torch.randn(2, 16, 3, size, size, generator=data.seeded(0))
    assert net(x).shape == (2, 1, 1, 1, 1)
    means = F.avg_pool2d(x.flatten(0, 1), k).repeat_interleave(k, -1).repeat_interleave(k, -2).unflatten(0, (2, 16))
    torch.testing.assert_close(net(x), net(means))
    swapped = x.clone()  # two neighbours change places
    swapped[..., :2] = x[..., :2].flip(-1)
    assert torch.allclose(net(x), net(swapped), atol=1e-6) == (k > 1)
    assert not torch.allclose(net(x), net(x + 0.1))


# --- Images first ----------------------------------------------------------------------------------------------------


def test_the_first_iterations_see_images_alone(argv, monkeypatch, capsys):
    given, original = [], rjgan.update
    monkeypatch.setattr(rjgan, "update", lambda *a: given.append({t: len(x) for t, x in a[2].items()}) or original(*a))
    train(rjgan, argv("--iters", 5, "--image-iters", 3, "--image-batch", 5))
    assert given == [{"summary": 5}] * 3 + [{"frames": 2, "clips": 2, "summary": 2}] * 2
    assert "D_V clips of 8 videos from iteration 4 on\n" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--frames-only", 0.5], ["--images"], ["--frames-only", 0.5, "--images"]])
def test_the_first_iterations_see_what_is_no_video_if_there_is_any(argv, monkeypatch, tmp_path, flags):
    videos = [np.full((20, 32, 32, 3), i, np.uint8) for i in range(12)]
    np.save(tmp_path / "coded.npy", np.stack(videos))
    for i in (100, 101):
        data.save_png(tmp_path / "pictures" / f"{i}.png", np.full((32, 32, 3), i, np.uint8))
    seen, nothing = {}, {"D_none": torch.tensor(0.0)}

    def watched(nets, optimizers, real, *_):
        for term, x in real.items():
            key = "images" if len(real) == 1 else term
            seen.setdefault(key, set()).update(data.to_uint8(x).reshape(-1).tolist())
        return nothing

    monkeypatch.setattr(rjgan, "update", watched)
    flags = [*flags, *([tmp_path / "pictures"] if "--images" in flags else [])]
    train(rjgan, argv("--data", tmp_path / "coded.npy", *flags, "--iters", 30, "--image-iters", 15, "--batch", 8))
    unseen, pictures = set(range(12)) - seen["clips"], {100, 101} if "--images" in flags else set()
    assert len(unseen) == (6 if "--frames-only" in flags else 0)
    assert seen["images"] == (unseen | pictures or set(range(12)))
    assert seen["frames"] == set(range(12)) | pictures


def test_images_first_touch_only_their_networks(argv):
    torch.manual_seed(0)
    flags = argv("--iters", 3, "--image-iters", 3)
    fresh = rjgan.build(rjgan.parse_args(flags)).state_dict()
    nets = torch.load(train(rjgan, flags) / "checkpoint.pt", weights_only=True)["nets"]
    for name in ("R_M", "D_V"):
        assert all(torch.equal(nets[key], fresh[key]) for key in fresh if key.startswith(name)), name
    for name in ("G_I", "D_I"):
        assert not any(torch.equal(nets[key], fresh[key]) for key in fresh if key.startswith(name)), name


def test_the_baselines_have_no_images_first(argv, fails):
    for file in (mocogan, rmocogan):
        fails(file.main, argv("--image-iters", 3), "--image-iters")


@pytest.mark.parametrize("cut", [2, 3, 4])
def test_exact_resume_across_the_end_of_images(argv, cut):
    flags = (*FAST, "--image-iters", 3, "--image-batch", 3, "--penalty", 0.5)
    straight = train(rjgan, argv(*flags, "--iters", 6, out="straight"))
    train(rjgan, argv(*flags, "--iters", cut, out="parts"))
    parts = train(rjgan, ["--out", argv(out="parts")[-1], "--resume", "--iters", "6"])
    assert_equal(checkpoint(straight), checkpoint(parts))


@pytest.mark.parametrize("flag", ["--penalty 1", "--batch-norm off", "--clip-size 16", "--upsample refined",
                                  "--image-width 12", "--betas 0 0.99", "--ema 0.9", "--gate-bias 2"])  # fmt: skip
def test_exact_resume_with_each_part(gan, argv, flag):
    straight = train(gan, argv(*flag.split(), "--iters", 6, out="straight"))
    train(gan, argv(*flag.split(), "--iters", 3, out="parts"))
    parts = train(gan, ["--out", argv(out="parts")[-1], "--resume", "--iters", "6"])
    assert_equal(checkpoint(straight), checkpoint(parts))


# --- Presets ---------------------------------------------------------------------------------------------------------


def test_presets_set_the_defaults_and_a_flag_beats_them(gan):
    paper, fast = gan.parse_args([]), gan.parse_args(["--preset", "fast"])
    assert paper.preset == "paper" and {key: vars(paper)[key] for key in gan.PAPER} == gan.PAPER
    assert {key: vars(fast)[key] for key in gan.FAST} == gan.FAST
    assert {key: vars(fast)[key] for key in gan.PAPER.keys() - gan.FAST.keys()} == {
        key: value for key, value in gan.PAPER.items() if key not in gan.FAST
    }
    for flags in (["--preset", "fast", "--width", "5"], ["--width", "5", "--preset", "fast"]):
        args = gan.parse_args(flags)
        assert args.width == 5 and args.lr == gan.FAST["lr"]


def test_presets_are_printed_saved_and_resumed(gan, argv, capfd, fails):
    run = train(gan, argv("--preset", "fast"))
    config = json.loads((run / "config.json").read_text())
    assert config["preset"] == "fast" and config["penalty"] == 1.0 and config["width"] == 8
    assert json.dumps(config, indent=2) in capfd.readouterr().out
    train(gan, ["--out", str(run), "--resume", "--iters", "3"])
    again = json.loads((run / "config.json").read_text())
    assert {key for key in config if config[key] != again[key]} == {"iters", "resume"}
    fails(gan.main, ["--out", str(run), "--resume", "--preset", "paper"], "with --preset fast, not paper")


def test_flags_of_a_network_cannot_change_on_resume(gan, argv, fails):
    flags = ["--out", str(train(gan, argv())), "--resume", "--iters", "3"]
    fails(gan.main, [*flags, "--betas", "0", "0.9"], "--betas", "that cannot change")
    for change in ("--image-width 12", "--upsample refined", "--batch-norm off", "--clip-size 16", "--gate-bias 2.0"):
        flag, value = change.split()
        fails(gan.main, [*flags, flag, value], f"with {flag}", f"not {value}: that cannot change")
