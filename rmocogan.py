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
    D_I D_V     discriminators of frames and of clips              logits
    S_1 S_T     a random frame, a random clip of T frames

Shapes: B batch, T frames, C channels, H W pixels, D latent; videos are float (B, T, C, H, W) in [-1, 1].
`diff mocogan.py rmocogan.py` is the paper's contribution; its places are tagged "new vs mocogan.py".

    python rmocogan.py --data mug                     train as in the paper
    python rmocogan.py --out RUN --resume             resume
    python rmocogan.py --out RUN --sample 64          samples.npy and figures
"""

import copy
import sys
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import data

MODEL = Path(__file__).stem
SPLIT = "all"  # as in the paper, GANs train on all videos and are compared with them
PAPER = {"iters": 100000, "batch": 32, "frames": 16, "stride": 2, "size": 64, "width": 64, "lr": 2e-4, "noise": 0.1}
FAST = PAPER | {  # docs/recipe.md
    "iters": 1800, "batch": 8, "size": 32, "width": 16, "lr": 1e-3, "betas": [0.0, 0.99], "ema": 0.998, "penalty": 1.0,
    "image_width": 32, "batch_norm": "off", "noise": 0.0, "clip_size": 32, "upsample": "refined", "gate_bias": 2.0,
}  # fmt: skip
FIXED = ("init", "betas", "image_width", "upsample", "batch_norm", "clip_size", "gate_bias")  # under --resume
PENALTY_EVERY = 4  # lazy regularisation: every 4th iteration, with 4 times the weight; double backward is expensive
CONTENT, MOTION, LATENT = 50, 10, 60  # the dimensions of z_C, of eps(t) and z_M(t), and of z(t)


# --- Networks, the same in all three GAN files; the shape after a layer is that of 64x64 pixels and width 64 ---------


class Noise(nn.Module):
    """Add Gaussian noise of standard deviation sigma to what a layer of a discriminator sees."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        return torch.add(x, data.noise_like(x), alpha=self.sigma) if self.sigma else x


class Generator(nn.Module):
    """G_I: latents (..., D) to frames (..., C, H, W) in [-1, 1], by the generator of DCGAN."""

    def __init__(self, size, width, upsample="transposed"):
        super().__init__()
        multipliers = {32: (4, 2, 1), 64: (8, 4, 2, 1), 128: (16, 8, 4, 2, 1)}[size]
        widths = [times * width for times in multipliers]
        layers = [nn.ConvTranspose2d(LATENT, widths[0], 4, 1, 0, bias=False)]  # (512, 4, 4)
        for before, after in pairwise(widths):  # (256, 8, 8), (128, 16, 16), (64, 32, 32)
            layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        last = [nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False)]  # (3, 64, 64)
        if upsample == "refined":  # a layer more, at full size: finer detail
            half = (width + 1) // 2
            last = [nn.ConvTranspose2d(width, half, 4, 2, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(inplace=True)]
            last += [nn.Conv2d(half, 3, 3, 1, 1, bias=False)]
        self.net = nn.Sequential(*layers, *last, nn.Tanh())

    def forward(self, z):
        x = self.net(z.flatten(0, -2)[:, :, None, None])  # every frame on its own: (B * T, C, H, W)
        return x.unflatten(0, z.shape[:-1])


class ImageDiscriminator(nn.Module):
    """D_I: frames (B, C, H, W) to logits (B, 1, H/16, W/16), one a patch."""

    def __init__(self, width, sigma, batch_norm=True):
        super().__init__()

        def block(before, after, norm=batch_norm):
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=not batch_norm)
            norms = [nn.BatchNorm2d(after)] if norm else []
            return [Noise(sigma), conv, *norms, nn.LeakyReLU(0.2, inplace=True)]

        self.net = nn.Sequential(
            *block(3, width, norm=False),  # (64, 32, 32)
            *block(width, 2 * width),  # (128, 16, 16)
            *block(2 * width, 4 * width),  # (256, 8, 8)
            Noise(sigma),
            nn.Conv2d(4 * width, 1, 4, 2, 1, bias=False),  # (1, 4, 4)
        )

    def forward(self, x):
        return self.net(x)


class VideoDiscriminator(nn.Module):
    """D_V: clips (B, T, C, H, W), T >= 16, to logits (B, 1, T - 15, 1, 1).

    The last kernel, without noise before it, spans the rest of the frame: 4x4 at 64 pixels as in the paper.
    Larger clips than clip_size are made smaller: motion needs no fine detail (DVD-GAN, arXiv 1907.06571).
    """

    def __init__(self, size, width, sigma, batch_norm=True, clip_size=128):
        super().__init__()
        self.scale = max(1, size // clip_size)
        left = size // self.scale // 16

        def block(before, after, norm=batch_norm):
            conv = nn.Conv3d(before, after, 4, (1, 2, 2), (0, 1, 1), bias=not batch_norm)
            norms = [nn.BatchNorm3d(after)] if norm else []
            return [Noise(sigma), conv, *norms, nn.LeakyReLU(0.2, inplace=True)]

        self.net = nn.Sequential(
            *block(3, width, norm=False),  # (64, 13, 32, 32), of 16 frames
            *block(width, 2 * width),  # (128, 10, 16, 16)
            *block(2 * width, 4 * width),  # (256, 7, 8, 8)
            *block(4 * width, 8 * width),  # (512, 4, 4, 4)
            nn.Conv3d(8 * width, 1, (4, left, left), bias=False),  # (1, 1, 1, 1)
        )

    def forward(self, x):
        x = x.transpose(1, 2)  # (B, C, T, H, W)
        x = F.avg_pool3d(x, (1, self.scale, self.scale)) if self.scale > 1 else x
        return self.net(x.contiguous(memory_format=torch.channels_last_3d))  # for speed: the layout of its weights


# --- The idea: the latents of a video --------------------------------------------------------------------------------


class Latents(nn.Module):
    """R_M: z(t) = [z_C + delta_C(t), z_M(t)], z_M(t) = GRU(eps(t)), h(0) = 0."""  # new vs mocogan.py: Section 4.2, A.3

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(MOTION, MOTION, batch_first=True)
        layers = []  # NN_delta, A.5
        for before in (LATENT, CONTENT):
            layers += [nn.Linear(before, CONTENT), nn.BatchNorm1d(CONTENT), nn.ReLU(inplace=True)]
        self.mlp = nn.Sequential(*layers, nn.Linear(CONTENT, CONTENT))

    def draw(self, n, frames, rng):
        """The noise of n videos: z_C (n, 50) and eps (n, T, 10)."""
        z_C = torch.randn(n, CONTENT, generator=rng, device=rng.device)
        eps = torch.randn(n, frames, MOTION, generator=rng, device=rng.device)
        return z_C, eps

    def forward(self, z_C, eps):
        """The latents z (B, T, D) of videos with noise z_C (B, 50) and eps (B, T, 10)."""
        z_M, _ = self.gru(eps)  # (B, T, 10), from h(0) = 0, independent of the content
        z_C = z_C[:, None].expand(-1, eps.shape[1], -1)
        delta_C = self.mlp(torch.cat([z_C, z_M], -1).flatten(0, 1)).unflatten(0, z_M.shape[:2])  # (B, T, 50)
        return torch.cat([z_C + delta_C, z_M], -1)


def build(args):
    """The four networks of a run, fresh."""
    nets = {"G_I": Generator(args.size, args.image_width or args.width, args.upsample)}
    nets["R_M"] = Latents()
    _, update_gate, _ = nets["R_M"].gru.bias_hh_l0.data.chunk(3)  # reset, update, new: views
    update_gate += args.gate_bias  # so that latents begin to drift, not to jump
    batch_norm = args.batch_norm == "on"
    nets["D_I"] = ImageDiscriminator(args.image_width or args.width, args.noise, batch_norm)
    nets["D_V"] = VideoDiscriminator(args.size, args.width, args.noise, batch_norm, args.clip_size)
    if not batch_norm:  # He initialisation: torch's own shrinks the signal at every layer, and D begins dead
        for layer in (*nets["D_I"].net, *nets["D_V"].net):
            if hasattr(layer, "weight"):
                nn.init.kaiming_normal_(layer.weight, a=0.2)
    return data.channels_last(nn.ModuleDict(nets))


# --- Losses: objective (1) -------------------------------------------------------------------------------------------

# Objective (1), which the discriminators minimise and G maximises; its lines, by the name of their term:
#   frames     E[-log D_I(S_1(v))] + E[-log(1 - D_I(G_I(z(t))))]
#   clips      E[-log D_V(S_T(v))] + E[-log(1 - D_V(G_I(z(1)), ..., G_I(z(T))))]
TERMS = {"frames": "D_I", "clips": "D_V"}  # the discriminator of each term


def real_batch(videos, clip_videos, args, rng):
    """What the discriminators see of real videos, by term: a frame S_1(v), or a clip S_T(v), of B random videos."""
    clips = clip_videos.clips(args.batch, args.frames, args.stride, rng)
    return {"frames": videos.images(args.batch, rng), "clips": clips}


def fake_batch(nets, args, kappas, max_length, rng):
    """What the discriminators see of B generated videos, by term.

    A video has kappa frames, drawn from `kappas`, at most `max_length`. Frames are decoded independently of each other,
    so S_1 and S_T choose among latents, and only what a discriminator will see is decoded, in one call of G_I.
    """
    z_C, eps = nets["R_M"].draw(args.batch, max_length, rng)
    z = nets["R_M"](z_C, eps)  # (B, max_length, D), of which the first kappa are the video
    row = torch.arange(args.batch, device=z.device)[:, None]  # (B, 1), the number of each video
    u_kappa, u_frame, u_first = torch.rand(3, args.batch, 1, generator=rng, device=z.device)
    kappa = kappas[(u_kappa * len(kappas)).long()]  # (B, 1), one of `kappas`
    frame = (u_frame * kappa).long()  # (B, 1), S_1: one of kappa frames
    first = (u_first * (kappa - args.frames + 1)).long()  # (B, 1), S_T: a place where T frames fit
    clip = first + torch.arange(args.frames, device=z.device)  # (B, T)
    latents = {"frames": z[row, frame], "clips": z[row, clip]}
    x = nets["G_I"](torch.cat(list(latents.values()), 1))  # (B, frames of all terms, C, H, W)
    parts = dict(zip(latents, x.split([part.shape[1] for part in latents.values()], 1), strict=True))
    return {term: part if term == "clips" else part[:, 0] for term, part in parts.items()}


def discriminator_losses(nets, real, fake):
    """Objective (1) by term: E[-log D(real)] + E[-log(1 - D(fake))]."""
    losses = {}
    for term in fake:
        D = nets[TERMS[term]]
        losses[term] = F.softplus(-D(real[term])).mean() + F.softplus(D(fake[term].detach())).mean()
    return losses


def generator_losses(nets, fake):
    """The non-saturating loss by term, E[-log D(fake)]: the gradient of log(1 - D) vanishes while D wins."""
    return {term: F.softplus(-nets[TERMS[term]](fake[term])).mean() for term in fake}


def gradient_penalties(nets, real, fake):
    """--penalty, by term: the zero-centred penalties R1 + R2 = E|dD(real)/dreal|^2 + E|dD(fake)/dfake|^2."""
    penalties = {}
    for term in fake:
        for x in (real[term].detach().requires_grad_(), fake[term].detach().requires_grad_()):
            logits = nets[TERMS[term]].forward(x).flatten(1).mean(1)  # over patches; not compiled, for a 2nd derivative
            (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
            penalties[term] = penalties.get(term, 0) + gradient.square().flatten(1).sum(1).mean()
    return penalties


def update(nets, optimizers, real, fake, penalty=0.0):
    """One step of the discriminators and one of the generator, both on the same batch of fakes; returns the losses."""
    discriminators = nn.ModuleList([nets["D_I"], nets["D_V"]]).requires_grad_(True)
    d_losses = discriminator_losses(nets, real, fake)
    penalties = gradient_penalties(nets, real, fake) if penalty else {}
    d_loss = sum(d_losses.values()) + penalty / 2 * sum(penalties.values())
    optimizers["D"].zero_grad()
    d_loss.backward()
    optimizers["D"].step()

    discriminators.requires_grad_(False)  # the generator's gradient passes through them, and is not collected there
    g_losses = generator_losses(nets, fake)
    optimizers["G"].zero_grad()
    sum(g_losses.values()).backward()
    optimizers["G"].step()
    losses = {"D": d_losses, "G": g_losses, "R": penalties}
    return {f"{name}_{term}": loss.detach() for name in losses for term, loss in losses[name].items()}


# --- Training --------------------------------------------------------------------------------------------------------


def train(args):
    """Train until iteration `args.iters`, or until a signal; fills the run directory and returns it."""
    rng = data.seeded(args.seed, args.device)  # of the batches, real and generated
    torch.manual_seed(args.seed)  # of the first weights and of the discriminators' noise
    videos, clip_videos, _ = data.load_gan_videos(args)

    # kappa, the length of a generated video: a number, or one of the data's lengths in steps of the stride
    kappas = (clip_videos.lengths - 1) // args.stride + 1 if args.kappa == "data" else torch.tensor([int(args.kappa)])
    kappas, max_length = kappas.to(args.device), int(kappas.max())

    nets = build(args).to(args.device)
    adam = {"lr": args.lr, "betas": tuple(args.betas), "weight_decay": 1e-5, "fused": True}
    optimizers = {
        "D": torch.optim.Adam([*nets["D_I"].parameters(), *nets["D_V"].parameters()], **adam),
        "G": torch.optim.Adam([*nets["G_I"].parameters(), *nets["R_M"].parameters()], **adam),
    }
    if args.init and not args.resume:
        data.start_from(args.init, nets, MODEL, args.device)
        rng.manual_seed(args.seed + 10**6)  # not the draws of a pre-training with the same seed once more

    ema = copy.deepcopy(nn.ModuleDict({name: nets[name] for name in ("G_I", "R_M")})).requires_grad_(False).eval()
    data.accelerate([nets["G_I"], nets["D_I"], nets["D_V"]], args)
    run = data.Run(args, nets, ema, optimizers, rng, sample, filmstrip)
    for iteration in run:
        real = real_batch(videos, clip_videos, args, rng)
        fake = fake_batch(nets, args, kappas, max_length, rng)
        penalty = args.penalty * PENALTY_EVERY if iteration % PENALTY_EVERY == 0 else 0.0
        run.log(update(nets, optimizers, real, fake, penalty))
        data.average(ema, nets, args.ema, iteration)
    return run.folder


# --- Sampling and figures --------------------------------------------------------------------------------------------


@torch.no_grad()
def sample(nets, n, frames, rng, content=None, motion=None):
    """Draw n videos of any number of frames.

    Returns videos (n, T, C, H, W), images (n, C, H, W): a random frame of each, and what they are made of: content,
    which is z_C, and motion, which is eps. Either can be given, from an earlier draw, to hold it fixed.
    """
    fresh_content, fresh_motion = nets["R_M"].draw(n, frames, rng)
    content = fresh_content if content is None else content
    motion = fresh_motion if motion is None else motion
    z = nets["R_M"](content, motion)
    videos = torch.cat([nets["G_I"](part) for part in z.split(16)])  # in parts, to limit memory
    t = torch.randint(frames, (n,), generator=rng, device=z.device)
    images = videos[torch.arange(n, device=z.device), t]
    return {"videos": videos, "images": images, "content": content, "motion": motion}


def filmstrip(drawn):
    """What a row of a grid shows of `sample`'s videos, (n, T, C, H, W): the frames."""
    return drawn["videos"]


@torch.no_grad()
def save_figures(nets, folder, args, rng):
    """The paper's figures, from one trained run.

    images.png          Figure 6: images from the prior
    content_motion.png  Figures 5 and 9: three contents (three rows each), each with the same three motions
    interpolation.png   Figures 11 and 12: the videos between two contents, with one motion
    """
    drawn = sample(nets, 64, args.frames, rng)
    data.save_png(folder / "images.png", data.tile(data.to_uint8(drawn["images"]), columns=16))
    content, motion = drawn["content"], drawn["motion"]
    swapped = sample(nets, 9, args.frames, rng, content[:3].repeat_interleave(3, 0), motion[:3].repeat(3, 1, 1))
    data.save_grid(folder / "content_motion.png", filmstrip(swapped))
    path = torch.lerp(content[0], content[1], torch.linspace(0, 1, 8, device=content.device)[:, None])
    between = sample(nets, 8, args.frames, rng, path, motion[:1].expand(8, -1, -1))
    data.save_grid(folder / "interpolation.png", filmstrip(between))


def load_run(run, device="cpu", raw=False):
    """The configuration and the networks, in evaluation mode, of a run directory. UserError if it holds none."""
    return data.load_run(run, build, parse_args([]), device, raw)


# --- Command line ----------------------------------------------------------------------------------------------------


def parse_args(argv=None):
    """The flags of this model; data.py has those that all have."""
    parser = data.run_parser(MODEL, SPLIT, __doc__.splitlines()[0], fixed=FIXED)
    add = parser.add_argument
    add("--noise", type=data.weight, metavar="SIGMA", help="noise added in the discriminators")
    add("--image-width", type=data.positive, metavar="CH", help="base channel count of G_I and D_I (default --width)")
    add("--upsample", default="transposed", choices=("transposed", "refined"), help="last layers of G_I")
    add("--betas", type=data.fraction, nargs=2, default=[0.5, 0.999], metavar="X", help="Adam's betas")
    add("--penalty", type=data.weight, default=0.0, metavar="X", help="weight of the gradient penalties R1 and R2")
    add("--batch-norm", default="on", choices=("on", "off"), help="BatchNorm in the discriminators")
    add("--clip-size", type=int, default=128, choices=(16, 32, 64, 128), help="D_V sees clips of at most N pixels")
    add("--gate-bias", type=data.weight, default=0.0, metavar="X", help="added to R_M's update gate at the start")
    add("--kappa", default="16", metavar="N", help="frames of a generated video, or data: the lengths of the data's")
    add("--init", metavar="RUN", help="start from the networks of another run, where names and shapes agree")
    add("--frames-only", type=data.fraction, default=0.0, metavar="X", help="fraction of videos that D_V does not see")
    add("--images", metavar="DIR", help="a folder of single images, more real data for D_I")
    args = data.parse_run(parser, {"paper": PAPER, "fast": FAST}, argv)

    if not data.trains(args):
        return args  # nothing is trained, and a video may have any number of frames
    if args.frames < 16:
        parser.error(f"--frames {args.frames}: the video discriminator needs at least 16")
    if args.kappa != "data" and not (args.kappa.isdecimal() and int(args.kappa) >= args.frames):
        parser.error(f"--kappa {args.kappa}: expected a number of at least --frames {args.frames}, or the word data")
    return args


def main(argv=None):
    return data.run_command(sys.modules[__name__], argv)


if __name__ == "__main__":
    sys.exit(main())
