"""What an FVD is made of: FVD of a GAN's videos, and of real ones, with one thing about them changed at a time.

python benchmarks/probe.py runs/mocogan-faces runs/rjgan-faces --n 128 --json probe.json

sampled        as they are, for comparison; of real clips: N others, so the floor
blurred        at half the size and back, and the real clips that they are compared with, too: without fine detail
smooth         at half the size and back, the real clips that they are compared with not
recoloured     each channel with the mean and the deviation that it has in a real clip
frozen         the first frame, T times: without motion
noisy          (real clips) with Gaussian noise of standard deviation 0.1: with nothing wrong but fine detail
summary        (RJGAN) the summary frame, T times: mu without residuals
half           (RJGAN) with half of each residual
late           frames T + 1 to 2 T of a video: after the GRU has left its initial state
batch          BatchNorm uses the statistics of 8 videos, as in training, instead of its running averages
recalibrated   those of G_I are taken anew, over 32 batches of 32 videos
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import data  # noqa: E402
import metrics  # noqa: E402


def frozen(clips):
    return clips[:, :1].expand_as(clips)


def recoloured(clips, like):
    """Clips (N, T, C, H, W), each channel of each with the mean and the deviation that it has in `like`."""
    dims = {"dim": (1, 3, 4), "keepdim": True}
    return (clips - clips.mean(**dims)) / clips.std(**dims) * like.std(**dims) + like.mean(**dims)


def shrunk(latents, scale):
    """Let R_M give mu + scale * delta(t)."""
    forward = latents.forward
    latents.forward = lambda mu, motion: mu[:, None] + scale * (forward(mu, motion) - mu[:, None])


def recalibrate(nets, args, generator):
    """Take G_I's running averages anew, each batch counting alike."""
    norms = [layer for layer in nets["G_I"].modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for _ in range(32):
        nets["G_I"](nets["R_M"](*nets["R_M"].draw(32, args["frames"], generator)))
    nets["G_I"].eval()


@torch.no_grad()
def variants(run, n, real, raw=False):
    """{name: its n videos, (N, T, C, H, W)} of a run; `batch` and `late` have other noise than the rest."""
    config = metrics.read_config(run)
    model, T = importlib.import_module(config["model"]), config["frames"]

    def sample(change=lambda nets: None, frames=T, at_once=32):
        nets, generator = model.load_run(run, raw=raw)[1], data.seeded(0)
        change(nets)
        parts = [model.sample(nets, min(at_once, n - i), frames, generator) for i in range(0, n, at_once)]
        return {key: torch.cat([part[key] for part in parts]) for key in ("videos", "images")}

    drawn = sample()
    soft = metrics.blurred(drawn["videos"])
    made = {"sampled": drawn["videos"], "blurred": soft, "smooth": soft, "frozen": frozen(drawn["videos"])}
    made["recoloured"] = recoloured(drawn["videos"], real)
    if config["model"] == "rjgan":
        made["summary"] = drawn["images"][:, None].expand_as(drawn["videos"])
        made["half"] = sample(lambda nets: shrunk(nets["R_M"], 0.5))["videos"]
    made["late"] = sample(frames=2 * T)["videos"][:, T:]
    made["batch"] = sample(lambda nets: nets.train(), at_once=8)["videos"]
    made["recalibrated"] = sample(lambda nets: recalibrate(nets, config, data.seeded(1)))["videos"]
    return made


def probe(runs, n, only=None, resize=metrics.RESIZES[0], raw=False):
    """{"real" or a run's path: {name: FVD}}, of all changes or `only` some; UserError or OSError where it is no run."""

    def features(clips, name, cache=None):
        return metrics.features(clips, net, cache, name, resize)

    config, net = metrics.read_config(runs[0]), metrics.load_i3d()
    videos = data.load(config["data"], config["data_root"], config["size"], "all")
    clips = metrics.draw_clips(videos, 2 * n, config["frames"], config["stride"], 0)[0]
    sharp, floor = features(clips, "real", metrics.CACHE).split(n)  # kept by `metrics.py fvd`: at no cost
    real, others = data.to_float(clips[:n]), data.to_float(clips[n:])
    soft = features(metrics.blurred(real), "real", metrics.CACHE) if not only or "blurred" in only else None
    noise = 0.1 * torch.randn(others.shape, generator=torch.Generator().manual_seed(0))
    made = {"noisy": others + noise, "smooth": metrics.blurred(others), "frozen": frozen(others)}
    made |= {"blurred": made["smooth"], "recoloured": recoloured(others, real)}

    def distances(made):
        row = {}
        for name in made if only is None else [name for name in made if name in only]:
            x = features(made[name].clamp(-1, 1), name)
            row[name] = round(metrics.frechet_distance(soft if name == "blurred" else sharp, x), 1)
            print(name, row[name], flush=True)
        return row

    of_real = {"sampled": round(metrics.frechet_distance(sharp, floor), 1)} | distances(made)
    return {"real": of_real} | {run: distances(variants(run, n, real, raw)) for run in runs}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run directories of the GAN files, of one data set")
    parser.add_argument("--n", type=data.number(int, 2), default=128, metavar="N", help="videos of each (default 128)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these changes alone (default all)")
    parser.add_argument("--resize", choices=metrics.RESIZES, default=metrics.RESIZES[0], help="as in metrics.py fvd")
    parser.add_argument("--raw", action="store_true", help="the weights as trained, not their average")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the numbers there, beside those it has")
    args = parser.parse_args(argv)
    had = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    made = {"n": args.n, "resize": args.resize, "raw": args.raw}
    try:
        if had and made != (was := {key: had[key] for key in made}):
            raise data.UserError(f"the numbers in {args.json} are of {was}, and those asked for of {made}")
        rows = probe(args.runs, args.n, args.only, args.resize, args.raw)
    except (data.UserError, OSError) as error:
        data.fail("probe", error)
    for run, row in rows.items():
        print(f"{run}\n   " + ", ".join(f"{name} {fvd}" for name, fvd in row.items()))
    if args.json:
        rows = {run: had.get(run, {}) | row for run, row in rows.items()}
        args.json.write_text(json.dumps(had | made | rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
