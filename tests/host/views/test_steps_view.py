"""The tables of scenarios on a terminal: offline, server and soak, from runs made by hand."""

from __future__ import annotations

from dataclasses import replace

from made_runs import make_run
from rkbench.results.model import Failure, RunResult
from rkbench.results.offline import Offline, OfflineRate, Saturation
from rkbench.results.server import Server, ServerTry
from rkbench.results.soak import Soak, SoakFinding, SoakSummary
from rkbench.views.push.offline import offline_lines, offline_text
from rkbench.views.push.server import server_lines, server_text
from rkbench.views.push.soak import soak_lines, soak_text
from rkbench_agent.wire.words import INTERRUPTED


def rate(contexts: int, per_s: float) -> OfflineRate:
    loads = tuple(0.98 if core < contexts else 0.0 for core in range(3))
    return OfflineRate(
        "spread", contexts, 900, per_s, per_s - 1, per_s + 1, 0.01, None, loads, npu_bytes=10**6
    )


def offline_run(*, is_reached: bool = True, runtime: str = "capi") -> RunResult:
    steps = (rate(1, 100.0), rate(3, 298.0), rate(6, 300.0))[: 3 if is_reached else 2]
    found = Offline(steps, Saturation("spread", 3, 298.0, is_reached), True, 100.0, 201_000.0, 65_000.0)
    run = make_run(offline=found)
    return replace(run, plan=replace(run.plan, runtime=runtime))


def test_the_saturation_is_marked_and_bars_end_the_line_where_there_is_room() -> None:
    wide = [line.text for line in offline_lines(offline_run(), 120)]
    assert wide[0] == "cores   contexts    rate  ± 95 %   gain      p50  core load %  NPU memory"
    assert wide[2].split() == [
        "▸",
        "3",
        "298",
        "/s",
        "0.3",
        "%",
        "2.98×",
        "10.0",
        "ms",
        "98",
        "98",
        "98",
        "1.00",
        "MB",
        "█" * 20,
    ]
    assert [line.is_chosen for line in offline_lines(offline_run(), 120)] == [False, False, True, False]
    assert all(len(line.text) <= 60 for line in offline_lines(offline_run(), 60))


def test_a_saturation_is_told_in_words() -> None:
    assert offline_text(offline_run()) == (
        "fp16 saturates at 3 contexts spread over the cores: 298 /s, 2.98× one context;"
        " 6 contexts bring +0.7 %."
        " Each further context takes 201 kB of NPU memory and 65.0 kB of the process; the weights are shared."
    )
    rising = offline_text(offline_run(is_reached=False))
    assert rising.startswith("fp16 does most at 3 contexts spread over the cores: 298 /s, 2.98× one context;")
    assert "more were not tried: --contexts 3,6,9" in rising
    many = replace(offline_run(is_reached=False), plan=replace(make_run().plan, contexts=[3, 6, 9]))
    assert "; it could not be made with 6 contexts." in offline_text(many)
    assert "--runtime capi shares them" in offline_text(offline_run(runtime="lite"))


def tried(per_s: float | None, p99_s: float, is_kept: bool | None) -> ServerTry:
    return ServerTry(per_s, 99.0, 1000, 0.01, 0.015, p99_s, 0.09, p99_s, p99_s * 0.9, p99_s * 1.1, is_kept)


def test_a_goodput_is_told_with_what_was_tried() -> None:
    tries = (tried(None, 0.01, None), tried(50.0, 0.02, True), tried(75.0, 0.04, False))
    run = make_run(server=Server(tries, "p99 <= 30ms", 50.0, 75.0))
    lines = [line.text for line in server_lines(run, 100)]
    assert lines[1].lstrip().startswith("always busy")
    assert lines[2].endswith("kept (18.0–22.0 ms)")
    assert lines[3].endswith("missed (36.0–44.0 ms)")
    assert server_text(run) == (
        "fp16: goodput 50.0 /s, the highest rate tried that keeps p99 <= 30ms beyond chance; at 75.0 /s it no"
        " longer does. Of 1000 calls: what stalls less than once in 333 may have stayed unseen."
    )
    assert all(len(line.text) <= 60 for line in server_lines(run, 60))


def test_no_bound_of_an_objective_reads_as_its_limit() -> None:
    near = replace(tried(75.0, 0.031, False), objective_low_s=0.03004, objective_high_s=0.0312)
    lines = [line.text for line in server_lines(make_run(server=Server((near,), "p99 <= 30ms")), 100)]
    assert lines[1].endswith("missed (30.04–31.2 ms)")


def test_a_rate_whose_interval_holds_the_limit_is_told_with_the_calls_that_tell_more() -> None:
    tries = (tried(50.0, 0.02, True), tried(62.0, 0.029, None), tried(75.0, 0.04, False))
    run = make_run(server=Server(tries, "p99 <= 30ms", 50.0, 75.0))
    assert [line.text.split()[-3] for line in server_lines(run, 100)[1:]] == ["kept", "unsure", "missed"]
    assert "; up to 62.0 /s can't be told: --iterations 4000. Of 1000 calls" in server_text(run)


def test_a_server_that_keeps_nothing_and_one_without_an_objective() -> None:
    none = Server((tried(None, 0.01, None), tried(50.0, 0.04, False)), "p99 <= 30ms", None, 50.0)
    assert server_text(make_run(server=none)) == (
        "fp16 surely keeps p99 <= 30ms at no rate that was tried down to 50.0 /s."
    )
    plain = Server((tried(50.0, 0.04, None),))
    assert server_text(make_run(server=plain)) == (
        "fp16 serves 50.0 /s of random arrivals with p99 40.0 ms from when a call was due."
    )
    flooded = Server((replace(tried(500.0, 4.0, None), queue_grew=True),))
    assert (
        server_text(make_run(server=flooded))
        == "fp16 does not serve 500 /s: it did 99.0 /s, and the queue grew."
    )


def test_a_search_that_ended_early_says_so_and_what_it_had_tried() -> None:
    """Always busy contexts are no rate: nothing was looked for yet."""
    stopped = Failure("inference", INTERRUPTED, "stopped by Ctrl-C")
    busy = Server((tried(None, 0.01, None),), "p99 <= 30ms")
    assert server_text(make_run(server=busy, failure=stopped)) == (
        "fp16 serves 99.0 /s at most, always busy; no rate was tried; the search ended early."
    )
    some = Server((tried(None, 0.01, None), tried(50.0, 0.02, True)), "p99 <= 30ms", 50.0)
    assert "keeps p99 <= 30ms beyond chance; the search ended early." in server_text(
        make_run(server=some, failure=stopped)
    )
    none = Server((tried(None, 0.01, None), tried(50.0, 0.04, False)), "p99 <= 30ms", None, 50.0)
    assert server_text(make_run(server=none, failure=stopped)).endswith("50.0 /s; the search ended early.")


def soak_run(*findings: SoakFinding) -> RunResult:
    windows = tuple(SoakSummary(float(at), 600, 0.01, None, 0.02, 50_000_000) for at in range(60))
    return make_run(
        soak=Soak(60.0, 36_000, windows, findings, 36_000, 0, None, 0.001, -0.01, 0.01, None, 9_000)
    )


def test_a_soak_is_twelve_lines_and_a_verdict() -> None:
    lines = [line.text for line in soak_lines(soak_run())]
    assert len(lines) == 13
    assert lines[0].split() == ["since", "calls", "p50", "max", "process"]
    assert lines[1].split() == ["0", "s", "3000", "10.0", "ms", "20.0", "ms", "50.0", "MB"]
    assert soak_text(soak_run()) == (
        "fp16 in 60.0 s: steady; 0 of 36000 outputs changed; p50 drifted by +0.1 % (-1.0 to +1.0);"
        " 9000 of 36000 latencies are kept raw."
    )
    found = SoakFinding("drift", "calls grew slower by 5.0 % from the first window to the last")
    assert f"not steady: {found.text}" in soak_text(soak_run(found))
    simulated = soak_text(replace(soak_run(found), simulated=True))
    assert f"not steady (simulated): {found.text}" in simulated


def test_other_runs_have_no_such_tables() -> None:
    run = make_run()
    assert (offline_lines(run, 80), server_lines(run, 80), soak_lines(run)) == ([], [], [])
    assert (offline_text(run), server_text(run), soak_text(run)) == ("", "", "")
