"""Container × runtime × driver × NPU: what loads where, before a byte is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_files import make_file_info
from rkbench.catalogue.check import Check
from rkbench.rknn.compatibility import BoardFacts, check_driver, check_model
from rkbench.rknn.contents import FileInfo

MODEL = make_file_info()
BOARD = BoardFacts("rk3588", "RKNPU v2", "2.3.2", "0.9.8")


def find(code: str, model: FileInfo, board: BoardFacts) -> Check:
    return next(check for check in check_model(model, board) if check.code == code)


def test_a_model_of_the_boards_own_toolkit_passes() -> None:
    assert [check.verdict for check in check_model(MODEL, BOARD)] == ["ok", "ok", "ok"]
    assert {check.model for check in check_model(MODEL, BOARD)} == {"m.rknn"}


@pytest.mark.parametrize(
    ("container", "runtime", "verdict"),
    [
        (1, "1.1.0", "ok"),
        (2, "1.2.0", "fail"),
        (2, "1.3.0", "ok"),
        (4, "1.4.0", "fail"),
        (4, "1.5.0", "ok"),
        (6, "1.4.0", "fail"),
        (6, "1.5.0", "fail"),
        (6, "1.5.2", "ok"),
        (6, "2.3.2", "ok"),
        (6, "1.5.2 (c6b7b351a@2023-08-23T15:28:22)", "ok"),
        (6, None, "ok"),
        (9, "2.3.2", "warn"),
    ],
)
def test_a_container_needs_a_runtime_that_knows_it(container: int, runtime: str | None, verdict: str) -> None:
    model, board = replace(MODEL, container_version=container), replace(BOARD, runtime_version=runtime)
    assert find("model_container", model, board).verdict == verdict


def test_an_old_runtime_is_to_be_replaced_by_that_of_the_toolkit() -> None:
    check = find("model_container", MODEL, replace(BOARD, runtime_version="1.4.0"))
    assert check.found == "version 6 needs librknnrt 1.5.2 or newer, the board has 1.4.0"
    assert check.fix.startswith("install librknnrt.so 2.3.2 or newer as /usr/lib/librknnrt.so")


@pytest.mark.parametrize(
    ("toolkit", "runtime", "verdict"),
    [
        ("2.5.0", "2.3.2", "warn"),
        ("2.3.2", "2.3.2", "ok"),
        ("2.3.2+81f21f4d", "2.3.2", "ok"),
        ("1.6.0", "2.3.2", "ok"),
        ("", "2.3.2", "ok"),
        ("2.5.0", None, "ok"),
    ],
)
def test_a_runtime_older_than_the_toolkit_is_doubtful(
    toolkit: str, runtime: str | None, verdict: str
) -> None:
    model, board = replace(MODEL, toolkit_version=toolkit), replace(BOARD, runtime_version=runtime)
    assert find("model_toolkit", model, board).verdict == verdict


def test_another_npu_fails_and_says_how_to_convert() -> None:
    check = find("model_npu", replace(MODEL, target="rk3568", npu_generation="RKNPU lite"), BOARD)
    assert check.verdict == "fail"
    assert check.found == "compiled for rk3568 (RKNPU lite), the board is an rk3588 (RKNPU v2)"
    assert "target_platform='rk3588'" in check.fix


def test_a_board_of_unknown_npu_is_no_reason_to_refuse() -> None:
    assert find("model_npu", MODEL, BoardFacts()).verdict == "warn"


def test_a_mini_container_needs_librknnmrt() -> None:
    of_rv1106 = replace(MODEL, mini=True, container_version=4, target="rv1106", npu_generation="")
    assert find("model_npu", of_rv1106, BOARD).verdict == "fail"
    assert "librknnmrt" in find("model_npu", of_rv1106, BOARD).found
    of_rk3588 = replace(MODEL, mini=True, container_version=4)
    assert find("model_container", of_rk3588, BOARD).verdict == "warn"
    assert "mini_rknn" in find("model_container", of_rk3588, BOARD).fix


@pytest.mark.parametrize(
    ("runtime", "driver", "verdict"),
    [
        ("1.5.2", "0.4.2", "fail"),
        ("1.5.2", "0.7.0", "warn"),
        ("1.5.2", "0.8.8", "ok"),
        ("2.3.2", "0.9.8", "ok"),
        ("1.3.0", "0.4.2", "ok"),
        ("1.5.2", None, None),
        (None, "0.9.8", None),
    ],
)
def test_a_runtime_needs_a_driver_as_old_as_it_says(
    runtime: str | None, driver: str | None, verdict: str | None
) -> None:
    check = check_driver(runtime, driver)
    assert (check.verdict if check else None) == verdict
