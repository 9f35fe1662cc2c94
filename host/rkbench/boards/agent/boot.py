"""What starts the agent on a board: the zipapp, and the command that fetches and runs it there."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import threading
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from rkbench.boards.agent.boot_script import BOOT
from rkbench.boards.agent.docstrings import without_docstrings
from rkbench.boards.model import Board
from rkbench.boards.transport import Argument, InHome

#: The oldest time that a zip can hold; the same for every file, so that equal sources give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)

_BUILDING = threading.Lock()
_MAIN = "import sys\nfrom rkbench_agent.__main__ import main\n\nsys.exit(main())\n"


@dataclass(frozen=True)
class AgentZip:
    """The agent as one file: `data`, and its SHA-256 in hex, which is its name on the board."""

    digest: str
    data: bytes

    @cached_property
    def sent(self) -> bytes:
        """What travels: all members in one stream, a third smaller than each of them by itself.

        Its size is told at every start, though it seldom travels: the last percent would take three times
        as long.
        """
        return zlib.compress(self.data, 6)


def build_agent() -> AgentZip:
    """Return the installed agent as a zipapp; equal sources give equal bytes, however installed.

    It is made once, also where fifty boards are begun at the same time.
    """
    with _BUILDING:
        return _built_agent()


@cache
def _built_agent() -> AgentZip:
    import rkbench_agent

    texts = python_sources(Path(rkbench_agent.__file__).parent)
    # Exporter and recorder are zipapps of their own: boards/exporter, boards/recording.
    sources = {
        name: without_docstrings(text).encode()
        for name, text in texts.items()
        if "/exporter/" not in name and "/recorder/" not in name
    }
    sources["__main__.py"] = _MAIN.encode()
    data = pack(
        sources,
        f"rkbench agent {rkbench_agent.__version__}: runs RKNN models for `bench push`; safe to delete",
    )
    agent = AgentZip(hashlib.sha256(data).hexdigest(), data)
    len(agent.sent)  # who begins a board needs it next, and none of the others is to make it anew
    return agent


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
