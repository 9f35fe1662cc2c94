"""A cause of a file's size: what it owns, why the bytes are there, and how to be rid of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rkbench.language.said import Said

FixKind = Literal["command", "config", "toolkit", "network", "nothing"]
Verdict = Literal["healthy", "bloated"]
QUANTIZE = "rknn.build(do_quantization=True, dataset='dataset.txt')"
"""The snippet of a fix that quantizes."""


@dataclass(frozen=True)
class Claim:
    """Bytes that a cause takes: of one section, of one layer (`layer` is a node index; None: of no layer)."""

    section: str
    layer: int | None
    size_bytes: int


@dataclass(frozen=True)
class Fix:
    """One thing to do; `kind` says where."""

    kind: FixKind
    action: Said
    """What to do, in words."""
    snippet: str = ""
    """The exact command or `rknn.config` line; "" where the network has to change."""
    rewrites: tuple[str, ...] = ()
    """The rewrites of `bench fix` that do it, where they apply: with the ONNX at hand that is known."""
    saved_bytes: int | None = None
    """What these rewrites are predicted to save of the file; None where no ONNX or no prediction tells."""


@dataclass(frozen=True)
class Finding:
    """What one rule found, before the ledger has settled how many bytes it gets."""

    code: str
    title: Said
    because: Callable[..., Said]
    """The clause of the one-sentence answer; waits for `bytes` and `share`."""
    explanation: Said
    layers: tuple[str, ...]
    claims: tuple[Claim, ...]
    evidence: tuple[Said, ...]
    fixes: tuple[Fix, ...]
    not_helping: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Cause:
    """Why some bytes of this file are there, and what cures it."""

    code: str
    title: Said
    layers: tuple[str, ...]
    """Names of the layers in the file that it concerns, in execution order."""
    bytes: int
    """Bytes of the file that it owns: what the file would be smaller by, without the cause."""
    share: float
    """Of the file, 0 to 1."""
    sections: dict[str, int]
    """The same bytes by section."""
    because: Said
    explanation: Said
    evidence: tuple[Said, ...]
    """Facts of this file, with numbers."""
    fix: tuple[Fix, ...]
    not_helping: tuple[Said, ...]
    neighbours: tuple[str, ...]
    """`what feeds it → layer → what it feeds`, for its biggest layers."""


@dataclass(frozen=True)
class Attribution:
    """Every byte of a file in one cause or in `ordinary_bytes`; the causes by bytes, biggest first."""

    verdict: Verdict
    """`healthy`, or `bloated` where a cause owns a notable part of the file."""
    sentence: Said
    """The answer in one sentence with numbers."""
    lead: str | None
    """Code of the cause that is the answer; None in a healthy file."""
    causes: tuple[Cause, ...]
    ordinary_bytes: int
    ordinary: dict[str, int]
    """What is left to no cause, by section; sums to `ordinary_bytes`."""
    owners: dict[int, str]
    """Node index to the code of the cause that owns most of it, a third of its bytes at least."""

    @property
    def excess_bytes(self) -> int:
        """Bytes that causes own."""
        return sum(cause.bytes for cause in self.causes)
