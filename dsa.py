"""Disentangled Sequential Autoencoder, factorised q: the VAE baseline of the paper (WACV 2020, Sections 3 and 5.4).

A frame's latent is a content vector, drawn once a video, beside a motion vector with a learned prior over time. The
model maximises the ELBO; the posterior of the content sees the whole video, that of a motion vector its own frame.

    symbol        name                                                     shape
    f             content, p(f) = N(0, I)                                  (B, 256)
    z(t)          motion, p(z(t) | z(<t)) from LSTM(z(t-1))                (B, T, 32)
    [f, z(t)]     latent of a frame                                        (B, T, 288)
    phi(t)        code of a frame x(t), from the encoder                   (B, T, 512)
    q(f | x)      posterior of the content, bi-LSTM over phi               2 x (B, 256)
    q(z(t) | x)   posterior of the motion, MLP of phi(t)                   2 x (B, T, 32)
    G_I           decoder, p(x(t) | f, z(t)) = N(G_I([f, z(t)]), I)        (B, T, C, H, W)

Shapes: B batch, T frames, C channels, H W pixels, D latent; videos are float (B, T, C, H, W) in [-1, 1]. A diagonal
Gaussian is a pair (mean, logvar) of one shape. Losses are nats a video.
rjvae.py differs from this file in `Prior`, in `Posterior` and in what follows from them.

    python dsa.py --data sprites                      train as in the paper
    python dsa.py --out RUN --resume                  resume
    python dsa.py --out RUN --sample 64               samples.npy and figures
    python dsa.py --out RUN --eval                    ELBO and log p(x) on the test split
"""

import copy
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import data

MODEL = Path(__file__).stem
SPLIT = "train"  # likelihoods are reported on the test split
PAPER = {"iters": 42000, "batch": 128, "frames": 8, "stride": 1, "size": 64, "width": 256, "hidden": 512, "lr": 5e-4}
# 42,000 iterations are the 600 epochs of A.5, on the 9000 training videos of Sprites
CONTENT, MOTION, LATENT = 256, 32, 288  # the dimensions of f, z(t) and [f, z(t)]


# --- Networks, the same in both VAE files; the shape after a layer is that of 64x64 pixels and width 256 -------------


class Encoder(nn.Module):
    """Frames (..., C, H, W) to codes phi (..., 512): four 5x5 convolutions and an affine layer."""

    def __init__(self, size, width, hidden):
        super().__init__()

        def block(stride):
            conv = nn.Conv2d(width, width, 5, stride, 2, bias=False)
            return [conv, nn.BatchNorm2d(width), nn.LeakyReLU(0.2, inplace=True)]

        self.net = nn.Sequential(
            nn.Conv2d(3, width, 5, 1, 2),  # (256, 64, 64)
            nn.LeakyReLU(0.2, inplace=True),
            *block(2),  # (256, 32, 32)
            *block(2),  # (256, 16, 16)
            *block(2),  # (256, 8, 8)
            nn.Flatten(),
            nn.Linear(width * (size // 8) ** 2, hidden),
        )

    def forward(self, x):
        phi = self.net(x.flatten(0, -4))  # every frame on its own: (B * T, 512)
        return phi.unflatten(0, x.shape[:-3])


class Decoder(nn.Module):
    """G_I: latents (..., D) to frames (..., C, H, W) in [-1, 1]; the encoder backwards."""

    def __init__(self, size, width):
        super().__init__()
        side = size // 8

        def block():
            conv = nn.ConvTranspose2d(width, width, 5, 2, 2, output_padding=1, bias=False)
            return [nn.BatchNorm2d(width), nn.LeakyReLU(0.2, inplace=True), conv]

        self.net = nn.Sequential(
            nn.Linear(LATENT, width * side**2, bias=False),
            nn.Unflatten(1, (width, side, side)),  # (256, 8, 8)
            *block(),  # (256, 16, 16)
            *block(),  # (256, 32, 32)
            *block(),  # (256, 64, 64)
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.ConvTranspose2d(width, 3, 5, 1, 2),  # (3, 64, 64)
            nn.Tanh(),
        )

    def forward(self, z):
        x = self.net(z.flatten(0, -2))  # every frame on its own: (B * T, C, H, W)
        return x.unflatten(0, z.shape[:-1])


# --- The idea: the latents of a video, their prior and their posterior -----------------------------------------------


class Prior(nn.Module):
    """p(z(t) | z(<t)) = N(mean, exp(logvar)) from an LSTM of z(t-1), with h(0) = c(0) = z(0) = 0."""

    def __init__(self, hidden):
        super().__init__()
        self.lstm = nn.LSTM(MOTION, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2 * MOTION)

    def step(self, content, previous, state=None):
        """Any number of steps in one call: previous (B, T, D) and the LSTM's state to the Gaussian, and the state."""
        hidden, state = self.lstm(previous, state)  # without a state, h(0) = c(0) = 0; the content plays no part here
        return self.head(hidden).chunk(2, -1), state

    def forward(self, content, motion):
        """The prior of every step of motion (B, T, D), given the steps before it: its mean and logvar, (B, T, D)."""
        previous = F.pad(motion[:, :-1], (0, 0, 1, 0))  # teacher forcing: the LSTM runs once over all steps
        return self.step(content, previous)[0]

    def draw(self, content, frames, rng):
        """Motion (B, T, D) drawn step by step, each step from the prior given the draws before it."""
        motion, state = [content.new_zeros(len(content), 1, MOTION)], None
        for _ in range(frames):
            gaussian, state = self.step(content, motion[-1], state)
            motion.append(reparameterize(gaussian, rng))
        return torch.cat(motion[1:], 1)


class Posterior(nn.Module):
    """q(f | x(1:T)) from a bi-LSTM over phi(1) to phi(T), and q(z(t) | x(t)) from an MLP of phi(t)."""

    def __init__(self, hidden):
        super().__init__()
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True, bidirectional=True)
        self.content_head = nn.Linear(2 * hidden, 2 * CONTENT)
        self.motion_head = nn.Sequential(nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 2 * MOTION))

    def content(self, phi):
        """Codes phi (B, T, 512) to the Gaussian of the content, (B, D)."""
        _, (h, _) = self.lstm(phi)  # h: the last state of each direction, (2, B, 512)
        return self.content_head(torch.cat([h[0], h[1]], -1)).chunk(2, -1)

    def motion(self, phi, content):
        """Codes phi (B, T, 512) to the Gaussian of the motion, (B, T, D): factorised, so the content plays no part."""
        return self.motion_head(phi).chunk(2, -1)


def latents(content, motion):
    """The latents of the frames, (B, T, D), of content f (B, D) and motion z (B, T, D): [f, z(t)]."""
    return torch.cat([content[:, None].expand(-1, motion.shape[1], -1), motion], -1)


def build(args):
    """The four networks of a run, fresh."""
    nets = {"Encoder": Encoder(args.size, args.width, args.hidden), "Decoder": Decoder(args.size, args.width)}
    return data.channels_last(nn.ModuleDict(nets | {"Prior": Prior(args.hidden), "Posterior": Posterior(args.hidden)}))


# --- Losses: the ELBO (A.1), and tighter bounds ----------------------------------------------------------------------

ZERO = torch.zeros((), dtype=torch.float64)  # 0-d: of any shape, device and precision
STANDARD_NORMAL = (ZERO, ZERO)  # mean and logvar of N(0, I)


def reparameterize(gaussian, rng):
    """A draw of the Gaussian (mean, logvar) that gradients can pass through."""
    mean, logvar = gaussian
    eps = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
    return mean + (logvar / 2).exp() * eps


def log_density(x, gaussian):
    """log N(x; mean, exp(logvar)) summed over all but the first dimension: (B,), in nats."""
    mean, logvar = gaussian
    return -0.5 * (math.log(2 * math.pi) + logvar + (x - mean) ** 2 * (-logvar).exp()).flatten(1).sum(1)


def kl(q, p):
    """D_KL[q || p] of diagonal Gaussians, summed over all but the first dimension: (B,), in nats."""
    (q_mean, q_logvar), (p_mean, p_logvar) = q, p
    log_ratio = q_logvar - p_logvar
    return 0.5 * (log_ratio.exp() - log_ratio - 1 + (q_mean - p_mean) ** 2 * (-p_logvar).exp()).flatten(1).sum(1)


def sample_posterior(nets, phi, q_content, rng):
    """Content and motion drawn from the posterior, q of that motion, and p of that motion.

    The prior is rolled out on the posterior's draws, as the expectation in A.1 says, never on draws of its own.
    """
    content = reparameterize(q_content, rng)
    q_motion = nets["Posterior"].motion(phi, content)
    motion = reparameterize(q_motion, rng)
    return content, motion, q_motion, nets["Prior"](content, motion)


def elbo_parts(nets, x, rng):
    """The three parts of the ELBO (A.1) of videos x (B, T, C, H, W), from one draw: (B,) each, in nats.

    ELBO = reconstruction - kl_content - kl_motion.
    """
    phi = nets["Encoder"](x)
    q_content = nets["Posterior"].content(phi)
    content, motion, q_motion, p_motion = sample_posterior(nets, phi, q_content, rng)
    decoded = nets["Decoder"](latents(content, motion))  # all frames of all videos in one batch
    return {
        "reconstruction": log_density(x, (decoded, ZERO)),
        "kl_content": kl(q_content, STANDARD_NORMAL),
        "kl_motion": kl(q_motion, p_motion),
    }


def log_weight(nets, x, phi, q_content, rng):
    """log p(x, content, motion) - log q(content, motion | x) at one draw of the posterior: (B,), float64."""
    content, motion, q_motion, p_motion = sample_posterior(nets, phi, q_content, rng)
    decoded = nets["Decoder"](latents(content, motion)).double()
    log_p_x = log_density(x, (decoded, ZERO))
    log_p = log_p_x + log_density(content, STANDARD_NORMAL) + log_density(motion, p_motion)
    return log_p - log_density(content, q_content) - log_density(motion, q_motion)


def importance_bounds(log_weights):
    """{K: the importance-weighted bound on log p(x) from K draws, (B,)}, K = 1, 10, 100, of log weights (B, 100).

    For K below 100 it is the mean over 100 / K disjoint groups of the same draws.
    """
    groups = {K: log_weights.unflatten(1, (-1, K)) for K in (1, 10, 100)}
    return {K: (group.logsumexp(2) - math.log(K)).mean(1) for K, group in groups.items()}


def update(nets, optimizers, x, rng):
    """One step on the negative ELBO of videos x (B, T, C, H, W), averaged over the batch; returns its parts."""
    parts = {name: part.mean() for name, part in elbo_parts(nets, x, rng).items()}
    loss = parts["kl_content"] + parts["kl_motion"] - parts["reconstruction"]
    optimizers["all"].zero_grad()
    loss.backward()
    optimizers["all"].step()
    # half the squared error: the rest of -log p(x | z) is a constant so large that it hides everything in a plot
    error = -parts["reconstruction"] - 0.5 * math.log(2 * math.pi) * x[0].numel()
    losses = {"error": error, "kl_content": parts["kl_content"], "kl_motion": parts["kl_motion"]}
    return {name: loss.detach() for name, loss in losses.items()}


# --- Training --------------------------------------------------------------------------------------------------------


def train(args):
    """Train until iteration `args.iters`, or until a signal; fills the run directory and returns it."""
    rng = data.seeded(args.seed, args.device)  # of the batches and of the posterior's draws
    torch.manual_seed(args.seed)  # of the first weights
    videos = data.load_for(args).at_least((args.frames - 1) * args.stride + 1)
    data.figure_videos(args)  # fail early if the test split has no clip of that length

    nets = build(args).to(args.device)
    optimizers = {"all": torch.optim.Adam(nets.parameters(), args.lr, betas=(0.9, 0.999), fused=True)}

    ema = copy.deepcopy(nets).requires_grad_(False).eval()
    data.accelerate([nets["Encoder"], nets["Decoder"]], args)
    run = data.Run(args, nets, ema, optimizers, rng, sample, filmstrip)
    for iteration in run:
        x = videos.clips(args.batch, args.frames, args.stride, rng)
        run.log(update(nets, optimizers, x, rng))
        data.average(ema, nets, args.ema, iteration)
    return run.folder


# --- Sampling and figures --------------------------------------------------------------------------------------------


@torch.no_grad()
def sample(nets, n, frames, rng, content=None, motion=None):
    """Draw n videos of any number of frames.

    Returns videos (n, T, C, H, W), images (n, C, H, W): a random frame of each, and their latents: content (n, D),
    which is f, and motion (n, T, D), which is z. Either can be given to hold it fixed.
    """
    fresh_content = torch.randn(n, CONTENT, generator=rng, device=rng.device)
    content = fresh_content if content is None else content
    motion = nets["Prior"].draw(content, frames, rng) if motion is None else motion
    z = latents(content, motion)
    videos = torch.cat([nets["Decoder"](part) for part in z.split(16)])  # in parts, to limit memory
    t = torch.randint(z.shape[1], (n,), generator=rng, device=z.device)
    images = videos[torch.arange(n, device=z.device), t]
    return {"videos": videos, "images": images, "content": content, "motion": motion}


@torch.no_grad()
def infer(nets, videos, rng):
    """The posterior's draws for real videos (n, T, C, H, W): what `sample` takes, content (n, D), motion (n, T, D)."""
    phi = nets["Encoder"](videos)
    content, motion, *_ = sample_posterior(nets, phi, nets["Posterior"].content(phi), rng)
    return {"content": content, "motion": motion}


def filmstrip(drawn):
    """What a row of a grid shows of `sample`'s videos, (n, T, C, H, W): the frames."""
    return drawn["videos"]


@torch.no_grad()
def save_figures(nets, folder, args, rng):
    """The paper's figures, from one trained run and six real videos, repeated if fewer.

    generation.png     Figure 7, top: videos from the prior
    inference.png      Figure 7, bottom: a real video, and below it what the model makes of it
    interpolation.png  Figure 13: the videos between two contents, with the same noise
    swap.png           two real videos; the content of the first with the motion of the second, and the reverse
    """
    real = data.figure_videos(args)
    real = real[torch.arange(6) % len(real)]
    frames = real.shape[1]
    drawn = sample(nets, 8, frames, rng)
    data.save_grid(folder / "generation.png", filmstrip(drawn))

    inferred = infer(nets, real, rng)
    white = torch.ones_like(real[:, 0])  # a real video has no summary frame
    shown = filmstrip({"videos": real, "images": white})
    made = filmstrip(sample(nets, 6, frames, rng, **inferred))
    data.save_grid(folder / "inference.png", torch.stack([shown, made], 1).flatten(0, 1))

    path = torch.lerp(drawn["content"][0], drawn["content"][1], torch.linspace(0, 1, 8, device=real.device)[:, None])
    strips = [filmstrip(sample(nets, 1, frames, data.seeded(0, real.device), point[None])) for point in path]
    data.save_grid(folder / "interpolation.png", torch.cat(strips))

    other = [1, 0, 3, 2, 5, 4]  # the other of a pair
    swapped = filmstrip(sample(nets, 6, frames, rng, inferred["content"], inferred["motion"][other]))
    rows = [part.unflatten(0, (3, 2)) for part in (shown, swapped)]  # three pairs of videos
    data.save_grid(folder / "swap.png", torch.cat(rows, 1).flatten(0, 1))


def load_run(run, device="cpu", raw=False):
    """The configuration and the networks, in evaluation mode, of a run directory. UserError if it holds none."""
    return data.load_run(run, build, parse_args([]), device, raw)


# --- Command line ----------------------------------------------------------------------------------------------------


def parse_args(argv=None):
    """The flags of this model; data.py has those that all have."""
    parser = data.run_parser(MODEL, SPLIT, __doc__.splitlines()[0], fixed=("hidden",))
    add = parser.add_argument
    add("--hidden", type=data.positive, metavar="N", help="units of an LSTM or an MLP, and the dimension of phi")
    add("--eval-videos", type=data.positive, metavar="N", help="evaluate on N videos of the test split (default all)")
    return data.parse_run(parser, {"paper": PAPER}, argv)


def main(argv=None):
    return data.run_command(sys.modules[__name__], argv)


if __name__ == "__main__":
    sys.exit(main())
