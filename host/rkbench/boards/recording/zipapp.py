"""Builds the recorder: the few modules of our agent that read a board's files and clean them."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from rkbench.boards.agent.boot import AgentZip, pack, python_sources
from rkbench.boards.agent.docstrings import without_docstrings

_MAIN = "import sys\nfrom rkbench_agent.recorder.recording import main\n\nsys.exit(main())\n"
_NEEDED = ("*/__init__.py", "*/recorder/*", "*/board/kernel_log.py", "*/wire/words.py")


@cache
def build_recorder() -> AgentZip:
    """Return the recorder as a zipapp; equal sources give equal bytes."""
    import rkbench_agent

    texts = python_sources(Path(rkbench_agent.__file__).parent)
    sources = {
        name: without_docstrings(text).encode()
        for name, text in texts.items()
        if any(fnmatch(name, pattern) for pattern in _NEEDED)
    }
    sources["__main__.py"] = _MAIN.encode()
    data = pack(sources, f"rkbench recorder {rkbench_agent.__version__}; safe to delete")
    return AgentZip(hashlib.sha256(data).hexdigest(), data)
