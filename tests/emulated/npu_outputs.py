"""Runs on the board: computes models with RKNNLite or `capi`, each in a process of its own.

Reads /board/plan.json, {case: [path of the model, runtime, core mask]}, and the inputs,
/board/CASE.inputs.npy. Writes /board/CASE.npz (`0`, `1`, ...: the outputs) and /board/answers.json, by case
the exit code and the text printed.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, "/board/agent")

import numpy as np  # the path must be set first
import rknnlite.api  # noqa: F401 - takes long: once, before the children
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.runtimes.registry import new_runtime
from rkbench_agent.wire.plan import RunSpec


def compute(path, name, core_mask):
    """Write the outputs of one model, in the child."""
    setup = ModelSetup(RunSpec("m", "m", "", 0, [], []), path, soc=os.environ["SOC"], core_mask=core_mask)
    runtime = new_runtime(name, setup)
    runtime.read()
    runtime.initialise()
    runtime.feed([np.load(path.replace(".rknn", ".inputs.npy"))])
    outputs = runtime.outputs(runtime.infer())
    np.savez(path.replace(".rknn", ".npz"), **{str(i): array for i, array in enumerate(outputs)})
    runtime.release()


def compute_apart(path, name, core_mask):
    """Compute one case in a child, and return how that went."""
    text = Path("/tmp/text")
    child = os.fork()
    if child == 0:
        printed = os.open(text, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        try:
            compute(path, name, core_mask)
        except RuntimeFailureError as error:
            print(error.message, flush=True)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"exit_code": code, "text": text.read_text()}


plan = json.loads(Path("/board/plan.json").read_text())
answers = {case: compute_apart(*asked) for case, asked in plan.items()}
Path("/board/answers.json").write_text(json.dumps(answers))
