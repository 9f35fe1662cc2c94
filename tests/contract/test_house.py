"""The order of the house: one noun, one home; no swollen file or function; a map that is true."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for top in ("host", "agent")
    for path in (ROOT / top).rglob("*.py")
    if "trees" not in path.relative_to(ROOT).parts[:-1]
)
#: Class names that stand twice, and why that is right.
ALLOWED_TWICE: dict[str, str] = {
    "Tensor": "the stand-in for torch has torch's own names",
    "Stages": "of a run, and of a conversion in the toolkit's own Python, which imports nothing of ours",
}
LONGEST_FILE = 300
LONGEST_FUNCTION, LONG_FUNCTION = 50, 18
#: Backticked words of the map that are paths of this repository.
_PATH = re.compile(r"`((?:host|agent|tests|tools|deploy|docs|benchmarks)/[\w./*-]+)`")


def definitions(kinds: type | tuple[type, ...]) -> Iterator[tuple[Path, ast.AST]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kinds):
                yield path.relative_to(ROOT), node


def test_no_class_name_has_two_meanings() -> None:
    homes: dict[str, set[str]] = {}
    for path, node in definitions(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        homes.setdefault(node.name, set()).add(str(path))
    twice = {name: sorted(found) for name, found in homes.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if name not in ALLOWED_TWICE} == {}
    assert set(ALLOWED_TWICE) <= set(twice), "an allowed name stands once: take it off the list"


def test_no_file_is_swollen() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_stay_short() -> None:
    lengths: dict[str, int] = {}
    for path, node in definitions((ast.FunctionDef, ast.AsyncFunctionDef)):
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        # With the line: the methods of two classes may share a name.
        lengths[f"{path}:{node.lineno} {node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
    assert quantiles(lengths.values(), n=10)[-1] <= LONG_FUNCTION


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_every_path_that_a_document_names_is_there(name: str) -> None:
    named = _PATH.findall((ROOT / name).read_text(encoding="utf-8"))
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []


def test_the_map_states_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(item["layers"] for item in contracts if item["name"] == "imports point down")
    told = " > ".join(layer.replace("rkbench.", "").replace(" ", "") for layer in layers)
    text = re.sub(r"\s+", " ", (ROOT / "ARCHITECTURE.md").read_text("utf-8"))
    assert f"`{told}`" in text


def test_the_map_names_every_package_with_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    given = [*project["dependencies"], *(item for name in extras if name != "dev" for item in extras[name])]
    names = {re.split(r"[\s\[<>=;]", item)[0] for item in given}
    rows = [
        line for line in (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines() if line.startswith("| ")
    ]
    explained = {word.strip() for row in rows for word in row.split("|")[1].split(",")}
    assert names - explained == set()


def test_no_two_files_of_tests_share_a_name() -> None:
    """Folders without `__init__.py` share a namespace: pytest then collects one of the two only."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
