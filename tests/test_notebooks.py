"""notebooks/: both run from top to bottom in a small setting; what they claim in numbers is true, as committed too."""

import importlib
import inspect
import json
import re
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("ipykernel", reason="needs a Python kernel (pip install ipykernel)")
nbformat = pytest.importorskip("nbformat", reason="needs nbformat (pip install nbformat)")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient (pip install nbclient)")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the notebooks import, elsewhere: what they draw and train there stays out of the checkout."""
    folder = tmp_path_factory.mktemp("clone")
    for path in ROOT.glob("*.py"):
        (folder / path.name).symlink_to(path)
    for name in ("tools", "pretrained"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def fill_in(notebook):
    """Put the answer that is folded below an exercise in the place of the line that is marked as the reader's."""
    [(cell, below)] = [pair for pair in pairwise(notebook.cells) if "# <- yours" in pair[0].source]
    answer = textwrap.indent(re.search(r"```python\n(.*?)```", below.source, re.DOTALL)[1], "    ")
    cell.source = re.sub(r".*# <- yours.*\n", lambda _: answer, cell.source)


@pytest.fixture(params=["committed", "executed"])
def claims(request, folder, monkeypatch):
    """claims(NAME): the numbers that a notebook ends with, as it is committed, or after a quick, answered run."""

    def claims(name):
        path = ROOT / "notebooks" / f"{name}.ipynb"
        notebook = nbformat.read(path, 4)
        if request.param == "executed":
            monkeypatch.setenv("RJGAN_NOTEBOOK_QUICK", "1")
            monkeypatch.setenv("OMP_NUM_THREADS", "1")
            fill_in(notebook)
            place = {"metadata": {"path": str(folder)}}
            nbclient.NotebookClient(notebook, timeout=300, coalesce_streams=True, resources=place).execute()
        else:
            assert path.stat().st_size < 1e6
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # once, in order
            kinds = {output.output_type for cell in code for output in cell.outputs}
            assert kinds <= {"stream", "display_data", "execute_result"}, kinds  # and no error
            assert all(output.get("name") != "stderr" for cell in code for output in cell.outputs)
        return json.loads(notebook.cells[-1].outputs[0].text)

    return claims


def test_repository():
    """A notebook that is opened alone clones the address that CITATION.cff gives, if it gives one."""
    given = re.search(r"^repository-code: *[\"']?([^\s\"']+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        first = next(cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")
        assert re.search(r'^REPOSITORY = "(.*)"', first.source, re.MULTILINE)[1] == (given[1] if given else "")


def test_listings_are_of_the_files_as_they_are():
    found = []
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            for file, name in re.findall(r"^print\(inspect.getsource\((\w+)\.(\w+)\)\)", cell.source, re.MULTILINE):
                assert cell.outputs[0].text == inspect.getsource(getattr(importlib.import_module(file), name)) + "\n"
                found += [name]
    assert found == ["Latents"]


def test_elbo(claims):
    """Each step of the derivation, the gap, the mistaken prior, the importance-weighted bounds, and DSA."""
    c = claims("elbo")
    errors = {name: value for name, value in c.items() if name.startswith(("step", "kl:", "|gap", "RJVAE: |ELBO"))}
    exact = errors.pop("step 3: largest difference")
    assert len(errors) == 6 and max(errors.values()) < 4.5, errors  # in standard errors
    assert exact < 1e-9 and c["true posterior: largest |log w - log p(x)|"] < 1e-9
    assert abs(c["gap at a = 0.0"]) < 0.02 and 1.2 < c["gap at a = 0.9"] < 1.6
    assert c["gaps in order"] and 0.2 < c["gap: independence alone, as a share"] < 0.3

    assert c["jumping video: mistaken 'bound' minus log p(x), in standard errors"] > 4.5
    assert c["jumping video: log p(x) minus the ELBO"] > 1
    assert c["right: a"] > 0.75 and abs(c["mistaken: a"]) < 0.1
    assert c["truth: log p(x)"] > c["right: log p(x)"] > c["mistaken: log p(x)"] + 0.5
    right, mistaken = c["RJVAE: kl_motion right, mistaken"]
    assert mistaken > 1.1 * right

    for q in "q trained", "q untrained":
        gaps = c[f"toy, {q}: log p(x) minus the bounds"]
        assert all(worse > better > 0 for worse, better in pairwise(gaps)), gaps
    bounds = c["RJVAE: IWAE bounds"]
    assert len(bounds) == 3 and all(low + 1 < high for low, high in pairwise(bounds)), bounds
    assert c["RJVAE: error of mu alone / error of mu + delta"] > 1.1
    assert c["RJVAE: |sum over coordinates - kl_content|"] < 1e-3

    assert c["functions shared with dsa.py"] == 7 and c["DSA: |[f, 0] + [0, z] - [f, z]|"] == 0
    assert c["dsa: the prior's change with content"] == 0 and c["rjvae: the prior's change with content"] > 0.01


def test_residuals(claims):
    """Frames stay near their summary, for any length; A.6 drifts; images lie between images; content may vary."""
    c = claims("residuals")
    assert c["pixels: frame to own summary / to others"] < 0.7 and c["pixels: nearest summary is the own"] > 0.8
    assert c["latents: nearest summary is the own"] > 0.95
    assert c["share of the pixels' variance between summaries"] > 0.5
    assert c["sum of the shares"] == pytest.approx(1, abs=1e-4)
    assert 0 < c["largest coordinate of a residual"] <= 1
    ours, previous = c["distance at t = 64 over t = 16: RJGAN, A.6"]
    assert 0.8 < ours < 1.25 and previous > 1.5
    assert c["interpolation: neighbours / ends"] < 0.4
    circling, settled = (c[f"toy: distance after 400 steps, gamma = {gamma}"] for gamma in (0.0, 0.3))
    assert circling > 0.3 and settled < 0.01
    assert c["MoCoGAN: share of the content's variance within videos"] < 1e-10
    assert c["RMoCoGAN: share of the content's variance within videos"] > 1e-5
