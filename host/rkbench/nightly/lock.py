"""One nightly at a time for a store: a lock that the kernel takes back when its holder dies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rkbench.errors import NightlyBusyError, StoreError
from rkbench.store.addresses import scheme_of
from rkbench.store.opening import data_folder


@contextmanager
def run_lock(address: str, suite: str, owner: str) -> Iterator[None]:
    """Hold the lock of the store at `address`. Raises NightlyBusyError, which says who has it since when."""
    path = lock_path(address)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", hint="choose another place: --store FILE") from error
    try:
        _take(fd, path)
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"owner": owner, "suite": suite, "since": _now()}).encode(), 0)
        yield
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def lock_path(address: str) -> Path:
    """Return the lock's file: beside a store that is a file, else in the user's data folder."""
    if not scheme_of(address):
        return Path(f"{address}.nightly.lock")
    digest = hashlib.sha256(address.encode()).hexdigest()
    return data_folder() / f"{digest[:16]}.nightly.lock"


def _take(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"another nightly is running: {_holder(fd)}"
        raise NightlyBusyError(
            message, hint=f"wait for its end, or choose another --store (lock: {path})"
        ) from error


def _holder(fd: int) -> str:
    try:
        value = json.loads(os.pread(fd, 4096, 0))
        return f"{value['suite']} of {value['owner']}, since {value['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has just begun"  # and is writing its name


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
