"""The page of --explore, in a real headless Chromium."""

import argparse
import base64
import importlib
import io
import json
import re

import numpy as np
import pytest
import torch
from conftest import train
from PIL import Image

import data
import rjgan
from tools import explore


def page_of(path):
    return json.loads(re.search(r'type="application/json">(.*?)</script>', path.read_text("utf-8"), re.S)[1])


def picture(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"))


def shown(page, name):
    """The pixels (H, W, 3) of a canvas."""
    script = """(name) => { const canvas = document.querySelector(name);
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return [canvas.height, canvas.width, ...data]; }"""
    height, width, *values = page.evaluate(script, name)
    return np.array(values).reshape(height, width, 4)[..., :3]


def test_points_between():
    contents = torch.randn(explore.CONTENTS, 5)
    points, lines = explore.between(contents)
    assert len(points) == 6 + 15 * 6 and len(lines) == 15
    for name, line in lines.items():
        i, j = map(int, name.split())
        expected = torch.stack([torch.lerp(contents[i], contents[j], k / 7) for k in range(8)])
        assert torch.allclose(points[line], expected, atol=1e-6)


def test_pictures_are_those_of_the_model(gan, run, capsys):
    before = sorted(run.iterdir())
    assert gan.main(["--out", str(run), "--explore"]) == 0
    assert str(run / "explore.html") in capsys.readouterr().out
    assert set(run.iterdir()) - set(before) == {run / "explore.html"}
    page = page_of(run / "explore.html")
    assert page["summary"] == (gan.MODEL == "rjgan") and len(page["pictures"]) == 96 * 4
    _, nets = gan.load_run(run)
    drawn = gan.sample(nets, 6, 16, data.seeded(0))
    points, lines = explore.between(drawn["content"])
    point, noise = lines["1 4"][3], 2
    expected = gan.sample(nets, 1, 16, data.seeded(9), points[point][None], drawn["motion"][noise][None])
    strip = np.concatenate(data.to_uint8(gan.filmstrip(expected))[0], axis=1)
    found = picture(page["pictures"][noise * 96 + point])
    assert found.shape == strip.shape
    assert np.abs(found.astype(float) - strip).mean() < 12  # WebP


@pytest.mark.parametrize("file", ["dsa", "rjvae"])
def test_vaes(file, tiny, tmp_path):
    vae, out = importlib.import_module(file), tmp_path / "run"
    flags = "--size 32 --width 4 --hidden 8 --batch 2 --iters 1 --device cpu".split()
    train(vae, ["--data", str(tiny), *flags, "--out", str(out)])
    assert vae.main(["--out", str(out), "--explore"]) == 0
    assert page_of(out / "explore.html")["summary"] == (file == "rjvae")


def coloured(nets, n, frames, rng, content=None, motion=None):
    """A `sample` whose red tells the content, whose green tells the noise, and whose blue tells the frame."""
    content = torch.tensor([0, 0.15, 0.35, 0.6, 0.8, 1])[:n, None] if content is None else content
    motion = torch.arange(n)[:, None].expand(n, frames) / 5 if motion is None else motion
    time = torch.linspace(0, 1, frames).expand(n, frames)
    videos = torch.stack([content.expand(n, frames), motion, time], 2)[..., None, None].expand(-1, -1, -1, 32, 32)
    return {"videos": 2 * videos - 1, "images": 1 - 2 * videos[:, 0], "content": content, "motion": motion}


@pytest.fixture
def explored(tmp_path):
    """A page of such videos."""
    args = argparse.Namespace(model="rjgan", seed=0, device="cpu", frames=16, size=32)
    explore.write_page(tmp_path / "page.html", args, {"data": "faces"}, None, coloured, rjgan.filmstrip)
    return tmp_path / "page.html"


def test_each_picture_is_of_its_content_and_noise(explored):
    page, contents = page_of(explored), [0, 0.15, 0.35, 0.6, 0.8, 1]
    for noise in range(4):
        for name, line in page["lines"].items():
            first, last = (contents[int(k)] for k in name.split())
            for step, point in enumerate(line):
                strip = picture(page["pictures"][noise * 96 + point])
                red = first + (last - first) * step / 7
                np.testing.assert_allclose(strip[16, 16] / 255, [1 - red, 1 - noise / 5, 1], atol=0.03)  # summary
                for t in (0, 7, 15):
                    np.testing.assert_allclose(strip[16, 48 + 32 * t] / 255, [red, noise / 5, t / 15], atol=0.03)


def test_slide_choose_and_listen(explored, visit):
    content = page_of(explored)
    page = visit(explored, reduced_motion="reduce")  # it rests at the first frame

    def check(point, noise):
        whole = picture(content["pictures"][noise * 96 + point])
        for name, part in {"#summary": whole[:, :32], "#video": whole[:, 32:64], "#strip": whole[:, 32:]}.items():
            np.testing.assert_allclose(shown(page, name), part, atol=3)

    place = page.locator("#place")
    page.get_by_text("Step 0 of 7 from content 1 to content 2, noise 1.").wait_for()
    assert place.get_attribute("aria-live") == "polite"
    check(0, 0)
    slider = page.get_by_label("Between the two")
    slider.press("End")
    assert place.inner_text() == "Step 7 of 7 from content 1 to content 2, noise 1."
    assert slider.get_attribute("aria-valuetext") in place.inner_text()
    check(1, 0)
    slider.press("ArrowLeft")
    check(content["lines"]["0 1"][6], 0)
    for noise in range(4):
        page.get_by_role("radio", name=f"Noise {noise + 1}").check(force=True)
        check(content["lines"]["0 1"][6], noise)
    page.get_by_role("radio", name="From content 5").check(force=True)
    page.get_by_role("radio", name="To content 3").check(force=True)
    check(content["lines"]["2 4"][1], 3)  # step 6 of 5 to 3 is step 1 of 3 to 5
    slider.press("Home")
    check(4, 3)
    page.get_by_role("radio", name="From content 5").press("ArrowRight")  # radio buttons: the arrows choose
    assert place.inner_text() == "Step 0 of 7 from content 6 to content 3, noise 4."
    check(5, 3)


def test_it_plays_and_fits_a_phone(explored, visit):
    page = visit(explored, viewport={"width": 360, "height": 640}, has_touch=True)
    page.get_by_text("Step 0 of 7").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    seen = {shown(page, "#video").tobytes() for _ in range(20) if not page.wait_for_timeout(60)}
    page.get_by_role("button", name="Pause").tap()
    page.wait_for_timeout(100)
    still = {shown(page, "#video").tobytes() for _ in range(5) if not page.wait_for_timeout(100)}
    assert len(seen) > 4 and len(still) == 1
    page.locator("#to label").nth(5).tap()
    assert "to content 6" in page.locator("#place").inner_text()


def test_a_page_that_is_too_large(gan, run, fails, monkeypatch):
    monkeypatch.setattr(explore, "LIMIT", 150_000)
    fails(gan.main, ["--out", str(run), "--explore"], "the page would exceed")
    fails(gan.main, ["--out", str(run), "--explore", "--frames", "600"], "ends at 16383")
