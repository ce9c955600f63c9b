"""Write the tables and plots of README.md and docs/ from docs/results, beside the paper's numbers.

    python benchmarks/render.py             write what stands between <!-- NAME --> and <!-- /NAME -->, and the plots
    python benchmarks/render.py --check     only say what is stale, by exit status 1

NAME is that of a file in docs/results, TABLE-DATA-PRESET, with +more for the runs of TABLE-DATA-PRESET-more.json, too;
or `verdicts`, on every claim of the paper; `headline`, the GANs by both recipes; `figures`, those in docs/figures;
`speed`. A cell is the mean and the standard deviation over seeds.

The verdict on a claim is decided by a rule that was written before the runs: if the means of the two sides differ by
more than two standard errors of their difference, sqrt(s1^2/n1 + s2^2/n2) (Welch), the claim is reproduced where they
differ as it says, and not reproduced where they differ the other way round; if they do not, or a side has one seed
alone, it is not decided. Of claims of ours, which the paper does not make, it says true or false instead.
"""

import hashlib
import json
import math
import re
import statistics
import sys
from pathlib import Path

import speed
from figures import FIGURES

ROOT = Path(__file__).resolve().parent.parent
DOCS, RESULTS = ROOT / "docs", ROOT / "docs" / "results"
PAGES = [ROOT / "README.md", DOCS / "results.md", DOCS / "speed.md"]

NAMES = {
    "mocogan": "MoCoGAN",
    "rmocogan": "RMoCoGAN",
    "rjgan": "RJGAN",
    "without-summary": "RJGAN, `--terms frames clips`",
    "images": "images alone, `--terms summary`",
    "mocogan-half": "MoCoGAN, `--frames-only 0.5`",
    "mixture": "RJGAN, `--frames-only 0.5`",
    "pretrained-half": "RJGAN, `--frames-only 0.5`, pre-trained on images",
    "previous": "RJGAN, `--residual previous`",
    "previous-alone": "RJGAN, `--residual previous --terms frames clips`",
    "bf16": "RJGAN, `--precision bf16`",
    "mocogan-fast": "MoCoGAN, preset fast",
    "rmocogan-fast": "RMoCoGAN, preset fast",
    "rjgan-fast": "RJGAN, preset fast",
    "without-summary-fast": "RJGAN, `--terms frames clips`, preset fast",
    "images-first-fast": "RJGAN, images first, preset fast",
    "dsa": "DSA",
    "rjvae": "RJVAE",
}


def judged(side, held):
    """How often the judge still reads the labels of a side (content or motion) with `held` held, mean over labels."""

    def value(run):
        return statistics.mean(row[held] for row in run["disentanglement"]["labels"] if row["side"] == side)

    return value


MEASURES = {  # name: heading, decimals, its value of a run
    "fvd": ("FVD ↓", 1, lambda run: run["fvd"]["fvd"]),
    "kvd": ("KVD ↓", 1, lambda run: run["fvd"]["kvd"]),
    "fvd averaged": ("FVD, averaged ↓", 1, lambda run: run["fvd-averaged"]["fvd"]),
    "fvd blurred": ("blurred FVD ↓", 1, lambda run: run["fvd-blurred"]["fvd"]),
    "fvd blurred averaged": ("blurred FVD, averaged ↓", 1, lambda run: run["fvd-blurred-averaged"]["fvd"]),
    "is": ("IS ↑", 2, lambda run: run["is"]["is"]),
    "is everyone": ("IS by a classifier of everyone ↑", 2, lambda run: run["is-everyone"]["is"]),
    "is of frames": ("IS of videos' frames ↑", 2, lambda run: run["is"]["frames"]["is"]),
    "diversity": ("diversity of images, H(y) ↑", 2, lambda run: run["is"]["h_y"]),
    "elbo": ("test ELBO, nats ↑", 1, lambda run: run["eval"]["elbo"]["nats_per_video"]),
    "iwae": ("IWAE-100, nats ↑", 1, lambda run: run["eval"]["iwae_100"]["nats_per_video"]),
    "motion by motion": ("motion labels, motion held ↑", 2, judged("motion", "motion_held")),
    "motion by content": ("motion labels, content held ↓", 2, judged("motion", "content_held")),
    "motion by chance": ("chance", 2, judged("motion", "chance")),
    "content by content": ("content labels, content held ↑", 2, judged("content", "content_held")),
    "content by motion": ("content labels, motion held ↓", 2, judged("content", "motion_held")),
    "content by chance": ("chance", 2, judged("content", "chance")),
}
LATENTS = [name for name in MEASURES if " by " in name]
SECTIONS = {  # the headings of docs/results.md
    "table2": "Table 2",
    "table3": "Table 3",
    "mixture": "Mixture",
    "table5": "Table 5",
    "a6": "A.6",
    "table6": "Table 6",
    "disentanglement": "Disentanglement",
}

# by table: its measures, the paper's numbers (of MUG), and its claims: a sentence, and the sides (variant, measure)
# that are lower and higher by it
TABLES = {
    "table2": (
        ["fvd", "kvd"],
        {"mocogan": "134.8", "rmocogan": "104.4", "rjgan": "99.9"},
        [
            ("RMoCoGAN is better than MoCoGAN", ("rmocogan", "fvd"), ("mocogan", "fvd")),
            ("RJGAN is better than MoCoGAN", ("rjgan", "fvd"), ("mocogan", "fvd")),
            ("RJGAN is better than RMoCoGAN", ("rjgan", "fvd"), ("rmocogan", "fvd")),
            ("the summary term makes RJGAN better (4.1)", ("rjgan", "fvd"), ("without-summary", "fvd")),
        ],
    ),
    "table3": (
        ["fvd", "kvd", "fvd blurred", "is", "is of frames"],
        {"mocogan-half": "445.3", "mixture": "438.7", "pretrained-half": "199.6"},
        [
            (sentence, (low, measure), (high, measure))
            for sentence, measure, low, high in (
                ("pre-training on images helps RJGAN", "fvd", "pretrained-half", "mixture"),
                ("pre-trained RJGAN is better than MoCoGAN", "fvd", "pretrained-half", "mocogan-half"),
                ("RJGAN is better than MoCoGAN this early", "fvd", "mixture", "mocogan-half"),
                ("pre-training makes clearer videos (ours)", "fvd blurred", "pretrained-half", "mixture"),
                ("pre-training makes better frames (ours)", "is of frames", "mixture", "pretrained-half"),
            )
        ],
    ),
    "mixture": (
        ["fvd", "kvd"],
        {"mocogan": "134.8", "rjgan": "99.9", "mixture": "115.6"},
        [
            ("RJGAN with half of the videos is better than MoCoGAN", ("mixture", "fvd"), ("mocogan", "fvd")),
            ("RJGAN with half of the videos is worse than with all", ("rjgan", "fvd"), ("mixture", "fvd")),
        ],
    ),
    "table5": (
        ["is", "is everyone", "diversity"],
        {"images": "4.24 ± 0.02", "rjgan": "4.50 ± 0.01"},
        [
            (f"RJGAN makes better images than an image generator{by}", ("images", measure), ("rjgan", measure))
            for measure, by in (("is", ""), ("is everyone", ", by a classifier of everyone (ours)"))
        ],
    ),
    "a6": (
        ["fvd", "kvd", "is", "diversity"],
        {},
        [
            ("residuals to the summary make better videos", ("rjgan", "fvd"), ("previous", "fvd")),
            ("residuals to the summary make more diverse images", ("previous", "diversity"), ("rjgan", "diversity")),
            (
                "without the summary term, too, residuals to the summary make more diverse images (ours)",
                ("previous-alone", "diversity"),
                ("without-summary", "diversity"),
            ),
        ],
    ),
    "precision": (["fvd"], {}, [("bfloat16 makes worse videos (ours)", ("rjgan", "fvd"), ("bf16", "fvd"))]),
    "long": (
        ["fvd", "kvd", "fvd averaged", "fvd blurred", "fvd blurred averaged"],
        {"mocogan": "134.8", "rmocogan": "104.4", "rjgan": "99.9"},
        [
            (sentence + how, (low + recipe, metric), (high + recipe, metric))
            for recipe, metric, how in (
                ("", "fvd", ""),
                ("", "fvd averaged", ", averaged weights (ours)"),
                ("", "fvd blurred averaged", ", averaged weights, blurred (ours)"),
                ("-fast", "fvd averaged", ", preset fast (ours)"),
                ("-fast", "fvd blurred averaged", ", preset fast, blurred (ours)"),
            )
            for sentence, low, high in (
                ("RMoCoGAN is better than MoCoGAN", "rmocogan", "mocogan"),
                ("RJGAN is better than MoCoGAN", "rjgan", "mocogan"),
                ("RJGAN is better than RMoCoGAN", "rjgan", "rmocogan"),
                ("the summary term makes RJGAN better (4.1)", "rjgan", "without-summary"),
                ("RJGAN without the summary term is better than MoCoGAN", "without-summary", "mocogan"),
                ("images first make RJGAN better", "images-first", "rjgan"),
            )
        ],
    ),
    "table6": (
        ["elbo", "iwae", "fvd"],
        {"dsa": "42.3 % of votes", "rjvae": "57.7 % of votes"},
        [
            ("RJVAE has the higher likelihood (ours: the paper asked people)", ("dsa", "iwae"), ("rjvae", "iwae")),
            ("RJVAE makes better videos", ("rjvae", "fvd"), ("dsa", "fvd")),
        ],
    ),
    "disentanglement": (
        LATENTS,
        {},
        [
            (f"{NAMES[v]}: {a} labels stay with the {a}", (v, f"{a} by {b}"), (v, f"{a} by {a}"))
            for a, b in (("motion", "content"), ("content", "motion"))
            for v in ("mocogan", "rmocogan", "dsa")
        ],
    ),
}  # fmt: skip


def spread(values):
    """Mean and standard deviation; None for the deviation of one value."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def welch(low, high):
    """By how much the first sample is lower in the mean than the second, and the standard error of that, or None."""
    (a, s), (b, t) = spread(low), spread(high)
    return b - a, None if s is None or t is None else math.sqrt(s**2 / len(low) + t**2 / len(high))


def verdict(low, high):
    """What two samples say of the claim that the first is lower in the mean: a word, and their difference in words."""
    difference, error = welch(low, high)
    if error is None:
        return "not decided", "one seed decides nothing"
    words = f"difference {abs(difference):.3g}, its standard error {error:.2g}"
    if abs(difference) > 2 * error:
        return "reproduced" if difference > 0 else "not reproduced", words
    squares = statistics.variance(low) + statistics.variance(high)
    seeds = math.ceil(4 * squares / difference**2) if difference else math.inf  # where it is two standard errors
    words = words.replace(",", " as claimed," if difference > 0 else " the other way,", 1)
    return "not decided", f"{words}; needs {seeds if seeds <= 100 else 'more than 100'} seeds a side"


def at_the_end(runs):
    """The runs of each variant that are the longest; the others are earlier points of its curve."""
    last = {}
    for run in runs:
        last[run["variant"]] = max(run["iterations"], last.get(run["variant"], 0))
    return [run for run in runs if run["iterations"] == last[run["variant"]]]


def measured(runs, variant, measure):
    """A measure of every seed of a variant; empty where it was not taken."""
    value, found = MEASURES[measure][2], []
    for run in runs:
        if run["variant"] == variant:
            try:
                found.append(value(run))
            except KeyError:
                return []
    return found


def cell(values, decimals):
    if not values:
        return ""
    mean, deviation = spread(values)
    return f"{mean:.{decimals}f}" + ("" if deviation is None else f" ± {deviation:.{decimals}f}")


def listed(values):
    """Different values, in order of appearance, as words."""
    return ", ".join(map(str, dict.fromkeys(values)))


def conditions(runs):
    """What a reader needs beside the numbers: seeds, settings, N, floors, time."""
    seeds = {}
    for run in runs:
        seeds.setdefault(run["variant"], set()).add(run["seed"])
    most = max(map(len, seeds.values()))
    fewer = [f"{NAMES[variant]}: {len(of)}" for variant, of in seeds.items() if len(of) < most]
    words = [f"{most} seed{'s' * (most > 1)}{' (' * bool(fewer)}{', '.join(fewer)}{')' * bool(fewer)}"]
    words += [f"{listed(run['iterations'] for run in runs)} iterations"]
    words += [f"{listed('{size}x{size}'.format(**run['config']) for run in runs)} pixels"]
    words += [f"{key} {listed(run['config'][key] for run in runs)}" for key in ("width", "batch")]
    minutes = [f"{f(run['seconds'] for run in runs) / 60:.0f}" for f in (min, max)]
    words += [f"{' to '.join(dict.fromkeys(minutes))} min of training per run"]
    text = ", ".join(words)
    if fvds := [run.get("fvd") or run["fvd-averaged"] for run in runs if {"fvd", "fvd-averaged"} & run.keys()]:
        floors = [fvd["floor"] for fvd in fvds if fvd["floor"] is not None]
        text += f". FVD: N = {listed(fvd['n'] for fvd in fvds)}, floor {listed(f'{floor:.1f}' for floor in floors)} "
        resizes = listed(fvd.get("resize", "half-pixel") for fvd in fvds)
        text += f"({listed(fvd['floor_of'] for fvd in fvds)}), resize {resizes}"
    if scores := [run["is"] for run in runs if "is" in run]:
        real = listed(f"{score['real']['is']:.2f}" for score in scores)
        accuracy = listed(f"{score['classifier_accuracy']:.0%}" for score in scores)
        text += f". IS: N = {listed(score['n'] for score in scores)}, of real frames {real}, "
        text += f"accuracy of the classifier on new people {accuracy}"
    if bounds := [run["eval"] for run in runs if "eval" in run]:
        text += f". Bounds: {listed(b['videos'] for b in bounds)} test videos"
    if judge := [run["disentanglement"] for run in runs if "disentanglement" in run]:
        text += f". Judge: N = {listed(j['n'] for j in judge)}"
    return text + "."


def table(result):
    """A table of the paper in Markdown: numbers, conditions, and a verdict on each claim."""
    measures, paper, _ = TABLES[result["table"]]
    runs = result["runs"] if result["table"] == "table3" else at_the_end(result["runs"])
    rows = {}  # by variant, and in Table 3 by the iterations on videos
    for run in runs:
        videos = run["iterations"] - run["config"].get("image_iters", 0)
        rows.setdefault((run["variant"], f", {videos} iterations" * (result["table"] == "table3")), []).append(run)
    measures = [m for m in measures if any(measured(of, v, m) for (v, _), of in rows.items())]
    paper = {variant: number for variant, number in paper.items() if any(variant == v for v, _ in rows)}
    of = {"fvd": " FVD (MUG)", "is": " IS (MUG)"}.get(measures[0], "")
    heads = ["", *(MEASURES[m][0] for m in measures), *[f"the paper's{of}"] * bool(paper)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for (variant, when), of in rows.items():
        cells = [cell(measured(of, variant, m), MEASURES[m][1]) for m in measures]
        number = paper.get(variant, "") if of[0] in at_the_end(runs) else ""  # the paper's are of the end
        lines += ["| " + " | ".join([NAMES[variant] + when, *cells, *[number] * bool(paper)]) + " |"]
    claims = [f"- {sentence}: **{word}** ({difference})." for sentence, word, difference in judge_claims(result)]
    return "\n".join([*lines, "", conditions(runs), "", *(matrix(result) if result["table"] == "long" else claims)])


def matrix(result):
    """The claims of target long, by recipe and by measure, as a table in Markdown."""
    claims, found = {}, at_the_end(result["runs"])
    for sentence, *sides in TABLES["long"][2]:
        low, high = (measured(found, *side) for side in sides)
        claim, _, how = sentence.removesuffix(" (ours)").partition(", ")
        if low and high:
            (difference, error), (word, _) = welch(low, high), verdict(low, high)
            mark = {"reproduced": "**yes** ", "not reproduced": "**no** "}.get(word, "")
            error = "" if error is None else f" ± {error:.2g}"
            claims.setdefault(claim, {})[how or "as trained"] = f"{mark}{difference:.3g}{error}"
    hows = list(dict.fromkeys(how for row in claims.values() for how in row))
    lines = ["Difference ± its standard error, positive as claimed; **yes** or **no** beyond two standard errors:", ""]
    lines += ["| claim | " + " | ".join(hows) + " |", "|---" * (1 + len(hows)) + "|"]
    lines += [
        f"| {claim[0].upper()}{claim[1:]} | {' | '.join(row.get(how, '') for how in hows)} |"
        for claim, row in claims.items()
    ]
    return lines


def judge_claims(result):
    """[(sentence, verdict, difference in words)] of the claims of a table that its runs can judge."""
    found = []
    for sentence, *sides in TABLES[result["table"]][2]:
        low, high = (measured(at_the_end(result["runs"]), *side) for side in sides)
        if low and high:
            word, difference = verdict(low, high)
            if "(ours" in sentence:
                word = {"reproduced": "true", "not reproduced": "false"}.get(word, word)
            found.append((sentence[0].upper() + sentence[1:], word, difference))
    return found


def read(results, name):
    """A result by its name, +more included; None where there is none."""
    name, _, more = name.partition("+")
    files = [results / f"{name}.json", *[results / f"{name}-{more}.json"] * bool(more)]
    if not all(file.exists() for file in files):
        return None
    result, *others = (json.loads(file.read_text()) for file in files)
    for other in others:
        result["runs"] += other["runs"]
    if "runs" in result:  # models as NAMES has them, seeds as they came
        result["runs"].sort(key=lambda run: list(NAMES).index(run["variant"]))
    return result


def verdicts(results, preset="quick"):
    """The paper's claims as a table in Markdown. More seeds or longer runs with another verdict have their own row."""
    lines = ["| | the paper's claim | measured | verdict |", "|---|---|---|---|"]
    for name, title in SECTIONS.items():
        link = f"[{title}](#{title.lower().replace(' ', '-').replace('.', '')})"
        for of, where in (("faces", link), ("weizmann", "Weizmann"), ("sprites", "Sprites")):
            first, more = (read(results, f"{name}-{of}-{preset}{added}") for added in ("", "+more"))
            others = [("with more seeds", more)]
            if name == "table2":
                others += [("in longer runs", read(results, f"long-{of}-minutes"))]
                others += [("in the longest runs", read(results, f"long-{of}-hour"))]
            others = [(how, {claim: rest for claim, *rest in judge_claims(result)}) for how, result in others if result]
            for sentence, word, difference in judge_claims(first) if first else ():
                if "(ours" in sentence:
                    continue
                lines += [f"| {where} | {sentence} | {difference} | {word} |"]
                for how, again in others:
                    if again.get(sentence, [word])[0] != word:
                        word, difference = again[sentence]
                        lines += [f"|  | the same, {how} | {difference} | {word} |"]
                where = ""
    return "\n".join(lines)


def headline(results):
    """The GANs by the paper's recipe (weights as trained) and by preset fast (averaged), as README shows them."""
    if (result := read(results, "long-faces-minutes")) is None:
        return "Not run yet."
    lines = ["| FVD ↓ | the paper's recipe, 5000 iterations | preset fast, 2500 | the paper: MUG, 64x64, 100,000 |"]
    lines += ["|---|---|---|---|"]
    for variant, paper in TABLES["long"][1].items():
        sides = (variant, "fvd"), (f"{variant}-fast", "fvd averaged")
        cells = [cell(measured(result["runs"], *side), 1) for side in sides]
        lines += [f"| {NAMES[variant]} | {' | '.join(cells)} | {paper} |"] * any(cells)
    floor = f"{next(run['fvd']['floor'] for run in result['runs'] if 'fvd' in run):.1f}"
    return "\n".join([*lines, f"| real clips (the floor) | {floor} | {floor} |  |"])


def diversities(result):
    """What diversity.py found as a table in Markdown, a cell over seeds; late: in the frames 49 to 64."""
    keys = [late + key for key in ("spread", "closest", "step") for late in ("", "late ")]
    lines = ["| | videos apart | late | closest | late | step | late |", "|---" * 7 + "|"]
    rows = {"real clips": [result["real"]]}
    for run in [run for run in result if run not in ("n", "real")]:
        variant = Path(run).parent.name.rpartition("-")[0]
        rows.setdefault(f"{NAMES[variant]}, {result[run]['iteration']} iterations", []).append(result[run])
    for title, of in rows.items():
        cells = [cell([row[key] for row in of if key in row], 3 if "step" in key else 2) for key in keys]
        lines += [f"| {title} | {' | '.join(cells)} |"]
    return "\n".join(lines)


def curves(result):
    """FVD against iterations: the Markdown of its picture and conditions."""
    name = f"curves-{result['data']}-{result['preset']}"
    return f"![FVD against iterations](img/{name}.png)\n\nMean and deviation: {conditions(result['runs'])}"


def draw_curves(result, path, digest):
    """The picture; `digest` says what it was drawn from, so that a stale one can be told."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    metric = "fvd-averaged" if result["table"] == "long" else "fvd"
    for variant in dict.fromkeys(run["variant"] for run in result["runs"]):
        runs = [run for run in result["runs"] if run["variant"] == variant]
        iterations = sorted({run["iterations"] for run in runs})
        points = [spread([run[metric]["fvd"] for run in runs if run["iterations"] == i]) for i in iterations]
        mean, deviation = [m for m, _ in points], [s or 0 for _, s in points]
        line = {"linestyle": "--" if variant.endswith("-fast") else "-", "marker": "o", "markersize": 3, "capsize": 3}
        axes.errorbar(iterations, mean, deviation, label=NAMES[variant], **line)
    for size, floor in {run["config"]["size"]: run[metric]["floor"] for run in result["runs"]}.items():
        axes.axhline(floor, color="grey", linestyle=":", label=f"floor, {size}x{size} pixels")
    axes.set(xlabel="iteration", ylabel="FVD", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120, metadata={"Description": digest})


def plots(results, docs):
    """[(path, digest, result, draw)] of the pictures that go with the results."""
    found = []
    drawn = {"curves-*.json": draw_curves, "long-*-hour.json": draw_curves, "speed-growth-*.json": speed.draw_growth}
    for pattern, draw in drawn.items():
        for file in sorted(results.glob(pattern)):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            found.append((docs / "img" / f"{file.stem}.png", digest, json.loads(file.read_text()), draw))
    return found


def figures(docs):
    """The paper's figures, and those of ours that are there, as a table in Markdown."""
    lines = ["| of the paper | what it shows | ours |", "|---|---|---|"]
    for name, (number, shown, *_) in FIGURES.items():
        files = sorted((docs / "figures").glob(f"{name}-*.png"))
        links = [f"[{file.stem.removeprefix(name + '-')}](figures/{file.name})" for file in files]
        lines += [f"| {number} | {shown} | {', '.join(links) or 'not run yet'} |"]
    return "\n".join(lines)


def render(text, results, docs=DOCS):
    """The text of a page with every marked section anew."""

    def content(name):
        if name == "verdicts":
            return verdicts(results)
        if name == "headline":
            return headline(results)
        if name == "figures":
            return figures(docs)
        if name == "speed":
            measured = [json.loads(path.read_text()) for path in sorted(results.glob("speed-*.json"))]
            measured = [result for result in measured if "own" in result]
            on = listed("{machine}, {threads} threads, torch {torch}".format(**result) for result in measured)
            return f"{speed.speed_table(measured)}\n\nOn {on}."
        result = read(results, name)
        if result is None:
            return "Not run yet."
        if name.startswith("diversity"):
            return diversities(result)
        return curves(result) if result["table"] == "curves" else table(result)

    def section(match):
        return f"<!-- {match[1]} -->\n{content(match[1])}\n<!-- /{match[1]} -->"

    return re.sub(r"<!-- (\S+) -->\n.*?<!-- /\1 -->", section, text, flags=re.DOTALL)


def drawn_from(path):
    """The digest that a picture carries, or None."""
    from PIL import Image

    return Image.open(path).info.get("Description") if path.exists() else None


def main(argv=None):
    check = "--check" in (sys.argv[1:] if argv is None else argv)
    pages = {page: render(page.read_text(), RESULTS) for page in PAGES}
    stale = [page for page, text in pages.items() if text != page.read_text()]
    pictures = [(path, *rest) for path, *rest in plots(RESULTS, DOCS) if drawn_from(path) != rest[0]]
    stale += [path for path, *_ in pictures]
    if not check:
        for page, text in pages.items():
            page.write_text(text)
        for path, digest, result, draw in pictures:
            draw(result, path, digest)
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is stale: python benchmarks/render.py' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
