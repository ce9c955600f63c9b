"""What the recipe of today does in a few core-minutes: preset fast against the paper's recipe, and without each part.

    python benchmarks/quality.py --iters 1800 --paper-iters 2800 --json quality.json
    python benchmarks/quality.py --iters 1800 --paper-iters 2800 --recipes no-penalty --json ablation.json
    python benchmarks/quality.py --iters 4300 --paper-iters 2800 --recipes images-first --json ablation.json

Each run trains on one thread, stops at shares of its iterations, and is scored there: FVD, blurred FVD (all clips at
half the size and back) and the Inception Score of frames and of images, of averaged and, for the paper's recipe, of raw
weights. FVD itself only of whole recipes: it differs too much from seed to seed to tell parts apart. core_seconds is
the time on the processor of all training commands so far. What was measured is not measured again; a run that was
killed before its first stop begins anew; after it, it goes on, and lacks the time of the killed command.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import data  # noqa: E402
import metrics  # noqa: E402

FAST = "--preset fast"
RECIPES = {  # the flags of rjgan.py
    "paper": "--size {size} --width 16 --batch 8 --iters {paper_iters}",
    "fast": FAST,
    "images-first": f"{FAST} --image-iters 2500",
    "no-penalty": f"{FAST} --penalty 0",
    "batch-norm": f"{FAST} --batch-norm on",
    "transposed": f"{FAST} --upsample transposed",
    "narrow-images": f"{FAST} --image-width 16",
    "half-clips": f"{FAST} --clip-size 16",
    "open-gate": f"{FAST} --gate-bias 0",
}
WHOLE = {  # by recipe and raw weights or not: the name and the colour in the plot
    ("fast", False): ("preset fast", "#0072B2"),
    ("paper", False): ("the paper's recipe, averaged", "#D55E00"),
    ("paper", True): ("the paper's recipe, as trained", "#E69F00"),
}


def run(*words):
    """A command of the project on one thread; its seconds on the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words)]
    if subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL).returncode:
        sys.exit(f"quality.py: error: this failed, as said above: python {' '.join(command[1:])}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def score(out, n, raw, blurs):
    """{metric: value} of a run: FVD of n clips, plain and blurred, their floors, the Inception Score of frames."""
    more, found = ["--raw"] if raw else [], {}
    for blur in blurs:
        run("metrics.py", "fvd", out, "--n", n, *blur, *more)
        result = json.loads((out / f"fvd{'-raw' * raw}{'-blur' * bool(blur)}.json").read_text())
        found |= {"blurred" if blur else "fvd": result["fvd"], "blurred_floor" if blur else "floor": result["floor"]}
    run("metrics.py", "is", out, *more)
    result = json.loads((out / f"is{'-raw' * raw}.json").read_text())
    return found | {"is": result["frames"]["is"], "is_images": result["is"], "is_real": result["real"]["is"]}


def plot(rows, path):
    """Draw the three metrics of every run against the time of its training; dashed: real clips.

    The time is told in iterations of the paper's recipe, since machines differ: core_seconds by `pace`, the
    core-seconds of one such iteration on the machine of the row; rows without are of the machine of the paper's.
    """
    from matplotlib.figure import Figure

    own = [row for row in rows if row["recipe"] == "paper" and "pace" not in row]
    pace = np.median([row["core_seconds"] / row["iterations"] for row in own])
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    titles = {"fvd": "FVD", "blurred": "blurred FVD", "is": "Inception Score of frames"}
    real = {"fvd": "floor", "blurred": "blurred_floor", "is": "is_real"}
    for axes, (metric, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        for key, (name, colour) in WHOLE.items():
            points = [row for row in rows if (row["recipe"], row["raw"]) == key and metric in row]
            times = [row["core_seconds"] / row.get("pace", pace) for row in points]
            axes.plot(times, [row[metric] for row in points], "o", color=colour, label=name)
        axes.axhline(rows[0][real[metric]], color="grey", ls="--")
        axes.set(title=title, xlabel="time, in iterations of the paper's recipe", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=100)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--recipes", nargs="+", choices=RECIPES, default=["paper", "fast"], help="what to train (default paper fast)")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the runs (default 0 1 2)")
    add("--shares", type=float, nargs="+", default=[0.5, 1.0], help="of the iterations, where to score (0.5 1)")
    add("--iters", type=int, required=True, help="of preset fast, and of all but the paper's recipe")
    add("--paper-iters", type=int, required=True, help="of the paper's recipe: as many as take the same time")
    add("--size", type=int, default=32, help="pixels of a frame's side (default 32)")
    add("--n", type=int, default=256, help="clips of FVD (default 256)")
    add("--data", default="faces", help="data set (default faces)")
    add("--data-root", default="data", help="folder of the data sets (default data)")
    add("--runs", type=Path, default=Path("runs/quality"), help="folder of the runs (default runs/quality)")
    add("--json", type=Path, required=True, help="where the numbers are kept; what is there is not measured again")
    add("--plot", type=Path, help="a picture of the numbers of whole recipes")
    args = parser.parse_args(argv)
    made = {"data": args.data, "size": args.size, "n": args.n}
    kept = json.loads(args.json.read_text()) if args.json.exists() else made | {"recipes": {}, "rows": []}
    if other := {key: kept[key] for key in made if kept[key] != made[key]}:
        parser.error(f"the numbers in {args.json} are of {other}: give another file")
    rows, kept["recipes"] = kept["rows"], kept["recipes"] | RECIPES
    label = metrics.motion_label(data.load(args.data, args.data_root, args.size))
    reader = metrics.reader_path(args.data_root, "classifier", args.data, args.size, label)
    for seed in args.seeds:
        for recipe in args.recipes:
            iters = args.paper_iters if recipe == "paper" else args.iters
            flags = RECIPES[recipe].format(size=args.size, paper_iters=iters).split()
            flags += ["--size", args.size, "--data", args.data, "--data-root", args.data_root, "--seed", seed]
            out, spent = args.runs.absolute() / args.data / f"{recipe}-{seed}", 0.0
            for stop in [round(share * iters) for share in args.shares]:
                done = [row for row in rows if (row["recipe"], row["seed"], row["iterations"]) == (recipe, seed, stop)]
                if done:
                    spent = done[0]["core_seconds"]
                    continue
                if not reader.exists():  # the Inception Score asks for it
                    run("metrics.py", "train-classifier", args.data, "--size", args.size, "--data-root", args.data_root)
                start = ["--resume"] if spent else [*flags, "--overwrite", "--sample-every", iters, "--device", "cpu"]
                spent += run("rjgan.py", *start, "--iters", stop, "--out", out)
                for raw in (False, True) if recipe == "paper" else (False,):
                    row = {"recipe": recipe, "seed": seed, "iterations": stop, "raw": raw}
                    blurs = ([], ["--blur"]) if (recipe, raw) in WHOLE else (["--blur"],)
                    rows.append(row | {"core_seconds": round(spent, 1)} | score(out, args.n, raw, blurs))
                    print(rows[-1], flush=True)
                args.json.parent.mkdir(parents=True, exist_ok=True)
                args.json.write_text(json.dumps(kept, indent=1) + "\n")
    for recipe, raw, stop in sorted({(row["recipe"], row["raw"], row["iterations"]) for row in rows}):
        of = [row for row in rows if (row["recipe"], row["raw"], row["iterations"]) == (recipe, raw, stop)]
        print(f"{recipe}{' raw' * raw} at {stop}, {len(of)} seeds: median, mean and deviation", end="")
        for metric in [key for key in ("core_seconds", "fvd", "blurred", "is") if key in of[0]]:
            found = [row[metric] for row in of]
            spread = f" ± {np.std(found, ddof=1):.2f}" if len(found) > 1 else ""
            print(f"  {metric} {np.median(found):.2f}, {np.mean(found):.2f}{spread}", end="")
        print()
    if args.plot:
        plot(rows, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
