"""Tables of TOML that people write: each value typed strictly, each complaint with its place and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from rkbench.errors import BenchError, choice_hint

T = TypeVar("T")

#: A text that says something. In a type of ours, text beside it says what it is called.
Word = Annotated[str, msgspec.Meta(min_length=1)]

#: What a value of a type is called, and what stands behind `a list`.
_ONE: dict[Any, str] = {
    str: "a string",
    Path: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}
_SEVERAL: dict[Any, str] = {str: " of strings", Path: " of strings", dict: " of tables", Any: ""}


def read_table(form: type[T], value: Any, place: str, error: type[BenchError]) -> T:
    """Return the dataclass `form` of a table; raises `error`, see `typed_values`."""
    return form(**typed_values(value, get_type_hints(form, include_extras=True), place, error))


def typed_values(value: Any, types: Mapping[str, Any], place: str, error: type[BenchError]) -> dict[str, Any]:
    """Return the values of a table, each of the type of its key; `~` of a path is home.

    Raises `error`, which names the `place`, for what is no table, for unknown keys and for other types.
    """
    if not isinstance(value, dict):
        raise error(f"{place} must be a table, not {value!r}")
    for key in value:
        if key not in types:
            raise unknown(f"{place}: key", key, types, error)
    return {key: _typed(item, types[key], f"{place}: {key}", error) for key, item in value.items()}


def unknown(what: str, word: str, known: Iterable[str], error: type[BenchError]) -> BenchError:
    """Return the error of a word that is not `known`; its hint says what was meant."""
    return error(f"{what} {word!r} is unknown", hint=choice_hint(word, known))


def _typed(value: Any, kind: Any, place: str, error: type[BenchError]) -> Any:
    try:
        return msgspec.convert(value, kind, dec_hook=_path)
    except msgspec.ValidationError as wrong:
        what = "a table" if isinstance(value, dict) else repr(value)
        raise error(
            f"{place} must be {in_words(kind)}, not {what}", hint=_as_list(value, kind, place)
        ) from wrong


def _as_list(value: Any, kind: Any, place: str) -> str:
    """Return how a lone value is written where a list is wanted; "" for all else."""
    if get_origin(kind) is not tuple:
        return ""
    key, part = place.rpartition(" ")[2], _plain(get_args(kind)[0])
    if isinstance(value, str):
        return f'in brackets: {key} = ["{"..." if " " in value else value}"]'
    return f"with two brackets: [[{key}]]" if isinstance(value, dict) and part not in (str, Path) else ""


def in_words(kind: Any) -> str:
    """Return how a type is called, as `a list of strings`."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    if get_origin(kind) is Annotated:
        return next((note for note in parts if isinstance(note, str)), in_words(parts[0]))
    if get_origin(kind) in (tuple, Sequence):
        return f"a list{_SEVERAL[_plain(parts[0])]}"
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(in_words, parts))
    return _ONE[_plain(kind)]


def _plain(kind: Any) -> Any:
    """Return the class of a type that may carry notes and the types of its parts."""
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_origin(inner) or inner


def _path(kind: type[Any], value: Any) -> Any:
    """Return the path that a text means, for msgspec, which knows none."""
    if kind is not Path or not isinstance(value, str):
        raise TypeError(f"no {kind.__name__}")
    try:
        return Path(value).expanduser()
    except RuntimeError:  # of a user who is not there: as it stands, as a shell has it
        return Path(value)
