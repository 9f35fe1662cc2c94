"""The demo's files are what SOURCE.md says, and tell the story that the demo tells."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from rkbench.rknn import open_model
from rkbench.variants.golden import find_replay, prepare, read_metadata

DATA = Path(str(files("rkbench.demo") / "data"))
VARIANTS = ("digits.fp16", "digits.int8", "digits.regrouped.fp16", "digits.regrouped.int8")
ROW = re.compile(r"^\| (\S+) \| (\d+) \| ([0-9a-f]{64}) \|$", re.MULTILINE)


def test_every_file_has_the_size_and_digest_that_source_md_says() -> None:
    rows = ROW.findall((DATA / "SOURCE.md").read_text())
    assert sorted(row[0] for row in rows) == sorted(p.name for p in DATA.iterdir() if p.name != "SOURCE.md")
    for name, size, digest in rows:
        content = (DATA / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (int(size), digest), name


def test_the_first_is_more_than_15_times_its_onnx_and_regrouping_cures_it() -> None:
    onnx = (DATA / "digits.onnx").stat().st_size
    sizes = [(DATA / f"{name}.rknn").stat().st_size for name in VARIANTS]
    assert 400_000 < onnx < 700_000
    assert sizes[0] > 15 * onnx
    assert sizes[2] < 4 * onnx


def test_together_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 30_000_000


@pytest.mark.parametrize("name", VARIANTS)
def test_the_replay_knows_every_input_of_the_golden_as_the_board_is_fed(name: str, tmp_path: Path) -> None:
    with open_model(DATA / f"{name}.rknn") as model:
        golden = prepare(DATA / "golden.npz", model, cache=tmp_path)
    assert (golden.cases, golden.notes) == (64, ())
    replay = find_replay(DATA / f"{name}.rknn")
    assert replay is not None
    with np.load(golden.path) as board, np.load(replay) as recorded:
        assert board["inputs/image"].shape == (64, 1, 32, 32, 1)
        digests = [hashlib.sha256(case.tobytes()).hexdigest() for case in board["inputs/image"]]
        assert recorded["digests"].tolist() == digests
        assert str(recorded["source"]) == "rknn-toolkit2 2.5.0 simulator"
        same = recorded["outputs/logits"].argmax(-1) == board["outputs/logits"].argmax(-1)
        assert same.all()


def test_the_golden_is_in_the_boards_form_so_that_no_copy_is_cached(tmp_path: Path) -> None:
    for name in VARIANTS:
        with open_model(DATA / f"{name}.rknn") as model:
            assert prepare(DATA / "golden.npz", model, cache=tmp_path).path == DATA / "golden.npz"


def test_the_golden_tells_how_it_was_made() -> None:
    known = read_metadata(DATA / "golden.npz")
    assert known["onnx"] == "digits.onnx"
    assert known["onnx_sha256"] == hashlib.sha256((DATA / "digits.onnx").read_bytes()).hexdigest()
    assert known["onnxruntime_version"] == "1.32.0"
