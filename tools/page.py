"""What the pages of this folder share: study.html and explore.html, each one file without network or server.

Shapes: N clips, T frames, H W pixels, C channels, uint8 (N, T, H, W, C).
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from data import UserError

HERE = Path(__file__).parent


def pictures_of(clips, limit, forms):
    """Clips (N, T, H, W, C) uint8 as data: addresses, each one picture with its frames from left to right.

    forms: Pillow's formats and their options, from the best on; the first with which a page stays in `limit` bytes is
    taken, and named. All clips get the same: a difference would be one between them. UserError if none is small enough.
    """
    if (pixels := clips.shape[1] * clips.shape[3]) > 16383:
        raise UserError(f"{clips.shape[1]} frames make a picture of {pixels} pixels, which ends at 16383: take fewer")
    strips = [Image.fromarray(np.concatenate(clip, axis=1)) for clip in clips]
    for form, options in forms:
        pictures, room = [], limit - 100_000
        for strip in strips:
            file = io.BytesIO()
            strip.save(file, form, **options)
            pictures.append(f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}")
            room -= len(pictures[-1])
            if room < 0:
                break
        else:
            return pictures, "lossless" if options.get("lossless") else f"{form} quality {options['quality']}"
    raise UserError(f"the page would exceed {limit / 1e6:.0f} MB: take fewer pairs or shorter clips")


def fill(template, content):
    """A page: the template with page.head and page.js in their places, and `content` as JSON for its script."""
    text = (HERE / template).read_text("utf-8")
    for place, part in {"<!-- page.head -->": "page.head", "/* page.js */": "page.js"}.items():
        text = text.replace(place, (HERE / part).read_text("utf-8").rstrip())
    return text.replace("PAGE_JSON", json.dumps(content).replace("<", "\\u003c"))  # </script> must not end the script
