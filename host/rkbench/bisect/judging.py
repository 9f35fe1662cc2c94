"""What is wrong, and whose fault it is: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rkbench_agent.wire.words import CRASH, HANG, OUT_OF_MEMORY, RUNTIME_ERROR

from rkbench.bisect.asked import (
    BOARD,
    CONVERSION,
    QUANTIZATION,
    UNKNOWN_KIND,
    Figures,
    Kind,
    Probe,
    TensorError,
)
from rkbench.errors import BoardError, UsageError
from rkbench.results.gating import parse_requirements
from rkbench.results.measures import COSINE, MAX_ERROR, SNR
from rkbench.results.model import Failure
from rkbench.results.output import Output, worst_part
from rkbench.results.records import SimulatorError
from rkbench.stats.gates import FAIL, NOT_MEASURED, Gate
from rkbench.stats.judging import judge_budget

#: A tenth of the signal's amplitude is error in floats, a third in integers, which round at every layer.
FLOAT_LIMIT, INTEGER_LIMIT = "snr >= 20dB", "snr >= 10dB"
WORDS = (SNR.gate, COSINE.gate, MAX_ERROR.gate)
#: The error has twice the amplitude, relative to the signal.
JUMP_DB = 6.0
_BY_MODEL = (RUNTIME_ERROR, CRASH, HANG, OUT_OF_MEMORY)
_AGAIN = "run it again: what was converted is kept"
#: Of something where nothing was expected.
LOWEST_DB = -300.0


def limit_of(required: Sequence[str], *, is_quantized: bool) -> Gate:
    """Return what an output must keep; raises UsageError for what board and simulator do not both tell."""
    if len(required) > 1:
        raise UsageError("bench bisect holds outputs against one limit", hint="give --require once")
    (gate,) = parse_requirements(required or [INTEGER_LIMIT if is_quantized else FLOAT_LIMIT])
    if gate.quantity.word not in WORDS or gate.output is not None:
        raise UsageError(
            f"{gate.text!r} is told of no part of a network", hint=f"a limit of {', '.join(WORDS)}"
        )
    return gate


def errors_of(
    gate: Gate, outputs: Sequence[Output], simulator: Sequence[SimulatorError]
) -> tuple[TensorError, ...]:
    """Return the outputs of a part as the board and the simulator have them."""
    told = {each.name: figures_of(each) for each in simulator}
    returned = {each.name: _on_board(each) if each.case_count else None for each in outputs}
    names = returned or told  # of a run that failed the simulator alone says something
    return tuple(error_of(gate, name, returned.get(name), told.get(name)) for name in names)


def check_failure(failure: Failure | None) -> str:
    """Return how a run failed by its model, "" where it did not; raises BoardError for any other failure.

    A line that was cut says nothing of a model.
    """
    if failure is not None and failure.reason not in _BY_MODEL:
        raise BoardError(f"no answer of a part: {failure.message}", hint=failure.advice or _AGAIN)
    return failure.message if failure is not None else ""


def error_of(gate: Gate, name: str, board: Figures | None, simulator: Figures | None) -> TensorError:
    """Return one output with what the limit says of both sides."""
    return TensorError(name, board, simulator, _is_wrong(gate, board), _is_wrong(gate, simulator))


def _is_wrong(gate: Gate, figures: Figures | None) -> bool | None:
    value = value_of(gate, figures)
    state = judge_budget(gate, value).state
    return None if state == NOT_MEASURED else state == FAIL


def value_of(gate: Gate, figures: Figures | None) -> float | None:
    """Return the figure that a limit speaks of; NaN where the output is broken, None where it is unknown."""
    if figures is None:
        return None
    if figures.is_broken:
        return math.nan
    return {
        SNR.gate: math.inf if figures.snr_db is None else figures.snr_db,
        COSINE.gate: figures.cosine,
        MAX_ERROR.gate: figures.max_abs_error,
    }[gate.quantity.word]


def kind_of(probe: Probe, *, is_quantized: bool) -> Kind:
    """Return whose fault a wrong part is: the simulator, which has no NPU, is wrong too or it is not."""
    wrong = [each.is_wrong_in_simulator for each in probe.wrong]
    if any(wrong):
        return QUANTIZATION if is_quantized else CONVERSION
    told = wrong or [each.is_wrong_in_simulator for each in probe.errors]
    return BOARD if told and None not in told else UNKNOWN_KIND


def lowest_snr_db(errors: Sequence[TensorError]) -> float:
    """Return the lowest SNR of outputs on the board; infinite where nothing has an error."""
    found = [each.board for each in errors if each.board is not None]
    if any(each.is_broken for each in found):
        return -math.inf
    return min((each.snr_db for each in found if each.snr_db is not None), default=math.inf)


def _on_board(output: Output) -> Figures:
    found = _figures(output.cosine, output.snr, output.max_abs_error, is_broken=output.is_broken)
    parts = output.parts
    return replace(found, worst_part=worst_part(parts.axis, parts.snr_db)) if parts else found


def figures_of(error: SimulatorError) -> Figures | None:
    """Return what the simulator says of an output; None in records that know no SNR."""
    is_broken = error.max_abs_error is None
    if error.snr_db is None and not error.snr_infinite and not is_broken:
        return None
    snr = error.snr_db if error.snr_db is not None else math.copysign(math.inf, error.snr_infinite)
    found = _figures(error.cosine, snr, error.max_abs_error, is_broken=is_broken)
    return replace(found, worst_part=error.worst_part)


def _figures(
    cosine: float | None, snr: float | None, max_abs_error: float | None, *, is_broken: bool
) -> Figures:
    """Return figures as JSON can have them: something where nothing was expected is the lowest SNR."""
    finite = LOWEST_DB if snr is None else max(snr, LOWEST_DB)
    return Figures(cosine, None if finite == math.inf else finite, max_abs_error, is_broken)
