"""What stands before the first phase of a load is no memory of the model's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Dict, List

from agent_bench import AGENT, Bench
from rkbench_agent.wire.codec import to_line

#: Opens a worker in a process of its own, and says which of our modules each phase found imported.
PROGRAM = """
import json, sys
sys.path[0] = sys.argv.pop(1)
from rkbench_agent.run.worker import Worker

class Told:
    def send(self, message):
        if type(message).__name__ == "LoadMemory":
            ours = [name for name in sys.modules if name.startswith("rkbench_agent")]
            print(json.dumps([message.phase, "numpy" in sys.modules, sorted(ours)]))
    def control(self, **value): pass
    def mark(self): pass

class Counted:
    def increment(self): pass

Worker(json.loads(sys.stdin.read()), Told(), Counted()).open()
"""


def test_all_that_a_load_imports_of_ours_is_there_before_its_first_phase(bench: Bench) -> None:
    spec = bench.spec(golden=bench.golden(), replay=bench.replay())
    paths = {
        f"{name}_path": str(bench.cache / "objects" / digest)
        for name, digest in (("model", spec.model), ("golden", spec.golden), ("replay", spec.replay))
    }
    command: Dict[str, object] = {
        "spec": spec,
        "runtime": "virtual",
        "core_mask": "auto",
        "sys_root": str(bench.root),
        "soc": "rk3588",
        "npu_cores": 3,
        "simulated": True,
        "load": 0,
        "cpus": [],
        "behaviour_path": None,
        "clock_ns": 0,
        "worked_ns": 0,
        "report": True,
        **paths,
    }
    program, given = [sys.executable, "-c", PROGRAM, str(AGENT)], to_line(command)
    done = subprocess.run(program, input=given, stdout=subprocess.PIPE, check=True, timeout=60)
    phases: List[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    (phase, has_numpy, first), (_, _, last) = phases[0], phases[-1]
    assert (phase, has_numpy) == ("before", True)  # numpy reads goldens
    assert set(last) - set(first) == set()
