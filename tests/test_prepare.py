"""`data.py prepare`: trees with every quirk of the real sets, faces at known places, kills, speed and memory."""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import data
from tools import pictures, prepare

REPO = Path(__file__).parents[1]


def write_video(folder, colour, frames, size=(96, 96), name="img_{:04d}.jpg", numbers=None):
    """JPEGs of one colour each: frame t is brighter than t - 1 by one level, so order and place can be read back."""
    folder.mkdir(parents=True)
    for t, number in enumerate(numbers or range(frames)):
        Image.new("RGB", size, tuple(np.add(colour, t))).save(folder / name.format(number), quality=95)


def spoil(file):
    file.write_bytes(file.read_bytes()[:200])


def clutter(folder):
    """What lies about in the real folders, and in archives made on a Mac."""
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "._img_0000.jpg").write_bytes(b"\x00\x05\x16\x07")


@pytest.fixture(scope="module")
def mug(tmp_path_factory):
    """A tree like MUG's, 13 videos of which 7 are to be kept, nested once more than it should be."""
    source = tmp_path_factory.mktemp("mug")
    top = source / "subjects3" / "subjects3"
    write_video(top / "001/anger/take000", (10, 20, 30), 66)
    write_video(top / "001/Happiness/Take001nsg", (20, 30, 40), 64, name="IMG_{:04d}.JPG")
    write_video(top / "001/neutral/take000", (0, 0, 0), 64)
    write_video(top / "002/session0/disgust/take000", (30, 40, 50), 64)
    write_video(top / "002/session1/disgust/take000end", (40, 50, 60), 70)
    write_video(
        top / "003/003/sadness/take002", (50, 60, 70), 65, numbers=[n for n in range(70) if n not in range(3, 8)]
    )
    write_video(top / "003/003/fear/take000", (0, 0, 0), 80)
    (top / "004/surprise/take000").mkdir(parents=True)
    write_video(top / "004/surprise/take001", (0, 0, 0), 63)
    write_video(top / "005/surprise/take000", (60, 70, 80), 65)
    spoil(top / "005/surprise/take000/img_0030.jpg")
    write_video(top / "005/surprise/take001", (0, 0, 0), 64)
    spoil(top / "005/surprise/take001/img_0000.jpg")
    write_video(top / "049/session1/anger/take003", (70, 80, 90), 64, size=(96, 80))
    write_video(top / "049/session0/mixed/take003", (0, 0, 0), 64)
    for folder in list(top.rglob("take*")):
        clutter(folder)
    (top / "Thumbs.db").write_bytes(b"")
    return source


@pytest.fixture(scope="module")
def oulu(tmp_path_factory):
    """A tree like Oulu-CASIA's: 7 videos under NI, 5 to be kept, one where the sequence is missing, and VL beside."""
    source = tmp_path_factory.mktemp("oulu")
    top = source / "OriginalImg" / "OriginalImg"
    jpeg = {"size": (64, 48), "name": "{:03d}.jpeg"}
    write_video(top / "NI/Dark/P001/Anger", (90, 110, 130), 20, **jpeg)
    write_video(top / "NI/Strong/P001/Anger", (30, 30, 30), 17, numbers=range(12, 29), **jpeg)
    write_video(top / "NI/Strong/P002/Surprise", (40, 40, 40), 70, **jpeg)
    write_video(top / "NI/Weak/P002/Sadness", (50, 50, 50), 16, **jpeg)
    write_video(top / "NI/Weak/P080/Happiness", (60, 60, 60), 16, **jpeg)
    write_video(top / "NI/Weak/P001/Fear", (0, 0, 0), 20, **jpeg)
    write_video(top / "NI/Dark/P080/Disgust", (0, 0, 0), 9, **jpeg)
    write_video(top / "VL/Dark/P001/Anger", (0, 0, 0), 20, **jpeg)
    clutter(top / "NI/Dark/P001/Anger")
    return source


def test_mug_layout_labels_and_report(mug, tmp_path, capsys):
    target, report = prepare.prepare("mug", mug, tmp_path, 32, detector="center")
    videos = data.load("mug", tmp_path, 32, split="all")
    kept = {  # path below subjects3/subjects3: frames, first colour, labels
        "001/anger/take000": (66, 10, ("001", "anger", "take000")),
        "001/Happiness/Take001nsg": (64, 20, ("001", "happiness", "take001nsg")),
        "002/session0/disgust/take000": (64, 30, ("002", "disgust", "take000")),
        "002/session1/disgust/take000end": (70, 40, ("002", "disgust", "take000end")),
        "003/003/sadness/take002": (65, 50, ("003", "sadness", "take002")),
        "005/surprise/take000": (64, 60, ("005", "surprise", "take000")),
        "049/session1/anger/take003": (64, 70, ("049", "anger", "take003")),
    }
    assert list(report["crops"]) == [f"subjects3/subjects3/{path}" for path in kept]
    assert len(videos) == report["kept"] == 7
    for i, (frames, first, labels) in enumerate(kept.values()):
        video = videos[i].astype(int)
        assert video.shape == (frames, 32, 32, 3)
        # every frame in its place: one level brighter each, and the spoilt one, number 30, is jumped over
        brightness = np.arange(65)[np.arange(65) != 30] if first == 60 else np.arange(frames)
        expected = (first + brightness)[:, None] + [0, 10, 20]
        assert np.abs(video.mean((1, 2)) - expected).max() < 1.6
        names = [videos.classes[key][videos.labels[key][i]] for key in ("subject", "expression", "take")]
        assert tuple(names) == labels
    left_out = {why: [path.removeprefix("subjects3/subjects3/") for path in p] for why, p in report["left_out"].items()}
    assert left_out == {
        "another expression": ["001/neutral/take000", "003/003/fear/take000", "049/session0/mixed/take003"],
        "no pictures": ["004/surprise/take000"],
        "fewer than 64 frames": ["004/surprise/take001", "005/surprise/take001"],
    }
    assert [Path(file).parts[-3:] for file in report["unreadable"]] == [
        ("surprise", "take000", "img_0030.jpg"),
        ("surprise", "take001", "img_0000.jpg"),
    ]
    assert json.loads((target / "index.json").read_text())["report"] == report
    with Image.open(f"{target}.png") as sheet:  # 3 x 3 cells of 96 px, one frame a video
        assert sheet.width == sheet.height == 3 * 98 + 2
    prepare.print_report("mug", target, report)
    printed = capsys.readouterr().out
    for line in (
        "kept 7 of 13 videos (the paper ends with 633)",
        "another expression: 3",
        "no pictures: 1",
        "fewer than 64 frames: 2",
        "img_0030.jpg",
        "anger 2, disgust 2, happiness 1, sadness 1, surprise 1",
    ):
        assert line in printed
    assert not list(tmp_path.glob(".*"))  # nothing half done is left


def test_test_split_holds_out_every_fifth_subject(mug, tmp_path):
    prepare.prepare("mug", mug, tmp_path, 16, detector="center")
    train, test = (data.load("mug", tmp_path, 16, split=split) for split in ("train", "test"))
    assert {test.classes["subject"][i] for i in test.labels["subject"]} == {"049"}
    assert (
        len(train) == 6
        and len(test) == 1
        and "049" not in {train.classes["subject"][i] for i in train.labels["subject"]}
    )


@pytest.mark.parametrize("level", [".", "subjects3", "subjects3/subjects3", "subjects3/subjects3/002", 
                                   "subjects3/subjects3/002/session1/disgust"])  # fmt: skip
def test_any_level_of_the_tree_is_a_source(mug, level):
    chosen, _ = prepare.sort_out(prepare.find_videos("mug", mug / level)[0], None, 64)
    expected = 8 if "002" not in level else 2 if level.endswith("002") else 1
    assert len(chosen) == expected
    assert all(labels["subject"] == "002" for _, _, labels in chosen) == ("002" in level)


def test_oulu_layout_grey_and_lighting(oulu, tmp_path):
    _, report = prepare.prepare("oulu", oulu, tmp_path / "all", 32, detector="center")
    videos = data.load("oulu", tmp_path / "all", 32, split="all")
    assert videos.lengths.tolist() == [20, 17, 70, 16, 16]
    named = [
        [videos.classes[key][value] for value in videos.labels[key]] for key in ("lighting", "subject", "expression")
    ]
    assert named == [
        ["dark", "strong", "strong", "weak", "weak"],
        ["p001", "p001", "p002", "p002", "p080"],
        ["anger", "anger", "surprise", "sadness", "happiness"],
    ]
    assert {why: len(paths) for why, paths in report["left_out"].items()} == {
        "another expression": 1,
        "fewer than 16 frames": 1,
    }
    assert all((videos[i] == videos[i][..., :1]).all() for i in range(5))  # three equal channels
    luma = 0.299 * 90 + 0.587 * 110 + 0.114 * 130
    assert np.abs(videos[0].mean((1, 2, 3)) - (luma + np.arange(20))).max() < 1.6
    prepare.prepare("oulu", oulu, tmp_path / "weak", 32, detector="center", lighting=["weak"])
    assert data.load("oulu", tmp_path / "weak", 32, split="all").classes["lighting"] == ["weak"]


def test_folder_of_anybodys_videos(tmp_path):
    source = tmp_path / "cats"
    write_video(source / "asleep/one", (10, 10, 10), 20, size=(60, 40), name="frame{}.png")  # unpadded numbers
    write_video(source / "awake/two", (90, 90, 90), 18)
    write_video(source / "awake/short", (0, 0, 0), 3)
    clutter(source / "awake/two")
    _, report = prepare.prepare("folder", source, tmp_path / "data", 32)
    videos = data.load("cats", tmp_path / "data", 32, split="all")
    assert videos.classes == {"group": ["asleep", "awake"]} and videos.labels["group"].tolist() == [0, 1]
    np.testing.assert_array_equal(videos[0][:, 16, 16, 0], 10 + np.arange(20))  # frame10 after frame9
    assert report["left_out"] == {"fewer than 16 frames": ["awake/short"]}


def test_video_files(tmp_path):
    av = pytest.importorskip("av", reason="needs PyAV (pip install av)")
    source = tmp_path / "films"
    source.mkdir()
    with av.open(str(source / "one.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 4_000_000
        for t in range(24):
            picture = np.full((64, 96, 3), 40 + 6 * t, np.uint8)
            picture[:, :16], picture[:, -16:] = 255, 0  # outside the square in the middle
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    (source / "broken.mp4").write_bytes(b"no video at all")
    _, report = prepare.prepare("folder", source, tmp_path / "data", 32)
    videos = data.load("films", tmp_path / "data", 32, split="all")
    assert videos.lengths.tolist() == [24]
    middle = videos[0][:, :, 2:-2].astype(float)
    assert np.abs(middle.mean((1, 2, 3)) - (40 + 6 * np.arange(24))).max() < 6
    assert report["left_out"] == {"unreadable": ["broken.mp4"]}


# --- Faces -----------------------------------------------------------------------------------------------------------

FACE = np.array(
    [222, 120, 44]
)  # of scikit-image's astronaut: centre x, y between the eyes, mouth and cheeks; half side


@pytest.fixture(scope="module")
def astronaut():
    pytest.importorskip("dlib", reason="needs dlib (pip install dlib-bin)")
    skimage = pytest.importorskip(
        "skimage.data", reason="needs scikit-image, for its picture of a face (pip install scikit-image)"
    )
    return Image.fromarray(skimage.astronaut())


def paste_face(astronaut, place, scale=2.0, size=(896, 896)):
    """A picture with the astronaut's head and shoulders pasted so that the face is centred at `place`."""
    head = astronaut.crop((110, 0, 340, 250))
    head = head.resize((int(head.width * scale), int(head.height * scale)), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(0)
    speckle = Image.fromarray(rng.integers(60, 90, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8))
    picture = speckle.resize(size, Image.Resampling.NEAREST)
    x, y = np.subtract(place, (FACE[:2] - [110, 0]) * scale)
    picture.paste(head, (round(x), round(y)))
    return picture


def write_face_video(folder, astronaut, places, frames=64, scale=2.0, size=(896, 896)):
    """A video whose face is at places[0] first, at places[1] in the middle, ..., each held for a while."""
    folder.mkdir(parents=True)
    for i, place in enumerate(places):
        paste_face(astronaut, place, scale, size).save(folder / f"held_{i}.jpg", quality=92)
    for t in range(frames):
        os.link(folder / f"held_{t * len(places) // frames}.jpg", folder / f"img_{t:04d}.jpg")
    for i in range(len(places)):
        (folder / f"held_{i}.jpg").unlink()


def test_the_crop_holds_the_face(astronaut, tmp_path):
    source = tmp_path / "subjects3"
    places = {"001": (440, 400), "002": (130, 160), "003": (780, 700)}  # the middle, and two corners
    for subject, place in places.items():
        write_face_video(source / subject / "anger/take000", astronaut, [place])
    Image.new("RGB", (896, 896), "grey").save(tmp_path / "grey.jpg")
    (source / "004/anger/take000").mkdir(parents=True)
    for t in range(64):
        os.link(tmp_path / "grey.jpg", source / f"004/anger/take000/img_{t:04d}.jpg")
    target, report = prepare.prepare("mug", source, tmp_path / "data", 64)
    assert report["left_out"] == {"no face found": ["004/anger/take000"]}
    videos = data.load("mug", tmp_path / "data", 64, split="all")
    for i, place in enumerate(places.values()):
        x, y, side = np.array(report["crops"][f"{list(places)[i]}/anger/take000"]) * 896
        assert np.abs(np.subtract((x, y), place)).max() < 30  # the face is 176 px wide
        assert 176 <= side <= 350
        # the pixels are those of that place, and the square lies inside the picture
        left, top = np.clip((x - side / 2, y - side / 2), 0, 896 - side)
        assert left <= place[0] - 88 and left + side >= place[0] + 88
        assert top <= place[1] - 88 and top + side >= place[1] + 88
        box = (left, top, left + side, top + side)
        expected = paste_face(astronaut, place).resize((64, 64), Image.Resampling.BOX, box=box)
        assert np.abs(videos[i][0].astype(int) - np.asarray(expected)).mean() < 4


def test_the_most_certain_of_several_faces(astronaut):
    small = astronaut.resize((384, 384))  # at this size dlib also sees a face in the shuttle behind her
    assert len(prepare.face_detector()(np.asarray(small.convert("L")), 0)) == 2
    x, y, side = prepare.find_face(small) * 512
    assert abs(x - FACE[0]) < 15 and abs(y - FACE[1]) < 15 and 60 < side < 120


def test_small_pictures_as_oulus(astronaut, tmp_path):
    folder = tmp_path / "NI/Strong/P001/Anger"
    write_face_video(folder, astronaut, [(150, 120)], frames=20, scale=0.5, size=(320, 240))  # a face of 44 px
    _, report = prepare.prepare("oulu", tmp_path, tmp_path / "data", 64)
    x, y, side = np.array(report["crops"]["NI/Strong/P001/Anger"]) * 240
    assert abs(x - 150) < 10 and abs(y - 120) < 10 and 44 <= side <= 90


def test_one_square_for_a_moving_head(astronaut, tmp_path):
    folder = tmp_path / "subjects3/001/anger/take000"
    write_face_video(folder, astronaut, [(400, 400), (440, 400), (480, 400)])
    _, report = prepare.prepare("mug", tmp_path, tmp_path / "data", 64)
    assert abs(report["crops"]["subjects3/001/anger/take000"][0] * 896 - 440) < 25  # the median place
    video = data.load("mug", tmp_path / "data", 64, split="all")[0].astype(int)
    assert np.abs(video[0] - video[63]).mean() > 8  # the head moves in it


def test_a_false_alarm_among_three_does_no_harm(monkeypatch, tmp_path):
    places = iter([[0.5, 0.5, 0.2], [0.9, 0.1, 0.9], [0.52, 0.5, 0.22]])
    monkeypatch.setattr(prepare, "find_face", lambda image: np.array(next(places)))
    write_video(tmp_path / "video", (0, 0, 0), 20)
    prepare.prepare_video(sorted((tmp_path / "video").iterdir()), tmp_path / "part.npz", 16, "dlib", "RGB")
    np.testing.assert_allclose(np.load(tmp_path / "part.npz")["crop"], [0.52, 0.5, 0.22 * 1.3])


def test_decoding_at_reduced_scale_is_exact_enough(astronaut, tmp_path, monkeypatch):
    """Against decoding in full: mean differences of 0.2 to 0.5 of 255 levels; with half the pixels it is up to 1.5."""
    (tmp_path / "video").mkdir()
    paste_face(astronaut, (440, 400)).save(tmp_path / "video/face.jpg", quality=92)
    read, widths, found = prepare.open_image, [], {}

    def watched(file, mode, least):
        image = read(file, mode, least)
        widths.append(image.width)
        return image

    for side in (0.3, 0.45, 0.6, 1):
        monkeypatch.setattr(prepare, "find_face", lambda image, side=side: np.array([440 / 896, 400 / 896, side / 1.3]))
        for name, reader in (
            ("full", lambda file, mode, least: read(file, mode, 896)),
            ("reduced", watched),
        ):
            monkeypatch.setattr(prepare, "open_image", reader)
            prepare.prepare_video(sorted((tmp_path / "video").iterdir()), tmp_path / f"{name}.npz", 64, "dlib", "RGB")
        full, reduced = (np.load(tmp_path / f"{name}.npz")["frames"].astype(int) for name in ("full", "reduced"))
        difference = np.abs(full - reduced)
        found[side, widths[-1]] = float(difference.mean().round(2)), int(difference.max())
    print({f"side {side:.0%}, decoded {width} px wide": value for (side, width), value in found.items()})
    assert {width for _, width in found} == {448, 224}  # both scales were met
    assert max(mean for mean, _ in found.values()) < 0.6
    assert max(largest for _, largest in found.values()) < 8


# --- Kills, errors, speed, memory ------------------------------------------------------------------------------------


def command(kind, source, root, *more):
    return [sys.executable, "data.py", "prepare", kind, "--source", str(source), "--data-root", str(root), *more]


def link_videos(source, count, one):
    """`count` videos of MUG's layout that are all links to the pictures of the video `one`: no disk, full work."""
    for i in range(count):
        take = source / f"{i // 12:03d}" / list(prepare.EXPRESSIONS)[i % 5] / f"take{i % 12:03d}"
        take.mkdir(parents=True)
        for file in sorted(one.iterdir()):
            os.link(file, take / file.name)


def children_of(pid):
    """Process ids of the children of a process, on Linux."""
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return file.read_text().split() if file.exists() else []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] not in "ZX"  # ended, but nobody looked
    except OSError:
        return False


def test_killed_and_started_again_gives_the_same_bytes(tmp_path, monkeypatch):
    write_video(tmp_path / "one", (40, 40, 40), 64, size=(896, 896))
    link_videos(tmp_path / "mug", 12, tmp_path / "one")
    prepare.prepare("mug", tmp_path / "mug", tmp_path / "once", detector="center")
    arguments = ("--detector", "center", "--workers", "2")
    running = subprocess.Popen(command("mug", tmp_path / "mug", tmp_path / "twice", *arguments), cwd=REPO)
    parts = tmp_path / "twice" / ".mug-64-parts"
    while running.poll() is None and len(list(parts.glob("*.npz"))) < 3:
        time.sleep(0.01)
    workers = children_of(running.pid)
    running.send_signal(signal.SIGKILL)  # as by a power cut: nothing in Python sees it
    assert running.wait() == -signal.SIGKILL
    deadline = time.time() + 10
    while any(map(is_alive, workers)) and time.time() < deadline:
        time.sleep(0.01)
    assert not any(map(is_alive, workers))
    done = {part: part.stat().st_mtime_ns for part in parts.glob("*.npz")}
    assert 3 <= len(done) < 12 and not (tmp_path / "twice" / "mug-64").exists()

    assemble = prepare.assemble

    def checked(*arguments, **found):  # what was done is not done again
        assert {part: part.stat().st_mtime_ns for part in done} == done
        return assemble(*arguments, **found)

    monkeypatch.setattr(prepare, "assemble", checked)
    prepare.prepare("mug", tmp_path / "mug", tmp_path / "twice", detector="center")
    for name in ("mug-64/frames.npy", "mug-64/index.json", "mug-64.png"):
        assert (tmp_path / "twice" / name).read_bytes() == (tmp_path / "once" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "twice").iterdir()) == ["mug-64", "mug-64.png"]


def test_ctrl_c_is_one_line(tmp_path):
    write_video(tmp_path / "one", (40, 40, 40), 160, size=(896, 896))
    link_videos(tmp_path / "mug", 12, tmp_path / "one")  # enough for some to be left when the first is done
    running = subprocess.Popen(
        command("mug", tmp_path / "mug", tmp_path / "data", "--detector", "center", "--workers", "6"),
        cwd=REPO,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    parts = tmp_path / "data" / ".mug-64-parts"
    while running.poll() is None and not list(parts.glob("*.npz")):
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)  # as the terminal does: to the workers, too
    error = running.communicate(timeout=60)[1]
    assert running.returncode == 2
    assert error == "data.py: error: interrupted; started again, prepare goes on from here\n"


def test_errors_are_one_clear_line(mug, oulu, tmp_path, fails, monkeypatch):
    def refused(*arguments):
        return fails(data.main, ["prepare", *map(str, arguments), "--data-root", str(tmp_path / "data")])

    assert "there is no folder" in refused("mug", "--source", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    for error in (refused("mug", "--source", tmp_path / "empty"), refused("oulu", "--source", tmp_path / "empty")):
        assert "found no picture" in error and "expected ..." in error and "licensed, ask for them at https://" in error
    assert "found no picture" in refused("folder", "--source", tmp_path / "empty")
    wrong = refused("oulu", "--source", oulu / "OriginalImg/OriginalImg/VL")  # the visible light half
    assert "OriginalImg/NI/{Dark,Strong,Weak}/PNNN/EXPRESSION/NNN.jpeg" in wrong and "found pictures in" in wrong
    assert "found pictures in" in refused("mug", "--source", oulu)
    assert "can be kept: another expression 1" in refused(
        "mug", "--source", mug / "subjects3/subjects3/001/neutral", "--detector", "center"
    )
    assert "--lighting is for oulu" in refused("mug", "--source", mug, "--lighting", "dark")
    assert "int >= 1 value" in refused("mug", "--source", mug, "--workers", "-3")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "dlib", None)
        prepare.face_detector.cache_clear()
        assert "pip install dlib-bin, or use --detector center" in refused("mug", "--source", mug)
        prepare.face_detector.cache_clear()
    with monkeypatch.context() as patch:
        (tmp_path / "films").mkdir()
        (tmp_path / "films/one.mp4").write_bytes(b"")
        patch.setitem(sys.modules, "av", None)
        prepare.video_reader.cache_clear()
        assert "pip install av" in refused("folder", "--source", tmp_path / "films")
        prepare.video_reader.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(prepare.shutil, "disk_usage", lambda path: type("usage", (), {"free": 1_000_000}))
        assert "preparing takes 0.01 GB in" in refused("mug", "--source", mug, "--detector", "center")
    source = tmp_path / "weizmann"
    write_video(source / "one", (0, 0, 0), 20)
    assert "name of another data set" in refused("folder", "--source", source)
    prepare.prepare("mug", mug, tmp_path / "data", 64, detector="center")
    assert "already there" in refused("mug", "--source", mug, "--detector", "center")


@pytest.mark.parametrize("name", ["mug", "oulu"])
def test_unprepared_set_says_how_to_get_it(name, tmp_path):
    with pytest.raises(
        data.UserError, match=rf"ask for them at https://.*data\.py prepare {name} --source DIR .*--size 32"
    ):
        data.load(name, tmp_path, 32)


def memory_of(pid):
    """Bytes of a process and its children, what they share counted once (Linux: proportional set size)."""
    total = 0
    for each in [pid, *children_of(pid)]:
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            total += int(line.split()[1]) * 1024 if line.startswith("Pss:") else 0
    return total


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc")
def test_speed_and_memory(astronaut, tmp_path):
    """896x896 JPEGs with a face: 150 frames a second on two cores, and below 2 GB for 600 videos of 80 frames.

    Speed is counted in processor time, so that it does not depend on who else uses the machine.
    """
    picture = np.asarray(paste_face(astronaut, (440, 400))).astype(float)
    (tmp_path / "one").mkdir()
    for t in range(80):  # the grain of a camera: without it a JPEG is small, and decoding it too easy
        grain = np.random.default_rng(t).normal(0, 4, picture.shape)
        Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8)).save(tmp_path / f"one/{t}.jpg", quality=90)
    peaks, processor, wall = {}, {}, {}
    for count in (12, 48):
        link_videos(tmp_path / f"mug{count}", count, tmp_path / "one")
        began, peak = time.time(), 0
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = subprocess.Popen(
            command("mug", tmp_path / f"mug{count}", tmp_path / f"d{count}", "--workers", "2"), cwd=REPO
        )
        while running.poll() is None:
            try:
                peak = max(peak, memory_of(running.pid))
            except OSError:  # a process ended while we looked
                pass
            time.sleep(0.1)
        assert running.returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        peaks[count], wall[count] = peak, time.time() - began
        processor[count] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    growth = max(0, peaks[48] - peaks[12]) / 36
    whole = peaks[48] + growth * (600 - 48)
    speed = 2 * (48 - 12) * 80 / (processor[48] - processor[12])  # the start of Python and torch does not count
    print(f"\n{(tmp_path / 'one/0.jpg').stat().st_size / 1e3:.0f} kB a picture; {speed:.0f} frames/s on two cores")
    print(f"by the clock: {36 * 80 / (wall[48] - wall[12]):.0f} frames/s at a load of {os.getloadavg()[0]:.1f}")
    print(f"peak {peaks[12] / 1e6:.0f} MB at 12 videos, {peaks[48] / 1e6:.0f} MB at 48, so {whole / 1e6:.0f} MB at 600")
    assert speed >= 150
    assert whole < 2e9


# --- What other people's files are like ------------------------------------------------------------------------------


def drawing(width=64, height=96, t=0):
    """Red above blue, with a white mark at the upper left that moves with t."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2], array[height // 2 :] = (220, 30, 30), (30, 30, 220)
    side = height // 6
    array[side : 2 * side, side + t : 2 * side + t] = 255
    return array


def is_upright(video):
    """Whether frames (T, H, W, C) show red above blue, the mark at the upper left."""
    video = video.astype(int)
    above, below = video[:, 1:4].mean((1, 2)), video[:, -4:].mean((1, 2))
    left, right = video[:, :, : video.shape[2] // 2].mean((1, 2, 3)), video[:, :, video.shape[2] // 2 :].mean((1, 2, 3))
    return bool((above[:, 0] > 2 * above[:, 2]).all() and (below[:, 2] > 2 * below[:, 0]).all() and left[0] > right[0])


def save_film(path, frames, codec="mpeg4", pix_fmt="yuv420p", rate=10, metadata=(), **stream_options):
    av = pytest.importorskip("av", reason="needs PyAV (pip install av)")
    with av.open(str(path), "w") as container:
        container.metadata.update(dict(metadata))
        stream = container.add_stream(codec, rate=rate, options=stream_options.pop("options", {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = pix_fmt, 4_000_000
        for name, value in stream_options.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


def prepared(tmp_path, source, size=32, **options):
    """What `prepare folder` makes of tmp_path/SOURCE: the videos, and the report."""
    _, report = prepare.prepare("folder", tmp_path / source, tmp_path / "data", size, workers=1, **options)
    return data.load(source, tmp_path / "data", size, split="all"), report


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 1), (3, 2), (8, 3)])
def test_pictures_are_upright(tmp_path, orientation, turns):
    """By EXIF, wherever pictures are read: `prepare`, a path, --images."""
    folder = tmp_path / "photos" / "walk"
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for t in range(20):
        array = np.ascontiguousarray(np.rot90(drawing(t=t), turns))
        Image.fromarray(array).save(folder / f"IMG_{t:04d}.JPG", exif=exif, quality=95)
    assert is_upright(prepared(tmp_path, "photos")[0][0])
    assert is_upright(data.load(str(tmp_path / "photos"), size=32, split="all")[0])
    images = data.load_images(folder, 32)
    assert len(images) == 20 and is_upright(images.frames.numpy())


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_films_are_upright(tmp_path, degrees, mirrored):
    """By the display matrix of the track, as phones write it; front cameras may mirror, too."""
    (tmp_path / "phone").mkdir()
    shown = [drawing(t=t)[:, :: -1 if mirrored else 1] for t in range(20)]
    stored = [np.ascontiguousarray(np.rot90(frame, degrees // 90)) for frame in shown]
    path = save_film(tmp_path / "phone" / "film.mp4", stored)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    flip = -1 if mirrored else 1  # of x, once it has been turned
    matrix = flip * cos * 65536, sin * 65536, 0, -flip * sin * 65536, cos * 65536, 0, 0, 0, 1 << 30
    content[at + 40 : at + 76] = struct.pack(">9i", *matrix)
    path.write_bytes(content)
    assert is_upright(prepared(tmp_path, "phone")[0][0])


def test_pixels_that_are_not_square(tmp_path):
    """A film stored at half its width: a disc is round again."""
    (tmp_path / "dv").mkdir()
    y, x = np.mgrid[:96, :48]
    disc = np.where(((y - 48) ** 2 + (2 * x - 48) ** 2 < 30**2)[..., None], 255, 0).astype(np.uint8).repeat(3, 2)
    save_film(tmp_path / "dv" / "film.mkv", [disc] * 20, sample_aspect_ratio=Fraction(2, 1))
    frame = prepared(tmp_path, "dv")[0][0][0][..., 0] > 127
    assert abs(frame.any(0).sum() - frame.any(1).sum()) <= 1 and frame.any(0).sum() > 15


def test_every_orientation_in_every_format(tmp_path):
    """EXIF's eight, in the formats that have it: a TIFF is turned by Pillow itself, and not once more."""
    upright, undo = Image.fromarray(drawing()), [None, 0, 3, 1, 5, 2, 6, 4]  # Image.Transpose, by orientation - 1
    for orientation in range(1, 9):
        turn = undo[orientation - 1]
        stored = upright if turn is None else upright.transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        for ending in ("png", "jpg", "webp", "tif"):
            stored.save(tmp_path / f"a.{ending}", exif=exif, quality=95)
            assert is_upright(pictures.read_image(tmp_path / f"a.{ending}")[None]), (orientation, ending)


def shown(path, mode="RGB"):
    return np.asarray(pictures.open_image(path, mode)).astype(int)


def test_pictures_of_every_kind_are_eight_bits_of_rgb(tmp_path):
    """Sixteen bits are scaled and not clipped; palettes, CMYK and transparency as a viewer shows them."""
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(8, 0)
    for name in ("ramp.png", "ramp.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        np.testing.assert_allclose(shown(tmp_path / name)[..., 0], ramp / 257, atol=1)
    Image.fromarray(ramp).save(tmp_path / "inverted.tif", tiffinfo={262: 0})  # WhiteIsZero, as scanners write it
    np.testing.assert_allclose(shown(tmp_path / "inverted.tif")[..., 0], 255 - ramp / 257, atol=1)
    colours = drawing(32, 32)
    Image.fromarray(colours).quantize(8).save(tmp_path / "palette.gif")
    assert np.abs(shown(tmp_path / "palette.gif") - colours).mean() < 2
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(shown(tmp_path / "cmyk.jpg") - colours).mean() < 12
    clear = np.dstack([colours, np.full((32, 32), 255, np.uint8)])
    clear[:8, :, 3] = 0
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    for name, profile in (("sticker.png", None), ("sticker.webp", None), ("profile.png", other.tobytes())):
        profile = profile and profile.replace("sRGB".encode("utf-16-be"), "ABCD".encode("utf-16-be"))  # is not skipped
        Image.fromarray(clear).save(tmp_path / name, lossless=True, icc_profile=profile)
        found = shown(tmp_path / name)
        assert (found[:8] == 255).all() and np.abs(found[8:] - colours[8:]).max() <= (2 if profile else 0)  # on white
    assert (shown(tmp_path / "sticker.png", "RGBA")[..., 3] == clear[..., 3]).all()
    with pytest.raises(data.UserError, match="cannot read the image .*float.tif: .*save it in 8 or 16 bits"):
        Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "float.tif")
        pictures.read_image(tmp_path / "float.tif")


CLUTTER = (".ipynb_checkpoints/0-checkpoint.png", ".Trash-1000/files/a.png", "@eaDir/001.png/thumb.png", "._000.png",
           "__MACOSX/._000.png", "clip0/.ipynb_checkpoints/3.png", "clip0/._004.png", "$RECYCLE.BIN/x.png")  # fmt: skip


def test_one_search_for_all(tmp_path):
    """Hidden files and folders, folders called like pictures, links, loops, endings: the same for each of its users."""
    for clip in range(3):
        (tmp_path / "store" / f"clip{clip}").mkdir(parents=True)
        for t in range(20):
            Image.fromarray(drawing(40, 40, t)).save(
                tmp_path / "store" / f"clip{clip}" / f"{t:03d}{('.png', '.TIF')[t % 2]}"
            )
    (tmp_path / "clips").mkdir()
    for clip in range(3):
        (tmp_path / "clips" / f"clip{clip}").symlink_to(tmp_path / "store" / f"clip{clip}")
    (tmp_path / "clips" / "clip1" / "loop").symlink_to(tmp_path / "clips")
    for name in CLUTTER:
        (tmp_path / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / name).write_bytes(b"\0\5\26\7")
    (tmp_path / "clips" / "clip2" / "folder.png").mkdir()
    videos, report = prepared(tmp_path, "clips")
    assert videos.lengths.tolist() == [20] * 3 and not report["left_out"] and not report["unreadable"]
    assert data.load(str(tmp_path / "clips"), size=32, split="all").lengths.tolist() == [20] * 3
    assert len(data.load_images(tmp_path / "clips", 32)) == 60


def test_one_bad_file_takes_no_other_with_it(tmp_path):
    """A tag in Latin-1, a damaged packet, a picture of no bytes: the rest goes on; each is named, in its own list."""
    folder = tmp_path / "old"
    folder.mkdir()
    frames = [
        np.kron(f, np.ones((8, 8, 1), np.uint8))
        for f in np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3), np.uint8)
    ]
    tagged = save_film(folder / "tag.avi", frames, metadata={"title": "Gebuertstag ZZZZ"})
    assert b"ZZZZ" in tagged.read_bytes()
    tagged.write_bytes(tagged.read_bytes().replace(b"ZZZZ", "äöüß".encode("latin-1")))
    av = pytest.importorskip("av")
    damaged = save_film(folder / "damaged.mkv", frames, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(damaged)) as container:
        place, length = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][10]
    content = bytearray(damaged.read_bytes())
    content[place + 12 : place + 12 + length // 2] = bytes(length // 2)
    damaged.write_bytes(content)
    (folder / "none.mp4").write_bytes(b"")
    (folder / "pictures").mkdir()
    for t in range(20):
        Image.fromarray(drawing(40, 40, t)).save(folder / "pictures" / f"{t}.png")
    (folder / "pictures" / "7.png").write_bytes(b"")
    videos, report = prepared(tmp_path, "old")
    assert sorted(videos.lengths.tolist()) == [19, 59, 60]
    assert report["left_out"] == {"unreadable": ["none.mp4"]}
    assert report["damaged"]["damaged.mkv"] == "1 damaged packets" and set(report["damaged"]) == {
        "damaged.mkv",
        "none.mp4",
    }
    assert report["unreadable"] == [str((folder / "pictures" / "7.png").resolve())]


def test_mug_trees_of_another_depth(tmp_path):
    def put(folder, n=16):
        folder = tmp_path / "mug" / folder
        folder.mkdir(parents=True)
        for t in range(n):
            Image.fromarray(drawing(40, 40, t)).save(folder / f"img_{t:04d}.jpg")

    for folder in ("001/session0/happiness/take000", "002/Happiness/Take001", "003/happiness",
                   "004/session0/happiness/000", "005/session_1/happiness/take000", "1/session0/anger/take000",
                   "007/session0/mixed/take000", "odd/pictures"):  # fmt: skip
        put(f"subjects3/{folder}")
    put("subjects3/006/session0/surprise/take000", 0)
    options = {"detector": "center", "min_frames": 16, "workers": 1}
    _, report = prepare.prepare("mug", tmp_path / "mug", tmp_path / "data", 32, **options)
    videos = data.load("mug", tmp_path / "data", 32, split="all")
    assert videos.classes["subject"] == ["001", "002", "003", "004", "005"] and len(videos) == 6  # 1 is 001
    assert report["left_out"] == {
        "no pictures": ["subjects3/006/session0/surprise/take000"],
        "another expression": ["subjects3/007/session0/mixed/take000"],
    }
    assert report["not_taken"] == {"subjects3/odd/pictures": 16}


@pytest.mark.parametrize("broken", [True, False])
def test_parts_of_an_earlier_run_are_of_the_same_files(tmp_path, broken, monkeypatch):
    """A run that died; then the films behind the same names are others: nothing of the first comes into the set."""
    (tmp_path / "copied").mkdir()
    for clip in range(3):
        path = save_film(tmp_path / "copied" / f"{clip}.mp4", [drawing(48, 48, t)[::-1].copy() for t in range(20)])
        if broken:
            path.write_bytes(path.read_bytes()[:2000])
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "assemble", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepared(tmp_path, "copied")
    for clip in range(3):
        save_film(tmp_path / "copied" / f"{clip}.mp4", [drawing(48, 48, t) for t in range(20)])
    videos, report = prepared(tmp_path, "copied")
    assert len(videos) == 3 and all(map(is_upright, videos)) and not report["left_out"] and not report["damaged"]


def test_a_failure_is_tried_again(tmp_path, monkeypatch):
    """The file has not changed, and can be read now: a disk that was away."""
    (tmp_path / "clips" / "one").mkdir(parents=True)
    for t in range(20):
        Image.fromarray(drawing(40, 40, t)).save(tmp_path / "clips" / "one" / f"{t}.png")
    part = tmp_path / "part.npz"
    files = sorted((tmp_path / "clips" / "one").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "open_image", lambda *_: (_ for _ in ()).throw(OSError("away")))
        prepare.prepare_video(files, part, 32, "center", "RGB")
        assert not prepare.is_kept(part)
    prepare.prepare_video(files, part, 32, "center", "RGB")
    assert prepare.is_kept(part)
    part.write_bytes(part.read_bytes()[:100])
    assert not prepare.is_kept(part)


def test_frames_by_the_clock(tmp_path):
    """A GIF whose pictures stay on for 1, 0.1 and 0.5 seconds, at 10 frames a second: 10, 1 and 5 of them."""
    pytest.importorskip("av", reason="needs PyAV (pip install av)")
    (tmp_path / "gifs").mkdir()
    pictures = [Image.new("RGB", (40, 40), (level, 0, 0)) for level in (250, 130, 10)]
    pictures[0].save(tmp_path / "gifs" / "a.gif", save_all=True, append_images=pictures[1:], duration=[1000, 100, 500])
    videos, _ = prepared(tmp_path, "gifs", fps=10, min_frames=10)
    levels = videos[0][:, 16, 16, 0].astype(int)
    assert len(levels) == 16
    assert (np.abs(levels[:10] - 250) < 9).all() and abs(levels[10] - 130) < 9 and (np.abs(levels[11:] - 10) < 9).all()


def test_a_clock_of_milliseconds_loses_no_frame(tmp_path):
    """Matroska rounds times: frame 2 of 30 a second is at 0.067. At --fps 30 each frame comes once even so."""
    (tmp_path / "films").mkdir()
    levels = 20 + 10 * np.arange(20)
    film = [np.full((32, 32, 3), level, np.uint8) for level in levels]
    save_film(tmp_path / "films" / "a.mkv", film, codec="ffv1", pix_fmt="gray", rate=30)
    for fps, expected in ((30, levels), (15, levels[::2]), (60, levels.repeat(2))):
        video = list(prepare.Film(tmp_path / "films" / "a.mkv", "L", fps))
        assert [np.asarray(image)[9, 9] for image in video] == expected.tolist()
    video, _ = prepared(tmp_path, "films", fps=30)
    assert np.abs(video[0][:, 9, 9, 0] - levels).max() <= 1


def test_fps_without_films_is_refused(tmp_path):
    write_video(tmp_path / "clips" / "one", (10, 10, 10), 20)
    with pytest.raises(data.UserError, match="--fps is for films, and there is none"):
        prepared(tmp_path, "clips", fps=10)


def test_a_film_on_a_bad_stick_is_taken_as_far_as_it_goes(tmp_path, monkeypatch):
    """The container itself cannot be read on, and one frame cannot be shown: the others stay."""
    av = pytest.importorskip("av", reason="needs PyAV (pip install av)")
    path, upright = save_film(tmp_path / "a.mkv", [drawing(t=t) for t in range(30)]), prepare.Film.upright

    class Stick:
        def __init__(self, container):
            self.container, self.streams, self.format = container, container.streams, container.format
            self.duration = container.duration

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.container.close()

        def demux(self, track):
            for i, packet in enumerate(self.container.demux(track)):
                if i == 20:
                    raise OSError(5, "Input/output error")
                yield packet

    def fails_once(self, frame):
        if abs(frame.time - 0.5) < 1e-3:
            raise ValueError("no such colours")
        return upright(self, frame)

    opened = av.open
    monkeypatch.setattr(av, "open", lambda *arguments, **options: Stick(opened(*arguments, **options)))
    monkeypatch.setattr(prepare.Film, "upright", fails_once)
    prepare.prepare_video([path], tmp_path / "part.npz", 32, "center", "RGB")
    with np.load(tmp_path / "part.npz") as saved:
        assert len(saved["frames"]) == 19 and str(saved["why"]) == ""
        assert str(saved["note"]) == "2 damaged packets, ends 1.0 s before it should"


def test_what_is_not_read_is_counted(tmp_path, capsys):
    """Files of other kinds, and more folders than a terminal should be filled with."""
    for i in range(30):
        write_video(tmp_path / "mug" / "odd" / f"p{i}", (10, 10, 10), 1)
    write_video(tmp_path / "mug" / "12" / "001" / "anger" / "take000", (10, 10, 10), 16)  # 12 is no subject
    for name in ("a.HEIC", "b.heic", "c.txt"):
        (tmp_path / "mug" / name).write_bytes(b"")
    options = {"detector": "center", "min_frames": 16, "workers": 1}
    target, report = prepare.prepare("mug", tmp_path / "mug", tmp_path / "data", 32, **options)
    assert report["other_files"] == {".heic": 2, ".txt": 1} and len(report["not_taken"]) == 30
    assert data.load("mug", tmp_path / "data", 32, split="all").classes["subject"] == ["001"]
    prepare.print_report("mug", target, report)
    printed = capsys.readouterr().out
    assert "no videos of mug: 30" in printed and ".heic: 2" in printed and printed.count("odd/p") == 20


def test_a_film_that_was_cut_short_is_named(tmp_path):
    (tmp_path / "cut").mkdir()
    path = save_film(tmp_path / "cut" / "film.mkv", [drawing(64, 64, t) for t in range(60)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    videos, report = prepared(tmp_path, "cut")
    assert 20 < len(videos[0]) < 40 and "s before it should" in report["damaged"]["film.mkv"]


def test_a_script_without_a_main_guard_is_told(tmp_path):
    """Under spawn, every worker runs the script that started it once more."""
    (tmp_path / "clips" / "one").mkdir(parents=True)
    for t in range(20):
        Image.fromarray(drawing(40, 40, t)).save(tmp_path / "clips" / "one" / f"{t}.png")
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys, multiprocessing\nsys.path.insert(0, {str(REPO)!r})\n"
        "multiprocessing.set_start_method('spawn', force=True)\n"
        "from tools.prepare import prepare\n"
        f"prepare('folder', {str(tmp_path / 'clips')!r}, {str(tmp_path / 'data')!r}, 32)\n"
    )
    error = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120).stderr
    assert (
        "in a script call prepare under if __name__ == '__main__':" in error and "memory" not in error.splitlines()[-1]
    )


def test_names_that_no_terminal_can_print(tmp_path):
    """Umlauts, line breaks and stray bytes, in a terminal that knows ASCII alone."""
    for name in ("größe\n2", b"stray\xff".decode("utf-8", "surrogateescape")):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for t in range(20):
            Image.fromarray(drawing(40, 40, t)).save(tmp_path / "clips" / name / f"{t}.png")
        (tmp_path / "clips" / name / "7.png").write_bytes(b"")
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    done = subprocess.run(
        command("folder", tmp_path / "clips", tmp_path / "data", "--size", "32"),
        cwd=REPO, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "unreadable pictures, left out: 2" in done.stdout, done.stderr
    assert sum("7.png" in line for line in done.stdout.splitlines()) == 2  # a line each


def test_a_newcomers_slips(tmp_path, capsys, tiny):
    """Each error says the next command."""

    def refused(*arguments):
        with pytest.raises(data.UserError) as error:
            data.load(*arguments)
        return str(error.value)

    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(b"")
    next_command = "python data.py prepare folder --source"
    assert next_command in refused(str(tmp_path / "films" / "a.mp4"), "data", 32)
    assert f"{next_command} {tmp_path / 'films'}" in refused(str(tmp_path / "films"), "data", 32)
    prepare.write_prepared(tmp_path / "cats-64", [np.zeros((20, 64, 64, 3), np.uint8)] * 3, [20] * 3, {}, {}, [2])
    assert f"--data cats --data-root {tmp_path} --size 64" in refused(str(tmp_path / "cats-64"), "data", 64)
    assert "it is there at 64 pixels: give --size 64" in refused("cats", tmp_path, 32)
    assert str(Path("elsewhere").absolute()) in refused("cats", "elsewhere", 32)
    with pytest.raises(data.UserError, match="--stride 1 or fewer --frames may fit"):
        data.load(str(tiny), size=32, split="all").at_least(41)
