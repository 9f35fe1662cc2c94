"""Command line of the exporter's zipapp: `serve`, `install`, `uninstall`, `version`."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, List, Optional, Tuple

from prometheus_client.registry import CollectorRegistry

from rkbench_agent import __version__
from rkbench_agent.child import package_root
from rkbench_agent.exporter.collector import BoardCollector, board_groups
from rkbench_agent.exporter.rounds import Rounds
from rkbench_agent.exporter.web import ExporterServer, ListenError, metrics_app
from rkbench_agent.storage import DEFAULT_CACHE

DEFAULT_LISTEN = "0.0.0.0:9954"


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one sub-command; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="rkbench-exporter: %(message)s", stream=sys.stderr)
    if options.command == "version":
        print(identity())
        return 0
    try:
        return serve(options)
    except ListenError as error:
        print(f"rkbench-exporter: {error}", file=sys.stderr)
        return 1


def serve(options: argparse.Namespace) -> int:
    """Answer Prometheus until SIGTERM. Raises ListenError."""
    root = Path(os.environ.get("RKBENCH_SYS_ROOT") or "/")
    cache = Path(options.cache).expanduser()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoardCollector(Rounds(root, board_groups(cache)), own_digest()[:12]))
    server = ExporterServer(parse_listen(options.listen), metrics_app(registry, identity()))
    if options.detach:
        _leave_terminal()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    logging.info("serving port %d", server.server_port)
    with server:
        server.serve_forever(poll_interval=3600)
    return 0


def parse_listen(text: str) -> Tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT`; raises ListenError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ListenError(f"no address: {text!r}; HOST:PORT or [IPV6]:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)


def identity() -> str:
    """Return name, version and digest of this exporter, in one line."""
    return f"rkbench-exporter {__version__} {own_digest() or 'from-source'}"


def own_digest() -> str:
    """Return the SHA-256 of the running zipapp; empty when the package runs from a folder."""
    try:
        return hashlib.sha256(Path(package_root()).read_bytes()).hexdigest()
    except IsADirectoryError:
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rkbench-exporter", description="This board for Prometheus.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="tell version and digest")
    serving = commands.add_parser("serve", help="answer Prometheus")
    serving.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT")
    serving.add_argument("--cache", default=DEFAULT_CACHE, help="cache folder of the rkbench agent")
    serving.add_argument("--detach", action="store_true", help="leave the session that started it")
    return parser


def _leave_terminal() -> None:
    try:
        os.setsid()
    except PermissionError:
        pass  # leads a session already


def _leave(number: int, frame: Any) -> None:
    del number, frame
    sys.exit(0)
