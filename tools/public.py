"""The built-in and the public data sets: the drawn faces, Weizmann and Sprites; and their download."""

import functools
import hashlib
import http.client
import shutil
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from shlex import quote

import numpy as np
from PIL import Image
from tqdm import tqdm

from data import (
    UserError,
    from_arrays,
    prepared_folder,
    printable,
    read_prepared,
    resize,
    take_split,
)
from tools.faces import draw_faces
from tools.pictures import read_image
from tools.prepare import write_prepared

# --- faces: the built-in data set ------------------------------------------------------------------------------------


def load_faces(root, size, split):
    """The drawn faces, kept as a prepared data set under `root` once drawn; the test split is every fifth person."""
    folder = prepared_folder(root, "faces", size)
    if not folder.exists():
        print(printable(f"drawing the faces, once: {folder}"))
        bar = functools.partial(tqdm, desc="faces", unit="video", disable=None)
        frames, lengths, labels, classes = draw_faces(size, progress=bar)
        write_prepared(folder, frames, lengths, labels, classes, np.flatnonzero(labels["subject"] % 5 == 4))
    return read_prepared(folder, "faces", split)


# --- weizmann: the actions of the MoCoGAN repository -----------------------------------------------------------------

WEIZMANN_ACTIONS = {0: "one-hand wave", 1: "two-hand wave", 3: "jumping jack", 4: "bend"}  # folder: action
WEIZMANN_FILES = [f"{action}/{i:08d}.jpg" for i in range(72) for action in [(1, 0, 3, 4)[i % 8 // 2]]]


def downloaded(name, root, files):
    """The folder ROOT/NAME, if all `files` are in it; UserError saying how to get them if not."""
    folder = Path(root).absolute() / name
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise UserError(
            f"no {name} data in {folder}: {len(missing)} of {len(files)} files missing, {missing[0]} the first; "
            f"python data.py download {name} --data-root {quote(str(root))} fetches them"
        )
    return folder


def load_weizmann(root, size, split):
    """Weizmann actions (paper A.4): 72 strips of 51 to 146 frames, 64 px high, the frames left to right.

    Files 2k and 2k + 1 are mirror images, and file number // 8 is the person: persons 7 and 8 are the test split, so
    neither a person nor a mirrored twin is on both sides.
    """
    folder = downloaded("weizmann", root, WEIZMANN_FILES)
    videos = []
    for name in WEIZMANN_FILES:
        strip = read_image(folder / name)
        if strip.shape[0] != 64 or strip.shape[1] % 64:
            raise UserError(f"{folder / name} is no strip of 64x64 frames: {strip.shape[1]}x{strip.shape[0]} pixels")
        frames = strip.reshape(64, -1, 64, 3).swapaxes(0, 1)  # (T, H, W, C)
        videos.append(resize(frames, size))
    number = np.arange(72)
    action = np.array([list(WEIZMANN_ACTIONS).index(int(name[0])) for name in WEIZMANN_FILES])
    labels = {"person": number // 8, "action": action, "mirrored": number % 2}
    classes = {"person": [f"person {i}" for i in range(9)], "action": list(WEIZMANN_ACTIONS.values())}
    classes["mirrored"] = ["no", "yes"]
    return take_split(from_arrays("weizmann", videos, labels, classes), labels["person"] >= 7, split)


# --- sprites: composed from the sheets of the Sprites repository (art: Liberated Pixel Cup, CC-BY-SA 3.0 and GPL 3.0)

SPRITE_LAYERS = ("body", "bottomwear", "topwear", "hair")  # in drawing order; six sheets each, and one pair of shoes
SPRITE_FILES = [f"{layer}/{i}.png" for layer in SPRITE_LAYERS for i in range(6)] + ["shoes/1.png"]
SPRITE_VIEWS = ("front", "left", "right")
SPRITE_ACTIONS = {  # the row of each view, and the column of each of the eight frames, in cells of 64 px
    "walk": ((10, 9, 11), (8, 1, 2, 3, 4, 5, 6, 7)),
    "spellcast": ((2, 1, 3), (0, 1, 2, 3, 4, 5, 4, 6)),
    "slash": ((14, 13, 15), (0, 1, 2, 3, 4, 5, 4, 0)),
}


def sprite_cells(path):
    """The cells of a sheet that the nine sequences show, as one RGBA picture: 9 rows (action, view), 8 columns."""
    sheet = read_image(path, "RGBA")
    if sheet.shape[:2] != (21 * 64, 13 * 64):
        raise UserError(f"{path} is no sheet of 13 by 21 cells of 64 px: {sheet.shape[1]}x{sheet.shape[0]} pixels")
    sheet = sheet.reshape(21, 64, 13, 64, 4).swapaxes(1, 2)  # (row, column, H, W, 4)
    cells = [sheet[row, list(columns)] for rows, columns in SPRITE_ACTIONS.values() for row in rows]
    return Image.fromarray(np.stack(cells).swapaxes(1, 2).reshape(9 * 64, 8 * 64, 4))


def compose_sprites(folder):
    """Yield the 1296 characters in order of their number, each as uint8 (72, 64, 64, 3): 9 sequences of 8 frames.

    The layers are nested loops, so what two characters share is drawn once, and only the 72 cells in use are drawn.
    """
    over = Image.alpha_composite
    bodies, bottoms, tops, hairs = (
        [sprite_cells(folder / f"{layer}/{i}.png") for i in range(6)] for layer in SPRITE_LAYERS
    )
    shoes = sprite_cells(folder / "shoes/1.png")
    for body in bodies:
        naked = over(Image.new("RGBA", body.size, "black"), body)
        for bottom in bottoms:
            half_dressed = over(naked, bottom)
            for top in tops:
                dressed = over(half_dressed, top)
                for hair in hairs:
                    character = np.asarray(over(over(dressed, hair), shoes).convert("RGB"))
                    yield character.reshape(9, 64, 8, 64, 3).swapaxes(1, 2).reshape(72, 64, 64, 3)


def load_sprites(root, size, split):
    """Sprites (Li and Mandt 2018): 1296 characters x 3 actions x 3 views, 11,664 videos of 8 frames.

    Composed on the first call and then memory-mapped. The official split: 1000 characters train, 296 test.
    """
    target = prepared_folder(root, "sprites", size)
    if not target.exists():
        folder = downloaded("sprites", root, SPRITE_FILES)
        character, sequence = np.divmod(np.arange(1296 * 9), 9)
        labels = {layer: character // 6 ** (3 - i) % 6 for i, layer in enumerate(SPRITE_LAYERS)}
        labels |= {"action": sequence // 3, "view": sequence % 3, "action-view": sequence}
        classes = {layer: [f"{layer} {i}" for i in range(6)] for layer in SPRITE_LAYERS}
        classes |= {"action": list(SPRITE_ACTIONS), "view": list(SPRITE_VIEWS)}
        classes["action-view"] = [f"{action} {view}" for action in SPRITE_ACTIONS for view in SPRITE_VIEWS]
        test = np.isin(character, np.random.RandomState(423).permutation(1296)[1000:])
        bar = tqdm(compose_sprites(folder), "composing sprites", total=1296, unit="character", disable=None)
        frames = (resize(cells, size) for cells in bar)
        write_prepared(target, frames, np.full(1296 * 9, 8), labels, classes, np.flatnonzero(test))
    return read_prepared(target, "sprites", split)


# --- Downloads -------------------------------------------------------------------------------------------------------

# archive, folder inside it, members we take, sha256 of what they decode to in RGBA (the packing may change, pixels not)
DOWNLOADS = {
    "weizmann": (
        "https://github.com/sergeytulyakov/mocogan/archive/937a99de73a3385fe0c0d1cde65dfa8a2c4177ec.zip",
        "data/actions",
        WEIZMANN_FILES,
        "b6c7402e20d04d8a79036429698b865d435c20f778a4542f9cc373d3f4accf5d",
    ),
    "sprites": (
        "https://github.com/YingzhenLi/Sprites/archive/3ce4048c5227802bd8f1888e293fd3afdba91c0c.zip",
        "",
        SPRITE_FILES,
        "1835566b03edb147b228e5f137f572e0220968daf273ea913af4d213322c7f45",
    ),
}


def download(name, root="data", url=None):
    """Fetch a public data set into ROOT/NAME, whole and checked, or nothing; `url`: another place of the archive."""
    source, inside, members, expected = DOWNLOADS[name]
    url, target = url or source, Path(root) / name
    if target.exists():
        raise UserError(f"{target} is already there; delete it to download anew")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as temporary:
        archive, half = Path(temporary) / "archive.zip", Path(temporary) / name
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, open(archive, "wb") as file:
                total = int(answer.headers.get("Content-Length") or 0)
                with tqdm.wrapattr(file, "write", total or None, desc=name, disable=None) as counted:
                    shutil.copyfileobj(answer, counted)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UserError(f"cannot download {url}: {error}") from None
        if total and archive.stat().st_size != total:
            raise UserError(f"the download of {url} broke off after {archive.stat().st_size} of {total} bytes")
        try:
            with zipfile.ZipFile(archive) as packed:
                top = packed.namelist()[0].split("/")[0]
                for member in members:  # exactly these names, so nothing can land outside the folder
                    (half / member).parent.mkdir(parents=True, exist_ok=True)
                    (half / member).write_bytes(packed.read(f"{top}/{inside}/{member}".replace("//", "/")))
        except Exception as error:  # a damaged archive fails in many ways: zip, zlib, end of file, a missing member
            raise UserError(f"cannot unpack the archive of {url}: {error or type(error).__name__}") from None
        pixels = b"".join(read_image(half / member, "RGBA").tobytes() for member in members)
        if hashlib.sha256(pixels).hexdigest() != expected:
            raise UserError(f"{url} holds other pictures than expected (by their sha256)")
        half.rename(target)
    print(printable(f"{name}: {len(members)} files in {target}"))
