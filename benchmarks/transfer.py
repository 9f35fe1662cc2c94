"""Uploads against scp: over loopback, and over a link of 100 Mbit/s and 5 ms.

Both sides connect anew every time. Our cache is emptied before every upload, so that every byte
travels. The bloated file is the converted `bloat3M_groupconv_cpg4.onnx` (63 MB, mostly zeros); it is
made with rknn-toolkit2 (bench toolkit install) and left out, with a word, where that is missing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from rkbench.boards.model import Board
from rkbench.files import local_file
from rkbench.session import open_session

from benchmarks.bloated import bloated_model
from benchmarks.loopback import LINK_DELAY_S, LINK_RATE_BYTES_PER_S, Relay, Sshd, scp
from benchmarks.ratio import Ratio, interleaved_seconds

NOISE_BYTES = 60_000_000


def run() -> list[Ratio]:
    """Return throughput ratios (ours over scp's) and the bytes that an unchanged model costs."""
    with tempfile.TemporaryDirectory() as folder:
        server = Sshd(Path(folder) / "sshd")
        try:
            return _measure(server, Path(folder))
        finally:
            server.close()


def _measure(server: Sshd, folder: Path) -> list[Ratio]:
    noise = folder / "noise.bin"
    noise.write_bytes(os.urandom(NOISE_BYTES))
    direct = server.board
    ratios = [_compare("60 MB of noise, loopback", server, direct, noise, 0.8, repeats=7)]
    with Relay(server.port, LINK_DELAY_S, LINK_RATE_BYTES_PER_S) as relay:
        linked = server.through(relay.port)
        ratios.append(_compare("60 MB of noise, 100 Mbit 5 ms", server, linked, noise, 0.95, repeats=3))
        bloated = bloated_model(folder)
        if bloated is None:
            print("  the bloated file is left out: no rknn-toolkit2 (bench toolkit install)", file=sys.stderr)
        else:
            name = f"{bloated.stat().st_size / 1e6:.0f} MB bloated, 100 Mbit 5 ms"
            ratios.append(_compare(name, server, linked, bloated, 8.0, repeats=3))
    _upload(direct, noise)
    sent = _upload(direct, noise)
    ratios.append(Ratio("unchanged model again: bytes sent", float(sent), 0.0, "B", 0.0, absolute=True))
    return ratios


def _compare(name: str, server: Sshd, board: Board, path: Path, limit: float, repeats: int) -> Ratio:
    def ours() -> None:
        _forget(server)
        _upload(board, path)

    port = board.port or 22
    ours_s, theirs_s = interleaved_seconds(ours, lambda: scp(server, port, path), repeats)
    size = path.stat().st_size / 1e6
    return Ratio(f"{name}: upload vs scp", size / ours_s, size / theirs_s, "MB/s", limit, at_most=False)


def _upload(board: Board, path: Path) -> int:
    with open_session(board) as session:
        return session.upload([local_file(path)])[0].sent_bytes


def _forget(server: Sshd) -> None:
    shutil.rmtree(server.home / ".cache/rkbench/objects", ignore_errors=True)
