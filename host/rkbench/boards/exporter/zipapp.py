"""Builds the board's exporter: one zipapp of our agent's modules and prometheus-client.

The bundled prometheus-client is the one that this host has installed: rkbench depends on exactly the
release that still runs on the boards' Python 3.8, so building needs no network.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from rkbench.boards.agent.boot import AgentZip, pack, python_sources
from rkbench.errors import BoardError

#: The last release for Python 3.8; pyproject.toml demands it.
CLIENT_VERSION = "0.21.1"
_MAIN = "import sys\nfrom rkbench_agent.exporter.command import main\n\nsys.exit(main())\n"
#: Parts of prometheus-client that a board has no use for.
_LEFT_OUT = ("/twisted/", "/bridge/")


@cache
def build_exporter() -> AgentZip:
    """Return the exporter as a zipapp; equal sources give equal bytes.

    Raises BoardError where the installed prometheus-client is not the one that boards can run.
    """
    import prometheus_client
    import rkbench_agent
    import rkbench_web

    installed = metadata.version("prometheus-client")
    if installed != CLIENT_VERSION:
        raise BoardError(
            f"prometheus-client {installed} is installed; the exporter of the boards needs {CLIENT_VERSION}",
            hint=f"pip install prometheus-client=={CLIENT_VERSION}  (newer ones do not run on Python 3.8)",
        )
    agent, web, theirs = (
        python_sources(Path(file).parent)
        for file in (rkbench_agent.__file__, rkbench_web.__file__, prometheus_client.__file__)
    )
    kept = {name: text for name, text in theirs.items() if not any(part in name for part in _LEFT_OUT)}
    sources = {name: text.encode() for name, text in {**agent, **web, **kept}.items()}
    sources["__main__.py"] = _MAIN.encode()
    title = f"rkbench exporter {rkbench_agent.__version__}: this board for Prometheus"
    data = pack(sources, title)
    return AgentZip(hashlib.sha256(data).hexdigest(), data)
