"""Entry point of the agent: `serve [CACHE]`, `put ...`, `version`; internal: `worker`, `guard`."""

from __future__ import annotations

import sys
from typing import List, Optional


def main(argv: Optional[List[str]] = None) -> int:
    """Run one sub-command; return the exit code."""
    name, *args = (sys.argv[1:] if argv is None else argv) or [""]
    if name == "serve":
        from rkbench_agent.line import server

        return server.main(args)
    if name == "put":
        from rkbench_agent.line import put

        return put.main(args)
    if name == "worker":
        from rkbench_agent.run import worker

        return worker.main(args)
    if name == "guard":
        from rkbench_agent.board import guard

        return guard.main(args)
    if name == "version":
        from rkbench_agent import __version__

        sys.stdout.write(__version__ + "\n")
        return 0
    sys.stderr.write("usage: rkbench-agent serve [CACHE] | put ... | version\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
