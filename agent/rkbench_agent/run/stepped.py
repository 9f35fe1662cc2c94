"""The scenarios that are made of steps, by name: how each is conducted."""

from __future__ import annotations

from typing import Optional

from rkbench_agent.run.interference import run_interference
from rkbench_agent.run.offline import run_offline
from rkbench_agent.run.server import run_server
from rkbench_agent.run.soak import run_soak
from rkbench_agent.run.state import RunState
from rkbench_agent.run.steps import Steps
from rkbench_agent.wire.plan import RunSpec
from rkbench_agent.wire.words import OFFLINE, SERVER


def run_steps(steps: Steps, state: RunState, npu_cores: int, other: Optional[RunSpec]) -> None:
    """Carry out the scenario of the settings, which is none of single calls. Raises RunFailedError.

    `other` is the second model, which the scenario `interference` alone has.
    """
    if other is not None:
        run_interference(steps, state, other, npu_cores)
    elif steps.settings.scenario == OFFLINE:
        run_offline(steps, state, npu_cores)
    elif steps.settings.scenario == SERVER:
        run_server(steps, state, npu_cores)
    else:
        run_soak(steps, state)
