"""Decoding of NPU tasks against the hash of the file, and `bench predict` against the import of numpy.

The 63 MB file of the story is taken where the toolkit's environment is there, else the demo's of 14.6 MB.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from rkbench.npu.layout import lay_out
from rkbench.npu.tasks import CORES, decode_tasks
from rkbench.rknn import open_model

from benchmarks.bloated import ROOT, bloated_model
from benchmarks.ratio import Ratio, interleaved_seconds

DEMO = ROOT / "host/rkbench/demo/data/digits.fp16.rknn"
#: 390 tasks, 40 to 60 of which are a layer of a detector.
MANY_TASKS = ROOT / "tests/data/models/g1_c512_cpg4_rk3568_fp.rknn"


def run() -> list[Ratio]:
    """Return the ratio of decoding all lists of tasks to hashing, and that of the process times."""
    with tempfile.TemporaryDirectory() as folder:
        large = bloated_model(Path(folder)) or DEMO
        ours, theirs = interleaved_seconds(lambda: decode(large), lambda: hash_file(large), 9)
        size = f"{large.stat().st_size / 1e6:.0f} MB"
    process, numpy = interleaved_seconds(
        lambda: quiet("from rkbench.cli import main; main()", "predict", str(MANY_TASKS)),
        lambda: quiet("import numpy"),
        9,
    )
    return [
        Ratio(f"decode the tasks of {size} vs sha256 of it", ours * 1e3, theirs * 1e3, "ms", 3.0),
        Ratio("bench predict, 390 tasks vs python -c 'import numpy'", process * 1e3, numpy * 1e3, "ms", 6.0),
    ]


def decode(path: Path) -> None:
    """Decode every list of tasks of a file."""
    with open_model(path) as model:
        layout = lay_out(model)
        for core_list in range(len(CORES)):
            decode_tasks(layout, core_list)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file that is read whole."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def quiet(code: str, *arguments: str) -> None:
    """Run a program of Python and drop what it prints."""
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
