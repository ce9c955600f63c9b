"""Preparation of the licensed sets (paper A.4) and of anybody's videos, for `load`.

    python data.py prepare mug|oulu|folder --source DIR    crop and shrink a licensed set, or your own videos

Pictures and frames of films are Pillow images until they are cropped; a video is then uint8 (T, H, W, C).
"""

import gc
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import tempfile
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data import (
    DATASETS,
    LICENSED,
    UserError,
    prepared_folder,
    printable,
    read_prepared,
    save_png,
    tile,
    whole_file,
)
from tools.pictures import FILM_SUFFIXES, IMAGE_SUFFIXES, flatten, having, natural, open_image, walk

EXPRESSIONS = ("anger", "disgust", "happiness", "sadness", "surprise")  # the five that the paper keeps, A.4


@dataclass(frozen=True)
class Layout:
    """What `prepare` knows of a kind of folder tree."""

    expected: str  # said when nothing is found
    pattern: str  # the end of the path of a video's folder, in any case; the named groups become the labels
    min_frames: int
    detector: str = "dlib"
    mode: str = "RGB"  # Pillow's name for the colours


LAYOUTS = {
    "mug": Layout(
        expected="subjects3/NNN/EXPRESSION/takeNNN/img_NNNN.jpg",
        # also below another NNN/ or session0/, with takes that are plain numbers, or none
        pattern=r"/(?P<subject>\d{1,3})/(session[ _-]?\d+/)*(?P<expression>[a-z]+)"
        r"(/(?P<take>(take|\d)[^/]*))?$",
        min_frames=64,
    ),
    "oulu": Layout(
        expected="OriginalImg/NI/{Dark,Strong,Weak}/PNNN/EXPRESSION/NNN.jpeg",
        pattern=r"/NI/(?P<lighting>dark|strong|weak)/(?P<subject>p\d{3})/(?P<expression>[a-z]+)$",
        min_frames=16,  # one clip: these videos have some 23 frames, and the 64 of A.4 would leave next to none
        mode="L",  # near-infrared; what colour its JPEGs have is noise
    ),
    "folder": Layout(
        expected="VIDEO/FRAME.jpg (a folder a video) or VIDEO.mp4",
        pattern=r"(?P<group>[^/]*)/[^/]*$",  # the folder above
        min_frames=16,
        detector="center",
    ),
}


def is_film(file):
    return file.suffix.lower() in FILM_SUFFIXES


def find_videos(kind, source):
    """What is below the folder `source`, in natural order: videos, a list of (path, files, labels), and what is none.

    path         the video's folder, or its film, relative to `source`
    files        its picture files in the order of their numbers (none if the folder is empty), or the one film
    labels       {label: name of its value}, lower case, as the path says
    not_taken    {path: number of its pictures, or 1}: folders of pictures, and films, that are no video of this kind
    unopened     {folder: why}
    other_files  {ending: number} of the files that are neither pictures nor films
    UserError if there is no video, with the layout that was expected.
    """
    if not source.is_dir():
        raise UserError(f"{source} is a file: give its folder" if source.exists() else f"there is no folder {source}")
    layout, videos, strangers, unopened, others = LAYOUTS[kind], [], {}, {}, Counter()
    tree = list(walk(source, onerror=lambda error: unopened.update({str(error.filename): error.strerror})))
    inner = {folder.parent for folder, _ in tree}  # folders that hold others: without pictures they are no video
    for folder, names in tree:
        pictures, films = having(IMAGE_SUFFIXES, names), having(FILM_SUFFIXES, names)
        others.update(file.suffix.lower() or file.name for file in set(names).difference(pictures, films))
        for path, files in [(folder, pictures), *((film, [film]) for film in films)]:
            # the absolute path, so that `source` may be any level of the tree
            match = re.search(layout.pattern, path.as_posix(), re.IGNORECASE)
            name = path.relative_to(source).as_posix()
            if match and (files or kind != "folder" and folder not in inner):
                labels = {label: (value or f"no {label}").lower() for label, value in match.groupdict().items()}
                if labels.get("subject", "").isdigit():
                    labels["subject"] = labels["subject"].zfill(3)  # 1 is 001
                videos.append((name, files, labels))
            elif files:
                strangers[name] = len(files)
    if not videos:
        seen = f"found pictures in {source / next(iter(strangers))}" if strangers else "found no picture"
        seen += f", but {', '.join(sorted(others))}" if others else ""
        ask = f"; the data are licensed, ask for them at {LICENSED[kind]}" if kind in LICENSED else ""
        raise UserError(f"no videos of {kind} below {source}: expected .../{layout.expected}, {seen}{ask}")
    return videos, {"not_taken": strangers, "unopened": unopened, "other_files": dict(sorted(others.items()))}


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


MATRICES = {  # a, b, c, d of a display matrix, which shows the pixel (x, y) at (a x + c y, b x + d y)
    (-1, 0, 0, 1): "FLIP_LEFT_RIGHT", (-1, 0, 0, -1): "ROTATE_180", (1, 0, 0, -1): "FLIP_TOP_BOTTOM",
    (0, 1, 1, 0): "TRANSPOSE", (0, 1, -1, 0): "ROTATE_270", (0, -1, -1, 0): "TRANSVERSE", (0, -1, 1, 0): "ROTATE_90",
}  # fmt: skip


class Film:
    """The frames of a film as Pillow images, as a player shows them, one at a time.

    Upright, by the film's display matrix; square pixels; eight bits; on white where it is transparent. A damaged packet
    costs its own frames; decoding goes on behind it. `fps`: the frames that are seen so many times a second, by their
    own times (a frame is held until the next); without it every frame once, whatever its duration.
    After iterating: `bad`, the number of packets that could not be decoded, and `missing`, the seconds by which the
    film is shorter than its container says.
    """

    def __init__(self, file, mode, fps=None):
        self.file, self.mode, self.fps = file, mode, fps

    def decode(self, container, track):
        """Every frame that can be decoded."""

        def packets():
            try:
                yield from container.demux(track)  # the last one is empty: it asks for the frames held back
            except Exception:  # what lies behind is out of reach
                self.bad += 1
                yield None

        for packet in packets():
            try:
                yield from track.decode(packet)
            except Exception:  # decoders raise what they like
                self.bad += 1

    def frames(self):
        """(frame, seconds for which it is seen) of every frame that can be decoded."""
        av = video_reader()
        with av.open(str(self.file), metadata_errors="replace") as container:
            cover = av.stream.Disposition.attached_pic
            tracks = [track for track in container.streams.video if not track.disposition & cover]
            if not tracks:
                raise ValueError("no picture track")
            track, first, end = tracks[0], None, 0.0
            ratio = float(track.sample_aspect_ratio or track.codec_context.sample_aspect_ratio or 1)
            self.ratio = ratio if 1 / 4 <= ratio <= 4 else 1  # beyond, it is no film's but a mistake
            usual = float(1 / (track.average_rate or 25))
            said = float(track.duration * track.time_base) if track.duration else (container.duration or 0) / 1e6
            if container.format.name == "avi":  # a cut one gets its duration from what is left; elsewhere the number
                said = max(said, track.frames * usual)  # counts frames that an edit list hides
            for frame, following in pairwise(chain(self.decode(container, track), [None])):
                held = float(frame.duration * frame.time_base) if frame.duration else usual
                if frame.time is not None:
                    first, end = frame.time if first is None else first, frame.time + held
                    if following is not None and following.time is not None:
                        held = following.time - frame.time
                yield frame, held if 0 <= held <= 60 else usual  # beyond, the film's clock has jumped
            missing = said - end + first if first is not None else 0
            self.missing = missing if missing > max(3 * usual, 0.05 * said) else 0.0

    def upright(self, frame):
        """A decoded frame as a Pillow image, as a player shows it."""
        alpha = frame.format.has_palette or any(component.is_alpha for component in frame.format.components)
        image = Image.fromarray(frame.to_ndarray(format="rgba")) if alpha else frame.to_image()
        if self.ratio != 1:
            size = round(image.width * max(self.ratio, 1)), round(image.height / min(self.ratio, 1))
            image = image.resize(size, Image.Resampling.BILINEAR)
        if matrix := frame.side_data.get("DISPLAYMATRIX"):
            turns = np.frombuffer(bytes(matrix), np.int32)[[0, 1, 3, 4]]
            turns = tuple((turns / max(abs(turns).max(), 1)).round().astype(int).tolist())
            image = image.transpose(Image.Transpose[MATRICES[turns]]) if turns in MATRICES else image
        return flatten(image, self.mode)

    def __iter__(self):
        self.bad, self.missing, clock, count = 0, 0.0, 0.0, 0
        for frame, held in self.frames():
            clock += held
            # seen at 0.25/fps, 1.25/fps, ...: in the middle of a frame at many rates, where rounded times do no harm
            times = max(0, int(np.ceil(clock * self.fps - 0.25 - 1e-6)) - count) if self.fps else 1
            count += times
            try:
                image = self.upright(frame) if times else None
            except Exception:
                self.bad += 1
                continue
            for _ in range(times):
                yield image


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


def prepare_video(files, part, size, detector, mode, fps=None):
    """Crop one video and write it as the .npz file `part`: frames, crop, and what was wrong with it.

    unreadable: pictures that could not be read; note: of a film that is damaged or cut short; why: if it is left out.
    One square serves the whole video, so that a head that moves still moves in it: the median centre and median side
    (one false alarm of three does no harm) of the faces in the first, middle and last frame, 1.3 times as wide, since
    dlib's box ends at brows and chin. The detector `center` gives the largest square, which cannot widen.
    """
    find = {"dlib": find_face, "center": find_center}[detector]
    film = Film(files[0], mode, fps) if is_film(files[0]) else None
    frames, crop, unreadable, looked, places, note = [], [], [], [], [], ""

    def images(files, least):
        """The frames that can be read. A picture that cannot is noted, and the rest goes on."""
        if film:
            yield from film
            return
        for file in files:
            try:
                yield open_image(file, mode, least)
            except Exception:  # decoders raise what they like
                unreadable.append(str(file))

    try:
        if not film:
            looked = list(images([files[i] for i in sorted({0, len(files) // 2, len(files) - 1})], 320))
        else:  # its middle is known once it has been decoded
            count = 1 if detector == "center" else sum(1 for _ in film)
            wanted = {0, count // 2, count - 1}
            looked = [image for i, image in zip(range(max(wanted) + 1), film, strict=False) if i in wanted]
        places = [place for place in map(find, looked) if place is not None]
        unreadable.clear()
        if places:
            crop = np.median(places, axis=0) * [1, 1, 1.3]
            least = int(np.ceil(2 * size / min(crop[2], 1)))  # the square keeps twice the pixels that we want of it
            frames = [crop_square(image, crop, size) for image in images(files, least)]
        if film:
            damage = [f"{film.bad} damaged packets"] * bool(film.bad)
            note = ", ".join(damage + [f"ends {film.missing:.1f} s before it should"] * bool(film.missing))
    except Exception as error:  # of this video alone
        note, looked, places = f"{type(error).__name__}: {error}", [], []
    frames = np.array(frames, dtype=np.uint8).reshape(-1, size, size, 3)
    why = "" if places else "no face found" if looked else "unreadable"
    with whole_file(part) as file:
        np.savez(file, frames=frames, crop=crop, unreadable=np.array(unreadable, dtype=str), note=note, why=why)


def start_worker(folder):
    """Leave Ctrl-C to the parent, and end when it ends: the workers of a killed parent would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    (folder / "started").touch()


def is_kept(part):
    """Whether a part of an earlier run can be taken: failures never are, since a second try may read the file."""
    try:
        with np.load(part) as saved:
            return not (saved["unreadable"].size or str(saved["note"]) or str(saved["why"]) == "unreadable")
    except Exception:  # not there, cut, or of an older version
        return False


def prepare_parts(jobs, folder, workers):
    """Run `prepare_video` on every tuple of arguments in `jobs` whose part is not there yet, in processes."""
    missing = [job for job in jobs if not is_kept(job[1])]
    done = len(jobs) - len(missing)
    (folder / "started").unlink(missing_ok=True)
    gc.collect()  # films that were read here: freed in a forked worker, where their threads are not, they kill it
    with ProcessPoolExecutor(workers, initializer=start_worker, initargs=(folder,)) as pool:
        try:
            futures = [pool.submit(prepare_video, *job) for job in missing]
            for future in tqdm(as_completed(futures), "preparing", len(jobs), initial=done, unit="video", disable=None):
                future.result()
        except BrokenProcessPool:
            if not (folder / "started").exists():  # processes import the script that started them
                raise UserError(
                    "no worker could start; in a script call prepare under if __name__ == '__main__':"
                ) from None
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
        elif len(files) < min_frames and not is_film(files[0]):
            left_out.setdefault(f"fewer than {min_frames} frames", []).append(path)
        else:
            chosen.append((path, files, labels))
    return chosen, left_out


def file_state(file):
    """Size and time of change of a file, or nothing of one that cannot be opened."""
    try:
        state = file.stat()
        return state.st_size, state.st_mtime_ns
    except OSError:
        return ()


def write_prepared(folder, frames, lengths, labels, classes, test, **about):
    """Write a prepared data set, whole or not at all.

    frames: all frames in order, an array (F, H, W, C) uint8 or an iterable of arrays (T, H, W, C) that need not fit in
    memory together; lengths (N,); labels {label: (N,)}; classes {label: names}; test: the indices of the test split;
    about: what else index.json should say.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    index = {"lengths": lengths, "labels": labels, "classes": classes, "test": test, **about}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        half = Path(temporary) / folder.name
        half.mkdir()
        # plain writes and no memory map: a full disk must be an error, and under a map it is a crash
        with open(half / "frames.npy", "wb") as file:
            for i, part in enumerate(frames):
                if i == 0:
                    shape = (int(np.sum(lengths)), *part.shape[-3:])
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(np.ascontiguousarray(part))
        (half / "index.json").write_text(json.dumps(index, default=lambda value: np.asarray(value).tolist()))
        if not folder.exists():  # another process may have been faster
            half.rename(folder)


def label_videos(videos):
    """(labels, classes, test) of `write_prepared` for videos of {label: name}; every fifth subject is for test."""
    classes = {key: sorted({labels[key] for labels in videos}, key=natural) for key in videos[0]}
    labels = {key: np.array([names.index(labels[key]) for labels in videos]) for key, names in classes.items()}
    group = labels.get("subject", np.arange(len(videos)))  # where nothing says who is seen: every fifth video
    period = min(5, max(2, int(group.max()) + 1))
    return labels, classes, np.flatnonzero(group % period == period - 1)


def assemble(target, chosen, parts, min_frames, left_out, **found):
    """Write the parts as one set, and its contact sheet; the report: {what: number, paths, or {why or path: ...}}."""
    kept, crops, lengths, middles, unreadable, films = [], {}, [], [], [], {}
    for (path, files, labels), part in zip(chosen, parts, strict=True):
        with np.load(part) as saved:
            frames, why, note, crop = saved["frames"], str(saved["why"]), str(saved["note"]), saved["crop"].tolist()
            unreadable += saved["unreadable"].tolist()
        if note:
            films[path] = note
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
    report = {"kept": len(kept), "left_out": left_out, "unreadable": unreadable, "damaged": films, "crops": crops}
    report |= found
    save_png(f"{target}.png", tile(np.stack(middles), columns=int(np.ceil(len(middles) ** 0.5))))
    frames = (np.load(part)["frames"] for part, _ in kept)  # one video in memory at a time
    write_prepared(target, frames, lengths, labels, classes, test, report=report)
    return report


def prepare(kind, source, root="data", size=64, detector=None, lighting=None, min_frames=None, workers=None, fps=None):
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
    if lighting and kind != "oulu":
        raise UserError(f"--lighting is for oulu alone: nothing says how {kind} is lit")
    if kind == "folder" and name in DATASETS:
        raise UserError(f"{name} is the name of another data set: rename the folder {source}")
    target = prepared_folder(root, name, size)
    if target.exists():
        raise UserError(f"{target} is already there; delete it to prepare anew")
    videos, found = find_videos(kind, source)
    chosen, left_out = sort_out(videos, lighting, min_frames)
    if detector == "dlib":
        face_detector()
    if any(is_film(files[0]) for _, files, _ in chosen):
        video_reader()
    elif fps:
        raise UserError(f"--fps is for films, and there is none to prepare in {source}")

    folder = target.with_name(f".{target.name}-parts")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for _, files, _ in chosen:
        # all that the result depends on names the part: it is not taken for other settings, nor for a file that changed
        states = [(str(file), *file_state(file)) for file in files]
        key = repr((states, size, detector, layout.mode, fps)).encode()
        jobs.append((files, folder / f"{hashlib.sha256(key).hexdigest()}.npz", size, detector, layout.mode, fps))
    # on the disk each part once, and all of them once more in the whole
    need = sum(len(files) * (1 if part.exists() else 2) for files, part, *_ in jobs) * size * size * 3
    if (free := shutil.disk_usage(folder).free) < need:
        raise UserError(f"preparing takes {need / 1e9:.2f} GB in {folder.parent}, where {free / 1e9:.2f} GB are free")
    prepare_parts(jobs, folder, workers)
    report = assemble(target, chosen, [job[1] for job in jobs], min_frames, left_out, **found)
    shutil.rmtree(folder)
    return target, report


def describe(videos):
    """Print how many videos there are, their lengths, and how often each label has each value."""
    longest, total = int(videos.lengths.max()), int(videos.lengths.sum())
    name = printable(videos.name)
    print(f"{name}: {len(videos)} videos of {videos.shortest} to {longest} frames, {total} in all")
    for label, names in videos.classes.items():
        counts = np.bincount(videos.labels[label], minlength=len(names))
        each = printable(", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True)))
        print(f"  {label}: {each if len(names) <= 12 else f'{len(names)} values'}")


def print_report(kind, target, report):
    """What was kept and what not, and why; the files, folders and films that ask for a look by their paths."""
    describe(read_prepared(target, target.name, "all"))
    left_out, look_at = report["left_out"], ("no face found", "unreadable")
    found = report["kept"] + sum(map(len, left_out.values()))

    def some(paths):
        return [f"    {path}" for path in paths[:20]] + [f"    ... all in {target / 'index.json'}"] * (len(paths) > 20)

    lines = [f"kept {report['kept']} of {found} videos" + (" (the paper ends with 633)" if kind == "mug" else "")]
    for why, paths in left_out.items():
        lines += [f"  {why}: {len(paths)}", *some(paths if why in look_at else [])]
    for what, title in (
        ("unreadable", "unreadable pictures, left out"),
        ("damaged", "damaged films, taken as far as they can be read"),
        ("not_taken", f"folders of pictures, and films, that are no videos of {kind}"),
        ("unopened", "folders that cannot be opened"),
        ("other_files", "endings of files that are neither pictures nor films that are read here"),
    ):
        if entries := report[what]:
            about = entries if isinstance(entries, list) else [f"{path}: {entries[path]}" for path in entries]
            lines += [f"{title}: {len(entries)}", *some(about)]
    print("\n".join(map(printable, lines)))
    print(printable(f"written to {target}; look over {target}.png"))
