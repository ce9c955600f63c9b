"""Sprites: the facts of the data set, on the real sheets where they are at hand."""

import hashlib
import zipfile

import numpy as np
import pytest
from PIL import Image

import data
from tools import public

LAYERS = ("body", "bottomwear", "topwear", "hair")
# written out a second time, so that a slip is seen: rows of front, left, right; columns of the eight frames
CELLS = {
    "walk": ([10, 9, 11], [8, 1, 2, 3, 4, 5, 6, 7]),
    "spellcast": ([2, 1, 3], [0, 1, 2, 3, 4, 5, 4, 6]),
    "slash": ([14, 13, 15], [0, 1, 2, 3, 4, 5, 4, 0]),
}


@pytest.fixture(scope="module")
def sheets(video_data):
    """The folder of the sheets."""
    if not (video_data / "sprites").is_dir():
        pytest.skip(f"no sprites/ in {video_data} (python data.py download sprites)")
    return video_data / "sprites"


@pytest.fixture(scope="module")
def prepared(sheets, tmp_path_factory):
    """The root of a prepared set; the sheets themselves are only linked."""
    root = tmp_path_factory.mktemp("root")
    (root / "sprites").symlink_to(sheets.resolve())
    data.load("sprites", root, 64)
    return root


def draw(sheets, attributes, action, view, frame):
    """One frame by the definition: whole sheets, drawn over opaque black one after the other, one cell cut out."""
    picture = Image.new("RGBA", (832, 1344), (0, 0, 0, 255))
    for layer, number in [*zip(LAYERS, attributes, strict=True), ("shoes", 1)]:
        picture = Image.alpha_composite(picture, Image.open(sheets / layer / f"{number}.png").convert("RGBA"))
    rows, columns = CELLS[action]
    left, top = columns[frame] * 64, rows[view] * 64
    return np.asarray(picture.crop((left, top, left + 64, top + 64)).convert("RGB"))


def test_counts_and_split(prepared):
    videos = data.load("sprites", prepared, 64, split="all")
    assert len(videos) == 11_664 and set(videos.lengths.tolist()) == {8} and videos[0].shape == (8, 64, 64, 3)
    train, test = (data.load("sprites", prepared, 64, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (9000, 2664)

    def characters(part):
        body, bottom, top, hair = (part.labels[layer] for layer in LAYERS)
        return set((body * 216 + bottom * 36 + top * 6 + hair).tolist())

    assert len(characters(train)) == 1000 and len(characters(test)) == 296
    assert not characters(train) & characters(test)
    assert {1116, 1135, 17, 469, 1293} <= characters(train)  # the first of the official permutation
    last = np.random.RandomState(423).permutation(1296)
    assert last[:5].tolist() == [1116, 1135, 17, 469, 1293] and characters(test) == set(last[1000:].tolist())


def test_known_sum(prepared):
    frames = np.load(prepared / "sprites-64" / "frames.npy", mmap_mode="r")
    digest = hashlib.sha256()
    for part in np.array_split(frames, 64):
        digest.update(np.ascontiguousarray(part))
    assert digest.hexdigest() == "9a90d76e1172c33b1a9e318a299657cecb9d9d19ddfd0d085e800b796a07a9f3"


def test_labels_decode_back_to_the_sheets(sheets, prepared):
    videos = data.load("sprites", prepared, 64, split="all")
    for index in np.random.default_rng(0).choice(len(videos), 6, replace=False):
        label = {key: int(values[index]) for key, values in videos.labels.items()}
        action = videos.classes["action"][label["action"]]
        assert label["action-view"] == 3 * label["action"] + label["view"]
        assert (
            videos.classes["action-view"][label["action-view"]] == f"{action} {videos.classes['view'][label['view']]}"
        )
        expected = [draw(sheets, [label[layer] for layer in LAYERS], action, label["view"], t) for t in range(8)]
        np.testing.assert_array_equal(videos[index], np.stack(expected))


def test_repeated_frames(prepared):
    videos = data.load("sprites", prepared, 64, split="all")
    for action, first, second in (("spellcast", 4, 6), ("slash", 0, 7)):
        chosen = np.flatnonzero(videos.labels["action"] == videos.classes["action"].index(action))
        for index in chosen[:: len(chosen) // 50]:
            video = videos[index]
            np.testing.assert_array_equal(video[first], video[second])
            assert (video[0] != video[3]).any()


def test_other_sizes_are_antialiased(sheets, prepared, monkeypatch):
    one = next(public.compose_sprites(sheets))
    monkeypatch.setattr(public, "compose_sprites", lambda folder: [one] * 1296)  # the resizing alone is looked at
    small = data.load("sprites", prepared, 32, split="all")[0]
    assert small.shape == (8, 32, 32, 3)
    # a bilinear filter stretched by the scale: close to means of 2 x 2 pixels, where picking pixels would be far off
    means = one[:8].reshape(8, 32, 2, 32, 2, 3).mean((2, 4))
    picked = one[:8, ::2, ::2].astype(float)
    assert np.abs(small - means).mean() < 0.5 * np.abs(picked - means).mean()


def test_download_takes_the_sheets_of_the_archive(sheets, tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("Sprites-3ce4048/README.md", "not wanted")
        for name in public.SPRITE_FILES:
            archive.write(sheets / name, f"Sprites-3ce4048/{name}")
    public.download("sprites", tmp_path / "root", (tmp_path / "archive.zip").as_uri())
    files = sorted(path.relative_to(tmp_path / "root/sprites") for path in (tmp_path / "root").rglob("*.*"))
    assert [path.as_posix() for path in files] == sorted(public.SPRITE_FILES) and len(files) == 25
    # transparency is part of the sum: a sheet that differs in nothing else is refused
    with Image.open(sheets / "hair/0.png") as sheet:
        opaque = sheet.convert("RGBA")
    opaque.putalpha(255)
    opaque.save(tmp_path / "opaque.png")
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
        for name in public.SPRITE_FILES:
            archive.write(tmp_path / "opaque.png" if name == "hair/0.png" else sheets / name, f"top/{name}")
    with pytest.raises(data.UserError, match="other pictures than expected"):
        public.download("sprites", tmp_path / "changed", (tmp_path / "changed.zip").as_uri())
    assert not (tmp_path / "changed/sprites").exists()


def test_missing_sheets_are_one_clear_line(tmp_path):
    with pytest.raises(data.UserError, match=r"no sprites data .*25 of 25 .*download sprites"):
        data.load("sprites", tmp_path, 64)


def test_wrong_sheet_is_named(tmp_path):
    for name in public.SPRITE_FILES:
        (tmp_path / "sprites" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", (832, 1344 if name != "hair/3.png" else 64)).save(tmp_path / "sprites" / name)
    with pytest.raises(data.UserError, match=r"hair/3\.png is no sheet .*832x64"):
        data.load("sprites", tmp_path, 64)
    assert not (tmp_path / "sprites-64").exists()
