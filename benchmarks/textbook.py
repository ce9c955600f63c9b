"""The textbook step: what a plain implementation of the same mathematics does, to compare a file's own step with.

A DataLoader that decodes per item (in the same process), the plain memory layout, and an Adam that goes through its
tensors one by one. GANs: fresh fakes for each of three updates (D_I, D_V, G), every frame of them decoded, and
gradients that gather in the discriminators while the generator learns. VAEs: frames coded one at a time, LSTMs stepped
in Python.
tests/test_speed.py shows that its gradients are those of the file's step.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset


class Items(Dataset):
    """One video an item, decoded when asked for: a random clip of it, and a random frame for each of `images`."""

    def __init__(self, videos, args, images):
        self.videos, self.args, self.images = videos, args, images

    def __len__(self):
        return len(self.videos)

    def __getitem__(self, i):
        video = torch.from_numpy(self.videos[i]).permute(0, 3, 1, 2).float() / 127.5 - 1  # (T, C, H, W)
        span = (self.args.frames - 1) * self.args.stride + 1
        first = torch.randint(len(video) - span + 1, ())
        item = {term: video[torch.randint(len(video), ())] for term in self.images}
        return item | {"clips": video[first : first + span : self.args.stride]}


def batches(model, videos, args):
    """Batches of real items, by term, for ever; a data set smaller than a batch is gone through again."""
    images = [term for term in getattr(model, "TERMS", ()) if term != "clips"]
    items = ConcatDataset([Items(videos, args, images)] * -(-args.batch // len(videos)))
    while True:
        yield from DataLoader(items, args.batch, shuffle=True, drop_last=True)


def textbook_fakes(model, nets, args, generator):
    """Generated videos, all of their frames decoded, then what the discriminators see; random as in `fake_batch`."""
    kappa, video = int(args.kappa), torch.arange(args.batch, device=generator.device)[:, None]
    content, motion = nets["R_M"].draw(args.batch, kappa, generator)
    videos = nets["G_I"](nets["R_M"](content, motion))  # (B, kappa, C, H, W)
    u = torch.rand(3, args.batch, 1, generator=generator, device=generator.device)
    frame, first = (u[1] * kappa).long(), (u[2] * (kappa - args.frames + 1)).long()
    clip = first + torch.arange(args.frames, device=first.device)
    fake = {"clips": videos[video, clip], "frames": videos[video, frame][:, 0]}
    if "summary" in model.TERMS:
        fake["summary"] = nets["G_I"](content)
    return fake


def textbook_update(model, nets, optimizers, real, fakes, mark):
    """The updates of D_I, of D_V and of the generator, each on what `fakes()` newly gives."""

    def loss(term, x, target):
        logits = nets[model.TERMS[term]](x)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    for name in ("D_I", "D_V"):
        fake = fakes()
        mark("fakes")
        optimizers[name].zero_grad()
        for term in (term for term in fake if model.TERMS[term] == name):
            (loss(term, real[term], 1.0) + loss(term, fake[term].detach(), 0.0)).backward()
        optimizers[name].step()
    fake = fakes()
    mark("fakes")
    optimizers["G"].zero_grad()
    sum(loss(term, fake[term], 1.0) for term in fake).backward()  # D_I and D_V collect gradients here, for nothing
    optimizers["G"].step()


class PlainNoise(nn.Module):
    """A discriminator's noise as a textbook adds it."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        return x + self.sigma * torch.randn_like(x)


class PlainVideoDiscriminator(nn.Module):
    """D_V of the same layers, in the plain layout."""

    def __init__(self, D_V):
        super().__init__()
        self.net = D_V.net

    def forward(self, x):
        return self.net(x.transpose(1, 2).contiguous())


class FrameByFrame(nn.Module):
    """A network over (B, T, ...), one time after another."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return torch.stack([self.net(x_t) for x_t in x.unbind(1)], 1)


class Stepped(nn.Module):
    """What an LSTM of one layer makes of x (B, T, D) from a zero state, step by step: outputs, and last (h, c)."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm = lstm

    def forward(self, x, state=None):
        outputs, last = [], []
        for suffix, steps in (("", x.unbind(1)), ("_reverse", x.unbind(1)[::-1]))[: 1 + self.lstm.bidirectional]:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [getattr(self.lstm, f"{name}_l0{suffix}") for name in names]
            states = [(x.new_zeros(len(x), self.lstm.hidden_size),) * 2]
            for x_t in steps:
                states.append(torch.lstm_cell(x_t, states[-1], *weights))
            h = torch.stack([h for h, _ in states[1:]], 1)
            outputs.append(h.flip(1) if suffix else h)
            last.append(states[-1])
        return torch.cat(outputs, -1), tuple(torch.stack(parts) for parts in zip(*last, strict=True))


def textbook_nets(nets):
    """The networks of a file as a textbook has them: the same weights in the plain layout; a VAE's coded in steps."""
    nets = nets.to(memory_format=torch.contiguous_format)
    if "D_V" in nets:
        nets["D_V"] = PlainVideoDiscriminator(nets["D_V"])
    for name in {"D_I", "D_V"} & set(nets):
        for i, layer in enumerate(nets[name].net):
            if hasattr(layer, "sigma"):
                nets[name].net[i] = PlainNoise(layer.sigma)
    for name in {"Encoder", "Decoder"} & set(nets):
        nets[name] = FrameByFrame(nets[name])
    for name in {"Prior", "Posterior"} & set(nets):
        nets[name].lstm = Stepped(nets[name].lstm)
    return nets
