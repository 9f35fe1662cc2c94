"""What an agent says, line by line: a message of the wire, or a ProtocolError. Fields that are unknown are
ignored (a newer agent); an unknown type, a missing field or one of another type is not."""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_args

import msgspec
from rkbench_agent.wire.messages import Have, Hello, Latencies, Message
from rkbench_agent.wire.outputs import OutputParts

from rkbench.decoding.building import BUILDING
from rkbench.errors import ProtocolError

T = TypeVar("T")

TYPES: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Message)}
#: What a column of latencies and of the store can hold; shorter numbers all fit.
INT64 = range(-(2**63), 2**63)
_LONG_NUMBER = re.compile(rb"\d{19}|[eE]\+?\d{3}")
#: No measure of ours is larger, and sums and squares of such numbers are still finite.
MOST = 1e100
#: How msgspec and json refuse a text; msgspec's own are no ValueError before 0.21.
_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)
#: Half of a surrogate, as JSON spells a byte of the board that is no text; whole ones begin so too.
_SURROGATE = b"\\ud"


@dataclass(frozen=True)
class _Kind:
    type: str


@dataclass(frozen=True)
class _OfRun:
    run: str


_RUN = msgspec.json.Decoder(_OfRun)
_KIND = msgspec.json.Decoder(_Kind)


def decode(line: bytes) -> Message:
    """Return the message of one line; raises ProtocolError, which quotes the start of the line."""
    try:
        return _decode(line)
    except (*_REFUSALS, OverflowError) as error:
        raise ProtocolError(f"{error}: {line[:80]!r}", run=_run_of(line)) from error


def answer(kind: type[T], line: bytes) -> T:
    """Return what another program of ours on a board answers in one line of JSON; raises ProtocolError."""
    try:
        with BUILDING:
            return msgspec.json.decode(_text(line), type=kind)
    except _REFUSALS as error:
        raise ProtocolError(f"{error}: {line[:80]!r}") from error


def _run_of(line: bytes) -> str | None:
    """Return of which run a line speaks that is no message otherwise; None where it does not say so."""
    try:
        return _RUN.decode(_text(line)).run
    except _REFUSALS:
        return None


def _decode(line: bytes) -> Message:
    line = _text(line)
    kind = _KIND.decode(line).type
    message: Message = _decoder(kind).decode(line)
    _check_range(message)
    if isinstance(message, Latencies):
        _check_columns(message)
        return message
    if isinstance(message, OutputParts):
        _check_parts(message)
    if _LONG_NUMBER.search(line):
        json.loads(line, parse_int=_check_int64, parse_float=_check_float)
    return message


def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    if kind not in TYPES:
        raise ValueError("unknown type")
    with BUILDING:
        return _built(kind)


@cache
def _built(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(TYPES[kind])


def _check_range(message: Message) -> None:
    """Raise ValueError where we act on a number that is out of its range; what is only shown may be odd."""
    if isinstance(message, Hello) and message.silence_limit_s <= 0:
        raise ValueError("a silence limit that is none")
    if isinstance(message, Have) and min(message.free_bytes, *message.partial.values(), 0) < 0:
        raise ValueError("a negative number of bytes")


def _check_columns(batch: Latencies) -> None:
    """Raise ValueError or OverflowError unless all columns are of one length, and of 64 bits."""
    stages = (batch.set_inputs_ns, batch.run_ns, batch.get_outputs_ns, batch.device_ns)
    columns = [batch.start_ns, batch.duration_ns, *(stage for stage in stages if stage is not None)]
    if len({len(array("q", column)) for column in columns}) > 1:
        raise ValueError("lists of different lengths")
    if not 0 <= batch.unread <= len(batch.duration_ns):
        raise ValueError("more unread iterations than there are")
    array("q", [batch.block, batch.load])


def _check_parts(parts: OutputParts) -> None:
    """Raise ValueError unless all columns are of one length."""
    if len({len(column) for column in vars(parts).values() if isinstance(column, list)}) > 1:
        raise ValueError("lists of different lengths")


def _check_int64(digits: str) -> None:
    if len(digits) > 20 or int(digits) not in INT64:
        raise ValueError("a number of more than 64 bits")


def _check_float(digits: str) -> None:
    if abs(float(digits)) > MOST:
        raise ValueError("a number that is too large")


def _text(line: bytes) -> bytes:
    """Return `line` with `?` for each half of a surrogate."""
    if _SURROGATE not in line:
        return line
    return json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8", "replace")
