"""Behaves as RKNNLite 2.5.0 was seen to, for the calls that the agent makes; no code is the vendor's.

A "model" is any bytes. What it yields: output 0 is float32 [1, 10], the i-th value being the sum of the
inputs plus i. The environment makes it misbehave: STANDIN_SOC (rk3588), STANDIN_INIT (0, or an error
name), STANDIN_FAIL_RUN (the n-th run fails in the NPU, from 1), STANDIN_NONE (the n-th call is an error
of RKNNLite), STANDIN_CALLS (a file that gets a line of JSON per call), STANDIN_RUN_PERF (microseconds,
`raise`, or `absent`), STANDIN_ALONE (a file: the NPU has the memory for one process at a time).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any, List, Optional

import numpy as np

_LIBC = ctypes.CDLL(None)
_MULTI_CORE = ("rk3588", "rk3576")
_MASKS = (0, 1, 2, 3, 4, 7, 0xFFFF)


def _c_print(stream: str, text: str) -> None:
    """Print through C's stdio, as librknnrt does."""
    _LIBC.fputs.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    _LIBC.fputs(text.encode() + b"\n", ctypes.c_void_p.in_dll(_LIBC, stream))


def _error(text: str) -> None:
    """Print as RKNNLite's own logger does."""
    sys.stderr.write(text + "\n")


def _record(**call: Any) -> None:
    path = os.environ.get("STANDIN_CALLS")
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps(call) + "\n")


class _Runtime:
    """The private `rknn_runtime`."""

    def get_run_perf(self) -> str:
        """Return the last run's duration in microseconds, as text."""
        value = os.environ.get("STANDIN_RUN_PERF", "1234")
        if value == "raise":
            raise Exception("Query perf failed")
        return value


class RKNNLite:
    """The class that users import."""

    NPU_CORE_AUTO = 0
    NPU_CORE_0 = 1
    NPU_CORE_1 = 2
    NPU_CORE_2 = 4
    NPU_CORE_0_1 = 3
    NPU_CORE_0_1_2 = 7
    NPU_CORE_ALL = 0xFFFF

    def __init__(self, verbose: bool = False, verbose_file: Optional[str] = None) -> None:
        _error("W rknn-toolkit-lite2 version: 2.5.0")
        self.rknn_data: Optional[bytes] = None
        self.rknn_runtime: Any = None
        self._runs = self._calls = 0
        self._stale: List[Any] = [np.zeros((1, 10), np.float32)]

    def load_rknn(self, path: str, key_path: Optional[str] = None) -> int:
        """Read the file; nothing is parsed."""
        try:
            self.rknn_data = Path(path).read_bytes()
        except OSError:
            _error(f"E Invalid RKNN model path: {path}")
            return -1
        return 0

    def init_runtime(
        self,
        target: Optional[str] = None,
        device_id: Optional[str] = None,
        async_mode: bool = False,
        core_mask: int = 0,
    ) -> int:
        """Load the model."""
        _record(call="init_runtime", target=target, core_mask=core_mask)
        if self.rknn_data is None:
            _error("E Model is not loaded yet, this interface should be called after load_rknn!")
            return -1
        if target is not None:
            _error("Exception: Unsupported run platform: Linux aarch64")
            return -1
        if core_mask and os.environ.get("STANDIN_SOC", "rk3588") not in _MULTI_CORE:
            _error(
                "E The core_mask is only supported by ['RK3588', 'RK3576']. Please do not set this parameter"
                " on other platforms."
            )
            return -1
        if core_mask not in _MASKS:
            _error("E Catch exception when set npu core mode.")
            return -1
        if not self._take_memory():
            _c_print(
                "stderr", "E RKNN: [00:07:52.145] failed to malloc npu memory!, size: 59187712, flags: 0x2"
            )
            return -1
        failure = os.environ.get("STANDIN_INIT")
        if failure:
            _c_print("stderr", "E RKNN: [00:07:52.145] " + os.environ.get("STANDIN_INIT_LINE", "no"))
            _error(f"Traceback (most recent call last):\nException: RKNN init failed. error code: {failure}")
            return -1
        _c_print("stdout", "I RKNN: [00:07:52.145] RKNN Model Information: version: 6, target: RKNPU v2")
        _error("W Query dynamic range failed. Ret code: RKNN_ERR_MODEL_INVALID. (ignore)")
        if os.environ.get("STANDIN_RUN_PERF") != "absent":
            self.rknn_runtime = _Runtime()
        return 0

    def _take_memory(self) -> bool:
        path = os.environ.get("STANDIN_ALONE")
        if path:
            self._memory = os.open(path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(self._memory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def inference(
        self,
        inputs: List[Any],
        data_type: Any = None,
        data_format: Any = None,
        inputs_pass_through: Any = None,
        get_frame_id: bool = False,
        reuse_outputs: bool = False,
    ) -> Optional[List[Any]]:
        """Run; a failing rknn_run returns the outputs of the run before, as if nothing had happened."""
        self._calls += 1
        _record(call="inference", data_format=data_format, shapes=[list(array.shape) for array in inputs])
        if self.rknn_data is None:
            _error("E Runtime environment is not inited, please call init_runtime to init it first!")
            return None
        if isinstance(data_format, list):
            for index, name in enumerate(data_format):
                if name != "nhwc":
                    _error(f"Exception: Unsupport data format: {name}")
                    return None
                data_format[index] = 1
        if os.environ.get("STANDIN_NONE") == str(self._calls):
            _error("Exception: Set inputs failed. error code: RKNN_ERR_PARAM_INVALID")
            return None
        if inputs[0].dtype == np.float64:
            _error("Exception: E Unsupport inputs[0].dtype: float64")
            return None
        self._runs += 1
        if os.environ.get("STANDIN_FAIL_RUN") == str(self._runs):
            _c_print(
                "stderr", "E RKNN: [00:07:52.145] failed to submit!, invalid run task counter: 210 >= 70"
            )
            return self._stale
        total = float(sum(int(array.astype(np.int64).sum()) for array in inputs))
        self._stale = [total + np.arange(10, dtype=np.float32).reshape(1, 10)]
        return self._stale

    def release(self) -> None:
        """Give everything back."""
        _record(call="release")
        self.rknn_data = None
