"""What every store does with noise floors."""

from __future__ import annotations

from dataclasses import replace

from made_runs import make_run
from rkbench.results.noise_floor import NoiseFloor, floor_conditions
from rkbench.store import open_store

CONDITIONS = floor_conditions(make_run(), "load")
FLOOR = NoiseFloor(
    "desk", CONDITIONS, "1qmv0w0v1", "2026-11-23T14:00:00.000+00:00", "fp16", "1" * 64, 0.4, 0.1, -0.2, 0.4, 7
)


def test_a_floor_comes_back_under_its_board_and_conditions(address: str) -> None:
    with open_store(address) as store:
        store.save_noise_floor(FLOOR)
    with open_store(address) as store:
        assert store.noise_floor("desk", CONDITIONS) == FLOOR


def test_another_board_another_clock_or_another_unit_has_none(address: str) -> None:
    with open_store(address) as store:
        store.save_noise_floor(FLOOR)
        assert store.noise_floor("rack", CONDITIONS) is None
        assert store.noise_floor("desk", {**CONDITIONS, "NPU clock": "600 MHz"}) is None
        assert store.noise_floor("desk", floor_conditions(make_run(), "quad")) is None


def test_the_last_floor_counts(address: str) -> None:
    with open_store(address) as store:
        store.save_noise_floor(FLOOR)
        store.save_noise_floor(replace(FLOOR, floor_percent=0.7, push="1qmv0w0v2"))
        found = store.noise_floor("desk", CONDITIONS)
        assert found is not None
        assert found.push == "1qmv0w0v2"


def test_the_conditions_are_those_of_the_board_and_not_of_the_model() -> None:
    assert {name for name, value in CONDITIONS.items() if value is not None} == {
        "simulated",
        "runtime",
        "runtime_version",
        "driver_version",
        "core_mask",
        "pinned",
        "npu_governor",
        "NPU clock",
        "unit",
    }
