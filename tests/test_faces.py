"""The built-in data set `faces`: what it promises to those who train on it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tools.faces import EXPRESSIONS, FACE_FACTORS, draw_faces  # noqa: E402

SIZE = 32


@pytest.fixture(scope="module")
def tiny():
    """All 633 videos, too small to see, for what concerns counts and labels."""
    return draw_faces(size=4)


@pytest.fixture(scope="module")
def takes(tiny):
    """One video of each expression of each of 16 subjects: (a list of (T, H, W, 3) arrays, labels)."""
    subject, expression = tiny[2]["subject"], tiny[2]["expression"]
    videos = [np.flatnonzero((subject == s) & (expression == e))[0] for s in range(16) for e in range(5)]
    frames, lengths, labels, _ = draw_faces(SIZE, videos=videos)
    return np.split(frames, lengths.cumsum()[:-1]), labels


def test_counts_lengths_and_labels(tiny):
    frames, lengths, labels, classes = tiny
    assert frames.dtype == np.uint8 and frames.shape == (lengths.sum(), 4, 4, 3)
    assert len(lengths) == 633 and lengths.min() == 64 and lengths.max() == 80
    assert lengths.sum() * 64 * 64 * 3 < 600e6  # the whole set at the default size fits in memory
    assert set(labels) == set(classes) == {"subject", "expression", *FACE_FACTORS}
    for name, values in labels.items():
        assert values.dtype == np.int64 and values.shape == (633,)
        assert set(values) == set(range(len(classes[name]))), name  # every value occurs, and none is out of range
    assert len(classes["subject"]) == 52 and classes["expression"] == list(EXPRESSIONS)
    assert classes["expression"] == ["anger", "disgust", "happiness", "sadness", "surprise"]
    pairs = np.bincount(labels["subject"] * 5 + labels["expression"], minlength=260)
    assert np.bincount(pairs).tolist() == [0, 0, 147, 113]  # two or three takes: 2 * 147 + 3 * 113 = 633


def test_identity_belongs_to_the_subject(tiny):
    labels = tiny[2]
    people = {tuple(labels[name][i] for name in FACE_FACTORS) for i in range(633)}
    owners = {(labels["subject"][i], *(labels[name][i] for name in FACE_FACTORS)) for i in range(633)}
    assert len(owners) == 52  # a subject has one look ...
    assert len(people) == 52  # ... and no two subjects share it


def test_identity_is_seen_in_the_pixels(takes):
    """First frames look alike within a subject, whatever the expression to come: they are neutral."""
    videos, labels = takes
    first = np.stack([video[0] for video in videos]).astype(float)
    apart = np.abs(first[:, None] - first[None]).mean(axis=(2, 3, 4))
    same = labels["subject"][:, None] == labels["subject"]
    np.fill_diagonal(apart, np.inf)
    assert (labels["subject"][apart.argmin(axis=1)] == labels["subject"]).mean() > 0.95
    assert np.median(apart[~same]) > 2 * np.median(apart[same & np.isfinite(apart)])


def test_seed_decides_every_byte():
    frames, lengths, _, _ = draw_faces(SIZE, seed=3, videos=[5, 400])
    again, _, _, _ = draw_faces(SIZE, seed=3, videos=[400])
    other, _, _, _ = draw_faces(SIZE, seed=4, videos=[400])
    assert np.array_equal(frames[lengths[0] :], again)  # nor does a video depend on what is drawn beside it
    assert other.shape != again.shape or (other != again).mean() > 0.5


def test_neither_threads_nor_global_state_matter():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    here = hashlib.sha256(draw_faces(SIZE, videos=[7])[0].tobytes()).hexdigest()
    assert np.array_equal(before, np.random.get_state()[1])
    code = "import hashlib, tools.faces as f; print(hashlib.sha256(f.draw_faces(32, videos=[7])[0]).hexdigest())"
    for threads in "1", "2":
        there = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).resolve().parents[1],
            env=os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert there.stdout.strip() == here


def test_rises_from_neutral_and_falls_back(takes):
    ends, apex = [], []
    for video in takes[0]:
        first, middle, last = (video[i].astype(float) for i in (0, len(video) // 2, -1))
        ends.append(np.abs(last - first).mean())
        apex.append(np.abs(middle - first).mean())
    assert np.mean(ends) < 0.1 * np.mean(apex)
    assert all(end < 0.5 * top for end, top in zip(ends, apex, strict=True))


def test_videos_move_smoothly(takes):
    for video in takes[0]:
        steps = np.abs(np.diff(video.astype(float), axis=0)).mean(axis=(1, 2, 3))
        assert 0.05 < steps.mean() and steps.max() < 4  # it moves, and never jumps: of 255


def test_expressions_are_told_apart_on_new_people(takes):
    """Nearest centroid on apex minus neutral, learned on half of the subjects: chance is 0.2."""
    videos, labels = takes
    change = np.stack([video[len(video) // 2].astype(float) - video[0] for video in videos]).reshape(len(videos), -1)
    known, expression = labels["subject"] % 2 == 0, labels["expression"]
    centres = np.stack([change[known & (expression == k)].mean(axis=0) for k in range(5)])
    cosine = change @ centres.T / np.linalg.norm(change, axis=1, keepdims=True) / np.linalg.norm(centres, axis=1)
    assert (cosine.argmax(axis=1) == expression)[~known].mean() > 0.6


@pytest.mark.parametrize("size", [32, 64, 128])
def test_every_size(size):
    frames, lengths, _, _ = draw_faces(size, videos=[0])
    assert frames.shape == (lengths[0], size, size, 3) and frames.std() > 30


def test_sizes_show_the_same_film():
    small, large = (draw_faces(size, videos=[11])[0].astype(float) for size in (32, 128))
    shrunk = large.reshape(len(large), 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 6  # of 255: the edges differ, the picture does not
