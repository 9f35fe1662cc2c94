"""Runs on the board: loads each model of /board/plan.json through `capi`, each in a process of its own.

Writes /board/answers.json: by case what the runtime told, or the error.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, "/board/agent")

import numpy as np  # the path must be set first
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes import rknn_abi
from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.runtimes.capi import CapiRuntime
from rkbench_agent.wire.plan import RunSpec


def tell(path, zero_copy):
    """Return what one model says, after two inferences."""
    runtime = CapiRuntime(
        ModelSetup(RunSpec("m", "m", "", 0, [], []), path, soc="rk3588"), zero_copy=zero_copy
    )
    runtime.read()
    runtime.initialise()
    inputs, outputs = runtime.tensors()
    runtime.feed([np.zeros(item.shape, "int8" if item.dtype == "int8" else "float16") for item in inputs])
    results = [runtime.outputs(runtime.infer()) for _ in range(2)][-1]
    answer = {
        "memory": asdict(runtime.npu_memory()),
        "versions": asdict(runtime.versions()),
        "inputs": [asdict(item) for item in inputs],
        "outputs": [asdict(item) for item in outputs],
        "results": [[str(array.dtype), list(array.shape)] for array in results],
        "stages": asdict(runtime.stage_times()),
        "custom_string": runtime.custom_string(),
    }
    if not zero_copy:
        answer["profile"] = runtime.profile()
    runtime.release()
    return answer


def tell_or_fail(path, zero_copy):
    try:
        return tell(path, zero_copy)
    except RuntimeFailureError as error:
        return {"error": error.message}


def run_apart(case, path, zero_copy):
    """Run one case in a child, and return its answer with the exit code and what it printed."""
    text, answer = Path("/tmp/text"), Path("/tmp/answer")
    answer.write_text("{}")
    child = os.fork()
    if child == 0:
        printed = os.open(text, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.environ["RKNN_DOUBLE_LOG"] = f"/board/{case}.log"
        answer.write_text(json.dumps(tell_or_fail(path, zero_copy)))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"exit_code": code, "text": text.read_text(), **json.loads(answer.read_text())}


plan = json.loads(Path("/board/plan.json").read_text())
answers = {case: run_apart(case, path, zero_copy) for case, (path, zero_copy) in plan.items()}
answers["layouts"] = {name: rknn_abi.layout_of(struct) for name, struct in rknn_abi.STRUCTS.items()}
Path("/board/answers.json").write_text(json.dumps(answers))
