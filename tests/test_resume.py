"""The GAN files: the run directory, exact resume, and that kills, signals, full disks and NaN lose nothing."""

import importlib
import io
import json
import math
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import assert_equal, build, checkpoint, terms_of, train
from PIL import Image

import data
import rjgan

# --- The run directory -----------------------------------------------------------------------------------------------


def test_paper_defaults(gan):
    args = gan.parse_args([])
    expected = {"iters": 100000, "batch": 32, "frames": 16, "stride": 2, "size": 64, "width": 64, "lr": 2e-4}
    expected |= {"noise": 0.1, "kappa": "16", "data": "faces", "frames_only": 0, "init": None, "images": None}
    expected |= {"terms": ["frames", "clips", "summary"], "summary_every": 1} if gan is rjgan else {}
    assert {key: vars(args)[key] for key in expected} == expected and args.out == f"runs/{gan.MODEL}-faces"
    assert gan.MODEL == Path(gan.__file__).stem


def test_run_directory(gan, argv, tmp_path, capsys):
    assert gan.main(argv("--iters", 5, "--log-every", 2, "--sample-every", 2)) == 0
    out = capsys.readouterr().out
    run = tmp_path / "run"
    names = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    samples = {f"samples/{i:06d}.{kind}" for i in (2, 4, 5) for kind in ("png", "gif")}
    figures = {f"figures/{name}.png" for name in ("images", "content_motion", "interpolation")}
    assert names == {"config.json", "log.csv", "losses.png", "checkpoint.pt"} | samples | figures
    assert out.splitlines()[-1].split() == ["look", "at", str(run / "samples" / "000005.gif")]

    config = json.loads((run / "config.json").read_text())
    assert config["model"] == gan.MODEL and config["split"] == "all" and config["iters"] == 5
    assert set(config) == set(vars(gan.parse_args(argv(out="elsewhere"))))
    assert config["data_sum"] == data.load(config["data"], size=32, split="all").fingerprint()["sum"]
    assert json.dumps(config, indent=2) in out

    rows = data.read_log(run / "log.csv")
    assert [row["iteration"] for row in rows] == [2, 4, 5]
    losses = [f"{side}_{term}" for side in "DG" for term in terms_of(gan)]
    assert list(rows[0]) == ["iteration", *losses, "it_per_s", "peak_memory_mb"]
    assert all(np.isfinite(value) for row in rows for value in row.values())
    assert sum(line.startswith(("2/5 ", "4/5 ", "5/5 ")) for line in out.splitlines()) == 3

    columns = 17 if gan is rjgan else 16  # the summary frame first where the model has one
    with Image.open(run / "samples" / "000005.png") as picture, Image.open(run / "samples" / "000005.gif") as gif:
        assert picture.size == (2 + columns * 98, 2 + 8 * 98) and gif.size == (2 + 4 * 98, 2 + 2 * 98)


def test_checkpoint_holds_what_it_should(gan, run):
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert state["model"] == gan.MODEL and state["iteration"] == 2
    assert state["config"]["width"] == 8 and set(state["random"]) >= {"torch", "draws"}
    assert {key.split(".")[0] for key in state["nets"]} == {"G_I", "R_M", "D_I", "D_V"}
    nets = build(gan)
    for side, names in (("D", ("D_I", "D_V")), ("G", ("G_I", "R_M"))):
        (group,) = state["optimizers"][side]["param_groups"]
        assert group["lr"] == 2e-4 and tuple(group["betas"]) == (0.5, 0.999) and group["weight_decay"] == 1e-5
        assert len(group["params"]) == sum(len(list(nets[name].parameters())) for name in names)
        assert all(moments["step"] == 2 for moments in state["optimizers"][side]["state"].values())


def test_load_run(gan, run):
    config, nets = gan.load_run(run)
    assert config["model"] == gan.MODEL and config["iteration"] == 2 and config["size"] == 32
    assert not any(module.training for module in nets.modules())
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    saved = state["nets"] | state["ema"]
    assert all(torch.equal(value, saved[key]) for key, value in nets.state_dict().items())


@pytest.mark.parametrize("size", [64, 128])
def test_larger_sizes_train(gan, argv, size, tmp_path):
    train(gan, argv("--size", size, "--width", 4, "--iters", 1, "--kappa", 18))
    columns = 17 if gan is rjgan else 16
    assert Image.open(tmp_path / "run" / "samples" / "000001.png").size == (
        2 + columns * (size + 2),
        2 + 8 * (size + 2),
    )


# --- Exact resume ----------------------------------------------------------------------------------------------------

OPTIONS = {
    "plain": "",
    "frames-only": "--frames-only 0.5",
    "kappa-data": "--kappa data",
    "init": "--init",
    "images": "--images",
    "previous": "--residual previous",
    "summary": "--terms summary",
    "summary-every": "--summary-every 2",
    "bf16": "--precision bf16",
}


@pytest.fixture
def option(request, gan, argv, tmp_path):
    """The flags of one of OPTIONS, with the run or the pictures that they need."""
    flags = OPTIONS[request.param].split()
    if {"--residual", "--terms", "--summary-every"} & set(flags) and gan is not rjgan:
        pytest.skip("rjgan.py alone has it")
    if "--init" in flags:
        flags.append(train(gan, argv("--seed", 7, out="pretrained")))
    if "--images" in flags:
        (tmp_path / "pictures").mkdir()
        Image.new("RGB", (32, 32), (200, 0, 0)).save(tmp_path / "pictures" / "one.png")
        flags.append(tmp_path / "pictures")
    return flags


def losses_of(run):
    """log.csv as {iteration: the losses as text}."""
    rows = data.read_log(run / "log.csv")
    return {row["iteration"]: [f"{k} {v}" for k, v in row.items() if k.startswith(("D_", "G_"))] for row in rows}


@pytest.mark.parametrize("option", OPTIONS, indirect=True)
def test_exact_resume(gan, argv, option):
    common = (*option, "--log-every", 2, "--sample-every", 3)
    straight = train(gan, argv(*common, "--iters", 6, out="straight"))
    train(gan, argv(*common, "--iters", 3, out="parts"))
    parts = train(gan, ["--out", argv(out="parts")[-1], "--resume", "--iters", "6"])  # the flags come from the run
    assert_equal(checkpoint(straight), checkpoint(parts))
    for name in ("000003.png", "000006.png", "000006.gif"):
        assert (straight / "samples" / name).read_bytes() == (parts / "samples" / name).read_bytes()
    rows = [losses_of(run) for run in (straight, parts)]
    assert list(rows[0]) == [2, 4, 6] and list(rows[1]) == [2, 3, 4, 6]  # a stop ends an interval
    assert rows[0][2] == rows[1][2] and rows[0][6] == rows[1][6]
    config = json.loads((parts / "config.json").read_text())
    assert config["iters"] == 6 and config["log_every"] == 2


def step_losses(gan, argv, *flags, iters=4):
    """The losses of each of the first iterations, (iterations, terms)."""
    run = train(gan, argv(*flags, "--iters", iters, "--log-every", 1, out="-".join(map(str, ("step", *flags)))))
    rows = losses_of(run)
    return torch.tensor([[float(loss.split()[1]) for loss in rows[i]] for i in range(1, iters + 1)])


def test_bfloat16_stays_close(gan, argv):
    """--precision bf16 changes the losses of four steps by less than 0.03 (0.006 as measured), and does change."""
    difference = (step_losses(gan, argv) - step_losses(gan, argv, "--precision", "bf16")).abs().max()
    assert 1e-4 < difference < 0.03


def test_bfloat16_is_inside_alone(gan, argv):
    """Weights, gradients and what a network takes and gives are float32; the convolutions are not."""
    args = gan.parse_args(argv("--precision", "bf16"))
    nets, seen = gan.build(args), []
    for name in ("G_I", "D_I", "D_V"):
        data.accelerate([nets[name]], args)
        nets[name].net[-2].register_forward_hook(lambda net, x, y: seen.append(y.dtype))
    fake = gan.fake_batch(nets, args, torch.tensor([16]), 16, data.seeded(0))
    loss = sum(gan.generator_losses(nets, fake).values())
    loss.backward()
    assert {x.dtype for x in (loss, *fake.values())} == {torch.float32}
    assert {p.grad.dtype for net in nets.values() for p in net.parameters()} == {torch.float32}
    assert set(seen) == {torch.bfloat16}


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 2e-3), ("bf16", 0.03)])
def test_compiled_equals_eager(precision, tolerance, argv):
    """--compile changes no loss by more than rounding: on a CPU both draw the same noise; and resumes exactly.

    In bfloat16 the compiler rounds less often than an eager run: a loss differs by 0.009, as measured.
    """
    flags = ("--precision", precision, "--penalty", 1)  # of which a compiled network has no second derivative

    def compiled(*more, out="compiled"):
        torch._dynamo.reset()  # every run is a process of its own, where torch compiles anew
        return train(rjgan, argv(*flags, "--compile", *more, out=out))

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    difference = step_losses(rjgan, argv, *flags) - step_losses(rjgan, argv, *flags, "--compile")
    assert difference.abs().max() < tolerance
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 3  # G_I, D_I, D_V were compiled
    straight = compiled("--iters", 4, out="straight")
    compiled("--iters", 2, out="parts")
    parts = compiled("--iters", 4, "--resume", out="parts")
    assert_equal(checkpoint(straight), checkpoint(parts))


def test_runs_differ_by_seed_alone(gan, argv):
    a, b, c = (train(gan, argv("--seed", seed, out=out)) for out, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert_equal(checkpoint(a), checkpoint(b))
    assert not torch.equal(checkpoint(a)["/nets/D_I.net.1.weight"], checkpoint(c)["/nets/D_I.net.1.weight"])


def test_looking_changes_no_weight(gan, argv, straight):
    curious = train(gan, argv("--iters", 4, *"--sample-every 1 --log-every 1 --save-every 1".split()))
    assert_equal(checkpoint(curious), straight)


def test_flags_on_resume_are_applied(gan, argv, run):
    """The learning rate is the new one from here on, and config.json says until when it was another."""
    train(gan, ["--out", str(run), "--resume", "--iters", "4", "--lr", "0.02"])
    other, config = checkpoint(run), json.loads((run / "config.json").read_text())
    assert other["/optimizers/G/param_groups/0/lr"] == other["/optimizers/D/param_groups/0/lr"] == 0.02
    assert config["lr"] == 0.02 and config["changed"] == [{"until": 2, "lr": 2e-4}]
    train(gan, ["--out", str(run), "--resume", "--iters", "5", "--noise", "0"])
    config = json.loads((run / "config.json").read_text())
    assert config["lr"] == 0.02 and config["noise"] == 0  # the flags of the last resume hold
    assert config["changed"] == [{"until": 2, "lr": 2e-4}, {"until": 4, "noise": 0.1}]
    for _ in range(2):  # nothing is trained: the flag is of what comes
        train(gan, ["--out", str(run), "--resume", "--batch", "3"])
    train(gan, ["--out", str(run), "--resume", "--batch", "2"])
    assert json.loads((run / "config.json").read_text())["changed"] == config["changed"]


def test_flags_that_resume_cannot_change(gan, argv, run, fails, tmp_path, tiny):
    whole = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    flags = ["--out", str(run), "--resume", "--iters", "4"]
    for change in ("--seed 99", "--width 4", "--size 64", "--init runs/other"):
        flag, value = change.split()
        fails(gan.main, [*flags, flag, value], f"with {flag}", f"not {value}: that cannot change")
    if gan is rjgan:
        fails(gan.main, [*flags, "--residual", "previous"], "with --residual summary, not previous")
    fails(gan.main, [*flags[:-1], "1"], "has 2 iterations already, more than --iters 1")
    other = np.load(tiny).copy()
    other[0] = 0
    np.save(tmp_path / "other.npy", other)
    fails(gan.main, [*flags, "--data", str(tmp_path / "other.npy")], "is not what", "was trained on")
    fails(gan.main, [*flags, "--overwrite"], "--overwrite: not allowed with argument --resume")
    assert whole == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    np.save(tmp_path / "moved.npy", np.load(tiny))
    train(gan, [*flags, "--data", str(tmp_path / "moved.npy")])  # the same videos elsewhere


@pytest.mark.parametrize(
    "damage", [b"\0" * 300, b"4,0.1", b"4,0.1\n", b"4" + b",1" * 20 + b"\n"], ids=["NULs", "cut", "short", "long"]
)
def test_a_damaged_log_stops_no_run(gan, run, straight, damage, capsys):
    log = run / "log.csv"
    log.write_bytes(log.read_bytes() + damage)
    parts = train(gan, ["--out", str(run), "--resume", "--iters", "4"])
    assert f"{log}: 1 damaged rows left out" in capsys.readouterr().err
    assert_equal(checkpoint(parts), straight)
    assert [row["iteration"] for row in data.read_log(log)] == [2, 4]


def test_a_log_without_its_first_line_stops_no_run(gan, run, straight):
    log = run / "log.csv"
    log.write_bytes(log.read_bytes().splitlines(True)[1] * 2)
    assert_equal(checkpoint(train(gan, ["--out", str(run), "--resume", "--iters", "4"])), straight)
    assert [row["iteration"] for row in data.read_log(log)] == [4]


def test_runs_are_called_as_their_data(gan):
    outs = {gan.parse_args(["--data", name]).out for name in ("faces", "sets/faces.v1", "faces.v2/", "faces.npy")}
    assert outs == {f"runs/{gan.MODEL}-{name}" for name in ("faces", "faces.v1", "faces.v2")}


def test_resume_of_a_finished_run_changes_nothing(gan, run):
    before = checkpoint(run)
    assert gan.main(["--out", str(run), "--resume"]) == 0
    assert_equal(before, checkpoint(run))
    assert len(data.read_log(run / "log.csv")) == 1


def test_terms_can_change_on_the_way(argv):
    """Image-only training that goes on with the whole objective."""
    train(rjgan, argv("--terms", "summary", "--log-every", 1))
    run = train(rjgan, ["--out", argv()[-1], *"--resume --iters 4 --terms frames clips summary".split()])
    rows = data.read_log(run / "log.csv")
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4]
    assert np.isnan([row["D_clips"] for row in rows]).tolist() == [True, True, False, False]


# --- Signals, kills, full disks, NaN ---------------------------------------------------------------------------------


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


FILES = ("checkpoint.pt", "config.json", "log.csv")


def die_while_saving(file, argv, moment):
    """In a child: train until a save, and be killed in the middle of it; a number: after that share of the bytes."""
    save, replace = torch.save, os.replace

    def save_a_part(state, target):
        buffer = io.BytesIO()
        save(state, buffer)
        if isinstance(target, str | os.PathLike):
            target = open(target, "wb")
        target.write(buffer.getvalue()[: int(moment * buffer.tell())])
        target.flush()
        die()

    if moment == "unwritten":
        torch.save = die
    elif moment == "unflushed":
        torch.save = lambda *args: (save(*args), setattr(os, "fsync", die))
    elif moment == "renamed":
        os.replace = lambda half, path: (replace(half, path), die() if path.name == "checkpoint.pt" else None)
    elif isinstance(moment, str):  # the name of a file that is written, and not renamed
        os.replace = lambda half, path: die() if path.name == moment else replace(half, path)
    else:
        torch.save = save_a_part
    file = importlib.import_module(file)
    file.train(file.parse_args(argv))


@pytest.mark.parametrize("moment", [*("unwritten", 0.0, 0.5, 0.99, "unflushed", "renamed"), *FILES])
def test_killed_while_saving(gan, run, straight, child, moment):
    whole = (run / "checkpoint.pt").read_bytes()
    go_on = ["--out", str(run), "--resume", "--iters", "4", "--save-every", "2", "--device", "cpu"]
    status, _, err = child(die_while_saving, gan.MODEL, go_on, moment)
    assert status == -signal.SIGKILL, err
    if moment == "renamed":
        assert torch.load(run / "checkpoint.pt", weights_only=True)["iteration"] == 4
    else:
        assert (run / "checkpoint.pt").read_bytes() == whole
    gan.load_run(run)
    assert data.read_log(run / "log.csv")[0]["iteration"] == 2  # no row from before the save is lost
    assert_equal(checkpoint(train(gan, go_on)), straight)
    assert not list(run.glob("*.tmp"))


def main_of(file, argv):
    """In a child: the program."""
    raise SystemExit(importlib.import_module(file).main(argv))


def test_killed_from_outside(argv, child, tmp_path):
    """A run that saves at every iteration, killed three times at moments that nobody chose."""
    flags = argv("--iters", 10**6, "--save-every", 1, "--sample-every", 10**6)
    saved = tmp_path / "run" / "checkpoint.pt"
    for wait in (0.3, 0.5, 0.7):
        before = saved.stat().st_mtime if saved.exists() else 0

        def running(wait=wait, before=before):
            return saved.exists() and saved.stat().st_mtime > before and not time.sleep(wait)

        assert child(main_of, "rjgan", flags, kill=(running, signal.SIGKILL))[0] == -signal.SIGKILL
        config, _ = rjgan.load_run(tmp_path / "run")
        assert config["iteration"] >= 1
        flags = ["--out", str(tmp_path / "run"), "--resume"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_from_outside(argv, child, tmp_path, number):
    flags = argv("--iters", 10**6, "--save-every", 10**6, "--sample-every", 10**6, "--log-every", 1)
    log = tmp_path / "run" / "log.csv"
    status, out, err = child(main_of, "rjgan", flags, kill=(log.exists, number))
    assert status == 2 and err.count("\n") == 1
    config, _ = rjgan.load_run(tmp_path / "run")
    assert f"rjgan.py: error: stopped at iteration {config['iteration']}, which is saved" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("where", ["update", "show", "save"])
def test_signals_save_before_they_stop(gan, argv, fails, monkeypatch, tmp_path, where, number):
    """A signal in the middle of an iteration, of drawing samples, or of saving; then --resume, bit for bit."""
    place = gan if where == "update" else data.Run
    original, calls = getattr(place, where), []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == (3 if where == "update" else 1):
            os.kill(os.getpid(), number)
        return original(*args)

    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    flags = ["--iters", 9]
    flags += {"show": ["--sample-every", 3], "save": ["--save-every", 3]}.get(where, [])
    with monkeypatch.context() as patch:
        patch.setattr(place, where, interrupted)
        line = fails(gan.main, argv(*flags), "stopped at iteration", "--resume goes on", tmp_path / "run")
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    iteration = checkpoint(tmp_path / "run")["/iteration"]
    assert f"at iteration {iteration}, which is saved" in line and iteration in (3, 4)
    assert data.read_log(tmp_path / "run" / "log.csv")[-1]["iteration"] == iteration
    parts = train(gan, ["--out", str(tmp_path / "run"), "--resume"])
    assert_equal(checkpoint(parts), checkpoint(train(gan, argv(*flags, out="straight"))))


def test_nohup_is_heard():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with data.caught_signals() as caught:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught == [signal.SIGTERM] and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_training_in_a_thread_goes_without_signals(gan, argv, straight):
    """A sweep, or a notebook: Python allows handlers in the main thread alone."""
    thread = threading.Thread(target=train, args=(gan, argv("--iters", 4)))
    thread.start()
    thread.join()
    assert_equal(checkpoint(argv()[-1]), straight)


def test_nan_stops_the_run(gan, argv, fails, monkeypatch, tmp_path):
    original, calls = gan.update, []

    def update(*args):
        calls.append(1)
        losses = original(*args)
        return losses if len(calls) < 5 else {name: loss * math.nan for name, loss in losses.items()}

    with monkeypatch.context() as patch:
        patch.setattr(gan, "update", update)
        fails(gan.main, argv("--iters", 20, "--save-every", 2), "NaN", "at iteration 5;")
    assert len(calls) == 6  # found when it would be saved
    assert checkpoint(tmp_path / "run")["/iteration"] == 4
    parts = train(gan, ["--out", str(tmp_path / "run"), "--resume", "--iters", "6"])
    assert_equal(checkpoint(parts), checkpoint(train(gan, argv("--iters", 6, out="straight"))))


def test_diverging_run_stops(gan, argv, fails, tmp_path):
    fails(
        gan.main, argv("--iters", 60, "--lr", "1e30", "--log-every", 5), "NaN", "at iteration", "nothing was saved yet"
    )
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def with_small_files(argv, limit):
    """In a child: no file may grow beyond `limit` bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    main_of("rjgan", argv)


def test_full_disk_keeps_the_old_checkpoint(gan, run, straight, fails, child, monkeypatch):
    whole = (run / "checkpoint.pt").read_bytes()
    go_on = ["--out", str(run), "--resume", "--iters", "4"]
    half = run / f"checkpoint.pt.{os.getpid()}.tmp"
    with monkeypatch.context() as patch:  # every write to the file that becomes the checkpoint finds the disk full
        full = os.open("/dev/full", os.O_WRONLY)
        patch.setattr(
            data.os, "fsync", lambda file: "checkpoint" in os.readlink(f"/proc/self/fd/{file}") and os.write(full, b"x")
        )
        fails(gan.main, go_on, "cannot save", run / "checkpoint.pt", "No space left on device")
    assert (run / "checkpoint.pt").read_bytes() == whole
    assert not half.exists()  # nor is a half-written one left to fill the disk
    if gan is rjgan:
        for limit in (len(whole) // 3, len(whole) - 1):
            status, _, err = child(with_small_files, go_on, limit)
            assert status == 2 and err.count("\n") == 1 and "rjgan.py: error: cannot save" in err, (status, err)
            assert (run / "checkpoint.pt").read_bytes() == whole and not list(run.glob("*.tmp"))
    assert_equal(checkpoint(train(gan, go_on)), straight)
