"""Convert one ONNX model with rknn-toolkit2, and ask its simulator; run by the toolkit environment's Python.

    PYTHONPATH=host/rkbench/toolkit/apart PYTHON -m converter [JOB.json]    (or the job's JSON on stdin)
    PYTHONPATH=host/rkbench/toolkit/apart PYTHON -m converter check         (can the toolkit be imported?)

`rkbench.toolkit.jobs` makes the job, one JSON object (paths are files on this machine):
  onnx        the model                                                  (required)
  target      rk3588 | rk3568 | ...                                      (required)
  dtype       fp16 | int8 | int16                                        (default fp16)
  output      where the .rknn goes; absent: it is built, measured and dropped
  dataset     calibration of integers: a list of cases, each one .npy path or a list of them, one an input,
              shaped as the ONNX input; absent: `samples` random cases from `seed`
  seed, samples   of the random calibration, standard normal values      (default 0 and 8)
  config      more keywords of `rknn.config`, e.g. {"single_core_mode": true}
  hybrid      {layer name: "float16"}: these stay float in an int8 model; "auto": the toolkit chooses them
  input_shapes  {input name: shape}; absent: the ONNX's own, symbolic dimensions as 1
  inputs      an .npz for the simulator: `inputs/NAME` or `NAME`, (cases, *shape as fed: 4-D is NHWC)
  outputs     where the simulator's answers go (a replay): `outputs/NAME` (cases, *shape), `digests`, `source`
  analysis    where the vendor's error of each layer goes: its accuracy_analysis of the first case of `inputs`
  log         where the toolkit's verbose log goes

The answer is one JSON line on stdout, everything that the toolkit prints goes to stderr:
  {"ok": true, "size_bytes", "duration_s": {"load", "build", "export", "simulate"}, "toolkit_version",
   "peak_rss_bytes", "output_names"} or {"ok": false, "stage", "error"}, exit code 1.
Success is judged by return codes and exceptions: each good build logs `E RKNN: Unkown op target: 0`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from .convert import Job, StageError, convert, import_toolkit

PR_SET_PDEATHSIG = 1


def absolute(job: Job) -> Job:
    """Make the job's paths absolute: the toolkit works in a temporary directory."""
    files = [key for key in ("onnx", "output", "inputs", "outputs", "analysis", "log") if key in job]
    found: Job = {**job, **{key: str(Path(job[key]).resolve()) for key in files}}
    if job.get("dataset") is not None:
        rows = [[case] if isinstance(case, str) else case for case in job["dataset"]]
        found["dataset"] = [[str(Path(path).resolve()) for path in row] for row in rows]
    return found


def end_with_parent() -> None:
    """Let Linux kill this process when the one that started it dies: nobody would take the answer."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Read the job, answer on the real stdout; everything else that is printed goes to stderr."""
    end_with_parent()
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    if sys.argv[1:] == ["check"]:
        import_toolkit()
        return 0
    job = absolute(json.loads(Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.read()))
    with tempfile.TemporaryDirectory(prefix="rkbench-toolkit-") as folder:
        os.chdir(folder)
        try:
            answer = convert(job, Path(folder))
        except StageError as error:
            answer = {"ok": False, "stage": error.stage, "error": str(error)}
        os.chdir("/")
    os.write(answer_fd, json.dumps(answer).encode() + b"\n")
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
