"""Wrong inputs to the GAN files: one clear line on stderr, exit status 2, and nothing lost."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from PIL import Image

import data
import mocogan
import rjgan
from tools import public


@pytest.fixture(scope="module")
def begun(tiny, tmp_path_factory):
    """A run of one iteration of a GAN file, made once: begun(gan)."""
    made = {}

    def begun(gan):
        if gan.MODEL not in made:
            out = tmp_path_factory.mktemp(gan.MODEL) / "run"
            small = "--size 32 --width 8 --batch 2 --stride 1 --iters 1 --device cpu".split()
            made[gan.MODEL] = gan.train(gan.parse_args(["--data", str(tiny), *small, "--out", str(out)]))
        return made[gan.MODEL]

    return begun


@pytest.fixture
def run(gan, begun, tmp_path):
    """A copy of that run."""
    return Path(shutil.copytree(begun(gan), tmp_path / "run"))


def contents(folder):
    """Every file below a folder with its bytes."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- Flags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--size 48", "invalid choice: 48"),
        ("--size big", "--size"),
        ("--batch 0", "--batch"),
        ("--iters -5", "--iters"),
        ("--stride 0", "--stride"),
        ("--width 0", "--width"),
        ("--lr fast", "--lr"),
        ("--lr -1", "--lr"),
        ("--lr 0", "--lr"),
        ("--lr nan", "--lr"),
        ("--frames 15", "--frames 15: the video discriminator needs at least 16"),
        ("--kappa 15", "--kappa 15"),
        ("--kappa 18.5", "--kappa 18.5"),
        ("--kappa all", "--kappa all"),
        ("--kappa 16²", "--kappa 16²"),
        ("--frames 20 --kappa 19", "at least --frames 20"),
        ("--frames-only 1", "--frames-only: invalid float >= 0 and < 1"),
        ("--frames-only -0.1", "--frames-only"),
        ("--frames-only nan", "--frames-only"),
        ("--ema 1", "--ema"),
        ("--ema nan", "--ema"),
        ("--betas 0 1", "--betas"),
        ("--penalty -1", "--penalty"),
        ("--noise -0.1", "--noise"),
        ("--preset slow", "--preset"),
        ("--device tpu", "--device"),
        ("--nosuch 1", "--nosuch"),
        ("--iter 5", "--iter"),  # no abbreviations: a flag that comes later must not change what a command means
        ("stray", "stray"),
    ],
)
def test_wrong_flags(gan, argv, fails, tmp_path, flags, words):
    fails(gan.main, argv(*flags.split()), words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--terms summary --summary-every 2", "--terms summary alone needs --summary-every 1"),
        ("--terms summary summary --summary-every 2", "--terms summary alone needs --summary-every 1"),
        ("--terms images", "--terms"),
        ("--terms", "--terms"),
        ("--residual next", "--residual"),
        ("--summary-every 0", "--summary-every"),
        ("--image-iters -1", "--image-iters: invalid int >= 0"),
        ("--image-iters 2 --terms frames clips", "--image-iters trains the summary term"),
    ],
)
def test_wrong_flags_of_rjgan(argv, fails, tmp_path, flags, words):
    fails(rjgan.main, argv(*flags.split()), words)
    assert not (tmp_path / "run").exists()


def test_flags_of_rjgan_are_unknown_elsewhere(argv, fails):
    for flags in (("--terms", "frames"), ("--residual", "previous"), ("--summary-every", "2")):
        fails(mocogan.main, argv(*flags), flags[0])


def test_every_flag_has_help(gan, capsys):
    with pytest.raises(SystemExit) as error:
        gan.parse_args(["--help"])
    assert error.value.code == 0
    text = capsys.readouterr().out
    assert "default the" not in text  # a default is a number, not a name for one
    for flag in set(vars(gan.parse_args([]))) - {"model", "split", "data_sum", "images_sum", "changed"}:
        _, found, rest = text.partition("\n  --" + flag.replace("_", "-"))
        entry = rest.split("\n  --")[0].split("\n", 1)
        words = " ".join(entry).split()
        assert found and len([word for word in words if word.islower()]) >= 2, flag


# --- Data ------------------------------------------------------------------------------------------------------------


def test_wrong_data(gan, argv, fails, tmp_path):
    (tmp_path / "empty").mkdir()
    fails(gan.main, argv("--data", "nosuch"), "no data set or path called 'nosuch'", "faces", "weizmann")
    fails(gan.main, argv("--data", tmp_path / "empty"), "no videos in", "empty: expected", "VIDEO/FRAME.png")
    missing = "python data.py download weizmann"
    fails(gan.main, argv("--data", "weizmann", "--data-root", tmp_path / "empty"), "72 of 72", "missing", missing)
    (tmp_path / "text.npy").write_text("no array")
    fails(gan.main, argv("--data", tmp_path / "text.npy"), "cannot read", "text.npy")
    fails(gan.main, argv("--images", tmp_path / "nosuch"), "no folder of images at", "nosuch")
    fails(gan.main, argv("--images", tmp_path / "empty"), "no images in")
    assert not (tmp_path / "run").exists()


def test_clips_longer_than_every_video(gan, argv, fails, tmp_path):
    fails(gan.main, argv("--stride", 3), "clips span 46 frames, and the longest video of", "has 40")
    fails(gan.main, argv("--frames", 41, "--kappa", 41), "clips span 41 frames")
    fails(gan.main, argv("--frames-only", 0.99), "no videos of", "are left to take clips from")
    assert not (tmp_path / "run").exists()


def test_unreadable_image(gan, argv, fails, tmp_path, capfd):
    """It is named and left out, and the rest trains; where none can be read, that is the error."""
    for video in range(2):
        (tmp_path / "mine" / f"v{video}").mkdir(parents=True)
        for frame in range(20):
            Image.new("RGB", (32, 32)).save(tmp_path / "mine" / f"v{video}" / f"{frame}.png")
    victim = tmp_path / "mine" / "v1" / "13.png"
    victim.write_bytes(victim.read_bytes()[:40])
    gan.train(gan.parse_args(argv("--data", tmp_path / "mine", "--iters", 1)))
    out = capfd.readouterr().out
    assert "left out 1 of 40 pictures" in out and f"cannot read the image {victim}" in out
    for file in (tmp_path / "mine").rglob("*.png"):
        file.write_bytes(b"")
    fails(gan.main, argv("--data", tmp_path / "mine", out="other"), "cannot read the image")
    assert not (tmp_path / "other").exists()


def test_truncated_strip(gan, argv, fails, tmp_path, weizmann):
    for name in public.WEIZMANN_FILES:
        (tmp_path / "weizmann" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "weizmann" / name).symlink_to(weizmann / "weizmann" / name)
    victim = tmp_path / "weizmann" / public.WEIZMANN_FILES[3]
    whole = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(whole[: len(whole) // 2])
    fails(gan.main, argv("--data", "weizmann", "--data-root", tmp_path), "cannot read the image", victim)
    assert not (tmp_path / "run").exists()


# --- Run directories -------------------------------------------------------------------------------------------------


def test_out_that_holds_a_run(gan, argv, run, fails):
    before = contents(run)
    fails(gan.main, argv(), f"{run} already holds a run", "--resume", "--overwrite")
    assert contents(run) == before
    for wrong in (("--data", "nosuch"), ("--stride", 3), ("--init", "nosuch"), ("--images", "nosuch")):
        fails(gan.main, argv("--overwrite", *wrong))  # nothing is deleted for a run that cannot begin
        assert contents(run) == before, wrong
    gan.train(gan.parse_args(argv("--overwrite", "--iters", 3)))
    assert data.load_state(run / "checkpoint.pt", gan.MODEL)["iteration"] == 3


def test_overwrite_leaves_what_is_no_run(gan, argv, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("mine.txt", "mine.tmp"):
        (tmp_path / "run" / name).write_text("mine")
    gan.train(gan.parse_args(argv("--overwrite", "--iters", 1)))
    assert (tmp_path / "run" / "mine.txt").read_text() == (tmp_path / "run" / "mine.tmp").read_text() == "mine"


def test_overwrite_through_a_link(gan, argv, run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    (run / "old.txt").write_text("of the run that is deleted")
    gan.train(gan.parse_args(argv("--overwrite", "--iters", 1, out="link")))
    assert (tmp_path / "link").is_symlink() and (run / "checkpoint.pt").exists() and not (run / "old.txt").exists()


def test_no_run_to_go_on_with(gan, fails, tmp_path):
    for flag in (("--resume",), ("--sample", "2"), ("--eval",)):
        fails(gan.main, ["--out", str(tmp_path / "nosuch"), *flag], "there is no run in", "nosuch")
        assert not (tmp_path / "nosuch").exists()


def test_a_trained_run_keeps_its_networks(gan, run, fails):
    fails(gan.main, ["--out", str(run), "--sample", "2", "--size", "64"], "trained with --size 32, not 64: that cannot")
    fails(
        gan.main, ["--out", str(run), "--eval", "--width", "99"], "trained with --width", "not 99: that cannot change"
    )


def test_a_full_gpu_is_one_line(gan, argv, fails, monkeypatch):
    def full(args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(gan, "train", full)
    fails(gan.main, argv(), "the GPU's memory does not suffice", "--batch")


def test_commands_that_are_suggested_can_be_pasted(gan, argv, capsys):
    assert gan.main(argv(out="two words")) == 0
    suggested = re.search(r"^try next  (.*?)   \(or", capsys.readouterr().out, re.MULTILINE)[1]
    assert gan.main([*shlex.split(suggested)[2:5], "2", "--frames", "16"]) == 0


def test_eval_hands_its_flags_on(gan, run, tmp_path, monkeypatch, fails):
    fails(gan.main, ["--out", str(run), "--eval", "--stride", "3"], "trained with --stride 1, not 3")
    fails(gan.main, ["--out", str(run), "--eval", "--data", "faces"], "trained with --data ", "not faces")
    given = []
    monkeypatch.setattr("metrics.main", lambda command: given.append(command) or 0)
    assert gan.main(["--out", str(run), "--eval", "--raw", "--data-root", str(tmp_path), "--frames", "20"]) == 0
    (command,) = given
    assert command[:3] == ["fvd", str(run), "--data-root"] and {str(tmp_path), "20", "--raw"} < set(command)


def test_seeds_are_those_of_numpy(gan, argv, fails):
    for seed in ("-1", str(2**32), "18446744073709551616"):
        fails(gan.main, argv("--seed", seed), "--seed", f"'{seed}'", "int >= 0 and < 4294967296")


def test_damaged_runs(gan, run, fails):
    whole = (run / "checkpoint.pt").read_bytes()
    half, last = len(whole) // 2, len(whole) - 1
    for length in (0, 1, 100, half, last):
        (run / "checkpoint.pt").write_bytes(whole[:length])
        before = contents(run)
        for flags in (("--resume", "--iters", "2"), ("--sample", "2")):
            fails(gan.main, ["--out", str(run), *flags], run / "checkpoint.pt", "damaged")
            assert contents(run) == before  # log and configuration are as they were
    (run / "checkpoint.pt").unlink()
    for flags in (("--resume",), ("--sample", "2")):
        fails(gan.main, ["--out", str(run), *flags], f"no checkpoint at {run / 'checkpoint.pt'}")
    (run / "config.json").write_text("{")
    fails(gan.main, ["--out", str(run), "--resume"], "there is no run in")


def test_checkpoint_of_another_model(gan, begun, fails, tmp_path):
    other = mocogan if gan is rjgan else rjgan
    run = Path(shutil.copytree(begun(other), tmp_path / "other"))
    before = contents(run)
    for flags in (("--resume", "--iters", "2"), ("--sample", "2")):
        words = f"checkpoint.pt is a checkpoint of {other.MODEL}.py, not of {gan.MODEL}.py"
        fails(gan.main, ["--out", str(run), *flags], words)
        assert contents(run) == before


def test_checkpoint_of_another_size(gan, run, fails):
    before = contents(run)
    flags = ["--out", str(run), "--resume", "--iters", "2"]
    fails(gan.main, [*flags, "--width", "16"], "was trained with --width 8, not 16")
    fails(gan.main, [*flags, "--size", "64"], "was trained with --size 32, not 64")
    assert contents(run) == before


def test_checkpoint_of_another_device(gan, run, fails):
    """Its random states fit no other: resuming would not be exact, and torch would end it with a traceback."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    state["config"]["device"] = "cuda"
    torch.save(state, run / "checkpoint.pt")
    flags = ["--out", str(run), "--resume", "--iters", "2", "--device", "cpu"]
    fails(gan.main, flags, "was trained with --device cuda, not cpu")


def test_checkpoint_is_read_without_running_code(gan, run, fails, tmp_path):
    """A checkpoint from somebody else cannot do anything but be refused."""
    torch.save({"model": gan.MODEL, "evil": Path("/tmp")}, run / "checkpoint.pt")
    fails(gan.main, ["--out", str(run), "--resume"], "damaged, or no checkpoint")


def test_out_that_cannot_be_written(gan, argv, fails, tmp_path):
    (tmp_path / "file").write_text("in the way")
    fails(gan.main, argv(out="file"), tmp_path / "file")
    fails(gan.main, argv(out="file/below"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_read_only_out(gan, argv, fails, tiny):
    with tempfile.TemporaryDirectory() as folder:  # not below tmp_path, which nobody else may enter
        os.chmod(folder, 0o555)
        path = Path(folder) / "tiny.npy"
        root = os.geteuid() == 0
        if root:
            shutil.copy(tiny, path)
            os.seteuid(65534)  # root may write anywhere
        try:
            flags = argv("--out", Path(folder) / "run")
            fails(
                gan.main, [*flags, *(("--data", str(path)) if root else ())], "Permission denied", Path(folder) / "run"
            )
        finally:
            if root:
                os.seteuid(0)
        assert not (Path(folder) / "run").exists()


# --- What the program says -------------------------------------------------------------------------------------------


def test_a_slow_cpu_is_told_how_long_it_takes(gan, argv, monkeypatch, capsys):
    """After three iterations, days and flags; then it goes on."""
    monkeypatch.setattr(gan, "update", lambda *_: {"D_none": torch.tensor(0.0)})
    gan.train(gan.parse_args(argv("--iters", 3)))
    assert "on this CPU" not in capsys.readouterr().out
    clock = iter(range(0, 10**6, 10))  # ten seconds pass at every look at the clock
    monkeypatch.setattr(data.time, "perf_counter", lambda: next(clock))
    log = data.Log(Path(os.devnull + "-none"), 0, 100000)
    for _ in range(3):
        log.add({})
    log.warn_if_slow(100000)
    text = capsys.readouterr().out
    days = 10 / 3 * 100000 / 86400
    assert f"about {days:.0f} days on this CPU" in text and "--preset fast" in text


def test_resolved_flags_are_printed_and_saved(gan, argv, run, capsys):
    config = json.loads((run / "config.json").read_text())
    capsys.readouterr()
    gan.train(gan.parse_args(["--out", str(run), "--resume", "--iters", "2", "--lr", "0.001"]))
    printed = json.loads("{" + capsys.readouterr().out.partition("{")[2].rpartition("}")[0] + "}")
    saved = json.loads((run / "config.json").read_text())
    assert printed == saved
    changed = {key for key in saved if saved[key] != config[key]}
    assert changed == {"iters", "lr", "resume", "changed"} | ({"out"} if saved["out"] != config["out"] else set())


def test_a_model_file_and_data_py_are_enough_for_arrays(tiny, tmp_path):
    """As README says: copy the two. What needs tools/ says so in a line."""
    for name in ("rjgan.py", "data.py"):
        shutil.copy(ROOT / name, tmp_path)
    small = f"--data {tiny} --iters 1 --size 32 --width 4 --batch 2 --stride 1 --device cpu --out run"
    for flags, needs in ((small, None), ("--out faces", "tools"), ("--out run --explore", "tools"),
                         ("--out run --eval", "metrics")):  # fmt: skip
        command = [sys.executable, "rjgan.py", *flags.split()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == (2 if needs else 0), done.stderr
        assert not needs or done.stderr == f"rjgan.py: error: No module named '{needs}'\n"
    done = subprocess.run([sys.executable, "data.py", "list"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "data.py: error: No module named 'tools'\n"
