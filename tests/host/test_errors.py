"""All expected failures of host and of agent stand in one file each, with their tree drawn at its top."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"rkbench": ROOT / "host/rkbench", "rkbench_agent": ROOT / "agent/rkbench_agent"}
#: The wire is the one part of the agent that the host imports, and raises what both of them can read. What
#: the NPU's parts refuse never leaves their room: the executor makes a NotModelledError of it. Too many
#: logins are an answer of 503. What onnxruntime cannot run is a ModelError to whoever is told of it.
ELSEWHERE = {
    "rkbench": {
        ("metrics/guarding.py", "TooManyLoginsError"),
        ("npu/execute/fields.py", "UnmodelledError"),
        ("onnx/runtime.py", "CannotRunError"),
        ("toolkit/apart/converter/convert.py", "StageError"),
    },
    "rkbench_agent": {("wire/codec.py", "WireError")},
}
EXCEPTION = re.compile(r"(Error|Exception|Warning|Interrupt|Exit)$")


def defined(folder: Path) -> set[tuple[str, str]]:
    """Return file and name of every class whose base has the name of an exception."""
    return {
        (path.relative_to(folder).as_posix(), node.name)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any(EXCEPTION.search(ast.unparse(base)) for base in node.bases)
    }


def drawn(module: ModuleType) -> dict[str, str]:
    """Return the base of every class in the tree at the top of `module`; that of the root is Exception."""
    above: list[tuple[int, str]] = [(-1, "Exception")]
    bases: dict[str, str] = {}
    for line in (module.__doc__ or "").splitlines():
        found = re.match(r"[│├└─ ]*([A-Z]\w+Error)\b", line)
        if found:
            while above[-1][0] >= found.start(1):
                above.pop()
            bases[found[1]] = above[-1][1]
            above.append((found.start(1), found[1]))
    return bases


def written(module: ModuleType) -> dict[str, str]:
    classes = [item for item in vars(module).values() if isinstance(item, type)]
    return {item.__name__: item.__base__.__name__ for item in classes if item.__module__ == module.__name__}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_exception_is_defined_elsewhere(package: str) -> None:
    outside = {item for item in defined(PACKAGES[package]) if item[0] != "errors.py"}
    assert outside == ELSEWHERE[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_picture_at_the_top_is_the_tree(package: str) -> None:
    module = importlib.import_module(f"{package}.errors")
    assert drawn(module) == written(module)
    assert len(written(module)) >= 10
