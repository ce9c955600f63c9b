"""Every data set, every read and write of videos, and the files of a run.

    python data.py list                                    what there is, and where it comes from
    python data.py show NAME                               a contact sheet as PNG
    python data.py download weizmann                       fetch a public data set, checked

Legend of shapes: B batch, N videos, F frames of all videos end to end, T frames of one clip, C channels, H W pixels.
On disk and in memory videos are uint8 (N, T, H, W, C); at every function boundary of a model they are float
(B, T, C, H, W) in [-1, 1]. The whole data set is one uint8 array, memory-mapped where it was prepared on disk; clips
are gathered from it by index, so there is no worker process and nothing is decoded twice.
"""

import argparse
import contextlib
import csv
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

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
        mask = (self.lengths >= length).cpu().numpy()
        if not mask.any():
            longest = int(self.lengths.max()) if len(self) else 0
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
    """ROOT/NAME-SIZE, or data/NAME-SIZE where ROOT cannot be written (a shared, read-only copy of the data)."""
    folder = Path(root) / f"{name}-{size}"
    parent = next(p for p in (folder.parent.absolute(), *folder.parent.absolute().parents) if p.exists())
    return folder if folder.exists() or os.access(parent, os.W_OK) else Path("data") / folder.name


def write_prepared(folder, frames, lengths, labels, classes, test, **about):
    """Write a prepared data set, whole or not at all.

    frames (F, H, W, C) uint8; lengths (N,); labels {label: (N,)}; classes {label: names}; test: the indices of the test
    split; about: what else index.json should say.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    index = {"lengths": lengths, "labels": labels, "classes": classes, "test": test, **about}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        half = Path(temporary) / folder.name
        half.mkdir()
        np.save(half / "frames.npy", frames)
        (half / "index.json").write_text(json.dumps(index, default=lambda value: np.asarray(value).tolist()))
        if not folder.exists():  # another process may have been faster
            half.rename(folder)


def read_prepared(folder, name, split):
    """`Videos` of a prepared folder, frames memory-mapped."""
    index = json.loads((folder / "index.json").read_text())
    lengths = torch.tensor(index["lengths"])
    # mode "c" (copy on write): torch wants a writable array, and the file is never written
    frames = torch.from_numpy(np.load(folder / "frames.npy", mmap_mode="c"))
    if len(frames) != int(lengths.sum()):
        raise UserError(f"{folder} is damaged: {len(frames)} frames, {int(lengths.sum())} expected; delete it")
    labels = {key: np.array(values, dtype=np.int64) for key, values in index["labels"].items()}
    videos = Videos(name, frames, lengths.cumsum(0) - lengths, lengths, labels, index["classes"])
    return take_split(videos, np.isin(np.arange(len(videos)), index["test"]), split)


def take_split(videos, test, split):
    """The part of `videos` that `split` names; `test` is a mask of N booleans."""
    return videos if split == "all" else videos.subset(test if split == "test" else ~test)


# ---------------------------------------------------------------------------------------------------------------------
# faces: built in, drawn by numpy
# ---------------------------------------------------------------------------------------------------------------------

# (drawn faces come here)

# ---------------------------------------------------------------------------------------------------------------------
# weizmann: the actions of the MoCoGAN repository
# ---------------------------------------------------------------------------------------------------------------------

WEIZMANN_ACTIONS = {0: "one-hand wave", 1: "two-hand wave", 3: "jumping jack", 4: "bend"}  # folder: action
WEIZMANN_FILES = [f"{action}/{i:08d}.jpg" for i in range(72) for action in [(1, 0, 3, 4)[i % 8 // 2]]]


def read_image(path):
    """A picture file as uint8 (H, W, 3); UserError naming the file if it cannot be read."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise UserError(f"cannot read the image {path}: {error}") from None


def load_weizmann(root, size, split):
    """Weizmann actions (paper A.4): 72 strips of 51 to 146 frames, 64 px high, the frames left to right.

    Files 2k and 2k + 1 are mirror images, and file number // 8 is the person: persons 7 and 8 are the test split, so
    neither a person nor a mirrored twin is on both sides.
    """
    folder = Path(root) / "weizmann"
    missing = [name for name in WEIZMANN_FILES if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"no Weizmann data in {folder}: {len(missing)} of 72 strips missing, {missing[0]} the first (expected "
            f"{folder}/{{0,1,3,4}}/*.jpg); python data.py download weizmann --data-root {root} fetches them"
        )
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
# Anybody's videos: a folder of video folders, or an .npy file
# ---------------------------------------------------------------------------------------------------------------------

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm"}


def natural(path):
    """Sort key that puts frame10 after frame9."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", str(path))]


def image_files(folder):
    """The picture files directly in `folder`, in natural order."""
    return sorted((p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=natural)


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
# load
# ---------------------------------------------------------------------------------------------------------------------

DATASETS = {
    "weizmann": (load_weizmann, "72 videos of 9 people in 4 actions; python data.py download weizmann"),
}


def load(name, root="data", size=64, split="train"):
    """The data set `name` as `Videos`, frames `size` x `size`.

    name   one of DATASETS, or a path: a folder of video folders of images, or an .npy (N, T, H, W, C) uint8
    root   the folder that holds the data sets
    split  train, test (people or characters that train has not) or all
    UserError if there is no such data set, or if it is not where it should be.
    """
    if name in DATASETS:
        return DATASETS[name][0](root, size, split)
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
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 5 or array.shape[-1] != 3:
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
        raise UserError(f"{path} is damaged, or no checkpoint: {str(error).splitlines()[0]}") from None
    if found != model:
        raise UserError(f"{path} is a checkpoint of {found}.py, not of {model}.py")
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
        self.path = path
        rows = [row for row in read_log(path) if row["iteration"] <= first] if path.exists() else []
        path.unlink(missing_ok=True)
        for row in rows:
            self.append(row | {"iteration": int(row["iteration"])})
        self.bar = tqdm(total=total, initial=first, unit="it", disable=None, dynamic_ncols=True)
        self.clear()

    def clear(self):
        self.history, self.begun = [], time.perf_counter()

    def append(self, row):
        new = not self.path.exists()
        with open(self.path, "a", newline="") as file:
            writer = csv.DictWriter(file, row if new else self.columns)
            if new:
                self.columns = list(row)
                writer.writeheader()
            writer.writerow(row)

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
    """Draw every loss of a log.csv against the iteration."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    rows = read_log(path)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name in [key for key in rows[0] if key not in ("iteration", "it_per_s", "peak_memory_mb")]:
        axes.plot([row["iteration"] for row in rows], [row[name] for row in rows], label=name, linewidth=1)
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss (mean over the interval)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(png, dpi=120)


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
        "7612c5d25f3d994ba8a65afdc3ce950cc15fbcb26d180b60d1e4c614baa23118",
    ),
}


def pixels_sum(folder, members):
    """sha256 of the decoded RGB pixels of the pictures `members` of `folder`, in that order."""
    digest = hashlib.sha256()
    for name in members:
        digest.update(read_image(folder / name).tobytes())
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
            if total and archive.stat().st_size != total:
                raise UserError(f"the download of {url} broke off after {archive.stat().st_size} of {total} bytes")
            with zipfile.ZipFile(archive) as packed:
                top = packed.namelist()[0].split("/")[0]
                for member in members:  # exactly these names, so nothing can land outside the folder
                    (half / member).parent.mkdir(parents=True, exist_ok=True)
                    with packed.open(f"{top}/{inside}/{member}".replace("//", "/")) as packed_file:
                        with open(half / member, "wb") as file:
                            shutil.copyfileobj(packed_file, file)
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            raise UserError(f"cannot download {url}: {error}") from None
        except (zipfile.BadZipFile, KeyError, IndexError) as error:
            raise UserError(f"{url} is not the expected archive: {error}") from None
        if pixels_sum(half, members) != expected:
            raise UserError(f"{url} holds other pictures than expected (by their sha256)")
        half.rename(target)
    print(f"{name}: {len(members)} files in {target}")


# ---------------------------------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------------------------------


def show(name, root, size, split, out):
    """A contact sheet: up to 24 videos, each a row of 12 frames spread over its length."""
    videos = load(name, root, size, split)
    picked = np.linspace(0, len(videos) - 1, min(24, len(videos))).round().astype(int)
    rows = [video[np.linspace(0, len(video) - 1, 12).round().astype(int)] for video in (videos[i] for i in picked)]
    out = Path(out or f"{Path(name).stem}.png")
    save_grid(out, to_float(np.stack(rows)))
    longest, total = int(videos.lengths.max()), int(videos.lengths.sum())
    print(f"{videos.name}: {len(videos)} videos of {videos.shortest} to {longest} frames, {total} in all")
    for label, names in videos.classes.items():
        counts = np.bincount(videos.labels[label], minlength=len(names))
        each = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        print(f"  {label}: {each if len(names) <= 12 else f'{len(names)} values'}")
    print(f"contact sheet: {out}")


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description="Data sets of videos: list, show, download.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the data sets, and whether they are here").set_defaults(size=64)
    shown = commands.add_parser("show", help="a contact sheet as PNG", allow_abbrev=False)
    shown.add_argument("name", help="a data set's name or a path")
    shown.add_argument("--size", type=int, default=64, help="pixels (default 64)")
    shown.add_argument("--split", choices=["train", "test", "all"], default="all", help="which videos (default all)")
    shown.add_argument("--out", help="where to write the PNG (default NAME.png)")
    fetched = commands.add_parser("download", help="fetch a public data set", allow_abbrev=False)
    fetched.add_argument("name", choices=list(DOWNLOADS), help="which one")
    fetched.add_argument("--url", help="another place that serves the same archive")
    for command in commands.choices.values():
        command.add_argument("--data-root", default="data", help="the folder that holds the data sets (default data)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        if args.command == "list":
            for name, (_, about) in DATASETS.items():
                here = (Path(args.data_root) / name).exists() or list(Path(args.data_root).glob(f"{name}-*"))
                print(f"{name:10} {'here' if here or name == 'faces' else 'not here':9} {about}")
        elif args.command == "show":
            show(args.name, args.data_root, args.size, args.split, args.out)
        elif args.command == "download":
            download(args.name, args.data_root, args.url)
    except (UserError, OSError) as error:
        print(f"data.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
