"""`put`: takes files from stdin into the cache, in a process and an SSH channel of its own.

    put SHA256 SIZE OFFSET CODEC CACHE LIMIT_BYTES [PREFIX_SHA256|- [KEEP_SHA256...]]

stdin carries the file from byte OFFSET on: as it is (CODEC `stored`) or as one zlib stream (`zlib`).
The line `rkbench-put ready` on stdout says that the bytes are welcome; a host that resumes waits for
it. The answer is one line of JSON: `{"ok": true, "cached": bool}` or
`{"error": KIND, "message": ..., "received": N, ...}` with the kinds of `storage.StorageError`.

A file that was taken may be followed by another: a line `SHA256 SIZE OFFSET CODEC PREFIX_SHA256|-`, and
its bytes. After any other answer the process ends, for bytes that nobody wants may be under way.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import select
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List

from rkbench_agent.errors import StorageError
from rkbench_agent.line.storage import CHUNK_BYTES, DISK_FULL, Cache, raise_storage, unlink
from rkbench_agent.own_files import claim, sync_folder
from rkbench_agent.wire.words import SILENCE_LIMIT_S

PIPE_BYTES = 1 << 20
#: More is no line that names a file: a digest, two numbers, a codec, and a digest.
LINE_LIMIT_BYTES, LINE_WORDS = 4096, 5
_F_SETPIPE_SZ = 1031


def main(args: List[str]) -> int:
    """Run the `put` sub-command on stdin and stdout; return the exit code."""
    silence_limit_s = float(os.environ.get("RKBENCH_SILENCE_LIMIT_S", SILENCE_LIMIT_S))
    stream = HostStream(0, silence_limit_s)
    _enlarge_pipe(0)
    while True:
        reply = _answer(args, stream)
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
        if reply.get("cached", True):
            return 0 if "ok" in reply else 1
        try:
            words = stream.line().split()
        except StorageError as error:
            sys.stderr.write(f"put: {error}\n")
            return 1
        if not words:
            return 0
        args = [*words[:4], *args[4:6], words[4], *args[7:]] if len(words) == LINE_WORDS else []


def _answer(args: List[str], stream: HostStream) -> Dict[str, Any]:
    try:
        return _put(args, stream)
    except StorageError as error:
        return {"error": error.kind, "message": str(error), **error.details}


def _put(args: List[str], stream: HostStream) -> Dict[str, Any]:
    try:
        digest, size, offset, codec, folder, limit = args[:6]
        numbers = int(size), int(offset), int(limit)
    except ValueError as error:
        raise StorageError("usage", f"put: {error}") from error
    prefix = args[6] if len(args) > 6 else "-"
    cache = Cache(folder)
    received = store(
        cache,
        digest,
        numbers[0],
        stream.read,
        _say_ready,
        offset=numbers[1],
        codec=codec,
        prefix_digest=prefix,
        limit_bytes=numbers[2],
        keep=args[7:],
    )
    cache.purge()
    return {"ok": True, "cached": not received}


class HostStream:
    """What the host sends: lines, and bytes behind them. Raises StorageError(stalled) where nothing comes."""

    def __init__(self, descriptor: int, silence_limit_s: float) -> None:
        self._descriptor = descriptor
        self._silence_limit_s = silence_limit_s
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes, none at the end."""
        if not self._rest:
            return read_or_stall(self._descriptor, count, self._silence_limit_s)
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def line(self) -> str:
        """Return the next line; empty at the end. Raises StorageError(usage) for one that is none of ours."""
        while b"\n" not in self._rest:
            data = read_or_stall(self._descriptor, LINE_LIMIT_BYTES, self._silence_limit_s)
            if not data:
                return ""
            self._rest += data
            if len(self._rest) > LINE_LIMIT_BYTES and b"\n" not in self._rest:
                raise StorageError("usage", "what followed a file is no line that names another")
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("ascii", "replace")


def store(
    cache: Cache,
    digest: str,
    size_bytes: int,
    read: Callable[[int], bytes],
    on_ready: Callable[[], None] = lambda: None,
    *,
    offset: int = 0,
    codec: str = "stored",
    prefix_digest: str = "",
    limit_bytes: int = 0,
    keep: Iterable[str] = (),
) -> bool:
    """Take the file `digest` of `size_bytes` into `cache`; return False if it was there already.

    `read(n)` yields at most n bytes and b"" at the end: the file from `offset` on, as a zlib stream
    if `codec` says so. `prefix_digest` is the SHA-256 of the first `offset` bytes, which the partial
    must have. `on_ready` is called before the first read. Objects of `keep` are
    not evicted. Raises StorageError.
    """
    if cache.have([digest]):
        return False
    cache.prepare()
    path = cache.partial_path(digest)
    try:
        with os.fdopen(claim(path, os.O_RDWR | os.O_APPEND), "a+b") as partial:
            _lock(partial, path, digest)
            if cache.have([digest]):  # another upload has just ended
                unlink(path)
                return False
            hasher = _resume(partial, digest, offset, prefix_digest)
            cache.make_room(size_bytes - offset, limit_bytes, [digest, *keep])
            on_ready()
            chunks = _decoded(read, codec)
            _receive(partial, hasher, chunks, offset, size_bytes, has_end=codec == "zlib")
            _complete(partial, hasher, path, cache.path(digest))
    except OSError as error:
        if error.errno in DISK_FULL:
            unlink(path)
        raise_storage(error, cache.folder, size_bytes)
    return True


def read_or_stall(descriptor: int, count: int, silence_limit_s: float) -> bytes:
    """Return what `descriptor` yields within the limit; raises StorageError(stalled)."""
    ready, _, _ = select.select([descriptor], [], [], silence_limit_s)
    if not ready:
        raise StorageError("stalled", f"nothing came for {silence_limit_s:g} s")
    return os.read(descriptor, count)


def _say_ready() -> None:
    sys.stdout.write("rkbench-put ready\n")
    sys.stdout.flush()


def _lock(partial: BinaryIO, path: Path, digest: str) -> None:
    """Hold the partial alone; raises StorageError(busy) where another upload has it, or just ended."""
    try:
        fcntl.flock(partial.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        current = path.stat().st_ino == os.fstat(partial.fileno()).st_ino
    except (BlockingIOError, FileNotFoundError):
        current = False
    if not current:
        received = os.fstat(partial.fileno()).st_size
        raise StorageError("busy", f"another upload of {digest[:12]} is running", received=received)


def _resume(partial: BinaryIO, digest: str, offset: int, prefix_digest: str) -> Any:
    """Return a hasher that has seen the first `offset` bytes of the partial; cut off what follows."""
    hasher = hashlib.sha256()
    partial.seek(0)
    left = offset
    while left:
        chunk = partial.read(min(left, CHUNK_BYTES))
        if not chunk:
            break
        hasher.update(chunk)
        left -= len(chunk)
    if offset and (left or hasher.hexdigest() != prefix_digest):
        partial.truncate(0)
        raise StorageError("prefix", f"the partial of {digest[:12]} is not the beginning of the file")
    partial.truncate(offset)
    return hasher


def _receive(
    partial: BinaryIO, hasher: Any, chunks: Iterator[bytes], offset: int, size: int, *, has_end: bool
) -> None:
    """Write what comes; a stream that says itself where it ends (`has_end`) is read up to there."""
    received = offset
    try:
        while received < size or has_end:
            chunk = next(chunks, b"")
            if not chunk and received < size:
                raise StorageError("cut", f"the stream ended after {received} of {size} bytes")
            if received + len(chunk) > size:
                raise StorageError("damaged", f"more than the announced {size} bytes came")
            if not chunk:
                return
            partial.write(chunk)
            hasher.update(chunk)
            received += len(chunk)
    except StorageError as error:
        partial.flush()
        error.details["received"] = received
        raise


def _complete(partial: BinaryIO, hasher: Any, path: Path, target: Path) -> None:
    partial.flush()
    if hasher.hexdigest() != target.name:
        unlink(path)
        raise StorageError("damaged", f"what came has the digest {hasher.hexdigest()}, not {target.name}")
    os.fsync(partial.fileno())
    path.rename(target)
    sync_folder(target.parent)


def _decoded(read: Callable[[int], bytes], codec: str) -> Iterator[bytes]:
    if codec == "stored":
        return iter(lambda: read(CHUNK_BYTES), b"")
    if codec == "zlib":
        return _inflated(read)
    raise StorageError("usage", f"unknown codec {codec!r}")


def _inflated(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield what a zlib stream holds, at most CHUNK_BYTES at a time (zeros grow a thousandfold)."""
    stream = zlib.decompressobj()
    while not stream.eof:
        source = stream.unconsumed_tail or read(CHUNK_BYTES)
        if not source:
            return
        try:
            chunk = stream.decompress(source, CHUNK_BYTES)
        except zlib.error as error:
            raise StorageError("damaged", f"no zlib stream: {error}") from error
        if chunk:
            yield chunk


def _enlarge_pipe(descriptor: int) -> None:
    """Let more than 64 KiB wait in the pipe from sshd; where it is a socket, nothing changes."""
    try:
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.EPERM, errno.EBUSY, errno.ENOTTY):
            raise
