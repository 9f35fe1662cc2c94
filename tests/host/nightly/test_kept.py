"""Models of baselines, kept beside the store: whole or not at all, and no more than is wanted."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest
from rkbench.nightly.accept import accept_night
from rkbench.nightly.kept import MODEL, KeptModels, kept_folder
from rkbench.results.night import CellResult, Night
from rkbench.store import open_store

DATA = b"a model" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.rknn"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def kept(tmp_path: Path) -> KeptModels:
    (tmp_path / "results.sqlite").touch(0o640)
    return KeptModels(str(tmp_path / "results.sqlite"), limit_bytes=10_000)


def keep(kept: KeptModels, model: Path, sha256: str = DIGEST) -> str:
    with kept.alone():
        return kept.keep(sha256, model)


def names(kept: KeptModels) -> list[str]:
    return sorted(str(path.relative_to(kept.folder)) for path in kept.folder.rglob("*") if path.is_file())


def test_a_model_is_kept_with_its_replay_and_the_rights_of_the_store(kept: KeptModels, model: Path) -> None:
    model.with_suffix(".replay.npz").write_bytes(b"outputs")
    assert keep(kept, model) == ""
    path = kept.find(DIGEST)
    assert path is not None
    assert path.read_bytes() == DATA
    assert names(kept) == [f"{DIGEST}/baseline.replay.npz", f"{DIGEST}/{MODEL}"]
    assert [oct(item.stat().st_mode & 0o777) for item in (path, path.parent, kept.folder)] == [
        "0o640",
        "0o750",
        "0o750",
    ]


def test_a_file_that_is_written_anew_changes_nothing_that_is_kept(kept: KeptModels, model: Path) -> None:
    keep(kept, model)
    with model.open("r+b") as file:
        file.write(b"another")
    assert kept.find(DIGEST).read_bytes() == DATA  # type: ignore[union-attr]


def test_a_damaged_model_is_kept_anew(kept: KeptModels, model: Path) -> None:
    keep(kept, model)
    kept.find(DIGEST).write_bytes(b"damaged")  # type: ignore[union-attr]
    assert keep(kept, model) == ""
    assert kept.find(DIGEST).read_bytes() == DATA  # type: ignore[union-attr]


def test_no_more_is_kept_than_is_wanted(kept: KeptModels, model: Path) -> None:
    keep(kept, model)
    model.write_bytes(b"other" * 1000)
    other = hashlib.sha256(model.read_bytes()).hexdigest()
    told = keep(kept, model, other)
    assert told == "at most 10.0 kB are kept (--keep-limit): 7.00 kB are there, it has 5.00 kB"
    assert names(kept) == [f"{DIGEST}/{MODEL}"]


def test_what_no_baseline_names_and_what_a_broken_copy_left_is_cleared_away(
    kept: KeptModels, model: Path
) -> None:
    keep(kept, model)
    (kept.folder / ".part-x").mkdir()
    (kept.folder / "notes.txt").write_text("of somebody")
    kept.clear({DIGEST})
    assert names(kept) == [f"{DIGEST}/{MODEL}", "notes.txt"]
    kept.clear(set())
    assert names(kept) == ["notes.txt"]


def test_a_file_that_cannot_be_read_or_written_is_told_and_nothing_is_left(
    kept: KeptModels, model: Path
) -> None:
    assert keep(kept, model.with_name("gone.rknn")).endswith("gone.rknn: No such file or directory")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # as a disk that is full after 1 kB
        told = keep(kept, model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told == f"{model}: File too large"
    assert names(kept) == []


def test_a_baseline_is_accepted_where_nothing_can_be_kept(tmp_path: Path) -> None:
    from made_runs import make_run
    from rkbench.results.collect import Collected
    from rkbench.results.latencies import RawLatencies

    address = tmp_path / "results.sqlite"
    kept_folder(str(address)).write_text("a file in its place")
    run = make_run()
    with open_store(address) as store:
        night = Night("night-1", "lab", "f", 1000.0)
        store.save_night(night)
        cell = CellResult("m", "fp16", "desk", "p", runs=(run.id,), file="/models/net.rknn")
        store.save_cell(night, 0, cell, [Collected(run, RawLatencies(), ())])
        accepted = accept_night(store, "last", "")
        assert len(store.baselines("lab")) == 1
    assert accepted.not_kept == (f"fp16 on desk (p): {kept_folder(str(address))}: File exists",)
