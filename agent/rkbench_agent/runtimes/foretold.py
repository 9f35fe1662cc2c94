"""Which of what the host predicts of a file is the level of a virtual run: pure."""

from __future__ import annotations

from typing import NamedTuple, Optional

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.behaviour import Behaviour
from rkbench_agent.runtimes.virtual_npu import speedup_of
from rkbench_agent.wire.plan import PredictedRun
from rkbench_agent.wire.words import BAD_INPUT, MODELLED, PREDICTED


class Level(NamedTuple):
    """What the run on one core takes (None: the rough model says), by what its cores are faster, and
    where that comes from."""

    run_ns: Optional[float]
    speedup: float
    provenance: str


def level_of(predicted: Optional[PredictedRun], behaviour: Behaviour, core_mask: str, cores: int) -> Level:
    """Return the level of a run on so many cores (0: any one).

    It is `predicted` only where nothing of the behaviour file moves it. Raises RuntimeFailureError where the
    file's coefficients do not fit what is known of the model.
    """
    staged = (behaviour.get("cores") or {}).get(core_mask)
    latency = behaviour.get("latency") or {}
    speedup = float(staged or speedup_of(cores))
    if "coefficients" in latency:
        return Level(_of_terms(predicted, latency["coefficients"]), speedup, MODELLED)
    known = predicted.run_ns if predicted else []
    if not known or "median_ms" in latency:
        return Level(None, speedup, MODELLED)
    if staged or cores > len(known):
        return Level(known[0], speedup, MODELLED)
    return Level(known[max(0, cores - 1)], 1.0, MODELLED if "factor" in latency else PREDICTED)


def _of_terms(predicted: Optional[PredictedRun], coefficients: object) -> float:
    terms = predicted.terms if predicted else []
    if not isinstance(coefficients, list) or not terms or len(terms) != len(coefficients):
        raise RuntimeFailureError(
            "behaviour file: `coefficients` need a model whose tasks the host can decode, one for each term",
            reason=BAD_INPUT,
            advice="four numbers: of roofline, memory, tables, and seconds for each task",
        )
    return sum(term * float(coefficient) for term, coefficient in zip(terms, coefficients)) * 1e9
