"""Builds the board's exporter: one zipapp of our agent's modules and prometheus-client.

The prometheus-client of the boards is not the host's: it lies here as its authors' wheel, the last release
that runs on the boards' Python 3.8. So building needs no network, and the host is free to take a newer one.
"""

from __future__ import annotations

import hashlib
import zipfile
from functools import cache
from pathlib import Path

from rkbench.boards.agent.boot import AgentZip, pack, python_sources

#: As the Python Package Index has it; a test holds its SHA-256.
CLIENT_WHEEL = Path(__file__).with_name("prometheus_client-0.21.1-py3-none-any.whl")
_MAIN = "import sys\nfrom rkbench_agent.exporter.command import main\n\nsys.exit(main())\n"
#: Parts of prometheus-client that a board has no use for.
_LEFT_OUT = ("/twisted/", "/bridge/")


@cache
def build_exporter() -> AgentZip:
    """Return the exporter as a zipapp; equal sources give equal bytes."""
    import rkbench_agent
    import rkbench_web

    agent, web = (
        python_sources(Path(file).parent) for file in (rkbench_agent.__file__, rkbench_web.__file__)
    )
    sources = {name: text.encode() for name, text in {**agent, **web}.items()}
    sources.update(_client_sources())
    sources["__main__.py"] = _MAIN.encode()
    title = f"rkbench exporter {rkbench_agent.__version__}: this board for Prometheus"
    data = pack(sources, title)
    return AgentZip(hashlib.sha256(data).hexdigest(), data)


def _client_sources() -> dict[str, bytes]:
    """Return the modules of the bundled prometheus-client, with its licence."""
    with zipfile.ZipFile(CLIENT_WHEEL) as wheel:
        return {
            name: wheel.read(name)
            for name in wheel.namelist()
            if (name.endswith(".py") and not any(part in name for part in _LEFT_OUT))
            or name.endswith(("/LICENSE", "/NOTICE"))
        }
