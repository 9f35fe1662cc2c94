"""The contexts that a worker holds beside its first one, all of one model and with the same inputs."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from rkbench_agent.board.memory import dma_buf_bytes, memory_available_bytes, process_memory
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import Runtime


class Crew:
    """Contexts by number; `first` is the worker's own, already loaded and fed."""

    def __init__(self, first: Runtime, inputs: List[Any], beat: Callable[[], None]) -> None:
        self._contexts = [first]
        self._inputs = inputs
        self._beat = beat

    def grow(self, core_masks: Sequence[str], warmups: int) -> str:
        """Have one context for each of `core_masks`, warmed up; returns why there are fewer, or nothing.

        A context keeps the cores that it was made with: a worker has one placement.
        """
        for mask in core_masks[len(self._contexts) :]:
            try:
                self._add(mask, warmups)
            except RuntimeFailureError as error:
                return error.message
            except MemoryError as error:
                return f"no memory: {error}"
        return ""

    @property
    def contexts(self) -> List[Runtime]:
        """All contexts, in the order in which they were made."""
        return list(self._contexts)

    def npu_bytes(self, count: int) -> Optional[int]:
        """Return what the runtime says of the memory of the first `count`; shared weights count once."""
        memories = [context.npu_memory() for context in self._contexts[:count]]
        totals = [memory.total_bytes for memory in memories]
        if any(total is None for total in totals):
            return None
        shared = self._contexts[0].shares_weights
        again = sum((memory.weight_bytes or 0) if shared else 0 for memory in memories[1:])
        return sum(total or 0 for total in totals) - again

    def release(self) -> None:
        """Give back all but the first, the newest first."""
        while len(self._contexts) > 1:
            self._contexts.pop().release()

    def _add(self, mask: str, warmups: int) -> None:
        context = self._contexts[0].another(mask)
        context.feed(self._inputs)
        for _ in range(max(1, warmups)):
            if context.infer() is None:
                raise RuntimeFailureError("the runtime returned no outputs")
            self._beat()
        self._contexts.append(context)


def memory_now(root: Path, simulated: bool) -> Dict[str, Optional[int]]:
    """Return the memory of this worker, and of the board unless that is only example files."""
    gc.collect()
    memory = process_memory()
    return {
        "rss_bytes": memory["rss_bytes"],
        "pss_bytes": memory["pss_bytes"],
        "dma_buf_bytes": None if simulated else dma_buf_bytes(),
        "memory_available_bytes": None if simulated else memory_available_bytes(root),
    }
