"""`import rkbench`: its names and signatures are a promise, and what they do is what the commands do."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import rkbench
from made_runs import collected, make_run
from rkbench.api.pushing import PushAndConvertWords
from rkbench.campaign.asking import options_of
from rkbench.cli.options import ConvertOptions, MeasureOptions, PictureOptions
from rkbench.cli.push import HoldOptions, JudgingOptions, ScenarioOptions, asked_of
from rkbench.results.events import Ended, Event
from rkbench.store import open_store

DEMO = Path(rkbench.__file__).parent / "demo/data"
FP16, INT8 = DEMO / "digits.fp16.rknn", DEMO / "digits.regrouped.int8.rknn"

#: The public surface. A name that goes, or a parameter that changes its meaning, breaks somebody's notebook:
#: it needs a new major version. What is added is added here.
SIGNATURES = {
    "inspect": "(model: 'StrPath', *, onnx: 'StrPath | None' = None, target: 'str | None' = None, "
    "dtype: 'str | None' = None, diff: 'StrPath | None' = None, input_shape: 'Sequence[str] | str' = (), "
    "tasks: 'str | None' = None) -> 'Inspected'",
    "push": "(models: 'StrPath | Sequence[StrPath]', board: 'str', *, golden: 'StrPath | None' = None, "
    "onnx: 'StrPath | None' = None, inputs: 'StrPath | None' = None, store: 'StrPath | None' = None, "
    "inventory: 'StrPath | None' = None, progress: 'Progress' = True, "
    "**words: 'Unpack[PushAndConvertWords]') -> 'Push'",
    "runs": "(*names: 'str', model: 'str | None' = None, board: 'str | None' = None, since: 'str | None' = "
    "None, limit: 'int | None' = None, store: 'str | Path | None' = None) -> 'Runs'",
}
MEMBERS = {
    "Inspected": "causes document layers path report sentence size_bytes to_dict to_pandas to_polars verdict",
    "Push": "comparison exit_code id outcome report runs store_error to_dict to_pandas to_polars verdict",
    "Run": "board collected id latencies_s measures raw readings result row simulated started_at store tags "
    "to_dict variant verdict whole",
    "Runs": "count index to_dicts to_pandas to_polars",
}


def test_the_public_names_and_their_signatures_are_kept() -> None:
    assert rkbench.__all__ == [
        "BenchError", "Inspected", "Push", "Run", "Runs", "__version__", "inspect", "push", "runs",
    ]  # fmt: skip
    assert {name: str(inspect.signature(getattr(rkbench, name))) for name in SIGNATURES} == SIGNATURES
    members = {name: _members(getattr(rkbench, name)) for name in MEMBERS}
    assert members == {name: set(told.split()) for name, told in MEMBERS.items()}
    assert set(rkbench.__all__) <= set(dir(rkbench))
    with pytest.raises(AttributeError, match="no attribute 'bench'"):
        rkbench.bench  # noqa: B018 - that it is not there is what is asked


def _members(kind: Any) -> set[str]:
    own = {item.name for item in fields(kind)} if hasattr(kind, "__dataclass_fields__") else set()
    return {name for name in {*dir(kind), *own} if not name.startswith("_")}


def test_type_checkers_are_told_the_same_names() -> None:
    stub = ast.parse(Path(rkbench.__file__).with_suffix(".pyi").read_text("utf-8"))
    homes = {
        name.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert homes == {name: f"rkbench.{home}" for name, home in rkbench._HOMES.items()}
    assert {*homes, "__version__"} == set(rkbench.__all__)


def test_every_option_of_a_push_is_a_word_in_python() -> None:
    groups = (MeasureOptions, ScenarioOptions, JudgingOptions, HoldOptions, ConvertOptions, PictureOptions)
    assert set(PushAndConvertWords.__annotations__) == {
        item.name for group in groups for item in fields(group)
    }


def test_a_push_without_words_is_that_of_the_command_line() -> None:
    groups: list[Any] = [group() for group in (MeasureOptions, ScenarioOptions, JudgingOptions, HoldOptions)]
    assert options_of([FP16], {}) == asked_of([FP16], *groups, None)


def test_importing_it_costs_nothing() -> None:
    code = (
        "import sys, rkbench; print(sorted(n for n in sys.modules if n.startswith('rkbench') or n in given))"
    )
    given = "given = ('numpy', 'msgspec', 'rich', 'typer', 'pandas', 'polars', 'importlib.metadata'); "
    ended = subprocess.run([sys.executable, "-c", given + code], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "['rkbench']"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three runs: of two days, one tagged, one simulated."""
    address = tmp_path / "results.sqlite"
    with open_store(address) as opened:
        opened.save(collected(make_run(1, "net.fp16")))
        opened.save(collected(make_run(2, "net.int8", simulated=True)))
        later = make_run(
            1, "<b>=cmd|' /C'!A0</b>\x1b[31m" + "x" * 180, push="1qmv0w0v2", started_at="no time"
        )
        opened.save(collected(later))
    return address


def test_stored_runs_are_objects(store: Path) -> None:
    found = rkbench.runs(model="net.*", store=store)
    assert sorted(run.variant for run in found) == ["net.fp16", "net.int8"]
    (run,) = rkbench.runs("1qmv0w0v1-01", store=store)
    assert repr(run) == "<Run v0w0v1-01 on 'desk': 'net.fp16' p50 2.26 ms, VALID>"
    assert run.measures["latency_p50_s"] == 0.00226
    assert run.result == make_run(1, "net.fp16")
    assert run.to_dict()["id"] == "1qmv0w0v1-01"
    assert len(run.latencies_s) == 560
    assert run.latencies_s.min() > 0.002
    assert len(run.readings) == 1
    assert repr(found[:1]).startswith("<Runs: 1\n  <Run ")
    assert repr(found[1:][1:]) == "<Runs: none>"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_runs_are_a_data_frame(store: Path, library: str) -> None:
    pytest.importorskip(library)
    found = rkbench.runs(store=store)
    frame = found.to_pandas() if library == "pandas" else found.to_polars()
    assert list(frame.columns) == list(found.to_dicts()[0])
    assert list(frame["variant"]) == [run.variant for run in found]
    column = frame["latency_p50_s"]
    assert list(column) == [0.00226] * 3
    assert str(column.dtype).lower() == "float64"
    assert str(frame["simulated"].dtype).lower() == "boolean"
    started = frame.set_index("variant") if library == "pandas" else None
    if started is not None:
        assert str(started.loc["net.fp16", "started_at"]) == "2026-11-23 14:00:00+00:00"
    assert sum(value is None or value != value for value in list(frame["started_at"])) == 1  # "no time"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named_with_its_command(
    store: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    found = rkbench.runs(store=store)
    with pytest.raises(rkbench.BenchError, match=rf"pip install 'rkbench\[{library}\]'") as failed:
        found.to_pandas() if library == "pandas" else found.to_polars()
    if sys.version_info >= (3, 11):
        assert failed.value.__notes__[0].startswith("→ pip install")


def test_a_notebook_is_shown_tables_in_which_nothing_is_markup(store: Path) -> None:
    shown = rkbench.runs(store=store)._repr_html_()
    assert "&lt;b&gt;=cmd" in shown
    assert "<b>" not in shown
    assert "\x1b" not in shown
    assert "≈2.26 ms" in shown
    assert "≈ simulated" in shown


@contextmanager
def noted(hint: str) -> Iterator[None]:
    with pytest.raises(rkbench.BenchError) as failed:
        yield
    assert hint in str(failed.value) + failed.value.hint


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"iteration": 3}, "did you mean iterations"),
        ({"iterations": "many"}, "iterations must be a whole number, not 'many'"),
        ({"pin": 3}, "pin must be true or false, not 3"),
        ({"require": 5}, "require must be a list of strings or a string, not 5"),
        ({"store": 5}, "store must be a string, not 5"),
        ({"require": "p99 < < 3"}, "gate 'p99 < < 3' is not understood"),
        ({"contexts": [1, 2]}, "it goes with --scenario offline"),
        ({"recipe": "fp16"}, "there is no ONNX to convert"),
    ],
)
def test_a_wrong_word_is_refused_before_a_board_is_asked(
    words: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with noted(told):
        rkbench.push(FP16, "virtual", **{"store": tmp_path / "results.sqlite", "progress": False, **words})


@pytest.mark.parametrize(
    ("names", "words", "told"),
    [
        ((), {"since": datetime(2026, 11, 1, tzinfo=timezone.utc)}, "rkbench.runs: since must be a string"),
        ((), {"since": 7}, "since must be a string, not 7"),
        ((), {"board": ["desk"]}, "board must be a string"),
        ((), {"limit": "5"}, "limit must be a whole number, not '5'"),
        ((), {"limit": 2.5}, "limit must be a whole number, not 2.5"),
        ((), {"limit": True}, "limit must be a whole number, not True"),
        ((), {"limit": 10**30}, "give 1 or more"),
        ((5,), {}, "names must be a list of strings"),
        ((["last"],), {}, "names must be a list of strings"),
        ((), {"store": b"results.sqlite"}, "store must be a string"),
    ],
)
def test_what_is_asked_of_the_past_in_another_type_is_refused(
    store: Path, names: tuple[Any, ...], words: dict[str, Any], told: str
) -> None:
    with noted(told):
        rkbench.runs(*names, **{"store": store, **words})


def test_an_inspection_refuses_another_type_and_what_is_no_target() -> None:
    with noted("target must be a string, not 5"):
        rkbench.inspect(FP16, target=5)  # type: ignore[arg-type]  # as in a notebook
    with noted("unknown target 'rk9999'"):
        rkbench.inspect(FP16, target="rk9999")
    with noted("unknown dtype 'int3'"):
        rkbench.inspect(FP16, dtype="int3")


def test_runs_go_into_a_set(store: Path) -> None:
    found = rkbench.runs(store=store)
    assert len({*found, *rkbench.runs(store=store)}) == len(found)


def test_unknown_runs_an_empty_store_and_wrong_files_are_said(store: Path, tmp_path: Path) -> None:
    with noted("no run 'zzzz'"):
        rkbench.runs("zzzz", store=store)
    with noted("give one of them"):
        rkbench.runs("last", limit=3, store=store)
    with noted("no time"):
        rkbench.runs(since="yesterday", store=store)
    with pytest.raises(rkbench.BenchError, match="a limit of -5 runs"):
        rkbench.runs(limit=-5, store=store)
    with noted("no board"):
        rkbench.push(FP16, "no-such-board", store=tmp_path / "results.sqlite", progress=False)
    with noted("no result store at"):
        rkbench.runs(store=tmp_path / "typo.sqlite")
    open_store(tmp_path / "empty.sqlite").close()
    assert list(rkbench.runs(store=tmp_path / "empty.sqlite")) == []
    with noted("none.rknn"):
        rkbench.inspect(tmp_path / "none.rknn")


def test_a_push_is_that_of_the_command_and_is_stored(tmp_path: Path) -> None:
    events: list[Event] = []
    hear: Callable[[Event], None] = events.append
    address = tmp_path / "results.sqlite"
    pushed = rkbench.push(
        [FP16, INT8],
        "virtual",
        golden=DEMO / "golden.npz",
        store=address,
        progress=hear,
        duration=0.05,
        loads=2,
        quads=1,
        require="cosine >= 0.999999999",
    )
    assert [event.run.variant.name for event in events if isinstance(event, Ended)] == [
        "digits.fp16", "digits.regrouped.int8",
    ]  # fmt: skip
    assert pushed.exit_code == 3
    assert pushed["digits.fp16"].simulated
    assert pushed.to_dict()["comparison"]["verdict"] == pushed.verdict
    assert [run.result for run in rkbench.runs("last", store=address)] == [run.result for run in pushed.runs]
    assert "digits.regrouped.int8" in pushed._repr_html_()
    assert pushed.report(tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    with noted("no kind of report"):
        pushed.report(tmp_path / "report.doc")
    with pytest.raises(KeyError):
        pushed["digits"]
    assert repr(pushed).count("\n") == 0
    assert len(repr(pushed)) < 160


def test_an_inspection_is_that_of_the_command(tmp_path: Path) -> None:
    found = rkbench.inspect(str(FP16))
    assert repr(found) == (
        "<Inspected digits.fp16.rknn: 14.6 MB, bloated: grouped convolutions stored as dense ones (97 %)>"
    )
    command = [sys.executable, "-m", "rkbench", "inspect", str(FP16), "--json", "-"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(json.dumps(found.to_dict())) == json.loads(ended.stdout)
    assert found.to_pandas()["total_bytes"].sum() <= found.size_bytes == 14_580_397
    assert "bench fix MODEL.onnx" in found._repr_html_()
    assert found.report(tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
