"""Raw latencies as compact binary: a column each, 64-bit integers with the low byte first, and zlib."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rkbench_agent.wire.board import Reading

from rkbench.decoding.documents import read_document
from rkbench.errors import DocumentError
from rkbench.results.latencies import RawLatencies

#: What an entry may hold unpacked: latencies of 16 million iterations.
LARGEST_ENTRY_BYTES = 128_000_000
PIECE_BYTES = 1 << 20
COLUMNS = tuple(RawLatencies.__dataclass_fields__)
#: The columns that every run has; the others may be empty.
NEEDED = ("start_ns", "duration_ns", "block", "warmup")


def pack_latencies(latencies: RawLatencies) -> list[bytes | None]:
    """Return the bytes of each of `COLUMNS`; None where a column is empty."""
    return [_pack(getattr(latencies, name)) for name in COLUMNS]


def unpack_latencies(row: Sequence[Any] | None, run_id: str) -> RawLatencies:
    """Return the latencies that a row of `COLUMNS` holds; empty where there is none."""
    what = f"the latencies of the stored run {run_id}"
    if row is None:
        return RawLatencies()
    blobs: Mapping[str, Any] = dict(zip(COLUMNS, row, strict=True))
    # No column is unpacked further than the first one goes: a damaged one may claim any length.
    count = len(_unpack(blobs["duration_ns"], what, LARGEST_ENTRY_BYTES))
    columns = {name: _unpack(blob, what, count * 8 + 1) for name, blob in blobs.items()}
    if any(len(column) != count for name, column in columns.items() if column or name in NEEDED):
        raise _damaged(what, "columns of different lengths")
    return RawLatencies(**columns)


def pack_readings(readings: Sequence[Reading]) -> bytes:
    """Return readings as they are stored."""
    return zlib.compress(json.dumps([vars(reading) for reading in readings]).encode())


def unpack_readings(blob: Any, run_id: str) -> list[Reading]:
    """Return what an entry holds; None: a run of an rkbench that kept none."""
    what = f"the readings of the stored run {run_id}"
    return read_document(list[Reading], b"[]" if blob is None else b"".join(_inflated(blob, what)), what)


def _pack(column: array[int]) -> bytes | None:
    """Return the compressed little-endian bytes of a column; None where it is empty."""
    if not column:
        return None
    copy = array("q", column)
    if sys.byteorder == "big":
        copy.byteswap()
    return zlib.compress(copy.tobytes(), 6)


def _unpack(blob: Any, what: str, most_bytes: int) -> array[int]:
    """Return the numbers of a column; raises DocumentError where there are more than `most_bytes` of them."""
    column = array("q")
    if blob is None:
        return column
    rest = b""
    for piece in _inflated(blob, what, most_bytes):
        rest += piece
        whole = len(rest) // 8 * 8
        column.frombytes(rest[:whole])
        rest = rest[whole:]
    if rest:
        raise _damaged(what, "no whole numbers")
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _inflated(blob: Any, what: str, most_bytes: int = LARGEST_ENTRY_BYTES) -> Iterator[bytes]:
    """Yield what an entry holds, in pieces; raises DocumentError for damage and beyond `most_bytes`."""
    stream = zlib.decompressobj()
    try:
        while not stream.eof and most_bytes > 0:
            piece = stream.decompress(blob, min(most_bytes, PIECE_BYTES))
            if not piece and not stream.eof and not stream.unconsumed_tail:
                break
            most_bytes -= len(piece)
            yield piece
            blob = stream.unconsumed_tail
    except (TypeError, zlib.error) as error:
        raise _damaged(what, str(error)) from error
    if not stream.eof:
        raise _damaged(what, "cut short, or larger than any run's")


def _damaged(what: str, why: str) -> DocumentError:
    return DocumentError(
        f"a damaged entry: {what}: {why}", hint="the others can be read; push that one again"
    )
