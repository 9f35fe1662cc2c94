"""What a bisection is asked, and what comes of it: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rkbench_agent.wire.plan import RunSettings

from rkbench.bisect.cuts import Part, SourceLayer
from rkbench.conversion.words import ConvertWords
from rkbench.results.records import WorstPart
from rkbench.stats.gates import Gate

Kind = Literal["board", "quantization", "conversion", "unknown"]
#: The simulator is right and the board wrong; both are wrong, of integers; of floats; no simulator was asked.
BOARD: Final = "board"
QUANTIZATION: Final = "quantization"
CONVERSION: Final = "conversion"
UNKNOWN_KIND: Final = "unknown"

#: Of the golden's cases so many are compared: every part of the network answers each of them.
CASES = 4


@dataclass(frozen=True)
class BisectOptions:
    """One bisection as it is asked for.

    `golden` None: its inputs are random. `folder` takes the smallest part that fails.
    `wait_s` is for a board in use; None: no time, and labgrid's own for one of its places.
    """

    onnx: Path
    words: ConvertWords = field(default_factory=ConvertWords)
    settings: RunSettings = field(default_factory=RunSettings)
    golden: Path | None = None
    cases: int = CASES
    folder: Path | None = None
    wait_s: float | None = None


@dataclass(frozen=True)
class Figures:
    """How far one output is from onnxruntime's, the worst of all cases, in the words of `Output`.

    `snr_db` is None where it is infinite: without any error. `is_broken`: not finite where numbers belong.
    `worst_part`, such as a channel, is told and not judged: one of a small range is coarse in sound integers.
    """

    cosine: float | None = None
    snr_db: float | None = None
    max_abs_error: float | None = None
    is_broken: bool = False
    worst_part: WorstPart | None = None


@dataclass(frozen=True)
class TensorError:
    """One output of a part on the board and in the vendor's simulator; None where nobody said anything."""

    name: str
    board: Figures | None
    simulator: Figures | None
    is_wrong: bool | None
    is_wrong_in_simulator: bool | None


@dataclass(frozen=True)
class Probe:
    """What a part of the network did. `layers` is how many it has, `failure` why its run failed, if it did.

    `run` is the stored run, `onnx`, `rknn` and `golden` are its files, gone after the bisection.
    """

    part: Part
    layers: int
    errors: tuple[TensorError, ...] = ()
    failure: str = ""
    run: str = ""
    simulated: bool = False
    onnx: Path | None = None
    rknn: Path | None = None
    golden: Path | None = None

    @property
    def is_bad(self) -> bool | None:
        """Return whether an output is wrong, or the run failed; None where nothing was compared."""
        if self.failure:
            return True
        known = [each.is_wrong for each in self.errors if each.is_wrong is not None]
        return any(known) if known else None

    @property
    def wrong(self) -> tuple[TensorError, ...]:
        """Return the outputs that are wrong on the board."""
        return tuple(each for each in self.errors if each.is_wrong)


@dataclass(frozen=True)
class FoundLayer:
    """The wrong layer: all that it reads is right, and what it writes is not.

    `number` counts from 1. `candidates` has more than one where parts between could not be told apart.
    `is_jump`: the error is at least twice what the layer's inputs had; else it grows from layer to layer.
    """

    layer: SourceLayer
    number: int
    candidates: tuple[SourceLayer, ...]
    kind: Kind
    is_jump: bool
    right: Probe | None
    """The layers before it; None where it is the first."""
    wrong: Probe


@dataclass(frozen=True)
class BisectOutcome:
    """What came of a bisection. `found` is None where the whole network is right.

    `probes` stand in the order in which they were asked, `reproduction` is the smallest part that fails.
    """

    options: BisectOptions
    board: str
    target: str
    recipe: str
    gate: Gate
    layer_count: int
    probes: tuple[Probe, ...] = ()
    found: FoundLayer | None = None
    reproduction: Probe | None = None
    saved: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return 3 where a layer is wrong, 0 where none is."""
        return 3 if self.found else 0
