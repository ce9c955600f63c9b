"""The paper's figures: which picture of which run is which, and a copy of it that is small enough to publish.

python benchmarks/figures.py figures/images.png docs/figures/figure6-rjgan-faces-quick.png RUN.fvd.json ...

Of several runs that one is shown whose FVD is the median.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

# name of the copy, less -DATA-PRESET: the paper's figure, what it shows, the variant, the picture in its run
FIGURES = {
    "figure3-rjgan": ("3", "videos of RJGAN, the summary frame first", "rjgan", "samples/{:06d}.png"),
    "figure4-mocogan": ("4", "videos of MoCoGAN after 1000 iterations", "mocogan-half", "samples/{:06d}.png"),
    "figure4-pretrained": ("4", "of RJGAN after 1000, pre-trained on images", "pretrained-half", "samples/{:06d}.png"),
    "figure5-rmocogan": (
        "5, 9",
        "RMoCoGAN: three contents (three rows each), each with the same three motions",
        "rmocogan",
        "figures/content_motion.png",
    ),
    "figure6-rjgan": ("6", "images from the prior of RJGAN", "rjgan", "figures/images.png"),
    "figure6-images": ("6", "images of the generator of images alone", "images", "figures/images.png"),
    "figure7-rjvae-prior": ("7", "videos of RJVAE, the summary frame first", "rjvae", "figures/generation.png"),
    "figure7-rjvae-posterior": (
        "7",
        "a real video, and below it what RJVAE makes of it, the summary frame first",
        "rjvae",
        "figures/inference.png",
    ),
    "figure10-rjvae": ("10", "images between two summary vectors of RJVAE", "rjvae", "figures/images.png"),
    "figure11-rjgan": (
        "10, 11, 12",
        "videos between two summary vectors of RJGAN, of one noise; the first column is Figure 10",
        "rjgan",
        "figures/interpolation.png",
    ),
    "figure13-rjvae": ("13", "videos between two summary vectors of RJVAE", "rjvae", "figures/interpolation.png"),
}


def shrink(source, target, limit=300_000):
    """Copy a grid of pictures as a PNG of 256 colours, without the last rows if it has more than `limit` bytes."""
    picture = Image.open(source).convert("RGB")
    gaps = np.flatnonzero((np.asarray(picture) == 255).all((1, 2)))  # the white lines below each row
    for bottom in [picture.height - 1, *gaps[::-1]]:
        file = io.BytesIO()
        # octree, since the median cut swallows rare colours, and with them the speckles that a network makes
        part = picture.crop((0, 0, picture.width, bottom + 1)).quantize(256, Image.Quantize.FASTOCTREE)
        part.save(file, "PNG", optimize=True)
        if file.tell() <= limit:
            break
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_bytes(file.getvalue())


def median_run(scores):
    """The run beside the score (RUN.fvd.json) of median FVD, the better of two in the middle; of one file, its own."""
    ranked = sorted(map(Path, scores), key=lambda path: len(scores) > 1 and json.loads(path.read_text())["fvd"])
    middle = ranked[(len(ranked) - 1) // 2]
    return middle.parent / middle.name.split(".")[0]


if __name__ == "__main__":
    shrink(median_run(sys.argv[3:]) / sys.argv[1], sys.argv[2])
