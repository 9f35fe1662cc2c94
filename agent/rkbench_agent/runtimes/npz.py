"""Reads .npz files row by row: one golden case at a time, never a whole array in memory.

A member is a zip entry (deflated or stored) that holds an .npy: magic, header, then the values in C
order. A row is what stands at one index of the first axis.
"""

from __future__ import annotations

import ast
import struct
import zipfile
import zlib
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Type

import numpy as np

from rkbench_agent.errors import NpzError

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class ArrayHead:
    """What an .npy says of itself; `offset` is where its values begin."""

    shape: Tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        count = 1
        for length in self.shape[1:]:
            count *= length
        return count * self.dtype.itemsize


class NpzFile:
    """The members of one .npz, open for reading rows; close it or use it in a `with`."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise NpzError(f"no .npz file: {error}") from error
        self._streams: Dict[str, IO[bytes]] = {}
        self._headers: Dict[str, ArrayHead] = {}

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and all its members."""
        for stream in self._streams.values():
            stream.close()
        self._zip.close()

    def names(self, prefix: str = "") -> List[str]:
        """Return the members' names that begin with `prefix`, without `.npy` and the prefix."""
        names = [name[:-4] for name in self._zip.namelist() if name.endswith(".npy")]
        return [name[len(prefix) :] for name in names if name.startswith(prefix)]

    def header(self, name: str) -> ArrayHead:
        """Return the header of a member; raises NpzError."""
        if name not in self._headers:
            self._open(name)
        return self._headers[name]

    def row(self, name: str, index: int) -> Array:
        """Return row `index` of a member as an array that may be written to; raises NpzError."""
        header = self.header(name)
        if not header.shape:
            raise NpzError(f"{name} is a single value, it has no rows")
        stream = self._streams[name]
        data = bytearray(header.row_bytes)
        try:
            _go_to(stream, header.offset + index * header.row_bytes)
            count = _read_fully(stream, data)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise NpzError(f"{name}: damaged at row {index}: {error}") from error
        if count != len(data):
            raise NpzError(f"{name} ends in row {index}")
        return np.frombuffer(data, dtype=header.dtype).reshape(header.shape[1:])

    def whole(self, name: str) -> Array:
        """Return a whole member: for the small ones."""
        header = self.header(name)
        stream = self._streams[name]
        _go_to(stream, header.offset)
        data = bytearray(header.row_bytes * (header.shape[0] if header.shape else 1))
        if _read_fully(stream, data) != len(data):
            raise NpzError(f"{name} is cut off")
        return np.frombuffer(data, dtype=header.dtype).reshape(header.shape)

    def _open(self, name: str) -> None:
        try:
            stream = self._zip.open(name + ".npy")
        except (KeyError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: encrypted, or a codec
            raise NpzError(f"no member {name}: {error}") from error
        self._streams[name] = stream
        try:
            self._headers[name] = _read_header(stream, name)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise NpzError(f"{name}: damaged: {error}") from error


def _read_header(stream: IO[bytes], name: str) -> ArrayHead:
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY":
        raise NpzError(f"{name} is no .npy")
    form = "<H" if start[6] == 1 else "<I"
    length_bytes = stream.read(struct.calcsize(form))
    if len(length_bytes) != struct.calcsize(form):
        raise NpzError(f"{name} is cut off in its header")
    (length,) = struct.unpack(form, length_bytes)
    offset = len(start) + len(length_bytes) + length
    return _parse_header(stream.read(min(length, 1 << 16)), name, offset)


def _parse_header(text: bytes, name: str, offset: int) -> ArrayHead:
    try:
        value = ast.literal_eval(text.decode("latin-1").strip())
        shape, fortran, dtype = value["shape"], value["fortran_order"], np.dtype(value["descr"])
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise NpzError(f"{name} has no .npy header: {error}") from error
    if not isinstance(shape, tuple) or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise NpzError(f"{name} has the shape {shape!r}")
    if dtype.hasobject:
        raise NpzError(f"{name} holds pickled Python objects; save plain numbers")
    if fortran and len(shape) > 1:
        raise NpzError(f"{name} is in Fortran order; save numpy.ascontiguousarray of it")
    return ArrayHead(tuple(shape), dtype, offset)


def _go_to(stream: IO[bytes], offset: int) -> None:
    """Move to a position by reading on, in small pieces: ZipExtFile.seek takes 16 MB at a time."""
    if offset < stream.tell():
        stream.seek(0)
    while stream.tell() < offset:
        if not stream.read(min(offset - stream.tell(), CHUNK_BYTES)):
            return


def _read_fully(stream: IO[bytes], data: bytearray) -> int:
    view, done = memoryview(data), 0
    while done < len(view):
        chunk = stream.read(min(len(view) - done, CHUNK_BYTES))
        if not chunk:
            break
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return done
