"""Options in groups: typed flat, handed on as one value."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from rkbench.cli.grouped import grouped
from typer.testing import CliRunner


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(help="How wide.")]
    height: Annotated[int, typer.Option("-y", "--high", help="How high.")] = 2


@grouped
def draw(
    context: typer.Context, size: Size, colours: Annotated[list[str] | None, typer.Option("--colour")] = None
) -> None:
    """Draw it."""
    print(type(size).__name__, size.width, size.height, colours, context.info_name)


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer(rich_markup_mode=None)
    app.command("draw")(draw)
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


def test_the_fields_of_a_group_are_options_in_its_place() -> None:
    assert list(inspect.signature(draw).parameters) == ["context", "width", "height", "colours"]
    code, page = run("--help")
    assert code == 0
    assert ["--width" in page, "--high" in page, "How wide." in page, "Draw it." in page] == [True] * 4


def test_the_command_is_handed_the_group() -> None:
    assert run("--width", "3", "-y", "4", "--colour", "red") == (0, "Size 3 4 ['red'] draw\n")
    assert run("--width", "3")[1].startswith("Size 3 2 ")


@pytest.mark.parametrize("arguments", [(), ("--width", "wide")])
def test_a_field_without_a_default_must_be_given_and_fit(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2
