"""The messages of single scenarios: what a step of them was. They are among `messages.Message`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional


@dataclass(frozen=True)
class OfflineStep:
    """One step of the scenario `offline`: `contexts` of one model were busy at once.

    The calls of each context are one block, and `blocks` names them; their latencies were sent before.
    `core_masks` are those of the contexts. Memory is of the worker with all of them loaded; `npu_bytes` is
    what the runtime says of all contexts, shared weights counted once. `core_busy_ns` is how long each core
    worked meanwhile, where the runtime is a model that knows it.
    """

    run: str
    placement: str
    contexts: int
    blocks: List[int]
    core_masks: List[str]
    shares_weights: bool
    rss_bytes: Optional[int] = None
    pss_bytes: Optional[int] = None
    dma_buf_bytes: Optional[int] = None
    memory_available_bytes: Optional[int] = None
    npu_bytes: Optional[int] = None
    core_busy_ns: Optional[List[int]] = None


@dataclass(frozen=True)
class ServerStep:
    """One rate of the scenario `server`; without a rate its contexts were always busy.

    The calls of each context are one block, and `blocks` names them; `start_ns` of a call is when it was
    due, and its duration runs from there. `late_ns` is how late the agent itself began calls for which it
    had waited, in all `waits` of them.
    """

    run: str
    rate_per_s: Optional[float]
    blocks: List[int]
    late_ns: int = 0
    waits: int = 0


@dataclass(frozen=True)
class SoakWindow:
    """One window of the scenario `soak`; its latencies, of block `block`, were sent before.

    `elapsed_ns` is how long it took with what lies between calls. Of `digested` outputs since the start of
    the run `changed` differ from the first, `first_changed` being the first iteration of those.
    """

    run: str
    block: int
    elapsed_ns: int
    digested: int
    changed: int
    first_changed: Optional[int] = None
    rss_bytes: Optional[int] = None
    dma_buf_bytes: Optional[int] = None


@dataclass(frozen=True)
class InterferenceRound:
    """One round of the scenario `interference`: each model alone, then both at once.

    Every field `*block` is the block of one model's calls, whose latencies were sent before: `other_` means
    the second model. `core_masks` are those of the run's own model and of the other.
    """

    run: str
    placement: str
    core_masks: List[str]
    alone_block: int
    other_alone_block: int
    block: int
    other_block: int


@dataclass(frozen=True)
class InterferenceOutputs:
    """How one model's outputs in `compared` calls beside the other stand to those of calls alone.

    `outputs` are the names of those that differed, `changed` in how many calls each did. `repeats`: whether
    calls alone yield equal outputs; where they do not, nothing was compared. Nor was it where nothing is
    known of the outputs (0 compared).
    """

    run: str
    placement: str
    is_other: bool
    compared: int
    repeats: bool
    outputs: List[str]
    changed: List[int]


@dataclass(frozen=True)
class TryRate:
    """From the host: serve this rate next, in the scenario `server`. `Enough` ends the run instead."""

    run: str
    rate_per_s: float
