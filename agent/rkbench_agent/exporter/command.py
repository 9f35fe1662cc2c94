"""Command line of the exporter's zipapp: `serve`, `install`, `uninstall`, `version`."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from prometheus_client.registry import CollectorRegistry
from rkbench_web.server import SIGNAL_POLL_S

from rkbench_agent import __version__
from rkbench_agent.errors import ListenError, ServiceError
from rkbench_agent.exporter.collector import BoardCollector, board_groups
from rkbench_agent.exporter.install import Installation
from rkbench_agent.exporter.rounds import Rounds
from rkbench_agent.exporter.web import listen_at, metrics_app, parse_listen
from rkbench_agent.processes import archive
from rkbench_agent.wire.words import DEFAULT_CACHE, DEFAULT_EXPORTER_PORT, EXPORTER_MARK

DEFAULT_LISTEN = f"0.0.0.0:{DEFAULT_EXPORTER_PORT}"

_log = logging.getLogger("rkbench-exporter")


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one sub-command; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="rkbench-exporter: %(message)s", stream=sys.stderr)
    if options.command == "version":
        print(identity())
        return 0
    if options.command in ("install", "uninstall"):
        print(EXPORTER_MARK + json.dumps(_change(options)), flush=True)
        return 0
    try:
        return serve(options)
    except ListenError as error:
        print(f"rkbench-exporter: {error}", file=sys.stderr)
        return 1


def _change(options: argparse.Namespace) -> Dict[str, Any]:
    """Install or uninstall; return what was done, or why not, for the host to read."""
    root = Path(os.environ.get("RKBENCH_SYS_ROOT") or "/")
    installation = Installation(Path(options.cache).expanduser(), root, archive(), own_digest())
    try:
        if options.command == "uninstall":
            return installation.uninstall()
        return installation.install(options.listen, debugfs=options.debugfs)
    except (ServiceError, ListenError, OSError) as error:
        return {"error": str(error)}
    finally:
        installation.tidy()


def serve(options: argparse.Namespace) -> int:
    """Answer Prometheus until SIGTERM. Raises ListenError."""
    root = Path(os.environ.get("RKBENCH_SYS_ROOT") or "/")
    cache = Path(options.cache).expanduser()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoardCollector(Rounds(root, board_groups(root, cache)), own_digest()[:12]))
    server = listen_at(parse_listen(options.listen), metrics_app(registry, identity()))
    if options.detach:
        _leave_terminal()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    _log.info("serving port %d", server.server_port)
    with server:
        server.serve_forever(poll_interval=SIGNAL_POLL_S)
    return 0


def identity() -> str:
    """Return name, version and digest of this exporter, in one line."""
    return f"rkbench-exporter {__version__} {own_digest() or 'from-source'}"


def own_digest() -> str:
    """Return the SHA-256 of the running zipapp, also where what runs was compiled from it; else empty."""
    try:
        return hashlib.sha256(archive().read_bytes()).hexdigest()
    except OSError:
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rkbench-exporter", description="This board for Prometheus.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="tell version and digest")
    serving = commands.add_parser("serve", help="answer Prometheus")
    serving.add_argument("--detach", action="store_true", help="leave the session that started it")
    installing = commands.add_parser("install", help="keep it running on this board")
    installing.add_argument("--debugfs", action="store_true", help="let it read debugfs (as root)")
    for command in (serving, installing):
        command.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT")
    for command in (serving, installing, commands.add_parser("uninstall", help="leave nothing of it")):
        command.add_argument("--cache", default=DEFAULT_CACHE, help="cache folder of the rkbench agent")
    return parser


def _leave_terminal() -> None:
    try:
        os.setsid()
    except PermissionError:
        pass  # leads a session already


def _leave(number: int, frame: Any) -> None:
    del number, frame
    sys.exit(0)
