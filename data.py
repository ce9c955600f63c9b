"""Videos in memory and on disk, and the files of a run; tools/ draws, reads and prepares data sets.

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
import functools
import hashlib
import importlib
import io
import json
import math
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.utils import make_grid
from tqdm import tqdm

# Every command imports this module: what the terminal's encoding lacks in a name is printed escaped, and ends nothing.
if isinstance(sys.stdout, io.TextIOWrapper):
    sys.stdout.reconfigure(errors="backslashreplace")


class UserError(Exception):
    """What a user can get wrong: its text is one clear line. Every `main` prints it and exits with status 2."""

    def __str__(self):
        return printable(super().__str__())


def printable(text):
    """`text` on one line, whatever stands in the names of files: line breaks, a terminal's orders, stray bytes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def tool(name):
    """The module tools/NAME.py, imported when it is asked for: a model file needs only data.py to train on an .npy."""
    return importlib.import_module(f"tools.{name}")


# --- Videos in memory ------------------------------------------------------------------------------------------------


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
        labels = {key: values[index] for key, values in self.labels.items()}
        return replace(self, starts=self.starts[index], lengths=self.lengths[index], labels=labels)

    def at_least(self, length):
        """The videos of at least `length` frames. UserError if there is none."""
        if not len(self):
            raise UserError(f"no videos of {self.name} are left to take clips from")
        mask = (self.lengths >= length).cpu().numpy()
        if not mask.any():
            longest = int(self.lengths.max())
            fits = "--stride 1 or fewer --frames may fit"
            raise UserError(f"clips span {length} frames, and the longest video of {self.name} has {longest}: {fits}")
        return self.subset(mask)

    def to(self, device):
        """The same videos with their frames on `device`."""
        return replace(self, **{key: getattr(self, key).to(device) for key in ("frames", "starts", "lengths")})

    def fingerprint(self):
        """What data this is, for what was made from it: {name, videos, frames, sum}; a name alone can mean many sets.

        sum: sha256 (16 digits) of all lengths and labels and of the middle frame of each video, of at most 1000 videos.
        """
        some = torch.linspace(0, len(self) - 1, min(len(self), 1000), device=self.starts.device).long()
        frames = self.frames[self.starts[some] + self.lengths[some] // 2].cpu().contiguous()  # (N, H, W, C)
        facts = [tuple(frames.shape), self.lengths.tolist(), self.classes]
        facts += [sorted((label, values.tolist()) for label, values in self.labels.items())]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        digest.update(frames.numpy())
        count = {"videos": len(self), "frames": int(self.lengths.sum())}
        return {"name": self.name, **count, "sum": digest.hexdigest()[:16]}

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


def middle_clips(videos, frames, stride=1, count=None):
    """The middle clip of every video that is long enough, or of `count` of them, in an order that is always the same.

    Returns a uint8 tensor (N, T, H, W, C). UserError if all videos are too short.
    """
    span = (frames - 1) * stride + 1
    videos = videos.at_least(span)
    some = torch.randperm(len(videos), generator=torch.Generator().manual_seed(0))[:count]
    first = videos.starts[some] + (videos.lengths[some] - span) // 2
    return videos.frames[first[:, None] + torch.arange(frames) * stride]


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


# --- Prepared data sets: a folder with frames.npy and index.json -----------------------------------------------------


def prepared_folder(root, name, size):
    """ROOT/NAME-SIZE, or data/NAME-SIZE where ROOT is read-only by its mode, which even the superuser respects."""
    folder = Path(root) / f"{name}-{size}"
    parent = next(p for p in (folder.parent.absolute(), *folder.parent.absolute().parents) if p.exists())
    writable = os.access(parent, os.W_OK) and parent.stat().st_mode & 0o222
    return folder if folder.exists() or writable else Path("data") / folder.name


def read_prepared(folder, name, split):
    """`Videos` of what `write_prepared` of tools/prepare.py wrote, frames memory-mapped. UserError if it is damaged."""
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
    masks = {"train": ~test, "test": test, "all": np.ones_like(test)}
    if split not in masks:
        raise UserError(f"no split {split!r}: there are train, test and all")
    part = videos.subset(masks[split])
    if not len(part):
        raise UserError(f"no videos in the {split} split of {videos.name}")
    return part


# --- Anybody's videos: a folder of video folders, or an .npy file ----------------------------------------------------


def square(frames):
    """The largest centred square of (..., H, W, C)."""
    height, width = frames.shape[-3:-1]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[..., top : top + side, left : left + side, :]


def load_path(path, size, split):
    """A folder of video folders of images, at any depth, or an .npy of shape (N, T, H, W, C) uint8.

    Every tenth video is for test. UserError for what else people give.
    """
    path = Path(path)
    folder = (path if path.is_dir() else path.parent).resolve()
    if (folder / "index.json").is_file() and (folder / "frames.npy").is_file():
        name, _, prepared = folder.name.rpartition("-")
        flags = f"--data {quote(name)} --data-root {quote(str(folder.parent))} --size {prepared}"
        raise UserError(f"{path} is a prepared set: give {flags}")
    if path.suffix.lower() == ".npy" and not path.is_dir():
        videos = [resize(square(np.ascontiguousarray(video)), size) for video in read_samples(path)]
        names = [str(i) for i in range(len(videos))]
    else:
        videos, names = tool("pictures").read_folder(path, size)
    number = np.arange(len(videos))
    videos = from_arrays(str(path), videos, {"video": number}, {"video": names})
    return take_split(videos, (number % 10 == 9) if len(videos) >= 10 else number == len(videos) - 1, split)


def load_images(path, size):
    """A folder of single images, searched to any depth, as `Videos` of one frame each."""
    return from_arrays(str(path), tool("pictures").read_images(path, size))


def join(videos, others):
    """All videos of both, without labels; `images` of the result draws uniformly among them."""
    frames, lengths = torch.cat([videos.frames, others.frames]), torch.cat([videos.lengths, others.lengths])
    starts = torch.cat([videos.starts, others.starts + len(videos.frames)])
    return Videos(f"{videos.name} and {others.name}", frames, starts, lengths, {}, {})


# --- load ------------------------------------------------------------------------------------------------------------


LICENSED = {"mug": "https://mug.ee.auth.gr/fed/", "oulu": "https://www.oulu.fi/cmvs/node/41316"}  # who hands them out


def public(name):
    """What loads a data set of tools/public.py."""
    return lambda *given: getattr(tool("public"), f"load_{name}")(*given)


DATASETS = {  # name: (what loads it; None: it is prepared by tools/prepare.py, what it is)
    "faces": (public("faces"), "633 videos of 52 drawn people with 5 expressions; built in"),
    "weizmann": (public("weizmann"), "72 videos of 9 people in 4 actions; python data.py download weizmann"),
    "sprites": (public("sprites"), "11,664 videos of 1296 game characters; python data.py download sprites"),
    "mug": (None, "633 videos of 52 faces; licensed: python data.py prepare mug --source DIR"),
    "oulu": (None, "near-infrared faces; licensed: python data.py prepare oulu --source DIR"),
}


def load(name, root="data", size=64, split="train"):
    """The data set `name` as `Videos`, frames `size` x `size`.

    name   one of DATASETS, a set that `prepare folder` wrote, or a path: a folder of video folders of images, or an
           .npy (N, T, H, W, C) uint8
    root   the folder that holds the data sets
    split  train, test (people or characters that train has not) or all
    UserError if there is no such data set, or if it is not where it should be.
    """
    if loader := DATASETS.get(name, (None,))[0]:
        return loader(root, size, split)
    folders = {s: prepared_folder(root, name, s) for s in (32, 64, 128, size)}  # where `prepare` writes
    sizes = [s for s, folder in folders.items() if (folder / "index.json").is_file()]
    if size in sizes:
        return read_prepared(folders[size], name, split)
    if name not in LICENSED and Path(name).exists():
        return load_path(name, size, split)
    if sizes or name in LICENSED:
        there = (
            f"it is there at {' and '.join(map(str, sizes))} pixels: give --size {sizes[0]}; or else " if sizes else ""
        )
        ask = f"they are licensed, ask for them at {LICENSED[name]}, then " if name in LICENSED else ""
        again = f"prepare {name if ask else 'folder'} --source DIR --data-root {quote(str(root))} --size {size}"
        raise UserError(f"no {name} of {size} pixels in {Path(root).absolute()}: {there}{ask}python data.py {again}")
    raise UserError(
        f"no data set or path called {name!r}; there are {', '.join(DATASETS)}, what `prepare folder` has written to "
        f"--data-root {Path(root).absolute()}, or give a path"
    )


def run_name(name):
    """A data set's name or path as a part of a file's name: its last part, dots and all, but for a trailing .npy."""
    return os.path.basename(os.path.abspath(name)).removesuffix(".npy")  # abspath: `.` and `..` have names, too


# --- Writers ---------------------------------------------------------------------------------------------------------


def enlarge(frames, pixels=96):
    """Repeat the pixels of uint8 (..., H, W, C) so that small pictures are seen: 32 px become 96, 64 px stay."""
    times = max(1, pixels // frames.shape[-2])
    return frames.repeat(times, -3).repeat(times, -2)


def save_png(path, image):
    """Write a uint8 array (H, W, C) as a PNG, making its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, "PNG")


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


@contextlib.contextmanager
def whole_file(path):
    """Give a file to write, which becomes `path` whole or not at all: flushed to the disk, then renamed."""
    half = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.tmp")
    try:
        with open(half, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


def save_samples(path, videos):
    """Write uint8 videos (N, T, H, W, C) as an .npy file, whole or not at all."""
    assert videos.dtype == np.uint8 and videos.ndim == 5, (videos.dtype, videos.shape)
    with whole_file(path) as file:
        np.save(file, videos)


def read_samples(path):
    """The videos of an .npy file, (N, T, H, W, C) uint8, memory-mapped. UserError if it holds anything else."""
    try:
        array = np.lib.format.open_memmap(path, "r")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    if array.dtype != np.uint8 or array.ndim != 5 or array.shape[-1] != 3 or array.size == 0:
        raise UserError(f"{path} holds {array.dtype} {array.shape}; expected uint8 (N, T, H, W, 3)")
    return array


# --- A training run: its flags ---------------------------------------------------------------------------------------


def seeded(seed, device="cpu"):
    """A random generator: a stream of its own for each use of chance, so that none shifts another."""
    return torch.Generator(device).manual_seed(seed)


def number(kind, low, high=math.inf):
    """A type of argparse: an int or a float (kind) from `low` to below `high`."""

    def convert(text):
        if not low <= kind(text) < high:
            raise ValueError
        return kind(text)

    convert.__name__ = f"{kind.__name__} >= {low}" + f" and < {high}" * (high < math.inf)  # in argparse's message
    return convert


def device(name):
    """A type of argparse: cpu or cuda; auto is CUDA where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise argparse.ArgumentTypeError("torch finds no CUDA GPU here")
    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


positive, fraction, weight, rate = number(int, 1), number(float, 0, 1), number(float, 0), number(float, 1e-12)


def fail(program, message):
    """One line on stderr and exit status 2: what a user got wrong."""
    print(f"{program}.py: error: {printable(message)}", file=sys.stderr)
    raise SystemExit(2)


class Help(argparse.HelpFormatter):
    """Shows the default of every flag that has one."""

    def _get_help_string(self, action):
        told = not isinstance(action.default, bool) and action.default not in (None, argparse.SUPPRESS)
        return action.help + " (default %(default)s)" * told


def run_parser(model, split, about, fixed=()):
    """A parser with the flags that every model file has: of its data, its training, and the files of a run.

    model, split   the model file's name, and the split of the data that it trains on
    about, fixed   a line for --help, and the flags that --resume cannot change, beside those of every model file
    """
    parser = argparse.ArgumentParser(f"{model}.py", description=about, formatter_class=Help, allow_abbrev=False)
    parser.error = functools.partial(fail, model)
    parser.set_defaults(model=model, split=split, data_sum=None, images_sum=None, changed=[])
    parser.fixed = ("preset", "seed", "size", "width", *fixed)
    add = parser.add_argument
    add("--data", default="faces", metavar="NAME", help="data set (python data.py list), or a path")
    add("--data-root", default="data", metavar="DIR", help="folder of the data sets")
    add("--out", metavar="DIR", help="run directory (default runs/MODEL-DATA)")
    add("--iters", type=positive, metavar="N", help="iterations in all, also with --resume")
    add("--batch", type=positive, metavar="N", help="videos a batch")
    add("--frames", type=positive, metavar="T", help="frames a clip")
    add("--stride", type=positive, metavar="N", help="take every Nth frame of the data")
    add("--size", type=int, choices=(32, 64, 128), help="pixels of a frame's side")
    add("--width", type=positive, metavar="CH", help="base channel count")
    add("--lr", type=rate, metavar="X", help="Adam's learning rate")
    add("--ema", type=fraction, default=0.999, metavar="X", help="decay of the averaged weights")
    add("--seed", type=number(int, 0, 2**32), default=0, metavar="N", help="seed of everything random")
    add("--device", type=device, default="auto", choices=("auto", "cpu", "cuda"), help="auto: CUDA where there is one")
    add("--precision", default="fp32", choices=("fp32", "bf16"), help="bf16: compute in bfloat16, keep float32 weights")
    add("--compile", action="store_true", help="compile the networks, for GPUs: takes a minute at the start")
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--resume", action="store_true", help="resume from the run's checkpoint, with the run's flags")
    there.add_argument("--overwrite", action="store_true", help="delete the run that --out holds")
    add("--log-every", type=positive, default=100, metavar="N", help="iterations between rows of log.csv")
    add("--sample-every", type=positive, default=1000, metavar="N", help="iterations between sample grids")
    add("--save-every", type=positive, default=1000, metavar="N", help="iterations between checkpoints")
    trained = parser.add_mutually_exclusive_group()
    trained.add_argument("--sample", type=positive, metavar="N", help="draw N videos of a trained run, and its figures")
    trained.add_argument("--eval", action="store_true", help="evaluate a trained run: GANs by FVD, VAEs by bounds")
    trained.add_argument("--explore", action="store_true", help="make a page that plays with a trained run")
    trained.add_argument("--publish", metavar="DIR", help="write a small copy of a trained run, to hand on")
    add("--raw", action="store_true", help="with --sample, --eval, --explore: the weights as trained")
    return parser


def trains(args):
    """Whether these flags ask for training, and not for something of a trained run."""
    return not (args.sample or args.eval or args.explore or args.publish)


# What a command asks for anew; every other flag is kept in the run's config.json
ONCE = ("model", "split", "out", "device", "resume", "overwrite", "sample", "eval", "explore", "publish", "raw")
# What may change from one --resume to the next without a word: how long, how often, where
WITHOUT_A_WORD = (*ONCE, "iters", "log_every", "sample_every", "save_every", "data", "data_root")
WITHOUT_A_WORD += ("data_sum", "images_sum", "changed")  # what the run keeps itself


def parse_run(parser, presets, argv=None):
    """Parse the flags. A preset sets their defaults; with --resume, or of a trained run, the run's own values do.

    presets: {name: {flag: value}}, the first of which is the default
    """
    about = "the defaults of the other flags: the paper's, for a GPU" + "; or fast, for a CPU" * ("fast" in presets)
    parser.add_argument("--preset", default=next(iter(presets)), choices=presets, help=about)
    parser.set_defaults(**next(iter(presets.values())))
    args = parser.parse_args(argv)
    parser.set_defaults(**presets[args.preset])
    args = parser.parse_args(argv)
    args.out = args.out or f"runs/{args.model}-{run_name(args.data)}"
    if args.resume or not trains(args):
        try:
            config = json.loads((Path(args.out) / "config.json").read_text())
        except (OSError, ValueError) as error:
            parser.error(f"there is no run in {args.out}: {error}")
        if args.resume and "published" in config:
            parser.error(f"{args.out} is published, and cannot go on: start from it with --init {quote(args.out)}")
        known = {key: config[key] for key in vars(args) if key in config and key not in ONCE}
        parser.set_defaults(**known, out=args.out)
        args = parser.parse_args(argv)
        for name in parser.fixed if args.resume else ("size", "width", *["data", "stride"] * args.eval):
            was, now = known.get(name), getattr(args, name)
            if name in known and was != now:
                flag = f"--{name.replace('_', '-')}"
                parser.error(f"{args.out} was trained with {flag} {was}, not {now}: that cannot change")
    return args


# --- A training run: its files ---------------------------------------------------------------------------------------


def load_for(args):
    """The data set of a run on its device. UserError if it is not what the run that is resumed has seen."""
    return same_as_before(args, "data", load(args.data, args.data_root, args.size, args.split))


def same_as_before(args, name, videos):
    """What the flag `name` gives, on the run's device. UserError if the run that is resumed has seen something else."""
    seen, now = getattr(args, f"{name}_sum"), videos.fingerprint()["sum"]
    if args.resume and seen not in (None, now):
        raise UserError(f"--{name} {getattr(args, name)} is not what {args.out} was trained on, by its content")
    setattr(args, f"{name}_sum", now)
    return videos.to(args.device)


def load_gan_videos(args):
    """Three sets of real videos: for D_I, all and the --images; for D_V, all or all but the fraction --frames-only,
    chosen by --seed; and what D_V does not see of the first, or all of it where D_V sees all.
    """
    videos = load_for(args)
    shuffled = torch.randperm(len(videos), generator=seeded(args.seed))
    kept = shuffled[round(args.frames_only * len(videos)) :].sort().values
    clip_videos = videos.subset(kept).at_least((args.frames - 1) * args.stride + 1)
    if args.images:
        videos = join(videos, same_as_before(args, "images", load_images(args.images, args.size)))
    later = f" from iteration {args.image_iters + 1} on" if getattr(args, "image_iters", 0) else ""
    print(f"D_I sees frames of {len(videos)} videos or images, D_V clips of {len(clip_videos)} videos{later}")
    unseen = sorted({*range(len(videos))} - {*kept.tolist()})
    return videos, clip_videos, videos.subset(unseen) if unseen else videos


def figure_videos(args):
    """Six real videos of the test split, or fewer, (n, T, C, H, W). UserError if there is none of that many frames."""
    videos = load(args.data, args.data_root, args.size, "test")
    return to_float(middle_clips(videos, args.frames, args.stride, 6).to(args.device))


def average(ema, nets, decay, iteration):
    """ema = decay * ema + (1 - decay) * nets, BatchNorm's buffers included; the decay is smaller at first (warm-up)."""
    decay, current = min(decay, (1 + iteration) / (10 + iteration)), nets.state_dict()
    for name, mean in ema.state_dict().items():
        mean.lerp_(current[name], 1 - decay) if mean.is_floating_point() else mean.copy_(current[name])


class Run:
    """What keeps a training run. Iterating over it counts the iterations, and after each one writes what is due.

        run = Run(args, nets, ema, optimizers, generator, sample, filmstrip)
        for iteration in run:
            run.log({name: a scalar tensor})

    It makes the run directory and, with --resume, puts everything back as the last checkpoint has it, bit for bit.
    A row of log.csv, a checkpoint and sample grids come every --log-every, --save-every and --sample-every iterations.
    SIGINT, SIGTERM and SIGHUP end the run after a save; a loss that is NaN ends it, and the last checkpoint stays.

    nets, ema           ModuleDicts, of the networks and of those whose weights are averaged
    optimizers          {name: optimizer}
    generator           the stream of random numbers that training draws from
    sample, filmstrip   the model file's: eight videos of fixed noise for samples/, and what a grid shows of them
    """

    def __init__(self, args, nets, ema, optimizers, generator, sample, filmstrip):
        self.args, self.nets, self.ema, self.optimizers, self.generator = args, nets, ema, optimizers, generator
        self.sample, self.filmstrip = sample, filmstrip
        self.folder = open_run(args.out, args.resume, args.overwrite)
        self.checkpoint = self.folder / "checkpoint.pt"
        self.spent = -time.process_time()  # seconds on the processor, of all commands that trained this run
        self.first = self.load() if args.resume else 0
        if args.iters < self.first:
            raise UserError(f"{args.out} has {self.first} iterations already, more than --iters {args.iters}")
        self.rows = Log(self.folder / "log.csv", self.first, args.iters)
        self.log = self.rows.add
        config = json.dumps(vars(args), indent=2)
        with whole_file(self.folder / "config.json") as file:
            file.write(f"{config}\n".encode())
        print(config)

    def __iter__(self):
        args = self.args
        with caught_signals() as signals:
            for iteration in range(self.first + 1, args.iters + 1):
                yield iteration
                if iteration == self.first + 3 and args.device == "cpu":
                    self.rows.warn_if_slow(args.iters)
                stop = bool(signals)  # read once: a signal that comes later is for the next iteration
                log, save, show = (
                    iteration % every == 0 or iteration == args.iters or stop
                    for every in (args.log_every, args.save_every, args.sample_every)
                )
                if log or save:  # only here are losses read, since reading a loss synchronises CUDA
                    self.rows.check(iteration)
                if log:
                    self.rows.write(iteration, torch.device(args.device))
                if save:
                    self.save(iteration)
                if show:
                    self.show(iteration)
                if stop:
                    go_on = f"--out {quote(args.out)} --resume"
                    raise UserError(f"stopped at iteration {iteration}, which is saved; {go_on} goes on")
        self.rows.bar.close()

    def show(self, iteration):
        """samples/ITER.png and .gif: eight videos of fixed noise, by a generator of their own; and losses.png."""
        drawn = self.sample(self.ema, 8, self.args.frames, seeded(self.args.seed, self.args.device))
        save_grid(self.folder / "samples" / f"{iteration:06d}.png", self.filmstrip(drawn))
        save_gif(self.folder / "samples" / f"{iteration:06d}.gif", drawn["videos"], columns=4)
        plot_log(self.folder / "log.csv", self.folder / "losses.png")

    def save(self, iteration):
        """Write a checkpoint with all that resuming needs, random states included."""
        args = self.args
        state = {"model": args.model, "iteration": iteration, "config": vars(args), "nets": self.nets.state_dict()}
        state |= {"ema": self.ema.state_dict(), "core_seconds": self.spent + time.process_time()}
        state["optimizers"] = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        state["random"] = {"torch": torch.get_rng_state(), "draws": self.generator.get_state()}
        if args.device == "cuda":
            state["random"]["cuda"] = torch.cuda.get_rng_state()
        save_state(self.checkpoint, state)

    def load(self):
        """Put everything back as `save` found it; returns the iteration. Flags that have changed are noted in args.

        UserError if the device differs: random states are a device's own.
        """
        args = self.args
        state = load_state(self.checkpoint, args.model, args.device)
        self.spent += state.get("core_seconds", 0)
        if (was := state["config"]["device"]) != args.device:
            raise UserError(f"{self.checkpoint} was trained with --device {was}, not {args.device}")
        was = {k: v for k, v in state["config"].items() if k in vars(args) and k not in WITHOUT_A_WORD}
        different = {k: v for k, v in was.items() if v != getattr(args, k)}
        args.changed = state["config"]["changed"] + [{"until": state["iteration"], **different}] * bool(different)
        take_weights(self.nets, state["nets"], self.checkpoint)
        self.ema.load_state_dict(state["ema"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            for group in optimizer.param_groups:
                group["lr"] = args.lr
        torch.set_rng_state(state["random"]["torch"].cpu())
        self.generator.set_state(state["random"]["draws"].cpu())
        if args.device == "cuda":
            torch.cuda.set_rng_state(state["random"]["cuda"].cpu())
        return state["iteration"]


def open_run(out, resume=False, overwrite=False):
    """Make the run directory `out`. UserError if it holds a run that is neither resumed nor overwritten."""
    out = Path(out)
    if (out / "config.json").exists() and not resume:
        if not overwrite:
            raise UserError(f"{out} already holds a run; add --resume to go on, or --overwrite to delete it")
        shutil.rmtree(out.resolve())
    (out.resolve() / "samples").mkdir(parents=True, exist_ok=True)  # a link to a folder stays one
    for name in ("checkpoint.pt", "config.json", "log.csv"):
        for half in out.glob(f"{name}.*.tmp"):  # what a run that was killed while saving has left
            half.unlink()
    return out


def take_weights(nets, weights, path):
    """Load the weights of a checkpoint. UserError if they are of other networks: flags have been renamed since."""
    try:
        nets.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path} has other networks than this version builds by its flags: train it again") from None


def load_run(run, build, defaults, device="cpu", raw=False):
    """The configuration and the networks, in evaluation mode, of a run directory; for a model file's own `load_run`.

    build, defaults   the model file's, and the flags that it parses from nothing, for runs older than a flag
    raw               the weights as trained, not their average
    The configuration also has the checkpoint's iteration, and its sum as `checkpoint` (see `load_state`).
    """
    path = Path(run) / "checkpoint.pt"
    state = load_state(path, defaults.model, device)
    if raw and "optimizers" not in state:
        raise UserError(f"{run} is published, with averaged weights alone: leave out --raw")
    config = vars(defaults) | state["config"] | {"iteration": state["iteration"], "checkpoint": state["sum"]}
    config["core_seconds"] = state.get("core_seconds")
    nets = build(argparse.Namespace(**config)).to(device)
    for name in set(nets) - {key.split(".")[0] for key in state["nets"]}:
        del nets[name]  # a published run has no discriminators
    take_weights(nets, state["nets"] | ({} if raw else state.get("ema", {})), path)
    return config, nets.eval()


def start_from(run, nets, model, device):
    """Pre-training: take every tensor of another run that has the name and shape of one of ours; print which."""
    state = load_state(Path(run) / "checkpoint.pt", model, device)
    given, own = state["nets"], nets.state_dict()
    if state["config"].get("terms") == ["summary"]:  # images alone: its R_M and D_V have learned nothing
        given = {key: value for key, value in given.items() if key.startswith(("G_I.", "D_I."))}
    fits = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    if not any(value.ndim for value in fits.values()):
        raise UserError(f"nothing in {run} has the shape of anything here")
    nets.load_state_dict(own | fits)
    for name, net in nets.items():
        count = sum(key.startswith(f"{name}.") for key in fits)
        print(f"{name}: {count} tensors from {run}, {len(net.state_dict()) - count} fresh")


def results_folder(run):
    """Where to write what is made of a run: into it, or for a published one, which stays as it is, below runs/."""
    run, config = Path(run), Path(run) / "config.json"
    if "published" not in (json.loads(config.read_text()) if config.exists() else {}):
        return run
    folder = Path("runs") / run.absolute().parent.name / run.name
    if folder.resolve() == run.resolve():
        folder = folder.with_name(f"{run.name}-results")
    with contextlib.suppress(OSError):  # who writes there will say so, after showing what took long to make
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def save_state(path, state):
    """Write a dict of tensors and plain values, whole or not at all."""
    try:
        with whole_file(path) as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:  # torch reports some full disks as a RuntimeError
        raise UserError(f"cannot save {path}: {error}; what was saved there before is whole") from None


def load_state(path, model, device="cpu"):
    """What `save_state` wrote, and `sum`: 16 digits of the file's sha256, by which results name their weights.

    UserError if there is none, or if it is damaged or of another model.
    """
    try:
        content = Path(path).read_bytes()  # read once: a training may save another one meanwhile
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        found = state["model"]
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}") from None
    except Exception as error:  # a truncated file fails in many ways: zip, pickle, end of file, a missing key
        raise UserError(f"{path} is damaged, or no checkpoint ({type(error).__name__})") from None
    if found != model:
        raise UserError(f"{path} is a checkpoint of {found}.py, not of {model}.py, whose latents mean something else")
    return state | {"sum": hashlib.sha256(content).hexdigest()[:16]}


@contextlib.contextmanager
def caught_signals():
    """Within it SIGINT, SIGTERM and SIGHUP only join the list that it gives, so that a run can save before it stops."""
    numbers, before = [], {}
    with contextlib.suppress(ValueError):  # Python allows handlers in the main thread alone
        for s in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:  # no HUP on Windows
            if s == signal.SIGINT or signal.getsignal(s) != signal.SIG_IGN:  # nohup ignores SIGHUP
                before[s] = signal.signal(s, lambda number, _: numbers.append(number))
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
        if rows := [row for row in read_log(path) if row["iteration"] <= first]:
            self.rewrite(rows)
        else:
            path.unlink(missing_ok=True)
        self.bar = tqdm(total=total, initial=first, unit="it", disable=None, dynamic_ncols=True)
        self.history, self.begun = [], time.perf_counter()

    def append(self, row):
        if not set(row) <= set(self.columns):  # a loss may come later: --terms and --summary-every
            return self.rewrite([*read_log(self.path), row])
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    def rewrite(self, rows):
        """All rows, whole or not at all; the first line names their columns."""
        self.columns, text = list(dict.fromkeys(key for row in rows for key in row)), io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        writer.writeheader()
        writer.writerows(rows)
        with whole_file(self.path) as file:
            file.write(text.getvalue().encode())

    def add(self, losses):
        """Keep one iteration's losses {name: scalar tensor}; nothing is read from the device yet."""
        self.history.append(losses)
        self.bar.update()

    def check(self, iteration):
        """UserError naming the first iteration since the last row whose losses are not finite."""
        finite = torch.stack([sum(losses.values()) for losses in self.history]).isfinite()
        if not finite.all():
            first = iteration - len(self.history) + 1 + int((~finite).nonzero()[0])
            saved = self.path.with_name("checkpoint.pt").exists()
            kept = "the last checkpoint is from before it" if saved else "nothing was saved yet"
            raise UserError(f"a loss is NaN or infinite at iteration {first}; {kept}")

    def write(self, iteration, device):
        """A row: the mean of every loss since the last one, iterations a second, peak memory in MB."""
        names = list(dict.fromkeys(name for losses in self.history for name in losses))
        row = {n: torch.stack([losses[n] for losses in self.history if n in losses]).mean().item() for n in names}
        speed = len(self.history) / (time.perf_counter() - self.begun)
        self.append({"iteration": iteration, **row, "it_per_s": speed, "peak_memory_mb": peak_memory(device)})
        text = "  ".join(f"{name} {value:.3f}" for name, value in row.items())
        self.bar.set_postfix_str(text)
        if self.bar.disable:
            left = tqdm.format_interval((self.bar.total - iteration) / speed)
            print(f"{iteration}/{self.bar.total}  {text}  {speed:.2f} it/s  left {left}", flush=True)
        self.history, self.begun = [], time.perf_counter()

    def warn_if_slow(self, total):
        """Say what the run will take on this CPU, if that is more than a day; called after its first iterations."""
        seconds = (time.perf_counter() - self.begun) / len(self.history)
        if (days := seconds * total / 86400) > 1:
            tqdm.write(
                f"{seconds:.1f} s an iteration: {total} iterations will take about {days:.0f} days on this CPU. "
                "README has flags that fit one; in the GANs, --preset fast. Going on; Ctrl-C saves and stops."
            )


def read_log(path):
    """The rows of a log.csv, if it exists, {column: number}; what a crash has cut or filled with NULs is left out."""
    if not Path(path).exists():
        return []
    with open(path, newline="", errors="replace") as file:
        lines = file.read().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n") and "\0" not in line]
    rows = [row for row in csv.DictReader(whole) if None not in row and None not in row.values() and "iteration" in row]
    if len(rows) < len(lines) - 1:
        print(f"{path}: {len(lines) - 1 - len(rows)} damaged rows left out", file=sys.stderr)
    numbers = [{key: float(value or "nan") for key, value in row.items()} for row in rows]
    return [row | {"iteration": int(row["iteration"])} for row in numbers]


def plot_log(path, png):
    """Draw every loss of a log.csv, once it has a row, against the iteration."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    if not (rows := read_log(path)):
        return  # no interval has ended yet
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name in [key for key in rows[0] if key not in ("iteration", "it_per_s", "peak_memory_mb")]:
        axes.plot([row["iteration"] for row in rows], [row[name] for row in rows], label=name, linewidth=1)
    # log: the error of a VAE is many times its divergences, and D's loss may go to 0
    axes.set(xlabel="iteration", ylabel="loss (mean over the interval)", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(png, dpi=120)


def peak_memory(device):
    """The largest memory this process has had, in MB: of the GPU on CUDA, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # not on Windows, where CUDA is what one trains on

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# --- The command line of a model file --------------------------------------------------------------------------------


def run_command(model, argv=None):
    """What a model file (the module) does from the command line: train, or what is asked of a trained run."""
    args = model.parse_args(argv)
    try:
        if args.eval:
            videos = ["--videos", str(args.eval_videos)] if getattr(args, "eval_videos", None) else []
            command = ["bounds", args.out, *videos] if hasattr(model, "elbo_parts") else ["fvd", args.out]
            command += ["--data-root", args.data_root, "--frames", str(args.frames), *["--raw"] * args.raw]
            command += ["--seed", str(args.seed), "--device", args.device]
            return importlib.import_module("metrics").main(command)
        run = model.train(args) if trains(args) else args.out
        config, nets = model.load_run(run, args.device, args.raw)
        if args.publish:
            defaults = vars(model.parse_args(["--preset", config["preset"]]))
            tool("publish").publish(args, config, nets, model.sample, defaults)
            return 0
        folder, rng = results_folder(run), seeded(args.seed, args.device)
        if args.explore:
            tool("explore").write_page(folder / "explore.html", args, config, nets, model.sample, model.filmstrip)
            return 0
        if args.sample:
            drawn = model.sample(nets, args.sample, args.frames, rng)["videos"]
            save_samples(folder / "samples.npy", to_uint8(drawn))
            print(f"{folder / 'samples.npy'}: {args.sample} videos of {args.frames} frames")
            save_gif(folder / "samples.gif", drawn[:16])
        args.frames = config["frames"]
        model.save_figures(nets, folder / "figures", args, rng)
        if trains(args):
            command = f"python {args.model}.py --out {quote(str(folder))} --sample 64 --frames 64"
            print(f"try next  {command}   (or --eval, --explore)")
        print(f"figures   {folder / 'figures'}")
        for latest in [folder / "samples.gif"] if args.sample else sorted((folder / "samples").glob("*.gif"))[-1:]:
            print(f"look at   {latest}")  # training has none yet if it was killed early
    except (UserError, OSError, ModuleNotFoundError) as error:  # the last: no metrics.py or tools/ beside it
        fail(model.MODEL, error)
    except torch.OutOfMemoryError:
        fail(model.MODEL, "the GPU's memory does not suffice: a smaller --batch, --width or --size needs less")
    return 0


# --- Speed: what changes no result -----------------------------------------------------------------------------------


def channels_last(nets):
    """Let convolutions keep their weights as the frames come, (H, W, C): they are up to twice as fast then."""
    for net in nets.values():
        has_3d = any(isinstance(layer, torch.nn.Conv3d) for layer in net.modules())
        net.to(memory_format=torch.channels_last_3d if has_3d else torch.channels_last)
    return nets


def noise_like(x):
    """Gaussian noise of the shape of x (B, C, ...), drawn in the order of its memory, which is channels last."""
    return torch.randn_like(x.movedim(1, -1)).movedim(-1, 1)


def accelerate(nets, args):
    """--precision bf16: compute inside in bfloat16; weights, input and output stay float32. --compile: fuse kernels.

    nets: those that take most of the time; the recurrent networks are a small part of it.
    """
    torch.backends.cudnn.benchmark = True  # shapes hardly vary
    keep_freed_memory()
    for net in nets:
        if args.precision == "bf16":  # replaced on this network alone, so that the names in a checkpoint stay
            autocast = torch.autocast(args.device, torch.bfloat16)(net.forward)
            net.forward = lambda x, autocast=autocast: autocast(x).float()
        if args.compile:
            net.compile(options={"fallback_random": args.device == "cpu"})  # the compiler's own noise is slow on a CPU


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


# --- Command line ----------------------------------------------------------------------------------------------------


def main(argv=None):
    """The commands that the top of this file lists; they live in tools/commands.py."""
    try:
        commands = tool("commands")
    except ModuleNotFoundError as error:
        fail("data", error)
    return commands.main(argv)


if __name__ == "__main__":
    import data  # tools import `data`: let them meet this module, and not a second one beside `__main__`

    sys.exit(data.main())
