"""The study: the page in a real headless Chromium, and its statistics against textbook values."""

import base64
import io
import json
import re
import shutil
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

import data
import metrics
from data import UserError
from tools import study

OTHER = {"left": "right", "right": "left"}
RED, BLUE, GREEN = 0, 2, 1  # the channel that tells model A, model B and real clips apart, for the tests' eyes
T, SIZE = 4, 16


def coloured(channel, count, frames=T):
    """Clips (count, T, H, W, C) bright in one channel, of which the left half has another channel at clip and frame."""
    clips = np.full((count, frames, SIZE, SIZE, 3), 20, np.uint8)
    clips[..., channel] = 200
    codes = 30 + np.arange(count)[:, None] * 8 % 120 + np.arange(frames) * 10
    clips[..., : SIZE // 2, (channel + 1) % 3] = codes[:, :, None, None]
    return clips


@pytest.fixture
def models(tmp_path):
    """Files of model A, model B and real clips."""
    paths = [tmp_path / name for name in ("modèle one.npy", "secondgan.npy", "real.npy")]
    for path, channel in zip(paths, (RED, BLUE, GREEN), strict=True):
        np.save(path, coloured(channel, 40))
    return paths


def make(models, out, **options):
    return study.make_study(*models[:2], out, **{"pairs": 6, "catch": 2, "real": models[2], **options})


def read_page(path):
    """The page's study and its decoded key."""
    trial = json.loads(re.search(r'type="application/json">(.*?)</script>', path.read_text("utf-8"), re.S)[1])
    key, mask = (np.frombuffer(base64.b64decode(trial[name]), np.uint8) for name in ("key", "mask"))
    return trial, json.loads((key ^ mask).tobytes())


def picture(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"))


def rate(path, folder, rng, for_b=0.5, misses=0, side=None):
    """A results file as the page writes it, of a rater who takes B with probability `for_b`, or always `side`."""
    trial, key = read_page(path)
    answers, missed = [], 0
    for index in rng.permutation(len(trial["clips"])).tolist():
        check = index in key["checks"]
        a = "left" if key["sides"][index] == "l" else "right"
        takes_a = rng.random() >= for_b
        if check:
            takes_a, missed = missed >= misses, missed + 1
        choice, ms = side or (a if takes_a else OTHER[a]), int(rng.integers(500, 3000))
        answers.append({"index": index, "side": a, "choice": choice, "ms": ms, "catch": check})
    about = {name: key[name] for name in ("a", "b", "kind", "data", "pairs", "catch")}
    head = {"version": 1, "study": trial["id"], "rater": rng.bytes(6).hex(), "started": "then", "finished": "now"}
    return write(folder / f"{head['rater']}.json", {**head, **about, "answers": answers})


def write(path, result):
    """Write a results file with the checksum that belongs to it."""
    result.pop("checksum", None)
    text = json.dumps(result, separators=(",", ":"), ensure_ascii=False)
    path.write_text(json.dumps({**result, "checksum": zlib.crc32(text.encode())}), "utf-8")
    return path


# ----- the file


def test_pairs_sides_and_key(models, tmp_path):
    out = tmp_path / "page.html"
    made = make(models, out, pairs=20, catch=4)
    trial, key = read_page(out)
    checks = set(key["checks"])
    assert (key["a"], key["b"], key["pairs"], key["catch"], len(checks)) == ("modèle one", "secondgan", 20, 4, 4)
    assert made["bytes"] == out.stat().st_size and made["pictures"] == "lossless"
    for trials, half in [(set(range(24)) - checks, 10), (checks, 2)]:
        assert [key["sides"][i] for i in trials].count("l") == half
    seen = {RED: set(), BLUE: set()}
    for i, pair in enumerate(trial["clips"]):
        one, two = (picture(address) for address in (pair if key["sides"][i] == "l" else pair[::-1]))
        assert one.shape == (SIZE, T * SIZE, 3)
        if i in checks:
            assert (one[..., GREEN] == 200).all() and (two[..., GREEN] == 200).all()
            assert (one[:, :SIZE, BLUE].std(0) == 0).all() and (two[:, :SIZE, BLUE].std(0) > 0).all()
            np.testing.assert_array_equal(np.sort(one[:, :SIZE], None), np.sort(two[:, :SIZE], None))  # only shuffled
        else:
            for image, channel in [(one, RED), (two, BLUE)]:
                assert (image[..., channel] == 200).all()
                seen[channel].add(int(image[0, 0, (channel + 1) % 3]))
    assert len(seen[RED]) > 10 and seen[RED] != seen[BLUE]  # different clips, paired at random


def test_the_seed_decides_and_names_are_hidden(models, tmp_path):
    pages = [tmp_path / name for name in ("1.html", "2.html", "3.html")]
    made = [make(models, page, seed=seed) for page, seed in zip(pages, (0, 0, 1), strict=True)]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert made[0]["study"] != made[2]["study"]
    text = pages[0].read_text("utf-8")
    assert "secondgan" not in text and "one" not in read_page(pages[0])[0]["title"] and "mod\\u00e8le" not in text
    assert b"secondgan" not in base64.b64decode(read_page(pages[0])[0]["key"])


def test_questions(models, tmp_path):
    out = tmp_path / "page.html"
    for kind, words in [("video", "expression video"), ("image", "facial image"), ("sprites", "animated characters")]:
        make(models, out, kind=kind)
        trial, _ = read_page(out)
        assert words in trial["title"] and trial["description"] and trial["frames"] == (1 if kind == "image" else T)
    make(models, out, question="Which </script> moves better?")
    trial, _ = read_page(out)
    assert trial["title"] == "Which </script> moves better?" and trial["description"] == ""


def test_pictures_get_smaller_until_the_page_fits(models, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for model in models:
        np.save(model, rng.integers(256, size=(40, T, SIZE, SIZE, 3), dtype=np.uint8))
    out = tmp_path / "page.html"
    assert make(models, out)["pictures"] == "lossless"
    monkeypatch.setattr(study, "STUDY_BYTES", 100_000 + out.stat().st_size // 2)
    made = make(models, out)
    assert made["pictures"].startswith("JPEG") and made["bytes"] < study.STUDY_BYTES
    monkeypatch.setattr(study, "STUDY_BYTES", 101_000)
    with pytest.raises(UserError, match="fewer pairs"):
        make(models, out)


def test_runs(models, tmp_path, monkeypatch):
    """Videos are drawn; images are its summary frames; real clips come from the run's data."""
    (tmp_path / "fakegan.py").write_text(
        "import torch\n"
        "def load_run(run, device='cpu', raw=False):\n"
        "    return {'iteration': 3, 'checkpoint': str(run)[-5:]}, None\n"
        "def sample(nets, n, frames, generator):\n"
        "    return {'videos': torch.full((n, frames, 3, 16, 16), -1.0), 'images': torch.full((n, 3, 16, 16), 1.0)}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    runs = [tmp_path / name for name in ("run-a", "run-b")]
    config = {"model": "fakegan", "data": str(models[2]), "data_root": "data", "size": SIZE, "frames": T, "stride": 1}
    for run in runs:
        run.mkdir()
        (run / "config.json").write_text(json.dumps(config))
        (run / "checkpoint.pt").write_bytes(run.name.encode())
    with pytest.MonkeyPatch.context() as patch:  # --data-root holds for the data of run A, too; --catch 0 needs none
        asked = []
        patch.setattr(study, "load_source", lambda name, root, *_: asked.append(root) or (data.load(name, root, 16), 1))
        make(runs + [None], tmp_path / "page.html", pairs=3)
        make(runs + [None], tmp_path / "page.html", pairs=3, root="moved")
        make(runs + [None], tmp_path / "page.html", pairs=3, catch=0)
    assert asked == ["data", "moved"]
    made = make(runs + [None], tmp_path / "page.html", pairs=3)
    assert (made["a"], made["b"], made["real"]) == (str(runs[0]), str(runs[1]), str(models[2]))  # one model: the runs
    trial, key = read_page(tmp_path / "page.html")
    checks = set(key["checks"])
    shown = [picture(address) for i in set(range(5)) - checks for address in trial["clips"][i]]
    assert all((image == 0).all() and image.shape == (SIZE, T * SIZE, 3) for image in shown)
    weights = [{"iteration": 3, "checkpoint": str(run)[-5:], "raw": False} for run in runs]
    assert made["weights"] == [of | {"seeds": [seed]} for seed, of in enumerate(weights)]
    assert key["data"] == "real"
    make(runs + [None], tmp_path / "page.html", kind="image", pairs=3)
    trial, key = read_page(tmp_path / "page.html")
    shown = [picture(address) for i in set(range(5)) - set(key["checks"]) for address in trial["clips"][i]]
    assert all((image == 255).all() and image.shape == (SIZE, SIZE, 3) for image in shown)


def test_a_run_against_itself(models, tmp_path, monkeypatch):
    """Does not show the same draws on both sides."""
    (tmp_path / "noisegan.py").write_text(
        "import torch\n"
        "def load_run(run, device='cpu', raw=False):\n"
        "    return {'iteration': 3, 'checkpoint': str(run)[-5:]}, None\n"
        "def sample(nets, n, frames, generator):\n"
        "    return {key: torch.rand(n, *shape, 3, 16, 16, generator=generator) for key, shape in "
        "{'videos': [frames], 'images': []}.items()}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    config = {"model": "noisegan", "data": str(models[2]), "data_root": "data", "size": SIZE, "frames": T, "stride": 1}
    (run / "config.json").write_text(json.dumps(config))
    (run / "checkpoint.pt").write_bytes(b"weights")

    def pictures_are_different(kind):
        make([run, run, None], tmp_path / "page.html", pairs=3, kind=kind)
        trial, key = read_page(tmp_path / "page.html")
        shown = [address for i in set(range(5)) - set(key["checks"]) for address in trial["clips"][i]]
        return len(shown) == len(set(shown)) == 6

    assert pictures_are_different("video") and pictures_are_different("image")


def test_models_that_do_not_compare(models, tmp_path):
    out = tmp_path / "page.html"
    with pytest.raises(UserError, match="holds 40 videos, and 41 pairs"):
        make(models, out, pairs=41)
    np.save(models[1], coloured(BLUE, 40, frames=T + 1))
    with pytest.raises(UserError, match="4x16x16 and 5x16x16"):
        make(models, out)
    for path in models[:2]:
        np.save(path, coloured(BLUE, 40)[:, :, 4:])  # 12x16 pixels
    with pytest.raises(UserError, match="real clips are square, those of .* are not: --catch 0 shows none"):
        make(models, out)
    assert not out.exists()
    assert make(models, out, catch=0)["pairs"] == 6


# ----- the page in a browser


def look(page):
    """What a rater sees: the pixels (H * W, 3) of the left and the right canvas."""
    page.wait_for_timeout(300)  # no rater is faster, and the page takes no answer before
    script = """[...document.querySelectorAll('canvas')].map((canvas) =>
        [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data])"""
    return [np.array(values).reshape(-1, 4)[:, :3] for values in page.evaluate(script)]


def place(page):
    """What the page says of the pair, once it shows one."""
    return page.get_by_text(re.compile(r"^Pair \d+ of \d+$")).inner_text()


def at_pair(page, n):
    page.get_by_text(re.compile(f"^Pair {n} of")).wait_for()


def answer_some(page, pairs, answer):
    """Answer `pairs` by `answer(page, n)`, a side. Returns for each the brightest channel of the clip taken (whose it
    is), the side, and what both canvases showed."""
    taken = []
    for n in pairs:
        at_pair(page, n + 1)
        seen = look(page)
        side = answer(page, n)
        taken.append((int(seen[side == "right"].mean(0).argmax()), side, seen))
    return taken


def answer_all(page, answer):
    """Answer every pair that is left, as `answer_some` does."""
    _, n, _, total = place(page).split()
    taken = answer_some(page, range(int(n) - 1, int(total)), answer)
    page.wait_for_selector("#end:not([hidden])")
    return taken


def save(page, path):
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the answers").click()
    download.value.save_as(path)
    return json.loads(path.read_text("utf-8"))


def by_key_and_click(page, n):
    side = ["left", "right", "right"][n % 3]
    if n % 2:
        page.keyboard.press(f"Arrow{side.capitalize()}")
    else:
        page.get_by_role("button", name=f"Choose {side}").click()
    return side


def test_answers_reload_and_results(models, tmp_path, visit):
    out = tmp_path / "page.html"
    make(models, out, pairs=6, catch=2, fps=0.01)  # a frame stands long enough to be looked at
    page = visit(out)
    assert page.get_by_role("heading").first.inner_text() == study.QUESTIONS["video"][0]
    page.get_by_role("button", name="Start").click()
    at_pair(page, 1)
    hasty = "(async () => { await show(); choose('left'); return state.answers.length; })()"
    assert page.evaluate(hasty) == 0  # the end of a double click is no answer
    first = answer_some(page, range(3), by_key_and_click)
    at_pair(page, 4)
    stored = page.evaluate("JSON.stringify(localStorage)")
    assert "secondgan" not in stored and "side" not in stored
    page.reload()
    assert place(page) == "Pair 4 of 8" and page.locator("#progress").get_attribute("value") == "3"
    taken = first + answer_all(page, by_key_and_click)
    assert "modèle one" in page.locator("#revealed").inner_text()
    result = save(page, tmp_path / "result.json")

    trial, key = read_page(out)
    assert result["study"] == trial["id"] and (result["a"], result["b"]) == ("modèle one", "secondgan")
    assert sorted(x["index"] for x in result["answers"]) == list(range(8))
    assert {x["index"] for x in result["answers"] if x["catch"]} == set(key["checks"])
    for x, (model, side, seen) in zip(result["answers"], taken, strict=True):
        assert x["choice"] == side and x["ms"] >= 250
        if not x["catch"]:
            assert (x["choice"] == x["side"]) == (model == RED)  # what was recorded is what was on the screen
        shown = sorted(tuple(image[0]) for image in seen)
        assert shown == sorted(tuple(picture(address)[0, 0]) for address in trial["clips"][x["index"]])
    assert [x["side"] for x in result["answers"] if not x["catch"]].count("left") == 3
    assert len(study.read_results([tmp_path / "result.json"])) == 1  # the same checksum in both languages, with accents
    assert json.loads(page.locator("#text").input_value()) == result

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Next rater").click()
    page.get_by_role("button", name="Start").click()
    assert place(page) == "Pair 1 of 8"
    assert page.evaluate("state.rater") != result["rater"]


def take_red(page, n):
    side = "left" if look(page)[0].mean(0).argmax() == RED else "right"
    page.keyboard.press(f"Arrow{side.capitalize()}")
    return side


def test_mirrored_raters(models, tmp_path, visit):
    """Half of the raters see every pair mirrored; the sides in the file are those on the screen."""
    out = tmp_path / "page.html"
    make(models, out, pairs=4, catch=2, fps=0.01)
    files = []
    for mirrored in (True, False):
        page = visit(out)
        page.evaluate(f"state.mirrored = {str(mirrored).lower()}")
        page.get_by_role("button", name="Start").click()

        answer_all(page, take_red)
        files.append(save(page, tmp_path / f"{mirrored}.json"))
    sides = [{x["index"]: x["side"] for x in file["answers"]} for file in files]
    assert all(sides[0][i] != sides[1][i] for i in range(6))
    assert all(x["choice"] == x["side"] for file in files for x in file["answers"] if not x["catch"])


@pytest.mark.parametrize("kind", ["video", "image", "sprites"])
def test_phone(models, tmp_path, visit, kind):
    out = tmp_path / "page.html"
    make(models, out, kind=kind, pairs=2, catch=0)
    page = visit(out, viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Start").tap()
    words = ["upper", "lower"] if kind == "sprites" else ["left", "right"]
    for n in range(2):
        at_pair(page, n + 1)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        for word in words:
            box = page.get_by_role("button", name=f"Choose {word}").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 640
            assert box["width"] >= 150 and box["height"] >= 44
        look(page)
        page.get_by_role("button", name=f"Choose {words[n]}").tap()
    page.wait_for_selector("#end:not([hidden])")
    assert [x["choice"] for x in save(page, tmp_path / "result.json")["answers"]] == ["left", "right"]


def frames_seen(page):
    """The different pictures of the left clip in a second, once there is one."""
    page.wait_for_function("document.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255")
    seen = set()
    for _ in range(25):
        seen.add(tuple(look_now(page)))
        page.wait_for_timeout(40)
    return len(seen)


def look_now(page):
    return page.evaluate("[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1).data]")


def test_animation_pause_and_reduced_motion(models, tmp_path, visit):
    out = tmp_path / "page.html"
    make(models, out, catch=0, fps=10)
    page = visit(out)
    page.get_by_role("button", name="Start").click()
    assert frames_seen(page) == T
    page.get_by_role("button", name="Pause").click()
    assert frames_seen(page) == 1
    page = visit(out, reduced_motion="reduce")
    page.get_by_role("button", name="Start").click()
    assert frames_seen(page) == 1
    page.get_by_role("button", name="Play").click()
    assert frames_seen(page) == T


def test_sprites_stand_in_a_row(models, tmp_path, visit):
    out = tmp_path / "page.html"
    make(models, out, kind="sprites", catch=0)
    page = visit(out)
    page.get_by_role("button", name="Start").click()
    look(page)
    upper, lower = (page.locator(f"#{side}").bounding_box() for side in ("left", "right"))
    assert upper["y"] + upper["height"] <= lower["y"]
    size = "[...document.querySelectorAll('canvas')].map((c) => [c.width, c.height])"
    assert page.evaluate(size) == [[T * SIZE, SIZE]] * 2
    trial, _ = read_page(out)
    script = "(side) => [...$(side).querySelector('canvas').getContext('2d').getImageData(0, 0, 64, 16).data]"
    shown = np.array(page.evaluate(script, "left")).reshape(SIZE, T * SIZE, 4)[..., :3]
    pair = page.evaluate("[state.order[0], state.mirrored]")
    np.testing.assert_array_equal(shown, picture(trial["clips"][pair[0]][int(pair[1])]))
    page.keyboard.press("ArrowDown")
    at_pair(page, 2)
    assert page.evaluate("state.answers[0].choice") == "right"


def test_keyboard_alone_and_screen_reader(models, tmp_path, visit):
    out = tmp_path / "page.html"
    make(models, out, pairs=2, catch=0)
    page = visit(out)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    look(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "left"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    at_pair(page, 2)
    assert page.locator("#place").get_attribute("aria-live") == "polite"
    look(page)
    page.keyboard.down("ArrowRight")
    page.wait_for_selector("#end:not([hidden])")
    assert page.evaluate("document.activeElement.textContent") == "Thank you!"


def test_without_storage_the_study_goes_on_and_says_so(models, tmp_path, visit):
    out = tmp_path / "page.html"
    make(models, out, pairs=2, catch=0)
    page = visit(out)
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })")
    page.reload()
    page.get_by_role("button", name="Start").click()
    assert page.locator("#unkept").is_visible()
    answer_all(page, by_key_and_click)
    assert len(save(page, tmp_path / "result.json")["answers"]) == 2


# ----- the statistics


@pytest.mark.parametrize(
    "count, of, low, high",  # Newcombe (1998), Table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(count, of, low, high):
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    found = study.share(np.arange(of) < count)
    assert (round(found["low"], 4), round(found["high"], 4)) == (low, high)
    assert found["share"] == count / of and (found["count"], found["of"]) == (count, of)


def test_binomial():
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    assert study.share(np.arange(10) < 9)["p"] == pytest.approx(2 * (10 + 1) / 2**10)  # both tails of a fair coin
    assert study.share(np.arange(10) < 5)["p"] == 1


def test_agreement():
    votes = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], bool)  # 3, 2, 1, 0 of three raters
    assert study.rater_agreement(votes) == pytest.approx((2 / 3, 1 / 3))  # by hand: (1 + 1/3 + 1/3 + 1) / 4 against 1/2
    assert study.rater_agreement(np.array([[0, 1], [0, 1]], bool)) == (1, 1)
    assert study.rater_agreement(np.array([[0, 1], [1, 0]], bool)) == (0, -1)
    assert study.rater_agreement(np.ones((2, 3), bool)) == (1, None)


@pytest.fixture
def paper_study(models, tmp_path):
    for model in models:
        np.save(model, coloured(0, 128))
    make(models, tmp_path / "page.html", pairs=128, catch=8)
    return tmp_path / "page.html"


def test_preference_recovers_a_known_bias(paper_study, tmp_path, capsys):
    """Table 1's RJGAN on MUG, 67.2 %, by 5 raters of 128 pairs, with a careless sixth who must not be counted."""
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    rng = np.random.default_rng(1)
    files = [rate(paper_study, tmp_path, rng, for_b=0.672, misses=i % 2) for i in range(5)]
    careless = rate(paper_study, tmp_path, rng, side="left")
    out = tmp_path / "preference.json"
    assert metrics.main(["preference", *map(str, [*files, careless]), "--json", str(out)]) == 0
    result, table = json.loads(out.read_text()), capsys.readouterr().out
    b = result["preference_b"]
    assert b["of"] == 640 and result["raters"] == 5 and result["left_out"] == [careless.stem]
    assert b["low"] < 0.672 < b["high"] and 0.06 < b["high"] - b["low"] < 0.08 and b["p"] < 1e-10
    assert result["preference_a"]["count"] + b["count"] == 640
    assert result["left"]["low"] < 0.5 < result["left"]["high"]
    assert abs(result["kappa"]) < 0.1 and result["agreement"] == pytest.approx(0.672**2 + 0.328**2, abs=0.05)
    assert np.mean(list(result["by_rater"].values())) == pytest.approx(b["share"])
    assert f"modèle one / secondgan  {100 - 100 * b['share']:.1f} / {100 * b['share']:.1f}" in table
    assert "left out by the catch trials: 1\n" in table


def test_a_side_bias_is_seen_and_does_not_move_the_score(models, tmp_path):
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    make(models, tmp_path / "page.html", pairs=20, catch=0)
    rng = np.random.default_rng(0)
    result = study.preference([rate(tmp_path / "page.html", tmp_path, rng, side="left") for _ in range(2)])
    assert result["left"]["share"] == 1 and result["preference_b"]["share"] == 0.5


def test_refusals_name_the_file(models, tmp_path):
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    rng = np.random.default_rng(0)
    make(models, tmp_path / "page.html")
    make(models, tmp_path / "other.html", seed=1)
    good = rate(tmp_path / "page.html", tmp_path, rng)
    result = json.loads(good.read_text("utf-8"))
    assert study.preference([good])["raters"] == 1

    flipped = json.loads(good.read_text("utf-8"))
    flipped["answers"][0]["choice"] = OTHER[flipped["answers"][0]["choice"]]
    reasons = {"tampered": "checksum", "cut": "no whole", "text": "no whole", "list": "no whole", "copy": "duplicate",
               "partial": "partial: 7 answers", "twice": "partial", "new": "version 2"}  # fmt: skip
    bad = {name: tmp_path / f"{name}.json" for name in reasons}
    bad["tampered"].write_text(json.dumps(flipped), "utf-8")
    bad["cut"].write_text(good.read_text("utf-8")[:-40], "utf-8")
    bad["text"].write_text("Dear all, the answers are attached.", "utf-8")
    bad["list"].write_text("[1, 2]", "utf-8")
    shutil.copy(good, bad["copy"])
    write(bad["partial"], {**result, "rater": "another", "answers": result["answers"][:-1]})
    write(bad["twice"], {**result, "rater": "another", "answers": result["answers"][:-1] + result["answers"][:1]})
    write(bad["new"], {**result, "rater": "another", "version": 2})
    bad["foreign"] = rate(tmp_path / "other.html", tmp_path, rng)
    reasons["foreign"] = "of study"
    for name, reason in reasons.items():
        with pytest.raises(UserError, match=f"{re.escape(str(bad[name]))} .*{reason}"):
            study.preference([good, bad[name]])


def test_no_attentive_rater(models, tmp_path):
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    make(models, tmp_path / "page.html")
    careless = rate(tmp_path / "page.html", tmp_path, np.random.default_rng(0), misses=1)  # one of two is too many
    with pytest.raises(UserError, match="none of the 1 raters"):
        study.preference([careless])


def test_errors_are_one_line(models, tmp_path, capsys, monkeypatch):
    pytest.importorskip("scipy", reason="needs scipy (pip install scipy)")
    assert metrics.main(["preference", str(tmp_path / "absent.json")]) == 2
    assert metrics.main(["study", str(tmp_path / "absent.npy"), str(models[1]), "--out", str(tmp_path / "x.html")]) == 2
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert metrics.main(["preference", str(tmp_path / "absent.json")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and "absent.json" in lines[0] and "absent.npy" in lines[1]
    assert lines[2].endswith("pip install scipy")


def test_study_command(models, tmp_path, capsys):
    out = tmp_path / "page.html"
    arguments = ["study", *map(str, models[:2]), "--pairs", "4", "--catch", "2", "--out", str(out)]
    assert metrics.main(arguments) == 0
    assert "for want of --real" in capsys.readouterr().out
    trial, key = read_page(out)
    assert len(trial["clips"]) == 6
    assert metrics.main([*arguments, "--real", str(models[2])]) == 0
    assert str(models[2]) in capsys.readouterr().out
