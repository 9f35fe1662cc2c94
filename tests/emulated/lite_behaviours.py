"""Runs on the board: what RKNNLite answers in every situation, as JSON in /board/answers.json.

With an argument, only the steps that have it in their names are taken.
Each step is a fresh RKNNLite unless it says otherwise; the double is told what to do through the
environment, which it reads at every call. Texts are what the step printed on stdout and stderr.
"""

import ctypes
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from rknnlite.api import RKNNLite

MODEL = "/tmp/model.rknn"
IMAGE = np.full((1, 224, 224, 3), 8, np.uint8)
answers = {}


def flush():
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # the runtime's own stdout is block-buffered on a file


def step(name, call, **settings):
    """Record what `call` returned and printed, with RKNN_DOUBLE_* settings for its time."""
    if not all(word in name for word in sys.argv[1:]):
        return
    names = {"RKNN_DOUBLE_" + key: value for key, value in settings.items()}
    os.environ.update(names)
    with tempfile.TemporaryFile() as printed:
        flush()
        kept = os.dup(1), os.dup(2)
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - what RKNNLite raises is the answer
            result = "raised " + repr(error)
        flush()
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)
        printed.seek(0)
        text = printed.read().decode()
    for key in names:
        del os.environ[key]
    answers[name] = {"result": plain(result), "text": text}


def plain(value):
    """Return what JSON can hold: of an output its type, shape and first element."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), float(value.ravel()[0])]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def loaded():
    lite = RKNNLite()
    lite.load_rknn(MODEL)
    return lite


def init_of(path):
    lite = RKNNLite()
    return [lite.load_rknn(path), lite.init_runtime()]


def ready(**keywords):
    lite = loaded()
    lite.init_runtime(**keywords)
    return lite


def twice_with_one_list(lite):
    formats = ["nhwc"]
    first = lite.inference([IMAGE], data_format=formats)
    return [plain(first), formats, plain(lite.inference([IMAGE], data_format=formats))]


def after_release(lite):
    lite.release()
    return lite.inference([IMAGE])


def private_view(lite):
    runtime = lite.rknn_runtime
    lite.inference([IMAGE])
    attr = runtime.get_tensor_attr(0, False)
    shape = list(attr.dims)[: attr.n_dims]
    told = [attr.name.decode(), shape, attr.fmt, attr.type, attr.qnt_type, attr.zp, round(attr.scale, 6)]
    return [list(runtime.get_in_out_num()), told, runtime.get_run_perf()]


Path(MODEL).write_bytes(b"RKNN" + bytes(60))

step(
    "class attributes",
    lambda: {name: getattr(RKNNLite, name) for name in dir(RKNNLite) if "NPU_CORE" in name},
)
step("load missing", lambda: RKNNLite().load_rknn("/nope.rknn"))
step("load garbage", lambda: RKNNLite().load_rknn("/etc/passwd"))
step("init before load", lambda: RKNNLite().init_runtime())
step("inference before init", lambda: loaded().inference([IMAGE]))
step("init", lambda: loaded().init_runtime())
for target in ("rk3588", "rk3568"):
    step("init target " + target, lambda target=target: loaded().init_runtime(target=target))
for mask in (0, 1, 2, 3, 4, 5, 6, 7, 8, 0xFFFF):
    step(f"init core_mask {mask}", lambda mask=mask: loaded().init_runtime(core_mask=mask))
for code in (-1, -2, -3, -4, -5, -6, -7, -10, -13, -14, -15, -16, -99):
    step(f"init returns {code}", lambda: loaded().init_runtime(), INIT_RET=str(code))
step("garbage model", lambda: init_of("/etc/passwd"))
step("static API 1.2.0", lambda: loaded().init_runtime(), API_VERSION="1.2.0 (old)")
step("driver 0.4.2", lambda: loaded().init_runtime(), DRIVER_VERSION="0.4.2")

lite = ready()
step("inference", lambda: lite.inference([IMAGE]))
step("one ndarray", lambda: lite.inference(IMAGE))
step("inputs_set returns -5", lambda: lite.inference([IMAGE]), INPUTS_RET="-5")
step("outputs_get returns -9", lambda: lite.inference([IMAGE]), OUTPUTS_RET="-9")
step("run returns -1", lambda: lite.inference([IMAGE * 2]), RUN_RET="-1")
step("run returns -2", lambda: lite.inference([IMAGE * 2]), RUN_RET="-2")
step("format list twice", lambda: twice_with_one_list(lite))
step("format str twice", lambda: [plain(lite.inference([IMAGE], data_format="nhwc")) for _ in "ab"])
step("3-D input", lambda: lite.inference([IMAGE[0]]))
step("float32", lambda: lite.inference([IMAGE.astype(np.float32)]))
step("float64", lambda: lite.inference([IMAGE.astype(np.float64)]))
step("int64", lambda: lite.inference([IMAGE.astype(np.int64)]))
step("two inputs", lambda: lite.inference([IMAGE, IMAGE]))
step("wrong height", lambda: lite.inference([IMAGE[:, :112]]))
step("NCHW unsaid", lambda: lite.inference([np.ascontiguousarray(IMAGE.transpose(0, 3, 1, 2))]))
step(
    "NCHW said",
    lambda: lite.inference([np.ascontiguousarray(IMAGE.transpose(0, 3, 1, 2))], data_format="nchw"),
)
step("sdk version", lite.get_sdk_version)
step("private", lambda: private_view(lite), RUN_US="1234")
step(
    "public methods", lambda: [hasattr(lite, name) for name in ("eval_perf", "eval_memory", "get_input_attr")]
)
step("after release", lambda: after_release(lite))
Path("/board/answers.json").write_text(json.dumps(answers))
