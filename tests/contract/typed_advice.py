"""What an advice tells people to type, as arguments of `bench`: taken out of the text as it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import typer
from advice_words import ROOT
from rkbench.campaign.settings import PushOptions, check_push
from rkbench.cli import part_pin
from rkbench.cli.app import COMMANDS
from rkbench.cli.lazy import Command, load
from rkbench.cli.options import MeasureOptions
from rkbench.cli.push import HoldOptions, JudgingOptions, ScenarioOptions, asked_of

DEMO = ROOT / "host/rkbench/demo/data"
MODELS = (str(DEMO / "digits.int8.rknn"), str(DEMO / "digits.regrouped.int8.rknn"))
GOLDEN = str(DEMO / "golden.npz")
#: What stands in an advice for something of the reader's own, and what an advice leaves to the reader.
FILLED = {
    "MODEL.rknn": MODELS[0],
    "MODEL.onnx": str(DEMO / "digits.onnx"),
    "FILE.npz": GOLDEN,
    "FILE.csv": "FILE.csv",
    "DIR": str(DEMO),
    "NAME": "virtual",
}
LEFT_OPEN = {"--max-duration": "60", "--cool-limit": "600"}
#: Where an option means something: with one model, or with a second one beside it.
ALONE = {
    "--load-cycles": MODELS[:1],
    "--contexts": (MODELS[0], "--scenario", "offline"),
    "--placement": (MODELS[0], "--interfere-with", MODELS[1]),
    "--rate": (MODELS[0], "--scenario", "server"),
    "--find-rate": (MODELS[0], "--scenario", "server", "--slo", "p99 <= 30ms"),
    "--slo": (MODELS[0], "--scenario", "server", "--find-rate"),
}
_COMMAND = re.compile(r"(?<![\w./=-])bench((?: (?:--?)?[\w./*-]+)+)")
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*[a-z])(?: ('[^']*'|[^\s,;)]+))?")
_LEFT_AWAY = re.compile(r"leave (--[\w-]+(?: and --[\w-]+)*|that|it) away")


def typed(advice: str) -> list[list[str]]:
    """Return each command that an advice names, and a push with each option that it names.

    An option that it tells to leave away is none of them.
    """
    rest = _LEFT_AWAY.sub("", advice)
    commands = [_filled(_command(found[1].split())) for found in _COMMAND.finditer(rest)]
    return [*filter(None, commands), *_pushes(_COMMAND.sub("", rest))]


def _pushes(advice: str) -> Iterator[list[str]]:
    for found in _OPTION.finditer(advice):
        option, value = found[1], found[2] if _takes_value(found[1]) else None
        if _takes_value(option) and (value is None or not re.search(r"[A-Z\d{]|^capi$|^spread$", value)):
            value = LEFT_OPEN[option]
        words = [option, *([value.strip("'").replace("{}", "60")] if value else [])]
        yield ["push", *ALONE.get(option, MODELS), "--board", "virtual", *_filled(words)]


def _command(words: list[str]) -> list[str]:
    """Return the words of a command without those of the sentence that goes on after it."""
    node: Any = COMMANDS.get(words[0])
    names = words[:1] if node is None or isinstance(node, Command) else words[:2]
    if node is None:
        return []
    kept = list(names)
    for word in words[len(names) :]:
        if not (word.startswith("-") or word in FILLED):
            break
        kept.append(word)
    return [*kept[:1], "--board", FILLED["NAME"], *kept[1:]] if names == ["push"] else kept


def _filled(words: list[str]) -> list[str]:
    return [FILLED.get(word, word) for word in words]


def _takes_value(option: str) -> bool:
    push = COMMANDS["push"]
    assert isinstance(push, Command)
    (found,) = [item for item in load(None, push).params if option in (*item.opts, *item.secondary_opts)]
    return not getattr(found, "is_flag", False)


def read(words: list[str]) -> Mapping[str, Any]:
    """Return what the command line understands of these words: the parameters of their command.

    Raises click's UsageError for what is not understood.
    """
    node: Any = COMMANDS[words[0]]
    rest = words[1:]
    if not isinstance(node, Command):
        node, rest = node.commands[rest[0]], rest[1:]
    built = load(None, node)
    context = typer.Context(built)
    parsed: Mapping[str, Any] = built.make_context(words[0], part_pin(rest), parent=context).params
    return parsed


def asked(words: list[str]) -> PushOptions:
    """Return what a push of these words asks for; raises what refuses it before a board is asked."""
    given = read(words)

    def group(kind: Any) -> Any:
        return kind(**{item.name: given[item.name] for item in fields(kind)})

    groups = map(group, (MeasureOptions, ScenarioOptions, JudgingOptions, HoldOptions))
    options = asked_of(given["models"], *groups, given["golden"])
    check_push(options)
    return options
