"""What a worker takes of memory, phase by phase of its load."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional

from rkbench_agent.board.memory import dma_buf_bytes, memory_available_bytes, process_memory
from rkbench_agent.wire.messages import LoadMemory

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream
    from rkbench_agent.runtimes.base import NpuMemory


class Phases:
    """Tells the host what each phase of one load took, and adds up what a resident worker needs."""

    def __init__(self, run: str, load: int, root: Path, simulated: bool, answers: AnswerStream) -> None:
        self._run = run
        self._load = load
        self._root = root
        self._simulated = simulated
        self._answers = answers
        self._needs: List[int] = []
        self._available: List[int] = []

    def tell(self, phase: str, duration_ns: Optional[int], npu: Optional[NpuMemory]) -> None:
        """Send the memory at the end of one phase."""
        gc.collect()
        message = LoadMemory(
            self._run,
            phase,
            duration_ns,
            **process_memory(),
            memory_available_bytes=None if self._simulated else memory_available_bytes(self._root),
            dma_buf_bytes=None if self._simulated else dma_buf_bytes(),
            npu_weight_bytes=npu.weight_bytes if npu else None,
            npu_internal_bytes=npu.internal_bytes if npu else None,
            npu_total_bytes=npu.total_bytes if npu else None,
            sram_bytes=npu.sram_bytes if npu else None,
            load=self._load,
        )
        self._add(message)
        self._answers.send(message)

    def need_bytes(self) -> Optional[int]:
        """Return the larger of the process's own figure and what the board lost; None if both are unknown."""
        needs = list(self._needs)
        if self._available:
            needs.append(self._available[0] - min(self._available))
        return max(needs) if needs else None

    def _add(self, message: LoadMemory) -> None:
        npu = message.dma_buf_bytes or message.npu_total_bytes or 0
        if message.rss_bytes is not None:
            self._needs.append(message.rss_bytes + npu)
        if message.memory_available_bytes is not None:
            self._available.append(message.memory_available_bytes)
