"""Reading and writing .npz archives one case at a time: a golden may be larger than the memory.

An .npz is a zip of .npy files. `numpy.load` takes a whole member into memory; here a member is read and
written along its first axis. Archives are written without dates, so that equal contents are
equal bytes and the board's cache knows them again.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rkbench.errors import GoldenError, NoGoldenError
from rkbench.files import open_regular

Array = NDArray[Any]
#: A golden has a member per input and output; opening each takes time.
MOST_MEMBERS = 4096
#: What is read as one array: metadata, and members in an order that cannot be cut.
LARGEST_WHOLE_BYTES = 1_000_000_000
#: What numpy and zipfile raise for what is damaged, encrypted, of another kind, or nested too deep.
_REFUSALS = (
    ValueError,
    TypeError,
    EOFError,
    OSError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold


@dataclass(frozen=True)
class Header:
    """What an .npy says of itself before its data."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool

    @property
    def size_bytes(self) -> int:
        """Of the data behind it."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class ArchiveWords:
    """How messages speak of an archive, by what it is for."""

    name: str
    has: str
    """Before what is in it."""
    form: str
    """How it is to be saved."""
    remedy: str
    """What to do about values that are no numbers."""


GOLDEN = ArchiveWords(
    "golden",
    "the golden has:",
    "a golden is an .npz as numpy.savez writes it, with members inputs/NAME and outputs/NAME",
    "no output can be held against it: make the golden again, from inputs and a model that yield numbers",
)
INPUTS = ArchiveWords(
    "inputs",
    "the inputs have:",
    "inputs are an .npz as numpy.savez writes it, with a member NAME or inputs/NAME for each input",
    "no output means anything then: save the inputs again, with numbers",
)


class NpzReader:
    """An open .npz: `headers` by member name (without `.npy`), `chunks` of one member.

    Raises GoldenError, in the words of what the file is for, when it is no archive of plain arrays.
    """

    def __init__(self, path: Path, words: ArchiveWords = GOLDEN) -> None:
        self.path = path
        self.words = words
        try:
            self._file = open_regular(path)
        except OSError as error:
            kind = NoGoldenError if isinstance(error, FileNotFoundError) else GoldenError
            raise kind(f"{path}: cannot be read: {error.strerror or error}", hint=words.form) from error
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.headers = self._headers()
        except (*_REFUSALS, NotImplementedError) as error:
            self._file.close()
            raise GoldenError(f"{path}: {_what_it_is(path, error)}", hint=words.form) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> NpzReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    def _headers(self) -> dict[str, Header]:
        members = [info for info in self._zip.infolist() if info.filename.endswith(".npy")]
        if len(members) > MOST_MEMBERS:
            text = f"{self.path}: {len(members):,} members, at most {MOST_MEMBERS:,}"
            raise GoldenError(text, hint=self.words.form)
        return {info.filename[:-4]: self._header(info) for info in members}

    def _header(self, info: zipfile.ZipInfo) -> Header:
        member = info.filename
        try:
            with self._zip.open(member) as stream:
                header = _read_header(cast(BinaryIO, stream))
                held = info.file_size - stream.tell()
            if header.size_bytes > held:
                raise ValueError(f"{held:,} bytes, and its shape needs {header.size_bytes:,}")
        except _REFUSALS as error:
            raise GoldenError(
                f"{self.path}: member {member!r} is no readable array: {str(error) or 'nested too deep'}",
                hint=self.words.form,
            ) from error
        if header.dtype.hasobject or header.dtype.fields is not None:
            text = f"{self.path}: member {member!r} holds {header.dtype}, not plain numbers"
            raise GoldenError(text, hint="save numeric arrays; pickled objects are never loaded")
        return header

    def chunks(self, name: str, count: int) -> Iterator[Array]:
        """Yield the member in `count` equal parts along its first axis, one in memory at a time.

        A Fortran-ordered member cannot be cut so and is read whole.
        """
        header = self.headers[name]
        part = (header.shape[0] // count, *header.shape[1:]) if header.shape else ()
        with self._explained(name):
            if header.fortran_order:
                yield from np.split(self.whole(name), count)
                return
            with self._zip.open(f"{name}.npy") as stream:
                _read_header(cast(BinaryIO, stream))
                size = int(np.prod(part, dtype=np.int64)) * header.dtype.itemsize
                for _ in range(count):
                    data = _read_exactly(cast(BinaryIO, stream), size)
                    yield np.frombuffer(data, header.dtype).reshape(part)

    def whole(self, name: str) -> Array:
        """Return a member as one array."""
        size = self.headers[name].size_bytes
        if size > LARGEST_WHOLE_BYTES:
            text = f"{self.path}: member {name!r} of {size:,} bytes can only be read whole"
            raise GoldenError(text, hint="save it in C order: numpy.ascontiguousarray")
        with self._explained(name), self._zip.open(f"{name}.npy") as stream:
            return npy.read_array(stream, allow_pickle=False)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except _REFUSALS as error:
            text = f"{self.path}: member {name!r} is damaged or cut short: {error}"
            raise GoldenError(text, hint="make or copy the file again") from error


class NpzWriter:
    """Writes an .npz beside its final place and moves it there when the `with` block ends well.

    A pipe or a device (`/dev/null`) is written to as it is: no file may take its place.
    """

    def __init__(self, path: Path, *, compress: bool = False) -> None:
        self.path = path
        self._method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        self._part = path.with_name(f".golden-{os.getpid()}.part")  # its own name may leave no room
        try:
            # A name that is too long is told before hours of writing.
            self._in_place = path.exists() and not path.is_file()
            # Opened once: zipfile would try to read it too, and who reads a pipe takes that for its end.
            self._file = (path if self._in_place else self._part).open("wb")
            self._zip = zipfile.ZipFile(self._file, "w")
        except OSError as error:
            raise GoldenError(f"{path} cannot be written: {error.strerror}", hint=_ELSEWHERE) from error

    def __enter__(self) -> NpzWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, OSError):  # the disk is full
                with suppress(OSError):
                    self._zip.close()
                raise error
            self._zip.close()
            self._file.close()
            if kind is None and not self._in_place:
                self._part.replace(self.path)
        except OSError as written:
            raise GoldenError(
                f"{self.path} cannot be written: {written.strerror}", hint=_ELSEWHERE
            ) from written
        finally:
            with suppress(OSError):  # told above; what is left to flush goes the same way
                self._file.close()
            self._part.unlink(missing_ok=True)

    def add(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], parts: Iterable[Array]) -> None:
        """Write one member of `shape` from consecutive parts."""
        head = io.BytesIO()
        fields = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(head, fields)
        info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
        info.compress_type = self._method
        with self._zip.open(info, "w", force_zip64=True) as stream:
            stream.write(head.getvalue())
            for part in parts:
                stream.write(np.ascontiguousarray(part, dtype).tobytes())

    def add_text(self, name: str, text: str) -> None:
        """Write a text as an array without dimensions."""
        array = np.array(text)
        self.add(name, (), array.dtype, [array])


_ELSEWHERE = "name another file: -o FILE.npz"


def _read_header(stream: BinaryIO) -> Header:
    version = npy.read_magic(stream)
    if version == (1, 0):
        return _as_header(npy.read_array_header_1_0(stream))
    if version == (2, 0):
        return _as_header(npy.read_array_header_2_0(stream))
    raise ValueError(f"an .npy of version {version[0]}.{version[1]}")


def _as_header(fields: tuple[Any, ...]) -> Header:
    shape, fortran_order, dtype = fields
    if any(size < 0 for size in shape):
        raise ValueError(f"the shape {shape}")
    return Header(tuple(int(size) for size in shape), dtype, bool(fortran_order) and len(shape) > 1)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"{len(data)} bytes where {size} should be")
    return data


def _what_it_is(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    with open_regular(path) as file:
        head = file.read(64)
    if not head:
        return "is empty"
    if head.startswith(b"\x93NUMPY"):
        return "is one .npy array, not an .npz archive"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself (git lfs pull)"
    if head.startswith(b"PK"):
        return f"is a damaged or cut-off archive ({error})"
    return "is no .npz archive"
