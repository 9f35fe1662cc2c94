"""Does a model fit into what the board has free? Judged before it is loaded, from what its file says."""

from __future__ import annotations

from typing import NamedTuple, Optional

from rkbench_agent.wire.plan import RunSpec

#: Above this part of the room it may still fail: the runtime's own buffers and everybody else's come on top.
TIGHT_RATIO = 0.8


class Room(NamedTuple):
    """What the board has free, in bytes; None where unknown. `iommu` False: NPU memory comes from CMA."""

    available_bytes: Optional[int]
    cma_free_bytes: Optional[int] = None
    iommu: Optional[bool] = None


class Doubt(NamedTuple):
    """Why loading will fail (`hopeless`) or may fail."""

    hopeless: bool
    message: str


def judge_fit(spec: RunSpec, room: Room, other: Optional[RunSpec] = None) -> Optional[Doubt]:
    """Return why a model will not fit or barely does; None where it fits or nothing can be said.

    It needs its weights and its internal tensors on the NPU, and its file in memory while it is loaded
    (RKNNLite keeps it there). What the file does not state counts as nothing. `other` is to be loaded beside.
    """
    specs = [spec] if other is None else [spec, other]
    weight = sum(each.figures.npu_weight_bytes or 0 for each in specs)
    internal = sum(each.figures.npu_internal_bytes or 0 for each in specs)
    files = sum(each.size_bytes for each in specs)
    npu = weight + internal
    subject = "the model" if other is None else f"the model with {other.name} beside it"
    told = f"weights {_mb(weight)}, internal {_mb(internal)}"
    if room.iommu is False and room.cma_free_bytes is not None:
        doubt = _judge(npu, room.cma_free_bytes, told, "free CMA (there is no IOMMU)", subject)
        if doubt is not None:
            return doubt
    if room.available_bytes is None:
        return None
    told += f", file{'s' if other else ''} {_mb(files)}"
    return _judge(npu + files, room.available_bytes, told, "available memory", subject)


def _judge(need_bytes: int, room_bytes: int, told: str, kind: str, subject: str) -> Optional[Doubt]:
    if need_bytes <= TIGHT_RATIO * room_bytes:
        return None
    hopeless = need_bytes > room_bytes
    word = "does not fit" if hopeless else "barely fits"
    text = f"{subject} {word}: it needs about {_mb(need_bytes)} ({told}) of {_mb(room_bytes)} {kind}"
    return Doubt(hopeless, text)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
