"""A group of commands that are known by a line of help each, and imported when one of them is typed."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from rkbench.cli import voice
from rkbench.cli.examples import epilog_of
from rkbench.cli.plain_values import read_plainly

#: So many new objects, then rounds, until garbage is looked for: by Python's own numbers two hundred times
#: while the modules of a push are loaded, which hold none, and a tenth of the time that it takes.
GARBAGE_THRESHOLD = (10_000, 20, 20)
#: What all commands and groups have in common: plain help, no rich.
PLAIN: dict[str, Any] = {"rich_markup_mode": None}


class Command(NamedTuple):
    """A command: the first line of its docstring, and where its function is, as `module:function`."""

    help: str
    target: str


class Group(NamedTuple):
    """A command that has commands."""

    help: str
    commands: Mapping[str, Command]


class LazyGroup(TyperGroup):
    """A group whose commands are stubs, good for lists and completion, until one of them is resolved."""

    def __init__(self, *, tree: Mapping[str, Command | Group], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._tree = tree
        self.commands = {name: _stub(name, node) for name, node in tree.items()}

    def get_help_option(self, ctx: Any) -> Any:
        """Return `--help`, decided."""
        return _decided(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # the context's class is typer's own affair
        """Return name, command and what is left of `args`; here the command's module is imported."""
        name, command, rest = super().resolve_command(ctx, args)
        node = self._tree.get(name or "")
        return name, load(name, node) if isinstance(node, Command) else command, rest


class LoadedCommand(TyperCommand):
    """A command whose module is imported."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return `--help`, decided."""
        return _decided(super().get_help_option(ctx))


def _decided(flag: Any) -> Any:
    """Return a flag, off by default: typer imports pydantic to read what is undecided."""
    if flag is not None:
        flag.default = False
    return flag


def load(name: str | None, command: Command) -> TyperCommand:
    """Import a command and build it, with the options that all have in common."""
    module, _, function = command.target.partition(":")
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, **PLAIN)
    called = getattr(import_module(f"rkbench.cli.{module}"), function)
    single.command(name, cls=LoadedCommand, epilog=epilog_of(module))(called)
    built: Any = get_command(single)
    read_plainly(built.params, called)
    built.params += voice.parameters()
    gc.set_threshold(*GARBAGE_THRESHOLD)
    gc.enable()  # `main` has put it off
    return built  # type: ignore[no-any-return]  # a Typer of one command yields that command


def _stub(name: str, node: Command | Group) -> TyperCommand | TyperGroup:
    if isinstance(node, Command):
        return TyperCommand(name, help=node.help, **PLAIN)
    return LazyGroup(
        name=name,
        help=node.help,
        tree=node.commands,
        no_args_is_help=True,
        params=voice.parameters(),
        **PLAIN,
    )
