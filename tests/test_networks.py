"""The GAN files: their networks layer by layer, and the latents of a video against a loop of cells."""

import pytest
import torch
from conftest import build
from torch import nn

import data
import mocogan
import rjgan
import rmocogan

# --- Networks: sizes and parameters, by hand from the architecture ---------------------------------------------------

BATCH_NORM = 2  # a scale and a shift for each channel


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("size", "widths", "last"),
    [(64, (512, 256, 128, 64), 4), (32, (256, 128, 64), 2), (128, (1024, 512, 256, 128, 64), 8)],
)
def test_parameters_of_the_paper(gan, size, widths, last):
    nets = build(gan, size, 64)
    kernel = 4 * 4
    pairs = sum(a * b for a, b in zip((60, *widths), (*widths, 3), strict=True))
    assert count(nets["G_I"]) == kernel * pairs + BATCH_NORM * sum(widths)
    assert count(nets["D_I"]) == kernel * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 1) + BATCH_NORM * (128 + 256)
    before_last = 4 * kernel * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    assert count(nets["D_V"]) == before_last + 512 * (4 * last * last) + BATCH_NORM * (128 + 256 + 512)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        # three gates: from the input, from the state, two biases each
        (mocogan, 3 * (10 * 10 + 10 * 10 + 10 + 10)),
        (rjgan, 3 * (60 * 120 + 60 * 60 + 60 + 60)),
        (
            rmocogan,
            3 * (10 * 10 + 10 * 10 + 10 + 10)
            + (60 * 50 + 50) + BATCH_NORM * 50 + (50 * 50 + 50) + BATCH_NORM * 50 + (50 * 50 + 50),
        ),
    ],
)  # fmt: skip
def test_parameters_of_the_latents(file, expected):
    assert count(build(file)["R_M"]) == expected


@pytest.mark.parametrize(("size", "width"), [(64, 64), (32, 8), (128, 4)])
def test_shapes(gan, size, width):
    nets = build(gan, size, width)
    content, motion = nets["R_M"].draw(2, 17, data.seeded(0))
    z = nets["R_M"](content, motion)
    assert z.shape == (2, 17, 60)
    x = nets["G_I"](z)
    assert x.shape == (2, 17, 3, size, size) and x.abs().max() <= 1
    assert nets["G_I"](z[:, 0]).shape == (2, 3, size, size)
    assert nets["D_I"](x[:, 0]).shape == (2, 1, size // 16, size // 16)
    assert nets["D_V"](x[:, :16]).shape == (2, 1, 1, 1, 1) and nets["D_V"](x).shape == (2, 1, 2, 1, 1)


def test_layers(gan):
    nets = build(gan, 64, 64)
    kinds = {name: [type(layer).__name__ for layer in nets[name].net] for name in ("G_I", "D_I", "D_V")}
    assert kinds["G_I"] == ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 4 + ["ConvTranspose2d", "Tanh"]
    first, middle = ["Noise", "Conv2d", "LeakyReLU"], ["Noise", "Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds["D_I"] == first + 2 * middle + ["Noise", "Conv2d"]
    first, middle = ["Noise", "Conv3d", "LeakyReLU"], ["Noise", "Conv3d", "BatchNorm3d", "LeakyReLU"]
    assert kinds["D_V"] == first + 3 * middle + ["Conv3d"]
    for layer in nets.modules():
        if isinstance(layer, nn.LeakyReLU):
            assert layer.negative_slope == 0.2
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            assert layer.bias is None
        if isinstance(layer, nn.Conv3d) and layer is not nets["D_V"].net[-1]:
            assert (layer.kernel_size, layer.stride, layer.padding) == ((4, 4, 4), (1, 2, 2), (0, 1, 1))
        if isinstance(layer, gan.Noise):
            assert layer.sigma == 0.1


def test_noise(gan):
    x = torch.zeros(10, 10, 10, 10, 10).to(memory_format=torch.channels_last_3d)
    noisy = gan.Noise(0.1)(x)
    assert abs(noisy.std() - 0.1) < 0.002 and abs(noisy.mean()) < 0.002
    assert noisy.stride() == x.stride()
    assert gan.Noise(0.0)(x) is x


def test_every_frame_is_decoded_on_its_own(gan):
    nets = build(gan)
    z = torch.randn(2, 3, 60, generator=data.seeded(0))
    x = nets["G_I"](z)
    for b in range(2):
        for t in range(3):
            assert torch.allclose(x[b, t], nets["G_I"](z[b, t][None])[0], atol=1e-6)


def test_clips_reach_the_video_discriminator_in_time_order(gan):
    nets = build(gan)
    for layer in nets["D_V"].net:
        if isinstance(layer, gan.Noise):
            layer.sigma = 0
    x = torch.randn(1, 17, 3, 32, 32, generator=data.seeded(0))
    both = nets["D_V"](x).flatten()  # a logit for each start of 16 frames
    assert torch.allclose(both[0], nets["D_V"](x[:, :16]).flatten(), atol=1e-5)
    assert torch.allclose(both[1], nets["D_V"](x[:, 1:]).flatten(), atol=1e-5)


# --- Latents ---------------------------------------------------------------------------------------------------------


def cell_of(gru):
    """The GRUCell with the weights of a one-layer GRU."""
    cell = nn.GRUCell(gru.input_size, gru.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in gru.state_dict().items()})
    return cell


def large_weights(latents):
    """Larger weights than at the start, so that no residual is near 0."""
    for p in latents.parameters():
        nn.init.normal_(p, std=0.5)
    return latents


def rjgan_latents(residual="summary"):
    torch.manual_seed(0)
    latents = large_weights(rjgan.Latents(residual))
    mu, eps = latents.draw(3, 7, data.seeded(0))
    assert mu.shape == (3, 60) and eps.shape == (3, 7, 60)
    h, delta = torch.zeros(3, 60), []
    for t in range(7):
        h = cell_of(latents.gru)(torch.cat([mu, eps[:, t]], 1), h)
        delta.append(h)
    return latents(mu, eps), mu, torch.stack(delta, 1)


def test_rjgan_is_a_loop_of_cells_on_the_summary():
    z, mu, delta = rjgan_latents()
    assert z.shape == (3, 7, 60) and delta.abs().mean() > 0.1
    assert torch.allclose(z, mu[:, None] + delta, atol=1e-5)


def test_rjgan_residual_of_the_previous_frame():
    z, mu, delta = rjgan_latents("previous")
    expected = mu
    for t in range(7):
        expected = expected + delta[:, t]
        assert torch.allclose(z[:, t], expected, atol=1e-5)


def test_residual_flag_reaches_the_latents(argv):
    nets = {r: rjgan.build(rjgan.parse_args(argv("--residual", r)))["R_M"] for r in ("summary", "previous")}
    assert {r: net.residual for r, net in nets.items()} == {"summary": "summary", "previous": "previous"}


def test_rjgan_without_residuals_is_its_summary():
    latents = rjgan.Latents()
    for p in latents.parameters():
        nn.init.zeros_(p)  # a GRU of zeros stays at h(0): at mu only if h(0) = 0
    mu, eps = latents.draw(3, 7, data.seeded(0))
    assert torch.equal(latents(mu, eps), mu[:, None].expand(3, 7, 60))


def test_rjgan_summary_frame_is_the_image_of_mu():
    nets = build(rjgan)
    drawn = rjgan.sample(nets, 3, 5, data.seeded(0))
    assert torch.allclose(drawn["images"], nets["G_I"](drawn["content"]), atol=1e-6)
    assert torch.equal(rjgan.filmstrip(drawn)[:, 0], drawn["images"])
    assert torch.equal(rjgan.filmstrip(drawn)[:, 1:], drawn["videos"])


def test_mocogan_content_stays_and_motion_starts_from_noise():
    torch.manual_seed(0)
    latents = large_weights(mocogan.Latents())
    content, motion = latents.draw(2000, 7, data.seeded(0))
    assert content.shape == (2000, 50) and motion.shape == (2000, 8, 10)
    z = latents(content, motion)
    assert z.shape == (2000, 7, 60) and torch.equal(z[..., :50], content[:, None].expand(-1, 7, -1))
    h = motion[:, 0]
    assert abs(h.std() - 1) < 0.02 and abs(h.mean()) < 0.02  # h(0) ~ N(0, I)
    for t in range(7):
        h = cell_of(latents.gru)(motion[:, t + 1], h)
        assert torch.allclose(z[:, t, 50:], h, atol=1e-5)


def rmocogan_latents():
    torch.manual_seed(0)
    latents = large_weights(rmocogan.Latents()).eval()
    return latents, *latents.draw(3, 7, data.seeded(0))


def test_rmocogan_motion_is_independent_of_the_content():
    latents, content, motion = rmocogan_latents()
    assert content.shape == (3, 50) and motion.shape == (3, 7, 10)
    z, other = latents(content, motion), latents(-content, motion)
    assert torch.equal(z[..., 50:], other[..., 50:]) and not torch.allclose(z[..., :50], other[..., :50])
    h = torch.zeros(3, 10)  # A.3: h(0) = 0
    for t in range(7):
        h = cell_of(latents.gru)(motion[:, t], h)
        assert torch.allclose(z[:, t, 50:], h, atol=1e-5)


class Given(nn.Module):
    """A GRU whose output was decided before."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, *_):
        return self.output, None


def test_rmocogan_content_residual():
    latents, content, motion = rmocogan_latents()
    z = latents(content, motion)
    delta = z[..., :50] - content[:, None]
    for t in range(7):
        expected = latents.mlp(torch.cat([content, z[:, t, 50:]], 1))
        assert torch.allclose(delta[:, t], expected, atol=1e-4) and expected.abs().mean() > 0.05
    later = motion.clone()
    later[:, 4:] += 1
    assert torch.equal(latents(content, later)[:, :4], z[:, :4])  # no step looks ahead
    z_M = torch.randn(3, 7, 10, generator=data.seeded(1))
    perturbed = z_M.clone()
    perturbed[:, [0, 1, 2, 4, 5, 6]] += 1
    out = []
    for latents.gru in (Given(z_M), Given(perturbed)):  # delta_C(3) knows z_C and z_M(3), and no other step
        out.append(latents(content, motion))
    assert torch.equal(out[0][:, 3], out[1][:, 3]) and not torch.equal(out[0][:, 2], out[1][:, 2])


def test_rmocogan_mlp_is_that_of_the_appendix():
    layers = [(type(m).__name__, *(tuple(p.shape) for p in m.parameters())) for m in rmocogan.Latents().mlp]
    hidden = [("BatchNorm1d", (50,), (50,)), ("ReLU",)]
    first, second = ("Linear", (50, 60), (50,)), ("Linear", (50, 50), (50,))
    assert layers == [first, *hidden, second, *hidden, second]
