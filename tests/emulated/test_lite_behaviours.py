"""What the real RKNNLite 2.5.0 answers, row by row (over our librknnrt double, tier T1).

Each board runs `lite_behaviours.py` once; a test looks at one row of what it wrote. What a stand-in for
RKNNLite claims elsewhere in the tests has to agree with these rows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emulated_board import BoardFactory

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("T1")]
SCRIPT = Path(__file__).with_name("lite_behaviours.py")
GOOD = [["float32", [1, 1000], 6.0]]  # 8 everywhere: 0.5 * 8 + 0.25 * 8


@pytest.fixture(scope="session")
def answers(emulated_board: BoardFactory) -> dict[str, dict[str, Any]]:
    """What RKNNLite answers on each SoC: `answers[soc][step]` has `result` and `text`."""
    found = {}
    for soc, steps in (("rk3588", ()), ("rk3568", ("core_mask",))):
        board = emulated_board(soc, tier="T1")
        (board.folder / "double.log").unlink(missing_ok=True)
        done = board.python(SCRIPT.read_text(), *steps)
        assert done.returncode == 0, done.stderr
        found[soc] = json.loads((board.folder / "answers.json").read_text())
        found[soc]["double log"] = board.double_log
    return found


RESULTS: list[tuple[str, Any, str]] = [
    ("load missing", -1, "E Invalid RKNN model path: /nope.rknn"),
    ("load garbage", 0, ""),
    ("init before load", -1, "E Model is not loaded yet, this interface should be called after load_rknn!"),
    (
        "inference before init",
        None,
        "E Runtime environment is not inited, please call init_runtime to init it",
    ),
    ("init", 0, "W Query dynamic range failed. Ret code: RKNN_ERR_MODEL_INVALID."),
    ("init target rk3588", -1, "Exception: Unsupported run platform: Linux aarch64"),
    ("init target rk3568", -1, "Exception: Unsupported run platform: Linux aarch64"),
    ("garbage model", [0, -1], "parseRKNN: invalid RKNN_MAGIC!"),
    ("driver 0.4.2", 0, "RKNN Driver Information: version: 0.4.2"),
    ("init returns -1", -1, "RKNN init failed. error code: RKNN_ERR_FAIL"),
    ("init returns -2", -1, "RKNN init failed. error code: RKNN_ERR_TIMEOUT"),
    ("init returns -3", -1, "RKNN init failed. error code: RKNN_ERR_DEVICE_UNAVAILABLE"),
    ("init returns -4", -1, "RKNN init failed. error code: RKNN_ERR_MALLOC_FAIL"),
    ("init returns -5", -1, "RKNN init failed. error code: RKNN_ERR_PARAM_INVALID"),
    ("init returns -6", -1, "RKNN init failed. error code: RKNN_ERR_MODEL_INVALID"),
    ("init returns -7", -1, "RKNN init failed. error code: RKNN_ERR_CTX_INVALID"),
    ("init returns -10", -1, "RKNN init failed. error code: RKNN_ERR_DEVICE_UNMATCH"),
    ("init returns -13", -1, "RKNN init failed. error code: RKNN_ERR_TARGET_PLATFORM_UNMATCH"),
    ("init returns -14", -1, "RKNN init failed. error code: RKNN_ERR_KEY_INVALID"),
    ("init returns -15", -1, "RKNN init failed. error code: RKNN_ERR_DECRYPT_FAILED"),
    ("init returns -16", -1, "RKNN init failed. error code: RKNN_ERR_SOC_BIND_FAILED"),
    ("init returns -99", -1, "RKNN init failed. error code: -99"),
    ("inference", GOOD, ""),
    ("one ndarray", GOOD, "W Inputs should be placed in a list, like [img1, img2]"),
    ("inputs_set returns -5", None, "Exception: Set inputs failed. error code: RKNN_ERR_PARAM_INVALID"),
    ("outputs_get returns -9", None, "Exception: E Get outputs failed, error code: RKNN_ERR_OUTPUT_INVALID"),
    ("format list twice", [GOOD, [1], None], "Exception: Unsupport data format: 1"),
    ("format str twice", [GOOD, GOOD], ""),
    ("3-D input", None, "Exception: The input[0] need 4dims input, but 3dims input buffer feed."),
    ("float32", GOOD, ""),
    ("float64", None, "Exception: E Unsupport inputs[0].dtype: float64"),
    ("int64", GOOD, ""),
    ("two inputs", None, "E Catch exception when setting inputs."),
    ("wrong height", None, "rknn_inputs_set, param input size(75264) < model input size(150528)"),
    ("NCHW unsaid", GOOD, ""),
    (
        "NCHW said",
        GOOD,
        "W The input[0] need NHWC data format, but NCHW set, the data format and data buffer will",
    ),
    ("public methods", [False, False, False], ""),
    (
        "after release",
        None,
        "E Runtime environment is not inited, please call init_runtime to init it first!",
    ),
]


@pytest.mark.parametrize(("step", "result", "text"), RESULTS, ids=[row[0] for row in RESULTS])
def test_rknnlite_answers(step: str, result: Any, text: str, answers: dict[str, dict[str, Any]]) -> None:
    assert answers["rk3588"][step]["result"] == result
    assert text in answers["rk3588"][step]["text"]


@pytest.mark.parametrize("code", [-1, -2])
def test_a_run_that_failed_is_not_told_and_gives_the_outputs_of_the_run_before(
    code: int, answers: dict[str, dict[str, Any]]
) -> None:
    assert answers["rk3588"][f"run returns {code}"] == {"result": GOOD, "text": ""}


@pytest.mark.parametrize("mask", [0, 1, 2, 3, 4, 7, 65535])
def test_rk3588_takes_the_core_mask(mask: int, answers: dict[str, dict[str, Any]]) -> None:
    assert answers["rk3588"][f"init core_mask {mask}"]["result"] == 0


@pytest.mark.parametrize("mask", [5, 6, 8])
def test_rk3588_refuses_a_core_mask_with_a_hole(mask: int, answers: dict[str, dict[str, Any]]) -> None:
    answer = answers["rk3588"][f"init core_mask {mask}"]
    assert answer["result"] == -1
    assert f"E The core mode {mask} is not supported currently." in answer["text"]


@pytest.mark.parametrize("mask", [1, 2, 3, 4, 7, 65535])
def test_rk3568_refuses_every_core_mask(mask: int, answers: dict[str, dict[str, Any]]) -> None:
    answer = answers["rk3568"][f"init core_mask {mask}"]
    assert answer["result"] == -1
    assert "The core_mask is only supported by ['RK3588', 'RK3576']." in answer["text"]


def test_rk3568_runs_without_a_core_mask(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["rk3568"]["init core_mask 0"]["result"] == 0
    assert not [line for line in answers["rk3568"]["double log"] if "core_mask" in line]


def test_the_masks_reach_the_runtime_and_all_cores_become_seven(answers: dict[str, dict[str, Any]]) -> None:
    told = [line for line in answers["rk3588"]["double log"] if "core_mask" in line]
    assert told == [f"rknn_set_core_mask 0x{mask}" for mask in (1, 2, 3, 4, 7, 7)]


def test_an_old_runtime_has_no_dynamic_shapes_and_no_warning(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["rk3588"]["static API 1.2.0"]["result"] == 0
    assert "Query dynamic range failed" not in answers["rk3588"]["static API 1.2.0"]["text"]


def test_the_private_runtime_tells_attributes_and_the_time_of_the_run(
    answers: dict[str, dict[str, Any]],
) -> None:
    # The zero point is shown unsigned: 4294967282 is -14. The time is text.
    attribute = ["input", [1, 224, 224, 3], 1, 2, 2, 4294967282, 0.018658]
    assert answers["rk3588"]["private"]["result"] == [[1, 1], attribute, "1234"]


def test_the_sdk_version_has_both_versions(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["rk3588"]["sdk version"]["result"] == (
        "==============================================\nRKNN VERSION:\n  API: 2.3.2 (double@2026-01-01)\n"
        "  DRV: 0.9.8\n==============================================\n"
    )


def test_loading_asks_for_version_and_dynamic_range_once(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["rk3588"]["double log"][:3] == [
        "rknn_init size=64 flags=0x1 extend=1",
        "rknn_query command=5 size=512",
        "rknn_query command=13 size=33040",
    ]
