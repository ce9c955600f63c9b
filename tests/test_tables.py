"""The graph of the paper's tables and figures resumes where it was killed; the pages show what was measured."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import ROOT, assert_equal, checkpoint
from PIL import Image

import data
import metrics
import mocogan
import rjgan
import rjvae
import rmocogan
from tools.faces import draw_faces
from tools.prepare import write_prepared

sys.path.insert(0, str(ROOT / "benchmarks"))
import collect  # noqa: E402
import figures  # noqa: E402
import render  # noqa: E402

needs_snakemake = pytest.mark.skipif(
    importlib.util.find_spec("snakemake") is None,
    reason="needs Snakemake " + ("(pip install snakemake)" if sys.version_info >= (3, 11) else "9, so Python 3.11"),
)


def snakemake(*words, start=subprocess.run, **options):
    """Run Snakemake in the repository's root; `start` may be subprocess.Popen."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "benchmarks/Snakefile"), *map(str, words)]
    return start(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


# --- The pages -------------------------------------------------------------------------------------------------------


def test_the_pages_show_the_results():
    assert render.main(["--check"]) == 0, "python benchmarks/render.py"


def test_check_finds_what_is_stale(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- table2-faces-quick -->\nold\n<!-- /table2-faces-quick -->\n")
    monkeypatch.setattr(render, "PAGES", [page])
    monkeypatch.setattr(render, "ROOT", tmp_path)
    assert render.main(["--check"]) == 1 and "old" in page.read_text()
    assert "page.md is stale" in capsys.readouterr().out
    assert render.main([]) == 0 and "| MoCoGAN | 1442.8" in page.read_text()
    assert render.main(["--check"]) == 0


@needs_snakemake
def test_the_targets_of_the_pages_exist(tmp_path):
    """Each snakemake command of docs/reproduce.md, as a dry run."""
    text = (ROOT / "docs/reproduce.md").read_text()
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    lines = [line for line in blocks.replace("\\\n", " ").splitlines() if line.startswith("snakemake ")]
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)[3:]
        words.insert(words.index("--config") + 1, f"runs={tmp_path}")
        if "--profile" in words and importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
            words += ["--executor", "local"]  # the rest of the profile needs no plugin
        done = snakemake(*words, "-n")
        assert done.returncode == 0, (line, done.stdout)


def result(**values):
    """A table2 of made-up FVDs: {variant: [by seed]}."""
    settings = {"size": 32, "width": 8, "batch": 2}
    runs = [
        {"variant": variant, "seed": seed, "iterations": 10, "config": settings, "seconds": 60.0}
        | {"fvd": {"fvd": fvd, "kvd": fvd / 10, "floor": 56.25, "floor_of": "disjoint videos", "n": 128}}
        for variant, fvds in values.items()
        for seed, fvd in enumerate(fvds)
    ]
    return {"table": "table2", "data": "faces", "preset": "quick", "runs": runs}


def test_a_table_shows_numbers_conditions_and_verdicts(tmp_path):
    made = result(mocogan=[100.0, 102.0, 104.0], rmocogan=[90.0, 101.0, 112.0], rjgan=[110.0, 111.0, 112.0])
    (tmp_path / "table2-faces-quick.json").write_text(json.dumps(made))
    text = render.render("before\n<!-- table2-faces-quick -->\nold\n<!-- /table2-faces-quick -->\nafter", tmp_path)
    assert (
        text.startswith("before\n<!-- table2-faces-quick -->\n") and text.endswith("-->\nafter") and "old" not in text
    )
    assert "| MoCoGAN | 102.0 ± 2.0 | 10.2 ± 0.2 | 134.8 |" in text
    assert "3 seeds, 10 iterations, 32x32 pixels, width 8, batch 2" in text and "N = 128, floor 56.2" in text
    assert "RJGAN is better than MoCoGAN: **not reproduced** (difference 9, its standard error 1.3)" in text
    assert "RMoCoGAN is better than MoCoGAN: **not decided** (difference 1 as claimed, " in text
    assert "summary term" not in text  # a claim whose runs are not there
    assert render.render(text, tmp_path) == text
    fewer = result(rjgan=[110.0, 111.0], images=[100.0])  # a variant that has fewer seeds
    assert render.conditions(fewer["runs"]).startswith("2 seeds (images alone, `--terms summary`: 1), 10 iterations")
    made["runs"][0]["fvd"]["fvd"] += 1
    (tmp_path / "table2-faces-quick.json").write_text(json.dumps(made))
    assert render.render(text, tmp_path) != text


def test_the_long_runs_are_judged_at_their_end_and_drawn_at_every_stop(tmp_path):
    fvds = {"mocogan": [110.0, 111.0, 112.0], "rjgan": [100.0, 102.0, 104.0], "rjgan-fast": [50.0, 60.0, 70.0]}
    made = result(**fvds)
    made["table"] = "long"
    for run in made["runs"]:
        for i, metric in enumerate(("fvd-averaged", "fvd-blurred", "fvd-blurred-averaged"), 1):
            run[metric] = run["fvd"] | {"fvd": run["fvd"]["fvd"] / 10**i}
    made["runs"] += [run | {"iterations": 5, "fvd": run["fvd"] | {"fvd": 9999.0}} for run in made["runs"]]
    text = render.table(made)
    assert "9999" not in text and "10 iterations" in text
    assert "| RJGAN | 102.0 ± 2.0 | 10.2 ± 0.2 | 10.2 ± 0.2 | 1.0 ± 0.0 | 0.1 ± 0.0 | 99.9 |" in text
    assert "| claim | as trained | averaged weights | averaged weights, blurred |" in text  # of preset fast one side
    assert "| RJGAN is better than MoCoGAN | **yes** 9 ± 1.3 | **yes** 0.9 ± 0.13 | **yes** 0.009 ± 0.0013 |" in text
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.axes.Axes.errorbar", lambda self, *args, **more: seen.append((args, more)))
        render.draw_curves(made, tmp_path / "curves.png", "digest")
    assert render.drawn_from(tmp_path / "curves.png") == "digest"
    assert [args[:2] for args, _ in seen][1] == ([5, 10], [10.2, 10.2]) and seen[2][1]["linestyle"] == "--"


def test_the_long_runs_of_preset_fast_have_averaged_weights_alone():
    made = result(**{"mocogan-fast": [90.0, 91.0], "rjgan-fast": [50.0, 60.0]})
    made["table"] = "long"
    for run in made["runs"]:
        run["fvd-averaged"] = run["fvd-blurred-averaged"] = run.pop("fvd")
    text = render.table(made)
    assert text.startswith("|  | FVD, averaged ↓ | blurred FVD, averaged ↓ |\n")  # no column of the paper's
    assert "| RJGAN, preset fast | 55.0 ± 7.1 | 55.0 ± 7.1 |" in text and "N = 128, floor 56.2 (disjoint" in text
    assert "| claim | preset fast | preset fast, blurred |" in text
    assert "| RJGAN is better than MoCoGAN | **yes** 35.5 ± 5 | **yes** 35.5 ± 5 |" in text


def test_the_readme_shows_both_recipes(tmp_path):
    """MoCoGAN first, whichever was trained first; a model without numbers has no row."""
    assert render.headline(tmp_path) == "Not run yet."
    made = result(**{"rjgan-fast": [50.0, 60.0], "mocogan": [90.0, 91.0], "rjgan": [1.0]}) | {"table": "long"}
    for run in made["runs"]:
        if run["variant"] == "rjgan-fast":
            run["fvd-averaged"] = run.pop("fvd")
    (tmp_path / "long-faces-minutes.json").write_text(json.dumps(made))
    assert render.headline(tmp_path).splitlines()[2:] == [
        "| MoCoGAN | 90.5 ± 0.7 |  | 134.8 |",
        "| RJGAN | 1.0 | 55.0 ± 7.1 | 99.9 |",
        "| real clips (the floor) | 56.2 | 56.2 |  |",
    ]


def test_a_picture_is_drawn_of_runs_with_several_stops(tmp_path):
    for name in ("long-faces-minutes", "long-faces-hour", "curves-faces-quick"):
        (tmp_path / f"{name}.json").write_text("{}")
    assert [path.stem for path, *_ in render.plots(tmp_path, tmp_path)] == ["curves-faces-quick", "long-faces-hour"]


@needs_snakemake
def test_of_preset_fast_the_long_runs_score_averaged_weights_alone(tmp_path):
    done = snakemake("long", "-n", "--config", "preset=minutes", "seeds=1", f"runs={tmp_path}")
    assert re.search(r"^fvd +26$", done.stdout, re.MULTILINE), (
        done.stdout
    )  # 4 models: 4 scores of the paper's recipe; 5: 2 of ours
    assert "mocogan-fast-0/2500.fvd-averaged.json" in done.stdout and "fast-0/2500.fvd.json" not in done.stdout


@needs_snakemake
def test_figures_are_drawn_by_both_recipes(tmp_path):
    """Of preset fast, which has averaged weights alone, the seed of median averaged FVD is shown."""
    name = "tiny/faces/figure5-rmocogan"
    done = snakemake("figures", "-n", "--config", "preset=tiny", "seeds=1", f"runs={tmp_path}")
    wanted = {f"{name}.png": "rmocogan-0/4.fvd.json", f"{name}-fast.png": "rmocogan-fast-0/4.fvd-averaged.json"}
    for picture, score in wanted.items():
        rule = f"    input: {tmp_path}/tiny/faces/{score}\n    output: {tmp_path}/{picture}\n"
        assert rule in done.stdout, done.stdout
    assert "figure6-images.png" in done.stdout and "figure6-images-fast" not in done.stdout


def test_table3_has_a_row_for_every_stop_by_its_iterations_on_videos():
    made = result(**{"mixture": [8.0, 9.0, 10.0], "mocogan-half": [5.0, 5.0, 5.0]}) | {"table": "table3"}
    for run in result(**{"pretrained-half": [4.0, 5.0, 6.0]})["runs"]:
        made["runs"] += [run | {"iterations": 30, "config": run["config"] | {"image_iters": 20}}]
        made["runs"] += [made["runs"][-1] | {"iterations": 25, "fvd": run["fvd"] | {"fvd": 70.0}}]
    text = render.table(made)
    assert "| RJGAN, `--frames-only 0.5`, 10 iterations | 9.0 ± 1.0 | 0.9 ± 0.1 | 438.7 |" in text
    name = "RJGAN, `--frames-only 0.5`, pre-trained on images"
    assert re.search(f"{re.escape(name)}, 5 iterations .* \\|  \\|$", text, re.MULTILINE)  # the paper's number is of 10
    assert f"| {name}, 10 iterations | 5.0 ± 1.0 | 0.5 ± 0.1 | 199.6 |" in text
    assert f"| {name}, 5 iterations | 70.0 ± 0.0 | " in text and f"| {name}, 10 iterations | 5.0 ± 1.0 | " in text
    assert "- Pre-training on images helps RJGAN: **reproduced** (difference 4, " in text  # at the end


def test_what_is_not_decided_says_what_it_takes():
    """At the number of seeds it says the difference is two standard errors, and at one fewer it is not."""
    low, high = [1.0, 2.0, 3.0], [1.5, 2.5, 3.5]  # deviations 1, difference 0.5: 2 * sqrt(2 / 32) = 0.5
    assert render.verdict(low, high) == (
        "not decided", "difference 0.5 as claimed, its standard error 0.82; needs 32 seeds a side"
    )  # fmt: skip
    assert "0.5 the other way, " in render.verdict(high, low)[1]
    assert render.verdict(low, low)[1].endswith("; needs more than 100 seeds a side")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], "reproduced"),  # difference 3, standard error sqrt(2 / 3) = 0.816
        ([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], "not reproduced"),
        ([1.0, 2.0, 3.0], [2.6, 3.6, 4.6], "not decided"),  # 1.6 < 2 * 0.816
        ([1.0, 2.0, 3.0], [2.7, 3.7, 4.7], "reproduced"),  # 1.7 > 2 * 0.816
        ([1.0], [100.0, 101.0], "not decided"),  # one seed decides nothing
        ([5.0, 5.0], [5.0, 5.0], "not decided"),
    ],
)
def test_a_verdict_takes_two_standard_errors(low, high, word):
    assert render.verdict(low, high)[0] == word


def test_a_claim_of_ours_is_not_reproduced_but_true():
    made = result(rjgan=[1.0, 2.0, 3.0], bf16=[4.0, 5.0, 6.0]) | {"table": "precision"}
    assert "- Bfloat16 makes worse videos (ours): **true** (difference 3, its standard error 0.82)." in render.table(
        made
    )


def test_more_seeds_join_and_their_verdict_is_shown_where_it_is_another(tmp_path):
    first = result(rmocogan=[1.0, 2.0, 3.0], mocogan=[4.0, 5.0, 6.0], rjgan=[7.0, 8.0, 9.0])
    more = {**first, "runs": [run | {"seed": 3 + run["seed"]} for run in result(rmocogan=[30.0, 31.0])["runs"]]}
    (tmp_path / "table2-faces-quick.json").write_text(json.dumps(first))
    (tmp_path / "table2-weizmann-quick.json").write_text(json.dumps(result(rjgan=[1.0, 2.0], rmocogan=[1.0, 2.0])))
    assert "with more seeds" not in render.verdicts(tmp_path)
    (tmp_path / "table2-faces-quick-more.json").write_text(json.dumps(more))
    assert [re.sub(r"\| [^|]* \|(?=[^|]*\|$)", "|", line) for line in render.verdicts(tmp_path).splitlines()[2:]] == [
        "| [Table 2](#table-2) | RMoCoGAN is better than MoCoGAN | reproduced |",
        "|  | the same, with more seeds | not decided |",
        "|  | RJGAN is better than MoCoGAN | not reproduced |",
        "|  | RJGAN is better than RMoCoGAN | not reproduced |",
        "|  | the same, with more seeds | not decided |",
        "| Weizmann | RJGAN is better than RMoCoGAN | not decided |",
    ]
    assert "RMoCoGAN is better than MoCoGAN | difference 3, its standard error 0.82 | rep" in render.verdicts(tmp_path)
    text = render.render("<!-- table2-faces-quick+more -->\n<!-- /table2-faces-quick+more -->", tmp_path)
    assert "| RMoCoGAN | 13.4 ± 15.6 |" in text and "5 seeds (" in text  # of 1 2 3 30 31
    longer = result(rjgan=[1.0, 1.1, 1.2], mocogan=[8.0, 8.1, 8.2]) | {"table": "long"}
    (tmp_path / "long-faces-minutes.json").write_text(json.dumps(longer))
    longest = result(rjgan=[9.0, 9.1, 9.2], mocogan=[8.0, 8.1, 8.2]) | {"table": "long"}
    (tmp_path / "long-faces-hour.json").write_text(json.dumps(longest))
    added = [
        "|  | the same, in longer runs | difference 7, its standard error 0.082 | reproduced |",
        "|  | the same, in the longest runs | difference 1, its standard error 0.082 | not reproduced |",
    ]
    assert "\n".join(added) in render.verdicts(tmp_path)


def test_diversity_is_shown_over_seeds():
    values = dict.fromkeys(("spread", "closest", "late spread", "late closest"), 0.123)
    made = {"n": 4, "real": {"spread": 0.5, "closest": 0.2, "step": 0.0246}}
    for seed, step in enumerate((0.04, 0.05, 0.06)):
        made[f"faces/rjgan-{seed}/2000"] = values | {"iteration": 2000, "step": step, "late step": 0.04}
    made["faces/mocogan-0/1000"] = made["faces/rjgan-0/2000"] | {"iteration": 1000}
    assert render.diversities(made).splitlines()[2:] == [
        "| real clips | 0.50 |  | 0.20 |  | 0.025 |  |",
        "| RJGAN, 2000 iterations |" + " 0.12 ± 0.00 |" * 4 + " 0.050 ± 0.010 | 0.040 ± 0.000 |",
        "| MoCoGAN, 1000 iterations | 0.12 | 0.12 | 0.12 | 0.12 | 0.040 | 0.040 |",
    ]


def test_a_picture_tells_what_it_was_drawn_from(tmp_path):
    made = result(mocogan=[100.0, 102.0], rjgan=[90.0, 91.0]) | {"table": "curves"}
    render.draw_curves(made, tmp_path / "curves.png", "digest")
    assert render.drawn_from(tmp_path / "curves.png") == "digest"
    assert render.drawn_from(tmp_path / "none.png") is None


def test_the_pages_have_a_place_for_every_table():
    text = "\n".join(page.read_text() for page in render.PAGES)
    marks = re.findall(r"^<!-- (\S+) -->\n(?:.*?\n)?<!-- /\1 -->$", text, re.DOTALL | re.MULTILINE)
    assert {"verdicts", "headline", "figures", "speed"} < set(marks) and len(set(marks)) == len(marks)
    places = [mark.split("-")[:2] for mark in marks if "-" in mark]
    assert {table for table, _ in places} == {*render.TABLES, "curves", "diversity"}
    assert ["table2", "faces"] in places and ["table2", "weizmann"] in places and ["table6", "sprites"] in places


def test_the_drawings_give_a_role_one_colour():
    roles = []
    for name in ("gan", "vae"):
        text = (ROOT / f"docs/img/models-{name}.svg").read_text()
        ElementTree.fromstring(text)
        roles.append(dict(re.findall(r"\.(\w+) { (fill: #\w+; stroke: #\w+)", text)))
        assert set(re.findall(r'class="(\w+)"', text)) >= roles[-1].keys() >= {"content", "motion", "residual", "net"}
    assert roles[1].items() <= roles[0].items()


# --- Figures ---------------------------------------------------------------------------------------------------------


def test_a_figure_is_a_picture_that_its_model_makes(tiny, tmp_path):
    made = {}
    for model in (mocogan, rmocogan, rjgan, rjvae):
        args = model.parse_args(f"--size 32 --width 4 --device cpu --frames 16 --data {tiny}".split())
        nets = model.build(args).eval()
        folder = tmp_path / model.MODEL
        model.save_figures(nets, folder / "figures", args, data.seeded(0))
        args.out = str(folder)
        data.Run(args, nets, nets, {}, data.seeded(0), model.sample, model.filmstrip).show(7)
        made[model.MODEL] = {str(path.relative_to(folder)) for path in folder.glob("*/*")}
    for name, (_, _, variant, picture) in figures.FIGURES.items():
        assert picture.format(7) in made.get(variant, made["rjgan"]), name


def test_a_figure_becomes_small_by_leaving_out_rows(tmp_path):
    grid = np.full((5 * 34 + 2, 2 + 34, 3), 255, np.uint8)  # five noisy pictures, one below the other
    for row in range(5):
        grid[2 + 34 * row : 34 + 34 * row, 2:34] = np.random.default_rng(row).integers(0, 255, (32, 32, 3))
    data.save_png(tmp_path / "grid.png", grid)
    for limit, rows in ((300_000, 5), (3_300, 2)):
        figures.shrink(tmp_path / "grid.png", tmp_path / "docs/small.png", limit)
        small = np.asarray(Image.open(tmp_path / "docs/small.png").convert("RGB")).astype(int)
        assert (tmp_path / "docs/small.png").stat().st_size <= limit
        assert small.shape == (rows * 34 + 2, 36, 3)
        assert abs(small - grid[: len(small)]).mean() < 20  # 256 colours for noise


def test_a_figure_is_of_the_median_fvd(tmp_path):
    scores = [tmp_path / f"rjgan-{seed}" / "2000.fvd.json" for seed in range(4)]
    for path, fvd in zip(scores, (9.0, 7.0, 8.0, 11.0), strict=True):
        path.parent.mkdir()
        path.write_text(json.dumps({"fvd": fvd}))
    assert figures.median_run(scores[:2]) == tmp_path / "rjgan-1/2000"
    assert figures.median_run(scores[:3]) == tmp_path / "rjgan-2/2000"
    assert figures.median_run(scores) == tmp_path / "rjgan-2/2000"
    assert figures.median_run([tmp_path / "images-0/2000.done"]) == tmp_path / "images-0/2000"  # which has no FVD


def test_the_page_links_the_figures_that_are_there(tmp_path):
    text = "<!-- figures -->\n<!-- /figures -->"
    assert "not run yet" in render.render(text, tmp_path, tmp_path)
    assert "figure6" not in render.render(text, tmp_path, tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figure6-rjgan-faces-quick.png").touch()
    assert "| [faces-quick](figures/figure6-rjgan-faces-quick.png) |" in render.render(text, tmp_path, tmp_path)


# --- What is collected -----------------------------------------------------------------------------------------------


def test_collect_keeps_what_made_a_number_and_no_path(tmp_path):
    run = tmp_path / "quick" / "faces" / "without-summary-2" / "500"
    run.mkdir(parents=True)
    config = {"data_root": "/secret", "out": str(run), "resume": True, "width": 16, "model": "rjgan"}
    (run / "config.json").write_text(json.dumps(config))
    (run / "log.csv").write_text("iteration,G,it_per_s\n100,1,2.0\n500,1,4.0\n")
    (run.parent / "500.fvd.json").write_text(json.dumps({"fvd": 7.0, "n": 4, "fake": str(run)}))
    (run.parent / "500.is.json").write_text(json.dumps({"is": 2.0, "run": str(run), "real": {"is": 3.0}}))
    (entry,) = collect.collect([f"{run}.fvd.json", f"{run}.is.json"])
    assert entry == {
        "variant": "without-summary", "seed": 2, "iterations": 500, "config": {"width": 16, "model": "rjgan"},
        "seconds": 100 / 2 + 400 / 4, "fvd": {"fvd": 7.0, "n": 4}, "is": {"is": 2.0, "real": {"is": 3.0}},
    }  # fmt: skip
    assert str(tmp_path) not in json.dumps(entry)


def test_published_runs_of_other_days_stay_and_the_same_ones_are_replaced(tmp_path):
    published, days = tmp_path / "results" / "long-faces-hour.json", tmp_path / "hour" / "faces"

    def measured(seed, fvd):
        run = days / f"rjgan-{seed}" / "500"
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.json").write_text('{"width": 16}')
        (run / "log.csv").write_text("iteration,G,it_per_s\n500,1,4.0\n")
        Path(f"{run}.fvd.json").write_text(json.dumps({"fvd": fvd}))
        collect.main(str(days / "long.json"), str(published), f"{run}.fvd.json")
        result = json.loads(published.read_text())
        assert (result["table"], result["data"], result["preset"]) == ("long", "faces", "hour")
        assert len(json.loads((days / "long.json").read_text())["runs"]) == 1
        return {run["seed"]: run["fvd"]["fvd"] for run in result["runs"]}

    assert measured(0, 7.0) == {0: 7.0}
    assert measured(1, 8.0) == {0: 7.0, 1: 8.0}
    assert measured(0, 9.0) == {0: 9.0, 1: 8.0}


# --- The runs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A data root with a few of the faces, so that nothing has to be drawn for long."""
    root = tmp_path_factory.mktemp("root")
    frames, lengths, labels, classes = draw_faces(32, videos=range(0, 633, 50))
    write_prepared(root / "faces-32", frames, lengths, labels, classes, range(0, len(lengths), 5))
    return root


def test_a_copy_of_a_shorter_training_goes_on_as_the_straight_one(argv, tmp_path):
    """As the rule train does it, which costs the points of a curve nothing; the shorter one stays as it was."""
    straight = rjgan.train(rjgan.parse_args(argv("--iters", 4, "--save-every", 1, out="straight")))
    shorter = rjgan.train(rjgan.parse_args(argv("--iters", 2, "--save-every", 1, out="2")))
    before = (shorter / "checkpoint.pt").read_bytes()
    copy = shutil.copytree(shorter, tmp_path / "4")
    rjgan.train(rjgan.parse_args(["--out", str(copy), "--resume", "--iters", "4"]))
    assert_equal(checkpoint(straight), checkpoint(copy))
    assert (shorter / "checkpoint.pt").read_bytes() == before


def without_times(path):
    """A table's JSON, less what no two trainings share."""
    table = json.loads(path.read_text())
    for run in table["runs"]:
        assert run.pop("seconds") > 0
        for result in run.values():
            if isinstance(result, dict):
                result.pop("checkpoint", None)  # the sum of a file, which also says where it lies
    return table


@pytest.mark.slow
@needs_snakemake
def test_a_killed_table_goes_on_and_ends_the_same(faces, tmp_path):
    """A table whole; and its copy without one training, which is killed as hard as can be and started again."""
    try:
        metrics.read_weights()
    except data.UserError as error:
        pytest.skip(str(error))

    def arguments(root):
        config = f"data=faces preset=tiny seeds=1 data_root={faces} runs={root}/runs results={root}/results".split()
        return ["mixture", "--cores", "1", "--nolock", "--rerun-incomplete", "--config", *config]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = snakemake(*arguments(whole))
    assert done.returncode == 0, done.stdout

    shutil.copytree(whole, killed)
    long = killed / "runs/tiny/faces/rjgan-0/4"  # goes on from a copy of rjgan-0/2
    shutil.rmtree(long)
    for path in (f"{long}.done", f"{long}.fvd.json", long.parents[1] / "mixture.json"):
        Path(path).unlink()
    shutil.rmtree(killed / "results")
    process = snakemake(*arguments(killed), start=subprocess.Popen, start_new_session=True)
    deadline = time.monotonic() + 240
    while not (long / "log.csv").exists() or "\n3," not in (long / "log.csv").read_text():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (long / "checkpoint.pt").exists() and not Path(f"{long}.done").exists()  # in the middle of it
    done = snakemake(*arguments(killed))
    assert done.returncode == 0, done.stdout

    one, other = (without_times(root / "results/mixture-faces-tiny.json") for root in (whole, killed))
    assert one == other
    assert [run["variant"] for run in one["runs"]] == ["mocogan", "rjgan", "mixture"]
    assert all(run["fvd"]["fvd"] > 0 and run["fvd"]["n"] == run["iterations"] == 4 for run in one["runs"])


@needs_snakemake
def test_runs_of_other_settings_are_refused(tmp_path):
    run = tmp_path / "tiny" / "faces" / "rjgan-0" / "4"
    run.mkdir(parents=True)
    settings = {"size": 32, "width": 64, "batch": 2, "frames": 16, "stride": 2}
    (run / "config.json").write_text(json.dumps(settings))
    done = snakemake("table2", "-n", "--config", "preset=tiny", f"runs={tmp_path}")
    assert done.returncode != 0 and "--width 64" in done.stdout, done.stdout
