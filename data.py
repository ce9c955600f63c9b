"""Every data set, every read and write of videos, and the files of a run.

    python data.py list                                    what there is, and where it comes from
    python data.py show NAME                               a contact sheet as PNG
    python data.py download weizmann|sprites               fetch a public data set, checked
    python data.py prepare mug|oulu|folder --source DIR    crop and shrink a licensed set, or your own videos

Legend of shapes: B batch, N videos, F frames of all videos end to end, T frames of one clip, C channels, H W pixels.
On disk and in memory videos are uint8 (N, T, H, W, C); at every function boundary of a model they are float
(B, T, C, H, W) in [-1, 1]. The whole data set is one uint8 array, memory-mapped where it was prepared on disk; clips
are gathered from it by index, so there is no worker process and nothing is decoded twice.
"""

import argparse
import contextlib
import csv
import ctypes
import datetime
import functools
import hashlib
import http.client
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torchvision.utils import make_grid
from tqdm import tqdm


class UserError(Exception):
    """What a user can get wrong: its text is one clear line. Every `main` prints it and exits with status 2."""


# ---------------------------------------------------------------------------------------------------------------------
# Videos in memory
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Videos:
    """All videos of a data set.

    name     what errors call it
    frames   (F, H, W, C) uint8 tensor, all frames of all videos end to end
    starts   (N,) int64 tensor, where each video starts in `frames`
    lengths  (N,) int64 tensor, its number of frames
    labels   {label: (N,) int64 array}
    classes  {label: the names of its values}
    """

    name: str
    frames: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor
    labels: dict
    classes: dict

    def __post_init__(self):
        self.shortest = int(self.lengths.min()) if len(self) else 0

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, i):
        """Video i as a uint8 array (T, H, W, C)."""
        start, length = int(self.starts[i]), int(self.lengths[i])
        return self.frames[start : start + length].cpu().numpy()

    def subset(self, index):
        """The videos at `index` (integers or a mask of N booleans); the frames are shared, not copied."""
        index = np.asarray(index)
        picked = torch.as_tensor(np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64))
        picked = picked.to(self.starts.device)
        labels = {key: values[picked.cpu().numpy()] for key, values in self.labels.items()}
        return replace(self, starts=self.starts[picked], lengths=self.lengths[picked], labels=labels)

    def at_least(self, length):
        """The videos of at least `length` frames. UserError if there is none."""
        if not len(self):
            raise UserError(f"no videos of {self.name} are left to take clips from")
        mask = (self.lengths >= length).cpu().numpy()
        if not mask.any():
            longest = int(self.lengths.max())
            raise UserError(f"clips span {length} frames, and the longest video of {self.name} has {longest}")
        return self.subset(mask)

    def to(self, device):
        """The same videos with their frames on `device`."""
        moved = {key: getattr(self, key).to(device) for key in ("frames", "starts", "lengths")}
        return replace(self, **moved)

    def clips(self, batch, frames, stride=1, generator=None):
        """S_T of objective (1): random clips of random videos, (B, T, C, H, W) float in [-1, 1].

        A video is drawn uniformly, then a start among those at which `frames` frames, every `stride`-th, fit.
        UserError if a video is too short for that (`at_least` leaves those out).
        """
        span = (frames - 1) * stride + 1
        if span > self.shortest:
            raise UserError(f"clips span {span} frames, and the shortest video of {self.name} has {self.shortest}")
        device = self.starts.device
        video = torch.randint(len(self), (batch,), generator=generator, device=device)
        room = self.lengths[video] - span + 1
        first = self.starts[video] + (torch.rand(batch, generator=generator, device=device) * room).long()
        index = first[:, None] + torch.arange(frames, device=device) * stride  # (B, T)
        return to_float(self.frames[index])

    def images(self, batch, generator=None):
        """S_1 of objective (1): a random frame of each of B random videos, (B, C, H, W) float in [-1, 1]."""
        return self.clips(batch, 1, 1, generator)[:, 0]


def to_float(frames):
    """uint8 (..., H, W, C) to float (..., C, H, W) in [-1, 1]; for 2-D convolutions the result is channels_last."""
    return torch.as_tensor(frames).float().div_(127.5).sub_(1).movedim(-1, -3)


def to_uint8(frames):
    """Float (..., C, H, W) in [-1, 1] to a uint8 array (..., H, W, C); values outside are clipped."""
    frames = frames.detach().float().movedim(-3, -1)
    return frames.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def resize(frames, size):
    """uint8 (T, H, W, C) to (T, size, size, C): bilinear, antialiased; a copy only where the size differs."""
    if frames.shape[1:3] == (size, size):
        return frames
    frames = torch.tensor(frames).permute(0, 3, 1, 2).float()
    frames = F.interpolate(frames, (size, size), mode="bilinear", antialias=True)
    return frames.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def from_arrays(name, videos, labels=None, classes=None):
    """`Videos` from a list of uint8 arrays (T, H, W, C), T free."""
    lengths = torch.tensor([len(video) for video in videos])
    frames = torch.from_numpy(np.concatenate(videos))
    return Videos(name, frames, lengths.cumsum(0) - lengths, lengths, labels or {}, classes or {})


# ---------------------------------------------------------------------------------------------------------------------
# Prepared data sets: a folder with frames.npy and index.json
# ---------------------------------------------------------------------------------------------------------------------


def prepared_folder(root, name, size):
    """ROOT/NAME-SIZE, or data/NAME-SIZE where ROOT is read-only, which even the superuser respects."""
    folder = Path(root) / f"{name}-{size}"
    parent = next(p for p in (folder.parent.absolute(), *folder.parent.absolute().parents) if p.exists())
    writable = os.access(parent, os.W_OK) and parent.stat().st_mode & 0o222
    return folder if folder.exists() or writable else Path("data") / folder.name


def write_prepared(folder, frames, lengths, labels, classes, test, **about):
    """Write a prepared data set, whole or not at all.

    frames: all frames in order, an array (F, H, W, C) uint8 or an iterable of arrays (T, H, W, C) that need not fit in
    memory together; lengths (N,); labels {label: (N,)}; classes {label: names}; test: the indices of the test split;
    about: what else index.json should say.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    index = {"lengths": lengths, "labels": labels, "classes": classes, "test": test, **about}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        half = Path(temporary) / folder.name
        half.mkdir()
        # plain writes and no memory map: a full disk must be an error, and under a map it is a crash
        with open(half / "frames.npy", "wb") as file:
            for i, part in enumerate(frames):
                if i == 0:
                    shape = (int(np.sum(lengths)), *part.shape[-3:])
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(np.ascontiguousarray(part))
        (half / "index.json").write_text(json.dumps(index, default=lambda value: np.asarray(value).tolist()))
        if not folder.exists():  # another process may have been faster
            half.rename(folder)


def read_prepared(folder, name, split):
    """`Videos` of a prepared folder, frames memory-mapped. UserError if it is damaged."""
    try:
        index = json.loads((folder / "index.json").read_text())
        lengths = torch.tensor(index["lengths"])
        # mode "c" (copy on write): torch wants a writable array, and the file is never written
        frames = torch.from_numpy(np.load(folder / "frames.npy", mmap_mode="c"))
    except (OSError, ValueError, EOFError, LookupError, TypeError) as error:
        raise UserError(f"{folder} is damaged: {error}; delete it") from None
    if len(frames) != int(lengths.sum()):
        raise UserError(f"{folder} is damaged: {len(frames)} frames, {int(lengths.sum())} expected; delete it")
    labels = {key: np.array(values, dtype=np.int64) for key, values in index["labels"].items()}
    videos = Videos(name, frames, lengths.cumsum(0) - lengths, lengths, labels, index["classes"])
    return take_split(videos, np.isin(np.arange(len(videos)), index["test"]), split)


def take_split(videos, test, split):
    """The part of `videos` that `split` names; `test` is a mask of N booleans. UserError if it is empty."""
    part = videos if split == "all" else videos.subset(test if split == "test" else ~test)
    if not len(part):
        raise UserError(f"no videos in the {split} split of {videos.name}")
    return part


# ---------------------------------------------------------------------------------------------------------------------
# faces: the built-in data set, drawn here with numpy
# ---------------------------------------------------------------------------------------------------------------------

# What tells two people apart. Every factor is a label; the values are what the pencil needs to know.
FACE_FACTORS = {
    "skin": {"porcelain": "f9d9c6", "peach": "f0c2a0", "olive": "d9a679", "tan": "c08457", "brown": "8f5a3a",
             "ebony": "6e4431"},
    "face": {  # half width, height of the lower half, narrowing towards the chin, squareness of the jaw
        "oval": (0.79, 1.00, 0.10, 0.15), "round": (0.86, 0.93, 0.00, 0.20), "square": (0.79, 0.98, 0.02, 0.50),
        "heart": (0.84, 1.00, 0.27, 0.20), "long": (0.73, 1.06, 0.08, 0.30)},
    "hair_style": {  # volume, hairline, its curve and slope, length beside the face, half width and length behind it
        "buzz": (0.03, -0.60, 0.75, 0, 0, 0, 0), "parted": (0.13, -0.56, 0.62, 0.22, 0, 0, 0),
        "quiff": (0.05, -0.62, 0.80, 0.12, 0, 0, 0), "curly": (0.12, -0.55, 0.60, 0, 0, 0, 0),
        "bob": (0.14, -0.40, 0.25, 0, 0.60, 0.96, 0.72), "long": (0.13, -0.72, 1.35, 0, 0.90, 0.95, 1.70),
        "bun": (0.07, -0.66, 0.95, 0, 0, 0, 0)},
    "hair_colour": {"black": "2b2733", "brown": "5b3a29", "chestnut": "8a4b2c", "copper": "b04a26", "blond": "e3b565",
                    "silver": "adb1bd"},
    "eye_colour": {"brown": "6b3f22", "blue": "3f86c9", "green": "4d9a5f", "grey": "75838f"},
    "brows": {  # half thickness, arch
        "thin": (0.026, 0.09), "arched": (0.040, 0.14), "straight": (0.046, 0.02), "bushy": (0.064, 0.06)},
    "beard": {"none": 0, "stubble": 1, "moustache": 2, "full": 3},
    "glasses": {"none": 0, "round": 1, "square": 2},
    "background": {"sky": "a9d3ee", "mint": "b4e0cc", "sand": "f0dcb4", "rose": "f2bfc4", "lilac": "cbbfea",
                   "slate": "8fa3b8"},
}  # fmt: skip
FACE_SHARES = {"beard": (5, 1, 1, 1), "glasses": (4, 1, 1)}  # the values of the other factors are equally frequent
FACE_RANGES = {  # what differs between people without a name: places, sizes, asymmetries
    "eye_x": (0.34, 0.40), "eye_y": (-0.09, -0.03), "eye_w": (0.19, 0.24), "eye_h": (0.10, 0.13), "iris": (0.104, 0.12),
    "slant": (-0.03, 0.03), "gaze": (-0.01, 0.01), "brow_y": (0.23, 0.28), "wry": (-0.25, 0.25), "rosy": (0.1, 0.34),
    "nose_y": (0.215, 0.275), "nose_w": (0.095, 0.155), "mouth_y": (0.52, 0.57), "mouth_w": (0.28, 0.34),
    "lips": (0.03, 0.07), "scale": (0.67, 0.71),
}  # fmt: skip
SHIRTS = "3d5a80", "7a3b69", "2f6f62", "c8553d", "f4f1ea", "3a3a44", "e0a93b"

# How far each muscle goes at the apex, in the spirit of Ekman's action units; what is not named stays at rest.
EXPRESSIONS = {
    "anger": dict(inner=-1.0, outer=0.35, furrow=1.0, lid=-0.12, squint=0.25, tilt=0.55, smile=-0.55, open=0.42,
                  lift=0.35, square=1.0, teeth=0.9, bite=1.0, press=0.6, wrinkle=0.25, flush=1.0, nod=0.5),
    "disgust": dict(inner=-0.6, outer=-0.5, furrow=0.5, lid=-0.5, squint=0.7, smile=-0.5, width=-0.12, open=0.25,
                    lift=0.75, sneer=1.0, teeth=0.7, wrinkle=1.0, cheek=0.4, fold=1.0, nod=-0.3),
    "happiness": dict(inner=0.15, outer=0.2, lid=-0.45, squint=0.8, smile=1.0, width=0.3, open=0.8, teeth=1.0,
                      cheek=1.0, fold=0.6, nod=-0.2),
    "sadness": dict(inner=0.95, outer=-0.75, furrow=0.4, lid=-0.3, tilt=-0.5, gaze=0.7, smile=-1.4, width=-0.05,
                    pout=1.0, nod=1.0),
    "surprise": dict(inner=1.0, outer=0.9, lid=0.45, open=1.3, lift=0.65, square=0.35, width=-0.36, jaw=1.0, teeth=0.35,
                     lines=1.0, nod=-0.7),
}  # fmt: skip
MUSCLES = sorted({muscle for face in EXPRESSIONS.values() for muscle in face})


def rgb(colour):
    """The float32 (3, 1, 1) in [0, 1] of a colour such as "f9d9c6"."""
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)], np.float32).reshape(3, 1, 1)


def ease(x):
    """A smooth step from 0 (below 0) to 1 (above 1)."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def wave(x):
    """A sine to the eye, of period 1, made of parabolas."""
    x = 2 * (x % 1) - 1
    return 4 * x * (np.abs(x) - 1)


# Shapes are signed distances, negative inside and exact only near the edge, which is where they are looked at
def disc(u, v, a, b):
    return (np.sqrt((u / a) ** 2 + (v / b) ** 2) - 1) * np.minimum(a, b, dtype=np.float32)


def both(shape, *others):
    for other in others:
        shape = np.maximum(shape, other)
    return shape


def stroke(distance, half, ends):
    """A line of half a thickness along distance = 0, as long as `ends` is negative."""
    return np.maximum(np.abs(distance) - half, ends)


class Canvas:
    """
    T frames of a head in the making. Its coordinates u (to the right) and v (down) move with the head: the face spans
    about -0.8..0.8 by -1..1. The pixels see +, -, *, / and square roots only, which IEEE 754 rounds in one way: the
    bytes depend neither on the processor nor on the number of threads.
    """

    def __init__(self, still, cx, cy, roll, scale):
        """still: the picture behind, (3, H, W); the head's centre cx, cy and the sine of its roll, a value a frame."""
        size = still.shape[-1]
        self.rgb, self.pixel = np.repeat(still[None], len(cx), axis=0), 2 / size / scale  # (T, 3, H, W)
        cx, cy, sin, cos = (a.astype(np.float32)[:, None, None] for a in (cx, cy, roll, np.sqrt(1 - roll * roll)))
        self.place = lambda u, v: ((u * cos - v * sin) * scale + cx, (v * cos + u * sin) * scale + cy)
        grid = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
        x, y = (grid[None, None] - cx) / scale, (grid[None, :, None] - cy) / scale
        self.u, self.v = x * cos + y * sin, y * cos - x * sin  # (T, H, W)

    def look(self, left, top, right, bottom):
        """Work on one rectangle of the head, for most shapes are small; returns its u and v, (T, h, w)."""
        x, y = self.place(np.array([left, left, right, right]), np.array([top, bottom, top, bottom]))
        low, high = ([int((f(a) + 1) * len(self.u[0]) / 2) for a in (y, x)] for f in (np.min, np.max))
        rows, columns = (slice(max(0, a - 1), max(0, b + 2)) for a, b in zip(low, high, strict=True))
        self.target = self.rgb[:, :, rows, columns]
        return self.u[:, rows, columns].copy(), self.v[:, rows, columns].copy()

    def paint(self, distance, colour, opacity=1.0, blur=None):
        """Lay a colour over the inside of a shape in the rectangle; its edge is a pixel wide, or a blur."""
        alpha = np.clip(0.5 - distance / self.pixel, 0, 1) if blur is None else ease(0.5 - distance / blur)
        self.target += (alpha * opacity)[:, None] * (colour - self.target)


def draw_people(rng, count=52):
    """Everybody: (factors, a dict of int64 arrays (count,); people, a list of what the pencil needs of each)."""
    between = lambda low, high: low + (high - low) * float(rng.random())  # noqa: E731
    factors, people = {}, []
    for name, values in FACE_FACTORS.items():
        spread = np.resize(np.repeat(np.arange(len(values)), FACE_SHARES.get(name, 1)), count)
        factors[name] = spread[np.argsort(rng.random(count))]
    for i in range(count):
        p = SimpleNamespace(**{name: list(values.values())[factors[name][i]] for name, values in FACE_FACTORS.items()})
        p.look = list(FACE_FACTORS["hair_style"])[factors["hair_style"][i]]
        for name in "skin", "hair_colour", "eye_colour", "background":  # no two people share one exact colour
            tint = between(0.95, 1.05) + 0.06 * rng.random((3, 1, 1)) - 0.03
            setattr(p, name, np.clip(rgb(getattr(p, name)) * tint, 0, 1).astype(np.float32))
        p.face = [value + between(-0.02, 0.02) for value in p.face]
        p.shirt, p.frame = rgb(SHIRTS[int(between(0, len(SHIRTS)))]), rgb(("2a2530", "8a5a3a")[int(between(0, 2))])
        for name, (low, high) in FACE_RANGES.items():
            setattr(p, name, between(low, high))
        p.side = (-1, 1)[int(between(0, 2))]  # of the parting and the sneer
        p.style = {muscle: between(0.85, 1.15) for muscle in MUSCLES}
        p.style["open"] = between(0.5, 1.3)  # some bare their teeth where others press their lips
        people.append(p)
    return factors, people


def act(person, expression, frames, rng):
    """One take: (the muscles' levels, a dict of float32 (T, 1, 1); the pose of the head, a dict of (T,))."""
    between = lambda low, high: low + (high - low) * float(rng.random())  # noqa: E731
    t = np.arange(frames) / (frames - 1)  # the apex holds at least from 0.49 to 0.53
    rise, fall, power = between(0.14, 0.30), between(0.14, 0.26), between(0.8, 1.05)
    start, end = between(0.05, 0.46 - rise), between(0.56 + fall, 0.96)
    power = power * (1 + between(0, 0.05) * wave(between(2, 5) * t + between(0, 1)))  # nobody holds quite still
    muscles, pose = {}, {}
    for name in MUSCLES:  # each has a small lead or lag, so that a face does not move as one piece
        strength = EXPRESSIONS[expression].get(name, 0) * person.style[name] * between(0.9, 1.1)
        lag = between(-0.03, 0.03)
        level = strength * power * ease((t - start - lag) / rise) * ease((end + lag - t) / fall)
        muscles[name] = level.astype(np.float32)[:, None, None]
    blink = between(0.06, 0.38) + (0, 0.56, 9)[int(between(0, 3))]  # in two takes of three, and never at the apex
    muscles["blink"] = ease(1 - np.abs(t - blink) * frames / 4).astype(np.float32)[:, None, None]
    for name, middle, size in ("cx", 0.03, 0.035), ("cy", 0.03, 0.025), ("roll", 0.03, 0.05), ("yaw", 0.35, 0.5):
        sway = 0.7 * wave(t + between(0, 1)) + 0.3 * wave(2 * t + between(0, 1))  # ends where it began: films may loop
        pose[name] = between(-middle, middle) + size * between(0.3, 1) * sway
    return muscles, pose


def draw_video(p, expression, frames, size, rng):
    """A take of person p, uint8 (T, H, W, 3), painted from back to front. The numbers are taste, tried by eye."""
    m, pose = act(p, expression, frames, rng)
    light, warm, bright = (2 * float(rng.random()) - 1 for _ in range(3))  # the lamp: its side, its hue, its strength
    wide, chin, taper, corner = p.face
    volume, hairline, curve, slope, beside, back_w, back_l = p.hair_style
    hair, skin = p.hair_colour, p.skin * (1 + m["flush"][:, None] * np.float32([[[0.03]], [[-0.07]], [[-0.07]]]))
    shade, ink, lash = skin * rgb("cf9686"), skin * rgb("7a4038"), np.minimum(hair * 0.4, 0.16)

    # The wall and the shoulders stay still, so they are drawn once, in the picture's own x, y from -1 to 1
    x = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    x, y = x[None, :], x[:, None]
    still = p.background * (1.08 - 0.10 * np.sqrt((x - 0.4 * light) ** 2 + (y + 0.4) ** 2))
    for colour, a, b, v in (p.shirt, 0.80, 0.50, 1.24), (p.shirt * 0.85, 0.40, 0.44, 1), (p.skin * 0.97, 0.36, 0.4, 1):
        cover = np.clip(0.5 - disc(x, y - v, a, b) * size / 2, 0, 1)
        still = still + cover * (colour * (1.05 - 0.25 * np.abs(x)) - still)
    canvas = Canvas(still, pose["cx"], 0.10 + pose["cy"] + 0.025 * m["nod"][:, 0, 0], pose["roll"], p.scale)
    look, paint = canvas.look, canvas.paint
    yaw, pitch = 0.1 * pose["yaw"].astype(np.float32)[:, None, None], 0.04 * m["nod"]  # what is nearer moves further

    def head(u, v, grow=0.0):
        low, high = np.maximum(v, 0) / (chin + grow + 0.12 * m["jaw"]), np.minimum(v, 0) / (1 + grow)
        a, b = (u / ((wide + grow) * (1 - taper * low))) ** 2, low * low
        return (np.sqrt(np.maximum(a + b + high * high - corner * a * np.minimum(b, 1), 0)) - 1) * (wide + grow)

    # Long hair behind the neck, the neck and the chin's shadow on it, the ears
    if back_l:
        u, v = look(-1.1, -1.2, 1.1, back_l + 0.1)
        a, b = np.abs(u) - back_w + 0.6, np.abs(v - back_l / 2 + 0.55) - back_l / 2 + 0.05
        paint(np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) - 0.6, hair * (0.8 - 0.12 * v[:, None]))
    u, v = look(-0.45, 0.4, 0.45, 1.5)
    neck = both(np.abs(u) - 0.36, v - 1.35)
    paint(neck, skin * 0.97)
    paint(both(neck, head(u, v - 0.18, 0.02)), shade, 0.8)
    u, v = look(-1.1, -0.25, 1.1, 0.35)
    s = np.abs(u + 0.5 * yaw) - wide  # in the mirror of the nose, so one stroke draws both sides
    paint(disc(s, v - 0.04, 0.13, 0.20), skin * 0.96)
    paint(disc(s - 0.02, v - 0.04, 0.07, 0.12), shade, 0.8)

    # The face, darker at the rim that the lamp does not reach; the beard
    u, v = look(-1.0, -1.05, 1.0, 1.3)
    rim = ease(0.5 + head(u - 0.12 * light, v + 0.05, -0.08) / 0.2)[:, None]
    paint(head(u, v), skin * (1.03 - 0.05 * v[:, None]) + 0.5 * rim * (shade - skin))
    if p.beard in (1, 3):
        edge = 0.36 - 0.75 * np.maximum(np.abs(u - yaw) - 0.38, 0)  # from under the nose to the ears
        if p.beard == 3:
            paint(both(head(u, v, 0.05), edge - v), hair * (1.05 - 0.25 * v[:, None]))
        else:
            paint(both(head(u, v, -0.08), edge - v), hair * 0.6, 0.3, blur=0.16)

    # Cheeks, the folds beside the mouth, the nose and its wrinkles
    u, v = look(-0.85, -0.2, 0.85, 0.75)
    s, v = np.abs(u - yaw), v - pitch
    rosy = p.rosy + 0.25 * m["cheek"] + 0.15 * m["flush"]
    paint(disc(s - 0.47, v - 0.30 + 0.07 * m["cheek"], 0.24, 0.17), skin * rgb("f4837f"), rosy, blur=0.22)
    a = v - 0.2
    paint(stroke(s - 0.19 - 0.55 * a + 0.5 * a * a, 0.016, np.abs(a - 0.16) - 0.16), ink, 0.5 * m["fold"], blur=0.06)
    u, v = look(-0.4, -0.75, 0.4, 0.45)
    u, v = u - 1.8 * yaw, v - 1.4 * pitch + 0.05 * m["wrinkle"] - p.nose_y
    s, wing = np.abs(u), p.nose_w * (1 + 0.22 * m["wrinkle"])
    bridge = disc(u + 0.06 * light, v + 0.15, 0.085 + 0.3 * p.nose_w, 0.36)
    paint(both(bridge, -disc(u - 0.02 * light, v + 0.17, 0.06, 0.4)), shade, 0.5, blur=0.1)
    paint(disc(u, v + 0.03, wing * 0.95, 0.075), skin * 1.06, 0.7, blur=0.07)
    paint(stroke(v - 0.055 + 0.09 * (u / wing) ** 2, 0.018, s - wing), ink, 0.75)
    for k in range(3):
        paint(stroke(v + 0.22 + 0.09 * k - 0.6 * s, 0.014, s - 0.12 + 0.02 * k), ink, 0.7 * m["wrinkle"])
    paint(stroke(s - 0.02 + 0.1 * v, 0.014, np.abs(v + 0.5) - 0.09), ink, np.minimum(0.8 * m["furrow"], 1))

    # The mouth lies between two curves over w, from -1 to 1: lips, the dark inside, tongue and teeth
    u, v = look(-0.55, 0.25, 0.55, 1.15)
    w, v = (u - 1.2 * yaw) / p.mouth_w, v - pitch - p.mouth_y - 0.05 * m["jaw"] + 0.03 * m["lift"]
    w = w / (1 + m["width"] - 0.12 * m["press"])
    arc, ends, sneer = 1 - w * w, np.abs(w) - 1, p.side * m["sneer"] * w
    lens = arc * (1 + m["square"] * w * w)
    middle = 0.17 * m["smile"] * (0.35 - w * w) - 0.05 * m["pout"] * arc - 0.07 * sneer
    upper = middle - lens * (0.016 + 0.16 * m["lift"] * (1 + 0.7 * sneer))
    lower = middle + lens * (0.018 + 0.24 * m["open"])
    thick = p.lips * (1 - 0.5 * m["press"]) * arc
    if p.beard in (2, 3):
        paint(np.abs(v - 0.5 * upper + p.lips + 0.085 - 0.05 * w * w) - 0.07 + 0.05 * w * w, hair * 1.05)
    lips = 0.45 * skin + 0.55 * rgb("c8505c") * (0.7 + 0.3 * p.skin[0])
    paint(both(upper - thick - v, v - lower - thick * (1.3 + 1.2 * m["pout"]), ends), lips, 0.9)
    gap = both(upper - v, v - lower, ends) + 0.008
    paint(gap, rgb("4a1620"))
    paint(both(gap + 0.01, disc(w, v - lower, 0.6, 0.09)), rgb("c85a62"), np.clip(3 * m["open"] - 1, 0, 1))
    paint(both(gap + 0.01, v - upper - 0.115 * m["teeth"]), rgb("fbf7ef"), m["teeth"] > 0.05)
    paint(both(gap + 0.01, lower - v - 0.075 * m["bite"]), rgb("f1ebe0"), m["bite"] > 0.05)

    # The eyes lie between two curves over q, which runs from the nose (-1) to the temple (1)
    u, v = look(-0.85, -0.45, 0.85, 0.3)
    u, v = u - yaw, v - pitch - p.eye_y
    side, s = np.sign(u), np.abs(u) - p.eye_x
    q = s / p.eye_w
    arc = p.eye_h * (1 - q * q)
    paint(disc(s, v + 0.03, 0.30, 0.20), shade, 0.35, blur=0.2)
    lower = arc * (0.85 - 1.15 * m["squint"]) + p.slant * q
    lid = np.clip(1 + m["lid"] - 0.4 * m["squint"], 0.12, 2) * (1 - m["blink"])
    upper = lower - 1.85 * arc * lid * (1 + 0.55 * m["tilt"] * q)
    white = both(upper - v, v - lower)
    paint(white, rgb("ffffff") * (1 - 0.16 * ease((upper + 0.09 - v) / 0.09)[:, None]))
    a, b = s - side * p.gaze, v + 0.012 - 0.05 * m["gaze"]
    ring = np.sqrt(a * a + b * b)
    paint(both(white, ring - p.iris), p.eye_colour * 0.6)
    paint(both(white, ring - p.iris * 0.80), p.eye_colour * (1.15 + 3 * b[:, None]))
    paint(both(white, ring - p.iris * 0.45), rgb("15101a"))
    paint(both(white, disc(side * a + 0.04, b + 0.045, 0.03, 0.03)), rgb("ffffff"))
    paint(stroke(v - upper, 0.024 + 0.008 * q, np.abs(q) - 1.06), lash)
    paint(stroke(v - lower, 0.008, np.abs(q) - 0.95), ink, 0.6)
    paint(stroke(v - upper + 0.055, 0.010, np.abs(q) - 0.85), ink, 0.45)

    # Brows, and the lines of a raised forehead
    u, v = look(-0.85, -0.95, 0.85, -0.05)
    u, v = u - yaw, v - pitch - p.eye_y + p.brow_y
    q = (np.abs(u) - p.eye_x - 0.02 + 0.05 * m["furrow"]) / 0.25
    raised = (m["inner"] * (1 - q) + m["outer"] * (1 + q)) * (1 + p.wry * np.sign(u))
    brow = v + 0.055 * raised + p.brows[1] * (0.6 - q * q)
    paint(stroke(brow, p.brows[0] * (1 - 0.3 * q - 0.2 * q * q), (np.abs(q) - 1) * 0.25), lash + 0.7 * hair)
    for k in range(2):
        wrinkle = stroke(v + 0.27 + 0.1 * k - 0.1 * u * u, 0.012, np.abs(u) - 0.36)
        paint(wrinkle, ink, 0.4 * m["lines"])

    # The hair over the forehead and beside the face, and its shadow on the skin
    u, v = look(-1.15, -1.6, 1.15, max(beside, 0.35) + 0.05)
    s = np.abs(u)
    skull = crown = head(u, v, volume)
    if p.look == "bun":
        crown = np.minimum(crown, disc(u, v + 1.17, 0.36, 0.27))
    if p.look == "quiff":
        a, b = ((u - 0.08 * p.side) / 0.80) ** 2, ((v + 0.72 - 0.12 * p.side * u) / 0.56) ** 2
        crown = np.minimum(crown, 0.56 * (np.sqrt(a + b - 0.3 * np.minimum(a * b, 1)) - 1))
    if p.look == "curly":
        for cu, cv in (0.0, -1.05), (0.36, -1.0), (0.67, -0.82), (0.88, -0.54), (0.93, -0.22), (0.9, 0.08):
            crown = np.minimum(crown, disc(s - cu, v - cv, 0.24, 0.24))
    cap = both(crown, v - np.minimum(hairline + curve * s * s + slope * p.side * u, 0.12))
    if beside:
        cap = np.minimum(cap, both(skull, 0.70 - 0.1 * v * v - s, v - beside))
    paint(both(skull + volume + 0.07, cap - 0.06), shade, 0.6, blur=0.14)
    glint = np.abs(np.sqrt((u + 0.3 * light) ** 2 + (v + 0.05) ** 2) - 0.92 - 0.14 * (p.look == "quiff"))
    paint(cap, hair * (0.95 + 0.22 * ease(1 - glint / 0.12) - 0.1 * v)[:, None])

    if p.glasses:
        u, v = look(-1.0, -0.45, 1.0, 0.35)
        s, v = np.abs(u - 1.3 * yaw), v - 1.2 * pitch - p.eye_y - 0.02
        a, b = ((s - p.eye_x) / 0.30) ** 2, (v / 0.25) ** 2
        rim = 0.26 * (np.sqrt(a + b if p.glasses == 1 else np.sqrt(a * a + b * b)) - 1)
        paint(rim, rgb("ffffff"), 0.12)
        bar = stroke(v + 0.06, 0.02, both(-rim, s - wide))  # bridge and arms: one line, outside the rims
        paint(np.minimum(np.abs(rim) - 0.022, bar), p.frame)

    lamp = (1 + 0.025 * warm * np.float32([[[1]], [[0]], [[-1]]])) * (1 + 0.05 * bright + 0.06 * light * x - 0.02 * y)
    return np.clip(canvas.rgb * (255 * lamp) + 0.5, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def draw_faces(size=64, seed=0, videos=None, progress=iter):
    """
    The data set as (frames, lengths, labels, classes): uint8 (F, size, size, 3), all videos end to end; int64 (N,);
    a dict of int64 (N,); a dict of the names of each label's values.

    52 people show five expressions two or three times each: 633 videos of 64 to 80 frames, from neutral to the apex
    (in the middle) and back. `videos`, a list of numbers below 633, draws those alone, with the same bytes.
    `progress` wraps the loop over the videos: tqdm, for one.
    """
    rng, names = np.random.default_rng(seed), list(EXPRESSIONS)
    factors, people = draw_people(rng)
    pairs = len(people) * len(names)
    takes = 2 + (np.argsort(rng.random(pairs)) < 633 - 2 * pairs)
    subject, expression = np.divmod(np.repeat(np.arange(pairs), takes), len(names))
    lengths = 64 + (17 * rng.random(633)).astype(np.int64)
    chosen = np.arange(633) if videos is None else np.asarray(videos, np.int64)
    subject, expression, lengths = subject[chosen], expression[chosen], lengths[chosen]
    ends, frames = lengths.cumsum(), np.empty((lengths.sum(), size, size, 3), np.uint8)
    for n in progress(range(len(chosen))):
        own = np.random.default_rng([seed, chosen[n]])  # a video's own numbers: no video depends on the ones before it
        video = draw_video(people[subject[n]], names[expression[n]], lengths[n], size, own)
        frames[ends[n] - lengths[n] : ends[n]] = video
    labels = {"subject": subject, "expression": expression} | {name: of[subject] for name, of in factors.items()}
    classes = {"subject": [f"{k:02d}" for k in range(len(people))], "expression": names}
    return frames, lengths, labels, classes | {name: list(values) for name, values in FACE_FACTORS.items()}


def load_faces(root, size, split):
    """The drawn faces, kept as a prepared data set under `root` once drawn; the test split is every fifth person."""
    folder = prepared_folder(root, "faces", size)
    if not folder.exists():
        print(f"drawing the faces, once: {folder}")
        bar = functools.partial(tqdm, desc="faces", unit="video", disable=None)
        frames, lengths, labels, classes = draw_faces(size, progress=bar)
        write_prepared(folder, frames, lengths, labels, classes, np.flatnonzero(labels["subject"] % 5 == 4))
    return read_prepared(folder, "faces", split)


# ---------------------------------------------------------------------------------------------------------------------
# weizmann: the actions of the MoCoGAN repository
# ---------------------------------------------------------------------------------------------------------------------

WEIZMANN_ACTIONS = {0: "one-hand wave", 1: "two-hand wave", 3: "jumping jack", 4: "bend"}  # folder: action
WEIZMANN_FILES = [f"{action}/{i:08d}.jpg" for i in range(72) for action in [(1, 0, 3, 4)[i % 8 // 2]]]


def read_image(path, mode="RGB"):
    """A picture file as uint8 (H, W, 3), with mode RGBA (H, W, 4); UserError naming the file if it is unreadable."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise UserError(f"cannot read the image {path}: {error}") from None


def downloaded(name, root, files):
    """The folder ROOT/NAME, if all `files` are in it; UserError saying how to get them if not."""
    folder = Path(root) / name
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise UserError(
            f"no {name} data in {folder}: {len(missing)} of {len(files)} files missing, {missing[0]} the first; "
            f"python data.py download {name} --data-root {root} fetches them"
        )
    return folder


def load_weizmann(root, size, split):
    """Weizmann actions (paper A.4): 72 strips of 51 to 146 frames, 64 px high, the frames left to right.

    Files 2k and 2k + 1 are mirror images, and file number // 8 is the person: persons 7 and 8 are the test split, so
    neither a person nor a mirrored twin is on both sides.
    """
    folder = downloaded("weizmann", root, WEIZMANN_FILES)
    videos = []
    for name in WEIZMANN_FILES:
        strip = read_image(folder / name)
        if strip.shape[0] != 64 or strip.shape[1] % 64:
            raise UserError(f"{folder / name} is no strip of 64x64 frames: {strip.shape[1]}x{strip.shape[0]} pixels")
        frames = strip.reshape(64, -1, 64, 3).swapaxes(0, 1)  # (T, H, W, C)
        videos.append(resize(frames, size))
    number = np.arange(72)
    action = np.array([list(WEIZMANN_ACTIONS).index(int(name[0])) for name in WEIZMANN_FILES])
    labels = {"person": number // 8, "action": action, "mirrored": number % 2}
    classes = {
        "person": [f"person {i}" for i in range(9)],
        "action": list(WEIZMANN_ACTIONS.values()),
        "mirrored": ["no", "yes"],
    }
    return take_split(from_arrays("weizmann", videos, labels, classes), labels["person"] >= 7, split)


# ---------------------------------------------------------------------------------------------------------------------
# sprites: composed from the sheets of the Sprites repository (art: Liberated Pixel Cup, CC-BY-SA 3.0 and GPL 3.0)
# ---------------------------------------------------------------------------------------------------------------------

SPRITE_LAYERS = ("body", "bottomwear", "topwear", "hair")  # in drawing order; six sheets each, and one pair of shoes
SPRITE_FILES = [f"{layer}/{i}.png" for layer in SPRITE_LAYERS for i in range(6)] + ["shoes/1.png"]
SPRITE_VIEWS = ("front", "left", "right")
SPRITE_ACTIONS = {  # the row of each view, and the column of each of the eight frames, in cells of 64 px
    "walk": ((10, 9, 11), (8, 1, 2, 3, 4, 5, 6, 7)),
    "spellcast": ((2, 1, 3), (0, 1, 2, 3, 4, 5, 4, 6)),
    "slash": ((14, 13, 15), (0, 1, 2, 3, 4, 5, 4, 0)),
}


def sprite_cells(path):
    """The cells of a sheet that the nine sequences show, as one RGBA picture: 9 rows (action, view), 8 columns."""
    sheet = read_image(path, "RGBA")
    if sheet.shape[:2] != (21 * 64, 13 * 64):
        raise UserError(f"{path} is no sheet of 13 by 21 cells of 64 px: {sheet.shape[1]}x{sheet.shape[0]} pixels")
    sheet = sheet.reshape(21, 64, 13, 64, 4).swapaxes(1, 2)  # (row, column, H, W, 4)
    cells = [sheet[row, list(columns)] for rows, columns in SPRITE_ACTIONS.values() for row in rows]
    return Image.fromarray(np.stack(cells).swapaxes(1, 2).reshape(9 * 64, 8 * 64, 4))


def compose_sprites(folder):
    """Yield the 1296 characters in order of their number, each as uint8 (72, 64, 64, 3): 9 sequences of 8 frames.

    The layers are nested loops, so what two characters share is drawn once, and only the 72 cells in use are drawn.
    """
    over = Image.alpha_composite
    bodies, bottoms, tops, hairs = (
        [sprite_cells(folder / f"{layer}/{i}.png") for i in range(6)] for layer in SPRITE_LAYERS
    )
    shoes = sprite_cells(folder / "shoes/1.png")
    for body in bodies:
        naked = over(Image.new("RGBA", body.size, "black"), body)
        for bottom in bottoms:
            half_dressed = over(naked, bottom)
            for top in tops:
                dressed = over(half_dressed, top)
                for hair in hairs:
                    character = np.asarray(over(over(dressed, hair), shoes).convert("RGB"))
                    yield character.reshape(9, 64, 8, 64, 3).swapaxes(1, 2).reshape(72, 64, 64, 3)


def load_sprites(root, size, split):
    """Sprites (Li and Mandt 2018): 1296 characters x 3 actions x 3 views, 11,664 videos of 8 frames.

    Composed on the first call and then memory-mapped. The official split: 1000 characters train, 296 test.
    """
    target = prepared_folder(root, "sprites", size)
    if not target.exists():
        folder = downloaded("sprites", root, SPRITE_FILES)
        character, sequence = np.divmod(np.arange(1296 * 9), 9)
        labels = {layer: character // 6 ** (3 - i) % 6 for i, layer in enumerate(SPRITE_LAYERS)}
        labels |= {"action": sequence // 3, "view": sequence % 3, "action-view": sequence}
        classes = {layer: [f"{layer} {i}" for i in range(6)] for layer in SPRITE_LAYERS}
        classes |= {"action": list(SPRITE_ACTIONS), "view": list(SPRITE_VIEWS)}
        classes["action-view"] = [f"{action} {view}" for action in SPRITE_ACTIONS for view in SPRITE_VIEWS]
        test = np.isin(character, np.random.RandomState(423).permutation(1296)[1000:])
        bar = tqdm(compose_sprites(folder), "composing sprites", total=1296, unit="character", disable=None)
        frames = (resize(cells, size) for cells in bar)
        write_prepared(target, frames, np.full(1296 * 9, 8), labels, classes, np.flatnonzero(test))
    return read_prepared(target, "sprites", split)


# ---------------------------------------------------------------------------------------------------------------------
# Anybody's videos: a folder of video folders, or an .npy file
# ---------------------------------------------------------------------------------------------------------------------

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm"}


def natural(path):
    """Sort key that puts frame10 after frame9."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", str(path))]


def image_files(folder):
    """The picture files directly in `folder`, in natural order."""
    # a macOS archive has a hidden ._NAME beside each NAME
    files = (p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.name[0] != ".")
    return sorted(files, key=natural)


def square(frames):
    """The largest centred square of (..., H, W, C)."""
    height, width = frames.shape[-3:-1]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[..., top : top + side, left : left + side, :]


def load_path(path, size, split):
    """A folder of video folders of images, or an .npy of shape (N, T, H, W, C) uint8; every tenth video is for test."""
    path = Path(path)
    if path.is_dir():
        layout = f"expected {path}/VIDEO/FRAME.png (or .jpg), one folder a video"
        folders = {folder: image_files(folder) for folder in sorted(filter(Path.is_dir, path.iterdir()), key=natural)}
        folders = {folder: files for folder, files in folders.items() if files}
        if not folders:
            raise UserError(f"no videos in {path}: {layout}")
        videos = [
            np.concatenate([resize(square(read_image(file))[None], size) for file in files])
            for files in tqdm(folders.values(), "reading", unit="video", leave=False, disable=None)
        ]
        names = [folder.name for folder in folders]
    else:
        array = read_samples(path)
        videos = [resize(square(np.ascontiguousarray(video)), size) for video in array]
        names = [str(i) for i in range(len(videos))]
    number = np.arange(len(videos))
    videos = from_arrays(str(path), videos, {"video": number}, {"video": names})
    return take_split(videos, (number % 10 == 9) if len(videos) >= 10 else number == len(videos) - 1, split)


def load_images(path, size):
    """A folder of single images, searched to any depth, as `Videos` of one frame each."""
    if not Path(path).is_dir():
        raise UserError(f"no folder of images at {path}")
    files = sorted((p for p in Path(path).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES), key=natural)
    if not files:
        raise UserError(f"no images in {path} (looked for {' '.join(sorted(IMAGE_SUFFIXES))})")
    bar = tqdm(files, "reading", unit="image", leave=False, disable=None)
    return from_arrays(str(path), [resize(square(read_image(file))[None], size) for file in bar])


def join(videos, others):
    """All videos of both, without labels; `images` of the result draws uniformly among them."""
    frames, lengths = torch.cat([videos.frames, others.frames]), torch.cat([videos.lengths, others.lengths])
    starts = torch.cat([videos.starts, others.starts + len(videos.frames)])
    return Videos(f"{videos.name} and {others.name}", frames, starts, lengths, {}, {})


# ---------------------------------------------------------------------------------------------------------------------
# Preparation of licensed sets and of anybody's videos
# ---------------------------------------------------------------------------------------------------------------------

VIDEO_SUFFIXES = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".gif"}


@dataclass(frozen=True)
class Layout:
    """What `prepare` knows of a kind of folder tree."""

    expected: str  # said when nothing is found
    pattern: str  # the end of the path of a video's folder, in any case; the named groups become the labels
    min_frames: int
    detector: str = "dlib"
    mode: str = "RGB"  # Pillow's name for the colours
    ask: str = ""  # who hands out the data


LAYOUTS = {
    "mug": Layout(
        expected="subjects3/NNN/EXPRESSION/takeNNN/img_NNNN.jpg",
        pattern=r"/(?P<subject>\d{3})/(\d{3}/|session\d+/)*(?P<expression>[a-z]+)/(?P<take>take[^/]*)$",
        min_frames=64,
        ask="https://mug.ee.auth.gr/fed/",
    ),
    "oulu": Layout(
        expected="OriginalImg/NI/{Dark,Strong,Weak}/PNNN/EXPRESSION/NNN.jpeg",
        pattern=r"/NI/(?P<lighting>dark|strong|weak)/(?P<subject>p\d{3})/(?P<expression>[a-z]+)$",
        min_frames=16,  # one clip: these videos have some 23 frames, and the 64 of A.4 would leave next to none
        mode="L",  # near-infrared; what colour its JPEGs have is noise
        ask="https://www.oulu.fi/cmvs/node/41316",
    ),
    "folder": Layout(
        expected="VIDEO/FRAME.jpg (a folder a video) or VIDEO.mp4",
        pattern=r"(?P<group>[^/]*)/[^/]*$",  # the folder above
        min_frames=16,
        detector="center",
    ),
}


def load_licensed(name, root, size, split):
    """A licensed set (paper A.4) that `prepare` has written; UserError saying how to come by it otherwise."""
    folder = prepared_folder(root, name, size)
    if not folder.exists():
        raise UserError(
            f"no {name} data in {folder}: they are licensed, ask for them at {LAYOUTS[name].ask}, then "
            f"python data.py prepare {name} --source DIR --data-root {root} --size {size}"
        )
    return read_prepared(folder, name, split)


def is_video(file):
    return file.suffix.lower() in VIDEO_SUFFIXES


def find_videos(kind, source):
    """The videos below the folder `source`, in natural order: a list of (path, files, labels).

    path    the video's folder, or its file, relative to `source`
    files   its picture files in the order of their numbers (none if the folder is empty), or the one video file
    labels  {label: name of its value}, lower case, as the path says
    UserError if there is none, with the layout that was expected.
    """
    if not source.is_dir():
        raise UserError(f"there is no folder {source}")
    layout, videos, strangers = LAYOUTS[kind], [], []
    for folder, subfolders, names in os.walk(source):
        subfolders.sort(key=natural)
        folder = Path(folder)
        clips = [folder / name for name in sorted(names, key=natural) if is_video(Path(name))]
        for path, files in [(folder, image_files(folder)), *((clip, [clip]) for clip in clips)]:
            # the absolute path, so that `source` may be any level of the tree
            match = re.search(layout.pattern, path.as_posix(), re.IGNORECASE)
            if match and (files or kind != "folder"):
                labels = {label: value.lower() for label, value in match.groupdict().items()}
                videos.append((path.relative_to(source).as_posix(), files, labels))
            elif files:
                strangers.append(path)
    if not videos:
        seen = f"found pictures in {strangers[0]}" if strangers else "found no picture"
        ask = f"; the data are licensed, ask for them at {layout.ask}" if layout.ask else ""
        raise UserError(f"no videos of {kind} below {source}: expected .../{layout.expected}, {seen}{ask}")
    return videos


@cache
def video_reader():
    """PyAV: FFmpeg in a wheel, so there is nothing else to install, and it hands out one frame at a time."""
    try:
        import av
    except ImportError:
        raise UserError("video files are read with PyAV: pip install av") from None
    return av


@cache
def face_detector():
    """dlib's pretrained HOG detector of frontal faces (paper A.4)."""
    try:
        import dlib
    except ImportError:
        raise UserError("faces are found with dlib: pip install dlib-bin, or use --detector center") from None
    return dlib.get_frontal_face_detector()


def open_frames(files):
    """Yield (file, function that opens the frame as a Pillow image) for each frame, in order; pictures stay unread."""
    for file in files:
        if not is_video(file):
            yield file, partial(Image.open, file)
            continue
        av = video_reader()
        try:
            with av.open(str(file)) as container:
                for frame in container.decode(video=0):
                    yield file, frame.to_image
        except (av.error.FFmpegError, IndexError):  # broken, or without a picture track
            yield file, partial(Image.open, file)  # fails like any unreadable picture


def read_frame(open_frame, mode, least):
    """An opened frame as a Pillow image in `mode`, or None if it is unreadable.

    A JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its size that leaves `least` px to each side: the
    decoder then skips most of its work.
    """
    try:
        with open_frame() as image:
            image.draft(mode, (least, least))
            return image.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow's readers raise
        return None


def find_face(image):
    """The most certain face of a Pillow image as (x, y, side), or None.

    x, y: its centre. The unit is the shorter side of the picture, so that the numbers hold at every scale.
    """
    image = image.convert("L")
    image.thumbnail((960, 960))  # dlib looks for faces of 80 px and more; larger pictures cost time and find no more
    for doublings in (0, 1):
        faces, scores, _ = face_detector().run(np.asarray(image), doublings)
        if faces:
            face = faces[int(np.argmax(scores))]
            x, y = (face.left() + face.right() + 1) / 2, (face.top() + face.bottom() + 1) / 2
            return np.array([x, y, face.width()]) / min(image.size)
    return None


def find_center(image):
    """The largest square in the middle of a Pillow image, as `find_face` gives a face."""
    return np.array([image.width / 2, image.height / 2, min(image.size)]) / min(image.size)


def crop_square(image, crop, size):
    """The square `crop` (x, y, side) of a Pillow image, antialiased to uint8 (size, size, 3).

    A square that sticks out is moved inside, so that no pixel is made up; one larger than the picture is cut to its
    shorter side.
    """
    x, y, side = np.minimum(crop, [np.inf, np.inf, 1]) * min(image.size)
    left = np.clip(x - side / 2, 0, image.width - side)
    top = np.clip(y - side / 2, 0, image.height - side)
    box = (left, top, min(left + side, image.width), min(top + side, image.height))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box).convert("RGB"))


def prepare_video(files, part, size, detector, mode):
    """Crop one video and write it as the .npz file `part`: frames, crop, unreadable files, why it is left out (or "").

    One square serves the whole video, so that a head that moves still moves in it: the median centre and median side
    (one false alarm of three does no harm) of the faces in the first, middle and last frame, 1.3 times as wide, since
    dlib's box ends at brows and chin. The detector `center` gives the largest square, which cannot widen.
    """
    find = {"dlib": find_face, "center": find_center}[detector]
    count = sum(1 for _ in open_frames(files))
    wanted = {0, count // 2, count - 1}
    looked = [read_frame(open_frame, mode, 320) for i, (_, open_frame) in enumerate(open_frames(files)) if i in wanted]
    looked = [image for image in looked if image]
    places = [place for place in map(find, looked) if place is not None]
    frames, crop, unreadable = [], [], []
    if places:
        crop = np.median(places, axis=0) * [1, 1, 1.3]
        least = int(np.ceil(2 * size / min(crop[2], 1)))  # the square keeps twice the pixels that we want of it
        for file, open_frame in open_frames(files):
            image = read_frame(open_frame, mode, least)
            if image:
                frames.append(crop_square(image, crop, size))
            else:
                unreadable.append(str(file))
    saved = {
        "frames": np.array(frames, dtype=np.uint8).reshape(-1, size, size, 3),
        "crop": crop,
        "unreadable": np.array(unreadable, dtype=str),
        "why": "" if places else "no face found" if looked else "unreadable",
    }
    half = part.with_suffix(".half")
    with open(half, "wb") as file:
        np.savez(file, **saved)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, part)


def start_worker():
    """Leave Ctrl-C to the parent, and end when it ends: the workers of a killed parent would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def prepare_parts(jobs, workers):
    """Run `prepare_video` on every tuple of arguments in `jobs` whose part is not there yet, in processes."""
    missing = [job for job in jobs if not job[1].exists()]
    done = len(jobs) - len(missing)
    with ProcessPoolExecutor(workers, initializer=start_worker) as pool:
        try:
            futures = [pool.submit(prepare_video, *job) for job in missing]
            for future in tqdm(as_completed(futures), "preparing", len(jobs), initial=done, unit="video", disable=None):
                future.result()
        except BrokenProcessPool:
            raise UserError(
                "a worker died (was memory short?); the same command goes on, --workers 1 saves memory"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def sort_out(videos, lighting, min_frames):
    """Split what `find_videos` found by what is known before any picture is read: (videos to prepare, {why: paths})."""
    chosen, left_out = [], {}
    for path, files, labels in videos:
        if "expression" in labels and labels["expression"] not in EXPRESSIONS:  # the five that the paper keeps, A.4
            left_out.setdefault("another expression", []).append(path)
        elif lighting and labels["lighting"] not in lighting:
            left_out.setdefault("another lighting", []).append(path)
        elif not files:
            left_out.setdefault("no pictures", []).append(path)
        elif len(files) < min_frames and not is_video(files[0]):
            left_out.setdefault(f"fewer than {min_frames} frames", []).append(path)
        else:
            chosen.append((path, files, labels))
    return chosen, left_out


def label_videos(videos):
    """(labels, classes, test) of `write_prepared` for videos of {label: name}; every fifth subject is for test."""
    classes = {key: sorted({labels[key] for labels in videos}, key=natural) for key in videos[0]}
    labels = {key: np.array([names.index(labels[key]) for labels in videos]) for key, names in classes.items()}
    group = labels.get("subject", np.arange(len(videos)))  # where nothing says who is seen: every fifth video
    period = min(5, max(2, int(group.max()) + 1))
    return labels, classes, np.flatnonzero(group % period == period - 1)


def assemble(target, chosen, parts, min_frames, left_out):
    """Write the parts as one set, and its contact sheet; the report: {what: number, paths, or {why or path: ...}}."""
    kept, crops, lengths, middles, unreadable = [], {}, [], [], []
    for (path, _, labels), part in zip(chosen, parts, strict=True):
        with np.load(part) as saved:
            frames, why, crop = saved["frames"], str(saved["why"]), saved["crop"].tolist()
            unreadable += saved["unreadable"].tolist()
        if not why and len(frames) < min_frames:
            why = f"fewer than {min_frames} frames"
        if why:
            left_out.setdefault(why, []).append(path)
            continue
        kept.append((part, labels))
        crops[path] = crop
        lengths.append(len(frames))
        middles.append(frames[len(frames) // 2].copy())  # a view would keep the whole video in memory
    if not kept:
        counts = ", ".join(f"{why} {len(paths)}" for why, paths in left_out.items())
        raise UserError(f"no video can be kept: {counts}")
    labels, classes, test = label_videos([labels for _, labels in kept])
    report = {"kept": len(kept), "left_out": left_out, "unreadable": unreadable, "crops": crops}
    save_png(f"{target}.png", tile(np.stack(middles), columns=int(np.ceil(len(middles) ** 0.5))))
    frames = (np.load(part)["frames"] for part, _ in kept)  # one video in memory at a time
    write_prepared(target, frames, lengths, labels, classes, test, report=report)
    return report


def prepare(kind, source, root="data", size=64, detector=None, lighting=None, min_frames=None, workers=None):
    """Prepare the tree `source` of `kind` mug, oulu or folder (anybody's videos): what `load(NAME, root, size)` reads.

    NAME is the kind, for a folder the folder's own name. Kept are the paper's five expressions (A.4) and videos of at
    least `min_frames` frames. Each cropped video waits in a file of its own until all are there: a run that was stopped
    or killed goes on where it was, and ends with the same bytes as one that was not. A contact sheet, the middle frame
    of each video, is ROOT/NAME-SIZE.png. Returns the prepared folder and the report, which its index.json holds too.
    UserError for what a user can get wrong; a disk too small is found before the work begins.
    """
    source, layout = Path(source).resolve(), LAYOUTS[kind]
    name = source.name if kind == "folder" else kind
    detector, min_frames = detector or layout.detector, min_frames or layout.min_frames
    if min(size, min_frames, workers or 1) < 1:
        raise UserError("--size, --min-frames and --workers are at least 1")
    if lighting and kind != "oulu":
        raise UserError(f"--lighting is for oulu alone: nothing says how {kind} is lit")
    if kind == "folder" and name in DATASETS:
        raise UserError(f"{name} is the name of another data set: rename the folder {source}")
    target = prepared_folder(root, name, size)
    if target.exists():
        raise UserError(f"{target} is already there; delete it to prepare anew")
    chosen, left_out = sort_out(find_videos(kind, source), lighting, min_frames)
    if detector == "dlib":
        face_detector()
    if any(is_video(files[0]) for _, files, _ in chosen):
        video_reader()

    folder = target.with_name(f".{target.name}-parts")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for _, files, _ in chosen:
        # all that the result depends on names the part, so other settings never meet the parts of an earlier run
        key = repr((list(map(str, files)), size, detector, layout.mode)).encode()
        jobs.append((files, folder / f"{hashlib.sha256(key).hexdigest()}.npz", size, detector, layout.mode))
    # on the disk each part once, and all of them once more in the whole
    need = sum(len(files) * (1 if part.exists() else 2) for files, part, *_ in jobs) * size * size * 3
    if (free := shutil.disk_usage(folder).free) < need:
        raise UserError(f"preparing takes {need / 1e9:.2f} GB in {folder.parent}, where {free / 1e9:.2f} GB are free")
    prepare_parts(jobs, workers)
    report = assemble(target, chosen, [job[1] for job in jobs], min_frames, left_out)
    shutil.rmtree(folder)
    return target, report


def print_report(kind, target, report):
    """What was kept and what not, and why; the pictures and videos that ask for a look by their paths."""
    describe(read_prepared(target, target.name, "all"))
    left_out, look_at = report["left_out"], ("no face found", "unreadable")
    found = report["kept"] + sum(map(len, left_out.values()))
    print(f"kept {report['kept']} of {found} videos" + (" (the paper ends with 633)" if kind == "mug" else ""))
    for why, paths in left_out.items():
        print(f"  {why}: {len(paths)}" + "".join(f"\n    {path}" for path in paths if why in look_at))
    if report["unreadable"]:
        print(f"unreadable pictures, left out: {len(report['unreadable'])}")
        print("\n".join(f"    {path}" for path in report["unreadable"]))
    print(f"written to {target}; look over {target}.png")


# ---------------------------------------------------------------------------------------------------------------------
# load
# ---------------------------------------------------------------------------------------------------------------------

DATASETS = {
    "faces": (load_faces, "633 videos of 52 drawn people with 5 expressions; built in"),
    "weizmann": (load_weizmann, "72 videos of 9 people in 4 actions; python data.py download weizmann"),
    "sprites": (load_sprites, "11,664 videos of 1296 game characters; python data.py download sprites"),
    "mug": (partial(load_licensed, "mug"), "633 videos of 52 faces; licensed: python data.py prepare mug --source DIR"),
    "oulu": (partial(load_licensed, "oulu"), "near-infrared faces; licensed: python data.py prepare oulu --source DIR"),
}


def load(name, root="data", size=64, split="train"):
    """The data set `name` as `Videos`, frames `size` x `size`.

    name   one of DATASETS, a set that `prepare folder` wrote, or a path: a folder of video folders of images, or an
           .npy (N, T, H, W, C) uint8
    root   the folder that holds the data sets
    split  train, test (people or characters that train has not) or all
    UserError if there is no such data set, or if it is not where it should be.
    """
    if name in DATASETS:
        return DATASETS[name][0](root, size, split)
    if (prepared_folder(root, name, size) / "index.json").is_file():  # what `prepare folder` wrote
        return read_prepared(prepared_folder(root, name, size), name, split)
    if Path(name).exists():
        return load_path(name, size, split)
    raise UserError(f"no data set or path called {name!r}; there are {', '.join(DATASETS)}, or give a path")


# ---------------------------------------------------------------------------------------------------------------------
# Writers
# ---------------------------------------------------------------------------------------------------------------------


def enlarge(frames, pixels=96):
    """Repeat the pixels of uint8 (..., H, W, C) so that small pictures are seen: 32 px become 96, 64 px stay."""
    times = max(1, pixels // frames.shape[-2])
    return frames.repeat(times, -3).repeat(times, -2)


def save_png(path, image):
    """Write a uint8 array (H, W, C) as a PNG, making its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def tile(images, columns):
    """uint8 (N, H, W, C) to one picture (H', W', C), `columns` to a row, with white gaps."""
    grid = make_grid(torch.as_tensor(enlarge(images)).permute(0, 3, 1, 2), nrow=columns, padding=2, pad_value=255)
    return grid.permute(1, 2, 0).numpy()


def save_grid(path, videos):
    """Write float videos (B, T, C, H, W) in [-1, 1] as a PNG: one video a row, time to the right."""
    save_png(path, tile(to_uint8(videos.flatten(0, 1)), columns=videos.shape[1]))


def save_gif(path, videos, columns=8, fps=12):
    """Write float videos (B, T, C, H, W) in [-1, 1] as one looping GIF, the videos side by side."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.fromarray(tile(frame, columns)) for frame in to_uint8(videos).swapaxes(0, 1)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=1000 // fps, loop=0)


def save_samples(path, videos):
    """Write uint8 videos (N, T, H, W, C) as an .npy file."""
    assert videos.dtype == np.uint8 and videos.ndim == 5, (videos.dtype, videos.shape)
    with open(path, "wb") as file:
        np.save(file, videos)


def read_samples(path):
    """The videos of an .npy file, (N, T, H, W, C) uint8, memory-mapped. UserError if it holds anything else."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    right = isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 5 and array.shape[-1] == 3
    if not right or array.size == 0:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise UserError(f"{path} holds {found}; expected uint8 (N, T, H, W, 3)")
    return array


# ---------------------------------------------------------------------------------------------------------------------
# Run directories: checkpoints, the log, signals
# ---------------------------------------------------------------------------------------------------------------------


def open_run(out, resume=False, overwrite=False):
    """Make the run directory `out`. UserError if it holds a run that is neither resumed nor overwritten."""
    out = Path(out)
    if (out / "config.json").exists() and not resume:
        if not overwrite:
            raise UserError(f"{out} already holds a run; add --resume to go on, or --overwrite to delete it")
        shutil.rmtree(out)
    (out / "samples").mkdir(parents=True, exist_ok=True)
    return out


def save_state(path, state):
    """Write a dict of tensors and plain values, whole or not at all: to a temporary file first, then renamed."""
    temporary = path.with_suffix(".tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch reports some full disks as a RuntimeError
        temporary.unlink(missing_ok=True)
        raise UserError(f"cannot save {path}: {error}; what was saved there before is whole") from None


def load_state(path, model, device="cpu"):
    """What `save_state` wrote. UserError if there is none, or if it is damaged or of another model."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        found = state["model"]
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}") from None
    except Exception as error:  # a truncated file fails in many ways: zip, pickle, end of file, a missing key
        raise UserError(f"{path} is damaged, or no checkpoint ({type(error).__name__})") from None
    if found != model:
        raise UserError(f"{path} is a checkpoint of {found}.py, not of {model}.py, whose latents mean something else")
    return state


@contextlib.contextmanager
def caught_signals():
    """Within it, SIGINT and SIGTERM are collected in the list it gives, so that a run can save before it stops."""
    numbers = []
    before = {s: signal.signal(s, lambda number, _: numbers.append(number)) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield numbers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Log:
    """log.csv of a run: a row an interval, shown on a progress bar, or printed where there is no terminal."""

    def __init__(self, path, first, total):
        """Rows after iteration `first` are dropped: a run that goes on from its checkpoint writes them again."""
        self.path, self.columns = path, []
        rows = [row for row in self.rows() if row["iteration"] <= first]
        path.unlink(missing_ok=True)
        for row in rows:
            self.append(row)
        self.bar = tqdm(total=total, initial=first, unit="it", disable=None, dynamic_ncols=True)
        self.clear()

    def clear(self):
        self.history, self.begun = [], time.perf_counter()

    def rows(self):
        rows = read_log(self.path) if self.path.exists() else []
        return [row | {"iteration": int(row["iteration"])} for row in rows]

    def append(self, row):
        rows, mode = [row], "a"
        if not set(row) <= set(self.columns):  # a loss may come later: --terms and --summary-every
            rows, mode = [*self.rows(), row], "w"
            self.columns = list(dict.fromkeys([*self.columns, *row]))
        with open(self.path, mode, newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if mode == "w":
                writer.writeheader()
            writer.writerows(rows)

    def add(self, losses):
        """Keep one iteration's losses {name: scalar tensor}; nothing is read from the device yet."""
        self.history.append(losses)
        self.bar.update()

    def check(self, iteration):
        """UserError naming the first iteration since the last row whose losses are not finite."""
        finite = torch.stack([sum(losses.values()) for losses in self.history]).isfinite()
        if not finite.all():
            first = iteration - len(self.history) + 1 + int((~finite).nonzero()[0])
            raise UserError(f"a loss is NaN or infinite at iteration {first}; the last checkpoint is from before it")

    def write(self, iteration, device):
        """A row: the mean of every loss since the last one, iterations a second, peak memory in MB."""
        names = list(dict.fromkeys(name for losses in self.history for name in losses))
        row = {n: torch.stack([losses[n] for losses in self.history if n in losses]).mean().item() for n in names}
        speed = len(self.history) / (time.perf_counter() - self.begun)
        self.append({"iteration": iteration, **row, "it_per_s": speed, "peak_memory_mb": peak_memory(device)})
        text = "  ".join(f"{name} {value:.3f}" for name, value in row.items())
        self.bar.set_postfix_str(text)
        if self.bar.disable:
            left = datetime.timedelta(seconds=round((self.bar.total - iteration) / speed))
            print(f"{iteration}/{self.bar.total}  {text}  {speed:.2f} it/s  left {left}", flush=True)
        self.clear()

    def warn_if_slow(self, total):
        """Say what the run will take on this CPU, if that is more than a day; called after its first iterations."""
        seconds = (time.perf_counter() - self.begun) / len(self.history)
        if (days := seconds * total / 86400) > 1:
            tqdm.write(
                f"{seconds:.1f} s an iteration: {total} iterations will take about {days:.0f} days on this CPU. "
                "What fits a CPU: --size 32 --width 16 --batch 16 --iters 2000. Going on; Ctrl-C saves and stops."
            )


def read_log(path):
    """The rows of a log.csv, as a list of {column: float}."""
    with open(path, newline="") as file:
        return [{key: float(value or "nan") for key, value in row.items()} for row in csv.DictReader(file)]


def plot_log(path, png):
    """Draw every loss of a log.csv, once it has a row, against the iteration."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    rows = read_log(path) if Path(path).exists() else []
    if not rows:
        return  # no interval has ended yet
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name in [key for key in rows[0] if key not in ("iteration", "it_per_s", "peak_memory_mb")]:
        axes.plot([row["iteration"] for row in rows], [row[name] for row in rows], label=name, linewidth=1)
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss (mean over the interval)")
    axes.set_yscale("log")  # the error of a VAE is many times its divergences, and D's loss may go to 0
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(png, dpi=120)


def keep_freed_memory():
    """Let glibc keep what an iteration frees for the next one, where it would hand tensors of 32 MB back to the kernel.

    Getting them anew, page by page, is a seventh of a CPU's time at the paper's size. Elsewhere it does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # no glibc
    mallopt(-4, 0)  # M_MMAP_MAX: no block comes from the kernel on its own
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nor does the end of the heap go back


def peak_memory(device):
    """The largest memory this process has had, in MB: of the GPU on CUDA, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # not on Windows, where CUDA is what one trains on

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# ---------------------------------------------------------------------------------------------------------------------
# Downloads
# ---------------------------------------------------------------------------------------------------------------------

# archive, the folder inside it, the members we take, sha256 of what they decode to (the packing may change, pixels not)
DOWNLOADS = {
    "weizmann": (
        "https://github.com/sergeytulyakov/mocogan/archive/937a99de73a3385fe0c0d1cde65dfa8a2c4177ec.zip",
        "data/actions",
        WEIZMANN_FILES,
        "b6c7402e20d04d8a79036429698b865d435c20f778a4542f9cc373d3f4accf5d",
    ),
    "sprites": (
        "https://github.com/YingzhenLi/Sprites/archive/3ce4048c5227802bd8f1888e293fd3afdba91c0c.zip",
        "",
        SPRITE_FILES,
        "1835566b03edb147b228e5f137f572e0220968daf273ea913af4d213322c7f45",
    ),
}


def pixels_sum(folder, members):
    """sha256 of the decoded RGBA pixels of the pictures `members` of `folder`, in that order."""
    digest = hashlib.sha256()
    for name in members:
        digest.update(read_image(folder / name, "RGBA").tobytes())
    return digest.hexdigest()


def download(name, root="data", url=None):
    """Fetch a public data set into ROOT/NAME, whole and checked, or nothing; `url`: another place of the archive."""
    source, inside, members, expected = DOWNLOADS[name]
    url, target = url or source, Path(root) / name
    if target.exists():
        raise UserError(f"{target} is already there; delete it to download anew")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as temporary:
        archive, half = Path(temporary) / "archive.zip", Path(temporary) / name
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, open(archive, "wb") as file:
                total = int(answer.headers.get("Content-Length") or 0)
                with tqdm(total=total or None, unit="B", unit_scale=True, desc=name, disable=None) as bar:
                    while block := answer.read(1 << 20):
                        file.write(block)
                        bar.update(len(block))
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ValueError) as error:
            raise UserError(f"cannot download {url}: {error}") from None
        if total and archive.stat().st_size != total:
            raise UserError(f"the download of {url} broke off after {archive.stat().st_size} of {total} bytes")
        try:
            with zipfile.ZipFile(archive) as packed:
                top = packed.namelist()[0].split("/")[0]
                for member in members:  # exactly these names, so nothing can land outside the folder
                    (half / member).parent.mkdir(parents=True, exist_ok=True)
                    with packed.open(f"{top}/{inside}/{member}".replace("//", "/")) as packed_file:
                        with open(half / member, "wb") as file:
                            shutil.copyfileobj(packed_file, file)
        except Exception as error:  # a damaged archive fails in many ways: zip, zlib, end of file, a missing member
            raise UserError(f"cannot unpack the archive of {url}: {error or type(error).__name__}") from None
        if pixels_sum(half, members) != expected:
            raise UserError(f"{url} holds other pictures than expected (by their sha256)")
        half.rename(target)
    print(f"{name}: {len(members)} files in {target}")


# ---------------------------------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------------------------------


def describe(videos):
    """Print how many videos there are, their lengths, and how often each label has each value."""
    longest, total = int(videos.lengths.max()), int(videos.lengths.sum())
    print(f"{videos.name}: {len(videos)} videos of {videos.shortest} to {longest} frames, {total} in all")
    for label, names in videos.classes.items():
        counts = np.bincount(videos.labels[label], minlength=len(names))
        each = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        print(f"  {label}: {each if len(names) <= 12 else f'{len(names)} values'}")


def show(name, root, size, split, out):
    """A contact sheet: up to 24 videos, each a row of 12 frames spread over its length."""
    videos = load(name, root, size, split)
    picked = np.linspace(0, len(videos) - 1, min(24, len(videos))).round().astype(int)
    rows = [video[np.linspace(0, len(video) - 1, 12).round().astype(int)] for video in (videos[i] for i in picked)]
    out = Path(out or f"{Path(name).stem}.png")
    save_grid(out, to_float(np.stack(rows)))
    describe(videos)
    print(f"contact sheet: {out}")


def fail(message):
    """One line on stderr and exit status 2: what a user got wrong."""
    print(f"data.py: error: {message}", file=sys.stderr)
    raise SystemExit(2)


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Data sets of videos: list, show, download, prepare.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the data sets, and whether they are here", allow_abbrev=False)
    shown = commands.add_parser("show", help="a contact sheet as PNG", allow_abbrev=False)
    shown.add_argument("name", help="a data set's name or a path")
    shown.add_argument("--size", type=int, default=64, choices=(32, 64, 128), help="pixels (default 64)")
    shown.add_argument("--split", choices=["train", "test", "all"], default="all", help="which videos (default all)")
    shown.add_argument("--out", help="where to write the PNG (default NAME.png)")
    fetched = commands.add_parser("download", help="fetch a public data set", allow_abbrev=False)
    fetched.add_argument("name", choices=list(DOWNLOADS), help="which one")
    fetched.add_argument("--url", help="another place that serves the same archive")
    made = commands.add_parser("prepare", help="crop and shrink a licensed set, or your own videos", allow_abbrev=False)
    made.add_argument("kind", choices=list(LAYOUTS), help="which one; folder: a folder a video, or video files")
    made.add_argument("--source", required=True, help="the folder you were given, at any level")
    made.add_argument("--size", type=int, default=64, choices=(32, 64, 128), help="pixels (default 64)")
    made.add_argument(
        "--detector",
        choices=["dlib", "center"],
        help="crop to the face or to the middle (default dlib; folder: center)",
    )
    made.add_argument(
        "--lighting", nargs="+", choices=["dark", "strong", "weak"], help="of oulu, those to keep (default all)"
    )
    made.add_argument("--min-frames", type=int, help="leave out shorter videos (default mug 64, others 16)")
    made.add_argument("--workers", type=int, help="processes (default one a core)")
    parser.error = fail
    for command in commands.choices.values():
        command.error = fail
        command.add_argument("--data-root", default="data", help="the folder that holds the data sets (default data)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        if args.command == "list":
            for name, (_, about) in DATASETS.items():
                here = (Path(args.data_root) / name).exists() or list(Path(args.data_root).glob(f"{name}-*/index.json"))
                print(f"{name:10} {'here' if here or name == 'faces' else 'not here':9} {about}")
        elif args.command == "show":
            show(args.name, args.data_root, args.size, args.split, args.out)
        elif args.command == "download":
            download(args.name, args.data_root, args.url)
        elif args.command == "prepare":
            options = (args.size, args.detector, args.lighting, args.min_frames, args.workers)
            print_report(args.kind, *prepare(args.kind, args.source, args.data_root, *options))
    except (UserError, OSError) as error:
        fail(error)
    except KeyboardInterrupt:
        fail("interrupted; started again, prepare goes on from here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
