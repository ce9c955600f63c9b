"""Gather what was measured of many runs into one JSON, and into the published one, whose other runs stay.

    python benchmarks/collect.py PRESET/DATA/TABLE.json PUBLISHED.json RUN.METRIC.json ...

RUN is .../VARIANT-SEED/ITERATIONS. A run's entry: variant, seed, iterations, config (its flags), seconds of training
(by its log.csv), and under the name of each metric all that metrics.py wrote, versions and N included. Paths are left
out: they say where something was computed, not what.
"""

import csv
import json
import sys
from pathlib import Path

PATHS = {"out", "data_root", "init", "images", "run", "fake", "real"}
ONCE = {"resume", "overwrite", "sample", "eval", "eval_videos", "raw", "log_every", "sample_every", "save_every"}


def seconds(run):
    """Seconds of training by the clock, pauses and saving included; log.csv has the speed since the row before.

    What was done again after a kill counts once.
    """
    with open(run / "log.csv", newline="") as file:
        rows = [(int(row["iteration"]), float(row["it_per_s"])) for row in csv.DictReader(file)]
    firsts = [0, *(iteration for iteration, _ in rows)]
    return sum((last - first) / speed for first, (last, speed) in zip(firsts, rows, strict=False))


def collect(files):
    """The runs of some metric files, a dict each, in the order of the files."""
    runs = {}
    for file in map(Path, files):
        iterations, metric = file.name.split(".")[:2]
        run = file.parent / iterations
        variant, _, seed = file.parent.name.rpartition("-")
        if run not in runs:
            config = json.loads((run / "config.json").read_text())
            config = {key: value for key, value in config.items() if key not in PATHS | ONCE}
            runs[run] = {"variant": variant, "seed": int(seed), "iterations": int(iterations), "config": config}
            runs[run]["seconds"] = round(seconds(run), 1)
        result = json.loads(file.read_text())
        runs[run][metric] = {k: v for k, v in result.items() if k not in PATHS or isinstance(v, dict)}
    return list(runs.values())


def main(out, published, *files):
    """Write both files: `out` has the runs of `files`, `published` those and the ones that it already had."""
    runs = collect(files)
    preset, data, table = Path(out).with_suffix("").parts[-3:]
    result = {"table": table, "data": data, "preset": preset}
    Path(out).write_text(json.dumps(result | {"runs": runs}, indent=1) + "\n")
    if Path(published).exists():  # seeds of another day
        known = [(run["variant"], run["seed"], run["iterations"]) for run in runs]
        earlier = json.loads(Path(published).read_text())["runs"]
        runs = runs + [run for run in earlier if (run["variant"], run["seed"], run["iterations"]) not in known]
    Path(published).parent.mkdir(parents=True, exist_ok=True)
    Path(published).write_text(json.dumps(result | {"runs": runs}, indent=1) + "\n")
    print(f"{published}: {len(runs)} runs")


if __name__ == "__main__":
    main(*sys.argv[1:])
