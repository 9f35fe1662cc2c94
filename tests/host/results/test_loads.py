"""Load figures: the median over the loads of a run, with their range."""

from __future__ import annotations

from rkbench.results.loads import Load, LoadRange, load
from rkbench_agent.wire.messages import LoadMemory

RUN = "1qmv0w0v1-01"


def one_load(number: int, *, took_ms: int, grew_bytes: int, peak_bytes: int = 90_000) -> list[LoadMemory]:
    """Return what a worker tells of one load that gets to its end."""
    told = [
        LoadMemory(RUN, "before", rss_bytes=30_000),
        LoadMemory(RUN, "model_read", duration_ns=1_000_000, rss_bytes=40_000),
        LoadMemory(RUN, "runtime_initialised", duration_ns=(took_ms - 1) * 1_000_000, npu_total_bytes=7_000),
        LoadMemory(RUN, "steady", rss_bytes=30_000 + grew_bytes, peak_rss_bytes=peak_bytes),
    ]
    return [LoadMemory(**{**vars(message), "load": number}) for message in told]


def loaded(*messages: LoadMemory) -> Load:
    found = load(messages)
    assert found is not None
    return found


def test_the_median_over_the_loads_is_told_with_their_range() -> None:
    cold, warm = one_load(0, took_ms=90, grew_bytes=22_001), one_load(1, took_ms=20, grew_bytes=20_000)
    found = loaded(*cold, *warm, *one_load(2, took_ms=30, grew_bytes=21_000))
    assert (found.duration_s, found.rss_delta_bytes) == (0.03, 21_000)
    assert found.range_of("duration_s") == LoadRange("duration_s", 3, 0.02, 0.09)
    assert found.range_of("rss_delta_bytes") == LoadRange("rss_delta_bytes", 3, 20_000, 22_001)
    assert [one.duration_s for one in found.loads] == [0.09, 0.02, 0.03]


def test_one_load_has_no_range() -> None:
    found = loaded(*one_load(0, took_ms=20, grew_bytes=20_000))
    assert (found.duration_s, found.ranges, len(found.loads)) == (0.02, (), 1)


def test_the_median_of_bytes_is_whole() -> None:
    found = loaded(*one_load(0, took_ms=1, grew_bytes=20_001), *one_load(1, took_ms=1, grew_bytes=20_002))
    assert found.rss_delta_bytes == 20_002
    assert isinstance(found.rss_delta_bytes, int)


def test_the_peak_is_the_highest_of_any_load() -> None:
    first = one_load(0, took_ms=20, grew_bytes=20_000, peak_bytes=95_000)
    found = loaded(*first, *(m for n in (1, 2) for m in one_load(n, took_ms=20, grew_bytes=20_000)))
    assert found.peak_rss_bytes == 95_000


def test_a_load_that_was_broken_off_does_not_count_beside_others() -> None:
    whole, broken = one_load(0, took_ms=20, grew_bytes=20_000), one_load(1, took_ms=900, grew_bytes=9)[:3]
    assert loaded(*whole, *broken) == loaded(*whole)
    assert loaded(*broken).duration_s == 0.9


def test_an_agent_that_numbers_no_loads_tells_of_one() -> None:
    told = [LoadMemory(RUN, "before", rss_bytes=30_000), LoadMemory(RUN, "steady", rss_bytes=50_000)]
    found = loaded(*told)
    assert (found.rss_delta_bytes, found.ranges) == (20_000, ())
