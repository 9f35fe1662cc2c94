"""How a file travels: as it is, or as one zlib stream that is made once for all boards that want it.

Fifty boards that begin a night want the same models at the same moment. Each takes the stream at its own
pace: what it is the first to want it packs, the others find it. Memory is bounded; what does not fit into it
is packed by each board's upload for itself.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rkbench.files import LocalFile

CHUNK_BYTES = 256 * 1024
#: Where samples shrink to less than this, zlib level 1 is faster than the wire even on Gigabit Ethernet.
PAYS_RATIO = 0.7
SAMPLES = 16
SAMPLE_BYTES = 32 * 1024
#: So much is kept of streams. A file counts with its own size until it is packed.
KEPT_BYTES = 64 << 20
#: Files whose stream is short, or that travel as they are, are no more than this.
KEPT_FILES = 64

#: How many bytes of the file a piece stands for, and the piece.
Piece = tuple[int, bytes]


def choose_codec(path: Path) -> str:
    """Return `zlib` where samples spread over the file shrink enough, else `stored`."""
    size = path.stat().st_size
    plain = packed = 0
    with path.open("rb") as stream:
        for index in range(SAMPLES):
            stream.seek(index * max(0, size - SAMPLE_BYTES) // max(1, SAMPLES - 1))
            sample = stream.read(SAMPLE_BYTES)
            plain += len(sample)
            packed += len(zlib.compress(sample, 1))
    return "zlib" if packed < plain * PAYS_RATIO else "stored"


def encoded(stream: BinaryIO, codec: str, see: Callable[[bytes], object] = len) -> Iterator[Piece]:
    """Yield the rest of `stream` in pieces; `see` is shown what is read of it."""
    if codec == "stored":
        while data := stream.read(CHUNK_BYTES):
            yield len(data), data
        return
    packer = zlib.compressobj(1)
    taken = 0
    while data := stream.read(CHUNK_BYTES):
        see(data)
        taken += len(data)
        if piece := packer.compress(data):
            yield taken, piece
            taken = 0
    yield taken, packer.flush()


class PackedFile:
    """One file, packed as far as somebody has wanted it."""

    def __init__(self, file: LocalFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._codec = ""
        self._making = self._made()
        self._pieces: list[Piece] = []
        self._error: BaseException | None = None
        self._is_whole: bool | None = None
        self.users = 0

    @property
    def codec(self) -> str:
        """How it travels; raises OSError where it cannot be read."""
        with self._lock:
            self._codec = self._codec or choose_codec(self._file.path)
            return self._codec

    @property
    def is_good(self) -> bool:
        """Whether others may have it later: packed from the bytes of its digest, or not at all."""
        return self._is_whole is True or self._codec == "stored"

    @property
    def is_bad(self) -> bool:
        """Whether it cannot be read, or its bytes are not those of its digest."""
        return self._is_whole is False or self._error is not None

    @property
    def held_bytes(self) -> int:
        """What it takes of memory, or may yet take."""
        if self._codec == "stored":
            return 0
        whole = self._is_whole is not None
        return sum(len(piece) for _, piece in self._pieces) if whole else self._file.size_bytes

    def pieces(self) -> Iterator[Piece]:
        """Yield the whole file as a zlib stream; raises OSError where it cannot be read."""
        index = 0
        while (piece := self._piece(index)) is not None:
            yield piece
            index += 1

    def _piece(self, index: int) -> Piece | None:
        with self._lock:
            if self._error is not None:
                raise self._error
            if index == len(self._pieces):
                try:
                    self._pieces.extend([piece] if (piece := next(self._making, None)) else [])
                except BaseException as error:  # no memory, Ctrl-C: what is made ends there, and is no whole
                    self._error = error
                    raise
            return self._pieces[index] if index < len(self._pieces) else None

    def _made(self) -> Iterator[Piece]:
        hasher = hashlib.sha256()
        with self._file.path.open("rb") as stream:
            yield from encoded(stream, "zlib", hasher.update)
        # What was changed meanwhile is refused by the board; who comes later is to have it as it is then.
        self._is_whole = hasher.hexdigest() == self._file.sha256


class PackedFiles:
    """The files that boards want, each packed once, in at most `kept_bytes` of memory."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._files: dict[str, PackedFile] = {}

    @contextmanager
    def use(self, file: LocalFile) -> Iterator[PackedFile | None]:
        """Lend the packed `file`; None where there is no room for it beside those that are lent."""
        with self._lock:
            packed = self._found(file)
        try:
            yield packed
        finally:
            if packed is not None:
                with self._lock:
                    self._take_back(file.sha256, packed)

    def _found(self, file: LocalFile) -> PackedFile | None:
        packed = self._files.pop(file.sha256, None)
        if packed is None or packed.is_bad:
            packed = PackedFile(file)
            if not self._make_room(packed.held_bytes):
                return None
        packed.users += 1
        self._files[file.sha256] = packed  # the last of them: it was used last
        return packed

    def _make_room(self, bytes_: int) -> bool:
        """Let go of those that nobody uses, as far as it takes, the longest unused first."""
        if self._fits(bytes_):
            return True
        if bytes_ > self._kept_bytes:
            return False  # nor would it fit if all others went
        for digest in [digest for digest, packed in self._files.items() if not packed.users]:
            del self._files[digest]
            if self._fits(bytes_):
                return True
        return False

    def _fits(self, bytes_: int) -> bool:
        held = sum(packed.held_bytes for packed in self._files.values())
        return held + bytes_ <= self._kept_bytes and len(self._files) < KEPT_FILES

    def _take_back(self, digest: str, packed: PackedFile) -> None:
        packed.users -= 1
        if not packed.users and not packed.is_good and self._files.get(digest) is packed:
            del self._files[digest]


#: Of this process.
PACKED = PackedFiles()
