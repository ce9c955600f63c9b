"""Has a GAN collapsed, does it drift: how far apart its videos are, and their frames, at 16 frames and at 64.

    python benchmarks/diversity.py runs/rjgan-faces runs/mocogan-faces --json diversity.json

All numbers are root mean squares over pixels in [-1, 1]. Of N videos (a model's, of 64 frames, and real clips):

    spread     between the frames t = 8 of two videos, averaged over all pairs: near 0 if all videos are one
    closest    its quantile 0.01: near 0 if many videos are the same
    step       between two frames in a row: 0 if nothing moves
    late ...   the same in the frames 49 to 64, which no training saw: the same numbers if nothing drifts
    away ...   (RJGAN) between the summary frame and frame 1, frame 16: how far a video leaves its mu

And of the residuals delta_C of RMoCoGAN, over 1024 videos:

    rank       effective rank of z_C + delta_C, at most 50: low if many contents are made one
    between    deviation of delta_C over videos; that of z_C is 1
    within     its deviation from frame to frame of a video
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import data  # noqa: E402


def rms(x):
    """Root mean square over all but the first dimension: (B,)."""
    return x.flatten(1).square().mean(1).sqrt()


def diversity(videos):
    """Of videos (N, T, C, H, W), spread, closest and step, as the module's docstring says."""
    frames = videos[:, videos.shape[1] // 2].flatten(1)
    apart = torch.pdist(frames) / frames.shape[1] ** 0.5
    step = rms((videos[:, 1:] - videos[:, :-1]).flatten(0, 1)).mean()
    values = {"spread": apart.mean(), "closest": apart.quantile(0.01), "step": step}
    return {name: round(value.item(), 4) for name, value in values.items()}


@torch.no_grad()
def residuals(config, nets):
    """rank, between and within of RMoCoGAN, as the module's docstring says."""
    z_C, eps = nets["R_M"].draw(1024, config["frames"], data.seeded(0))
    content = nets["R_M"](z_C, eps)[..., : z_C.shape[1]]
    delta = content - z_C[:, None]
    share = torch.linalg.eigvalsh(content[:, 0].T.cov())
    share = (share / share.sum()).clamp(min=1e-12)
    rank = (-(share * share.log()).sum()).exp()
    values = {"rank": rank, "between": delta.mean(1).std(0).mean(), "within": delta.std(1).mean()}
    return {name: round(value.item(), 4) for name, value in values.items()}


def measure(runs, n, raw=False):
    """{"real": diversity of n real clips, run: of n videos of a run}; UserError or OSError where it is no run."""
    rows = {}
    for run in runs:
        config = json.loads((Path(run) / "config.json").read_text())
        model = importlib.import_module(config["model"])
        config, nets = model.load_run(run, raw=raw)
        if "real" not in rows:
            real = data.load(config["data"], config["data_root"], config["size"], "all").at_least(31)
            rows["real"] = diversity(real.clips(n, 16, config["stride"], data.seeded(0)))
        drawn = model.sample(nets, n, 64, data.seeded(0))
        videos = drawn["videos"]
        late = {f"late {name}": value for name, value in diversity(videos[:, 48:]).items()}
        rows[run] = {"iteration": config["iteration"]} | diversity(videos[:, :16]) | late
        if config["model"] == "rjgan":
            away = {f"away {t}": rms(videos[:, t - 1] - drawn["images"]).mean().item() for t in (1, 16)}
            rows[run] |= {name: round(value, 4) for name, value in away.items()}
        if config["model"] == "rmocogan":
            rows[run] |= residuals(config, nets)
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run directories of the GAN files, of one data set")
    parser.add_argument("--n", type=int, default=128, metavar="N", help="videos of each (default 128)")
    parser.add_argument("--raw", action="store_true", help="the weights as trained, not their average")
    parser.add_argument("--json", metavar="PATH", help="write the numbers there")
    args = parser.parse_args(argv)
    try:
        rows = measure(args.runs, args.n, args.raw)
    except (data.UserError, OSError) as error:
        data.fail("diversity", error)
    names = dict.fromkeys(name for row in rows.values() for name in row)
    print(f"{'':40}" + "".join(f"{name:>14}" for name in names))
    for run, row in rows.items():
        print(f"{run[-40:]:40}" + "".join(f"{row.get(name, ''):>14}" for name in names))
    if args.json:
        Path(args.json).write_text(json.dumps({"n": args.n} | rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
