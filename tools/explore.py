"""A page that plays with a trained model, as the paper's Figures 9 to 13 do: python rjgan.py --out RUN --explore

Choose two contents (in RJGAN summary vectors mu) and slide between them; hold the content and change the noise, or hold
the noise and change the content. The pictures are drawn beforehand, so the page needs neither network nor server.
"""

from itertools import combinations

import numpy as np
import torch

from data import seeded, to_uint8
from tools.page import fill, pictures_of

CONTENTS, STEPS, NOISES = 6, 8, 4  # of 15 pairs, with 6 steps between the two: 96 contents, each with every noise
LIMIT = 10_000_000  # bytes of a page
FORMS = [("WEBP", {"quality": quality}) for quality in (90, 80, 70, 60, 45, 30)]
NAMES = {"rjgan": "RJGAN", "rmocogan": "RMoCoGAN", "mocogan": "MoCoGAN", "rjvae": "RJVAE", "dsa": "DSA"}


def between(contents):
    """Points of the lines between all pairs of contents (K, D): (M, D), and {"i j": the STEPS indices of a line}."""
    points, lines = list(contents), {}
    for i, j in combinations(range(len(contents)), 2):
        inner = torch.linspace(0, 1, STEPS)[1:-1].tolist()
        lines[f"{i} {j}"] = [i, *range(len(points), len(points) + len(inner)), j]
        points += [torch.lerp(contents[i], contents[j], share) for share in inner]
    return torch.stack(points), lines


@torch.no_grad()
def write_page(path, args, config, nets, sample, filmstrip):
    """Write the page of a run; config, nets: `load_run`'s, sample, filmstrip: the model file's."""
    frames, rng = args.frames, seeded(args.seed, args.device)
    drawn = sample(nets, max(CONTENTS, NOISES), frames, rng)
    points, lines = between(drawn["content"][:CONTENTS])
    clips = []
    for noise in drawn["motion"][:NOISES]:
        motion = noise.expand(len(points), *noise.shape)
        clips.append(to_uint8(filmstrip(sample(nets, len(points), frames, rng, points, motion))))
    summary = clips[0].shape[1] > frames  # the models of the paper's idea show a summary frame first
    pictures, form = pictures_of(np.concatenate(clips), LIMIT, FORMS)
    page = {"model": NAMES[args.model], "data": config["data"], "size": args.size, "frames": frames, "fps": 12}
    page |= {"summary": summary, "contents": CONTENTS, "noises": NOISES, "steps": STEPS, "lines": lines}
    path.write_text(fill("explore.html", page | {"pictures": pictures}), "utf-8")
    print(f"look at   {path}   ({path.stat().st_size / 1e6:.1f} MB, pictures {form})")
