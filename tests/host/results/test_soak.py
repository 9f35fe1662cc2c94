"""Soaks, folded as they come: every window summarised, few kept raw, and what speaks against them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from made_runs import make_latency, make_run
from rkbench.results.caveats import caveats_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.soak import RAW_CALLS, Soak, SoakFold, memory_windows
from rkbench.views.push.soak import soak_text
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.scenario_messages import SoakWindow

MS = 1_000_000


def soak(
    windows: int,
    *,
    calls: int = 20,
    grow: float = 0.0,
    leak: int = 0,
    settle: bool = False,
    changed: int = 0,
    step_at: int = 0,
    unread: range = range(0),
    slow: range = range(0),
) -> tuple[Soak, SoakFold]:
    """Return a soak of windows of `calls`, whose latency grows by `grow`, or by 80 %, from a window on or in
    the `slow`, and memory by `leak` a window, which the windows of `unread` do not know."""
    fold = SoakFold()
    fold.add(Latencies("r", 0, True, [0], [50 * MS]))
    for number in range(windows):
        grown = 1.8 if number in slow or (step_at and number >= step_at) else 1 + grow * number / windows
        duration = int(10 * MS * grown)
        fold.add(Latencies("r", number, False, list(range(calls)), [duration] * calls))
        rss = 50_000_000 + (leak * min(number, 5) if settle else leak * number)
        known = None if number in unread else rss
        fold.end_window(SoakWindow("r", number, 10**9, calls * (number + 1), changed, 7, rss_bytes=known))
    found = fold.result()
    assert found is not None
    return found, fold


def codes(found: Soak) -> list[str]:
    return [finding.code for finding in found.findings]


def test_a_steady_soak_has_nothing_against_it() -> None:
    found, _ = soak(100)
    assert (found.findings, found.count, found.elapsed_s, found.drift_ratio) == ((), 2000, 100.0, 0.0)
    assert found.windows[3].since_s == 3.0
    assert found.kept_calls == 2000


def test_a_drift_is_found_and_its_size_told() -> None:
    found, _ = soak(300, grow=0.05)
    assert codes(found) == ["drift"]
    assert found.drift_ratio is not None
    assert 0.045 < found.drift_ratio < 0.055
    assert codes(soak(300, grow=0.01)[0]) == []


def test_a_board_that_throttles_is_not_steady_and_since_when_is_told() -> None:
    """No straight line shows it: most pairs of windows lie at one level."""
    for windows, step_at in ((100, 25), (100, 80), (720, 600)):
        found, _ = soak(windows, step_at=step_at)
        assert found.drift_ratio == 0.0
        (finding,) = found.findings
        assert finding.code == "drift"
        assert finding.text.startswith("calls are slower by 80.0 % from ")
    assert [finding.text for finding in soak(100, step_at=25)[0].findings] == [
        "calls are slower by 80.0 % from 25.0 s on"
    ]


def test_windows_that_are_slow_at_an_end_or_now_and_then_are_not_steady_and_told() -> None:
    """No line shows them, and no step: most windows before and after lie at one level."""
    cases = {
        range(93, 100): "7 of 100 windows are slower by 80.0 % than most, between 93.0 s and 99.0 s",
        range(35, 65): "30 of 100 windows are slower by 80.0 % than most, between 35.0 s and 64.0 s",
        range(1, 100, 2): "50 of 100 windows are slower by 80.0 % than most, between 1.00 s and 99.0 s",
    }
    for slow, text in cases.items():
        (finding,) = soak(100, slow=slow)[0].findings
        assert (finding.code, finding.text) == ("drift", text)
    assert soak(100, slow=range(40, 42))[0].findings == ()


def test_slow_calls_are_no_slow_windows_where_a_window_holds_one() -> None:
    """One call in thirty of a slow model takes twice as long."""
    assert soak(720, calls=1, slow=range(0, 720, 30))[0].findings == ()
    (finding,) = soak(720, calls=1, slow=range(675, 720))[0].findings
    assert finding.text.startswith("45 of 720 windows are slower by 80.0 % than most")


def test_memory_that_grows_to_the_end_leaks_and_what_settles_does_not() -> None:
    found, _ = soak(100, leak=8192)
    assert codes(found) == ["memory_leak"]
    assert found.leak_bytes_per_call == 8192 / 20
    assert codes(soak(100, leak=1_000_000, settle=True)[0]) == []
    assert codes(soak(100, leak=100)[0]) == []


def test_a_leak_of_less_than_a_byte_a_call_does_not_read_as_none() -> None:
    found, _ = soak(100, calls=20_000, leak=8192)
    assert [finding.text for finding in found.findings] == ["memory grows by 0.41 B with every call"]


def test_a_leak_a_call_is_the_same_where_windows_are_joined() -> None:
    found, _ = soak(720, leak=8192)
    assert found.leak_bytes_per_call == 8192 / 20


def test_a_leak_is_found_where_some_windows_do_not_know_their_memory() -> None:
    for unread in (range(3, 4), range(60, 85)):
        found, _ = soak(100, leak=8192, unread=unread)
        assert (codes(found), memory_windows(found)) == (["memory_leak"], None)
    found, _ = soak(100, leak=8192, unread=range(0, 100, 5))
    assert found.leak_bytes_per_call == pytest.approx(8192 / 20, rel=0.02)
    found, _ = soak(100, leak=8192, unread=range(40, 100))
    assert (codes(found), memory_windows(found)) == ([], 40)


def test_few_windows_are_too_short_to_tell_and_what_is_long_enough_is_said() -> None:
    """Three calls of two seconds each, which lose three megabytes: a window holds one."""
    for windows, short in ((3, True), (19, True), (20, False)):
        run = make_run(soak=soak(windows, calls=1)[0])
        told = [item for item in caveats_of(run, RawLatencies()) if item.code == "few_blocks"]
        assert [item.message.split(":")[0] for item in told] == [f"only {windows} windows"] * short
        assert ("too short to tell whether it is steady" in soak_text(run)) is short
        assert (": steady;" in soak_text(run)) is not short
        assert [item.advice for item in told] == ["soak longer: --duration 30"] * short
    slow = replace(soak(3, calls=1)[0], elapsed_s=6.0)
    (told,) = [item for item in caveats_of(make_run(soak=slow), RawLatencies()) if item.code == "few_blocks"]
    assert told.advice == "soak longer: --duration 60"


def test_a_soak_is_given_more_by_its_duration_and_by_no_iterations() -> None:
    """Three calls in six seconds: thirty take sixty, and a p99 a thousand."""
    slow = replace(soak(3, calls=1)[0], elapsed_s=6.0)
    for count, code, duration in (
        (3, "too_few_iterations", "--duration 90"),
        (900, "p99_rough", "--duration 30"),
    ):
        latency = replace(make_latency(0.002, count), block_count=30)
        run = make_run(soak=slow, latency=latency)
        run = replace(run, plan=replace(run.plan, scenario="soak"))
        (advice,) = [item.advice for item in caveats_of(run, RawLatencies()) if item.code == code]
        assert duration in advice
        assert "--iterations" not in advice


def test_memory_that_nobody_read_is_not_steady() -> None:
    text = soak_text(make_run(soak=soak(100, unread=range(90))[0]))
    assert "calls are steady; whether memory grows is unknown, read in 10 of 100 windows" in text


def test_growth_that_may_be_less_than_a_page_a_window_is_no_leak() -> None:
    source, fold = random.Random(3588), SoakFold()
    for number in range(40):
        fold.add(Latencies("r", number, False, list(range(20)), [10 * MS] * 20))
        rss = 50_000_000 + 5_000 * number + int(source.gauss(0, 10_000))
        fold.end_window(SoakWindow("r", number, 10**9, 20 * (number + 1), 0, 7, rss_bytes=rss))
    found = fold.result()
    assert found is not None
    assert (found.leak_bytes_per_call, codes(found)) == (None, [])


def test_outputs_that_changed_are_a_finding() -> None:
    found, _ = soak(60, changed=3)
    assert codes(found) == ["nondeterministic"]
    assert found.findings[0].text == "3 of 1200 outputs differ from the first, from iteration 7 on"


def test_raw_latencies_stay_bounded_and_lie_evenly() -> None:
    found, fold = soak(100, calls=10_000)
    assert found.count == 1_000_000
    assert found.kept_calls <= RAW_CALLS
    kept = sorted(set(fold.raw.block))
    assert kept == list(range(0, 100, kept[1]))
    assert len(found.windows) == 100


def test_nothing_is_known_before_the_first_window_is_over() -> None:
    fold = SoakFold()
    fold.add(Latencies("r", 0, False, [0], [5]))
    assert fold.result() is None
