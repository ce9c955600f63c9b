"""What the tests share: the real data, a tiny data set, the GAN files and their runs, and children to be killed."""

import hashlib
import importlib
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import data

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
QUIET += " --disable-component-update --disable-sync"
GANS = [name for name in ("mocogan", "rmocogan", "rjgan") if (ROOT / f"{name}.py").exists()]

torch.set_num_threads(1)  # the nets here are tiny, and runs are compared bit for bit
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["torch", "data", *GANS])  # so that a child costs milliseconds, not an import of torch


@pytest.fixture(params=GANS)
def gan(request):
    """Each GAN file in turn."""
    return importlib.import_module(request.param)


def tensors(state, path=""):
    """Every leaf of a checkpoint as {path: tensor or plain value}, the flags and the time that it took left out."""
    if not isinstance(state, dict | list | tuple):
        return {path: state}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    kept = [(key, part) for key, part in items if key not in ("config", "core_seconds")]
    return {k: v for key, part in kept for k, v in tensors(part, f"{path}/{key}").items()}


def checkpoint(run):
    return tensors(torch.load(Path(run) / "checkpoint.pt", weights_only=True))


def assert_equal(a, b):
    """Two checkpoints are the same, bit for bit."""
    assert a.keys() == b.keys()
    for key, value in a.items():
        same = torch.equal(value, b[key]) if isinstance(value, torch.Tensor) else value == b[key]
        assert same, key


def file_sum(path):
    """The first 16 digits of the sha256 of a file: what results call `checkpoint`."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def terms_of(gan):
    """The lines of objective (1) that a GAN file has."""
    return ("frames", "clips", "summary") if gan.MODEL == "rjgan" else ("frames", "clips")


def build(gan, size=32, width=8, **flags):
    torch.manual_seed(0)
    return gan.build(gan.parse_args(["--size", str(size), "--width", str(width), "--device", "cpu"])).eval()


def train(gan, argv):
    """Train in this process, from whatever state the global generator is in, without the plot; the run directory."""
    torch.manual_seed(int(time.time()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "plot_log", lambda *_: None)
        return gan.train(gan.parse_args(argv))


@pytest.fixture(scope="session")
def runs(tiny, tmp_path_factory):
    """For each file a run of two iterations, FILE, and one of four, FILE-4."""
    root = tmp_path_factory.mktemp("runs")
    small = "--size 32 --width 8 --batch 2 --stride 1 --device cpu".split()
    for file in map(importlib.import_module, GANS):
        for out, iters in ((file.MODEL, "2"), (f"{file.MODEL}-4", "4")):
            train(file, ["--data", str(tiny), *small, "--iters", iters, "--out", str(root / out)])
    return root


@pytest.fixture
def run(gan, runs, tmp_path):
    """A copy of the run of two iterations."""
    return Path(shutil.copytree(runs / gan.MODEL, tmp_path / "begun"))


@pytest.fixture
def straight(gan, runs):
    """The checkpoint of the run of four iterations."""
    return checkpoint(runs / f"{gan.MODEL}-4")


@pytest.fixture(scope="session")
def video_data():
    """The folder that holds copies of the public data sets."""
    folder = Path(os.environ.get("VIDEO_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no data in {folder} (set VIDEO_DATA to the folder that holds weizmann/)")
    return folder


@pytest.fixture(scope="session")
def weizmann(video_data):
    """The folder above the Weizmann strips."""
    if not (video_data / "weizmann").is_dir():
        pytest.skip(f"no weizmann/ in {video_data}")
    return video_data


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """An .npy of 8 videos of 40 frames, 32x32: a bright square of its own colour bounces over a dark ground."""
    videos = np.full((8, 40, 32, 32, 3), 20, np.uint8)
    random = np.random.default_rng(0)
    for video in videos:
        colour, phase, row = random.integers(120, 256, 3), random.integers(40), random.integers(22)
        for t, frame in enumerate(video):
            column = abs((t + phase) % 44 - 22)
            frame[row : row + 10, column : column + 10] = colour
    path = tmp_path_factory.mktemp("data") / "tiny.npy"
    np.save(path, videos)
    return path


@pytest.fixture
def argv(tiny, tmp_path):
    """argv(*flags, out="run"): the flags of a run of a second or less; what a test adds at the end wins."""

    def argv(*flags, out="run"):
        small = "--size 32 --width 8 --batch 2 --stride 1 --iters 2 --device cpu".split()
        return ["--data", str(tiny), *small, "--out", str(tmp_path / out), *map(str, flags)]

    return argv


def call(target, output, args):
    """In the child: stdout and stderr into files, then `target`."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    torch.set_num_threads(1)
    target(*args)


@pytest.fixture
def child(tmp_path):
    """child(function, *args): run it in a process of its own; its exit status (negative: the signal), stdout, stderr.

    kill=(condition, number) sends it a signal as soon as condition() is true.
    """

    def child(target, *args, kill=None, timeout=120):
        process = forks.Process(target=call, args=(target, tmp_path, args))
        process.start()
        deadline = time.monotonic() + timeout
        while kill and process.is_alive() and time.monotonic() < deadline:
            if kill[0]():
                os.kill(process.pid, kill[1])
                break
            time.sleep(0.01)
        process.join(timeout)
        if process.is_alive():
            process.kill()
            pytest.fail(f"still running after {timeout} s")
        return process.exitcode, (tmp_path / "out").read_text(), (tmp_path / "err").read_text()

    return child


@pytest.fixture
def fails(capfd):
    """fails(main, argv, *words): exit status 2 and exactly one line on stderr, with every word in it; that line."""

    def fails(main, argv, *words):
        capfd.readouterr()
        try:
            status = main(argv)
        except SystemExit as error:
            status = error.code
        line = capfd.readouterr().err
        assert status == 2, (status, line)
        assert line.endswith("\n") and line.count("\n") == 1, line
        assert line.startswith(f"{main.__module__}.py: error: "), line
        for word in words:
            assert str(word) in line, (word, line)
        return line

    return fails


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")
    if not CHROMIUM:
        pytest.skip("needs Chromium (apt install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a page file; whatever goes wrong in it, or leaves it, fails the test."""
    contexts, wrong = [], []

    def open_page(path, **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1000, "height": 700}, **options}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
