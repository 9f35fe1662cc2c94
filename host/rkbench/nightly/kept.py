"""The models of baselines, kept beside the store: tonight's file is measured beside its baseline's.

`<store>.baselines/<SHA-256>/` holds `baseline.rknn` and, where the model had one, its replay. They are
copies and never links: a file that is written anew in place would change with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from rkbench.errors import BenchError
from rkbench.files import CHUNK_BYTES, local_file, open_regular
from rkbench.store.addresses import scheme_of
from rkbench.store.opening import data_folder
from rkbench.units import format_bytes
from rkbench.variants.replay import find_replay

#: The models of all baselines of a store take no more, unless more is asked for.
MOST_BYTES = 8_000_000_000
MODEL = "baseline.rknn"
REPLAY = "baseline.replay.npz"
_OURS = re.compile(r"[0-9a-f]{64}|\.part-.*")


def kept_folder(address: str) -> Path:
    """Return the folder of the store at `address`: beside it, or for one that is no file in the user's data
    folder."""
    if not scheme_of(address):
        return Path(f"{address}.baselines")
    digest = hashlib.sha256(address.encode()).hexdigest()
    return data_folder() / f"{digest[:16]}.baselines"


class KeptModels:
    """The models that are kept for the store at `address`, at most `limit_bytes` of them.

    Files and folders have the owner and the rights of a store that is a file, else they are the user's own.
    """

    def __init__(self, address: str, limit_bytes: int = MOST_BYTES) -> None:
        self.folder = kept_folder(address)
        self._like = None if scheme_of(address) else Path(address)
        self._limit_bytes = limit_bytes

    def find(self, sha256: str) -> Path | None:
        """Return where the model of this digest should lie, if anything lies there; nobody read it yet."""
        path = self.folder / sha256 / MODEL
        return path if path.is_file() else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, so that nobody clears away what another is about to name; raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._give_rights(self.folder)
        fd = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def keep(self, sha256: str, model: Path) -> str:
        """Keep `model` and its replay under its digest; returns "", or why it could not be."""
        kept = self.find(sha256)
        try:
            if kept is not None and local_file(kept).sha256 == sha256:
                return ""
            return self._keep(sha256, model)
        except BenchError as error:
            return error.message
        except OSError as error:
            return f"{model}: {error.strerror or error}"

    def clear(self, named: Container[str]) -> None:
        """Remove the models whose digests are not `named`, and what a broken copy left; raises OSError."""
        for found in self.folder.iterdir():
            if _OURS.fullmatch(found.name) and found.name not in named:
                shutil.rmtree(found)

    def _keep(self, sha256: str, model: Path) -> str:
        replay = find_replay(model)
        wanted = [(model, MODEL)] + ([(replay, REPLAY)] if replay else [])
        size = sum(path.stat().st_size for path, _ in wanted)
        there = sum(path.stat().st_size for path in self.folder.glob("*/*"))
        if there + size > self._limit_bytes:
            limit = f"at most {format_bytes(self._limit_bytes)} are kept (--keep-limit)"
            return f"{limit}: {format_bytes(there)} are there, it has {format_bytes(size)}"
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=self.folder))
        try:
            digests = [self._copy(path, part / name) for path, name in wanted]
            if digests[0] != sha256:
                return f"{model} is no longer the file that was measured"
            self._give_rights(part)
            self._put(part, self.folder / sha256)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return ""

    def _copy(self, source: Path, target: Path) -> str:
        """Copy a file onto the disk itself; returns the digest of what was copied."""
        hasher = hashlib.sha256()
        with open_regular(source) as read, target.open("xb") as written:
            while chunk := read.read(CHUNK_BYTES):
                hasher.update(chunk)
                written.write(chunk)
            written.flush()
            os.fsync(written.fileno())
        self._give_rights(target)
        return hasher.hexdigest()

    def _put(self, part: Path, target: Path) -> None:
        """Give a whole folder its name; what was damaged under it goes."""
        if target.exists():
            shutil.rmtree(target)
        part.rename(target)
        fd = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _give_rights(self, path: Path) -> None:
        """Let who may read and write the store do so here; only root can give the owner too."""
        if self._like is None:
            return
        like = self._like.stat()
        rights = stat.S_IMODE(like.st_mode) & 0o666 | 0o600
        path.chmod(rights | (rights & 0o444) >> 2 if path.is_dir() else rights)
        if os.geteuid() == 0:
            os.chown(path, like.st_uid, like.st_gid)
