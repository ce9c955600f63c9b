"""The house: copies that agree, differences that are tagged, and little of them."""

import ast
import difflib
import importlib
import itertools
import tokenize

import pytest
from conftest import ROOT

FAMILIES = (("mocogan", "rmocogan", "rjgan"), ("dsa", "rjvae"))
PAIRS = [pair for family in FAMILIES for pair in itertools.combinations(family, 2)]
PAIRS = [pair for pair in PAIRS if all((ROOT / f"{name}.py").exists() for name in pair)]
FILES = [name for family in FAMILIES for name in family if (ROOT / f"{name}.py").exists()]
BUDGET = {
    ("mocogan", "rjgan"): 75,
    ("mocogan", "rmocogan"): 40,
    ("dsa", "rjvae"): 80,
}  # changed lines, - and + together


def source(name):
    return (ROOT / f"{name}.py").read_text()


def code(text):
    """The lines of a source without docstrings and blank lines; comments, also those behind a docstring, stay."""
    tree = ast.parse(text)
    lines = text.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            string = node.body[0]
            rest = lines[string.end_lineno - 1].encode()[string.end_col_offset :].decode()
            for i in range(string.lineno - 1, string.end_lineno):
                lines[i] = ""
            lines[string.end_lineno - 1] = rest.strip() and " " * string.col_offset + rest.strip()
    return [line.rstrip() for line in lines if line.strip()]


def definitions(name):
    """Every top-level function and class with its text, comments included, and docstrings apart from it."""
    text = source(name)
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            while lines[first - 2].startswith("#") and not lines[first - 2].startswith("# ---"):
                first -= 1  # the comments above it are part of it
            last = node.end_lineno
            found[node.name] = "\n".join(lines[first - 1 : last])
    return found


def untagged(a, b):
    """The differing hunks of two lists of lines that carry no tag on any of their lines."""
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    hunks = [(a[i:j], b[k:m]) for kind, i, j, k, m in matcher.get_opcodes() if kind != "equal"]
    return [hunk for hunk in hunks if not any("new vs" in line for line in [*hunk[0], *hunk[1]])]


def without_new_classes(text, names):
    """A source without the named classes, if their docstring is tagged: such a class is new as a whole."""
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name in names:
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(lines)


def new_classes(*texts):
    """The classes whose docstring is tagged in one of the sources."""
    nodes = [(text, node) for text in texts for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return {node.name for text, node in nodes if "new vs" in text.splitlines()[node.body[0].end_lineno - 1]}


def changed(a, b):
    """How many lines a diff takes away and how many it adds."""
    diff = [line[0] for line in difflib.ndiff(a, b) if line[0] in "+-"]
    return diff.count("-"), diff.count("+")


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_the_same_name_means_the_same_code(pair):
    ours, theirs = map(definitions, pair)
    shared = ours.keys() & theirs.keys()
    assert {"train", "parse_args", "main"} <= shared
    for name in sorted(shared - new_classes(*map(source, pair))):
        if ours[name] != theirs[name]:
            hunks = untagged(code(ours[name]), code(theirs[name]))
            assert not hunks, f"{name} differs in {' and '.join(pair)} without a tag: {hunks}"


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_every_difference_is_tagged(pair):
    """Also those outside of functions and classes: constants, imports, comments."""
    names = new_classes(*map(source, pair))
    hunks = untagged(*(code(without_new_classes(source(name), names)) for name in pair))
    assert not hunks, f"{' and '.join(pair)} differ without a tag: {hunks}"


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_identical_definitions_have_identical_docstrings(pair):
    """Where the code of a name is the same in two files, so is its docstring."""
    ours, theirs = map(definitions, pair)
    for name in sorted(ours.keys() & theirs.keys()):
        if code(ours[name]) == code(theirs[name]):
            assert ours[name] == theirs[name], name


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair in BUDGET], ids=" ".join)
def test_the_diff_is_small(pair):
    removed, added = changed(code(source(pair[0])), code(source(pair[1])))
    print(f"diff {pair[0]}.py {pair[1]}.py: {removed} lines removed, {added} added, outside docstrings")
    assert removed + added <= BUDGET[pair]


def test_every_file_has_the_common_flags():
    common = "data data-root out iters batch frames stride size width lr seed device resume log-every sample-every"
    for name in FILES:
        flags = vars(importlib.import_module(name).parse_args([]))
        assert {flag.replace("-", "_") for flag in f"{common} save-every sample eval".split()} <= flags.keys()


def imports(name):
    names = set()
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names


def test_who_imports_whom():
    """An engineer takes one model file and data.py."""
    project = {path.stem for path in ROOT.glob("*.py")}
    for name in FILES:
        assert imports(name) & {*project, "tools"} == {"data"}, name
    assert not imports("data") & {*project, "tools"} - {"data"}  # itself: see its last lines; others by importlib
    if "metrics" in project:
        assert imports("metrics") & project <= {"data", "metrics"}


@pytest.mark.parametrize("name", FILES)
def test_the_sections_come_in_order(name):
    lines = source(name).splitlines()
    banners = [line for line in lines if line.startswith("# --- ")]
    words = ["Networks, the same in", "The idea: ", "Losses", "Training", "Sampling and figures", "Command line"]
    assert len(banners) == len(words)
    for banner, word in zip(banners, words, strict=True):
        assert word in banner
    docstring = ast.get_docstring(ast.parse(source(name)))
    assert len(docstring.splitlines()) <= 30


@pytest.mark.parametrize("name", FILES)
def test_functions_that_others_call_are_documented(name):
    for node in ast.parse(source(name)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name not in ("parse_args", "main"):
            assert ast.get_docstring(node), f"{name}.py: {node.name}"


def test_these_checks_see_a_drift():
    a = 'def f(x):\n    """One."""  # kept\n    # why\n    return x\n'
    assert code(a) == ["def f(x):", "    # kept", "    # why", "    return x"]
    assert untagged(code(a), code(a.replace("One", "Two"))) == []
    assert untagged(code(a), code(a.replace("why", "how"))) == [(["    # why"], ["    # how"])]
    assert untagged(code(a), code(a.replace("return x", "return 2 * x  # new vs a.py"))) == []
    assert changed(code(a), code(a.replace("return x", "y = 2 * x\n    return y"))) == (1, 2)
    assert tokenize.open(__file__).encoding == "utf-8"
