"""What boards of a night ask for is made while they are waited for."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Event as Flag

import pytest
from rkbench.boards.model import Board
from rkbench.campaign.prepared_once import Variants
from rkbench.errors import BenchError
from rkbench.nightly.ahead import make_ahead
from rkbench.nightly.cells import Cell
from rkbench.nightly.suite import NightPlan

DIGITS = Path(__file__).parents[3] / "host/rkbench/demo/data/digits.regrouped.int8.rknn"
DESK = Board("desk", "virtual", soc="rk3588", runtime="virtual")


def cells(*files: Path) -> list[Cell]:
    return [
        Cell(place, file.stem, file, "0" * 64, None, DESK, NightPlan(), ())
        for place, file in enumerate(files)
    ]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(DIGITS, tmp_path / "model.rknn"))


def test_a_model_is_prepared_before_its_cell_and_a_broken_one_keeps_no_other_waiting(
    model: Path, tmp_path: Path
) -> None:
    broken, variants = tmp_path / "broken.rknn", Variants()
    broken.write_bytes(b"no model")
    make_ahead(variants, cells(tmp_path / "gone.rknn", broken, model), Flag())
    model.unlink()
    (prepared,) = variants((model,), soc="rk3588")
    assert prepared.description.name == "model"
    with pytest.raises(BenchError):
        variants((broken,), soc="rk3588")


def test_a_night_that_is_told_to_stop_makes_nothing_more(model: Path) -> None:
    stop, variants = Flag(), Variants()
    stop.set()
    make_ahead(variants, cells(model), stop)
    model.unlink()
    with pytest.raises(BenchError):
        variants((model,), soc="rk3588")
