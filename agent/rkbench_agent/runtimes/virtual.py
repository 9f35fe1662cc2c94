"""A runtime without an NPU: it checks the file, replays recorded outputs, and models the latency.

Nothing that it says was measured on a board, and each number says so: memory is `from_file`; outputs are of
the `vendor_simulator` or `computed` by the host before the push, none where an input was not recorded;
latencies are of `latency_model` on a clock of its own, at the level that the host predicts where it can. A
behaviour file (`behaviour`) makes it misbehave.
"""

from __future__ import annotations

import os
import signal
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np

from rkbench_agent import libc
from rkbench_agent.errors import ContainerError, RuntimeFailureError
from rkbench_agent.runtimes.base import ModelSetup, NpuMemory, StageTimes
from rkbench_agent.runtimes.behaviour import read_behaviour
from rkbench_agent.runtimes.container import check_platform, read_container
from rkbench_agent.runtimes.core_mask import choose_core_mask
from rkbench_agent.runtimes.foretold import level_of
from rkbench_agent.runtimes.latency_model import LatencyModel, memory_bytes_of, work_of
from rkbench_agent.runtimes.replay import Replay
from rkbench_agent.runtimes.virtual_npu import Call, VirtualNpu
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.socs import find_soc, with_cores
from rkbench_agent.wire.words import FROM_FILE, LOAD, MEASURED, MODELLED, PREDICTED, RELEASE

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

READ_BYTES_PER_S = 200e6
LOAD_OVERHEAD_NS = 20_000_000
LOAD_BYTES_PER_S = 1e9
#: What the behaviour file says that every load leaves behind in the process.
_leaked: List[bytes] = []
SUBMIT_FAILED = "E RKNN: [00:00:00.000] failed to submit!, op id: 0, op name: , flags: 0x5, int status: 0"

NO_MEMORY = (
    "E RKNN: [00:00:00.000] failed to allocate handle, ret: -1, errno: 12, errstr: Cannot allocate memory"
)


def new_runtime(setup: ModelSetup, name: str) -> VirtualRuntime:
    """Return the runtime of the registry's entry `name`."""
    del name
    return VirtualRuntime(setup)


class VirtualRuntime:
    """Implements `base.Runtime`."""

    #: As librknnrt can: the file's weights count once, whatever the number of contexts.
    shares_weights = True

    def __init__(self, setup: ModelSetup, number: int = 0) -> None:
        self._setup = setup
        self._behaviour = read_behaviour(setup.behaviour_path, setup.spec.name)
        self._seed = _seed(self._behaviour.get("seed"), setup.spec.name) + number
        self._growth_bytes = int(self._behaviour.get("growth_bytes") or 0)
        self._noise = np.random.RandomState(self._seed & 0x7FFFFFFF)
        self._mask, self._core_caveats = choose_core_mask(setup)
        soc = with_cores(find_soc(setup.soc), setup.npu_cores)
        self._npu = VirtualNpu(soc.npu_cores if soc else 1, float(self._behaviour.get("contention") or 0.0))
        #: The cores that its mask names; none: any one will do.
        self.cores = [core for core in range(self._npu.core_count) if self._mask >> core & 1]
        self._others = self.beside = 0
        foretold = setup.spec.figures.predicted
        self._level = level_of(foretold, self._behaviour, setup.core_mask, len(self.cores))
        root = Path(setup.sys_root) if setup.sys_root else None
        work, speedup = work_of(setup.spec, self._level.run_ns), self._level.speedup
        self._latency = LatencyModel(setup.soc, work, self._behaviour, self._seed, root, speedup)
        self._latency.begin_load(setup.worked_ns)
        self._now_ns = max(setup.clock_ns, time.monotonic_ns())
        self._stage, self._iteration, self._total = LOAD, 0, 0
        self._data: Optional[bytes] = None
        self._replay: Optional[Replay] = None
        self._inputs: List[Array] = []
        self._stages = StageTimes()
        self._unrecorded = False
        #: Replayed outputs are always equal, so nothing follows from it; injected noise is noise.
        self.replays = not self._behaviour.get("nondeterministic")
        self.profile_provenance = FROM_FILE if self._behaviour.get("profile") else PREDICTED

    def clock_ns(self) -> int:
        """Return the virtual time: it starts with the real monotonic clock and moves only by running."""
        return self._now_ns

    def begin_block(self, clock_ns: int, worked_ns: int) -> None:
        """Let the clock stand at `clock_ns` or later, and the board be as it is after so much work."""
        self._now_ns = max(self._now_ns, clock_ns)
        self._latency.begin_block(worked_ns)

    def provenance(self) -> Provenance:
        """Return where each kind of number comes from."""
        return Provenance(
            load=FROM_FILE,
            load_duration=MODELLED,
            process_memory=MEASURED,
            latency=self._level.provenance,
            outputs=self._replay.provenance if self._replay else None,
            readings=MODELLED if self._latency.board.moves() else FROM_FILE,
        )

    def enter(self, stage: str) -> None:
        """Count iterations anew, and do what the behaviour file has for this stage."""
        self._stage, self._iteration = stage, 0
        if stage in (LOAD, RELEASE):
            self._misbehave()

    def read(self) -> None:
        """Read the file, as RKNNLite.load_rknn does."""
        self._data = Path(self._setup.model_path).read_bytes()
        self._now_ns += int(len(self._data) / READ_BYTES_PER_S * 1e9)

    def initialise(self) -> None:
        """Check the file as librknnrt would, and open the recorded outputs."""
        try:
            check_platform(read_container(self._data or b""), self._setup.soc)
        except ContainerError as error:
            libc.print_line(f"E RKNN: [00:00:00.000] {error}", "stderr")
            libc.print_line("E RKNN: [00:00:00.000] rknn_init, load model failed!", "stderr")
            message = "RKNN init failed. error code: RKNN_ERR_MODEL_INVALID"
            raise RuntimeFailureError(message) from error
        if self._setup.replay_path:
            self._replay = Replay(self._setup.replay_path, self._setup.spec.outputs)
        _leaked.append(b"\x01" * int(self._behaviour.get("leak_bytes") or 0))
        load_s = self._behaviour.get("load_s")
        modelled_ns = LOAD_OVERHEAD_NS + int(memory_bytes_of(self._setup.spec) / LOAD_BYTES_PER_S * 1e9)
        self._now_ns += modelled_ns if load_s is None else int(float(load_s) * 1e9)

    def feed(self, inputs: List[Array]) -> None:
        """Set the inputs of the next inferences."""
        self._inputs = inputs

    def infer(self) -> object:
        """Let modelled time pass."""
        call = self.draw_call()
        self.end_call(
            StageTimes(call.set_inputs_ns, call.run_ns, call.get_outputs_ns), self._now_ns + sum(call)
        )
        return self

    def draw_call(self) -> Call:
        """Return what the next inference takes alone, and do what the behaviour file has for it."""
        self._misbehave()
        run_ns = self._latency.next_run_ns(self._total)
        if self._growth_bytes:
            _leaked.append(b"\x01" * self._growth_bytes)
        self._iteration += 1
        self._total += 1
        return Call(self._latency.set_inputs_ns, run_ns, self._latency.get_outputs_ns, self._latency.host_ns)

    def end_call(self, stages: StageTimes, end_ns: int) -> None:
        """Learn what an inference took, and let the clock stand at its end."""
        self._stages, self._now_ns = stages, end_ns

    def another(self, core_mask: str) -> VirtualRuntime:
        """Return another context on the same NPU, with a seed of its own."""
        self._others += 1
        most = self._behaviour.get("most_contexts")
        if most is not None and self._others >= int(most):
            self._out_of_memory({})
        setup = replace(self._setup, core_mask=core_mask, clock_ns=self._now_ns)
        context = VirtualRuntime(setup, self._others)
        context._data = self._data
        context.initialise()
        context.enter(self._stage)
        context.skip_to(self._now_ns)
        return context

    def skip_to(self, clock_ns: int) -> None:
        """Let the virtual clock stand at `clock_ns` or later."""
        self._now_ns = max(self._now_ns, clock_ns)

    def engine(self) -> VirtualNpu:
        """Return the model of the cores, on its own clock."""
        return self._npu

    def replayed(self, inputs: List[Array]) -> Optional[List[Array]]:
        """Return the recorded outputs of other inputs, if there are any; no inference is made for them."""
        return self._replay.outputs(inputs) if self._replay else None

    def outputs(self, _result: Any) -> Optional[List[Array]]:
        """Return the recorded outputs of the inputs that were fed, or None if there are none."""
        found = self.replayed(self._inputs)
        self._unrecorded = self._unrecorded or found is None
        names = [output.name for output in self._setup.spec.outputs]
        return None if found is None else [self._spoilt(*pair) for pair in zip(found, names)]

    def stage_times(self) -> StageTimes:
        """Return the modelled parts of the last inference."""
        return self._stages

    def npu_memory(self) -> NpuMemory:
        """Return the figures that the file states; the total only where both are known."""
        weight = self._setup.spec.figures.npu_weight_bytes
        internal = self._setup.spec.figures.npu_internal_bytes
        total = None if weight is None or internal is None else weight + internal
        return NpuMemory(weight, internal, total)

    def profile(self) -> str:
        """Return the table of layers that the behaviour file names, else the one that the host predicts."""
        path, predicted = self._behaviour.get("profile"), self._setup.spec.figures.predicted
        if path is not None:
            return Path(str(path)).read_text()
        if predicted is None or not predicted.profile:
            raise RuntimeFailureError(
                "no time of single layers is predicted for this file",
                advice="the time of each layer needs a board: --board NAME --profile",
            )
        return predicted.profile

    def caveats(self) -> List[Caveat]:
        """Return the doubts: cores that are not there, outputs that nobody recorded."""
        doubts = list(self._core_caveats)
        if not self._unrecorded or self._setup.spec.golden is None:  # then nothing was to be compared
            return doubts
        return [
            *doubts,
            caveat(
                "outputs_not_recorded",
                "the virtual board has no recorded outputs for some inputs: they were not compared",
                "push to a board (--board NAME), or give the golden whose outputs lie beside the model",
            ),
        ]

    def release(self) -> None:
        """Give the file's bytes back."""
        self._data = None
        if self._replay:
            self._replay.close()

    def _spoilt(self, array: Array, name: str) -> Array:
        kind = self._behaviour.get("outputs") or (
            self._behaviour.get("outputs_beside") if self.beside else None
        )
        if self._behaviour.get("nondeterministic"):
            return np.asarray(array + self._noise.standard_normal(array.shape).astype(array.dtype))
        if kind == "wrong" or name in (self._behaviour.get("wrong_outputs") or ()):
            return np.ascontiguousarray(array[..., ::-1] * -1)
        if kind == "constant":
            return np.full_like(array, 0.5)
        if kind == "nan":
            return np.full_like(array, np.nan)
        return array

    def _misbehave(self) -> None:
        for event in ("log", "swallowed", "out_of_memory", "fail", "hang", "crash", "exit"):
            for entry in self._behaviour.at(event, self._stage, self._iteration):
                getattr(self, "_" + event)(entry)

    def _log(self, entry: Dict[str, Any]) -> None:
        libc.print_line(str(entry.get("text", "")), str(entry.get("stream", "stdout")))

    def _swallowed(self, entry: Dict[str, Any]) -> None:
        del entry
        libc.print_line(SUBMIT_FAILED, "stderr")

    def _out_of_memory(self, entry: Dict[str, Any]) -> None:
        del entry
        libc.print_line(NO_MEMORY, "stderr")
        raise RuntimeFailureError("RKNN init failed. error code: RKNN_ERR_MALLOC_FAIL")

    def _fail(self, entry: Dict[str, Any]) -> None:
        raise RuntimeFailureError(str(entry.get("message", "the runtime returned an error")))

    def _hang(self, entry: Dict[str, Any]) -> None:
        del entry
        while True:
            time.sleep(3600)

    def _crash(self, entry: Dict[str, Any]) -> None:
        os.kill(os.getpid(), getattr(signal, str(entry.get("signal", "SIGSEGV"))))

    def _exit(self, entry: Dict[str, Any]) -> None:
        os._exit(int(entry.get("code", 1)))


def _seed(seed: Optional[int], name: str) -> int:
    return zlib.crc32((name if seed is None else f"{seed} {name}").encode("utf-8"))
