"""The runtime `capi` against our librknnrt double, on this machine's own architecture."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from double_build import build_runtime_double, has_compiler
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes import rknn_abi as abi
from rkbench_agent.runtimes.base import ModelSetup, NpuMemory
from rkbench_agent.runtimes.capi import CapiRuntime
from rkbench_agent.runtimes.rknn_context import TensorInfo, Versions
from rkbench_agent.runtimes.rknn_io import _write_rows
from rkbench_agent.wire.plan import RunSpec

ROOT = Path(__file__).parents[2]
TWO_IN = "a:1x2x2x1:int8:nhwc:0.5:-2;b:1x3:float32"
TWO_OUT = "y:1x3:int8:undefined:0.25:1;z:2x2:float32"
PYTHONS = [path for path in (Path(sys.executable), ROOT / ".venv-py38/bin/python") if path.exists()]


class Fixture:
    """A librknnrt of its own (call counts and all), a model, and the double's log."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        self.model = folder / "model.rknn"
        self.model.write_bytes(b"RKNN" + bytes(60))
        library = folder / "librknnrt.so"
        shutil.copy(build_runtime_double("x86_64"), library)
        monkeypatch.setenv("RKBENCH_LIBRKNNRT", str(library))
        self.script(LOG=str(folder / "double.log"))

    def script(self, **settings: str) -> None:
        for name, value in settings.items():
            self._monkeypatch.setenv(f"RKNN_DOUBLE_{name}", value)

    def setup(self, **changes: Any) -> ModelSetup:
        values: dict[str, Any] = {"soc": "rk3588", **changes}
        return ModelSetup(RunSpec("m", "m", "", 64, [], []), str(self.model), **values)

    def runtime(self, *, zero_copy: bool = False, **changes: Any) -> CapiRuntime:
        runtime = CapiRuntime(self.setup(**changes), zero_copy=zero_copy)
        runtime.read()
        runtime.initialise()
        return runtime

    def log(self) -> list[str]:
        lines = (self.folder / "double.log").read_text().splitlines()
        return [line.partition(" ")[2] for line in lines]


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fixture:
    if not has_compiler("x86_64"):
        pytest.skip("no C compiler: apt install gcc")
    return Fixture(tmp_path, monkeypatch)


def image(value: int = 8) -> np.ndarray[Any, Any]:
    return np.full((1, 224, 224, 3), value, np.uint8)


def run(runtime: CapiRuntime, *inputs: np.ndarray[Any, Any]) -> list[Any]:
    runtime.feed(list(inputs))
    outputs = runtime.outputs(runtime.infer())
    assert outputs is not None
    return outputs


def test_every_struct_is_laid_out_as_the_compiler_does(double: Fixture) -> None:
    library = ctypes.CDLL(str(double.folder / "librknnrt.so"))
    library.rknn_double_layout.restype = ctypes.c_char_p
    compiled = {}
    for line in library.rknn_double_layout().decode().splitlines():
        name, size, *fields = line.split()
        offsets = {field: int(offset) for field, offset in (item.split("=") for item in fields)}
        compiled[name] = {"sizeof": int(size), **offsets}
    assert {name: abi.layout_of(struct) for name, struct in abi.STRUCTS.items()} == compiled
    assert (compiled["rknn_tensor_attr"]["sizeof"], compiled["rknn_mem_size"]["sizeof"]) == (376, 64)


@pytest.mark.parametrize("zero_copy", [False, True])
def test_an_inference_gives_float32_in_the_models_shape(zero_copy: bool, double: Fixture) -> None:
    runtime = double.runtime(zero_copy=zero_copy)
    (first,) = run(runtime, image(8))
    (second,) = run(runtime, image(16))
    assert (first.dtype, first.shape) == (np.float32, (1, 1000))
    assert (first.min(), first.max(), second.min(), second.max()) == (6.0, 6.0, 12.0, 12.0)
    runtime.release()


@pytest.mark.parametrize("zero_copy", [False, True])
def test_inputs_and_outputs_of_other_types_and_ranks(zero_copy: bool, double: Fixture) -> None:
    double.script(INPUTS=TWO_IN, OUTPUTS=TWO_OUT)
    runtime = double.runtime(zero_copy=zero_copy)
    a = np.arange(1, 5, dtype=np.float32).reshape(1, 2, 2, 1)
    b = np.array([[10, 20, 30]], np.float32)
    y, z = run(runtime, a, b)
    # x = 1 2 3 4 10 20 30, n = 7, so every k starts at x[output] again
    assert y.tolist() == [[1.0, 1.0, 1.0]]  # 0.5 * 1 + 0.25 * 2
    assert z.tolist() == [[1.75, 1.75], [1.75, 1.75]]  # 0.5 * 2 + 0.25 * 3
    runtime.release()


def test_the_three_calls_are_timed_apart_and_the_device_beside(double: Fixture) -> None:
    double.script(RUN_US="2000")
    runtime = double.runtime()
    run(runtime, image())
    stages = runtime.stage_times()
    assert stages.device_ns == 2_000_000
    assert stages.run_ns is not None
    assert stages.run_ns >= 2_000_000
    assert stages.set_inputs_ns is not None
    assert stages.get_outputs_ns is not None
    runtime.release()


def test_without_copies_there_is_only_the_run(double: Fixture) -> None:
    runtime = double.runtime(zero_copy=True)
    run(runtime, image())
    stages = runtime.stage_times()
    assert (stages.set_inputs_ns, stages.get_outputs_ns) == (None, None)
    assert not [line for line in double.log() if line.startswith(("rknn_inputs_set", "rknn_outputs_get"))]
    runtime.release()
    assert double.log()[-3:] == ["rknn_destroy_mem size=4000", "rknn_destroy_mem size=150528", "rknn_destroy"]


def test_the_runtime_tells_memory_versions_and_custom_string(double: Fixture) -> None:
    double.script(WEIGHT_BYTES="1000", INTERNAL_BYTES="2000", DMA_BYTES="5000", CUSTOM_STRING="v7")
    runtime = double.runtime()
    assert runtime.npu_memory() == NpuMemory(1000, 2000, 5000)
    assert runtime.versions() == Versions("2.3.2 (double@2026-01-01)", "0.9.8")
    assert runtime.custom_string() == "v7"
    runtime.release()
    assert runtime.npu_memory() == NpuMemory(None, None, None)


def test_memory_that_an_old_runtime_does_not_tell_is_unknown(double: Fixture) -> None:
    double.script(DMA_BYTES="0")
    runtime = double.runtime()
    assert runtime.npu_memory() == NpuMemory(1 << 20, 1 << 19, None)
    runtime.release()


def test_the_runtime_tells_the_tensors(double: Fixture) -> None:
    double.script(INPUTS=TWO_IN, OUTPUTS="y:1x10:float16:undefined")
    runtime = double.runtime()
    inputs, outputs = runtime.tensors()
    assert inputs == [
        TensorInfo(0, "a", (1, 2, 2, 1), "int8", "NHWC", "affine_asymmetric", 0.5, -2, 4, 4, 4, 2),
        TensorInfo(1, "b", (1, 3), "float32", "UNDEFINED", "none", None, None, 3, 12, 12, 0),
    ]
    assert outputs == [TensorInfo(0, "y", (1, 10), "float16", "UNDEFINED", "none", None, None, 10, 20, 20, 0)]
    runtime.release()


@pytest.mark.parametrize(
    ("soc", "cores", "told"),
    [
        ("rk3588", "auto", []),
        ("rk3588", "0-1", ["rknn_set_core_mask 0x3"]),
        ("rk3588", "all", ["rknn_set_core_mask 0x7"]),
        ("rk3568", "0", []),
        ("rk3568", "all", []),
    ],
)
def test_a_core_mask_is_set_only_where_it_means_something(
    soc: str, cores: str, told: list[str], double: Fixture
) -> None:
    runtime = double.runtime(soc=soc, core_mask=cores)
    assert [line for line in double.log() if "core_mask" in line] == told
    assert [doubt.code for doubt in runtime.caveats()] == (
        ["core_mask_ignored"] if (soc, cores) == ("rk3568", "all") else []
    )
    runtime.release()


def test_a_profile_comes_from_a_context_of_its_own(double: Fixture) -> None:
    runtime = double.runtime()
    run(runtime, image())
    before = len(double.log())
    text = runtime.profile()
    assert "1    ConvRelu         INT8     NPU" in text
    assert text.endswith("Total Operator Elapsed Time(us): 360\n")
    assert double.log()[before] == "rknn_init size=64 flags=0x9 extend=0"
    assert double.log()[-1] == "rknn_destroy"
    assert run(runtime, image(4))[0].max() == 3.0  # the clean context is as it was
    runtime.release()


def test_contexts_live_side_by_side(double: Fixture) -> None:
    first, second = double.runtime(), double.runtime()
    assert run(first, image(8))[0].max() == 6.0
    assert run(second, image(16))[0].max() == 12.0
    first.release()
    assert run(second, image(4))[0].max() == 3.0
    second.release()
    context = double.runtime()._loaded()
    copy = context.duplicate()
    assert copy.handle not in (0, context.handle)
    copy.destroy()
    context.destroy()
    context.destroy()
    assert double.log()[-2:] == ["rknn_destroy", "rknn_destroy"]


CALLS: list[tuple[str, dict[str, str], str]] = [
    ("load", {"INIT_RET": "-6"}, "rknn_init returned RKNN_ERR_MODEL_INVALID (-6)"),
    ("load", {"INIT_RET": "-16"}, "rknn_init returned RKNN_ERR_SOC_BIND_FAILED (-16)"),
    ("load", {"INIT_RET": "-77"}, "rknn_init returned -77 (-77)"),
    ("load", {"QUERY_RET": "-7"}, "rknn_query IN_OUT_NUM returned RKNN_ERR_CTX_INVALID (-7)"),
    ("load", {"CORE_RET": "-1"}, "rknn_set_core_mask returned RKNN_ERR_FAIL (-1)"),
    ("run", {"INPUTS_RET": "-5"}, "rknn_inputs_set returned RKNN_ERR_PARAM_INVALID (-5)"),
    ("run", {"RUN_RET": "-2"}, "rknn_run returned RKNN_ERR_TIMEOUT (-2)"),
    ("run", {"OUTPUTS_RET": "-9"}, "rknn_outputs_get returned RKNN_ERR_OUTPUT_INVALID (-9)"),
]


@pytest.mark.parametrize(("when", "settings", "message"), CALLS, ids=[row[2] for row in CALLS])
def test_every_return_code_is_seen(
    when: str, settings: dict[str, str], message: str, double: Fixture
) -> None:
    double.script(**settings)
    with pytest.raises(RuntimeFailureError) as caught:
        runtime = double.runtime(core_mask="all")
        assert when == "run"
        run(runtime, image())
    assert caught.value.message == message


def test_a_run_that_fails_later_is_seen_too(double: Fixture) -> None:
    double.script(RUN_RET="0,0,-1")
    runtime = double.runtime()
    runtime.feed([image()])
    runtime.infer()
    runtime.infer()
    with pytest.raises(RuntimeFailureError, match=r"rknn_run returned RKNN_ERR_FAIL \(-1\)"):
        runtime.infer()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "the model has 1 inputs, 0 were given"),
        ([np.zeros((1, 224, 224, 3), np.complex64)], "an input of type complex64 cannot be fed"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: list[Any], message: str, double: Fixture) -> None:
    with pytest.raises(RuntimeFailureError, match=message):
        double.runtime().feed(inputs)


def test_garbage_is_no_model(double: Fixture) -> None:
    double.model.write_bytes(b"<!DOCTYPE html>" + bytes(100))
    with pytest.raises(RuntimeFailureError, match=r"rknn_init returned RKNN_ERR_MODEL_INVALID \(-6\)"):
        double.runtime()


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "cannot open shared object file"), (b"<!DOCTYPE html>" * 100, "invalid ELF header")],
)
def test_a_library_that_does_not_load_is_missing(content: bytes | None, text: str, double: Fixture) -> None:
    library = double.folder / "librknnrt.so"
    library.unlink()
    if content:
        library.write_bytes(content)
    with pytest.raises(RuntimeFailureError, match=text) as caught:
        CapiRuntime(double.setup())
    assert caught.value.reason == "missing"
    assert "RKBENCH_LIBRKNNRT" in caught.value.advice


def test_padded_rows_are_written_row_by_row() -> None:
    attr = abi.TensorAttr(n_dims=4, dims=(1, 2, 3, 2), w_stride=4)
    room = ctypes.create_string_buffer(b"." * 16, 16)
    memory = abi.TensorMem(virt_addr=ctypes.addressof(room), size=16)
    _write_rows(memory, np.frombuffer(b"abcdefghijkl", np.uint8).reshape(1, 2, 3, 2), attr)
    assert room.raw == b"abcdef..ghijkl.."


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.runtimes.capi import CapiRuntime
from rkbench_agent.wire.plan import RunSpec
print("numpy" in sys.modules)
spec = RunSpec("m", "m", "", 64, [], [])
runtime = CapiRuntime(ModelSetup(spec, sys.argv[2], soc="rk3588"), zero_copy=sys.argv[3] == "1")
runtime.read()
runtime.initialise()
print(runtime.npu_memory().weight_bytes, "numpy" in sys.modules)
import numpy
runtime.feed([numpy.full((1, 224, 224, 3), 8, numpy.uint8)])
print(runtime.outputs(runtime.infer())[0].max())
runtime.release()
"""


@pytest.mark.parametrize("zero_copy", ["0", "1"])
@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_loading_needs_no_numpy_also_on_the_oldest_python(
    python: Path, zero_copy: str, double: Fixture
) -> None:
    arguments = [str(ROOT / "agent"), str(double.model), zero_copy]
    done = subprocess.run(
        [python, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    told = [line for line in done.stdout.splitlines() if not line.startswith(("I ", "W "))]
    assert told == ["False", "1048576 False", "6.0"]
