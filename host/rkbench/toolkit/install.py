"""Environments are made and removed: a virtual one, the pins, the toolkit without its 1 GB of torch.

`import rknn.api` wants torch, and converting an ONNX uses next to nothing of it: `apart/converter/standin` is
enough, and a real torch in the environment goes before it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rkbench.errors import BenchError, ToolkitError
from rkbench.toolkit.environment import (
    APART,
    PINS,
    Record,
    ToolkitEnvironment,
    find_environment,
    folder_of,
    is_whole,
    pins_digest,
    python_of,
    write_record,
)
from rkbench.toolkit.versions import check_computer, find_python
from rkbench.units import format_bytes

#: What an environment takes once it is made (2.5.0, x86_64, Python 3.11), and while it is.
SIZE_BYTES = 660_000_000
NEEDED_BYTES = 1_300_000_000
#: Torch of the package index: 1 GB for a processor, several with a graphics card's libraries.
TORCH_BYTES = 6_000_000_000
LOOK_S = 1.0
"""The folder's size is the progress: pip before 24.1 tells none."""
LAST_LINES = 12
WAITING = "another rkbench, which installs it"


@dataclass(frozen=True)
class Installing:
    """How far an installation is: bytes on the disk, of about so many. `step` is what is done now."""

    version: str
    step: str
    done_bytes: int
    total_bytes: int


Listener = Callable[[Installing], None]


def install(
    version: str, listener: Listener, *, with_torch: bool = False, again: bool = False
) -> ToolkitEnvironment:
    """Make the environment of a version where it is not whole yet, and return it.

    Raises BenchError for a computer, a Python or a disk that it cannot be made with, ToolkitError with
    pip's words where an installation fails; what it left is removed.
    """
    check_computer(version)
    folder = folder_of(version)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "set XDG_CACHE_HOME to a folder that can be written"
        raise BenchError(f"no folder for toolkits: {folder.parent}: {error.strerror}", hint=hint) from error
    with _held(folder, lambda: listener(Installing(version, WAITING, 0, SIZE_BYTES))):
        if not again and is_whole(folder):
            found = find_environment(version)
            if found.has_torch or not with_torch:
                return found
        _check_space(folder.parent, with_torch=with_torch)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _make(folder, version, listener, with_torch=with_torch)
        except BaseException:  # Ctrl-C too: an environment is whole or not there
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return find_environment(version)


def remove(version: str, waiting: Callable[[], None]) -> bool:
    """Remove the environment of a version; return whether there was one. Raises ToolkitError.

    `waiting` is called where another rkbench makes it just now.
    """
    folder = folder_of(version)
    if not folder.exists():
        return False
    with _held(folder, waiting):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise ToolkitError(
                f"{error.filename}: {error.strerror}", hint=f"remove {folder} yourself"
            ) from error
    return True


def _make(folder: Path, version: str, listener: Listener, *, with_torch: bool) -> None:
    total = SIZE_BYTES + (TORCH_BYTES if with_torch else 0)
    highest = 0

    def run(step: str, command: list[str]) -> None:
        def told(done_bytes: int) -> None:  # never backwards, though what pip fetched is removed again
            nonlocal highest
            highest = max(highest, min(done_bytes, total))
            listener(Installing(version, step, highest, total))

        _run(step, command, folder, told)

    run("a virtual environment", [find_python(), "-m", "venv", str(folder)])
    pip = [str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if with_torch:
        run("torch", [*pip, "torch"])
    run("what the toolkit needs", [*pip, "-r", str(PINS)])
    run("the toolkit", [*pip, "--no-deps", f"rknn-toolkit2=={version}"])
    run("a first import", [str(python_of(folder)), "-m", "converter", "check"])
    made = subprocess.run([str(python_of(folder)), "-V"], capture_output=True, text=True, check=True)
    python = made.stdout.split()[-1]
    write_record(folder, Record(version, python, with_torch, pins_digest(), size_of(folder)))


def _run(step: str, command: list[str], folder: Path, told: Callable[[int], None]) -> None:
    """Run one step, telling how large the folder is; raises ToolkitError with the words of one that fails."""
    temporary = folder / ".tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONNOUSERSITE": "1", "PYTHONPATH": str(APART), "TMPDIR": str(temporary)}
    log = temporary / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while True:
                told(size_of(folder))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(LOOK_S)
                    break
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    words = log.read_text(errors="replace").splitlines()
    shutil.rmtree(temporary, ignore_errors=True)
    if code:
        raise _failure(step, words)


def _failure(step: str, words: list[str]) -> ToolkitError:
    """Return what a failed step of an installation means, with the cure."""
    text = "\n".join(words)
    if "No space left" in text:
        hint = "make room, or set XDG_CACHE_HOME to a folder with more"
    elif "No matching distribution" in text:
        hint = "does the package index that pip is configured with have it? pip index versions rknn-toolkit2"
    elif any(word in text for word in ("NewConnectionError", "ConnectTimeout", "ReadTimeout", "resolution")):
        hint = "pip could not reach its package index: check network and proxy, then try again"
    else:
        hint = "try again; pip's words are above"
    last = "\n".join(f"  {line}" for line in words[-LAST_LINES:])
    return ToolkitError(f"{step} could not be installed:\n{last}", hint=hint)


def _check_space(folder: Path, *, with_torch: bool) -> None:
    needed = NEEDED_BYTES + (TORCH_BYTES if with_torch else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchError(
            f"{folder} has {format_bytes(free)} free; installing takes {format_bytes(needed)}",
            hint="make room, or set XDG_CACHE_HOME to a folder with more",
        )


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; what vanishes meanwhile counts nothing."""
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 - 20,000 files a second
    return size


@contextlib.contextmanager
def _held(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold an environment while it is made or removed; waits for another rkbench that does, and says so."""
    with folder.with_name(f"{folder.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
