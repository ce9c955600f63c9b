"""The commands of data.py: list, show, download, prepare."""

import argparse
import functools
from pathlib import Path

import numpy as np

from data import DATASETS, LICENSED, UserError, fail, load, positive, printable, rate, run_name, save_grid, to_float
from tools import prepare, public


def show(name, root, size, split, out):
    """A contact sheet: up to 24 videos, each a row of 12 frames spread over its length."""
    videos = load(name, root, size, split)
    picked = np.linspace(0, len(videos) - 1, min(24, len(videos))).round().astype(int)
    rows = [video[np.linspace(0, len(video) - 1, 12).round().astype(int)] for video in (videos[i] for i in picked)]
    out = Path(out or f"{run_name(name)}.png")
    save_grid(out, to_float(np.stack(rows)))
    prepare.describe(videos)
    print(printable(f"contact sheet: {out}"))


def parse_args(argv=None):
    description = "Data sets of videos: list, show, download, prepare."
    parser = argparse.ArgumentParser("data.py", description=description, allow_abbrev=False)
    parser.error = functools.partial(fail, "data")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, help):
        """A command; returns what adds its arguments."""
        added = commands.add_parser(name, help=help, allow_abbrev=False)
        added.error = parser.error
        added.add_argument("--data-root", default="data", help="the folder that holds the data sets (default data)")
        return added.add_argument

    command("list", "the data sets, and whether they are here")
    add = command("show", "a contact sheet as PNG")
    add("name", help="a data set's name or a path")
    add("--size", type=int, default=64, choices=(32, 64, 128), help="pixels (default 64)")
    add("--split", choices=["train", "test", "all"], default="all", help="which videos (default all)")
    add("--out", help="where to write the PNG (default NAME.png)")
    add = command("download", "fetch a public data set")
    add("name", choices=("weizmann", "sprites"), help="which one")
    add("--url", help="another place that serves the same archive")
    add = command("prepare", "crop and shrink a licensed set, or your own videos")
    add("kind", choices=[*LICENSED, "folder"], help="which one; folder: a folder a video, or video files")
    add("--source", required=True, help="the folder you were given, at any level")
    add("--size", type=int, default=64, choices=(32, 64, 128), help="pixels (default 64)")
    add("--detector", choices=["dlib", "center"], help="crop to the face or the middle (default dlib; folder: center)")
    add("--lighting", nargs="+", choices=["dark", "strong", "weak"], help="of oulu, those to keep (default all)")
    add("--min-frames", type=positive, help="leave out shorter videos (default mug 64, others 16)")
    add("--fps", type=rate, help="of films, frames a second by the clock (default each frame they have)")
    add("--workers", type=positive, help="processes (default one a core)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        if args.command == "list":
            for name, (_, about) in DATASETS.items():
                here = (Path(args.data_root) / name).exists() or list(Path(args.data_root).glob(f"{name}-*/index.json"))
                print(f"{name:10} {'here' if here or name == 'faces' else 'not here':9} {about}")
        elif args.command == "show":
            show(args.name, args.data_root, args.size, args.split, args.out)
        elif args.command == "download":
            public.download(args.name, args.data_root, args.url)
        elif args.command == "prepare":
            options = (args.size, args.detector, args.lighting, args.min_frames, args.workers, args.fps)
            prepare.print_report(args.kind, *prepare.prepare(args.kind, args.source, args.data_root, *options))
    except (UserError, OSError, ModuleNotFoundError) as error:
        fail("data", error)
    except KeyboardInterrupt:
        fail("data", "interrupted" + "; started again, prepare goes on from here" * (args.command == "prepare"))
    return 0
