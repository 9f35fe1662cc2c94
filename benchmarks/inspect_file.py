"""`bench inspect` against rknncli on the 63 MB file, and against the import of typer on a small one.

rknncli prints inputs and outputs; ours accounts for every byte. It is installed into an environment of its
own, `.venv-rknncli`. Without the toolkit's environment there is no 63 MB file, and that line is left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.bloated import ROOT, bloated_model
from benchmarks.ratio import Ratio, interleaved_seconds

SMALL = ROOT / "tests" / "data" / "models" / "mb_gap7_rk3588_i8.rknn"
RKNNCLI = "rknncli==0.3.3"
PEAK_LIMIT_MB = 80.0


def run() -> list[Ratio]:
    """Return the ratios of process times, interpreter start included, and the peak memory."""
    small, typer = interleaved_seconds(
        lambda: _quiet(_inspect(SMALL)), lambda: _quiet([sys.executable, "-c", "import typer"]), 15
    )
    ratios = [Ratio("bench inspect, 0.6 MB vs python -c 'import typer'", small * 1e3, typer * 1e3, "ms", 2.5)]
    with tempfile.TemporaryDirectory() as folder:
        model = bloated_model(Path(folder))
        if model is not None:
            ratios += _large(model)
    return ratios


def _large(model: Path) -> list[Ratio]:
    theirs = [str(_rknncli()), str(model)]
    ours_s, theirs_s = interleaved_seconds(lambda: _quiet(_inspect(model)), lambda: _quiet(theirs), 15)
    ours_mb, theirs_mb = _peak_mb(_inspect(model)), _peak_mb(theirs)
    return [
        Ratio("bench inspect, 63 MB vs rknncli", ours_s * 1e3, theirs_s * 1e3, "ms", 1.0),
        Ratio("its peak memory vs rknncli", ours_mb, theirs_mb, "MB", PEAK_LIMIT_MB / theirs_mb),
    ]


def _inspect(model: Path) -> list[str]:
    code = "from rkbench.cli import main; main()"
    return [sys.executable, "-c", code, "inspect", str(model)]


def _quiet(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _peak_mb(command: list[str]) -> float:
    """Return the peak resident memory of a command: of a child of its own, so that it is not ours."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / 1e6


def _rknncli() -> Path:
    """Return rknncli, installed on first use."""
    folder = ROOT / ".venv-rknncli"
    program = folder / "bin" / "rknncli"
    if not program.exists():
        venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", RKNNCLI]
        subprocess.run(command, check=True)
    return program
