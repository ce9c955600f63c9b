"""Which of two models do people find more realistic? The paper's two-alternative test (sections 5.1, 5.2, 5.4, A.7).

    python metrics.py study RUN RUN --out study.html      a page that asks people which of two runs is more realistic
    python metrics.py preference results/*.json           the score, from the results files they send back

Shapes: N clips, T frames, H W pixels, C channels, uint8 (N, T, H, W, C); R raters, P pairs.
"""

import base64
import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import torch

from data import UserError, read_samples, run_name, to_uint8
from metrics import about, generate, load_model, load_source, read_config
from tools.page import fill, pictures_of

STUDY_VERSION = 1  # of the results file; a page and a `preference` of different versions do not go together
STUDY_BYTES = 20_000_000  # the largest page
# Pictures are lossless where the page then is small enough, else JPEG without chroma subsampling
FORMS = [("WEBP", {"lossless": True})]
FORMS += [("JPEG", {"quality": quality, "subsampling": 0}) for quality in (95, 90, 85, 75)]
QUESTIONS = {  # kind: title and description of the task, in the words of A.7
    "video": (
        "Pick the facial expression video that looks more realistic",
        "You are presented with a pair of videos of human facial expressions, both generated from deep learning "
        "models trained on real videos. Each video clip is less than a second long. You are requested to choose the "
        "video clip that appears more realistic to you.",
    ),
    "image": (
        "Pick the facial image that looks more realistic",
        "You are presented with a pair of images of human faces, both generated from deep learning models. Choose the "
        "facial image that appears more realistic to you.",
    ),
    "sprites": (
        "Which of the following videos of animated characters appear more realistic, considering the dataset "
        "description provided?",
        "The dataset contains animated characters performing actions like walk, spellcast and slash from three viewing "
        "angles. For a realistic video, the action performed is identifiable and the character's appearance doesn't "
        "change.",
    ),
}


def study_clips(source, kind, n, seed, device):
    """n clips of a run or an .npy file, in random order, uint8 (n, T, H, W, C); the run's config and weights, or {}.

    Images (T = 1) are a run's summary frames, as in section 5.2, or a random frame of each video of a file.
    """
    rng = np.random.default_rng(seed)
    if Path(source).is_dir():
        config = read_config(source)
        model, nets, weights = load_model(source, device)
        made = generate(model, nets, n, config["frames"], seed, device)
        clips = made["images"][:, None] if kind == "image" else made["videos"]
        return clips.numpy()[rng.permutation(n)], config, weights | {"seeds": [seed]}
    videos = read_samples(source)
    if len(videos) < n:
        raise UserError(f"{source} holds {len(videos)} videos, and {n} pairs need as many of each model")
    clips = videos[np.sort(rng.permutation(len(videos))[:n])][rng.permutation(n)]  # sorted: they come from a disk
    if kind == "image":
        clips = clips[np.arange(n), rng.integers(clips.shape[1], size=n)][:, None]
    return clips, {}, {}


def make_study(
    a, b, out, kind="video", question=None, pairs=128, catch=8, real=None, root=None, fps=20, seed=0, device="cpu"
):
    """Write the two-alternative forced choice of section 5.1 between the models `a` and `b` as one HTML file.

    a, b      runs or .npy files (N, T, H, W, C) uint8
    kind      a key of QUESTIONS: videos, images, or sprites, whose frames stand in a row (section 5.4)
    question  asked instead of the paper's title and description
    pairs     a random clip of each model, either on the left in half of the pairs
    catch     trials of a real clip against noise, for careless raters. Real clips are of `real` (NAME, NAME:SPLIT or a
              path), by default of the data of run `a`; where there is neither, a clip of `a` stands in for them
    fps       of the animations
    The same arguments write the same bytes. Returns the page's facts. UserError if the models do not compare.
    """
    rng = np.random.default_rng(seed)
    clips_a, config, weights = study_clips(a, kind, pairs, seed, device)
    clips_b, config_b, weights_b = study_clips(b, kind, pairs, seed + 1, device)
    frames, height, width, channels = clips_a.shape[1:]
    if clips_a.shape != clips_b.shape:
        shapes = " and ".join("x".join(map(str, clips.shape[1:4])) for clips in (clips_a, clips_b))
        raise UserError(f"the clips of {a} and {b} do not match: frames x height x width are {shapes}")
    names = [c.get("model", run_name(path)) for path, c in [(a, config), (b, config_b)]]
    names = names if names[0] != names[1] else [str(a), str(b)]

    source = real or config.get("data")
    if source and catch:
        root = root or ("data" if real else config["data_root"])
        videos, stride = load_source(str(source), root, height, config.get("stride", 2))
        videos = videos.at_least((frames - 1) * stride + 1)
        good = to_uint8(videos.clips(catch, frames, stride, torch.Generator().manual_seed(seed)))
        if good.shape[1:] != clips_a.shape[1:]:
            raise UserError(f"real clips are square, those of {a} are not: --catch 0 shows none")
    else:
        good = clips_a[rng.integers(pairs, size=catch)]
    # noise in the clip's own colours: its pixels shuffled, in each frame alike, for flicker could hurt a rater's eyes
    pixels = good.reshape(catch, frames, height * width, channels)
    noise = pixels[:, :, rng.permutation(height * width)].reshape(good.shape)

    one, two = np.concatenate([clips_a, good]), np.concatenate([clips_b, noise])  # `one` is A, or the real clip
    left = np.concatenate([rng.permutation(np.arange(n) % 2 == 0) for n in (pairs, catch)])  # where `one` stands left
    pictures, form = pictures_of(np.concatenate([one, two]), STUDY_BYTES, FORMS)
    order = rng.permutation(pairs + catch)
    title, description = (question, "") if question else QUESTIONS[kind]
    page = {
        "version": STUDY_VERSION, "title": title, "description": description, "kind": kind, "fps": fps,
        "frames": frames, "height": height, "width": width,
        "clips": [[pictures[i], pictures[len(one) + i]][:: 1 if left[i] else -1] for i in order],
    }  # fmt: skip
    key = {
        "a": names[0], "b": names[1], "kind": kind, "data": run_name(source or kind), "pairs": pairs,
        "catch": catch, "sides": "".join("l" if left[i] else "r" for i in order),
        "checks": np.flatnonzero(order >= pairs).tolist(),
    }  # fmt: skip
    page["id"] = hashlib.sha256(json.dumps([page, key]).encode()).hexdigest()[:12]
    plain = np.frombuffer(json.dumps(key).encode(), np.uint8)
    mask = rng.integers(256, size=len(plain), dtype=np.uint8)
    page["key"], page["mask"] = (base64.b64encode(x.tobytes()).decode() for x in (plain ^ mask, mask))
    Path(out).write_text(fill("study.html", page), "utf-8")
    made = {"study": page["id"], "a": names[0], "b": names[1], "real": str(source) if source else None}
    made |= {"weights": [weights, weights_b], "out": str(out), "bytes": Path(out).stat().st_size, "pictures": form}
    return made | about(sources=[str(a), str(b)], kind=kind, pairs=pairs, catch=catch, fps=fps, seed=seed)


def read_results(files):
    """The results of one study, a dict a rater, checked. UserError names the file that cannot be counted."""
    read = {}
    for file in files:
        try:
            result = json.loads(Path(file).read_text("utf-8"))
            checksum = result.pop("checksum")
            text = json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode()  # as JSON.stringify writes it
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{file} is no whole results file of a study") from None
        if checksum != zlib.crc32(text):
            raise UserError(f"{file} was changed after the study, or is damaged: its checksum differs")
        if result["version"] != STUDY_VERSION:
            raise UserError(f"{file} is of version {result['version']}, expected {STUDY_VERSION}")
        total = result["pairs"] + result["catch"]
        if sorted(answer["index"] for answer in result["answers"]) != list(range(total)):
            raise UserError(f"{file} is partial: {len(result['answers'])} answers, and the study has {total} pairs")
        first, one = next(iter(read.values()), (file, result))
        if result["study"] != one["study"]:
            raise UserError(f"{file} is of study {result['study']}, {first} of study {one['study']}")
        if result["rater"] in read:
            raise UserError(f"{file} is a duplicate: {read[result['rater']][0]} has the same rater")
        read[result["rater"]] = file, result
    return [result for _, result in read.values()]


def share(chosen):
    """How often `chosen` (booleans) is true, with a 95 % Wilson interval and the exact binomial p against one half."""
    from scipy.stats import binomtest

    test = binomtest(int(np.sum(chosen)), len(chosen))
    low, high = test.proportion_ci(0.95, method="wilson")
    return {"share": test.statistic, "low": low, "high": high, "p": test.pvalue, "count": test.k, "of": test.n}


def rater_agreement(votes):
    """Agreement of R >= 2 raters on P pairs with two answers: (mean pairwise agreement, Fleiss' kappa).

    votes (R, P) booleans. Kappa is 0 for raters who answer independently, 1 for raters always of one mind, and None
    where all answers are the same, which leaves no chance to agree against.
    """
    raters, yes = len(votes), votes.sum(0)
    no = raters - yes
    observed = np.mean((yes * (yes - 1) + no * (no - 1)) / (raters * (raters - 1)))
    expected = votes.mean() ** 2 + (1 - votes.mean()) ** 2
    return float(observed), float((observed - expected) / (1 - expected)) if expected < 1 else None


def preference(files):
    """The mean worker preference score of section 5.1 from the results files of one study, as a dict.

    The score is how often a model was chosen over the number of raters times pairs. A rater who took noise for real in
    more than one in eight of the catch trials is left out. Interval and p take every answer as independent: where kappa
    is well above 0 they flatter, because raters then answer alike on the same pairs.
    """
    try:
        import scipy
    except ImportError:
        raise UserError("preference needs scipy: pip install scipy") from None
    results, kept, left_out = read_results(files), [], []
    for result in results:
        missed = sum(answer["catch"] and answer["choice"] != answer["side"] for answer in result["answers"])
        (left_out if missed * 8 > result["catch"] else kept).append(result)
    if not kept:
        raise UserError(f"none of the {len(results)} raters passed the catch trials")
    answers = [sorted((x for x in result["answers"] if not x["catch"]), key=lambda x: x["index"]) for result in kept]
    for_b = np.array([[x["choice"] != x["side"] for x in rater] for rater in answers])  # (R, P)
    left = np.array([[x["choice"] == "left" for x in rater] for rater in answers])
    pairwise, kappa = rater_agreement(for_b) if len(kept) > 1 else (None, None)
    result = {key: kept[0][key] for key in ("study", "a", "b", "kind", "data", "pairs")}
    result |= {"raters": len(kept), "left_out": [result["rater"] for result in left_out]}
    result |= {"preference_a": share(~for_b.ravel()), "preference_b": share(for_b.ravel()), "left": share(left.ravel())}
    result |= {"agreement": pairwise, "kappa": kappa}
    result["by_rater"] = {rater["rater"]: float(votes.mean()) for rater, votes in zip(kept, for_b, strict=True)}
    result["median_seconds"] = float(np.median([x["ms"] for rater in answers for x in rater]) / 1000)
    return result | about(files=[str(file) for file in files], scipy=scipy.__version__)


def study_table(r):
    """What `study` prints."""
    good = r["real"] or f"clips of {r['a']}, for want of --real,"
    return f"""{r["out"]}: study {r["study"]}, {r["a"]} against {r["b"]}, {r["kind"]}
  {r["pairs"]} pairs, {r["catch"]} catch trials of {good} against noise
  {r["bytes"] / 1e6:.1f} MB, pictures {r["pictures"]}, seed {r["seed"]}"""


def preference_table(r):
    """Table 1 for one study, and what should be read beside it."""
    a, b, left = ({k: 100 * v for k, v in r[name].items()} for name in ("preference_a", "preference_b", "left"))
    models = f"{r['a']} / {r['b']}"
    width = max(len(models), 20)
    lines = [
        f"{'Worker Preference %':{width}}  {r['data']}",
        f"{models:{width}}  {a['share']:.1f} / {b['share']:.1f}",
        f"  {r['b']}: 95 % Wilson interval {b['low']:.1f} to {b['high']:.1f}, exact binomial p "
        f"{r['preference_b']['p']:.2g}",
        f"  {r['preference_b']['of']} answers: {r['raters']} raters x {r['pairs']} pairs; raters left out by the catch "
        f"trials: {len(r['left_out'])}",
        f"  left side chosen {left['share']:.1f} % ({left['low']:.1f} to {left['high']:.1f})",
    ]
    if r["agreement"] is not None:
        kappa = "undefined" if r["kappa"] is None else f"{r['kappa']:.3f}"
        lines.append(f"  two raters agree on {100 * r['agreement']:.1f} % of the pairs, Fleiss' kappa {kappa}")
    return "\n".join(lines)
