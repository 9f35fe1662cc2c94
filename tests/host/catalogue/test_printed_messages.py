"""Messages in the forms that runtimes really print: each with its answer; healthy logs have none.

The variants follow a rule that knows nothing of the patterns: other numbers and time stamps, with and without
`!`, another version's tail, another program's prefix. What was healthy stays healthy under it.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rkbench.catalogue import match
from rkbench.catalogue.explain import explain

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA = Path(__file__).parents[2] / "data/messages"
CASES: list[dict[str, Any]] = tomllib.loads((DATA / "failures.toml").read_text("utf-8"))["case"]
VARIANTS = ("numbers", "marks", "tail")
TAILS = (
    ", please try updating to the latest version of the toolkit2 and runtime from: https://example.org",
    ", If using rknn, update to the latest toolkit2. If using rknn-llm, update from: https://example.org",
    " (see the user guide, chapter 9)",
)
_TIME = re.compile(r"\[\d\d:\d\d:\d\d\.\d{3}\]")
_RUNTIME = re.compile(r"^(E|W|I) RKNN: ?(\[[\d:.]+\] ?)?")
#: Numbers that mean nothing by themselves: no error code, no version, no part of a name.
_NUMBER = re.compile(r"(?<![\w.=<>`'-])(?<!errno: )(?<!ret: )(?<!ret = )\d{1,9}(?![\w.'])")


def healthy_logs() -> dict[str, list[str]]:
    """Return the held back logs, by their sources."""
    logs: dict[str, list[str]] = {}
    for line in (DATA / "healthy.txt").read_text("utf-8").splitlines():
        if line.startswith("== "):
            logs[line[3:]] = []
        elif logs and line:
            logs[next(reversed(logs))].append(line)
    return logs


def variant(kind: str, line: str, chance: random.Random) -> str:
    """Return `line` as another board, time or version would have said it."""
    if kind == "numbers":
        hour, rest = chance.randrange(24), chance.randrange(60)
        stamp = f"[{hour:02}:{rest:02}:{rest:02}.{chance.randrange(1000):03}]"
        line = _TIME.sub(stamp, line) if _TIME.search(line) else f"{stamp} {line}"
        return _NUMBER.sub(lambda found: str(chance.randrange(10 ** len(found[0]))), line)
    if kind == "marks":
        bare = line.replace("!", "") if "!" in line else line + "!"
        return _RUNTIME.sub(r"07-21 18:23:13.177  2322  2326 \1 RKNN    : ", bare)
    cut = re.sub(r",? ?(please|If using|try) .*$", "", line)
    return f"[{chance.uniform(1, 900):12.6f}] {cut}{chance.choice(TAILS)}"


HEALTHY = healthy_logs()
ALARMS = [(source, kind) for source in HEALTHY for kind in ("as it was", *VARIANTS)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_a_message_has_its_row_and_its_cure(case: dict[str, Any]) -> None:
    first = match(case["lines"])[0]
    assert first.number == case["row"]
    assert case["cure"] in first.advice


@pytest.mark.parametrize("kind", VARIANTS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_its_variants_have_the_same(case: dict[str, Any], kind: str) -> None:
    chance = random.Random(f"{case['id']} {kind}")
    lines = [variant(kind, line, chance) for line in case["lines"]]
    assert lines != case["lines"]
    assert [found.number for found in match(lines)][:1] == [case["row"]], lines


def test_the_healthy_logs_are_many_and_of_many_sources() -> None:
    assert len(HEALTHY) >= 30
    assert len({source.partition(" | ")[0].partition("#")[0] for source in HEALTHY}) >= 10


@pytest.mark.parametrize(("source", "kind"), ALARMS)
def test_a_healthy_log_raises_no_alarm(source: str, kind: str) -> None:
    chance = random.Random(f"{source} {kind}")
    lines = HEALTHY[source]
    if kind != "as it was":
        lines = [variant(kind, line, chance) for line in lines]
    assert match(lines) == []


def test_100_mutated_healthy_lines_raise_no_alarm_each_alone() -> None:
    chance = random.Random("100 lines")
    lines = [line for log in HEALTHY.values() for line in log]
    mutated = [variant(chance.choice(VARIANTS), chance.choice(lines), chance) for _ in range(100)]
    assert [line for line in mutated if match([line])] == []


@pytest.mark.parametrize("source", HEALTHY)
def test_nothing_in_a_healthy_log_is_listed_as_not_understood(source: str) -> None:
    assert explain(HEALTHY[source]).unknown == ()
