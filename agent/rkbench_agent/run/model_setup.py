"""What a worker gives a runtime, and the first inputs, from the command that names a model."""

from __future__ import annotations

from typing import Any, Dict, List

from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.wire.plan import RunSpec


def setup_of(command: Dict[str, Any], spec: RunSpec) -> ModelSetup:
    """Return the setup of the model that `command` names; `spec` is the command's own, built."""
    return ModelSetup(
        spec,
        command["model_path"],
        command["core_mask"],
        command["soc"],
        command["replay_path"],
        command["behaviour_path"],
        command["clock_ns"],
        command["npu_cores"],
        command["worked_ns"],
        command["sys_root"],
    )


def first_inputs_of(command: Dict[str, Any], spec: RunSpec) -> List[Any]:
    """Return what the model is fed to be timed. Raises RuntimeFailureError for a golden that does not fit."""
    from rkbench_agent.run import cases

    return cases.first_inputs(spec, command["golden_path"])
