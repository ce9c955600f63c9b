"""What RJVAE's decoder makes of mu alone, and of mu with what all residuals share, which is the summary frame.

    python benchmarks/offset.py pretrained/rjvae-faces docs/img/rjvae-offset.png docs/results/rjvae-offset.json

Rows of the picture, eight videos from the prior: G_I(mu); the summary frame; the first frame; the last. Numbers, over
64 test videos: the norms of mu, of a residual and of what they share; and how far G_I(mu) and the summary frame are
from the mean of the video's frames (root mean square over pixels in [-1, 1]).
"""

import argparse
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import data  # noqa: E402
import rjvae  # noqa: E402


@torch.no_grad()
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    for name in ("run", "picture", "json"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args(argv)
    try:
        config, nets = rjvae.load_run(args.run)
        videos = data.load(config["data"], config["data_root"], config["size"], "test")
    except (data.UserError, OSError) as error:
        data.fail("offset", error)
    generator = data.seeded(0)
    x = videos.clips(64, config["frames"], config["stride"], generator)
    mu, delta = rjvae.infer(nets, x, generator).values()
    shared, frames = nets["Prior"].shared(), nets["Decoder"](rjvae.latents(mu, delta))
    norms = {"mu": mu.norm(dim=1).mean(), "delta": delta.norm(dim=2).mean(), "shared": shared.norm()}
    for name, z in (("mu alone", mu), ("summary", mu + shared)):
        norms[name] = (nets["Decoder"](z) - frames.mean(1)).square().mean().sqrt()
    report = {"data": config["data"], "videos": len(x), "iteration": config["iteration"]}
    report |= {name: round(value.item(), 3) for name, value in norms.items()}
    args.json.write_text(json.dumps(report, indent=2) + "\n")
    print(report)
    drawn = rjvae.sample(nets, 8, config["frames"], data.seeded(0))
    rows = [nets["Decoder"](drawn["content"]), drawn["images"], drawn["videos"][:, 0], drawn["videos"][:, -1]]
    data.save_grid(args.picture, torch.stack(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
