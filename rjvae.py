"""RJVAE of "Jointly Trained Image and Video Generation using Residual Vectors" (WACV 2020, Sections 4.1, 5.4 and A.1).

A video is a summary vector, drawn from the prior of images, plus a residual for each frame, with a learned prior over
time. The model maximises the ELBO; the posterior of the summary sees the whole video, that of a residual its own frame.

    symbol             name                                                shape
    mu                 summary vector, p(mu) = N(0, I)                     (B, 64)
    delta(t)           residual, p(delta(t) | delta(<t), mu) from
                       LSTM([mu, delta(t-1)])                              (B, T, 64)
    z(t)               latent of a frame, mu + delta(t)                    (B, T, 64)
    phi(t)             code of a frame x(t), from the encoder              (B, T, 512)
    q(mu | x)          posterior of the summary, bi-LSTM over phi          2 x (B, 64)
    q(delta(t) | x)    posterior of the residual, MLP of [phi(t), mu]      2 x (B, T, 64)
    G_I                decoder, p(x(t) | mu, delta(t)) = N(G_I(z(t)), I),
                       and mu -> summary frame                             (B, T, C, H, W)

Shapes: B batch, T frames, C channels, H W pixels, D latent; videos are float (B, T, C, H, W) in [-1, 1]. A diagonal
Gaussian is a pair (mean, logvar) of one shape. Losses are nats a video.
`diff dsa.py rjvae.py` is the paper's contribution; its places are tagged "new vs dsa.py".

    python rjvae.py --data sprites                    train as in the paper
    python rjvae.py --out RUN --resume                go on
    python rjvae.py --out RUN --sample 64             samples.npy and figures
    python rjvae.py --out RUN --eval                  ELBO and log p(x) on the test split

Measured on Sprites, `--width 32 --batch 8 --iters 5000` on a CPU: log p(x) >= -90992 nats a test
video (IWAE-100), squared error 1153 a video; a new summary keeps action and view in 99.6 %.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

import data

MODEL = Path(__file__).stem
SPLIT = "train"  # likelihoods are reported on the test split
CONTENT, MOTION, LATENT = 64, 64, 64  # new vs dsa.py: dimensions of mu, delta(t) and their sum z(t), A.5


# ---------------------------------------------------------------------------------------------------------------------
# Networks that do not vary
# ---------------------------------------------------------------------------------------------------------------------


class Encoder(nn.Module):
    """Frames (..., C, H, W) to codes phi (..., 512): four 5x5 convolutions, 64 32 16 8 pixels, and an affine layer."""

    def __init__(self, size, width):
        super().__init__()
        layers, before = [], 3
        for depth, stride in enumerate((1, 2, 2, 2)):
            layers += [nn.Conv2d(before, width, 5, stride, 2, bias=not depth)]
            layers += [nn.BatchNorm2d(width)] if depth else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            before = width
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * (size // 8) ** 2, 512))

    def forward(self, x):
        phi = self.net(x.flatten(0, -4))  # every frame on its own: (B * T, 512)
        return phi.unflatten(0, x.shape[:-3])


class Decoder(nn.Module):
    """G_I: latents (..., D) to frames (..., C, H, W) in [-1, 1]; the encoder backwards, 8 16 32 64 pixels."""

    def __init__(self, size, width):
        super().__init__()
        side = size // 8
        layers = [nn.Linear(LATENT, width * side**2, bias=False), nn.Unflatten(1, (width, side, side))]
        for _ in range(3):
            layers += [nn.BatchNorm2d(width), nn.LeakyReLU(0.2, inplace=True)]
            layers += [nn.ConvTranspose2d(width, width, 5, 2, 2, output_padding=1, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.LeakyReLU(0.2, inplace=True)]
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 5, 1, 2), nn.Tanh())

    def forward(self, z):
        x = self.net(z.flatten(0, -2))  # every frame on its own: (B * T, C, H, W)
        return x.unflatten(0, z.shape[:-1])


# ---------------------------------------------------------------------------------------------------------------------
# What varies: the latents of a video
# ---------------------------------------------------------------------------------------------------------------------


class Prior(nn.Module):
    """p(delta(t) | delta(<t), mu) from an LSTM of [mu, delta(t-1)]; h(0) = c(0) = delta(0) = 0."""  # new vs dsa.py

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(CONTENT + MOTION, 512, batch_first=True)  # new vs dsa.py: A.1
        self.head = nn.Linear(512, 2 * MOTION)

    def step(self, content, previous, state=None):
        """Any number of steps in one call: previous (B, T, D) and the LSTM's state to the Gaussian, and the state."""
        mu = content[:, None].expand(-1, previous.shape[1], -1)  # new vs dsa.py: the content moves the motion
        hidden, state = self.lstm(torch.cat([mu, previous], -1), state)  # without a state, h(0) = c(0) = 0
        return self.head(hidden).chunk(2, -1), state

    def forward(self, content, motion):
        """The prior of every step of motion (B, T, D), given the steps before it: its mean and logvar, (B, T, D)."""
        previous = F.pad(motion[:, :-1], (0, 0, 1, 0))  # known in advance, so the LSTM runs once over all of them
        return self.step(content, previous)[0]

    def draw(self, content, frames, generator):
        """Motion (B, T, D) drawn step by step, each step from the prior given the draws before it."""
        motion, state = [content.new_zeros(len(content), 1, MOTION)], None
        for _ in range(frames):
            gaussian, state = self.step(content, motion[-1], state)
            motion.append(draw(gaussian, generator))
        return torch.cat(motion[1:], 1)


class Posterior(nn.Module):
    """q(mu | x) from a bi-LSTM over phi, and q(delta(t) | mu, x(t)) from an MLP of [phi(t), mu]."""  # new vs dsa.py

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(512, 512, batch_first=True, bidirectional=True)
        self.content_head = nn.Linear(2 * 512, 2 * CONTENT)
        hidden = nn.Linear(512 + CONTENT, 512)  # new vs dsa.py: A.5
        self.motion_head = nn.Sequential(hidden, nn.LeakyReLU(0.2), nn.Linear(512, 2 * MOTION))

    def content(self, phi):
        """Codes phi (B, T, 512) to the Gaussian of the content, (B, D)."""
        _, (h, _) = self.lstm(phi)  # h: the last state of each direction, (2, B, 512)
        return self.content_head(torch.cat([h[0], h[1]], -1)).chunk(2, -1)

    def motion(self, phi, content):
        """Codes phi (B, T, 512) and content (B, D) to the Gaussian of the motion, (B, T, D)."""
        mu = content[:, None].expand(-1, phi.shape[1], -1)  # new vs dsa.py: A.5
        return self.motion_head(torch.cat([phi, mu], -1)).chunk(2, -1)


def latents(content, motion):
    """Content (B, D) and motion (B, T, D) to the latents of the frames, (B, T, D): mu + delta(t)."""
    return content[:, None] + motion  # new vs dsa.py: Section 4.1


def build(args):
    """The four networks of a run, fresh."""
    nets = nn.ModuleDict({"Encoder": Encoder(args.size, args.width), "Decoder": Decoder(args.size, args.width)})
    nets["Prior"], nets["Posterior"] = Prior(), Posterior()
    return nets.to(memory_format=torch.channels_last)  # frames arrive channels last, and 2-D convolutions like it


# ---------------------------------------------------------------------------------------------------------------------
# Losses
# ---------------------------------------------------------------------------------------------------------------------

STANDARD = (torch.zeros((), dtype=torch.float64),) * 2  # N(0, I) of any shape, device and precision


def draw(gaussian, generator):
    """A reparameterised draw of (mean, logvar)."""
    mean, logvar = gaussian
    eps = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + (logvar / 2).exp() * eps


def log_density(x, gaussian):
    """log N(x; mean, exp(logvar)) summed over all but the first dimension: (B,), in nats."""
    mean, logvar = gaussian
    return -0.5 * (math.log(2 * math.pi) + logvar + (x - mean) ** 2 * (-logvar).exp()).flatten(1).sum(1)


def kl(q, p):
    """D_KL[q || p] of diagonal Gaussians, summed over all but the first dimension: (B,), in nats."""
    (q_mean, q_logvar), (p_mean, p_logvar) = q, p
    ratio = q_logvar - p_logvar
    return 0.5 * (ratio.exp() - ratio - 1 + (q_mean - p_mean) ** 2 * (-p_logvar).exp()).flatten(1).sum(1)


def infer_all(nets, phi, q_content, generator):
    """Content and motion drawn from the posterior, q of that motion, and p of that motion.

    The prior is rolled out on the posterior's draws, as the expectation in A.1 says, never on draws of its own.
    """
    content = draw(q_content, generator)
    q_motion = nets["Posterior"].motion(phi, content)
    motion = draw(q_motion, generator)
    return content, motion, q_motion, nets["Prior"](content, motion)


def elbo_parts(nets, x, generator):
    """The three parts of the ELBO (A.1) of videos x (B, T, C, H, W), from one draw: (B,) each, in nats.

    ELBO = reconstruction - kl_content - kl_motion.
    """
    phi = nets["Encoder"](x)
    q_content = nets["Posterior"].content(phi)
    content, motion, q_motion, p_motion = infer_all(nets, phi, q_content, generator)
    decoded = nets["Decoder"](latents(content, motion))  # all frames of all videos in one batch
    return {
        "reconstruction": log_density(x, (decoded, STANDARD[1])),
        "kl_content": kl(q_content, STANDARD),
        "kl_motion": kl(q_motion, p_motion),
    }


def log_weight(nets, x, phi, q_content, generator):
    """log p(x, content, motion) - log q(content, motion | x) at one draw of the posterior: (B,), float64."""
    content, motion, q_motion, p_motion = infer_all(nets, phi, q_content, generator)
    decoded = nets["Decoder"](latents(content, motion)).double()
    log_p = log_density(x, (decoded, STANDARD[1])) + log_density(content, STANDARD) + log_density(motion, p_motion)
    return log_p - log_density(content, q_content) - log_density(motion, q_motion)


def importance_bounds(log_weights):
    """{K: the importance-weighted bound on log p(x) from K draws, (B,)}, K = 1, 10, 100, of log weights (B, 100).

    A bound from fewer draws than there are is the mean over as many groups as there are: it costs nothing.
    """
    groups = {K: log_weights.unflatten(1, (-1, K)) for K in (1, 10, 100)}
    return {K: (group.logsumexp(2) - math.log(K)).mean(1) for K, group in groups.items()}


def update(nets, optimizers, x, generator):
    """One step on the negative ELBO of videos x (B, T, C, H, W), averaged over the batch; returns its parts."""
    parts = {name: part.mean() for name, part in elbo_parts(nets, x, generator).items()}
    loss = parts["kl_content"] + parts["kl_motion"] - parts["reconstruction"]
    optimizers["all"].zero_grad()
    loss.backward()
    optimizers["all"].step()
    # half the squared error: the rest of -log p(x | z) is a constant so large that it hides everything in a plot
    error = -parts.pop("reconstruction") - 0.5 * math.log(2 * math.pi) * x[0].numel()
    return {name: part.detach() for name, part in ({"error": error} | parts).items()}


# ---------------------------------------------------------------------------------------------------------------------
# Sampling and figures
# ---------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def sample(nets, n, frames, generator, content=None, motion=None):
    """Draw n videos of any number of frames; content (n, D) or motion (n, T, D) can be given to hold them fixed.

    Returns videos (n, T, C, H, W), images (n, C, H, W): the summary frames, and the latents: content and motion.
    """  # new vs dsa.py
    fresh_content = torch.randn(n, CONTENT, generator=generator, device=generator.device)
    content = fresh_content if content is None else content
    motion = nets["Prior"].draw(content, frames, generator) if motion is None else motion
    z = latents(content, motion)
    videos = torch.cat([nets["Decoder"](part) for part in z.split(16)])  # in parts, for the memory's sake
    images = nets["Decoder"](content)  # new vs dsa.py: the LSTM is not needed for an image
    return {"videos": videos, "images": images, "content": content, "motion": motion}


@torch.no_grad()
def infer(nets, videos, generator):
    """The posterior's draws for real videos (n, T, C, H, W): what `sample` takes, content (n, D), motion (n, T, D)."""
    phi = nets["Encoder"](videos)
    content, motion, *_ = infer_all(nets, phi, nets["Posterior"].content(phi), generator)
    return {"content": content, "motion": motion}


def film(drawn):
    """What a grid shows of `sample`'s videos, (n, 1 + T, C, H, W): the summary frame, then the frames (Figure 7)."""
    return torch.cat([drawn["images"][:, None], drawn["videos"]], 1)  # new vs dsa.py


@torch.compiler.set_stance("force_eager")  # a compiled network would be compiled anew for these shapes
def save_samples(nets, folder, iteration, args):
    """samples/ITER.png and .gif: eight videos of fixed noise, from a generator of their own."""
    nets.eval()
    drawn = sample(nets, 8, args.frames, seeded(args.seed, args.device))
    data.save_grid(folder / f"{iteration:06d}.png", film(drawn))
    data.save_gif(folder / f"{iteration:06d}.gif", drawn["videos"], columns=4)
    nets.train()


@torch.no_grad()
def save_figures(nets, folder, real, generator):
    """The paper's figures, from one trained run and six real videos (6, T, C, H, W), or fewer and then some twice.

    generation.png     Figure 7, top: videos from the prior
    inference.png      Figure 7, bottom: a real video, and below it what the model makes of it
    images.png         Figure 10: the images between two summary vectors, four times (new vs dsa.py)
    interpolation.png  Figure 13: the videos between two summary vectors, with the same noise
    swap.png           two real videos; the content of the first with the motion of the second, and the reverse
    """
    real, frames = real[torch.arange(6) % len(real)], real.shape[1]
    drawn = sample(nets, 8, frames, generator)
    data.save_grid(folder / "generation.png", film(drawn))

    inferred = infer(nets, real, generator)
    shown = film({"videos": real, "images": torch.ones_like(real[:, 0])})  # a real video has no summary frame: white
    made = film(sample(nets, 6, frames, generator, **inferred))
    data.save_grid(folder / "inference.png", torch.stack([shown, made], 1).flatten(0, 1))

    # new vs dsa.py: what lies between summary vectors is an image, without the LSTM
    steps = torch.linspace(0, 1, 9, device=real.device)[:, None, None]
    between = torch.lerp(drawn["content"][:4], drawn["content"][4:], steps).transpose(0, 1)  # (4, 9, D)
    data.save_grid(folder / "images.png", nets["Decoder"](between))

    path = torch.lerp(drawn["content"][0], drawn["content"][1], torch.linspace(0, 1, 8, device=real.device)[:, None])
    between = [film(sample(nets, 1, frames, seeded(0, generator.device), point[None])) for point in path]
    data.save_grid(folder / "interpolation.png", torch.cat(between))

    other = torch.arange(6, device=real.device) ^ 1  # 1 0 3 2 5 4
    swapped = film(sample(nets, 6, frames, generator, inferred["content"], inferred["motion"][other]))
    rows = [part.unflatten(0, (3, 2)) for part in (shown, swapped)]  # three pairs of videos
    data.save_grid(folder / "swap.png", torch.cat(rows, 1).flatten(0, 1))


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints
# ---------------------------------------------------------------------------------------------------------------------


def seeded(seed, device):
    """A random generator of its own on `device`, so that one use of chance does not shift another."""
    return torch.Generator(device).manual_seed(seed)


def save_checkpoint(path, nets, optimizers, draws, iteration, args):
    """Write everything that going on needs, random states included."""
    state = {"model": MODEL, "iteration": iteration, "config": vars(args), "nets": nets.state_dict()}
    state["optimizers"] = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
    state["random"] = {"torch": torch.get_rng_state(), "draws": draws.get_state()}
    if torch.cuda.is_available():
        state["random"]["cuda"] = torch.cuda.get_rng_state()
    data.save_state(path, state)


def load_checkpoint(path, nets, optimizers, draws, args):
    """Put everything back as `save_checkpoint` found it; returns the iteration. UserError if size or device differ."""
    state = data.load_state(path, MODEL, args.device)
    for name in ("size", "width", "device"):  # random states are a device's own
        was, now = state["config"][name], getattr(args, name)
        if was != now:
            raise data.UserError(f"{path} was trained with --{name} {was}, not {now}")
    nets.load_state_dict(state["nets"])
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(state["optimizers"][name])
    torch.set_rng_state(state["random"]["torch"].cpu())
    draws.set_state(state["random"]["draws"].cpu())
    if args.device == "cuda" and "cuda" in state["random"]:
        torch.cuda.set_rng_state(state["random"]["cuda"].cpu())
    return state["iteration"]


def load_run(run, device="cpu"):
    """The configuration and the networks, in evaluation mode, of a run directory."""
    state = data.load_state(Path(run) / "checkpoint.pt", MODEL, device)
    nets = build(argparse.Namespace(**state["config"])).to(device)
    nets.load_state_dict(state["nets"])
    return state["config"] | {"model": MODEL, "iteration": state["iteration"]}, nets.eval()


# ---------------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------------


def accelerate(net, args):
    """--precision bf16: compute inside in bfloat16; weights, input and output stay float32. --compile: fuse kernels."""
    if args.precision == "bf16":  # replaced on this network alone, so that the names in a checkpoint stay
        forward = torch.autocast(args.device, torch.bfloat16)(net.forward)
        net.forward = lambda x: forward(x).float()
    if args.compile:
        net.compile(options={"fallback_random": args.device == "cpu"})  # a CPU is slow at the compiler's own noise


def test_clips(args, frames, count=None):
    """The middle clip of every test video, or of `count` of them, the same ones in every run.

    Returns a list of uint8 tensors (16, T, H, W, C). UserError if the data is not there or its videos are too short.
    """
    span = (frames - 1) * args.stride + 1
    videos = data.load(args.data, args.data_root, args.size, "test").at_least(span)
    picked = torch.randperm(len(videos), generator=seeded(0, "cpu"))[:count]
    first = videos.starts[picked] + (videos.lengths[picked] - span) // 2
    index = first[:, None] + torch.arange(frames) * args.stride  # (N, T)
    return [videos.frames[rows] for rows in index.split(16)]


def train(args):
    """Train until iteration `args.iters`, or until a signal; fills the run directory and returns it."""
    device, draws = torch.device(args.device), seeded(args.seed, args.device)
    torch.manual_seed(args.seed)
    videos = data.load(args.data, args.data_root, args.size, SPLIT)
    videos = videos.at_least((args.frames - 1) * args.stride + 1).to(device)

    nets = build(args).to(device)
    optimizers = {"all": torch.optim.Adam(nets.parameters(), args.lr, betas=(0.9, 0.999), fused=True)}
    out = data.open_run(args.out, args.resume, args.overwrite)
    checkpoint = out / "checkpoint.pt"
    first = load_checkpoint(checkpoint, nets, optimizers, draws, args) if args.resume else 0
    log = data.Log(out / "log.csv", first, args.iters)
    config = json.dumps(vars(args) | {"model": MODEL, "split": SPLIT}, indent=2)
    (out / "config.json").write_text(config + "\n")
    print(config)

    for name in ("Encoder", "Decoder"):  # the recurrent networks are a small part of the time
        accelerate(nets[name], args)
    torch.backends.cudnn.benchmark = True  # shapes hardly vary
    data.keep_freed_memory()
    with data.caught_signals() as signals:
        for iteration in range(first + 1, args.iters + 1):
            x = videos.clips(args.batch, args.frames, args.stride, draws)
            log.add(update(nets, optimizers, x, draws))

            if iteration == first + 3 and args.device == "cpu":
                log.warn_if_slow(args.iters)
            stopping = bool(signals)  # read once: a signal that comes later than this is for the next iteration
            last = iteration == args.iters or stopping
            saving = last or iteration % args.save_every == 0
            if saving or iteration % args.log_every == 0:  # losses are read only here: on CUDA reading is waiting
                log.check(iteration)
            if last or iteration % args.log_every == 0:
                log.write(iteration, device)
            if saving:
                save_checkpoint(checkpoint, nets, optimizers, draws, iteration, args)
            if last or iteration % args.sample_every == 0:
                save_samples(nets, out / "samples", iteration, args)
                data.plot_log(out / "log.csv", out / "losses.png")
            if stopping:
                raise data.UserError(f"stopped at iteration {iteration}, which is saved; --out {out} --resume goes on")
    log.bar.close()
    return out


@torch.no_grad()
def evaluate(nets, iteration, args):
    """The ELBO, its parts and bounds on log p(x) from 1, 10 and 100 draws, on the test split; prints and saves them.

    Nats a video, with their standard error over videos. Bits per dimension are those of the continuous density of
    pixels in [-1, 1]: they compare models here, not with the discrete likelihoods of other papers.
    """
    generator, results = seeded(args.seed, args.device), []
    for frames in tqdm(test_clips(args, args.frames, args.eval_videos), "evaluating", unit="batch", disable=None):
        x = data.to_float(frames.to(args.device))
        parts = elbo_parts(nets, x, generator)
        elbo = parts["reconstruction"] - parts["kl_content"] - parts["kl_motion"]
        phi = nets["Encoder"](x)
        q_content = nets["Posterior"].content(phi)  # encoded once; decoded one draw at a time, for the memory's sake
        weights = torch.stack([log_weight(nets, x, phi, q_content, generator) for _ in range(100)], 1)
        bounds = {f"iwae_{K}": bound for K, bound in importance_bounds(weights).items()}
        results.append({"elbo": elbo} | parts | bounds)

    report = {"model": MODEL, "iteration": iteration, "split": "test", "torch": torch.__version__}
    report |= {name: getattr(args, name) for name in ("data", "frames", "stride", "size", "width", "seed")}
    report["videos"] = sum(len(result["elbo"]) for result in results)
    print(f"{report['videos']} test videos{'nats a video':>18}{'std. error':>12}{'bits / dim':>12}")
    for name in results[0]:
        values = torch.cat([result[name].double() for result in results])
        nats, error = values.mean().item(), (values.var(correction=0) / (len(values) - 1)).sqrt().item()
        bits = abs(nats) / (x[0].numel() * math.log(2))  # of log p its length as a code, so without the minus
        report[name] = {"nats_per_video": nats, "standard_error": error, "bits_per_dimension": bits}
        print(f"{name:16}{nats:18.2f}{error:12.2f}{bits:12.5f}")
    (Path(args.out) / "eval.json").write_text(json.dumps(report, indent=2) + "\n")


# ---------------------------------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------------------------------

PAPER = {"batch": 128, "frames": 8, "stride": 1, "width": 256, "lr": 5e-4}


def positive(text):
    """An integer of at least 1."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def rate(text):
    """A number above 0."""
    if not 0 < float(text) < math.inf:
        raise ValueError
    return float(text)


def fail(message):
    """One line on stderr and exit status 2: what a user got wrong."""
    print(f"{MODEL}.py: error: {message}", file=sys.stderr)
    raise SystemExit(2)


def parse_args(argv=None):
    """The flags; with --resume, --sample or --eval the run's own settings are the defaults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.error = fail
    add = parser.add_argument
    add("--data", default="faces", metavar="NAME", help="data set (python data.py list), or a path (default faces)")
    add("--data-root", default="data", metavar="DIR", help="folder of the data sets (default data)")
    add("--out", metavar="DIR", help="run directory (default runs/MODEL-DATA)")
    add("--iters", type=positive, default=100000, metavar="N", help="iterations in all, also with --resume (100000)")
    add("--batch", type=positive, default=PAPER["batch"], metavar="N", help="videos a batch (default the paper's)")
    add("--frames", type=positive, default=PAPER["frames"], metavar="T", help="frames a clip (default the paper's)")
    add("--stride", type=positive, default=PAPER["stride"], metavar="N", help="take every Nth frame of the data")
    add("--size", type=int, default=64, choices=(32, 64, 128), help="pixels of a frame's side (default 64)")
    add("--width", type=positive, default=PAPER["width"], metavar="CH", help="base channel count (default the paper's)")
    add("--lr", type=rate, default=PAPER["lr"], metavar="X", help="Adam's learning rate (default the paper's)")
    add("--seed", type=int, default=0, metavar="N", help="seed of everything random (default 0)")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default auto: CUDA where there is one")
    add("--precision", default="fp32", choices=("fp32", "bf16"), help="bf16: compute in bfloat16, keep float32 weights")
    add("--compile", action="store_true", help="compile the networks, for GPUs: takes a minute at the start")
    add("--resume", action="store_true", help="go on from the run's checkpoint")
    add("--overwrite", action="store_true", help="delete the run that --out holds")
    add("--log-every", type=positive, default=100, metavar="N", help="iterations between rows of log.csv (100)")
    add("--sample-every", type=positive, default=1000, metavar="N", help="iterations between sample grids (1000)")
    add("--save-every", type=positive, default=1000, metavar="N", help="iterations between checkpoints (1000)")
    add("--sample", type=positive, metavar="N", help="draw N videos of a trained run: samples.npy and figures")
    add("--eval", action="store_true", help="evaluate a trained run: GANs by FVD, VAEs by their bounds")
    # this model's own
    add("--eval-videos", type=positive, metavar="N", help="evaluate on N videos of the test split (default all)")
    args = parser.parse_args(argv)

    args.out = args.out or f"runs/{MODEL}-{Path(args.data).stem}"
    if args.resume or args.sample or args.eval:
        try:
            config = json.loads((Path(args.out) / "config.json").read_text())
        except (OSError, ValueError) as error:
            fail(f"no run to go on with in {args.out}: {error}")
        once = ("out", "device", "resume", "overwrite", "sample", "eval")
        parser.set_defaults(
            **{key: config[key] for key in vars(args) if key in config and key not in once}, out=args.out
        )
        args = parser.parse_args(argv)
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    if args.device == "cuda" and not torch.cuda.is_available():
        fail("--device cuda, and torch finds no CUDA GPU here")
    return args


def main(argv=None):
    args = parse_args(argv)
    try:
        out = Path(args.out) if args.sample or args.eval else train(args)
        config, nets = load_run(out, args.device)
        if args.eval:
            evaluate(nets, config["iteration"], args)
            return 0
        generator = seeded(args.seed, args.device)
        if args.sample:
            drawn = sample(nets, args.sample, args.frames, generator)
            data.save_samples(out / "samples.npy", data.to_uint8(drawn["videos"]))
            print(f"{out / 'samples.npy'}: {args.sample} videos of {args.frames} frames")
        real = data.to_float(test_clips(args, config["frames"], 6)[0].to(args.device))
        save_figures(nets, out / "figures", real, generator)
    except (data.UserError, OSError) as error:
        fail(error)
    for latest in sorted((out / "samples").glob("*.png"))[-1:]:  # none yet in a run that was killed early
        print(f"look at   {latest}  {latest.with_suffix('.gif')}")
    print(f"figures   {out / 'figures'}")
    print(f"try next  python {MODEL}.py --out {out} --sample 64 --frames 64   (any length; then --eval)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
