"""benchmarks/quality.py: what it says of the numbers that it keeps, and docs/recipe.md says the same."""

import json
import statistics
import sys

import numpy as np
from conftest import ROOT
from PIL import Image

sys.path.insert(0, str(ROOT / "benchmarks"))
import quality  # noqa: E402

KEPT = ROOT / "docs/results/quality-faces.json"


def test_what_is_measured_is_not_measured_again(tmp_path, monkeypatch, capsys):
    rows = [row for row in json.loads(KEPT.read_text())["rows"] if row["recipe"] == "paper"]
    kept, picture = tmp_path / "kept.json", tmp_path / "plot.png"
    kept.write_text(json.dumps({"rows": rows}))
    monkeypatch.setattr(quality, "run", lambda *words: 1 / 0)
    flags = f"--recipes paper --paper-iters 4000 --iters 1 --shares 1 --json {kept} --plot {picture}"
    assert quality.main(flags.split()) == 0
    said = capsys.readouterr().out
    for raw in (False, True):
        fvds = [row["fvd"] for row in rows if row["raw"] == raw]
        mean, deviation = statistics.mean(fvds), statistics.stdev(fvds)
        assert f"fvd {statistics.median(fvds):.2f}, {mean:.2f} ± {deviation:.2f}" in said
    assert said.count("3 seeds") == 2 and np.asarray(Image.open(picture)).std() > 10


def test_a_run_is_trained_scored_and_kept(tmp_path, monkeypatch):
    """The commands, without what they do: flags of the recipe, raw weights of the paper's alone, resumed at a share."""
    commands = []

    def run(*words):
        commands.append([str(word) for word in words])
        return 10.0

    monkeypatch.setattr(quality, "run", run)
    asked = []
    scores = {"blurred": 2, "is": 3}
    monkeypatch.setattr(quality, "score", lambda out, n, raw, blurs: asked.append((out.name, len(blurs))) or scores)
    flags = f"--iters 10 --paper-iters 6 --seeds 0 --runs {tmp_path / 'runs'} --json {tmp_path / 'new.json'}"
    assert quality.main(flags.split()) == 0
    rows = json.loads((tmp_path / "new.json").read_text())["rows"]
    found = [(row["recipe"], row["iterations"], row["raw"], row["core_seconds"]) for row in rows]
    assert found == [
        *(("paper", 3, False, 10), ("paper", 3, True, 10), ("paper", 6, False, 20), ("paper", 6, True, 20)),
        *(("fast", 5, False, 10), ("fast", 10, False, 20)),
    ]
    assert ["--resume" in words for words in commands] == [False, True, False, True]
    assert "--width" in commands[0] and commands[2][1:3] == ["--preset", "fast"]
    assert quality.main([*flags.split(), "--recipes", "no-penalty", "--shares", "1"]) == 0
    assert commands[-1][1:5] == ["--preset", "fast", "--penalty", "0"]
    assert dict(asked) == {"paper-0": 2, "fast-0": 2, "no-penalty-0": 1}


def test_the_page_has_its_numbers():
    text = (ROOT / "docs/recipe.md").read_text()
    rows = json.loads(KEPT.read_text())["rows"]
    names = {("fast", False): "preset fast, averaged weights", ("paper", False): "the paper's recipe, averaged weights"}
    names[("paper", True)] = "the paper's recipe, weights as trained"
    for (recipe, raw), name in names.items():
        runs = [row for row in rows if (row["recipe"], row["raw"]) == (recipe, raw)]
        cells = [name, str(len(runs))]
        for metric, decimals in {"fvd": 1, "blurred": 1, "is": 2}.items():
            values = [run[metric] for run in runs]
            spread = f" ± {statistics.stdev(values):.{decimals}f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.{decimals}f}{spread}")
        assert f"| {' | '.join(cells)} |" in text
    assert f"| {rows[0]['floor']:.1f} | {rows[0]['blurred_floor']:.1f} | {rows[0]['is_real']:.2f} |" in text
