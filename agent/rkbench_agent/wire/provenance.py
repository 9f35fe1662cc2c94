"""Where numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from rkbench_agent.wire.words import MEASURED


@dataclass(frozen=True)
class Provenance:
    """Where each group of numbers comes from; None where there is no number.

    One of the words of `words.py`: measured, vendor_simulator, computed, modelled, from_file, predicted.
    `load` speaks of the memory of the NPU.
    """

    load: Optional[str] = None
    load_duration: Optional[str] = None
    process_memory: Optional[str] = None
    latency: Optional[str] = None
    outputs: Optional[str] = None
    readings: Optional[str] = None


#: What a real board yields.
ALL_MEASURED = Provenance(MEASURED, MEASURED, MEASURED, MEASURED, MEASURED, MEASURED)
