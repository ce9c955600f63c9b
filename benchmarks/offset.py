"""How far RJVAE's residuals are from zero in the mean, and what the decoder makes of mu with that offset and without.

    python benchmarks/offset.py runs/rjvae-sprites docs/img/rjvae-offset.png docs/results/rjvae-offset.json

Rows of the picture, eight test videos: G_I(mu); G_I(mu + the mean of all residuals); G_I(mu + the mean of the video's
own); the first frame. Numbers: norms, averaged over 64 test videos.
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
        print(f"offset.py: error: {error}", file=sys.stderr)
        return 2
    generator = data.seeded(0)
    x = videos.clips(64, config["frames"], config["stride"], generator)
    mu, delta = rjvae.infer(nets, x, generator).values()
    offset, own = delta.mean((0, 1)), delta.mean(1)
    norms = {"mu": mu.norm(dim=1).mean(), "delta": delta.norm(dim=2).mean(), "offset": offset.norm()}
    report = {"videos": len(x), "iteration": config["iteration"]} | {k: round(v.item(), 3) for k, v in norms.items()}
    args.json.write_text(json.dumps(report, indent=2) + "\n")
    print(report)
    decoded = [nets["Decoder"](z[:8]) for z in (mu, mu + offset, mu + own)]
    data.save_grid(args.picture, torch.stack([*decoded, x[:8, 0]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
