"""Messages as lines of JSON, and back: the fields of a message stand beside its `"type"`.

The decoder ignores fields that it does not know (a newer peer), and raises `WireError` on an unknown type
or a missing field.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar, Union

from rkbench_agent.wire.messages import Message

T = TypeVar("T")

MESSAGES: Dict[str, Type[Any]] = {cls.__name__: cls for cls in Message.__args__}  # type: ignore[attr-defined]


class WireError(Exception):
    """A line is no message of this protocol."""


def encode(message: Message) -> bytes:
    """Return `message` as one line. NaN and infinities become null: JSON has none."""
    value = {"type": type(message).__name__}
    value.update(vars(message))
    return to_line(value)


def to_line(value: Dict[str, Any]) -> bytes:
    """Return a dict, whose values may hold dataclasses, as one line of JSON."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=vars)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8") + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line; raises WireError."""
    try:
        value = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise WireError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise WireError(f"not an object: {line[:80]!r}")
    cls = MESSAGES.get(value.pop("type", ""))
    if cls is None:
        raise WireError(f"unknown type: {line[:80]!r}")
    message: Message = build(cls, value)
    return message


def build(cls: Type[T], value: Any) -> T:
    """Return the dataclass `cls` of a JSON object, the dataclasses in it too; raises WireError."""
    if not isinstance(value, dict):
        raise WireError(f"{cls.__name__}: no object: {str(value)[:80]!r}")
    readers = _readers(cls)
    missing = [name for name in _required(cls) if name not in value]
    if missing:
        raise WireError(f"{cls.__name__} without {', '.join(missing)}")
    return cls(**{name: readers[name](item) for name, item in value.items() if name in readers})


_Reader = Callable[[Any], Any]
_READERS: Dict[Type[Any], Dict[str, _Reader]] = {}


def _readers(cls: Type[Any]) -> Dict[str, _Reader]:
    """Return for each field of a dataclass what makes its value of JSON; looked up once for each class."""
    found = _READERS.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls)
        found = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(cls)}
        _READERS[cls] = found
    return found


def _required(cls: Type[Any]) -> List[str]:
    absent = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(cls) if f.default is absent and f.default_factory is absent]


def _reader(hint: Any) -> _Reader:
    inner = _inner(hint)
    if inner is None:
        return _as_it_is
    if typing.get_origin(hint) is list:
        return lambda items: [build(inner, item) for item in _listed(items)]
    if typing.get_origin(hint) is Union:
        read = _reader(next(arg for arg in typing.get_args(hint) if arg is not type(None)))
        return lambda item: None if item is None else read(item)
    return lambda item: build(inner, item)


def _inner(hint: Any) -> Optional[Type[Any]]:
    """Return the dataclass that a type holds, as List[RunSpec] does; None where it holds none."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint
    found = [_inner(arg) for arg in typing.get_args(hint)]
    return next((cls for cls in found if cls is not None), None)


def _listed(value: Any) -> List[Any]:
    if not isinstance(value, list):
        raise WireError(f"no list: {str(value)[:80]!r}")
    return value


def _as_it_is(value: Any) -> Any:
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if dataclasses.is_dataclass(value):
        return _finite(vars(value))
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
