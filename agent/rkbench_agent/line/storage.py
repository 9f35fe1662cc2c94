"""The cache folder of the board: complete, verified files by SHA-256, and how they come in.

    CACHE/agents/<sha256>.*     the agents that were pushed, and what was compiled of them
    CACHE/objects/<sha256>      complete, verified files: models, goldens, replays
    CACHE/incoming/<sha256>.part  what has arrived of a file; resumed, or deleted after a day
    CACHE/lock                  held by the running supervisor

A file under `objects/` is complete: it was hashed, synced to the disk, and renamed in one step; it is
hashed again when a host asks for it. A
`kill -9` at any moment leaves at most a partial under `incoming/`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import resource
import time
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterable, List, NoReturn, Optional, Tuple

from rkbench_agent.errors import StorageError
from rkbench_agent.own_files import open_own
from rkbench_agent.wire.words import DEFAULT_CACHE

#: Partial uploads older than this are deleted.
STALE_PARTIAL_S = 24 * 3600
#: So long the objects that a host asks for are read: it waits for the answer (60 MB take 0.1 s, or 3 s of an
#: SD card that has not read them yet, and then the load does not wait for it).
VERIFY_LIMIT_S = 30.0
CHUNK_BYTES = 1 << 20
#: So many agents stay; older ones are deleted.
AGENTS_KEPT = 4
#: Room that an upload leaves on the file system: a full disk breaks more than a benchmark.
RESERVE_BYTES = 16 * 1024 * 1024

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Cache:
    """The cache folder `folder` (`~` is the user's home); made when first written to."""

    def __init__(self, folder: str = DEFAULT_CACHE) -> None:
        self.folder = Path(folder).expanduser()
        self.objects = self.folder / "objects"
        self.incoming = self.folder / "incoming"
        self.agents = self.folder / "agents"
        self.lock_file = self.folder / "lock"
        #: What the objects were like when this process read them last: another reading is not needed then.
        self._verified: Dict[str, Tuple[int, ...]] = {}

    def path(self, digest: str) -> Path:
        """Return where the complete file of `digest` lies, or would lie."""
        return self.objects / _checked(digest)

    def locate(self, digest: str) -> Optional[Path]:
        """Return where the complete file of `digest` lies, marked as used now; None where there is none."""
        return self.path(digest) if self.have([digest]) else None

    def partial_path(self, digest: str) -> Path:
        """Return where an incomplete upload of `digest` lies, or would lie."""
        return self.incoming / (_checked(digest) + ".part")

    def have(self, digests: Iterable[str], pulse: Callable[[], object] = lambda: None) -> List[str]:
        """Return those of `digests` that are complete and whole, and mark them as used now.

        What has rotted, or is no file of one's own, is deleted. `pulse` is called while a file is read; what
        cannot be read within VERIFY_LIMIT_S is believed this time.
        """
        deadline = time.monotonic() + VERIFY_LIMIT_S
        return [digest for digest in digests if self._is_whole(digest, deadline, pulse)]

    def _is_whole(self, digest: str, deadline: float, pulse: Callable[[], object]) -> bool:
        path = self.path(digest)
        try:
            with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
                if self._verified.get(digest) != _state(file) and time.monotonic() < deadline:
                    if _sha256(file, pulse) != digest:
                        unlink(path)
                        return False
                    self._verified[digest] = _state(file)
                self._mark_used(digest, file)
        except OSError:
            return False
        return True

    def _mark_used(self, digest: str, file: BinaryIO) -> None:
        is_verified = self._verified.get(digest) == _state(file)
        try:
            os.utime(file.fileno())
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
        if is_verified:
            self._verified[digest] = _state(file)

    def partial_sizes(self, digests: Iterable[str]) -> Dict[str, int]:
        """Return how many bytes have arrived of those of `digests` that are incomplete."""
        sizes = {}
        for digest in digests:
            size = _size(self.partial_path(digest))
            if size:
                sizes[digest] = size
        return sizes

    def free_bytes(self, keep: Iterable[str] = ()) -> int:
        """Return the room for new files: what is free plus what may be evicted (all but `keep`)."""
        kept = set(keep)
        evictable = sum(_size(path) for path in self._objects() if path.name not in kept)
        return max(0, _disk_free_bytes(self.folder) - RESERVE_BYTES) + evictable

    def prepare(self) -> None:
        """Make the folders; raises StorageError(read_only | no_space)."""
        try:
            for folder in (self.objects, self.incoming, self.agents):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_storage(error, self.folder)
        if not os.access(str(self.incoming), os.W_OK) or not os.access(str(self.objects), os.W_OK):
            raise StorageError("read_only", f"{self.folder} cannot be written", path=str(self.folder))

    def purge(self) -> None:
        """Delete partial uploads older than a day, and all but the newest few agents."""
        now = time.time()
        for path in _files(self.incoming):
            if now - _modified(path) > STALE_PARTIAL_S:
                unlink(path)
        agents: Dict[str, List[Path]] = {}
        for path in sorted(_files(self.agents), key=_modified, reverse=True):
            agents.setdefault(path.name.split(".")[0], []).append(path)
        for digest in list(agents)[AGENTS_KEPT:]:
            for path in agents[digest]:
                unlink(path)
        for path in _folders(self.agents):
            # Older versions unpacked their agents; a name with a dot is what a broken start left of that.
            if path.name not in list(agents)[:AGENTS_KEPT] and now - _modified(path) > STALE_PARTIAL_S:
                from shutil import rmtree  # rare, and slow to import: it brings all compressions

                rmtree(str(path), ignore_errors=True)

    def make_room(self, size_bytes: int, limit_bytes: int = 0, keep: Iterable[str] = ()) -> List[str]:
        """Delete the least recently used objects until `size_bytes` fit; return their digests.

        They fit when the disk has the room and all objects together stay within `limit_bytes` (0: no
        limit). Objects of `keep` are never deleted, even where the limit is then crossed. Raises
        StorageError(no_space) where the disk cannot hold the file.
        """
        kept = set(keep)
        total = sum(_size(path) for path in self._objects()) + size_bytes
        evicted = []
        for path in sorted(self._objects(), key=_modified):
            crossed = limit_bytes and total > limit_bytes
            if not crossed and _disk_free_bytes(self.folder) - RESERVE_BYTES >= size_bytes:
                break
            if path.name in kept:
                continue
            total -= _size(path)
            unlink(path)
            evicted.append(path.name)
        free = max(0, _disk_free_bytes(self.folder) - RESERVE_BYTES)
        if free < size_bytes:
            raise StorageError(
                "no_space",
                f"{self.folder} has room for {free} bytes, {size_bytes} are needed",
                free_bytes=free,
                needed_bytes=size_bytes,
                path=str(self.folder),
            )
        return evicted

    def _objects(self) -> List[Path]:
        return [path for path in _files(self.objects) if _DIGEST.match(path.name)]


#: What `file_system` calls a file system in memory.
TMPFS = "tmpfs"


def file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> Optional[str]:
    """Return the type of the file system that holds `folder` (ext4, tmpfs, ...); None if unknown."""
    best, kind = "", None
    real = os.path.realpath(str(folder))
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        point = fields[1].rstrip("/")
        if (real == point or real.startswith(point + "/")) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def _checked(digest: str) -> str:
    if not _DIGEST.match(digest):
        raise StorageError("usage", f"no SHA-256: {digest[:80]!r}")
    return digest


def raise_storage(error: OSError, folder: Path, needed_bytes: Optional[int] = None) -> NoReturn:
    """Raise the StorageError that `error` means; what it says is told, whatever it is."""
    if error.errno == errno.EFBIG:
        raise StorageError("too_large", _why_too_large(folder), needed_bytes=needed_bytes) from error
    if error.errno in DISK_FULL:
        free = _disk_free_bytes(folder)
        raise StorageError(
            "no_space",
            f"{folder}: {error.strerror}",
            free_bytes=free,
            needed_bytes=needed_bytes,
            path=str(folder),
        ) from error
    place = error.filename if isinstance(error.filename, str) else folder
    raise StorageError("read_only", f"{place}: {error.strerror}", path=str(folder)) from error


def _why_too_large(folder: Path) -> str:
    """Return why no file may grow any more, whatever room the disk has."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return f"the file system of {folder} takes no file of this size"
    return f"the login may write no file larger than {limit} bytes (ulimit -f)"


def _disk_free_bytes(folder: Path) -> int:
    """Return what an ordinary user can still write where `folder` is, or will be."""
    for place in (folder, *folder.parents):
        try:
            status = os.statvfs(str(place))
        except OSError:
            continue
        return status.f_bavail * status.f_frsize
    return 0


def _state(file: BinaryIO) -> Tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sha256(file: BinaryIO, pulse: Callable[[], object]) -> str:
    hasher = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
        hasher.update(chunk)
        pulse()
    return hasher.hexdigest()


def _files(folder: Path) -> List[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _folders(folder: Path) -> List[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def unlink(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        pass
