"""Options in groups: a dataclass of options is one parameter of a command, and its fields are what is typed.

So an option that several commands have is written once, and a command hands it on with those it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def grouped(command: Callable[..., Result]) -> Callable[..., Result]:
    """Return `command` as typer is to see it: in the place of each group, its fields.

    A group is a parameter whose type is a dataclass; each of its fields is an option, with its default.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}

    @wraps(command)
    def call(**given: Any) -> Result:
        made = {
            name: kind(**{item.name: given.pop(item.name) for item in fields(kind)})
            for name, kind in groups.items()
        }
        return command(**given, **made)

    parameters = list(_parameters(command, hints, groups))
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what inspect and typer look for
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _parameters(
    command: Callable[..., object], hints: dict[str, Any], groups: dict[str, type[Any]]
) -> Iterator[Parameter]:
    """Yield what can be typed, in the order in which it was written."""
    for name, parameter in signature(command).parameters.items():
        if name not in groups:
            yield parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
            continue
        own = get_type_hints(groups[name], include_extras=True)
        for item in fields(groups[name]):
            default = _default(item)
            yield Parameter(item.name, Parameter.KEYWORD_ONLY, default=default, annotation=own[item.name])


def _default(item: Field[Any]) -> Any:
    return Parameter.empty if item.default is MISSING else item.default
