"""benchmarks/quality.py: what it says of the numbers that it keeps, and docs/recipe.md says the same."""

import json
import statistics
import sys

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.axes import Axes
from PIL import Image

sys.path.insert(0, str(ROOT / "benchmarks"))
import quality  # noqa: E402
import render  # noqa: E402

KEPT = ROOT / "docs/results/quality-faces.json"


def test_what_is_measured_is_not_measured_again(tmp_path, monkeypatch, capsys):
    rows = [row for row in json.loads(KEPT.read_text())["rows"] if row["iterations"] == 4000]
    kept, picture = tmp_path / "kept.json", tmp_path / "plot.png"
    kept.write_text(json.dumps(json.loads(KEPT.read_text()) | {"rows": rows}))
    monkeypatch.setattr(quality, "run", lambda *words: 1 / 0)
    flags = f"--recipes paper --paper-iters 4000 --iters 1 --shares 1 --json {kept} --plot {picture}"
    assert quality.main(flags.split()) == 0
    said = capsys.readouterr().out
    for raw in (False, True):
        fvds = [row["fvd"] for row in rows if row["raw"] == raw]
        mean, deviation = statistics.mean(fvds), statistics.stdev(fvds)
        assert f"fvd {statistics.median(fvds):.2f}, {mean:.2f} ± {deviation:.2f}" in said
    with pytest.raises(SystemExit):
        quality.main([*flags.split(), "--n", "128"])
    assert "are of {'n': 256}: give another file" in capsys.readouterr().err
    assert said.count("3 seeds") == 2 and np.asarray(Image.open(picture)).std() > 10


def test_the_plot_has_the_time_of_the_papers_recipe(tmp_path, monkeypatch):
    """By the pace of the machine of each row: 400 core-seconds at 0.1 an iteration and 800 at 0.2 are 4000 of them."""
    real = {"floor": 1, "blurred_floor": 1, "is_real": 2}
    paper = {"recipe": "paper", "raw": True, "iterations": 4000, "core_seconds": 400.0, "fvd": 9, "blurred": 8, "is": 1}
    other = paper | {"pace": 0.2, "core_seconds": 800.0, "fvd": 7}
    other.pop("blurred")  # not measured
    drawn, original = [], Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, x, y, *a, **k: drawn.append((x, y)) or original(self, x, y, *a, **k))
    quality.plot([paper | real, other | real], tmp_path / "plot.png")
    points = [pair for pair in drawn if len(pair[0])]
    assert points[:2] == [([4000.0, 4000.0], [9, 7]), ([4000.0], [8])]


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
    flags += f" --data-root {tmp_path}"
    assert quality.main(flags.split()) == 0
    reader = [words for words in commands if "train-classifier" in words]
    assert reader[0] == ["metrics.py", "train-classifier", "faces", "--size", "32", "--data-root", str(tmp_path)]
    commands[:] = [words for words in commands if words not in reader]
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


def cells(rows, **decimals):
    """The cells of a table: number of seeds, then mean ± deviation of each metric."""
    made = [str(len(rows))]
    for metric, places in decimals.items():
        values = [row[metric] for row in rows]
        spread = f" ± {statistics.stdev(values):.{places}f}" if len(values) > 1 else ""
        made.append(f"{statistics.mean(values):.{places}f}{spread}")
    return " | ".join(made)


def test_the_page_has_its_numbers():
    text, rows = (ROOT / "docs/recipe.md").read_text(), json.loads(KEPT.read_text())["rows"]
    own = [row for row in rows if row["recipe"] == "paper" and "pace" not in row]
    pace = np.median([row["core_seconds"] / row["iterations"] for row in own])  # as the plot has it
    for recipe, raw, iterations, name in (
        ("fast", False, 1800, "preset fast, averaged weights"),
        ("fast", False, 2500, "the same, longer"),
        ("paper", True, 2800, "the paper's recipe, weights as trained"),
        ("paper", True, 4000, "the paper's recipe, weights as trained"),
        ("paper", True, 18000, "the paper's recipe, weights as trained"),
        ("paper", False, 4000, "the paper's recipe, averaged weights"),
        ("paper", False, 18000, "the paper's recipe, averaged weights"),
    ):
        of = [row for row in rows if (row["recipe"], row["raw"], row["iterations"]) == (recipe, raw, iterations)]
        time = statistics.mean(row["core_seconds"] / row.get("pace", pace) for row in of)
        row = f"| {name} | {iterations:,} | {round(time, -2):,.0f} | {cells(of, fvd=1, blurred=1, **{'is': 2})} |"
        assert row in text, row

    fast, paper = ([row for row in rows if row["iterations"] == stop] for stop in (1800, 2800))
    share = [100 * np.mean([r[m] for r in fast]) / np.mean([r[m] for r in paper]) for m in ("blurred", "fvd")]
    said = "In the same time, blurred FVD is {:.0f} % of that of the paper's recipe as trained, and FVD is {:.0f} %."
    assert said.format(*share) in " ".join(text.split())
    for row in [row for row in rows if row["iterations"] == 18000 and "blurred" in row]:
        assert all(one[metric] < row[metric] for one in fast for metric in ("fvd", "blurred"))
    floors = next(row for row in rows if row["recipe"] == "fast")
    assert f"| | {floors['floor']:.1f} | {floors['blurred_floor']:.1f} | {floors['is_real']:.2f} |" in text


def test_the_page_has_the_ablation():
    """Each part, and a word by the rule: two standard errors, of the deviation of the seeds with all parts."""
    text = (ROOT / "docs/recipe.md").read_text()
    kept = json.loads(KEPT.read_text())["rows"]
    rows = json.loads((ROOT / "docs/results/ablation-faces.json").read_text())["rows"]
    of = {name: [row for row in rows if row["recipe"] == name] for name in {row["recipe"] for row in rows}}
    fast = [row for row in kept if (row["recipe"], row["iterations"]) == ("fast", 1800)]
    _, half, relativistic = (of.pop(name) for name in ("earlier", "half-discriminator", "relativistic"))

    def counts(part, without):
        error = statistics.stdev(row["blurred"] for row in part) * (1 / len(part) + 1 / len(without)) ** 0.5
        lost = statistics.mean(row["blurred"] for row in without) - statistics.mean(row["blurred"] for row in part)
        return ("worse" if lost > 0 else "better") if abs(lost) > 2 * error else "not decided"

    assert f"| preset fast | {cells(fast, blurred=1, **{'is': 2})} | |" in text
    flags = {name: words.removeprefix(quality.FAST).strip() for name, words in quality.RECIPES.items()}
    assert of.keys() == flags.keys() - {"paper", "fast"}
    images = of.pop("images-first")
    lost = statistics.mean(row["is"] for row in fast) - of["transposed"][0]["is"]
    assert lost > 2 * statistics.stdev(row["is"] for row in fast) * (1 / 3 + 1) ** 0.5
    assert "`--upsample transposed` is worse by its Inception Score alone" in text
    for recipe, found in of.items():
        assert {row["iterations"] for row in found} == {1800}
        row = f"| `{flags[recipe]}` | {cells(found, blurred=1, **{'is': 2})} | {counts(fast, found)} |"
        assert row in text, row

    text = " ".join(text.split())
    alone = [row for row in kept if (row["recipe"], row["iterations"]) == ("fast", 2500)]
    assert f"blurred FVD is {cells(images, blurred=1)[4:]} instead of {cells(alone, blurred=1)[4:]}, and FVD is" in text
    assert (
        f"FVD is {cells(images, fvd=1)[4:]} instead of {cells(alone, fvd=1)[4:]}, which is not decided (three" in text
    )
    assert {row["iterations"] for row in images} == {4300} and counts(alone, images) == "worse"
    assert render.verdict(*([row["fvd"] for row in side] for side in (alone, images)))[0] == "not decided"
    said = f"blurred FVD was {cells(relativistic, blurred=1)[4:]} with it and {cells(half, blurred=1)[4:]} without"
    assert said in text and counts(half, relativistic) == "not decided"


def test_the_page_says_how_far_videos_leave_their_summary_frame():
    rows = json.loads((ROOT / "docs/results/diversity-recipe.json").read_text())
    fast = [rows[f"runs/fast-{seed}"] for seed in range(3)]
    mean = {name: statistics.mean(row[name] for row in fast) for name in fast[0]}
    without, paper = rows["runs/open-gate-0"], rows["runs/paper-18000"]
    text = " ".join((ROOT / "docs/recipe.md").read_text().split())
    assert f"With the bias frame 1 is {mean['away 1']:.2f} away from its summary frame" in text
    assert f"without it {without['away 1']:.2f} (one seed)" in text
    assert f"Frame 16 is {mean['away 16']:.2f} away, without the bias {without['away 16']:.2f}, and by the" in text
    moves = "a video moves by {:.3f}, without the bias by {:.3f}, as real ones do"
    assert moves.format(mean["step"], without["step"]) in text and f"{rows['real']['step']:.3f}" == "0.025"
    assert f"{paper['iteration']:,} iterations {paper['away 16']:.2f}." in text
    assert f"Two people are {mean['spread']:.2f} apart" in text


def test_the_page_says_what_64_pixels_give():
    text = " ".join((ROOT / "docs/recipe.md").read_text().split())
    found = json.loads((ROOT / "docs/results/recipe-64.json").read_text())
    now, early, half, people = (found[name] for name in ("now", "12000", "half", "weizmann"))
    assert f"in {['no', 'one', 'two', 'three'][round(now['core_seconds'] / 3600)]} core-hours, faces are clear" in text
    assert f"`{now['what'].removeprefix('python rjgan.py ')}`" in text
    assert f"FVD is {now['fvd']:.1f} (N = {now['n']}). This is [`pretrained/rjgan-faces`]" in text
    assert f"With a D_I half as wide FVD is {half['fvd']:.1f} instead of {early['fvd']:.1f} (12,000 iterations" in text
    moves = [f"{part['deviation']:.3f}" for part in (now, found["real"])]
    assert "(root mean square) is {}, of real clips {}.".format(*moves) in text
    assert f"Frame 16 is {now['away 16']:.2f} away from its summary frame." in text

    jumps = [max(found[name]["D_clips"].values()) for name in ("whole clips", "weizmann whole clips")]
    assert f"on the faces to {jumps[0]:.1f}, about every thousand" in text and min(jumps) > 30
    whole = found["weizmann whole clips"]
    assert f"FVD is {whole['fvd']:.1f} after 2450 iterations (N = {whole['n']}, one seed)" in text

    asleep = [step for step, squared in half["R_summary"].items() if squared < 0.001]
    assert asleep == ["300", "400", "500", "600", "700"]
    assert f"from iteration {asleep[0]} to {asleep[-1]} the square of its gradient is below 0.001" in text
    assert min(found["earlier"]["R_summary"].values()) > 0.01
    assert f"in {people['core_seconds'] / 60:.0f} core-minutes**" in text and f"FVD is {people['fvd']:.1f}" in text
    assert f"`{people['what'].removeprefix('python rjgan.py ')}`" in text


def test_the_page_says_what_fvd_sees():
    text = (ROOT / "docs/recipe.md").read_text()
    found = json.loads((ROOT / "docs/results/probe-recipe.json").read_text())
    real, fast = found["real"], found["runs/fast/faces/fast-0"]
    cells = " | ".join(f"{real[name]:.1f}" for name in ("smooth", "noisy", "frozen", "recoloured"))
    assert f"| real clips | {real['sampled']:.1f} (floor) | {cells} |" in text and f"N = {found['n']}" in text
    cells = [f"{fast[name]:.1f}" for name in ("sampled", "smooth", "frozen", "recoloured")]
    assert "| an earlier preset, seed 0 | {} | {} | | {} | {} |".format(*cells) in text
    lost = {name: real[name] - real["sampled"] for name in ("smooth", "frozen", "recoloured")}
    said = "smoothing real clips adds {smooth:.0f}, freezing them {frozen:.0f}, wrong colours {recoloured:.0f}. Smooth"
    assert said.format(**lost) in " ".join(text.split()) and real["smooth"] > fast["sampled"]


def test_a_command_that_fails_is_one_line(capfd):
    with pytest.raises(SystemExit, match="quality.py: error: .* python metrics.py is nowhere$"):
        quality.run("metrics.py", "is", "nowhere")
    assert "nowhere is no run directory" in capfd.readouterr().err
