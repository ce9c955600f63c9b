"""What the paper leaves open about its GANs: each question is a change of a few lines, trained and scored.

    python benchmarks/questions.py --seeds 0 1 2 --json docs/results/questions-faces.json
    python benchmarks/questions.py --preset fast --variants rjgan-2019 --stops 4300 --n 256 --json fast.json

mocogan, rmocogan, rjgan    as they are, to compare with
mocogan-zero                h(0) = 0, as A.2 and A.3 have it for the other two
rmocogan-drawn              h(0) ~ N(0, I), as MoCoGAN has it
rmocogan-flat               the last layer of NN_delta begins at zero: no content residual at the start
rmocogan-wide               BatchNorm in NN_delta sees 256 videos more while it trains
rjgan-2019                  the first weights of the torch of 2019: BatchNorm's scales from U(0, 1), and transposed
                            convolutions scaled by their input channels

A row has FVD of the averaged weights at the last stop, and of RMoCoGAN at every stop what its residuals do
(diversity.py). What was measured is not measured again; a run that was stopped begins anew.
"""

import argparse
import importlib
import itertools
import json
import math
import sys
from pathlib import Path
from unittest.mock import patch

import torch
from diversity import residuals
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import data  # noqa: E402
import metrics  # noqa: E402
import mocogan  # noqa: E402
import rjgan  # noqa: E402
import rmocogan  # noqa: E402

MORE = 256  # videos that BatchNorm sees beside those of the batch


class Zero(mocogan.Latents):
    """h(0) = 0."""

    def draw(self, n, frames, rng):
        z_C, eps = super().draw(n, frames, rng)
        eps[:, 0] = 0
        return z_C, eps


class Drawn(rmocogan.Latents):
    """h(0) ~ N(0, I), drawn as MoCoGAN does, in front of eps."""

    def draw(self, n, frames, rng):
        return super().draw(n, frames + 1, rng)

    def forward(self, z_C, eps):
        h0 = eps[:, 0][None].contiguous()
        with self.gru.register_forward_pre_hook(lambda gru, args: (*args, h0)):
            return super().forward(z_C, eps[:, 1:])


class Wide(rmocogan.Latents):
    """NN_delta's BatchNorm sees MORE other videos."""

    def forward(self, z_C, eps):
        if not self.training:
            return super().forward(z_C, eps)
        others = self.draw(MORE, eps.shape[1], torch.default_generator)
        z = super().forward(*(torch.cat([a, b]) for a, b in zip((z_C, eps), others, strict=True)))
        return z[: len(z_C)]


def build_flat(args, build=rmocogan.build):
    nets = build(args)
    nn.init.zeros_(nets["R_M"].mlp[-1].weight)
    nn.init.zeros_(nets["R_M"].mlp[-1].bias)
    return nets


def build_2019(args, build=rjgan.build):
    nets = build(args)
    for layer in nets.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(layer.weight)
        if isinstance(layer, nn.ConvTranspose2d):
            bound = 1 / math.sqrt(layer.in_channels * math.prod(layer.kernel_size))
            nn.init.uniform_(layer.weight, -bound, bound)
    return nets


CHANGES = {  # what stands in for what in the model's file
    "mocogan": {},
    "rmocogan": {},
    "rjgan": {},
    "mocogan-zero": {"Latents": Zero},
    "rmocogan-drawn": {"Latents": Drawn},
    "rmocogan-flat": {"build": build_flat},
    "rmocogan-wide": {"Latents": Wide},
    "rjgan-2019": {"build": build_2019},
}


def measure(variant, seed, args):
    """Train a variant through the stops; what is known of it: a row."""
    model = importlib.import_module(variant.split("-")[0])
    run = args.runs / args.preset / f"{variant}-{seed}"
    row = {"variant": variant, "seed": seed, "iterations": args.stops[-1]}
    with patch.dict(vars(model), CHANGES[variant]):
        for stop in args.stops:
            fresh = f"--data {args.data} --data-root {args.data_root} --size 32 --width {args.width} --batch 8"
            fresh = f"{fresh} --preset {args.preset} --seed {seed} --device cpu --sample-every {args.stops[-1]}".split()
            start = [*fresh, "--overwrite"] if stop == args.stops[0] else ["--resume"]
            model.train(model.parse_args([*start, "--out", str(run), "--iters", str(stop)]))
            if model is rmocogan:
                row.setdefault("residuals", {})[stop] = residuals(*rmocogan.load_run(run, raw=True))
    result = metrics.evaluate_fvd(run, n=args.n)
    return row | {name: round(result[name], 1) for name in ("fvd", "floor")}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--variants", nargs="+", choices=CHANGES, default=list(CHANGES), help="what to train (default all)")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    add("--stops", type=int, nargs="+", default=[250, 500, 1000, 2000], help="iterations (250 500 1000 2000)")
    add("--preset", choices=["paper", "fast"], default="paper", help="of the other settings (default paper)")
    add("--width", type=int, default=16, help="base channel count (default 16)")
    add("--n", type=int, default=128, help="clips of FVD (default 128)")
    add("--data", default="faces", help="data set (default faces)")
    add("--data-root", default="data", help="folder of the data sets (default data)")
    add("--runs", type=Path, default=Path("runs/questions"), help="folder of the runs (default runs/questions)")
    add("--json", type=Path, required=True, help="where the numbers are kept; what is there is not measured again")
    args = parser.parse_args(argv)
    made = {"data": args.data, "preset": args.preset, "size": 32, "width": args.width, "batch": 8, "n": args.n}
    kept = json.loads(args.json.read_text()) if args.json.exists() else made | {"rows": []}
    if other := {key: kept[key] for key in made if kept[key] != made[key]}:
        parser.error(f"the numbers in {args.json} are of {other}: give another file")
    rows = kept["rows"]
    known = {(row["variant"], row["seed"]) for row in rows}
    for seed, variant in itertools.product(args.seeds, args.variants):
        if (variant, seed) in known:
            continue
        try:
            rows.append(measure(variant, seed, args))
        except (data.UserError, OSError) as error:
            data.fail("questions", error)
        print(rows[-1], flush=True)
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
