"""Values of plain kinds, read without typer's own reader: it loads pydantic, 100 ms before a command begins.

A text, a path, a number as it is usually written, a list of these. What is unusual (a number that is none or
out of bounds, a file that may not be read, what is missing) is left to typer, which explains it; a test
holds the two to the same values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

INTEGER = re.compile(r"-?[0-9]{1,15}")
DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def read_plainly(parameters: Iterable[Any], function: Callable[..., object]) -> None:
    """Have the values of `parameters`, which typer made of `function`, read here where they are plain."""
    hints = get_type_hints(function, include_extras=True)
    for parameter in parameters:
        kind, is_list, bounds = _kind_of(hints.get(parameter.name))
        if kind is not None:
            parameter.process_value = partial(_process, parameter, kind, is_list, bounds)


def _kind_of(hint: Any) -> tuple[type | None, bool, tuple[Any, Any]]:
    """Return what a value is made of, whether it is a list of such, and the bounds of a number."""
    bounds: tuple[Any, Any] = (None, None)
    if get_origin(hint) is Annotated:
        hint, info = get_args(hint)[:2]
        bounds = (getattr(info, "min", None), getattr(info, "max", None))
    if get_origin(hint) in (Union, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        hint = kinds[0] if len(kinds) == 1 else None
    is_list = get_origin(hint) is list
    if is_list:
        (hint,) = get_args(hint)
    return (hint if hint in (str, bool, int, float, Path) else None), is_list, bounds


def _process(
    parameter: Any, kind: type, is_list: bool, bounds: tuple[Any, Any], context: Any, value: Any
) -> Any:
    """Return the value of a parameter, by typer where it is unusual."""
    try:
        if is_list:
            found: Any = () if value is None else [_read(kind, item, bounds) for item in value]
        else:
            found = None if value is None else _read(kind, value, bounds)
    except ValueError:
        return type(parameter).process_value(parameter, context, value)
    if parameter.required and not found and found != 0:
        return type(parameter).process_value(parameter, context, value)
    return found if parameter.callback is None else parameter.callback(context, parameter, found)


def _read(kind: type, value: Any, bounds: tuple[Any, Any]) -> Any:
    """Return a value as what it is to be; raises ValueError where that is not plain."""
    if kind is Path:
        return _readable(Path(value))
    if kind is str:
        return str(value)
    if kind is bool:
        if not isinstance(value, bool):  # a flag's is one already
            raise ValueError(value)
        return value
    if isinstance(value, str):
        pattern = INTEGER if kind is int else DECIMAL
        if pattern.fullmatch(value) is None:
            raise ValueError(value)
    number = kind(value)
    least, most = bounds
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(value)
    return number


def _readable(path: Path) -> Path:
    if path.exists() and not os.access(path, os.R_OK):
        raise ValueError(path)
    return path
