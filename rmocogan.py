"""RMoCoGAN of "Jointly Trained Image and Video Generation using Residual Vectors" (WACV 2020, Sections 4.2 and A.3).

MoCoGAN, but the content may vary a little: to the content summary, drawn once a video, each frame adds a residual that
its motion vector decides. Motion alone still carries the dependence on time, so content and motion stay apart.

    symbol      name                                               shape
    z_C         content summary, N(0, I)                           (B, 50)
    eps         noise of a frame, N(0, I)                          (B, T, 10)
    z_M(t)      motion, GRU(eps(t)), h(0) = 0                      (B, T, 10)
    delta_C(t)  content residual, NN_delta(z_C, z_M(t))            (B, T, 50)
    z(t)        latent of a frame, [z_C + delta_C(t), z_M(t)]      (B, T, 60)
    G_I         image generator, z(t) -> frame                     (B, T, C, H, W)
    R_M         recurrent network of the latents, with NN_delta
    D_I D_V     discriminators of frames and of clips              patches of logits
    S_1 S_T     a random frame, a random clip of T frames

Shapes: B batch, T frames, C channels, H W pixels, D latent; videos are float (B, T, C, H, W) in [-1, 1].
`diff mocogan.py rmocogan.py` is the paper's contribution; its places are tagged "new vs mocogan.py".

    python rmocogan.py --data mug                     train as in the paper
    python rmocogan.py --out RUN --resume             go on
    python rmocogan.py --out RUN --sample 64          samples.npy and figures
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import data

MODEL = Path(__file__).stem
SPLIT = "all"  # the paper trains its GANs on every video and compares with them; a GAN here has no use for a test split


# ---------------------------------------------------------------------------------------------------------------------
# Networks that do not vary
# ---------------------------------------------------------------------------------------------------------------------


class Noise(nn.Module):
    """Add Gaussian noise of standard deviation sigma to what a layer of a discriminator sees."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        if not self.sigma:
            return x
        noise = torch.randn_like(x.movedim(1, -1)).movedim(-1, 1)  # x is channels last: so drawn in the order of memory
        return torch.add(x, noise, alpha=self.sigma)


class Generator(nn.Module):
    """G_I: latents (..., D) to frames (..., C, H, W) in [-1, 1]; the DCGAN generator, 1x1 to 4x4 and then doubling."""

    def __init__(self, size, width, latent=60):
        super().__init__()
        widths = [width * 2**i for i in reversed(range(int(math.log2(size)) - 2))]  # 512 256 128 64 for 64 pixels
        layers, before, stride = [], latent, 1
        for after in widths:
            layers += [nn.ConvTranspose2d(before, after, 4, stride, stride - 1, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
            before, stride = after, 2
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(before, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z):
        x = self.net(z.flatten(0, -2)[:, :, None, None])  # every frame on its own: (B * T, C, H, W)
        return x.unflatten(0, z.shape[:-1])


class ImageDiscriminator(nn.Module):
    """D_I: frames (B, C, H, W) to logits (B, 1, H/16, W/16), one a patch."""

    def __init__(self, width, sigma):
        super().__init__()
        layers, before = [], 3
        for depth, after in enumerate((width, 2 * width, 4 * width)):
            layers += [Noise(sigma), nn.Conv2d(before, after, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(after)] if depth else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            before = after
        self.net = nn.Sequential(*layers, Noise(sigma), nn.Conv2d(before, 1, 4, 2, 1, bias=False))

    def forward(self, x):
        return self.net(x)


class VideoDiscriminator(nn.Module):
    """D_V: clips (B, T, C, H, W), T >= 16, to logits (B, 1, T - 15, 1, 1).

    The last kernel spans what is left of the frame: 4x4 at 64 pixels as in the paper, 2x2 at 32, 8x8 at 128.
    """

    def __init__(self, size, width, sigma):
        super().__init__()
        layers, before = [], 3
        for depth, after in enumerate((width, 2 * width, 4 * width, 8 * width)):
            layers += [Noise(sigma), nn.Conv3d(before, after, 4, (1, 2, 2), (0, 1, 1), bias=False)]
            layers += [nn.BatchNorm3d(after)] if depth else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            before = after
        self.net = nn.Sequential(*layers, nn.Conv3d(before, 1, (4, size // 16, size // 16), bias=False))

    def forward(self, x):
        x = x.transpose(1, 2)  # (B, C, T, H, W)
        return self.net(x.contiguous(memory_format=torch.channels_last_3d))


# ---------------------------------------------------------------------------------------------------------------------
# What varies: the latents of a video
# ---------------------------------------------------------------------------------------------------------------------


class Latents(nn.Module):
    """R_M: z(t) = [z_C + delta_C(t), z_M(t)], z_M(t) = GRU(eps(t)), h(0) = 0."""  # new vs mocogan.py: Section 4.2

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(10, 10, batch_first=True)
        layers = []  # new vs mocogan.py: NN_delta, A.5
        for inputs in (60, 50):
            layers += [nn.Linear(inputs, 50), nn.BatchNorm1d(50), nn.ReLU(inplace=True)]
        self.mlp = nn.Sequential(*layers, nn.Linear(50, 50))

    def draw(self, n, frames, generator):
        """Noise of n videos: content z_C (n, 50) and motion eps (n, T, 10)."""
        content = torch.randn(n, 50, generator=generator, device=generator.device)
        # new vs mocogan.py: no h(0), A.3
        motion = torch.randn(n, frames, 10, generator=generator, device=generator.device)
        return content, motion

    def forward(self, content, motion):
        """Content (B, 50) and motion (B, T, 10) to z (B, T, 60)."""  # new vs mocogan.py: Section 4.2, A.3
        z_M, _ = self.gru(motion)  # (B, T, 10), independent of the content
        z_C = content[:, None].expand(-1, motion.shape[1], -1)
        delta_C = self.mlp(torch.cat([z_C, z_M], -1).flatten(0, 1)).unflatten(0, z_M.shape[:2])  # (B, T, 50)
        return torch.cat([z_C + delta_C, z_M], -1)


def build(args):
    """The four networks of a run, fresh."""
    nets = nn.ModuleDict({"G_I": Generator(args.size, args.width), "R_M": Latents()})
    nets["D_I"] = ImageDiscriminator(args.width, args.noise)
    nets["D_V"] = VideoDiscriminator(args.size, args.width, args.noise)
    nets["G_I"].to(memory_format=torch.channels_last)  # frames arrive channels last, and convolutions like it
    nets["D_I"].to(memory_format=torch.channels_last)
    nets["D_V"].to(memory_format=torch.channels_last_3d)
    return nets


# ---------------------------------------------------------------------------------------------------------------------
# Losses
# ---------------------------------------------------------------------------------------------------------------------

TERMS = {"frames": "D_I", "clips": "D_V"}  # the lines of objective (1), and the discriminator of each


def real_batch(videos, clip_videos, args, generator):
    """What the discriminators see of real videos, by term: a frame S_1(v) and a clip S_T(v) of each of B videos."""
    clips = clip_videos.clips(args.batch, args.frames, args.stride, generator)
    return {"frames": videos.images(args.batch, generator), "clips": clips}


def fake_batch(nets, args, kappas, longest, generator):
    """What the discriminators see of B generated videos, by term.

    A video has kappa frames, drawn from `kappas`, at most `longest`. Frames are decoded independently of each other,
    so S_1 and S_T choose among latents, and only what a discriminator will see is decoded, in one call of G_I.
    """
    content, motion = nets["R_M"].draw(args.batch, longest, generator)
    z = nets["R_M"](content, motion)  # (B, kappa, D)
    video = torch.arange(args.batch, device=z.device)[:, None]
    u = torch.rand(3, args.batch, 1, generator=generator, device=z.device)
    kappa = kappas[(u[0] * len(kappas)).long()]
    frame = (u[1] * kappa).long()  # S_1, (B, 1)
    clip = (u[2] * (kappa - args.frames + 1)).long() + torch.arange(args.frames, device=z.device)  # S_T, (B, T)
    picked = {"frames": z[video, frame], "clips": z[video, clip]}
    x = nets["G_I"](torch.cat(list(picked.values()), 1)).split([part.shape[1] for part in picked.values()], 1)
    return {term: part if term == "clips" else part[:, 0] for term, part in zip(picked, x, strict=True)}


def discriminator_losses(nets, real, fake):
    """Objective (1) by term, for the discriminators to minimise: E[-log D(real)] + E[-log(1 - D(fake))]."""
    losses = {}
    for term in fake:
        D = nets[TERMS[term]]
        losses[term] = F.softplus(-D(real[term])).mean() + F.softplus(D(fake[term].detach())).mean()
    return losses


def generator_losses(nets, fake):
    """By term, E[-log D(fake)]: as MoCoGAN, since the gradient of log(1 - D) vanishes while D wins."""
    return {term: F.softplus(-nets[TERMS[term]](fake[term])).mean() for term in fake}


def update(nets, optimizers, real, fake):
    """One step of the discriminators and one of the generator, both on the same batch of fakes; returns the losses."""
    discriminators = [nets["D_I"], nets["D_V"]]
    for D in discriminators:
        D.requires_grad_(True)
    d_losses = discriminator_losses(nets, real, fake)
    optimizers["D"].zero_grad()
    sum(d_losses.values()).backward()
    optimizers["D"].step()

    for D in discriminators:  # the generator's gradient passes through them and need not be collected in them
        D.requires_grad_(False)
    g_losses = generator_losses(nets, fake)
    optimizers["G"].zero_grad()
    sum(g_losses.values()).backward()
    optimizers["G"].step()
    losses = {"D": d_losses, "G": g_losses}
    return {f"{name}_{term}": loss.detach() for name in losses for term, loss in losses[name].items()}


# ---------------------------------------------------------------------------------------------------------------------
# Sampling and figures
# ---------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def sample(nets, n, frames, generator, content=None, motion=None):
    """Draw n videos of any number of frames; `content` or `motion` of earlier draws can be given to hold them fixed.

    Returns videos (n, T, C, H, W), images (n, C, H, W): a random frame of each, and the noise: content and motion.
    """
    fresh_content, fresh_motion = nets["R_M"].draw(n, frames, generator)
    content = fresh_content if content is None else content
    motion = fresh_motion if motion is None else motion
    z = nets["R_M"](content, motion)
    videos = torch.cat([nets["G_I"](part) for part in z.split(16)])  # in parts, for the memory's sake
    t = torch.randint(frames, (n,), generator=generator, device=z.device)
    images = videos[torch.arange(n, device=z.device), t]
    return {"videos": videos, "images": images, "content": content, "motion": motion}


def film(drawn):
    """What a grid shows of `sample`'s videos, (n, T, C, H, W): their frames."""
    return drawn["videos"]


@torch.compiler.set_stance("force_eager")  # a compiled network would be compiled anew for these shapes
def save_samples(nets, folder, iteration, args):
    """samples/ITER.png and .gif: eight videos of fixed noise, from a generator of their own."""
    nets.eval()
    drawn = sample(nets, 8, args.frames, seeded(args.seed, args.device))
    data.save_grid(folder / f"{iteration:06d}.png", film(drawn))
    data.save_gif(folder / f"{iteration:06d}.gif", drawn["videos"], columns=4)
    nets.train()


@torch.no_grad()
def save_figures(nets, folder, frames, generator):
    """The paper's figures, from one trained run.

    images.png          Figure 6: images from the prior
    content_motion.png  Figures 5 and 9: three contents (three rows each), each with the same three motions
    interpolation.png   Figures 11 and 12: the videos between two contents, with one motion
    """
    drawn = sample(nets, 64, frames, generator)
    data.save_png(folder / "images.png", data.tile(data.to_uint8(drawn["images"]), columns=16))
    content, motion = drawn["content"], drawn["motion"]
    swapped = sample(nets, 9, frames, generator, content[:3].repeat_interleave(3, 0), motion[:3].repeat(3, 1, 1))
    data.save_grid(folder / "content_motion.png", film(swapped))
    path = torch.lerp(content[0], content[1], torch.linspace(0, 1, 8, device=content.device)[:, None])
    between = sample(nets, 8, frames, generator, path, motion[:1].expand(8, -1, -1))
    data.save_grid(folder / "interpolation.png", film(between))


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


def start_from(run, nets, device):
    """Pre-training: take every tensor of another run that has the name and shape of one of ours; print which."""
    state = data.load_state(Path(run) / "checkpoint.pt", MODEL, device)
    own = nets.state_dict()
    taken = {k: v for k, v in state["nets"].items() if k in own and own[k].shape == v.shape}
    if not any(v.ndim for v in taken.values()):
        raise data.UserError(f"nothing in {run} has the shape of anything here")
    nets.load_state_dict(own | taken)
    for name, net in nets.items():
        count = sum(key.startswith(f"{name}.") for key in taken)
        print(f"{name}: {count} tensors from {run}, {len(net.state_dict()) - count} fresh")


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


def load_videos(args):
    """The real videos for D_I, and those for D_V: all, or all but the fraction --frames-only, chosen by --seed."""
    videos = data.load(args.data, args.data_root, args.size, SPLIT).to(args.device)
    shuffled = torch.randperm(len(videos), generator=seeded(args.seed, "cpu"))
    whole = shuffled[round(args.frames_only * len(videos)) :].sort().values
    clip_videos = videos.subset(whole).at_least((args.frames - 1) * args.stride + 1)
    if args.images:
        videos = data.join(videos, data.load_images(args.images, args.size).to(args.device))
    print(f"D_I sees frames of {len(videos)} videos or images, D_V clips of {len(clip_videos)} videos")
    return videos, clip_videos


def train(args):
    """Train until iteration `args.iters`, or until a signal; fills the run directory and returns it."""
    device, draws = torch.device(args.device), seeded(args.seed, args.device)
    torch.manual_seed(args.seed)
    videos, clip_videos = load_videos(args)

    # kappa, the length of a generated video: a number, or drawn from the data's lengths
    kappas = -(-clip_videos.lengths // args.stride) if args.kappa == "data" else torch.tensor([int(args.kappa)])
    kappas, longest = kappas.to(device), int(kappas.max())

    nets = build(args).to(device)
    adam = {"lr": args.lr, "betas": (0.5, 0.999), "weight_decay": 1e-5, "fused": True}
    optimizers = {
        "D": torch.optim.Adam([*nets["D_I"].parameters(), *nets["D_V"].parameters()], **adam),
        "G": torch.optim.Adam([*nets["G_I"].parameters(), *nets["R_M"].parameters()], **adam),
    }
    if args.init and not args.resume:
        start_from(args.init, nets, args.device)
        draws.manual_seed(args.seed + 10**6)  # not the draws of a pre-training with the same seed once more
    out = data.open_run(args.out, args.resume, args.overwrite)
    checkpoint = out / "checkpoint.pt"
    first = load_checkpoint(checkpoint, nets, optimizers, draws, args) if args.resume else 0
    log = data.Log(out / "log.csv", first, args.iters)
    config = json.dumps(vars(args) | {"model": MODEL, "split": SPLIT}, indent=2)
    (out / "config.json").write_text(config + "\n")
    print(config)

    for name in ("G_I", "D_I", "D_V"):  # the recurrent networks are a small part of the time
        accelerate(nets[name], args)
    torch.backends.cudnn.benchmark = True  # shapes hardly vary
    data.keep_freed_memory()
    with data.caught_signals() as signals:
        for iteration in range(first + 1, args.iters + 1):
            real = real_batch(videos, clip_videos, args, draws)
            fake = fake_batch(nets, args, kappas, longest, draws)
            log.add(update(nets, optimizers, real, fake))

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


# ---------------------------------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------------------------------

PAPER = {"batch": 32, "frames": 16, "stride": 2, "width": 64, "lr": 2e-4}


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
    add("--noise", type=float, default=0.1, metavar="SIGMA", help="noise added in the discriminators (default 0.1)")
    add("--kappa", default="16", metavar="N", help="frames of a generated video; data: the lengths of the data's (16)")
    add("--init", metavar="RUN", help="start from the networks of another run, where names and shapes agree")
    add("--frames-only", type=float, default=0.0, metavar="X", help="this fraction of videos goes to D_I alone (0)")
    add("--images", metavar="DIR", help="a folder of single images, more real data for D_I")
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
    return check_args(args)


def check_args(args):
    """What the GAN files ask of their flags."""
    if args.sample or args.eval:
        return args  # nothing is trained, and a video may have any number of frames
    if args.frames < 16:
        fail(f"--frames {args.frames}: the video discriminator needs at least 16")
    if args.kappa != "data" and not (args.kappa.isdigit() and int(args.kappa) >= args.frames):
        fail(f"--kappa {args.kappa}: expected a number of at least --frames {args.frames}, or the word data")
    if not 0 <= args.frames_only < 1:
        fail(f"--frames-only {args.frames_only}: expected a fraction, 0 to below 1")
    return args


def main(argv=None):
    args = parse_args(argv)
    try:
        if args.eval:
            import metrics

            return metrics.main(["fvd", args.out, "--seed", str(args.seed), "--device", args.device])
        out = Path(args.out) if args.sample else train(args)
        _, nets = load_run(out, args.device)
        generator = seeded(args.seed, args.device)
        if args.sample:
            drawn = sample(nets, args.sample, args.frames, generator)
            data.save_samples(out / "samples.npy", data.to_uint8(drawn["videos"]))
            print(f"{out / 'samples.npy'}: {args.sample} videos of {args.frames} frames")
        save_figures(nets, out / "figures", args.frames, generator)
    except (data.UserError, OSError) as error:
        fail(error)
    for latest in sorted((out / "samples").glob("*.png"))[-1:]:  # none yet in a run that was killed early
        print(f"look at   {latest}  {latest.with_suffix('.gif')}")
    print(f"figures   {out / 'figures'}")
    print(f"try next  python {MODEL}.py --out {out} --sample 64 --frames 64   (any length; then --eval)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
