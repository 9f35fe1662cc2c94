"""What each caveat advises: an option or command that an end-to-end test types, or why none can be typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from advice_words import ROOT
from rkbench_agent.wire.caveats import WEIGHTS

#: What the advice of a caveat names, and a test of `tests/e2e` or `tests/emulated` types.
TYPED = {
    "autocorrelated": "--pin",
    "below_max_clock": "--pin",
    "blocks_differ": "--pin",
    "clock_changed": "--pin",
    "constant_output": "inspect",
    "cpu_governor": "--pin",
    "dead_part": "inspect",
    "differs_from_simulator": "inspect",
    "drift": "--cool-below",
    "few_blocks": "--duration",
    "few_quads": "--loads",
    "few_readings": "--duration",
    "golden_assumed": "golden",
    "governor": "--pin",
    "growth": "--runtime",
    "host_bound": "--runtime",
    "max_duration_reached": "--max-duration",
    "memory_leak": "--load-cycles",
    "modes": "--cores",
    "no_golden": "--golden",
    "nondeterministic": "--cores",
    "not_finite": "inspect",
    "one_scale": "inspect",
    "outputs_beside": "--placement",
    "outputs_not_recorded": "--board",
    "outputs_wrong": "golden",
    "overloaded": "--rate",
    "p99_rough": "--iterations",
    "precision_not_reached": "--precision",
    "random_calibration": "--calibration",
    "simulated": "--board",
    "slow_start": "--warmup",
    "slow_turns": "--no-interleave",
    "throttling": "--cool-below",
    "too_few_iterations": "--iterations",
}
#: Who looks, or changes something there: nothing that a test could type.
AT_THE_BOARD = {"board_clock", "busy_during", "npu_busy", "periodic"}
ROOMS = ("host/rkbench/runs/caveats", "agent/rkbench_agent/run", "agent/rkbench_agent/runtimes")


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text("utf-8")) for room in ROOMS for path in (ROOT / room).glob("*.py"))


@cache
def named() -> dict[str, list[ast.AST]]:
    """Return what a name stands for: constants and functions of those rooms."""
    found: dict[str, list[ast.AST]] = {}
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def words(node: ast.AST, depth: int = 3) -> Iterator[str]:
    """Yield all text of an expression, and of the constants and functions that it names."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and depth:
            for meant in named().get(part.id, ()):
                yield from words(meant, depth - 1)


def advice_of(code: str) -> str:
    told: list[str] = []
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "caveat":
                first = node.args[0]
                if isinstance(first, ast.Constant) and first.value == code and len(node.args) > 2:
                    told += words(node.args[2])
    return " ".join(told)


def test_every_caveat_advises_what_is_typed_or_what_only_a_person_does() -> None:
    wrong = {code: word for code, word in TYPED.items() if word not in advice_of(code)}
    assert wrong == {}
    assert [code for code in AT_THE_BOARD if not advice_of(code)] == []


def test_no_rule_is_missing_from_the_table() -> None:
    table = ROOT / "host/rkbench/runs/caveats"
    rules = "\n".join(path.read_text("utf-8") for path in table.glob("*.py"))
    codes = {code for code in WEIGHTS if re.search(rf"\bcaveat\(\s*\"{code}\"", rules)}
    without = {"equal_nonfinite", "impossible_number", "pin_without_effect", "ties"}
    assert codes - TYPED.keys() - AT_THE_BOARD == without


def test_what_the_table_has_is_typed_by_a_test() -> None:
    files = [path for room in ("e2e", "emulated") for path in (ROOT / "tests" / room).glob("*.py")]
    typed = "\n".join(path.read_text("utf-8") for path in files)
    assert [word for word in set(TYPED.values()) if not re.search(rf"[\"' ]{word}[\"' =]", typed)] == []
