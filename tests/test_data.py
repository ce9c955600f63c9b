"""data.py: videos in memory, data sets on disk, writers, the log, downloads."""

import hashlib
import http.server
import io
import os
import platform
import signal
import subprocess
import sys
import textwrap
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import data
from tools import pictures, public
from tools.prepare import write_prepared

ROOT = Path(__file__).resolve().parent.parent

LENGTHS = (5, 12, 7, 30)


def coded(lengths=LENGTHS, size=4):
    """Videos whose pixels say where they come from: red is the video's number, green the frame's, blue 255."""
    videos = [np.full((length, size, size, 3), 255, np.uint8) for length in lengths]
    for i, video in enumerate(videos):
        video[..., 0] = i
        video[..., 1] = np.arange(len(video))[:, None, None]
    return data.from_arrays("coded", videos, {"kind": np.arange(len(videos)) % 2}, {"kind": ["even", "odd"]})


def decode(x):
    """Float (..., C, H, W) of `coded` videos to the numbers of video and frame, (..., 2)."""
    x = data.to_uint8(x)
    assert (x[..., 2] == 255).all() and (x == x[..., :1, :1, :]).all()  # channels in their order, frames unmixed
    return x[..., 0, 0, :2].astype(int)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- Videos ----------------------------------------------------------------------------------------------------------


def test_videos_hold_what_they_were_made_of():
    videos = coded()
    assert len(videos) == 4 and videos.shortest == 5
    for i, length in enumerate(LENGTHS):
        assert videos[i].shape == (length, 4, 4, 3) and videos[i].dtype == np.uint8
        assert (videos[i][..., 0] == i).all() and (videos[i][:, 0, 0, 1] == np.arange(length)).all()


@pytest.mark.parametrize("index", [[3, 1], np.array([3, 1]), torch.tensor([3, 1])])
def test_subset_by_number(index):
    part = coded().subset(index)
    assert [part[i][0, 0, 0, 0] for i in range(len(part))] == [3, 1] and part.shortest == 12
    assert part.labels["kind"].tolist() == [1, 1] and part.labels["kind"].dtype == np.int64


def test_subset_by_mask_shares_the_frames():
    videos = coded()
    part = videos.subset(np.array([True, False, True, False]))
    assert [part[i][0, 0, 0, 0] for i in range(len(part))] == [0, 2] and part.labels["kind"].tolist() == [0, 0]
    assert part.frames.data_ptr() == videos.frames.data_ptr()
    assert len(videos.subset(np.zeros(4, bool))) == 0


def test_at_least():
    videos = coded()
    assert len(videos.at_least(7)) == 3 and videos.at_least(8).lengths.tolist() == [12, 30]
    with pytest.raises(data.UserError, match="31 frames.*coded has 30"):
        videos.at_least(31)


@pytest.mark.parametrize("stride", [1, 2])
def test_clips_are_contiguous_parts_of_one_video(stride):
    videos = coded().at_least(5)
    x = videos.clips(4000, 3, stride, generator())
    assert x.shape == (4000, 3, 3, 4, 4) and x.dtype == torch.float32 and -1 <= x.min() and x.max() == 1
    video, frame = np.moveaxis(decode(x), -1, 0)
    assert (video == video[:, :1]).all() and (np.diff(frame) == stride).all()
    counts = np.bincount(video[:, 0])
    assert counts.min() > 900 and counts.max() < 1100  # videos are drawn uniformly, whatever their length
    for i, length in enumerate(LENGTHS):
        starts = np.bincount(frame[video[:, 0] == i, 0], minlength=length - 2 * stride)
        assert len(starts) == length - 2 * stride  # no clip reaches beyond the end,
        assert starts.min() > 0.4 * starts.mean() and starts.max() < 1.8 * starts.mean()  # and all starts are drawn


def test_clips_of_the_whole_video_and_of_too_short_ones():
    videos = coded((5, 5))
    assert (decode(videos.clips(8, 5, 1, generator()))[..., 1] == np.arange(5)).all()
    assert (decode(videos.clips(8, 3, 2, generator()))[..., 1] == (0, 2, 4)).all()
    for frames, stride in ((6, 1), (3, 3)):
        with pytest.raises(data.UserError, match=f"span {(frames - 1) * stride + 1} frames.*coded has 5"):
            videos.clips(2, frames, stride)


def test_clips_and_images_follow_their_generator():
    videos = coded()
    assert torch.equal(videos.clips(9, 4, 1, generator(1)), videos.clips(9, 4, 1, generator(1)))
    assert not torch.equal(videos.clips(9, 4, 1, generator(1)), videos.clips(9, 4, 1, generator(2)))
    assert torch.equal(videos.images(9, generator(1)), videos.images(9, generator(1)))
    state = torch.get_rng_state()
    videos.clips(9, 4, 1, generator())
    assert torch.equal(state, torch.get_rng_state())  # the global one is not touched


def test_images_are_frames_from_everywhere():
    x = coded().images(6000, generator())
    assert x.shape == (6000, 3, 4, 4)
    assert {tuple(pair) for pair in decode(x)} == {(i, t) for i, length in enumerate(LENGTHS) for t in range(length)}


def test_middle_clips():
    """The middle of each video that is long enough, once, in an order that stays."""
    clips = data.middle_clips(coded(), 4, 3)  # they span 10 frames: of 12 and of 30
    numbers = decode(data.to_float(clips))[..., 0], decode(data.to_float(clips))[..., 1]
    assert clips.dtype == torch.uint8 and {*numbers[0][:, 0]} == {1, 3}
    for video, times in zip(*numbers, strict=True):
        assert times.tolist() == ([1, 4, 7, 10] if video[0] == 1 else [10, 13, 16, 19])
    assert torch.equal(data.middle_clips(coded(), 4, 3, 1), clips[:1])
    with pytest.raises(data.UserError, match="span 31"):
        data.middle_clips(coded(), 31)


@pytest.mark.parametrize("convert, good, bad", [
    (data.positive, {"1": 1, "12": 12}, ("0", "-3", "1.5", "x", "")),
    (data.rate, {"0.5": 0.5, "1e-3": 0.001}, ("0", "-1", "inf", "nan", "x")),
])  # fmt: skip
def test_domains(convert, good, bad):
    assert {text: convert(text) for text in good} == good
    for text in bad:
        with pytest.raises(ValueError):
            convert(text)


def test_to_float_and_back_is_exact():
    frames = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    x = data.to_float(frames)
    assert x.shape == (1, 3, 16, 16) and x.min() == -1 and x.max() == 1
    assert torch.allclose(x[0, 0].flatten(), torch.linspace(-1, 1, 256), atol=1e-6)
    assert (data.to_uint8(x) == frames).all()
    outside = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).reshape(5, 1, 1, 1)
    assert data.to_uint8(outside).flatten().tolist() == [0, 0, 128, 255, 255]


def test_resize():
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    assert data.resize(frames, 64) is frames
    small = data.resize(frames, 32)
    assert small.shape == (3, 32, 32, 3) and small.dtype == np.uint8
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 200  # antialiased: fine stripes become grey, not all black or all bright
    assert abs(data.resize(stripes, 16)[0, 4:-4, 4:-4].astype(int) - 100).max() <= 8
    wide = np.zeros((1, 64, 64, 3), np.uint8)
    wide[:, :32] = 255
    assert (data.resize(wide, 32)[0, :14] == 255).all() and (data.resize(wide, 32)[0, 18:] == 0).all()  # not transposed


def test_square_is_the_middle():
    frames = np.arange(5)[None, :, None, None].repeat(3, 2)
    assert data.square(frames)[0, :, 0, 0].tolist() == [1, 2, 3] and data.square(frames).shape == (1, 3, 3, 1)
    frames = frames.swapaxes(1, 2)
    assert data.square(frames)[0, 0, :, 0].tolist() == [1, 2, 3]


def test_join():
    others = coded((1, 1, 1))
    others.frames[..., 0] = 77
    both = data.join(coded(), others)
    assert len(both) == 7 and both.lengths.tolist() == [*LENGTHS, 1, 1, 1]
    assert [both[i][0, 0, 0, 0] for i in range(7)] == [0, 1, 2, 3, 77, 77, 77]
    share = (decode(both.images(4000, generator()))[:, 0] == 77).mean()
    assert abs(share - 3 / 7) < 0.04


def test_summary_tells_sets_of_one_name_apart():
    """The same videos have one sum, in memory, subset or moved; another frame, length, order or label gives another."""
    videos = coded()
    same = videos.fingerprint()
    assert same == coded().fingerprint() == videos.subset([0, 1, 2, 3]).to("cpu").fingerprint()
    assert same["name"] == "coded" and (same["videos"], same["frames"]) == (4, 54) and len(same["sum"]) == 16
    changed = [videos.subset([0, 1, 2]), videos.subset([1, 0, 2, 3]), coded((5, 12, 7, 31)), coded(size=5), coded()]
    changed[-1].frames[5 + 6, 0, 0, 0] = 9  # the middle frame of the second video
    relabelled = [coded(), coded()]
    relabelled[0].labels["kind"][:] = 0
    relabelled[1].classes["kind"] = ["odd", "even"]
    assert len({same["sum"], *(each.fingerprint()["sum"] for each in changed + relabelled)}) == 8
    videos.frames = videos.frames.movedim(-1, 1).contiguous().movedim(1, -1)  # another order in memory
    assert videos.fingerprint() == same
    assert data.from_arrays("many", [np.zeros((1, 2, 2, 3), np.uint8)] * 1001).fingerprint()["videos"] == 1001


@pytest.mark.parametrize(
    "name, part",
    [("faces", "faces"), ("faces.v1", "faces.v1"), ("a/faces.v2/", "faces.v2"), ("a/x.y.npy", "x.y"), ("a/b/..", "a")],
)
def test_run_name_keeps_dots(name, part):
    assert data.run_name(name) == part


# --- Prepared data sets ----------------------------------------------------------------------------------------------


def prepare(folder, frames=None):
    frames = coded().frames.numpy() if frames is None else frames
    kind = np.array([0, 1, 0, 1])
    write_prepared(folder, frames, list(LENGTHS), {"kind": kind}, {"kind": ["a", "b"]}, [1, 3], name="coded")


def test_prepared_set_reads_back(tmp_path):
    prepare(tmp_path / "below" / "coded-4")
    assert [p.name for p in (tmp_path / "below").iterdir()] == ["coded-4"]
    for split, expected in (("all", [0, 1, 2, 3]), ("train", [0, 2]), ("test", [1, 3])):
        videos = data.read_prepared(tmp_path / "below" / "coded-4", "coded", split)
        assert [videos[i][0, 0, 0, 0] for i in range(len(videos))] == expected
        assert videos.lengths.tolist() == [LENGTHS[i] for i in expected]
        assert videos.labels["kind"].tolist() == [i % 2 for i in expected] and videos.classes == {"kind": ["a", "b"]}
        assert set(decode(videos.images(99, generator()))[:, 0]) == set(expected)


def test_prepared_set_is_never_written_to(tmp_path):
    prepare(tmp_path / "coded-4")
    before = (tmp_path / "coded-4" / "frames.npy").read_bytes()
    data.read_prepared(tmp_path / "coded-4", "coded", "all").frames.zero_()
    assert (tmp_path / "coded-4" / "frames.npy").read_bytes() == before


def broken_off(end):
    """The frames of `coded`, a video at a time; after the second, end()."""
    for i in range(2):
        yield coded()[i]
    end()


def test_prepared_set_is_whole_or_not_there(tmp_path):
    def full():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        prepare(tmp_path / "coded-4", broken_off(full))
    assert list(tmp_path.iterdir()) == []


def die_while_preparing(folder):
    prepare(folder, broken_off(lambda: os.kill(os.getpid(), signal.SIGKILL)))


def test_killed_preparation_leaves_no_prepared_set(tmp_path, child):
    assert child(die_while_preparing, tmp_path / "coded-4")[0] == -signal.SIGKILL
    assert not (tmp_path / "coded-4").exists()
    prepare(tmp_path / "coded-4")
    assert len(data.read_prepared(tmp_path / "coded-4", "coded", "all")) == 4


def test_prepared_set_of_a_faster_process_stays(tmp_path):
    prepare(tmp_path / "coded-4")
    prepare(tmp_path / "coded-4", np.zeros_like(coded().frames.numpy()))
    assert data.read_prepared(tmp_path / "coded-4", "coded", "all")[3].max() == 255
    assert [p.name for p in tmp_path.iterdir()] == ["coded-4"]


def test_damaged_prepared_set_says_so(tmp_path):
    prepare(tmp_path / "coded-4")
    frames, index = tmp_path / "coded-4" / "frames.npy", tmp_path / "coded-4" / "index.json"
    whole = frames.read_bytes()
    np.save(frames, np.zeros((3, 4, 4, 3), np.uint8))
    with pytest.raises(data.UserError, match="coded-4 is damaged: 3 frames, 54 expected"):
        data.read_prepared(tmp_path / "coded-4", "coded", "all")
    for content in (b"", whole[:50], whole[:-1], None):
        frames.unlink()
        if content is not None:
            frames.write_bytes(content)
        with pytest.raises(data.UserError, match="coded-4 is damaged.*delete it"):
            data.read_prepared(tmp_path / "coded-4", "coded", "all")
    frames.write_bytes(whole)
    for content in ("", "{", "{}", "[]"):
        index.write_text(content)
        with pytest.raises(data.UserError, match="coded-4 is damaged.*delete it"):
            data.read_prepared(tmp_path / "coded-4", "coded", "all")


def test_prepared_folder_goes_elsewhere_when_the_root_cannot_be_written(tmp_path, monkeypatch):
    assert data.prepared_folder(tmp_path / "new" / "root", "coded", 4) == tmp_path / "new" / "root" / "coded-4"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert data.prepared_folder(tmp_path, "coded", 4).as_posix() == "data/coded-4"
    (tmp_path / "coded-4").mkdir()  # what is there is read from there
    assert data.prepared_folder(tmp_path, "coded", 4) == tmp_path / "coded-4"


# --- weizmann --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def actions(weizmann):
    return data.load("weizmann", weizmann, split="all")


def test_weizmann_facts(weizmann, actions):
    on_disk = {p.relative_to(weizmann / "weizmann").as_posix() for p in (weizmann / "weizmann").glob("*/*.jpg")}
    assert on_disk == set(public.WEIZMANN_FILES) and len(public.WEIZMANN_FILES) == 72
    assert len(actions) == 72 and actions.frames.shape == (5290, 64, 64, 3) and actions.frames.dtype == torch.uint8
    assert actions.lengths.min() == 51 and actions.lengths.max() == 146 and actions.lengths.sum() == 5290
    assert actions.classes["action"] == ["one-hand wave", "two-hand wave", "jumping jack", "bend"]
    folders = [int(name[0]) for name in public.WEIZMANN_FILES]
    assert [(0, 1, 3, 4)[action] for action in actions.labels["action"]] == folders
    assert np.bincount(actions.labels["action"]).tolist() == [18, 18, 18, 18]
    assert np.bincount(actions.labels["person"]).tolist() == [8] * 9


def test_weizmann_frames_are_the_strips(weizmann, actions):
    for i in (0, 5, 71):
        strip = np.asarray(Image.open(weizmann / "weizmann" / public.WEIZMANN_FILES[i]).convert("RGB"))
        for t in (0, 1, len(actions[i]) - 1):
            assert (actions[i][t] == strip[:, 64 * t : 64 * t + 64]).all()


def test_weizmann_mirror_pairs(actions):
    for k in range(36):
        assert (actions[2 * k + 1] == actions[2 * k][:, :, ::-1]).all()
        assert not (actions[2 * k + 1] == actions[2 * k]).all()
    assert len({hashlib.sha256(actions[2 * k].tobytes()).digest() for k in range(36)}) == 36
    assert actions.labels["mirrored"].tolist() == [0, 1] * 36


def test_weizmann_split_is_by_person(weizmann, actions):
    train, test = (data.load("weizmann", weizmann, split=split) for split in ("train", "test"))
    assert len(train) + len(test) == 72 and len(test) >= 8
    assert not set(train.labels["person"]) & set(test.labels["person"])
    pictures = [{hashlib.sha256(part[i].tobytes()).digest() for i in range(len(part))} for part in (train, test)]
    assert not pictures[0] & pictures[1]
    for part in (train, test):  # twins stay together
        assert np.bincount(part.labels["mirrored"]).tolist() == [len(part) // 2] * 2
    assert set(train.labels["action"]) == set(test.labels["action"]) == {0, 1, 2, 3}


def test_weizmann_at_32_pixels(weizmann, actions):
    small = data.load("weizmann", weizmann, size=32, split="all")
    assert small.frames.shape == (5290, 32, 32, 3)
    mean = actions[0].reshape(-1, 32, 2, 32, 2, 3).mean((2, 4))
    assert abs(small[0].astype(float) - mean).mean() < 6


def test_missing_and_wrong_strips(weizmann, tmp_path):
    with pytest.raises(data.UserError, match=r"72 of 72 files missing, 1/00000000.jpg.*data.py download weizmann"):
        data.load("weizmann", tmp_path)
    for name in public.WEIZMANN_FILES:
        (tmp_path / "weizmann" / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(weizmann / "weizmann" / name, tmp_path / "weizmann" / name)
    assert len(data.load("weizmann", tmp_path, split="all")) == 72
    victim = tmp_path / "weizmann" / public.WEIZMANN_FILES[9]
    whole = victim.read_bytes()
    victim.unlink()
    with pytest.raises(data.UserError, match=f"1 of 72 files missing, {public.WEIZMANN_FILES[9]}"):
        data.load("weizmann", tmp_path)
    for length in (0, 7, 20, 40, 100, len(whole) // 2, len(whole) - 100):
        victim.write_bytes(whole[:length])
        with pytest.raises(data.UserError, match=f"cannot read the image .*{public.WEIZMANN_FILES[9]}"):
            data.load("weizmann", tmp_path)
    Image.fromarray(np.zeros((64, 100, 3), np.uint8)).save(victim, "PNG")
    with pytest.raises(data.UserError, match=f"{public.WEIZMANN_FILES[9]} is no strip of 64x64 frames: 100x64"):
        data.load("weizmann", tmp_path)


def test_unreadable_image_names_the_file(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)).save(buffer, "PNG")
    whole = buffer.getvalue()
    path = tmp_path / "one.png"
    for position in range(0, len(whole), 5):  # whatever byte is wrong, it is an image or a UserError
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            assert pictures.read_image(path).ndim == 3
        except data.UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)
    path.write_bytes(whole)
    assert pictures.read_image(path).shape == (20, 20, 3)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)  # grey becomes RGB
    assert pictures.read_image(path).shape == (4, 4, 3)


# --- Anybody's videos ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder of 10 video folders of 11 frames, 40x50: red is the video's number, green the frame's."""
    for video in range(10):
        (tmp_path / "mine" / f"v{video}").mkdir(parents=True)
        for frame in range(11):
            picture = np.zeros((40, 50, 3), np.uint8)
            picture[..., :2] = video, frame
            Image.fromarray(picture).save(tmp_path / "mine" / f"v{video}" / f"frame{frame}.png")  # 10 comes after 9
    return tmp_path / "mine"


def test_folder_of_video_folders(folder):
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("not a video")
    (folder / "v0" / "Thumbs.db").write_text("not a frame")
    videos = data.load(str(folder), size=32, split="all")
    assert len(videos) == 10 and videos.frames.shape == (110, 32, 32, 3)
    assert videos.classes["video"] == [f"v{i}" for i in range(10)] and videos.labels["video"].tolist() == [*range(10)]
    for i in range(10):
        assert (videos[i][..., 0] == i).all() and (videos[i][:, 5, 5, 1] == np.arange(11)).all()
    train, test = (data.load(str(folder), size=32, split=split) for split in ("train", "test"))
    assert train.labels["video"].tolist() == [*range(9)] and test.labels["video"].tolist() == [9]


def test_folder_crops_the_middle(folder):
    picture = np.zeros((40, 50, 3), np.uint8)
    picture[:, :5] = picture[:, -5:] = 255  # what a centred crop leaves out
    Image.fromarray(picture).save(folder / "v0" / "frame0.png")
    assert data.load(str(folder), size=32, split="all")[0][0].max() == 0


def test_npy(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (12, 5, 32, 32, 3), np.uint8)
    np.save(tmp_path / "a.npy", array)
    videos = data.load(str(tmp_path / "a.npy"), size=32, split="all")
    assert (np.stack([videos[i] for i in range(12)]) == array).all()
    assert len(data.load(str(tmp_path / "a.npy"), size=32, split="test")) == 1
    np.save(tmp_path / "wide.npy", array.repeat(2, 3))  # 32x64
    assert data.load(str(tmp_path / "wide.npy"), size=64, split="all").frames.shape == (60, 64, 64, 3)


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (saved(np.zeros((2, 3, 4, 4, 3), np.float32)), "float32"),
        (saved(np.zeros((2, 4, 4, 3), np.uint8)), r"\(2, 4, 4, 3\)"),
        (saved(np.zeros((2, 3, 4, 4, 1), np.uint8)), r"expected uint8 \(N, T, H, W, 3\)"),
        (saved(np.zeros((0, 3, 4, 4, 3), np.uint8)), r"\(0, 3, 4, 4, 3\)"),
        (saved(np.zeros((2, 0, 4, 4, 3), np.uint8)), r"\(2, 0, 4, 4, 3\)"),
        (saved(np.zeros((2, 3, 4, 4, 3), np.uint8))[:-9], "cannot read"),
        (saved(np.array([{}])), "cannot read"),
        (b"", "cannot read"),
        (b"some text\n", "cannot read"),
        (b"PK\x03\x04 no archive", "cannot read"),
    ],
)
def test_wrong_npy(tmp_path, content, words):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(data.UserError, match=words) as error:
        data.load(str(tmp_path / "a.npy"))
    assert "a.npy" in str(error.value) and "\n" not in str(error.value)


def test_wrong_folders(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(data.UserError, match=r"no videos in .*empty: expected .*/VIDEO/FRAME\.png"):
        data.load(str(tmp_path / "empty"))
    for file in folder.glob("v*/*"):
        file.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(data.UserError, match=r"cannot read the image .*v0/frame0\.png"):
        data.load(str(folder))
    with pytest.raises(data.UserError, match="no data set or path called 'nosuch'; there are .*weizmann"):
        data.load("nosuch")


def test_a_bad_picture_takes_no_other_with_it(folder, capsys):
    for file in [folder / "v3" / "frame4.png", *(folder / "v7").iterdir()]:
        file.write_bytes(b"\x89PNG\r\n")
    videos = data.load(str(folder), size=32, split="all")
    assert videos.lengths.tolist() == [11] * 3 + [10] + [11] * 5
    assert "v7" not in videos.classes["video"] and (videos[8][..., 0] == 9).all()
    assert videos[3][:, 5, 5, 1].tolist() == [0, 1, 2, 3, *range(5, 11)]
    assert len(data.load_images(folder, 16)) == 110 - 12
    printed = capsys.readouterr().out
    assert printed.count("left out 12 of 110 pictures") == 2 and str(folder / "v3" / "frame4.png") in printed


def test_a_split_without_videos_says_so(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros((1, 3, 4, 4, 3), np.uint8))
    assert len(data.load(str(tmp_path / "one.npy"), size=4, split="all")) == 1
    with pytest.raises(data.UserError, match="train"):
        data.load(str(tmp_path / "one.npy"), size=4, split="train")


def test_load_images(folder, tmp_path):
    images = data.load_images(folder, 16)
    assert len(images) == 110 and images.lengths.tolist() == [1] * 110 and images.frames.shape == (110, 16, 16, 3)
    with pytest.raises(data.UserError, match="no folder of images at .*nosuch"):
        data.load_images(tmp_path / "nosuch", 16)
    (tmp_path / "empty").mkdir()
    with pytest.raises(data.UserError, match="no images in .*empty"):
        data.load_images(tmp_path / "empty", 16)


# --- Writers ---------------------------------------------------------------------------------------------------------


def test_grid_reads_back(tmp_path):
    x = torch.rand(3, 5, 3, 64, 64, generator=generator()) * 2 - 1
    data.save_grid(tmp_path / "new" / "grid.png", x)
    picture = np.asarray(Image.open(tmp_path / "new" / "grid.png"))
    assert picture.shape == (2 + 3 * 66, 2 + 5 * 66, 3)
    for row in range(3):
        for t in range(5):
            there = picture[2 + 66 * row : 66 + 66 * row, 2 + 66 * t : 66 + 66 * t]
            assert (there == data.to_uint8(x[row, t])).all()
    assert (picture[:2] == 255).all() and (picture[:, 66:68] == 255).all()  # white gaps


def test_small_pictures_are_enlarged():
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    large = data.enlarge(frames)
    assert large.shape == (2, 96, 96, 3) and (large[:, 1::3, 1::3] == frames).all()
    assert (large[:, ::3, 2::3] == frames).all()
    assert data.enlarge(np.zeros((64, 64, 3), np.uint8)).shape == (64, 64, 3)


def test_gif_reads_back(tmp_path):
    x = torch.full((3, 7, 3, 64, 64), -1.0)
    for t in range(7):
        x[:, t, :, :, 8 * t : 8 * t + 8] = 1  # a white bar that moves to the right
    data.save_gif(tmp_path / "new" / "a.gif", x, columns=2, fps=10)
    with Image.open(tmp_path / "new" / "a.gif") as gif:
        assert gif.n_frames == 7 and gif.size == (2 + 2 * 66, 2 + 2 * 66) and gif.info["loop"] == 0
        for t in range(7):
            gif.seek(t)
            assert gif.info["duration"] == 100
            frame = np.asarray(gif.convert("L"))
            for top, left in ((2, 2), (2, 68), (68, 2)):
                video = frame[top : top + 64, left : left + 64]
                assert (video[:, 8 * t : 8 * t + 8] > 250).all() and (video == 255).mean() == 1 / 8


def test_samples_read_back(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 8, 3), np.uint8)
    data.save_samples(tmp_path / "samples.npy", array)
    assert (data.read_samples(tmp_path / "samples.npy") == array).all()
    for wrong in (array.astype(np.float32), array[0]):
        with pytest.raises(AssertionError):
            data.save_samples(tmp_path / "samples.npy", wrong)
    assert (data.read_samples(tmp_path / "samples.npy") == array).all()  # a refused write wrote nothing
    with pytest.raises(data.UserError, match="cannot read .*nosuch"):
        data.read_samples(tmp_path / "nosuch.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["samples.npy"]


def test_a_state_names_its_own_bytes(tmp_path, monkeypatch):
    """The sum is that of what was loaded, also where a training saves another checkpoint meanwhile."""
    path, load = tmp_path / "checkpoint.pt", torch.load
    data.save_state(path, {"model": "rjgan", "iteration": 1})
    before = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def saved_meanwhile(*given, **options):
        data.save_state(path, {"model": "rjgan", "iteration": 2})
        return load(*given, **options)

    monkeypatch.setattr(torch, "load", saved_meanwhile)
    assert data.load_state(path, "rjgan") == {"model": "rjgan", "iteration": 1, "sum": before}


def test_whole_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), data.whole_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]
    with data.whole_file(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after" and list(tmp_path.iterdir()) == [path]


# --- The log ---------------------------------------------------------------------------------------------------------


def test_log_rows_are_means(tmp_path):
    log = data.Log(tmp_path / "log.csv", 0, 4)
    for i in range(1, 5):
        losses = {"a": torch.tensor(float(i))} | ({"b": torch.tensor(10.0 * i)} if i % 2 else {})
        log.add(losses)
        log.check(i)
        if i % 2 == 0:
            log.write(i, torch.device("cpu"))
    rows = data.read_log(tmp_path / "log.csv")
    assert [(row["iteration"], row["a"], row["b"]) for row in rows] == [(2, 1.5, 10), (4, 3.5, 30)]
    assert all(row["it_per_s"] > 0 and 10 < row["peak_memory_mb"] < 1e6 for row in rows)
    data.plot_log(tmp_path / "log.csv", tmp_path / "losses.png")
    assert Image.open(tmp_path / "losses.png").size > (600, 300)


def test_log_names_the_first_bad_iteration(tmp_path):
    for bad in ("nan", "inf", "-inf"):
        log = data.Log(tmp_path / "log.csv", 10, 20)
        for value in (1.0, 2.0, float(bad), 3.0):
            log.add({"a": torch.tensor(value), "b": torch.tensor(1.0)})
        with pytest.raises(data.UserError, match="at iteration 13;"):
            log.check(14)


def write_rows(path, first, rows):
    log = data.Log(path, first, 99)
    for iteration, losses in rows:
        log.add({name: torch.tensor(float(value)) for name, value in losses.items()})
        log.write(iteration, torch.device("cpu"))


def test_log_drops_what_a_resumed_run_writes_again(tmp_path):
    path = tmp_path / "log.csv"
    write_rows(path, 0, [(5, {"a": 1}), (10, {"a": 2}), (15, {"a": 3})])
    write_rows(path, 10, [(15, {"a": 4})])
    assert [(row["iteration"], row["a"]) for row in data.read_log(path)] == [(5, 1), (10, 2), (15, 4)]


def test_log_takes_a_loss_that_comes_later(tmp_path):
    path = tmp_path / "log.csv"
    write_rows(path, 0, [(5, {"a": 1}), (10, {"a": 2, "b": 7})])
    write_rows(path, 10, [(15, {"a": 3}), (20, {"a": 4, "c": 8})])
    rows = data.read_log(path)
    assert [row["a"] for row in rows] == [1, 2, 3, 4]
    assert [row["b"] == 7 for row in rows] == [False, True, False, False] and rows[3]["c"] == 8
    assert np.isnan(rows[0]["b"]) and np.isnan(rows[0]["c"])
    data.plot_log(path, tmp_path / "losses.png")


# --- Downloads -------------------------------------------------------------------------------------------------------

TOP = "mocogan-937a99d"


def zipped(members):
    """The bytes of an archive of {name: bytes}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def picture(seed):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 128, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def toy(monkeypatch):
    """A data set of three pictures in place of Weizmann; its archive as {name: bytes}."""
    names = ["0/a.jpg", "1/b.jpg", "1/c.jpg"]
    members = {f"{TOP}/": b"", f"{TOP}/README.md": b"text"}
    members |= {f"{TOP}/data/actions/{name}": picture(i) for i, name in enumerate(names)}
    pixels = b"".join(
        pictures.read_image(io.BytesIO(members[f"{TOP}/data/actions/{name}"]), "RGBA").tobytes() for name in names
    )
    entry = ("http://localhost:1/nothing.zip", "data/actions", names, hashlib.sha256(pixels).hexdigest())
    monkeypatch.setitem(public.DOWNLOADS, "weizmann", entry)
    return members


@pytest.fixture
def serve():
    """serve(body, ...): the address at which a local server answers with it."""
    servers = []

    def serve(body, status=200, length=None, chunked=False):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(status)
                if chunked:  # as GitHub sends archives: without their length
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.wfile.write(b"%x\r\n" % (2 * len(body)) + body)  # broken off inside the chunk
                else:
                    self.send_header("Content-Length", str(len(body) if length is None else length))
                    self.end_headers()
                    self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/archive.zip"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_download_of_weizmann(weizmann, tmp_path, serve, capsys):
    members = {f"{TOP}/README.md": b"text", f"{TOP}/data/shapes/1.jpg": b"other pictures"}
    for name in public.WEIZMANN_FILES:
        members[f"{TOP}/data/actions/{name}"] = (weizmann / "weizmann" / name).read_bytes()
    root = tmp_path / "new" / "root"
    assert data.main(["download", "weizmann", "--data-root", str(root), "--url", serve(zipped(members))]) == 0
    assert "72 files" in capsys.readouterr().out
    assert [p.name for p in root.iterdir()] == ["weizmann"]
    assert sum(p.is_file() for p in root.rglob("*")) == 72
    videos = data.load("weizmann", root, split="all")
    assert torch.equal(videos.frames, data.load("weizmann", weizmann, split="all").frames)


def test_download_takes_only_what_it_expects(toy, tmp_path, serve):
    evil = {"../evil.txt": b"1", "/tmp/evil-absolute.txt": b"1", f"{TOP}/data/actions/../../../../evil.txt": b"1"}
    root = tmp_path / "below" / "root"
    for members in (toy | evil, evil | toy):  # also as the first member, which names the folder inside
        body = zipped(members)
        if next(iter(members)) == f"{TOP}/":
            public.download("weizmann", root, serve(body))
            files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
            assert files == ["weizmann/0/a.jpg", "weizmann/1/b.jpg", "weizmann/1/c.jpg"]
        else:
            with pytest.raises(data.UserError, match="cannot unpack"):
                public.download("weizmann", tmp_path / "other", serve(body))
    assert not os.path.exists("/tmp/evil-absolute.txt")
    assert not [p for p in tmp_path.rglob("*evil*")]


def test_failed_downloads_leave_nothing(toy, tmp_path, serve, fails):
    good = zipped(toy)
    wrong = dict(toy)
    wrong[f"{TOP}/data/actions/1/b.jpg"] = picture(9)
    damaged = dict(toy)
    damaged[f"{TOP}/data/actions/1/b.jpg"] = toy[f"{TOP}/data/actions/1/b.jpg"][:2000]
    missing = {name: content for name, content in toy.items() if not name.endswith("c.jpg")}
    cases = {
        "404": (serve(b"no such page", status=404), "404"),
        "500": (serve(b"", status=500), "500"),
        "broken off": (serve(good[:5000], length=len(good)), "5000"),
        "broken off, length unknown": (serve(good[:5000], chunked=True), "cannot download"),
        "half an archive": (serve(good[: len(good) // 2]), "cannot unpack"),
        "a page instead": (serve(b"<html>sign in</html>"), "cannot unpack"),
        "empty": (serve(b""), "cannot unpack"),
        "an empty archive": (serve(zipped({})), "cannot unpack"),
        "a member missing": (serve(zipped(missing)), "c.jpg"),
        "wrong pictures": (serve(zipped(wrong)), "other pictures than expected"),
        "a damaged picture": (serve(zipped(damaged)), "b.jpg"),
        "nobody there": ("http://127.0.0.1:1/a.zip", "cannot download http://127.0.0.1:1/a.zip"),
        "no address": ("nosuch", "nosuch"),
    }
    for what, (url, words) in cases.items():
        root = tmp_path / what.replace(" ", "-")
        fails(data.main, ["download", "weizmann", "--data-root", str(root), "--url", url], words)
        assert list(root.glob("*")) == [], what


def test_damaged_archives_are_one_line(toy, tmp_path, serve):
    good = zipped(toy)
    for position in range(0, len(good), len(good) // 25):  # whatever byte is wrong
        body = good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :]
        try:
            public.download("weizmann", tmp_path / str(position), serve(body))
        except data.UserError as error:
            assert "\n" not in str(error) and list((tmp_path / str(position)).iterdir()) == []


def test_download_does_not_touch_what_is_there(toy, tmp_path, serve, fails):
    (tmp_path / "weizmann").mkdir()
    (tmp_path / "weizmann" / "mine.txt").write_text("mine")
    url = serve(zipped(toy))
    fails(data.main, ["download", "weizmann", "--data-root", str(tmp_path), "--url", url], "already there")
    assert [p.name for p in tmp_path.rglob("*")] == ["weizmann", "mine.txt"]


# --- Command line ----------------------------------------------------------------------------------------------------


def test_list(tmp_path, capsys):
    (tmp_path / "weizmann").mkdir()
    for root, expected in ((tmp_path, "here"), (tmp_path / "elsewhere", "not here")):
        assert data.main(["list", "--data-root", str(root)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert {line.split()[0] for line in lines} == set(data.DATASETS) and {"faces", "weizmann"} <= set(data.DATASETS)
        assert next(line for line in lines if line.startswith("weizmann")).split("  ")[1].strip() == expected


def test_show(folder, tmp_path, capsys):
    out = tmp_path / "sheets" / "mine.png"
    assert data.main(["show", str(folder), "--size", "32", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "10 videos of 11 to 11 frames, 110 in all" in text and str(out) in text
    picture = np.asarray(Image.open(out))
    assert picture.shape == (2 + 10 * 98, 2 + 12 * 98, 3)
    assert picture[2 + 98 * 7 + 50, 2 + 50].tolist() == [7, 0, 0]
    assert picture[2 + 98 * 7 + 50, 2 + 98 * 11 + 50].tolist() == [7, 10, 0]  # from the first frame to the last


def test_a_sheet_is_a_png_by_any_name(folder, tmp_path):
    data.main(["show", str(folder), "--size", "32", "--out", str(tmp_path / "sheet")])
    assert Image.open(tmp_path / "sheet").format == "PNG"


def test_an_interrupted_download_is_one_line(fails, monkeypatch, tmp_path):
    monkeypatch.setattr(public, "download", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    line = fails(data.main, ["download", "weizmann", "--data-root", str(tmp_path)])
    assert line == "data.py: error: interrupted\n"


def test_a_file_that_is_no_data_set(tmp_path, fails):
    (tmp_path / "notes.txt").write_text("no videos")
    fails(data.main, ["show", str(tmp_path / "notes.txt")], "notes.txt is neither a folder of videos nor an .npy file")


def test_splits_have_names(folder):
    with pytest.raises(data.UserError, match="no split 'val': there are train, test and all"):
        data.load(str(folder), size=32, split="val")


def test_show_writes_beside_you_by_default(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data.main(["show", str(folder), "--size", "32"])
    assert (tmp_path / "mine.png").is_file()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["show", "nosuch"], "no data set or path called 'nosuch'"),
        (["show", "weizmann", "--data-root", "nosuch"], "python data.py download weizmann --data-root nosuch"),
        (["show", "weizmann", "--size", "0"], "--size"),
        (["show", "weizmann", "--split", "half"], "--split"),
        (["show"], "name"),
        (["download", "nosuch"], "nosuch"),
        (["nosuch"], "nosuch"),
        ([], "command"),
        (["list", "--nosuch"], "--nosuch"),
    ],
)
def test_command_line_errors(argv, words, fails):
    fails(data.main, argv, words)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_kept():
    """Of eight tensors of 64 MB, one after the other, each makes a page fault for each of its 16384 pages; if what is
    freed is kept, hardly one does: now and then a small block comes to lie in the gap, and the heap grows once more."""
    code = """
        import resource, sys, torch, data
        if sys.argv[1] == "kept":
            data.keep_freed_memory()
        torch.zeros(2**24)
        torch.zeros(2**24)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(8):
            torch.zeros(2**24)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", textwrap.dedent(code), how], cwd=ROOT))
        for how in ("kept", "given back")
    }
    assert faults["kept"] < 3 * 16384 and faults["given back"] >= 8 * 16384, faults
