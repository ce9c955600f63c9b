"""A small copy of a trained run, to hand on: python rjgan.py --out RUN --publish DIR"""

import contextlib
import json
import subprocess
from pathlib import Path
from shlex import quote

from data import ONCE, UserError, save_state, seeded, to_uint8


def train_command(config, defaults):
    """The command that trains a run: its flags that differ from its preset's, whose configuration is `defaults`."""
    words = ["python", f"{config['model']}.py"]
    for key, default in defaults.items():
        told = key not in (*ONCE, "data_root", "data_sum", "changed", "log_every", "sample_every", "save_every")
        if told and config[key] != default or key == "preset" and config[key] != "paper":
            values = config[key] if isinstance(config[key], list) else [config[key]]
            words += [f"--{key.replace('_', '-')}", *(str(value) for value in values if value is not True)]
    return " ".join(quote(word) for word in words)


def publish(args, config, nets, sample, defaults):
    """Write the folder args.publish: averaged weights of a run in half precision, without discriminators.

    --sample, --eval, --explore and --init take it as a run. Its config.json has, under `published`: the command,
    iterations and core-hours of the training, the commit at which it was published (None outside of a git checkout;
    -dirty where files differ from it), FVD if `metrics.py fvd` has measured it, and the mean pixel of each of eight
    videos of seed 0, by which a copy is checked.
    config, defaults   `load_run`'s, and that of a run of the same preset without other flags
    """
    target = Path(args.publish)
    if args.raw:
        raise UserError("--publish hands on averaged weights: leave out --raw")
    if "published" in json.loads((Path(args.out) / "config.json").read_text()):
        raise UserError(f"{args.out} is published already: copy the folder")
    if target.resolve() == Path(args.out).resolve():
        raise UserError(f"{target} is the run itself: give --publish another folder")
    if target.exists() and not args.overwrite:
        raise UserError(f"{target} is there already; add --overwrite to replace it")
    kept = {name: value for name, value in nets.state_dict().items() if not name.startswith("D_")}
    kept = {name: value.half() if value.ndim > 1 else value for name, value in kept.items()}
    nets.load_state_dict(nets.state_dict() | kept)  # so that what is measured is what is written
    drawn = sample(nets, 8, config["frames"], seeded(0, args.device))
    about = {"command": train_command(config, defaults), "iterations": config["iteration"]}
    about["core_hours"] = config["core_seconds"] and round(config["core_seconds"] / 3600, 2)
    about["commit"] = None
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, or no checkout
        command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude", "*"]
        about["commit"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    with contextlib.suppress(OSError, ValueError, KeyError):  # none, or none of these weights
        fvd = json.loads((Path(args.out) / "fvd.json").read_text())
        if fvd["checkpoint"] == config["checkpoint"]:
            about |= {key: fvd[key] for key in ("fvd", "floor", "n", "resize")}
    about["means"] = to_uint8(drawn["videos"]).mean((1, 2, 3, 4)).round(2).tolist()
    own = {*ONCE, "checkpoint", "core_seconds"} - {"model", "split"}  # of a command, and of this file
    config = {key: value for key, value in config.items() if key not in own} | {"data_root": "data"}
    target.mkdir(parents=True, exist_ok=True)
    state = {"model": args.model, "iteration": config["iteration"], "config": config, "nets": kept}
    save_state(target / "checkpoint.pt", state)
    (target / "config.json").write_text(json.dumps(config | {"published": about}, indent=1) + "\n")
    size = (target / "checkpoint.pt").stat().st_size / 1e6
    print(f"{target}: {size:.2f} MB, {about}")
