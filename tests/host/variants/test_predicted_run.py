"""The latency that a virtual board is to show: read from a file once, whatever board and folder ask."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from rkbench.variants.predicted_run import with_predicted_run
from rkbench.variants.variant import prepare_variants

DEMO = Path(str(files("rkbench.demo"))) / "data"


def test_equal_bytes_in_another_folder_are_not_predicted_again(tmp_path: Path) -> None:
    name = "digits.int8.rknn"
    variants = prepare_variants([DEMO / name, Path(shutil.copy(DEMO / name, tmp_path))])
    here, there = (with_predicted_run(variant, print).figures.predicted for variant in variants)
    assert here is not None
    assert there is here


def test_a_table_of_layers_is_predicted_where_it_is_asked_for() -> None:
    (variant,) = prepare_variants([DEMO / "digits.int8.rknn"])
    tables = [with_predicted_run(variant, print, profile=asked).figures.predicted for asked in (False, True)]
    assert tables[0] is not None and tables[1] is not None
    assert tables[0].profile == ""
    assert "Conv" in tables[1].profile
