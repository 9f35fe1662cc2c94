"""`bench --version`: what a report of a bug should begin with."""

from __future__ import annotations

import platform
import sys

from rkbench import __version__


def version_line() -> str:
    """Return the versions of rkbench, of its agent (the digest that results name) and of Python."""
    from rkbench.boards.agent.boot import build_agent

    agent, python = build_agent().digest[:12], sys.version.split()[0]
    system = f"{platform.system()} {platform.machine()}"
    return f"rkbench {__version__} (agent {agent}, Python {python}, {system})"
