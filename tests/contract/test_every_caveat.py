"""Every caveat has a run, or a test, that raises it, and one of nearly the same that does not."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from advice_words import ROOT
from caveat_cases import RUNS, TESTS
from rkbench_agent.wire.caveats import WEIGHTS

#: Said by agents of before the virtual NPU had cores; no agent of today does.
NO_MORE_SAID = {"cores_not_modelled"}
#: Holds what is said to nothing at all: no caveat, of whatever code.
NOTHING = re.compile(r"(caveats\w*|BoardCaveat\)|codes) == (\[\]|\(\)|\{\}|set\(\))")


def test_every_caveat_has_a_case_of_its_own() -> None:
    assert RUNS.keys() | TESTS.keys() == WEIGHTS.keys() - NO_MORE_SAID
    assert RUNS.keys() & TESTS.keys() == set()


@pytest.mark.parametrize("code", RUNS)
def test_a_run_raises_it_and_another_does_not(code: str) -> None:
    raising, quiet = RUNS[code]
    assert code in raising()
    assert code not in quiet()


def test_the_tests_that_are_named_are_there_and_collected() -> None:
    named = [node.partition("::") for pair in TESTS.values() for node in pair]
    assert [path for path, _, _ in named if not (ROOT / path).name.startswith("test_")] == []
    missing = [(path, name) for path, _, name in named if name not in _functions(ROOT / path)]
    assert missing == []
    assert [name for _, _, name in named if not name.startswith("test_")] == []


@pytest.mark.parametrize("code", TESTS)
def test_a_test_raises_it_and_another_does_not(code: str) -> None:
    raising, quiet = map(source_of, TESTS[code])
    assert raising != quiet
    assert f'"{code}"' in raising
    assert f'"{code}"' in quiet or NOTHING.search(quiet)


def source_of(node: str) -> str:
    """Return the source of a test by its file and name; raises KeyError where there is none."""
    path, name = node.split("::")
    return _functions(ROOT / path)[name]


@cache
def _functions(path: Path) -> dict[str, str]:
    source = path.read_text("utf-8")
    found = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return {node.name: ast.get_source_segment(source, node) or "" for node in found}
