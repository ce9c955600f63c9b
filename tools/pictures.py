"""People's pictures: one search for files, one way to open them, folders of videos and of images."""

import contextlib
import io
import os
import re
from pathlib import Path
from shlex import quote

import numpy as np
from PIL import Image, ImageCms, ImageOps
from tqdm import tqdm

from data import UserError, printable, resize, square

IMAGES = ".png .apng .jpg .jpeg .jpe .jfif .mpo .bmp .webp .tif .tiff .ppm .pgm .pnm .avif .jp2 .tga"
FILMS = ".mp4 .m4v .mov .qt .avi .mkv .webm .mpg .mpeg .m2v .vob .ts .mts .m2ts .wmv .asf .flv .3gp .3g2 .ogv .dv .gif"
IMAGE_SUFFIXES, FILM_SUFFIXES = set(IMAGES.split()), set(FILMS.split())
# what systems put beside one's own folders, apart from hidden ones
ASIDE = {"__macosx", "@eadir", "@recycle", "#recycle", "$recycle.bin", "lost+found", "system volume information"}


def natural(path):
    """Sort key that puts frame10 after frame9, and is the same on every machine."""
    path = str(path)
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", path)], path


def cannot_open(error):
    raise UserError(f"cannot open {error.filename}: {error.strerror}")


def walk(top, onerror=cannot_open):
    """(folder, its files) of `top` and of every folder below it, in natural order: the one search for people's files.

    Passed over are hidden files and folders and those ASIDE. Links are followed; a folder that can be reached in
    several ways is given once, so loops end. onerror: called with the OSError of a folder that cannot be opened.
    """
    seen = set()
    for folder, subfolders, files in os.walk(top, onerror=onerror, followlinks=True):
        subfolders[:], files = (
            sorted((name for name in names if name[0] != "." and name.lower() not in ASIDE), key=natural)
            for names in (subfolders, files)
        )
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        yield Path(folder), [Path(folder, name) for name in files]


def having(suffixes, files):
    """Those of `files` that end in one of `suffixes`, in any case."""
    return [file for file in files if file.suffix.lower() in suffixes]


def flatten(image, mode):
    """A Pillow image in `mode` (RGB, L or RGBA); what is transparent lies on white."""
    if mode != "RGBA" and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def open_image(path, mode="RGB", least=None):
    """A picture file as a Pillow image of `mode` (RGB, L or RGBA), as a viewer shows it.

    Upright, by its EXIF orientation; scaled to eight bits, not clipped; colours of a profile as sRGB; on white where it
    is transparent (in RGBA: as it is); of an animation the first frame. A JPEG is decoded at the smallest of 1/8, 1/4,
    1/2 and 1 of its size that leaves `least` px to each side: the decoder then skips most of its work.
    An unreadable file raises whatever its decoder raises.
    """
    with Image.open(path) as image:
        if least:
            image.draft(mode, (least, least))
        image.load()
        with contextlib.suppress(Exception):  # damaged EXIF in a sound picture
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode[0] in "IF":  # grey of more than eight bits
            tags = getattr(image, "tag_v2", {})  # a TIFF says how many bits, and whether 0 is white
            bits, inverted = tags.get(258, (16,))[0], tags.get(262) == 0  # elsewhere Pillow gives 16
            if image.mode == "F" or bits > 16:
                raise ValueError(f"grey of {image.mode} {bits} bits has no known white: save it in 8 or 16 bits")
            grey = (np.asarray(image) * (255 / (2**bits - 1))).round().clip(0, 255).astype(np.uint8)
            image = Image.fromarray(255 - grey if inverted else grey)
        elif mode == "RGB" and (profile := image.info.get("icc_profile")):
            if image.mode == "P" or image.has_transparency_data:
                image = flatten(image, "RGB")
            with contextlib.suppress(ImageCms.PyCMSError, OSError):  # broken, or of other colours: viewers ignore it
                profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
                if "sRGB" not in ImageCms.getProfileDescription(profile):
                    image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        return flatten(image, mode)


def read_image(path, mode="RGB"):
    """`open_image` as uint8 (H, W, 3), with mode RGBA (H, W, 4); UserError naming the file if it is unreadable."""
    try:
        return np.asarray(open_image(path, mode))
    except Exception as error:  # decoders raise what they like
        raise UserError(f"cannot read the image {path}: {error or type(error).__name__}") from None


def read_all(path, files, size):
    """{file: its largest centred square, uint8 (1, size, size, 3)}; what cannot be read is named and left out."""
    read, bad = {}, []
    for file in tqdm(files, "reading", unit="image", leave=False, disable=None):
        try:
            read[file] = resize(square(read_image(file))[None], size)
        except UserError as error:
            bad.append(error)
    if not read:
        raise bad[0]
    if bad:
        print("\n".join([printable(f"{path}: left out {len(bad)} of {len(files)} pictures"), *map(str, bad[:20])]))
    return read


def read_folder(path, size):
    """A folder of video folders of images, at any depth: a list of uint8 (T, size, size, 3), and their names.

    UserError, with the next command, for what else people give.
    """
    if not path.is_dir():
        if path.suffix.lower() in FILM_SUFFIXES:
            raise UserError(f"{path} is a film: put it into a folder, then python data.py prepare folder --source DIR")
        raise UserError(f"{path} is neither a folder of videos nor an .npy file")
    tree = list(walk(path))
    folders = {folder: having(IMAGE_SUFFIXES, files) for folder, files in tree}
    loose = folders.pop(path)
    folders = {folder: files for folder, files in folders.items() if files}
    films = sum(len(having(FILM_SUFFIXES, files)) for _, files in tree)
    others = f"{len(loose)} pictures in no folder of their own and {films} films"
    if films:
        others += f", which python data.py prepare folder --source {quote(str(path))} reads"
    if not folders:
        layout = f"expected {path}/VIDEO/FRAME.png (or .jpg), one folder a video"
        raise UserError(f"no videos in {path}: {layout}; found {others}")
    if loose or films:
        print(printable(f"{path}: passed over {others}"))
    read = read_all(path, [file for files in folders.values() for file in files], size)
    videos, names = [], []
    for folder, files in folders.items():
        if frames := [read.pop(file) for file in files if file in read]:  # pop: the pictures are in memory once
            videos.append(np.concatenate(frames))
            names.append(folder.relative_to(path).as_posix())
    return videos, names


def read_images(path, size):
    """Every picture of a folder, searched to any depth: a list of uint8 (1, size, size, 3)."""
    if not Path(path).is_dir():
        raise UserError(f"no folder of images at {path}")
    suffixes = IMAGE_SUFFIXES | {".gif"}  # its first frame
    files = sorted((file for _, files in walk(path) for file in having(suffixes, files)), key=natural)
    if not files:
        raise UserError(f"no images in {path} (looked for {' '.join(sorted(suffixes))})")
    return list(read_all(path, files, size).values())
