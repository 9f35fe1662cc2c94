"""A file beside itself: what it shows, what is kept of it, and what it says of later comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import collected, make_run
from rkbench.campaign import Outcome, PushOptions
from rkbench.campaign.compared import compare_collected
from rkbench.campaign.noise import with_noise_floor
from rkbench.campaign.settings import check_push
from rkbench.errors import UsageError
from rkbench.results.collect import Collected
from rkbench.results.noise_words import floor_note
from rkbench.store import Store, open_store
from rkbench_agent.wire.plan import RunSettings

MODEL = Path("fp16.rknn")


def outcome(
    one_ns: int, two_ns: int, push: str = "1qmv0w0v1", *, loads: int = 7, **changes: object
) -> Outcome:
    runs = [make_run(number, f"m{number}", push, **changes) for number in (1, 2)]
    pairs = zip(runs, (one_ns, two_ns), strict=True)
    both = tuple(Collected(run, collected(run, ns, loads=loads).latencies, ()) for run, ns in pairs)
    return Outcome(both, compare_collected(both))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "r.sqlite")


def test_a_file_beside_itself_is_kept_and_its_verdict_tells_the_floor(store: Store) -> None:
    found = with_noise_floor(outcome(2_000_000, 2_004_000), store, keep=True)
    assert found.comparison.verdict == (
        "m1 against itself: +0.1 % (+0.1 to +0.5). The noise floor of desk under these conditions is ±0.5 %;"
        " later comparisons there show it."
    )
    floor = found.comparison.noise_floor
    assert floor is not None
    assert floor_note(floor, simulated=False) == (
        "noise floor of this board: ±0.5 % (m1 against itself, 2026-11-23)"
    )


def test_a_later_comparison_shows_it_and_says_what_lies_below(store: Store) -> None:
    with_noise_floor(outcome(2_000_000, 2_080_000), store, keep=True)
    small = with_noise_floor(outcome(2_000_000, 2_070_000, "1qmv0w0v2"), store, keep=False)
    large = with_noise_floor(outcome(2_000_000, 2_300_000, "1qmv0w0v3"), store, keep=False)
    assert small.comparison.noise_floor == large.comparison.noise_floor is not None
    assert small.comparison.verdict.endswith("The effect of m2 lies below this board's noise floor (±4.3 %).")
    assert "noise floor" not in large.comparison.verdict


def test_other_conditions_show_none(store: Store) -> None:
    with_noise_floor(outcome(2_000_000, 2_004_000), store, keep=True)
    one_load = with_noise_floor(outcome(2_000_000, 2_070_000, "1qmv0w0v2", loads=1), store, keep=False)
    assert one_load.comparison.noise_floor is None


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (lambda: outcome(2_000_000, 2_004_000, loads=3), "No noise floor is kept: 6 loads would tell."),
        (
            lambda: outcome(2_000_000, 2_004_000, verdict="SUSPECT"),
            "No noise floor is kept: the runs are SUSPECT; see their caveats.",
        ),
    ],
)
def test_what_is_no_floor_is_not_kept_and_says_why(store: Store, shown: object, why: str) -> None:
    found = with_noise_floor(shown(), store, keep=True)  # type: ignore[operator]  # a function
    assert found.comparison.verdict.endswith(why)
    assert with_noise_floor(outcome(1, 1), store, keep=False).comparison.noise_floor is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (PushOptions((MODEL, MODEL), noise_floor=True), "of one model"),
        (PushOptions((MODEL,), RunSettings(core_mask="sweep"), noise_floor=True), "of one model"),
        (PushOptions((MODEL,), RunSettings(interleave=False), noise_floor=True), "in turns with itself"),
        (PushOptions((MODEL,), RunSettings(scenario="offline"), noise_floor=True), "in turns with itself"),
    ],
)
def test_what_cannot_take_turns_with_itself_is_refused(options: PushOptions, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check_push(options)


def test_one_model_has_a_precision_beside_itself() -> None:
    check_push(PushOptions((MODEL,), RunSettings(precision_percent=0.5), noise_floor=True))
