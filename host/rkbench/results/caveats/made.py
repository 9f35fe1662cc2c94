"""What the making of a file says against its numbers: what it was calibrated on, what was simulated of it."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.language.said import clause, say
from rkbench.results.caveats.outputs import LAYERS
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult

#: Board and simulator round differently: an error (1 - cosine) that is so many times the simulator's ...
ERROR_TIMES = 2.0
#: ... and so much more besides is no rounding.
ERROR_MORE = 1e-3
_ON_BOARD = clause(
    "output {output}: cosine {cosine:.5f} on the board, {expected:.5f} in the vendor's simulator"
)


def _random_calibration(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.variant.made is not None and run.variant.made.is_calibrated_on_noise:
        yield caveat(
            "random_calibration",
            say("calibrated on random inputs: size, memory and latency hold, outputs do not for real inputs"),
            say("convert with inputs like those that it will see: bench push MODEL.onnx --calibration DIR"),
        )


def _differs_from_simulator(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Say that the board answers otherwise than the vendor's simulator did, with both figures."""
    simulated = {error.name: error.cosine for error in run.variant.made.simulator} if run.variant.made else {}
    for output in run.outputs:
        expected = simulated.get(output.name)
        if output.cosine is None or expected is None:
            continue
        if 1 - output.cosine > ERROR_TIMES * (1 - expected) + ERROR_MORE:
            yield caveat(
                "differs_from_simulator",
                _ON_BOARD(output=repr(output.name), cosine=output.cosine, expected=expected),
                say(
                    "are runtime and toolkit of one version? if so, which layer is it: {command}",
                    command=LAYERS,
                ),
            )


MADE_RULES: tuple[Rule, ...] = (_random_calibration, _differs_from_simulator)
