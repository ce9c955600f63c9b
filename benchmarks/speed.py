"""How fast a training step is: beside a textbook step of the same mathematics, and beside the machine's own limit.

    python benchmarks/speed.py --model rjgan rjvae --json docs/results     speed-MODEL-DEVICE.json, at the paper's size
    python benchmarks/speed.py --model i3d data                            I3D's features; loading
    python benchmarks/speed.py --model rjgan --size 32 --width 16 --batch 8
    python benchmarks/speed.py --growth --json docs/results                time and memory against batch, frames, ...

render.py writes docs/results into docs/speed.md and docs/img.

Three steps are timed in turn (a, b, c, a, b, c, ...), so that a machine that slows down slows them all, and each in a
process of its own: (a) the step of textbook.py, always float32 and not compiled; (b) the model file's own
step; (c) matrix products, and the forward pass of the net's largest convolution alone. A step is one iteration, its
data included. FLOPs are nominal (zeros of the padding count), as torch's counter counts them, backward included.
"""

import argparse
import functools
import importlib
import json
import multiprocessing
import platform
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from textbook import batches, textbook_fakes, textbook_nets, textbook_update  # noqa: E402

import data  # noqa: E402
import metrics  # noqa: E402
from tools.prepare import write_prepared  # noqa: E402

GANS, VAES = ("mocogan", "rmocogan", "rjgan"), ("dsa", "rjvae")
HEAVY = ("G_I", "D_I", "D_V", "Encoder", "Decoder")  # the networks that `train` accelerates


def lstm_flops(x, w_input, w_hidden, *_, **__):
    """FLOPs of an LSTM's forward pass over x (T, B, D): a product with each weight (4 H, D), (4 H, H) at every step."""
    return 2 * x[0] * x[1] * (w_input[0] * w_input[1] + w_hidden[0] * w_hidden[1])


# Torch's counter does not know the CPU's fused LSTM. On CUDA it misses cuDNN's: 0.1 % of a VAE at the paper's size.
FUSED = {
    torch.ops.aten.mkldnn_rnn_layer: lstm_flops,
    torch.ops.aten.mkldnn_rnn_layer_backward: lambda *shapes, **_: 2 * lstm_flops(*shapes),
}


def count_gflop(step):
    with FlopCounterMode(display=False, custom_mapping=FUSED) as counter:
        step()
    return counter.get_total_flops() / 1e9


class Clock:
    """Where the time of a step goes: `mark(name)` ends a part that began at the mark before it.

    On CUDA a mark is an event in the queue, so marking makes nobody wait; `parts` waits, once, at the end.
    """

    def __init__(self, device):
        self.cuda, self.marks = torch.device(device).type == "cuda", []

    def mark(self, name):
        now = torch.cuda.Event(enable_timing=True) if self.cuda else time.perf_counter()
        if self.cuda:
            now.record()
        self.marks.append((name, now))

    def watch(self, optimizers):
        """A step of the optimizer D, D_I, D_V or G ends the part D or G: forward, backward and step of an update."""
        for name, optimizer in optimizers.items():
            optimizer.register_step_post_hook(lambda *_, part=name[0]: self.mark(part))

    def parts(self):
        """{part: its seconds} since the last call."""
        if self.cuda:
            torch.cuda.synchronize()
        seconds = {}
        for (_, before), (name, now) in zip(self.marks, self.marks[1:], strict=False):
            seconds[name] = seconds.get(name, 0) + (before.elapsed_time(now) / 1e3 if self.cuda else now - before)
        self.marks = []
        self.mark("start")
        return seconds


# --- (a) The textbook step, and (b) the file's own -------------------------------------------------------------------


def adams(nets, args, fused):
    """Adam as in a file's `train`, by name; not fused: one tensor after another, and each discriminator its own."""
    if "Encoder" in nets:
        parts, adam = {"all": list(nets)}, {"betas": (0.9, 0.999)}
    else:
        parts = {"D": ["D_I", "D_V"]} if fused else {"D_I": ["D_I"], "D_V": ["D_V"]}
        parts, adam = parts | {"G": ["G_I", "R_M"]}, {"betas": (0.5, 0.999), "weight_decay": 1e-5}
    adam |= {"lr": args.lr, "fused": fused, "foreach": False}
    return {k: torch.optim.Adam([p for net in v for p in nets[net].parameters()], **adam) for k, v in parts.items()}


def set_up(name, args):
    """What both steps start from: the module, its videos on the CPU, random draws, and a clock."""
    model = importlib.import_module(name)
    torch.manual_seed(args.seed)
    videos = data.load(args.data, args.data_root, args.size, model.SPLIT)
    videos = videos.at_least((args.frames - 1) * args.stride + 1)
    return model, videos, data.seeded(args.seed, args.device), Clock(args.device)


def textbook(name, args):
    """(a): a function that does one step, the clock that it marks, and its FLOPs."""
    model, videos, draws, clock = set_up("rjgan" if name == "data" else name, args)
    loader = batches(model, videos, args)

    def load():
        real = {term: x.to(args.device) for term, x in next(loader).items()}
        clock.mark("data")
        return real

    if name == "data":
        return load, clock, {"gflop": 0, "base_mb": data.peak_memory(draws.device)}
    nets = textbook_nets(model.build(args)).to(args.device)
    optimizers = adams(nets, args, fused=False)

    def gan_step():
        textbook_update(model, nets, optimizers, load(), lambda: textbook_fakes(model, nets, args, draws), clock.mark)

    def vae_step():
        model.update(nets, optimizers, load()["clips"], draws)
        clock.mark("update")

    if name in GANS:
        clock.watch(optimizers)
    step, base = gan_step if name in GANS else vae_step, data.peak_memory(draws.device)
    return step, clock, {"gflop": count_gflop(step), "base_mb": base}


def own_step(name, args):
    """One iteration of the file's `train` as a function, the clock that it marks, and its networks."""
    model, videos, draws, clock = set_up(name if name in GANS + VAES else "rjgan", args)
    torch.backends.cudnn.benchmark = True
    if name == "i3d":
        net, clips = metrics.load_i3d(device=args.device), videos.clips(args.batch, args.frames, args.stride)
        return lambda: (metrics.features(clips, net), clock.mark("features")), clock, nn.ModuleDict({"I3D": net})
    videos = videos.to(args.device)
    if name == "data":
        return lambda: (model.real_batch(videos, videos, args, draws), clock.mark("data")), clock, nn.ModuleDict()
    nets = model.build(args).to(args.device)
    optimizers = adams(nets, args, fused=True)

    def gan_step():
        real = model.real_batch(videos, videos, args, draws)
        clock.mark("data")
        fake = model.fake_batch(nets, args, kappas, int(args.kappa), draws)
        clock.mark("fakes")
        model.update(nets, optimizers, real, fake)

    def vae_step():
        x = videos.clips(args.batch, args.frames, args.stride, draws)
        clock.mark("data")
        model.update(nets, optimizers, x, draws)
        clock.mark("update")

    if name in VAES:
        return vae_step, clock, nets
    clock.watch(optimizers)
    kappas = torch.tensor([int(args.kappa)], device=args.device)
    return gan_step, clock, nets


def loading(args):
    """Frames a second of the first load of a data set, and of a later one, all frames read into memory."""
    with tempfile.TemporaryDirectory() as root:
        source = Path(args.data_root, args.data).absolute()
        if source.exists():
            Path(root, args.data).symlink_to(source)  # what was downloaded, but not what was made of it
        rates = []
        for _ in range(4):
            begun = time.perf_counter()
            frames = data.load(args.data, root, args.size, "all").frames.clone()
            rates.append(len(frames) / (time.perf_counter() - begun))
    return {"first": rates[0], "cached": statistics.median(rates[1:])}


def own(name, args):
    """(b): a function that does one step, the clock that it marks, and its FLOPs (--compile would hide them)."""
    data.keep_freed_memory()
    facts = {}
    if name == "data":  # in a process of its own, since drawing the faces takes memory that a step does not
        with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as pool:
            facts["frames_per_s"] = pool.submit(loading, args).result()
    step, clock, nets = own_step(name, args)
    facts |= {"base_mb": data.peak_memory(torch.device(args.device)), "gflop": count_gflop(step)}
    if name in GANS + VAES:
        for net in set(HEAVY) & set(nets):
            data.accelerate([nets[net]], args)
        step()  # compiles
    return step, clock, facts


# --- (c) The machine's limit -----------------------------------------------------------------------------------------


class LargestConvolution(TorchFunctionMode):
    """Watches what runs inside for the convolution with most to do: its FLOPs, function and arguments.

    Every input pixel of a transposed convolution, every output pixel of another, is multiplied by all of the weight.
    """

    flops = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        y = function(*args, **(kwargs or {}))
        if function in (torch.conv2d, torch.conv3d, torch.conv_transpose2d):
            x, weight = args[:2]
            flops = 2 * (x if function is torch.conv_transpose2d else y)[:, 0].numel() * weight.numel()
            if flops > self.flops:
                self.flops, self.title = flops, f"{function.__name__} {x.shape[1]}-{y.shape[1]}"
                self.function, self.tensors, self.rest = function, (x.detach(), weight.detach()), (None, *args[3:])
        return y


def limit(name, args):
    """(c): a function that does products and the largest convolution forward, its clock, and the FLOPs of each.

    On CUDA both in the step's precision: float32 is TF32 in convolutions, as torch has it, but not in I3D's.
    """
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = name != "i3d"
    step, clock, _ = own_step(name, args)
    with LargestConvolution() as conv:
        step()
    kind = {"device": args.device, "dtype": torch.bfloat16 if args.precision == "bf16" else torch.float32}
    tensors = [x.to(**kind) for x in conv.tensors]
    calls, gflop = {conv.title: lambda: conv.function(*tensors, *conv.rest)}, {conv.title: conv.flops / 1e9}
    for n in (1024, 2048) if args.device == "cpu" else (4096, 8192, 16384):
        m = torch.randn(n, n, **kind)
        calls[f"matmul {n}"], gflop[f"matmul {n}"] = lambda m=m: m @ m, 2e-9 * n**3

    @torch.no_grad()
    def all_of_them():
        for title, call in calls.items():
            call()
            clock.mark(title)

    all_of_them()
    return all_of_them, clock, {"gflop": gflop}


# --- Measuring -------------------------------------------------------------------------------------------------------

HELD = {}  # of a process: the step that it times, and its clock


def begin(make, name, args, threads):
    if threads:
        torch.set_num_threads(threads)
    HELD["step"], HELD["clock"], facts = make(name, args)
    return facts | {"threads": torch.get_num_threads(), "runs": []}


def once():
    HELD["clock"].parts()
    HELD["step"]()
    return HELD["clock"].parts()


def interleave(jobs, repeats, threads=None):
    """Time steps in turn, each in a process of its own, so that neither allocator nor peak of memory is shared.

    jobs: {key: (textbook, own or limit, model, args)}. Returns {key: its facts, with "runs", a list of {part: seconds},
    and "peak_mb"}. UserError if a process dies.
    """
    context = multiprocessing.get_context("forkserver")  # other children begin with the peak of their parent
    pools = {key: ProcessPoolExecutor(1, context) for key in jobs}
    try:
        results = {key: pools[key].submit(begin, *job, threads).result() for key, job in jobs.items()}
        for _ in range(repeats):
            for key, pool in pools.items():
                results[key]["runs"].append(pool.submit(once).result())
        for key, (*_, args) in jobs.items():
            results[key]["peak_mb"] = pools[key].submit(data.peak_memory, torch.device(args.device)).result()
    except BrokenProcessPool:
        raise data.UserError("a process died; was the memory enough?") from None
    finally:
        for pool in pools.values():
            pool.shutdown()
    return results


def options(name, args, **changes):
    """The flags of the model's file for what is asked for here."""
    flags = {flag: getattr(args, flag) for flag in ("size", "width", "batch", "frames", "device", "precision", "data")}
    flags |= {"data-root": args.data_root} | changes
    if name == "i3d":
        flags["batch"] = flags["batch"] or 8
    if name not in VAES and flags["frames"]:
        flags["kappa"] = flags["frames"]
    words = [word for flag, value in flags.items() if value for word in (f"--{flag}", str(value))]
    model = importlib.import_module(name if name in GANS + VAES else "rjgan")
    return model.parse_args(words + ["--compile"] * args.compile)


def about(name, given, args):
    """What a result says of how it was measured."""
    machine = platform.machine()
    if sys.platform == "linux":
        cpu = dict(re.findall(r"(.+?)\s*: (.*)", Path("/proc/cpuinfo").read_text()))
        if "cpu family" in cpu:
            machine = f"{cpu['model name']} (family {cpu['cpu family']}, model {cpu['model']})"
    said = {
        flag: getattr(given, flag) for flag in ("size", "width", "batch", "frames", "device", "precision", "compile")
    }
    machine = torch.cuda.get_device_name() if given.device == "cuda" else machine
    return {"model": name, **said, "repeats": args.repeats, "machine": machine, "torch": torch.__version__}


def medians(runs):
    return {part: statistics.median(run[part] for run in runs) for part in runs[0]}


def measure(name, args):
    """The result of one model, of I3D's features (`i3d`) or of loading (`data`): seconds, GFLOP/s and MB, as a dict."""
    given, roles = options(name, args), {"textbook": textbook, "own": own, "limit": limit}
    roles.pop({"i3d": "textbook", "data": "limit"}.get(name), None)
    results = interleave({role: (make, name, given) for role, make in roles.items()}, args.repeats, args.threads)
    result = about(name, given, args) | {"threads": results["own"]["threads"], "limits": {}}
    if "limit" in results:
        side = results.pop("limit")
        result["limits"] = {title: side["gflop"][title] / seconds for title, seconds in medians(side["runs"]).items()}
    for role, side in results.items():
        seconds = statistics.median(sum(run.values()) for run in side["runs"])
        side |= {"seconds": seconds, "per_second": (given.batch if name == "i3d" else 1) / seconds}
        side |= {"gflop_per_s": side["gflop"] / seconds, "parts": medians(side["runs"])}
        for kind in ("matmul", "conv") if result["limits"] else ():
            best = max(rate for title, rate in result["limits"].items() if title.startswith(kind))
            side[f"share_{kind}"] = side["gflop_per_s"] / best
        result[role] = side
    if "textbook" in result:
        result["ratio"] = result["textbook"]["seconds"] / result["own"]["seconds"]
    return result


AXES = {"batch": (8, 16, 32), "frames": (16, 24, 32), "size": (32, 64), "width": (8, 16, 32), "videos": (1, 10)}


def grow(name, args):
    """How a step's seconds, memory (above what there is before it) and FLOPs grow along each axis, the others fixed.

    Exponents: the slopes of straight lines through the logarithms. `videos`: the data set once, and ten times over.
    """
    small = {"size": 32, "width": 16, "batch": 16}
    base, result = options(name, args, **small), {}
    with tempfile.TemporaryDirectory() as root:
        videos = data.load(base.data, base.data_root, base.size, "all")
        for times in AXES["videos"]:
            parts = (videos.frames[i : i + k].numpy() for i, k in zip(videos.starts, videos.lengths, strict=True))
            parts = list(parts) * times  # views of the memory map
            write_prepared(Path(root, f"{times}-{base.size}"), parts, [*map(len, parts)], {}, {}, [])
        for axis, values in AXES.items():
            changes = [{"data": str(v), "data-root": root} if axis == "videos" else {axis: v} for v in values]
            jobs = {v: (own, name, options(name, args, **small | c)) for v, c in zip(values, changes, strict=True)}
            sides = list(interleave(jobs, args.repeats, args.threads).values())
            rows = {
                "seconds": [statistics.median(sum(run.values()) for run in side["runs"]) for side in sides],
                "memory_mb": [side["peak_mb"] - side["base_mb"] for side in sides],
                "gflop": [side["gflop"] for side in sides],
            }
            fits = {key: np.polyfit(np.log(values), np.log(row), 1)[0] for key, row in rows.items()}
            result[axis] = {"values": values, **rows, "exponents": fits}
    return about(name, base, args) | {"threads": sides[0]["threads"], "growth": result}


# --- Tables and plots ------------------------------------------------------------------------------------------------


def speed_table(results):
    """Results of `measure` as a table in Markdown; what a result does not have is left blank."""
    head = ["step", "size", "a second", "textbook's", "ratio", "of matmul", "of conv.", "GB", "textbook's", "time"]
    rows = [head, ["---"] * len(head)]
    for r in results:
        own, book = r["own"], r.get("textbook", {})
        where = ", ".join(f"{part} {100 * t / own['seconds']:.0f} %" for part, t in own["parts"].items())
        if "frames_per_s" in own:
            loads = own["frames_per_s"]
            where = f"frames/s: first load {loads['first']:,.0f}, later {loads['cached']:,.0f}"
        width = f", width {r['width']}" if r["model"] in GANS + VAES else ""
        row = [f"{r['model']}, {r['device']}, {r['precision']}{', compiled' * r['compile']}"]
        row += [f"{r['size']}x{r['size']}{width}, {r['batch']} x {r['frames']} frames"]
        row += [f"{side['per_second']:.3g}" if side else "" for side in (own, book)]
        row += [f"{r['ratio']:.2f}" if book else ""]
        row += [f"{100 * own[key]:.0f} %" if key in own else "" for key in ("share_matmul", "share_conv")]
        row += [f"{side['peak_mb'] / 1024:.1f}" if "peak_mb" in side else "" for side in (own, book)]
        rows.append([*row, where])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw_growth(result, path, digest):
    """One panel an axis: seconds, memory and FLOPs of a step, those of the first point being 1; for render.py."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    growth = result["growth"]
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    for axes, (axis, row) in zip(figure.subplots(1, len(growth), sharey=True), growth.items(), strict=True):
        for key, title, line in (("seconds", "time", "o-"), ("memory_mb", "memory", "s-"), ("gflop", "FLOPs", "k:")):
            axes.loglog(row["values"], np.array(row[key]) / row[key][0], line, label=title, markersize=4)
        time, memory, flops = (round(fit, 2) + 0.0 for fit in row["exponents"].values())  # no -0.00
        axes.set_title(f"{axis}\ntime ^{time:.2f}, memory ^{memory:.2f}\nFLOPs ^{flops:.2f}", fontsize=8)
        axes.set_xticks(row["values"], row["values"])
        axes.set_yticks([1, 2, 4, 8, 16], [1, 2, 4, 8, 16])
        axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=100, metadata={"Description": digest})


# --- Command line ----------------------------------------------------------------------------------------------------


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.error = functools.partial(data.fail, "speed")
    add = parser.add_argument
    add("--model", nargs="+", default=["rjgan"], choices=(*GANS, *VAES, "i3d", "data"), metavar="NAME")
    for flag in ("batch", "frames", "width", "threads"):
        add(f"--{flag}", type=data.positive, metavar="N")
    add("--size", type=int, choices=(32, 64, 128))
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add("--precision", default="fp32", choices=("fp32", "bf16"))
    add("--compile", action="store_true")
    add("--data", default="faces")
    add("--data-root", default="data")
    add("--repeats", type=data.positive, default=7)
    add("--growth", action="store_true", help="how time and memory grow, of the first --model, at a small size")
    add("--json", type=Path, metavar="DIR", help="write DIR/speed-NAME-DEVICE.json")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        for name in args.model[:1] if args.growth else args.model:
            result = grow(name, args) if args.growth else measure(name, args)
            print(json.dumps(result, indent=1) if args.growth else speed_table([result]), flush=True)
            if args.json:
                parts = ["growth" if args.growth else name, result["device"]]
                parts += [result["precision"]] * (result["precision"] != "fp32") + ["compiled"] * result["compile"]
                (args.json / f"speed-{'-'.join(parts)}.json").write_text(json.dumps(result, indent=1) + "\n")
    except (data.UserError, OSError) as error:
        data.fail("speed", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
