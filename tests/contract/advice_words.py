"""What our own texts tell people to type: found in the source, and held against the commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import typer
from rkbench.catalogue.rows import rows
from rkbench.cli.app import COMMANDS
from rkbench.cli.lazy import Command, Group, load

#: The error of click, or of the click that typer brings.
UsageError: Any = typer.BadParameter.__mro__[1]
ROOT = Path(__file__).parents[2]
PARTS = ("host/rkbench", "agent/rkbench_agent")
#: Options of `bench` itself, and words that follow its name in a sentence.
OF_BENCH = frozenset({"--version", "--help", "--install-completion", "--show-completion"})
PROSE = frozenset({"made"})
_COMMAND = re.compile(r"(?<![\w./=-])bench((?: +[^\s]+)+)")
#: An option; `var(--ink)` is a colour of a style sheet.
_OPTION = re.compile(r"(?<![\w-])(?<!var\()(--[a-z][a-z0-9-]*)(?: +([^\s]+))?")
#: What ends a command in a sentence, and stands around words in one.
_END, _AROUND = ",;:.)", "`'\"("
#: Something to put a name in, a file, or one of the words that stand for a result.
_OPERAND = re.compile(r"[A-Z.*/{@]|^last$|^-$|^\d+$")


class Text(NamedTuple):
    """A text of the source: where it stands, and how it reads; `{...}` is what differs from run to run."""

    place: str
    text: str


class Typed(NamedTuple):
    """A command of ours in a text: its name, and what is wrong with it, if anything is."""

    name: str
    wrong: str


@cache
def texts() -> tuple[Text, ...]:
    """Return all texts of host and agent that a person may read, and the advice of the catalogue."""
    files = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    return (*(text for path in files for text in literals(path)), *_catalogue())


def literals(path: Path) -> Iterator[Text]:
    """Yield the texts of a file of ours that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        text = None if id(node) in told | parts else _text(node)
        if text:
            yield Text(f"{path.relative_to(ROOT)}:{node.lineno}", text)  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _catalogue() -> Iterator[Text]:
    for row in rows():
        for told in (row, *row.when):
            yield Text(f"catalogue {row.number}", told.advice)


def commands_in(text: str) -> list[Typed]:
    """Return the commands of ours that a text names."""
    return [_typed(found[1].split()) for found in _COMMAND.finditer(text)]


def options_in(text: str) -> list[tuple[str, str | None]]:
    """Return the options that a text names outside of our commands, with the word after each."""
    rest = _COMMAND.sub(" ", text)
    return [(found[1], found[2]) for found in _OPTION.finditer(rest)]


def _typed(words: list[str]) -> Typed:
    name, node, rest = _resolved(words)
    if node is None:
        return Typed(name, "" if name in {*COMMANDS, *OF_BENCH, *PROSE} else "no such command")
    return Typed(name, _wrong_in(rest, options_of(node)))


def _wrong_in(words: list[str], known: dict[str, Option]) -> str:
    """Return what is wrong with the words after a command, up to the end of it; "" for nothing."""
    args = iter(words)
    for word in args:
        plain, last = _plain(word), word
        if plain.startswith("-") and plain != "-":
            option = known.get(plain)
            if option is None:
                return f"it has no {plain}"
            if option.takes_value:
                last = next(args, "") if not _ends(word) else ""
                wrong = option.refuses(_plain(last)) if last else f"{plain} needs a value"
                if wrong:
                    return wrong
        elif not _OPERAND.search(plain):
            break
        if _ends(last):
            break
    return ""


def _resolved(words: list[str]) -> tuple[str, Command | None, list[str]]:
    """Return the command's name, what it is, and the words after it; None for a group, or for prose."""
    first = COMMANDS.get(_plain(words[0]))
    if first is None or isinstance(first, Command):
        return _plain(words[0]), first, words[1:]
    inner = first.commands.get(_plain(words[1])) if len(words) > 1 and not _ends(words[0]) else None
    return " ".join(map(_plain, words[: 1 + (inner is not None)])), inner, words[2:]


def _plain(word: str) -> str:
    return word.strip(_AROUND).rstrip(_END + "`'\"") if word not in ("...", ".") else word


def _ends(word: str) -> bool:
    return word != "..." and word[-1] in _END


class Option:
    """An option of a command."""

    def __init__(self, parameter: Any, context: Any) -> None:
        self._parameter, self._context = parameter, context

    @property
    def takes_value(self) -> bool:
        """Whether a word follows it."""
        return not self._parameter.is_flag and not self._parameter.count

    def refuses(self, value: str) -> str:
        """Return why it does not take a value; "" where it does, or where it is a placeholder."""
        if not value or re.search(r"[A-Z{}]", value):
            return ""
        try:
            self._parameter.process_value(self._context, value)
        except UsageError as error:
            return f"{self._parameter.opts[0]} does not take {value!r}: {error}"
        return ""


@cache
def options_of(command: Command) -> dict[str, Option]:
    """Return the options of a command by their words."""
    built = load(None, command)
    context = typer.Context(built)
    return {
        word: Option(found, context)
        for found in built.params
        for word in (*found.opts, *found.secondary_opts)
        if word.startswith("-")
    }


@cache
def all_options() -> frozenset[str]:
    """Return the words of all options of all commands."""
    nodes = [inner for node in COMMANDS.values() for inner in _commands_of(node)]
    return frozenset(word for node in nodes for word in options_of(node))


def _commands_of(node: Command | Group) -> list[Command]:
    return list(node.commands.values()) if isinstance(node, Group) else [node]
