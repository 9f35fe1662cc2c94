"""Clocks that an earlier push has left: they are given back before anything else, and the host is told."""

from __future__ import annotations

from pathlib import Path

from rkbench_agent.board.guard import is_left, settle
from rkbench_agent.line.link import HostLink


def settle_clocks(link: HostLink, cache: Path, root: Path, wait_s: float) -> None:
    """Give back what a guard that was killed left pinned, and wait for one that still restores.

    One that takes longer than `wait_s` is a doubt only where it was waited for.
    """
    if not is_left(cache):
        return
    try:
        failed = settle(cache, root, wait_s)
    except TimeoutError as error:
        if wait_s:
            _doubt(link, f"the clocks of an earlier push: {error}")
        return
    except OSError as error:
        _doubt(link, f"the clocks of an earlier push: {error}")
        return
    restored = "restored the clocks that an earlier push had left pinned"
    if failed:
        _doubt(link, f"{restored}; not: {', '.join(failed)}")
    elif failed is not None:
        link.doubt("clocks_restored", restored)


def _doubt(link: HostLink, text: str) -> None:
    link.doubt("clocks_not_restored", text, "reboot the board, or set its governors by hand")
