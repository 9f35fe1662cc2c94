"""What starts the agent on a board: the zipapp, and the short script that fetches and runs it.

The script travels as an argument of the first command, so nothing has to be there but Python. It
speaks lines that start with `rkbench-boot`: `need` (send me the zipapp) or `error KIND TEXT`.

The verified zipapp is unpacked once beside itself: Python keeps the compiled modules of a folder, but
compiles those of a zip anew in every process, which takes longer than the rest of a start on a board.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from rkbench_agent.wire.words import BOOT_MARK, SILENCE_LIMIT_S

from rkbench.boards.agent.docstrings import without_docstrings
from rkbench.boards.model import Board
from rkbench.boards.transport import Argument, InHome

#: The oldest time that a zip can hold; the same for every file, so that equal sources give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)

_MAIN = "import sys\nfrom rkbench_agent.__main__ import main\n\nsys.exit(main())\n"

#: Valid for Python 2.7 too, which has to answer that it is too old. No single quotes: it is shell-quoted.
BOOT = r"""
import sys
sys.path[:] = [entry for entry in sys.path if entry]
def fail(kind, text):
    sys.stdout.write("MARKerror %s %s\n" % (kind, text))
    sys.stdout.flush()
    sys.exit(3)
if sys.version_info < (3, 8):
    fail("python_too_old", "%s is Python %d.%d" % ((sys.executable,) + tuple(sys.version_info[:2])))
import errno, hashlib, os, runpy, select, zlib
digest, size, cache = sys.argv[1], int(sys.argv[2]), os.path.expanduser(sys.argv[3])
path = os.path.join(cache, "agents", digest + ".pyz")
def intact():
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest() == digest
    except OSError:
        return False
def fetch():
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = "%s.%d" % (path, os.getpid())
    with open(partial, "wb") as stream:
        try:
            sys.stdout.write("MARKneed\n")
            sys.stdout.flush()
            data = b""
            while len(data) < size:
                if not select.select([0], [], [], STALL)[0]:
                    fail("stalled", "the agent did not arrive: nothing came for STALL s")
                chunk = os.read(0, size - len(data))
                if not chunk:
                    fail("cut", "the agent did not arrive")
                data += chunk
            try:
                data = zlib.decompress(data)
            except zlib.error:
                fail("damaged", "the agent arrived damaged")
            if hashlib.sha256(data).hexdigest() != digest:
                fail("damaged", "the agent arrived damaged")
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.rename(partial, path)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
if not intact():
    try:
        fetch()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        fail("no_space" if full else "read_only", "%s: %s" % (cache, error.strerror))
else:
    try:
        os.utime(path)
    except OSError:
        pass
def unpack():
    import shutil, zipfile
    partial = "%s.%d" % (folder, os.getpid())
    try:
        zipfile.ZipFile(path).extractall(partial)
        os.rename(partial, folder)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
folder = path[:-4]
if not os.path.isdir(folder):
    unpack()
place = folder if os.path.isdir(folder) else path
sys.argv[:] = [place] + sys.argv[4:]
runpy.run_path(place, run_name="__main__")
""".replace("MARK", BOOT_MARK).replace("STALL", f"{SILENCE_LIMIT_S:g}")


@dataclass(frozen=True)
class AgentZip:
    """The agent as one file: `data`, and its SHA-256 in hex, which is its name on the board."""

    digest: str
    data: bytes

    @cached_property
    def sent(self) -> bytes:
        """What travels: all members in one stream, a third smaller than each of them by itself."""
        return zlib.compress(self.data, 9)


@cache
def build_agent() -> AgentZip:
    """Return the installed agent as a zipapp; equal sources give equal bytes, however installed."""
    import rkbench_agent

    texts = python_sources(Path(rkbench_agent.__file__).parent)
    # The exporter is a zipapp of its own: exporter/zipapp.py.
    sources = {
        name: without_docstrings(text).encode() for name, text in texts.items() if "/exporter/" not in name
    }
    sources["__main__.py"] = _MAIN.encode()
    data = pack(
        sources,
        f"rkbench agent {rkbench_agent.__version__}: runs RKNN models for `bench push`; safe to delete",
    )
    return AgentZip(hashlib.sha256(data).hexdigest(), data)


def python_sources(folder: Path) -> dict[str, str]:
    """Return every Python file of the package in `folder`: path from the folder's parent -> text."""
    names = [path.relative_to(folder.parent) for path in folder.rglob("*.py")]
    return {name.as_posix(): (folder.parent / name).read_text("utf-8") for name in names}


def pack(sources: dict[str, bytes], title: str) -> bytes:
    """Return a zipapp of `sources` (path in the archive: content) that says in its head what it is.

    Its members are stored: their compression would differ between zlib and zlib-ng, and so the digest.
    """
    stream = io.BytesIO()
    stream.write(f"#!/usr/bin/env python3\n# {title}\n".encode())
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            archive.writestr(info, sources[name])
    return stream.getvalue()


def boot_argv(board: Board, program: AgentZip, *arguments: str) -> list[Argument]:
    """Return the command that runs the zipapp with `arguments`, fetching it where it is missing.

    `put` needs no installed packages: without them (-S) Python starts sooner. The script is one line: csh
    takes no newline between quotes.
    """
    options = ["-S"] if arguments[:1] == ("put",) else []
    script = ["-c", f"exec({json.dumps(BOOT)})", program.digest, str(len(program.sent)), board.cache_dir]
    return [*shlex.split(board.become), _interpreter(board.python), *options, *script, *arguments]


def _interpreter(path: str) -> Argument:
    return InHome(path[2:]) if path.startswith("~/") else path
