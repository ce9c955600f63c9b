"""The README's commands: each is one that its file understands, and those that train do so, in the README's order."""

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

import data

README = ROOT / "README.md"
MODELS = [name for name in ("mocogan", "rmocogan", "rjgan", "dsa", "rjvae") if (ROOT / f"{name}.py").exists()]


def commands():
    """Every `python FILE.py ...` of the README's sh blocks, as (FILE.py, flags)."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            words = [*shlex.split(line, comments=True), "&&"]
            while words:  # the parts of a && b
                end = words.index("&&")
                part, words = words[:end], words[end + 1 :]
                if len(part) > 1 and Path(part[0]).name.startswith("python") and part[1].endswith(".py"):
                    found.append((part[1], part[2:]))
    return found


def test_the_readme_has_commands():
    files = [file for file, _ in commands()]
    assert "rjgan.py" in files and "data.py" in files, files
    for file in files:
        assert (ROOT / file).is_file(), file


def test_its_first_command_sets_up_and_trains():
    """One command from a fresh clone, and one that runs the tests: each a block of its own."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    one_liners = [block.strip() for block in blocks if len(block.strip().splitlines()) == 1]
    assert any("setup.sh" in block and "rjgan.py" in block for block in one_liners)
    assert any("setup.sh" in block and "pytest" in block for block in one_liners)


def value(flags, name):
    """What a command gives for a flag, or None."""
    return flags[flags.index(name) + 1] if name in flags else None


def test_its_data_sets_exist():
    prepared = {"folder"} | {Path(value(flags, "--source")).name for _, flags in commands() if "folder" in flags}
    for file, flags in commands():
        name = value(flags, "--data") or (flags[1] if file == "data.py" and len(flags) > 1 else "faces")
        assert name in data.DATASETS or re.search("[./A-Z]", name) or name in prepared, (file, name)


@pytest.mark.parametrize("file", ["data.py", "metrics.py"])
def test_its_other_commands_parse(file):
    flags_of = [flags for name, flags in commands() if name == file]
    if not (ROOT / file).exists() or not flags_of:
        pytest.skip(f"no command of {file}")
    for flags in flags_of:
        importlib.import_module(file.removesuffix(".py")).parse_args(flags)


def test_its_model_commands_run_small(tiny, tmp_path, monkeypatch, capsys):
    """In the README's order, each at a tiny size on tiny data; what a command writes, a later one may go on with."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "picture.png")
    small = f"--data {tiny} --iters 2 --size 32 --width 8 --batch 2 --stride 1 --device cpu --overwrite".split()
    ran = []
    for file, flags in commands():
        name = file.removesuffix(".py")
        if name not in MODELS:
            continue
        model = importlib.import_module(name)
        for flag in ("--out", "--init"):  # a run that the README supposes
            run = Path(value(flags, flag) or "nothing")
            needed = flag == "--init" or {"--resume", "--sample", "--eval"} & set(flags)
            if value(flags, flag) and needed and not (run / "checkpoint.pt").exists():
                model.train(model.parse_args([*small, "--out", str(run)]))
        if {"--resume", "--sample", "--eval"} & set(flags):
            extra = ["--iters", "3"] if "--resume" in flags else []
        else:
            extra = [*small, "--out", model.parse_args(flags).out]
        if "--images" in flags:
            extra += ["--images", str(tmp_path)]
        capsys.readouterr()
        if "--eval" in flags:
            model.parse_args([*flags, *extra])
        else:
            assert model.main([*flags, *extra]) == 0, (file, flags)
            folder = Path(model.parse_args([*flags, *extra]).out)
            assert (folder / "checkpoint.pt").is_file() and str(folder) in capsys.readouterr().out
            assert "--sample" not in flags or (folder / "samples.npy").is_file()
        ran.append(file)
    assert "rjgan.py" in ran
