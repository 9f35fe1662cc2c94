"""kill -9 of `bench sweep` at random moments: it goes on, does nothing twice, and leaves nothing behind.

`make test` kills one sweep three times; `make kills` kills ten at moments spread over their whole duration,
and ten more at what they change on the disk, which moments of time would seldom hit.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench_command import BENCH, Done
from onnx_home import OnnxHome
from rkbench.store import open_store
from rkbench.variants.conversion_record import read_conversion

WHOLE = bool(os.environ.get("RKBENCH_KILLS"))
MOMENTS = 10
ASKED = (
    "sweep", "digits.onnx", "--board", "virtual:rk3588", "--duration", "0.1", "--random-calibration",
    "--recipe", "fp16", "--recipe", "int8", "--recipe", "fix,int8-mmse",
    "--require", "cosine >= 0.999", "--minimize", "size", "-o", "out", "--json", "-",
)  # fmt: skip
RECIPES = 3
#: Counts what a process is about to do to the disk, or to start; at one of them it is killed.
COUNTING = """
import atexit, os, pathlib, signal, sys
fatal, changes, end = int(os.environ["KILLED_AT_CHANGE"]), 0, os.environ["CHANGES"]
WRITES = os.O_WRONLY | os.O_RDWR
def count(event, words):
    global changes
    writes = event == "open" and isinstance(words[2], int) and words[2] & WRITES
    if not writes and event not in ("os.rename", "os.mkdir", "subprocess.Popen"):
        return
    if "rkbench-virtual" in str(words[0]):  # the board's own files: hundreds, and not the sweep's
        return
    changes += 1
    if changes == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
atexit.register(lambda: pathlib.Path(end).write_text(str(changes)))
sys.addaudithook(count)
"""
#: Names of what is being made.
UNFINISHED = re.compile(r"^\.|\.part$|\.\d+$")
#: What is not ours: the toolkit, and onnxruntime's notes.
OTHERS = {"toolkits", "Microsoft", ".ses"}
NEVER = 1_000_000

pytestmark = pytest.mark.xdist_group("sweep_kills")


class KilledHome(OnnxHome):
    """A home whose sweeps are killed; temporary files lie in it, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "tmp").mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "TMPDIR": str(self.folder / "tmp")}

    def start(self, change: int = NEVER) -> subprocess.Popen[bytes]:
        """Start a sweep, to be killed at so many changes of the disk."""
        told = {"KILLED_AT_CHANGE": str(change), "CHANGES": str(self.folder / "changes")}
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-c", COUNTING + BENCH, *ASKED],
                env={**self.environment, **told},
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    @property
    def kept(self) -> set[str]:
        """The conversions that are finished, as the stand-in counts those that it begins."""
        records = map(read_conversion, self.folder.glob("cache/rkbench/host/conversions/*.rknn"))
        return {
            f"{record.dtype != 'fp16'} {sorted({**record.config, 'target_platform': record.target}.items())}"
            for record in records
            if record is not None
        }

    @property
    def runs(self) -> Counter[tuple[str, str]]:
        """The whole runs in the store, by their variant and id."""
        with open_store(self.environment["RKBENCH_STORE"]) as store:
            return Counter((row.variant, row.run) for row in store.history() if not row.failed)

    @property
    def names(self) -> list[str]:
        """All that lies in the home, but for the toolkit."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return sorted(str(path) for path in found if not OTHERS & {*path.parts})

    @property
    def unfinished(self) -> list[str]:
        """What somebody was making, and anything where temporary files lie."""
        return [name for name in self.names if UNFINISHED.search(Path(name).name) or name.startswith("tmp/")]


@dataclass(frozen=True)
class AtDeath:
    """What there was when a sweep was killed."""

    begun: int
    kept: set[str]
    runs: Counter[tuple[str, str]]

    @classmethod
    def of(cls, home: KilledHome) -> AtDeath:
        return cls(len(home.calls), home.kept, home.runs)

    def faults(self, home: KilledHome) -> Iterator[str]:
        """Yield what was done again, or lost, since."""
        for call in home.calls[self.begun :]:
            if call in self.kept:
                yield f"converted twice: {call}"
        if lost := self.runs - home.runs:
            yield f"runs that are lost: {sorted(lost)}"


def faults_at_end(home: KilledHome, done: Done) -> Iterator[str]:
    """Yield what is wrong once a sweep has gone on to its end."""
    if done.returncode:
        yield f"exit code {done.returncode}: {done.stderr}"
        return
    if done.document["winner"] != "fix,int8-mmse":
        yield f"the winner is {done.document['winner']}"
    for variant, count in Counter(variant for variant, _ in home.runs.elements()).items():
        if count != 1:
            yield f"measured {count} times: {variant}"
    if len(home.runs) != RECIPES or len(set(home.calls)) != RECIPES:
        yield f"{len(home.runs)} runs and {len(set(home.calls))} conversions of {RECIPES} recipes"
    if home.unfinished:
        yield f"left behind: {home.unfinished}"


def test_a_sweep_that_is_killed_again_and_again_does_nothing_twice(tmp_path: Path) -> None:
    home, source = KilledHome(tmp_path / "home"), random.Random("sweep")
    faults, deaths = [], []
    for first, last in ((20, 120), (20, 90), (20, 90)):
        with home.start(source.randrange(first, last)) as killed:
            pass
        assert killed.returncode == -signal.SIGKILL, (home.folder / "said").read_text()
        faults += [fault for death in deaths for fault in death.faults(home)]
        deaths.append(AtDeath.of(home))
    done = home.run(*ASKED)
    faults += [fault for death in deaths for fault in death.faults(home)]
    assert [*faults, *faults_at_end(home, done)] == []


def moments_of(duration_s: float, changes: int) -> list[tuple[float, int]]:
    """Return when to kill: seconds, and changes of the disk; by seed, spread over all there are."""
    source = random.Random("sweeps")
    places = [(number + source.random()) / MOMENTS for number in range(MOMENTS)]
    moments = [(place * duration_s, NEVER) for place in places]
    return moments + [(10 * duration_s, 1 + int(place * changes)) for place in places]


def killed(home: KilledHome, moment_s: float, change: int) -> str:
    """Kill a sweep at a moment; return where it was."""
    with home.start(change) as process:
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            process.kill()
    (last,) = (home.folder / "said").read_text(errors="replace").splitlines()[-1:] or ["nothing said yet"]
    return f"change {change} ({last.strip()})" if change != NEVER else f"{moment_s:.1f} s ({last.strip()})"


if WHOLE:

    def test_sweeps_that_are_killed_at_moments_of_their_whole_duration_go_on(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reference, failed = KilledHome(tmp_path / "reference"), []
        began = time.monotonic()
        with reference.start():
            pass
        duration_s, changes = time.monotonic() - began, int((reference.folder / "changes").read_text())
        for number, moment in enumerate(moments_of(duration_s, changes)):
            home = KilledHome(tmp_path / f"home{number}")
            where = killed(home, *moment)
            death = AtDeath.of(home)
            faults = [*death.faults(home), *faults_at_end(home, home.run(*ASKED))]
            others = ({*home.names} ^ {*reference.names}) - {"changes"}  # that of one killed behind its end
            faults += [f"other files: {sorted(others)}"] if others else []
            with capsys.disabled():
                kept = f"{len(death.kept)} conversions and {len(death.runs)} runs were kept"
                print(f"\nkilled at {where}: {kept}; {'; '.join(faults) or 'held'}", end="")
            failed += faults
        assert failed == []
