"""Preparation of the licensed sets (paper A.4) and of anybody's videos, for `load`.

    python data.py prepare mug|oulu|folder --source DIR    crop and shrink a licensed set, or your own videos

Pictures are Pillow images until they are cropped; a video is then uint8 (T, H, W, C).
"""

import hashlib
import multiprocessing
import os
import re
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data import (
    DATASETS,
    LICENSED,
    UserError,
    describe,
    image_files,
    natural,
    prepared_folder,
    read_prepared,
    save_png,
    tile,
    write_prepared,
)

EXPRESSIONS = ("anger", "disgust", "happiness", "sadness", "surprise")  # the five that the paper keeps, A.4
VIDEO_SUFFIXES = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".gif"}


@dataclass(frozen=True)
class Layout:
    """What `prepare` knows of a kind of folder tree."""

    expected: str  # said when nothing is found
    pattern: str  # the end of the path of a video's folder, in any case; the named groups become the labels
    min_frames: int
    detector: str = "dlib"
    mode: str = "RGB"  # Pillow's name for the colours
    ask: str = ""  # who hands out the data


LAYOUTS = {
    "mug": Layout(
        expected="subjects3/NNN/EXPRESSION/takeNNN/img_NNNN.jpg",
        pattern=r"/(?P<subject>\d{3})/(\d{3}/|session\d+/)*(?P<expression>[a-z]+)/(?P<take>take[^/]*)$",
        min_frames=64,
        ask=LICENSED["mug"],
    ),
    "oulu": Layout(
        expected="OriginalImg/NI/{Dark,Strong,Weak}/PNNN/EXPRESSION/NNN.jpeg",
        pattern=r"/NI/(?P<lighting>dark|strong|weak)/(?P<subject>p\d{3})/(?P<expression>[a-z]+)$",
        min_frames=16,  # one clip: these videos have some 23 frames, and the 64 of A.4 would leave next to none
        mode="L",  # near-infrared; what colour its JPEGs have is noise
        ask=LICENSED["oulu"],
    ),
    "folder": Layout(
        expected="VIDEO/FRAME.jpg (a folder a video) or VIDEO.mp4",
        pattern=r"(?P<group>[^/]*)/[^/]*$",  # the folder above
        min_frames=16,
        detector="center",
    ),
}


def is_video(file):
    return file.suffix.lower() in VIDEO_SUFFIXES


def find_videos(kind, source):
    """The videos below the folder `source`, in natural order: a list of (path, files, labels).

    path    the video's folder, or its file, relative to `source`
    files   its picture files in the order of their numbers (none if the folder is empty), or the one video file
    labels  {label: name of its value}, lower case, as the path says
    UserError if there is none, with the layout that was expected.
    """
    if not source.is_dir():
        raise UserError(f"there is no folder {source}")
    layout, videos, strangers = LAYOUTS[kind], [], []
    for folder, subfolders, names in os.walk(source):
        subfolders.sort(key=natural)
        folder = Path(folder)
        clips = [folder / name for name in sorted(names, key=natural) if is_video(Path(name))]
        for path, files in [(folder, image_files(folder)), *((clip, [clip]) for clip in clips)]:
            # the absolute path, so that `source` may be any level of the tree
            match = re.search(layout.pattern, path.as_posix(), re.IGNORECASE)
            if match and (files or kind != "folder"):
                labels = {label: value.lower() for label, value in match.groupdict().items()}
                videos.append((path.relative_to(source).as_posix(), files, labels))
            elif files:
                strangers.append(path)
    if not videos:
        seen = f"found pictures in {strangers[0]}" if strangers else "found no picture"
        ask = f"; the data are licensed, ask for them at {layout.ask}" if layout.ask else ""
        raise UserError(f"no videos of {kind} below {source}: expected .../{layout.expected}, {seen}{ask}")
    return videos


@cache
def video_reader():
    """PyAV: FFmpeg in a wheel, so there is nothing else to install, and it hands out one frame at a time."""
    try:
        import av
    except ImportError:
        raise UserError("video files are read with PyAV: pip install av") from None
    return av


@cache
def face_detector():
    """dlib's pretrained HOG detector of frontal faces (paper A.4)."""
    try:
        import dlib
    except ImportError:
        raise UserError("faces are found with dlib: pip install dlib-bin, or use --detector center") from None
    return dlib.get_frontal_face_detector()


def open_frames(files):
    """Yield (file, function that opens the frame as a Pillow image) for each frame, in order; pictures stay unread."""
    for file in files:
        if not is_video(file):
            yield file, partial(Image.open, file)
            continue
        av = video_reader()
        try:
            with av.open(str(file)) as container:
                for frame in container.decode(video=0):
                    yield file, frame.to_image
        except (av.error.FFmpegError, IndexError):  # broken, or without a picture track
            yield file, partial(Image.open, file)  # fails like any unreadable picture


def read_frame(open_frame, mode, least):
    """An opened frame as a Pillow image in `mode`, or None if it is unreadable.

    A JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its size that leaves `least` px to each side: the
    decoder then skips most of its work.
    """
    try:
        with open_frame() as image:
            image.draft(mode, (least, least))
            return image.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow's readers raise
        return None


def find_face(image):
    """The most certain face of a Pillow image as (x, y, side), or None.

    x, y: its centre. The unit is the shorter side of the picture, so that the numbers hold at every scale.
    """
    image = image.convert("L")
    image.thumbnail((960, 960))  # dlib looks for faces of 80 px and more; larger pictures cost time and find no more
    for doublings in (0, 1):
        faces, scores, _ = face_detector().run(np.asarray(image), doublings)
        if faces:
            face = faces[int(np.argmax(scores))]
            x, y = (face.left() + face.right() + 1) / 2, (face.top() + face.bottom() + 1) / 2
            return np.array([x, y, face.width()]) / min(image.size)
    return None


def find_center(image):
    """The largest square in the middle of a Pillow image, as `find_face` gives a face."""
    return np.array([image.width / 2, image.height / 2, min(image.size)]) / min(image.size)


def crop_square(image, crop, size):
    """The square `crop` (x, y, side) of a Pillow image, antialiased to uint8 (size, size, 3).

    A square that sticks out is moved inside, so that no pixel is made up; one larger than the picture is cut to its
    shorter side.
    """
    x, y, side = np.minimum(crop, [np.inf, np.inf, 1]) * min(image.size)
    left = np.clip(x - side / 2, 0, image.width - side)
    top = np.clip(y - side / 2, 0, image.height - side)
    box = (left, top, min(left + side, image.width), min(top + side, image.height))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box).convert("RGB"))


def prepare_video(files, part, size, detector, mode):
    """Crop one video and write it as the .npz file `part`: frames, crop, unreadable files, why it is left out (or "").

    One square serves the whole video, so that a head that moves still moves in it: the median centre and median side
    (one false alarm of three does no harm) of the faces in the first, middle and last frame, 1.3 times as wide, since
    dlib's box ends at brows and chin. The detector `center` gives the largest square, which cannot widen.
    """
    find = {"dlib": find_face, "center": find_center}[detector]
    count = sum(1 for _ in open_frames(files))
    wanted = {0, count // 2, count - 1}
    looked = [read_frame(open_frame, mode, 320) for i, (_, open_frame) in enumerate(open_frames(files)) if i in wanted]
    looked = [image for image in looked if image]
    places = [place for place in map(find, looked) if place is not None]
    frames, crop, unreadable = [], [], []
    if places:
        crop = np.median(places, axis=0) * [1, 1, 1.3]
        least = int(np.ceil(2 * size / min(crop[2], 1)))  # the square keeps twice the pixels that we want of it
        for file, open_frame in open_frames(files):
            image = read_frame(open_frame, mode, least)
            if image:
                frames.append(crop_square(image, crop, size))
            else:
                unreadable.append(str(file))
    saved = {
        "frames": np.array(frames, dtype=np.uint8).reshape(-1, size, size, 3),
        "crop": crop,
        "unreadable": np.array(unreadable, dtype=str),
        "why": "" if places else "no face found" if looked else "unreadable",
    }
    half = part.with_suffix(".half")
    with open(half, "wb") as file:
        np.savez(file, **saved)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, part)


def start_worker():
    """Leave Ctrl-C to the parent, and end when it ends: the workers of a killed parent would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def prepare_parts(jobs, workers):
    """Run `prepare_video` on every tuple of arguments in `jobs` whose part is not there yet, in processes."""
    missing = [job for job in jobs if not job[1].exists()]
    done = len(jobs) - len(missing)
    with ProcessPoolExecutor(workers, initializer=start_worker) as pool:
        try:
            futures = [pool.submit(prepare_video, *job) for job in missing]
            for future in tqdm(as_completed(futures), "preparing", len(jobs), initial=done, unit="video", disable=None):
                future.result()
        except BrokenProcessPool:
            raise UserError(
                "a worker died (was memory short?); the same command goes on, --workers 1 saves memory"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def sort_out(videos, lighting, min_frames):
    """Split what `find_videos` found by what is known before any picture is read: (videos to prepare, {why: paths})."""
    chosen, left_out = [], {}
    for path, files, labels in videos:
        if "expression" in labels and labels["expression"] not in EXPRESSIONS:
            left_out.setdefault("another expression", []).append(path)
        elif lighting and labels["lighting"] not in lighting:
            left_out.setdefault("another lighting", []).append(path)
        elif not files:
            left_out.setdefault("no pictures", []).append(path)
        elif len(files) < min_frames and not is_video(files[0]):
            left_out.setdefault(f"fewer than {min_frames} frames", []).append(path)
        else:
            chosen.append((path, files, labels))
    return chosen, left_out


def label_videos(videos):
    """(labels, classes, test) of `write_prepared` for videos of {label: name}; every fifth subject is for test."""
    classes = {key: sorted({labels[key] for labels in videos}, key=natural) for key in videos[0]}
    labels = {key: np.array([names.index(labels[key]) for labels in videos]) for key, names in classes.items()}
    group = labels.get("subject", np.arange(len(videos)))  # where nothing says who is seen: every fifth video
    period = min(5, max(2, int(group.max()) + 1))
    return labels, classes, np.flatnonzero(group % period == period - 1)


def assemble(target, chosen, parts, min_frames, left_out):
    """Write the parts as one set, and its contact sheet; the report: {what: number, paths, or {why or path: ...}}."""
    kept, crops, lengths, middles, unreadable = [], {}, [], [], []
    for (path, _, labels), part in zip(chosen, parts, strict=True):
        with np.load(part) as saved:
            frames, why, crop = saved["frames"], str(saved["why"]), saved["crop"].tolist()
            unreadable += saved["unreadable"].tolist()
        if not why and len(frames) < min_frames:
            why = f"fewer than {min_frames} frames"
        if why:
            left_out.setdefault(why, []).append(path)
            continue
        kept.append((part, labels))
        crops[path] = crop
        lengths.append(len(frames))
        middles.append(frames[len(frames) // 2].copy())  # a view would keep the whole video in memory
    if not kept:
        counts = ", ".join(f"{why} {len(paths)}" for why, paths in left_out.items())
        raise UserError(f"no video can be kept: {counts}")
    labels, classes, test = label_videos([labels for _, labels in kept])
    report = {"kept": len(kept), "left_out": left_out, "unreadable": unreadable, "crops": crops}
    save_png(f"{target}.png", tile(np.stack(middles), columns=int(np.ceil(len(middles) ** 0.5))))
    frames = (np.load(part)["frames"] for part, _ in kept)  # one video in memory at a time
    write_prepared(target, frames, lengths, labels, classes, test, report=report)
    return report


def prepare(kind, source, root="data", size=64, detector=None, lighting=None, min_frames=None, workers=None):
    """Prepare the tree `source` of `kind` mug, oulu or folder (anybody's videos): what `load(NAME, root, size)` reads.

    NAME is the kind, for a folder the folder's own name. Kept are the paper's five expressions (A.4) and videos of at
    least `min_frames` frames. Each cropped video waits in a file of its own until all are there: a run that was stopped
    or killed goes on where it was, and ends with the same bytes as one that was not. A contact sheet, the middle frame
    of each video, is ROOT/NAME-SIZE.png. Returns the prepared folder and the report, which its index.json holds too.
    UserError for what a user can get wrong; a disk too small is found before the work begins.
    """
    source, layout = Path(source).resolve(), LAYOUTS[kind]
    name = source.name if kind == "folder" else kind
    detector, min_frames = detector or layout.detector, min_frames or layout.min_frames
    if min(size, min_frames, workers or 1) < 1:
        raise UserError("--size, --min-frames and --workers are at least 1")
    if lighting and kind != "oulu":
        raise UserError(f"--lighting is for oulu alone: nothing says how {kind} is lit")
    if kind == "folder" and name in DATASETS:
        raise UserError(f"{name} is the name of another data set: rename the folder {source}")
    target = prepared_folder(root, name, size)
    if target.exists():
        raise UserError(f"{target} is already there; delete it to prepare anew")
    chosen, left_out = sort_out(find_videos(kind, source), lighting, min_frames)
    if detector == "dlib":
        face_detector()
    if any(is_video(files[0]) for _, files, _ in chosen):
        video_reader()

    folder = target.with_name(f".{target.name}-parts")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for _, files, _ in chosen:
        # all that the result depends on names the part, so other settings never meet the parts of an earlier run
        key = repr((list(map(str, files)), size, detector, layout.mode)).encode()
        jobs.append((files, folder / f"{hashlib.sha256(key).hexdigest()}.npz", size, detector, layout.mode))
    # on the disk each part once, and all of them once more in the whole
    need = sum(len(files) * (1 if part.exists() else 2) for files, part, *_ in jobs) * size * size * 3
    if (free := shutil.disk_usage(folder).free) < need:
        raise UserError(f"preparing takes {need / 1e9:.2f} GB in {folder.parent}, where {free / 1e9:.2f} GB are free")
    prepare_parts(jobs, workers)
    report = assemble(target, chosen, [job[1] for job in jobs], min_frames, left_out)
    shutil.rmtree(folder)
    return target, report


def print_report(kind, target, report):
    """What was kept and what not, and why; the pictures and videos that ask for a look by their paths."""
    describe(read_prepared(target, target.name, "all"))
    left_out, look_at = report["left_out"], ("no face found", "unreadable")
    found = report["kept"] + sum(map(len, left_out.values()))
    print(f"kept {report['kept']} of {found} videos" + (" (the paper ends with 633)" if kind == "mug" else ""))
    for why, paths in left_out.items():
        print(f"  {why}: {len(paths)}" + "".join(f"\n    {path}" for path in paths if why in look_at))
    if report["unreadable"]:
        print(f"unreadable pictures, left out: {len(report['unreadable'])}")
        print("\n".join(f"    {path}" for path in report["unreadable"]))
    print(f"written to {target}; look over {target}.png")
