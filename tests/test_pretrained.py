"""Published runs: what --publish writes, what can be done with it, and the models in pretrained/."""

import importlib
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, file_sum, tensors, train

import data
from tools.publish import train_command

PRETRAINED = sorted((ROOT / "pretrained").glob("*/"))
ROW = r"^\| `pretrained/(\S+)` \| (.*) \|$"


@pytest.fixture
def published(gan, run, tmp_path):
    assert gan.main(["--out", str(run), "--publish", str(tmp_path / "shelf" / "mine")]) == 0
    return tmp_path / "shelf" / "mine"


def read(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True), json.loads((folder / "config.json").read_text())


def test_a_published_run(gan, run, published):
    assert {path.name for path in published.iterdir()} == {"checkpoint.pt", "config.json"}
    state, config = read(published)
    ema = read(run)[0]["ema"]
    assert state["nets"].keys() == ema.keys() and {key.split(".")[0] for key in ema} == {"G_I", "R_M"}
    for key, value in state["nets"].items():
        assert value.dtype == (torch.float16 if value.ndim > 1 else ema[key].dtype)  # BatchNorm's, biases: as they are
        assert torch.equal(value, ema[key].to(value.dtype))
    assert not [key for key in config if key in ("out", "resume", "overwrite", "sample", "device")]
    assert str(run.parent) not in json.dumps(config | {"data": None, "published": None})
    about = config["published"]
    assert about["iterations"] == 2 and "fvd" not in about
    assert about["core_hours"] == round(read(run)[0]["core_seconds"] / 3600, 2)
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    commit = (about["commit"] or "").removesuffix("-dirty")
    assert bool(commit) == bool(head) and head.startswith(commit)
    _, nets = gan.load_run(published)
    assert set(nets) == {"G_I", "R_M"} and nets["G_I"].net[0].weight.dtype == torch.float32
    drawn = gan.sample(nets, 8, 16, data.seeded(0))
    np.testing.assert_allclose(data.to_uint8(drawn["videos"]).mean((1, 2, 3, 4)), about["means"], atol=0.006)
    assert tensors(state)["/nets/G_I.net.0.weight"].element_size() == 2


def test_the_command_trains_the_same(gan, run, published):
    words = shlex.split(read(published)[1]["published"]["command"])
    assert words[:2] == ["python", f"{gan.MODEL}.py"]
    again, was = vars(gan.parse_args(words[2:])), json.loads((run / "config.json").read_text())
    aside = {*data.ONCE, "data_root", "data_sum"}
    assert {k: v for k, v in again.items() if k not in aside} == {k: v for k, v in was.items() if k not in aside}
    defaults = vars(gan.parse_args(["--preset", "fast"]))
    assert train_command(defaults, defaults) == f"python {gan.MODEL}.py --preset fast"
    other = defaults | {"betas": [0.5, 0.9], "compile": True, "data": "my videos", "seed": 3}
    told = "--preset fast --data 'my videos' --seed 3 --compile --betas 0.5 0.9"
    assert sorted(shlex.split(train_command(other, defaults))[2:]) == sorted(shlex.split(told))


def test_core_seconds_go_on_with_the_run(gan, run):
    before = read(run)[0]["core_seconds"]
    assert gan.main(["--out", str(run), "--resume", "--iters", "4"]) == 0
    assert 0 < before < read(run)[0]["core_seconds"] < 600


def test_fvd_is_told_if_it_is_of_these_weights(gan, run, tmp_path):
    own = file_sum(run / "checkpoint.pt")
    for checkpoint in (own, "another"):
        result = {"checkpoint": checkpoint, "fvd": 500.5, "floor": 60.1, "n": 256, "resize": "tf1", "kvd": 1}
        (run / "fvd.json").write_text(json.dumps(result))
        assert gan.main(["--out", str(run), "--publish", str(tmp_path / checkpoint)]) == 0
        about = read(tmp_path / checkpoint)[1]["published"]
        assert ("fvd" in about) == (checkpoint == own)
    assert read(tmp_path / own)[1]["published"]["fvd"] == 500.5


def test_sampling_leaves_it_as_it_is(gan, published, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in published.iterdir()}
    assert gan.main(["--out", str(published), "--sample", "3"]) == 0
    folder = Path("runs/shelf/mine")
    assert capsys.readouterr().out.splitlines()[-1].split() == ["look", "at", str(folder / "samples.gif")]
    assert np.load(folder / "samples.npy").shape == (3, 16, 32, 32, 3) and (folder / "figures").is_dir()
    assert gan.main(["--out", str(published), "--explore"]) == 0 and (folder / "explore.html").is_file()
    assert before == {path.name: path.read_bytes() for path in published.iterdir()}


def test_sampling_one_below_runs_leaves_it_as_it_is(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    below = Path(shutil.copytree(published, tmp_path / "runs" / "shelf" / "mine"))
    for path in (below, "runs/shelf/../shelf/mine"):
        assert data.results_folder(path) == Path("runs/shelf/mine-results")


def test_training_starts_from_it(gan, published, argv, tmp_path, capsys):
    out = train(gan, argv("--init", published, "--iters", 1, "--lr", 1e-12))
    said = capsys.readouterr().out
    assert re.search(r"^G_I: [1-9]\d* tensors .*, 0 fresh$", said, re.M) and re.search(r"^D_V: 0 tensors", said, re.M)
    trained, given = read(out)[0]["nets"], read(published)[0]["nets"]
    weight = "G_I.net.0.weight"
    assert torch.allclose(trained[weight], given[weight].float(), atol=1e-6)


def test_refusals(gan, run, published, fails, tmp_path):
    fails(gan.main, ["--out", str(run), "--publish", str(published)], published, "--overwrite")
    assert gan.main(["--out", str(run), "--publish", str(published), "--overwrite"]) == 0
    fails(gan.main, ["--out", str(published), "--resume", "--iters", "9"], "is published", f"--init {published}")
    assert {path.name for path in published.iterdir()} == {"checkpoint.pt", "config.json"}
    fails(gan.main, ["--out", str(published), "--sample", "2", "--raw"], "averaged weights alone")
    fails(gan.main, ["--out", str(published)], "already holds a run")
    fails(gan.main, ["--out", str(published), "--publish", "x"], "is published already")
    fails(gan.main, ["--out", str(tmp_path / "none"), "--publish", "x"], "there is no run in")
    fails(gan.main, ["--out", str(run), "--publish", "x", "--sample", "3"], "not allowed with")
    fails(gan.main, ["--out", str(run), "--publish", "x", "--raw"], "leave out --raw")
    fails(gan.main, ["--out", str(run), "--publish", f"{run}/../begun", "--overwrite"], "is the run itself")


@pytest.mark.parametrize("file", ["dsa", "rjvae"])
def test_a_published_vae(file, tiny, tmp_path, monkeypatch):
    vae, out, shelf = importlib.import_module(file), tmp_path / "run", tmp_path / "shelf" / "mine"
    flags = "--size 32 --width 4 --hidden 8 --batch 2 --iters 1 --device cpu".split()
    train(vae, ["--data", str(tiny), *flags, "--out", str(out)])
    assert vae.main(["--out", str(out), "--publish", str(shelf)]) == 0
    state, config = read(shelf)
    assert state["nets"].keys() == read(out)[0]["ema"].keys() and config["hidden"] == 8
    monkeypatch.chdir(tmp_path)
    assert vae.main(["--out", str(shelf), "--eval"]) == 0  # all networks are there
    assert vae.main(["--out", str(shelf), "--sample", "2"]) == 0
    assert {"eval.json", "samples.npy"} <= {path.name for path in Path("runs/shelf/mine").iterdir()}


def table():
    """README's table of pretrained models: {folder: its cells}."""
    text = (ROOT / "README.md").read_text()
    return {name: cells.split(" | ") for name, cells in re.findall(ROW, text, re.M)}


def test_all_pretrained_models_are_listed():
    assert [path.name for path in PRETRAINED] == sorted(table()) and len(PRETRAINED) == 6
    total = sum(path.stat().st_size for folder in PRETRAINED for path in folder.iterdir())
    assert total <= 12e6


@pytest.mark.parametrize("folder", PRETRAINED, ids=lambda folder: folder.name)
def test_pretrained(folder):
    """The file, its config and README's table agree; the samples of seed 0 are those that were published."""
    state, config = read(folder)
    about, model = config["published"], importlib.import_module(config["model"])
    assert (folder / "checkpoint.pt").stat().st_size <= 2e6
    assert config["data"] in ("faces", "weizmann")  # no art, no faces under a licence
    hours, fvd, floor = table()[folder.name][-3:]
    assert float(hours) == about["core_hours"] and about["n"] == 256
    assert (int(fvd), int(floor)) == (round(about["fvd"]), round(about["floor"]))
    assert table()[folder.name][0] == f"{config['size']}x{config['size']}"
    args = vars(model.parse_args(shlex.split(about["command"])[2:]))
    aside = {*data.ONCE, "data_root", "data_sum", "log_every", "save_every", "sample_every"}
    of_its_commit = [k for k in args.keys() & config.keys() if k not in aside]  # a preset may have grown since
    assert {k: args[k] for k in of_its_commit} == {k: config[k] for k in of_its_commit}
    assert len(of_its_commit) > 15 and re.fullmatch("[0-9a-f]{7,40}", about["commit"])
    assert about["iterations"] == state["iteration"] == config["iters"]
    _, nets = model.load_run(folder)
    drawn = model.sample(nets, 8, config["frames"], data.seeded(0))
    np.testing.assert_allclose(data.to_uint8(drawn["videos"]).mean((1, 2, 3, 4)), about["means"], atol=0.05)


def test_the_pictures_times_are_those_of_the_models():
    text = " ".join((ROOT / "README.md").read_text().split())
    faces, weizmann = (read(ROOT / "pretrained" / f"rjgan-{name}")[1]["published"] for name in ("faces", "weizmann"))
    assert round(faces["core_hours"]) == 2 and "after two hours on one CPU core" in text
    assert f"people who wave (Weizmann), after {60 * weizmann['core_hours']:.0f} minutes" in text


def test_fine_tuning_is_told_as_measured():
    result = json.loads((ROOT / "docs/results/init-weizmann.json").read_text())
    (faces, _, scratch), half = (run["fvd"] for run in result["runs"]), result["half as wide D_I"]
    assert result["runs"][-1]["start"] is None and faces > scratch and half["from faces"] < half["from scratch"]
    text = " ".join((ROOT / "docs/recipe.md").read_text().split())
    assert "(`--init`) helps is open: in two trials it once raised FVD and once lowered it" in text
