"""Values that are read without typer's own reader are those that it would read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rkbench.cli.app import COMMANDS
from rkbench.cli.lazy import Command, load

COMMAND_LINES = [
    ("push", ["a.rknn", "b.rknn", "--board", "desk"]),
    ("push", ["a.rknn", "--board", "desk", "--iterations", "12", "--duration", "0.5", "--effect", "1.5"]),
    ("push", ["a.rknn", "--board", "desk", "--effect", "3", "--loads", "-1", "--seed", "007", "--wait", "1"]),
    ("push", ["a.rknn", "--board", "desk", "--recipe", "fp16", "--recipe", "fix,int8", "--jobs", "2"]),
    ("push", ["a.rknn", "--board", "desk", "--golden", "g.npz", "--json", "-", "--store", "", "--pin"]),
    ("push", ["a.rknn", "--board", "desk", "--iterations", "1_000", "--wait", "1e3", "--cool-below", " 60 "]),
    ("push", ["", "--board", ""]),
    ("convert", ["m.onnx", "--time-limit", "60", "--memory-limit", "0.5"]),
    ("predict", ["m.rknn"]),
    ("run", ["m.rknn", "--inputs", "x.npz", "--graph", "1"]),
    ("history", []),
]
REFUSED = [
    ("push", []),
    ("push", ["a.rknn"]),
    ("push", ["a.rknn", "--board", "desk", "--iterations", "many"]),
    ("push", ["a.rknn", "--board", "desk", "--iterations", "1.5"]),
    ("push", ["a.rknn", "--board", "desk", "--jobs", "0"]),
    ("convert", ["m.onnx", "--memory-limit", "0.05"]),
    ("run", ["m.rknn", "--inputs", "x.npz", "--graph", "-1"]),
]


def built(name: str, *, plain: bool) -> Any:
    """Return a command, which reads values by typer alone unless `plain`."""
    command = COMMANDS[name]
    assert isinstance(command, Command)
    found = load(name, command)
    for parameter in found.params:
        if not plain:
            vars(parameter).pop("process_value", None)
    return found


def values(name: str, arguments: list[str], *, plain: bool) -> dict[str, Any]:
    given: dict[str, Any] = built(name, plain=plain).make_context(name, list(arguments)).params
    return given


@pytest.mark.parametrize(("name", "arguments"), COMMAND_LINES)
def test_a_command_gets_the_values_that_typer_reads(name: str, arguments: list[str]) -> None:
    plainly, by_typer = (values(name, arguments, plain=plain) for plain in (True, False))
    assert plainly == by_typer
    assert {key: type(each) for key, each in plainly.items()} == {
        key: type(each) for key, each in by_typer.items()
    }


@pytest.mark.parametrize(("name", "arguments"), REFUSED)
def test_what_typer_refuses_is_refused_in_its_words(name: str, arguments: list[str]) -> None:
    told = []
    for plain in (True, False):
        with pytest.raises(Exception) as caught:
            values(name, arguments, plain=plain)
        told.append((type(caught.value), str(caught.value)))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "words",
    [["predict", "nowhere.rknn"], ["push", "nowhere.rknn", "--any", "--board", "virtual", "--store", "s"]],
)
def test_a_plain_command_line_is_read_without_pydantic(tmp_path: Path, words: list[str]) -> None:
    code = (
        "import sys\n"
        "from rkbench.cli import main\n"
        f"sys.argv = ['bench', *{words!r}]\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print('pydantic' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "nowhere.rknn" in done.stderr
    assert done.stdout == "False\n"
