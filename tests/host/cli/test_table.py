"""The table of commands says what the commands themselves say, though it imports none of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from rkbench.cli.app import COMMANDS
from rkbench.cli.lazy import Command, Group

#: What a help page has no use for, though some command needs it.
HEAVY = {
    "jinja2",
    "logging",
    "msgspec",
    "numpy",
    "onnx",
    "onnxruntime",
    "paramiko",
    "prometheus_client",
    "psutil",
    "pydantic",
    "rich",
    "scipy",
    "sqlite3",
    "tomlkit",
}


def commands() -> Iterator[tuple[str, Command]]:
    for name, node in COMMANDS.items():
        if isinstance(node, Group):
            yield from ((f"{name} {inner}", command) for inner, command in node.commands.items())
        else:
            yield name, node


@pytest.mark.parametrize("command", [pytest.param(command, id=name) for name, command in commands()])
def test_a_command_is_listed_by_the_first_line_of_its_docstring(command: Command) -> None:
    module, _, function = command.target.partition(":")
    found = getattr(import_module(f"rkbench.cli.{module}"), function)
    assert (inspect.getdoc(found) or "").splitlines()[0] == command.help


@pytest.mark.parametrize(
    "line", ["--help", "--version", "boards -h", "push --help", "inspect --help", "nightly --help"]
)
def test_a_help_page_imports_nothing_that_it_does_not_show(line: str) -> None:
    code = (
        "import sys; from rkbench.cli import main\n"
        "sys.argv = ['bench', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_push_of_a_file_that_is_converted_imports_no_extra(tmp_path: Path) -> None:
    """The base install has none of them; and they take longer to import than a push to a board costs."""
    code = (
        "import sys; from rkbench.cli import main\n"
        "sys.argv = ['bench', 'push', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "extras = {'onnx', 'onnx_ir', 'onnxruntime', 'sympy', 'google.protobuf', 'PIL', 'pycocotools'}\n"
        "print(sorted(extras & set(sys.modules)))"
    )
    model = Path(__file__).parents[2] / "data/models/mb_gap7_rk3588_i8.rknn"
    options = ("--board", "virtual", "--quick", "--duration", "0", "--quiet", "--store", str(tmp_path / "s"))
    done = subprocess.run(
        [sys.executable, "-c", code, model, *options], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
