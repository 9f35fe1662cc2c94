"""The runtime `capi` on aarch64: over our double (T1) and over the vendor's librknnrt 1.5.2 (T2)."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from emulated_board import BoardFactory, EmulatedBoard
from rkbench.rknn import open_model
from rkbench_agent.runtimes import rknn_abi as abi

pytestmark = pytest.mark.emulated
SCRIPT = Path(__file__).with_name("capi_models.py")
AGENT = Path(__file__).parents[2] / "agent"
T2 = pytest.mark.xdist_group("T2")
T1 = pytest.mark.xdist_group("T1")
MODELS = (
    "chshuffle6_rk3588_fp",
    "const_ofshape_concat_rk3588_fp",
    "dw_dilated_rk3588_fp",
    "dwm_c64_m2_rk3588_i8",
    "dyn3_rk3588_fp",
    "grouped_c64_g16_rk3588_fp",
    "gru_h16_rk3588_fp",
    "hybrid_some_rk3588",
    "mb_gap7_rk3588_i8",
    "resize8_c16_rk3588_i8",
)
MODELS_RK3568 = ("g1_c512_cpg4_rk3568_fp", "grouped_c64_g16_rk3568_i8", "q_compress_weight_True_rk3568")
#: Where the runtime counts more weights than the file says, and how many: 2944 in the file.
TOLD_MORE = {"resize8_c16_rk3588_i8": 3200}
Answers = dict[str, dict[str, Any]]


def ask(board: EmulatedBoard, plan: dict[str, tuple[str, bool]]) -> Answers:
    """Run `capi_models.py` on a board; `plan` is {case: (file name on the board, zero copy)}."""
    shutil.copytree(AGENT, board.folder / "agent", dirs_exist_ok=True)
    cases = {case: (f"/board/{name}", zero_copy) for case, (name, zero_copy) in plan.items()}
    (board.folder / "plan.json").write_text(json.dumps(cases))
    done = board.python(SCRIPT.read_text())
    assert done.returncode == 0, done.stderr
    answers: Answers = json.loads((board.folder / "answers.json").read_text())
    return answers


@pytest.fixture(scope="session")
def over_double(emulated_board: BoardFactory) -> Answers:
    """What `capi` says on T1, with and without copies."""
    sram = {"RKNN_DOUBLE_SRAM_BYTES": "65536", "RKNN_DOUBLE_FREE_SRAM_BYTES": "16384"}
    settings = {"RKNN_DOUBLE_WEIGHT_BYTES": "4096", "RKNN_DOUBLE_RUN_US": "1500", **sram}
    board = emulated_board("rk3588", tier="T1", env=settings)
    (board.folder / "any.rknn").write_bytes(b"RKNN" + bytes(60))
    answers = ask(board, {"copied": ("any.rknn", False), "shared": ("any.rknn", True)})
    answers["compiled"] = {"text": board.python(LAYOUT).stdout}
    return answers


LAYOUT = """
import ctypes
library = ctypes.CDLL("/usr/lib/librknnrt.so")
library.rknn_double_layout.restype = ctypes.c_char_p
print(library.rknn_double_layout().decode())
"""


@T1
def test_structs_are_laid_out_as_the_aarch64_compiler_does(over_double: Answers) -> None:
    compiled = {}
    for line in over_double["compiled"]["text"].splitlines():
        name, size, *fields = line.split()
        compiled[name] = {
            "sizeof": int(size),
            **{k: int(v) for k, v in (field.split("=") for field in fields)},
        }
    assert over_double["layouts"] == compiled
    assert len(compiled) == len(abi.STRUCTS)


@T1
@pytest.mark.parametrize("case", ["copied", "shared"])
def test_a_run_over_the_double(case: str, over_double: Answers) -> None:
    answer = over_double[case]
    assert answer["exit_code"] == 0, answer["text"]
    told = {"weight_bytes": 4096, "internal_bytes": 524288, "total_bytes": 2097152, "sram_bytes": 49152}
    assert answer["memory"] == told
    assert answer["results"] == [["float32", [1, 1000]]]
    assert answer["stages"]["device_ns"] == 1_500_000
    assert answer["stages"]["run_ns"] >= 1_500_000


@pytest.fixture(scope="session")
def over_vendor(emulated_board: BoardFactory, models: Path) -> Answers:
    """What `capi` says on T2 about every model, with and without copies; `created`: by case, bytes."""
    found: Answers = {"created": {}}
    for soc, names in (("rk3588", MODELS), ("rk3568", MODELS_RK3568)):
        board = emulated_board(soc, tier="T2")
        for name in names:
            shutil.copy(models / f"{name}.rknn", board.folder)
        plan = {f"capi {name}": (f"{name}.rknn", False) for name in names}
        if soc == "rk3588":
            plan.update({f"capi shared {name}": (f"{name}.rknn", True) for name in names})
        found.update(ask(board, plan))
        for case in plan:
            log = (board.folder / f"{case}.log").read_text()
            found["created"][case] = [
                int(size) for size in re.findall(r"MEM_CREATE handle=\d+ size=(\d+)", log)
            ]
    return found


STATIC = [name for name in (*MODELS, *MODELS_RK3568) if name != "dyn3_rk3588_fp"]


@T2
@pytest.mark.parametrize("name", STATIC)
def test_the_npu_memory_told_is_that_of_the_file_and_of_the_device(
    name: str, over_vendor: Answers, models: Path
) -> None:
    answer = over_vendor[f"capi {name}"]
    assert answer["exit_code"] == 0, answer["text"]
    created = over_vendor["created"][f"capi {name}"]
    with open_model(models / f"{name}.rknn") as model:
        assert model.memory is not None
        assert answer["memory"]["internal_bytes"] == model.memory.internal_bytes
        weight_bytes = TOLD_MORE.get(name, model.memory.weight_bytes)
        assert answer["memory"]["weight_bytes"] == weight_bytes
    # Before the profile, which loads the model a second time.
    assert answer["memory"]["total_bytes"] == sum(created[: len(created) // 2])


@T2
def test_a_model_with_dynamic_shapes_runs_in_the_shape_that_it_tells(over_vendor: Answers) -> None:
    answer = over_vendor["capi dyn3_rk3588_fp"]
    assert answer["results"] == [["float32", [1, 100]]]
    memory = {"weight_bytes": 792896, "internal_bytes": 2308096, "total_bytes": 3698688, "sram_bytes": None}
    assert answer["memory"] == memory  # the file says 821440 for the weights


@T2
@pytest.mark.parametrize("name", MODELS)
def test_an_inference_without_copies_works_on_the_vendors_runtime(name: str, over_vendor: Answers) -> None:
    copied, shared = over_vendor[f"capi {name}"], over_vendor[f"capi shared {name}"]
    assert shared["exit_code"] == 0, shared["text"]
    assert shared.get("error") is None
    assert shared["results"] == copied["results"]
    assert shared["stages"]["set_inputs_ns"] is None
    assert shared["stages"]["device_ns"] > 0


@T2
def test_the_vendors_runtime_tells_versions_and_tensors(over_vendor: Answers) -> None:
    answer = over_vendor["capi mb_gap7_rk3588_i8"]
    assert answer["versions"] == {"runtime": "1.5.2 (c6b7b351a@2023-08-23T15:28:22)", "driver": "0.9.8"}
    assert answer["custom_string"] == ""
    (tensor,) = answer["inputs"]
    assert (tensor["name"], tensor["shape"], tensor["layout"]) == ("x", [1, 224, 224, 3], "NHWC")
    assert (tensor["dtype"], tensor["zero_point"], round(tensor["scale"], 6)) == ("int8", 6, 0.036174)
    (tensor,) = over_vendor["capi chshuffle6_rk3588_fp"]["inputs"]
    assert (tensor["dtype"], tensor["quantisation"], tensor["scale"]) == ("float16", "none", None)


@T2
def test_the_vendors_profile_names_layers_units_and_times(over_vendor: Answers) -> None:
    lines = over_vendor["capi mb_gap7_rk3588_i8"]["profile"].splitlines()
    (header,) = [line for line in lines if line.startswith("ID ")]
    assert header.split()[:6] == ["ID", "OpType", "DataType", "Target", "InputShape", "OutputShape"]
    assert [line.split()[:4] for line in lines if line.startswith("1 ")] == [
        ["1", "InputOperator", "INT8", "CPU"]
    ]
    assert [line for line in lines if line.startswith("Total Operator Elapsed Time(us): ")]
