"""Runs on the board: loads models, runs each once with RKNNLite, and says how that went.

Reads /board/plan.json, {case: [path, {settings of the doubles}]}. Each case has a process of its own,
forked after the imports: the vendor's library aborts. Writes /board/answers.json, by case the exit code
(negative: the signal), the attributes of the tensors, the outputs' shapes, and the text printed.
"""

import ctypes
import json
import os
from pathlib import Path

import numpy as np
from rknnlite.api import RKNNLite


def tensor(attr):
    return {
        "name": attr.name.decode(),
        "shape": list(attr.dims)[: attr.n_dims],
        "fmt": attr.fmt,
        "type": attr.type,
        "zero_point": (attr.zp + 2**31) % 2**32 - 2**31,  # RKNNLite shows it unsigned
        "scale": attr.scale,
    }


def run(path):
    """Return what one model says, in the child."""
    lite = RKNNLite()
    lite.load_rknn(path)
    if lite.init_runtime() != 0:
        return {"loaded": False}
    runtime = lite.rknn_runtime
    n_inputs, n_outputs = runtime.get_in_out_num()
    inputs = [tensor(runtime.get_tensor_attr(i, False)) for i in range(n_inputs)]
    outputs = [tensor(runtime.get_tensor_attr(i, True)) for i in range(n_outputs)]
    fed = [np.zeros(item["shape"], np.float32) for item in inputs]
    result = lite.inference(fed)
    shapes = None if result is None else [list(array.shape) for array in result]
    lite.release()
    return {"loaded": True, "inputs": inputs, "outputs": outputs, "result_shapes": shapes}


def run_apart(case, path, settings):
    """Run one case in a child, and return its answer with exit code and text."""
    text, answer = Path("/tmp/text"), Path("/tmp/answer")
    answer.write_text("{}")
    child = os.fork()
    if child == 0:
        printed = os.open(text, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        ctypes.CDLL(None).setvbuf(
            ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stdout"), None, 2, 0
        )  # unbuffered
        os.environ["RKNN_DOUBLE_LOG"] = f"/board/{case}.log"
        os.environ.update({f"RKNN_DOUBLE_{key}": value for key, value in settings.items()})
        answer.write_text(json.dumps(run(path)))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"exit_code": code, "text": text.read_text(), **json.loads(answer.read_text())}


plan = json.loads(Path("/board/plan.json").read_text())
answers = {case: run_apart(case, path, settings) for case, (path, settings) in plan.items()}
Path("/board/answers.json").write_text(json.dumps(answers))
