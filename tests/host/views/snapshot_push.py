"""Every branch of the push views, of its progress and of the history, from runs made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from made_runs import collected, make_latencies, make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.results.comparison import Comparison
from rkbench.results.diagnosis import diagnosed
from rkbench.results.events import Busy, Ended, Event, Measuring, Note, Sending, Step, Waiting
from rkbench.results.extras import Leak, LoadCycles, PinRecord
from rkbench.results.history import history_row
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import Load
from rkbench.results.model import Failure, Readings, RunResult, Sensor
from rkbench.results.profile import read_profile
from rkbench.results.records import TransferRecord
from rkbench.views.history import show_history
from rkbench.views.push.console import print_push
from rkbench.views.push.csv import write_latencies, write_runs
from rkbench.views.push.progress import BarProgress, PlainProgress
from rkbench.views.terminal import make_console
from rkbench_agent.wire.board import HeldClock
from rkbench_agent.wire.caveats import Caveat
from view_runs import story

PROFILES = Path(__file__).parents[2] / "data/profiles"
Render = Callable[[int], str]


def push_snapshots() -> dict[str, Render]:
    """Return what is rendered, by the name of its file: text at any width."""
    pushes = {
        "story": story,
        "on_a_board": lambda: story(simulated=False),
        "one_run": lambda: compared([make_run(1)]),
        "nothing": lambda: compared([]),
        "many": lambda: compared([variant(number, f"digits.variant-{number}") for number in range(1, 10)]),
        "cores": lambda: compared(swept()),
        "beside": lambda: compared([beside(), replace(unknown_form(), id="1qmv0w0v1-02")]),
        "pinned": lambda: compared([pinned(1, refused=False)]),
        "pinned_elsewhere": lambda: compared([pinned(1, refused=True)]),
        "conditions": lambda: compared(changed_conditions()),
        "differences": lambda: compared(large_differences()),
        "failures": lambda: compared(failures()),
    }
    found: dict[str, Render] = {f"push/{name}": _push(make) for name, make in pushes.items()}
    found["push/runs_csv"] = lambda _: _runs_csv()
    found["push/latencies_csv"] = lambda _: _latencies_csv()
    found["push/progress_lines"] = lambda _: _progress_lines()
    found["push/progress_bars"] = lambda _: _bar_lines()
    found["history/runs"] = lambda width: _history([*story()[0], *failures()], width)
    found["history/on_a_board"] = lambda width: _history([make_run(1)], width)
    found["history/nothing"] = lambda width: _history([], width)
    return found


def _push(make: Callable[[], tuple[Sequence[RunResult], Comparison]]) -> Render:
    def text(width: int) -> str:
        out = StringIO()
        print_push(*make(), make_console(out, width))
        return _tidy(out)

    return text


def _tidy(out: StringIO) -> str:
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def compared(runs: Sequence[RunResult]) -> tuple[list[RunResult], Comparison]:
    """Return runs with their comparison, each variant a little slower than the one before."""
    items = [collected(run, 2_260_000 + 10_000 * index, loads=9) for index, run in enumerate(runs)]
    return list(runs), compare_collected(items)


def variant(number: int, name: str, **changes: object) -> RunResult:
    """Return the run of one of several variants."""
    run = make_run(number, latency=make_latency(0.002 + number / 1e4), **changes)
    return replace(run, variant=replace(run.variant, name=name))


def swept() -> list[RunResult]:
    """Return one variant on several core masks: one fell back, one failed, one tells no throughput."""
    fallback = (
        Caveat("single_core_fallback", "the runtime fell back to a single NPU core", "use --cores 0"),
    )
    masks = (("auto", ()), ("0", ()), ("all", fallback))
    runs = []
    for number, (mask, caveats) in enumerate(masks, 1):
        run = make_run(number, latency=make_latency(0.002), throughput_per_s=None if mask == "0" else 450.0)
        plan = replace(run.plan, core_mask=mask)
        runs.append(replace(run, plan=plan, caveats=caveats, variant=make_run(1).variant))
    failed = replace(
        make_run(4),
        variant=make_run(1).variant,
        failure=Failure("load", "missing", "no such cores"),
        latency=None,
    )
    return [*runs, replace(failed, plan=replace(failed.plan, core_mask="0_1"), throughput_per_s=None)]


def beside() -> RunResult:
    """Return a run with load cycles of every outcome, and a table of layers longer than what is shown."""
    leaks = (
        Leak("rss", "rises", 4096.0, 4000.0, 4200.0, ""),
        Leak("dma_buf", "no rise", 0.0, -1.0, 1.0, ""),
        Leak("rss", "too few values", None, None, None, ""),
    )
    known = read_profile("capi", (PROFILES / "layer_table_2.3_rk3588.txt").read_text())
    layers = tuple(replace(known.layers[0], number=number, share=0.001) for number in range(20))
    load = Load(duration_s=0.1, rss_delta_bytes=1, cycles=LoadCycles(20, 0.05, 0.02, leaks, ()))
    return replace(make_run(1), load=load, profile=replace(known, layers=(*known.layers, *layers)))


def unknown_form() -> RunResult:
    """Return a run with one load cycle, and a table of layers that nobody knows."""
    raw = read_profile("capi", "".join(f"conv_{number} | 3 ms\n" for number in range(45)))
    load = Load(duration_s=0.1, rss_delta_bytes=1, cycles=LoadCycles(1, 0.05, None, (), ()))
    return replace(make_run(1, "raw"), load=load, profile=raw)


def pinned(number: int, *, refused: bool) -> RunResult:
    """Return a run whose clocks were held, on the big cores or not."""
    settings = {"/sys/class/devfreq/fdab0000.npu/governor": "userspace"}
    caveats = (Caveat("not_on_big_cores", "the worker could not be placed on CPU 4", ""),) if refused else ()
    clocks = (HeldClock("NPU", "userspace"),)
    held = PinRecord(True, settings, big_cpus=(4, 5), clocks=clocks)
    sent = TransferRecord(14_580_397, 2_100_000, False, 0.4)
    return replace(make_run(number), conditions=held, caveats=caveats, transfer=sent)


def changed_conditions() -> list[RunResult]:
    """Return runs that differ in board, in governor and in cores from the first."""
    base = make_run(1)
    elsewhere = replace(base.board, name="shelf", soc="rk3568")
    slower = replace(base.board, npu_governor="ondemand")
    return [
        base,
        replace(variant(2, "elsewhere"), board=elsewhere),
        replace(variant(3, "governed"), board=slower),
        replace(variant(4, "unknown"), board=replace(base.board, npu_governor=None, driver_version=None)),
    ]


def large_differences() -> list[RunResult]:
    """Return runs that are ten times, twice, or as large as the first, with sensors."""
    readings = Readings(
        6,
        0.0,
        (
            Sensor("npu_clock_hz", 6, 3e8, 6e8, 1e9, 1e9, 6e8, quantity="npu_clock_hz"),
            Sensor("ddr_clock_hz", 6, 1e9, 1e9, 1e9, 1e9, 1e9, quantity="ddr_clock_hz"),
            Sensor("temperature_celsius", 6, 40.0, 45.0, 61.2, 61.2, 45.0, quantity="temperature_celsius"),
        ),
    )
    sizes = (1_000_000, 12_000_000, 2_100_000, 1_001_000)
    runs = [variant(number, f"v{number}", readings=readings) for number in range(1, 5)]
    return [
        replace(run, variant=replace(run.variant, size_bytes=size))
        for run, size in zip(runs, sizes, strict=True)
    ]


def failures() -> list[RunResult]:
    """Return runs that failed: with a known message, with advice alone, with neither."""
    tail = (
        "E RKNN: [00:00:01.000] failed to open rknpu module, need to insmod rknpu dirver!",
        *(f"line {number}" for number in range(6)),
    )
    known = diagnosed(Failure("load", "missing", "RKNNLite.init_runtime returned -1", log_tail=tail), ())
    hung = Failure("inference", "hang", "nothing happened for 30 s", "look at dmesg of the board")
    bare = Failure("connect", "link_lost", "the board went silent")
    return [
        replace(variant(number, name), failure=failure, partial=True, latency=None, load=None, outputs=())
        for number, (name, failure) in enumerate((("known", known), ("hung", hung), ("bare", bare)), 1)
    ]


def _runs_csv() -> str:
    out = StringIO()
    write_runs([*story()[0], *failures()], out)
    return out.getvalue()


def _latencies_csv() -> str:
    out = StringIO()
    few = make_latencies(2_260_000, loads=1, quads=1, size=3)
    write_latencies([(make_run(1), few), (make_run(2), RawLatencies())], out)
    return out.getvalue()


def events() -> list[Event]:
    """Return every event that a push can tell of, at its edges too."""
    done = make_run(2)
    return [
        Step("connecting to desk"),
        Sending("a.rknn", 0, 4_000_000),
        Sending("a.rknn", 4_000_000, 4_000_000),
        Sending("empty.rknn", 0, 0),
        Waiting("anna@desk (process 7)", 9.0),
        Note("agent: something"),
        Busy("desk", "a", "CPUs 100 % and NPU 42 %", 0.4, 5.0),
        Measuring("a", "cooling", 61.0, 50.0, "celsius"),
        Measuring("a", "load", 0, 7, "loads"),
        Measuring("a", "golden", 0, 64, "cases"),
        Measuring("a", "warmup", 0, 0, "iterations"),
        Measuring("a", "profile", 0, 1, "run"),
        Measuring("a", "inference", 50, 100, "iterations"),
        Measuring("a", "inference", 3.0, 3.0, "s"),
        Ended(replace(done, plan=replace(done.plan, core_mask="0"))),
        Ended(replace(done, id="x", latency=None)),
        *(Ended(run) for run in (story()[0][0], failures()[0])),
    ]


def _progress_lines() -> str:
    out = StringIO()
    with PlainProgress(out) as progress:
        for event in [*events(), *events()[:2]]:
            progress(event)
    return out.getvalue()


def _bar_lines() -> str:
    """Render what stays of the bars: the lines above them."""
    out = StringIO()
    progress = BarProgress(out)
    for event in events():
        progress(event)
    return _tidy(out)


def _history(runs: Sequence[RunResult], width: int) -> str:
    out = StringIO()
    show_history([history_row(run) for run in runs], out)
    return _tidy(out)
