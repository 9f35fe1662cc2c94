"""Which of what the host predicts of a file a virtual board shows, and what it calls it."""

from __future__ import annotations

from typing import Any

import pytest
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.behaviour import Behaviour
from rkbench_agent.runtimes.foretold import level_of
from rkbench_agent.runtimes.latency_model import LatencyModel, Work
from rkbench_agent.wire.plan import PredictedRun

THREE = PredictedRun([9_000_000, 5_000_000, 4_000_000], [0.001, 0.002, 0.0, 10.0])
ONE = PredictedRun([9_000_000])


def level(predicted: Any, mask: str, cores: int, **behaviour: Any) -> Any:
    return level_of(predicted, Behaviour(behaviour), mask, cores)


@pytest.mark.parametrize(
    ("mask", "cores", "run_ns"), [("auto", 0, 9e6), ("0", 1, 9e6), ("0-1", 2, 5e6), ("all", 3, 4e6)]
)
def test_each_number_of_cores_has_a_prediction_of_its_own(mask: str, cores: int, run_ns: float) -> None:
    assert level(THREE, mask, cores) == (run_ns, 1.0, "predicted")


def test_cores_that_the_file_has_no_tasks_for_are_modelled() -> None:
    run_ns, speedup, provenance = level(ONE, "all", 3)
    assert (run_ns, provenance) == (9e6, "modelled")
    assert speedup == pytest.approx(1.773, abs=0.001)


def test_what_nobody_predicts_is_modelled() -> None:
    assert level(None, "0", 1) == (None, 1.0, "modelled")


@pytest.mark.parametrize("latency", [{"median_ms": 2}, {"factor": 2}])
def test_a_level_that_the_behaviour_file_moves_is_not_predicted(latency: Any) -> None:
    assert level(THREE, "0", 1, latency=latency).provenance == "modelled"


def test_coefficients_of_the_behaviour_file_go_with_the_terms() -> None:
    found = level(THREE, "0", 1, latency={"coefficients": [1, 2, 3, 1e-4]})
    assert found == (pytest.approx(6e6), 1.0, "modelled")
    for predicted, coefficients in ((None, [1, 2, 3, 4]), (THREE, [1, 2])):
        with pytest.raises(RuntimeFailureError, match="coefficients"):
            level(predicted, "0", 1, latency={"coefficients": coefficients})


def test_the_median_of_a_predicted_run_is_the_prediction() -> None:
    model = LatencyModel("rk3588", Work(1, 1, 1, 1, 5e6), Behaviour({}), 1)
    runs_ns = sorted(model.next_run_ns(index) for index in range(2001))
    assert runs_ns[1000] == pytest.approx(5e6, rel=0.0005)
