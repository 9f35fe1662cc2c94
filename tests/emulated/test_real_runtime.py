"""The vendor's librknnrt 1.5.2 over our NPU device (tier T2): what it allocates, tells and complains of.

Each board runs `lite_models.py` once over all its cases; a test looks at one of them.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from emulated_board import BoardFactory, EmulatedBoard
from rkbench.catalogue import match
from rkbench.rknn import RknnModel, Tensor, open_model

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("T2")]
SCRIPT = Path(__file__).with_name("lite_models.py")
PAGE = 4096
MODELS = {
    "rk3588": (
        "chshuffle6_rk3588_fp",
        "const_ofshape_concat_rk3588_fp",
        "dw_dilated_rk3588_fp",
        "dwm_c64_m2_rk3588_i8",
        "grouped_c64_g16_rk3588_fp",
        "gru_h16_rk3588_fp",
        "hybrid_some_rk3588",
        "mb_gap7_rk3588_i8",
        "resize8_c16_rk3588_i8",
    ),
    "rk3568": (
        "g1_c512_cpg4_rk3568_fp",
        "grouped_c64_g16_rk3568_i8",
        "q_compress_weight_True_rk3568",
    ),
}
ALL = [(soc, name) for soc, names in MODELS.items() for name in names]
#: case: (model, settings of the device), on the rk3588 board.
FAULTS: dict[str, tuple[str, dict[str, str]]] = {
    "another SoC": ("g1_c512_cpg4_rk3568_fp", {}),
    "unknown op": ("erf_rk3588_i8", {}),
    "mini model": ("opt_mini_rknn_True_rk3588_fp", {}),
    "no model": ("garbage", {}),
    "cut off": ("truncated", {}),
    "no driver": ("mb_gap7_rk3588_i8", {"OPEN_ERRNO": "2"}),
    "no permission": ("mb_gap7_rk3588_i8", {"OPEN_ERRNO": "13"}),
    "old driver": ("mb_gap7_rk3588_i8", {"DRIVER_CODE": "402"}),
    "older driver than recommended": ("mb_gap7_rk3588_i8", {"DRIVER_CODE": "802"}),
    "out of NPU memory": ("mb_gap7_rk3588_i8", {"MEMORY_LIMIT_BYTES": "1000000"}),
    "submit fails": ("mb_gap7_rk3588_i8", {"SUBMIT_ERRNO": "110"}),
    "SIGSEGV in inference": ("mb_gap7_rk3588_i8", {"SUBMIT_FAULT": "segv"}),
}
Answers = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def boards(emulated_board: BoardFactory) -> dict[str, EmulatedBoard]:
    """Both boards of tier T2."""
    return {soc: emulated_board(soc, tier="T2") for soc in MODELS}


@pytest.fixture(scope="session")
def answers(boards: dict[str, EmulatedBoard], models: Path) -> Answers:
    """What every model and every fault came to: exit_code, text, inputs, outputs, result_shapes."""
    found: Answers = {}
    for soc, board in boards.items():
        plan: dict[str, Any] = {name: (f"/board/{name}.rknn", {}) for name in MODELS[soc]}
        if soc == "rk3588":
            plan.update(
                {case: (f"/board/{name}.rknn", settings) for case, (name, settings) in FAULTS.items()}
            )
        for path, _ in plan.values():
            _bring(models, board.folder / Path(path).name)
        (board.folder / "plan.json").write_text(json.dumps(plan))
        done = board.python(SCRIPT.read_text())
        assert done.returncode == 0, done.stderr
        found.update(json.loads((board.folder / "answers.json").read_text()))
    return found


def _bring(models: Path, target: Path) -> None:
    """Put a model onto the board; two of them are no models."""
    if target.stem == "garbage":
        target.write_bytes(b"<!DOCTYPE html>" + bytes(10000))
    elif target.stem == "truncated":
        target.write_bytes((models / "mb_gap7_rk3588_i8.rknn").read_bytes()[:100_000])
    else:
        shutil.copy(models / target.name, target)


def created(board: EmulatedBoard, case: str) -> list[int]:
    """Return the bytes of every buffer that the device gave, in order."""
    lines = (board.folder / f"{case}.log").read_text()
    return [int(size) for size in re.findall(r"MEM_CREATE handle=\d+ size=(\d+)", lines)]


def pages(size_bytes: int) -> int:
    return (size_bytes + PAGE - 1) // PAGE * PAGE


def expected_buffers(model: RknnModel) -> list[int]:
    """Return what loading a static model allocates, out of the file alone.

    Tasks; weights with compiler constants, lookup tables, register commands and a second copy of the
    tasks; the arena; each input; each output. All in whole pages.
    """
    memory, sections = model.memory, model.sections
    assert memory is not None
    weights = (memory.weight_bytes or 0) + (memory.compiler_constant_bytes or 0)
    commands = sections.lookup_tables + sections.register_commands + sections.tasks
    io = [tensor.size_bytes for tensor in (*model.inputs, *model.outputs)]
    return [pages(size) for size in (sections.tasks, weights + commands, memory.internal_bytes or 0, *io)]


@pytest.mark.parametrize(("soc", "name"), ALL, ids=[name for _, name in ALL])
def test_what_a_model_allocates_follows_from_its_file(
    soc: str, name: str, boards: dict[str, EmulatedBoard], answers: Answers, models: Path
) -> None:
    assert answers[name]["loaded"] is True
    with open_model(models / f"{name}.rknn") as model:
        assert created(boards[soc], name) == expected_buffers(model)


@pytest.mark.parametrize(("soc", "name"), ALL, ids=[name for _, name in ALL])
def test_the_attributes_that_the_runtime_tells_are_those_of_the_file(
    soc: str, name: str, answers: Answers, models: Path
) -> None:
    with open_model(models / f"{name}.rknn") as model:
        assert answers[name]["inputs"] == [told(tensor, fed=True) for tensor in model.inputs]
        assert answers[name]["outputs"] == [told(tensor, fed=False) for tensor in model.outputs]
        assert answers[name]["result_shapes"] == [list(tensor.shape) for tensor in model.outputs]


def told(tensor: Tensor, *, fed: bool) -> dict[str, Any]:
    """Return a tensor of the file as the runtime tells it; of rank 4, inputs are NHWC and outputs NCHW."""
    types = {"FLOAT16": 1, "INT8": 2}
    shape = list(tensor.shape)
    nhwc = fed and len(shape) == 4
    return {
        "name": tensor.name,
        "shape": [shape[0], *shape[2:], shape[1]] if nhwc else shape,
        "fmt": 1 if nhwc else 0 if len(shape) == 4 else 3,  # NHWC, NCHW, undefined
        "type": types[tensor.dtype],
        "zero_point": tensor.zero_point[0] if tensor.zero_point else 0,
        "scale": pytest.approx(tensor.scale[0] if tensor.scale else 1.0, rel=1e-6),
    }


def test_all_memory_is_given_back_on_release(boards: dict[str, EmulatedBoard], answers: Answers) -> None:
    assert answers["hybrid_some_rk3588"]["exit_code"] == 0
    last = (boards["rk3588"].folder / "hybrid_some_rk3588.log").read_text().splitlines()[-1]
    assert last.endswith("total=0")


@pytest.mark.parametrize(
    ("case", "exit_code", "numbers"),
    [
        ("another SoC", 0, [59]),
        ("unknown op", -6, [61, 63]),
        ("mini model", 0, [10]),
        ("no model", 0, [6]),
        ("cut off", 0, [60]),
        ("no driver", 0, [13]),
        ("no permission", 0, [13]),
        ("old driver", 0, [18]),
        ("older driver than recommended", 0, [19, 63]),
        ("out of NPU memory", 0, [21, 63]),
        ("submit fails", 0, [31, 63]),
        ("SIGSEGV in inference", -11, [63]),
    ],
)
def test_a_fault_is_told_by_the_catalogue(
    case: str, exit_code: int, numbers: list[int], answers: Answers
) -> None:
    assert answers[case]["exit_code"] == exit_code, answers[case]["text"]
    assert [found.number for found in match(answers[case]["text"].splitlines())] == numbers, answers[case][
        "text"
    ]


def test_a_failed_job_still_yields_outputs(answers: Answers) -> None:
    assert answers["submit fails"]["loaded"] is True
    assert answers["submit fails"]["result_shapes"] == [[1, 100]]
