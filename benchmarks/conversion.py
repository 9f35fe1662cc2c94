"""Conversions against the vendor's bare calls, two at once against one by one, and a sweep run again.

With the real rknn-toolkit2, in the environment of `bench toolkit install`; without it nothing is measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rkbench.files import cache_folder
from rkbench.toolkit.environment import APART, find_environment, installed_versions

from benchmarks.bloated import ONNX
from benchmarks.ratio import Ratio, interleaved_seconds, median_seconds

SMALL = ONNX.with_name("chshuffle6.onnx")
EIGHT = ("fp16", "int8", "int8-kl", "int8-layer", "int16", "single-core", "gap=mean", "relu=kept")
SWEPT = ("fp16", "fix,fp16", "single-core,fp16", "fix,single-core,fp16", "int8", "fix,int8", "fix,int8-layer")
BARE = """
import sys
from rknn.api import RKNN
rknn = RKNN()
assert rknn.config(target_platform="rk3568") == 0
assert rknn.load_onnx(model=sys.argv[1]) == 0
assert rknn.build(do_quantization=False) == 0
assert rknn.export_rknn("bare.rknn") == 0
rknn.release()
"""


def run() -> list[Ratio]:
    """Return the ratios of wall times, and how long a sweep takes that finds everything done."""
    if not installed_versions():
        print("no rknn-toolkit2: bench toolkit install", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as name:
        home = _Home(Path(name))
        return [home.overhead(), home.side_by_side(), home.again()]


class _Home:
    """A cache with the installed toolkits in it, and none of their conversions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache/rkbench/host"
        self.cache.mkdir(parents=True)
        (self.cache / "toolkits").symlink_to(cache_folder("toolkits"))
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        self.python = find_environment(installed_versions()[0]).python

    def bench(self, *words: object) -> None:
        """Run `bench`, which must end well; a sweep without a winner does."""
        command = [sys.executable, "-c", "from rkbench.cli import main; main()", *map(str, words), "--quiet"]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, check=False, stdout=subprocess.DEVNULL
        )
        if done.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(map(str, words))}: exit code {done.returncode}")

    def convert(self, onnx: Path, target: str, recipes: tuple[str, ...], jobs: int) -> None:
        """Convert by recipes that were never converted."""
        shutil.rmtree(self.cache / "conversions", ignore_errors=True)
        asked = [word for recipe in recipes for word in ("--recipe", recipe)]
        asked += ["--random-calibration", "--jobs", str(jobs), "-o", str(self.folder / "out")]
        self.bench("convert", onnx, "--target", target, *asked)

    def bare(self) -> None:
        """Convert as a script of the vendor's calls does."""
        environment = {**self.environment, "PYTHONPATH": str(APART / "converter/standin")}
        command = [str(self.python), "-c", BARE, str(ONNX)]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, env=environment, cwd=self.folder, check=True, **streams)  # type: ignore[call-overload]  # a dictionary of options

    def overhead(self) -> Ratio:
        """Return one conversion against the vendor's calls alone."""
        ours, theirs = interleaved_seconds(lambda: self.convert(ONNX, "rk3568", ("fp16",), 1), self.bare, 3)
        return Ratio("bench convert of a 3 MB model vs the vendor's calls", ours, theirs, "s", 1.3)

    def side_by_side(self) -> Ratio:
        """Return eight conversions one after the other against two at once."""
        two, one = interleaved_seconds(
            lambda: self.convert(SMALL, "rk3588", EIGHT, 2),
            lambda: self.convert(SMALL, "rk3588", EIGHT, 1),
            1,
        )
        return Ratio("8 conversions one by one vs two at once", one, two, "s", 1.4, at_most=False)

    def again(self) -> Ratio:
        """Return how long a sweep takes whose variants are converted and measured."""
        shutil.copy(ONNX, self.folder / "net.onnx")
        asked = [word for recipe in SWEPT for word in ("--recipe", recipe)]
        asked += ["--random-calibration", "--minimize", "size", "--require", "cosine >= 0.999"]
        asked += ["--duration", "0.2", "--store", "store.sqlite", "-o", "out"]

        def sweep() -> None:
            self.bench("sweep", "net.onnx", "--board", "virtual:rk3588", *asked)

        began = time.perf_counter()
        sweep()
        print(f"the first sweep took {time.perf_counter() - began:.1f} s", file=sys.stderr)
        seconds = median_seconds(sweep, 5)
        return Ratio(f"bench sweep of {len(SWEPT)} variants, again", seconds, 0.0, "s", 2.0, absolute=True)
