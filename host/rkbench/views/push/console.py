"""A push on a terminal: one table, what to doubt, and the verdict. Rich is imported when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rkbench_agent.wire.words import INTERFERENCE, OFFLINE, SERVER, SINGLE_STREAM, SOAK

from rkbench.results.comparison import Comparison
from rkbench.results.extras import held_text
from rkbench.results.ids import short_ids
from rkbench.results.model import RunResult
from rkbench.results.records import BoardRecord, PlanRecord
from rkbench.units import MARK, format_bytes, format_hertz, format_seconds
from rkbench.views.push.console_notes import failures, print_failure, print_notes
from rkbench.views.push.console_rows import folded, kinds_of, print_rows, shortened
from rkbench.views.push.console_table import print_table
from rkbench.views.push.extras import aligned_sweep, cycles_text, is_sweep, profile_lines
from rkbench.views.push.fitting import WHOLE, Screenful, print_fitting
from rkbench.views.push.interference import interference_lines, interference_text
from rkbench.views.push.many import FEWEST_ROWS
from rkbench.views.push.offline import TableLine, offline_lines, offline_text
from rkbench.views.push.paragraphs import mark_of, print_lines, print_paragraph
from rkbench.views.push.ranking import ranking_lines
from rkbench.views.push.requirements import requirement_lines
from rkbench.views.push.server import server_lines, server_text
from rkbench.views.push.soak import soak_lines, soak_text
from rkbench.views.push.table import number_caveats, ordered_runs

if TYPE_CHECKING:
    from rich.console import Console


def print_push(
    runs: Sequence[RunResult],
    comparison: Comparison,
    console: Console,
    *,
    sort: str = "",
    fits_screen: bool = False,
) -> None:
    """Print the whole view of a push; of many variants a row each, by what is to be sorted.

    Where it is to fit a screen, what many say besides their rows is folded as far as that takes.
    """
    runs = ordered_runs(runs, comparison)
    if not runs:
        return

    def show(fold: Screenful) -> None:
        _print_push(runs, comparison, console, sort, fold)

    if fits_screen and len(runs) >= FEWEST_ROWS and not is_sweep(runs):
        push = short_ids([runs[0].id])[runs[0].id].rpartition("-")[0]
        print_fitting(console, show, runs=len(runs), kinds=len(kinds_of(runs)), whole=f"bench show {push}")
    else:
        show(WHOLE)


def _print_push(
    runs: Sequence[RunResult], comparison: Comparison, console: Console, sort: str, fold: Screenful
) -> None:
    numbers = number_caveats(runs)
    if console.is_terminal:
        console.print()
    _print_head(runs, console, fold)
    _print_steps(runs, console)
    names = folded(runs)
    if is_sweep(runs):
        print_lines(console, aligned_sweep(runs, MARK))
    elif len(runs) >= FEWEST_ROWS:
        print_rows(runs, comparison, names, console, sort, fold)
    else:
        print_table(runs, comparison, numbers, console)
    _print_extras(runs, console)
    if is_sweep(runs) or len(runs) < FEWEST_ROWS:
        print_notes(runs, comparison, numbers, console)
    for line in requirement_lines(runs):
        print_paragraph(console, line.lead, line.text, style=line.style, space=line.is_first)
    if comparison.ranking is not None:
        print_lines(console, ranking_lines(comparison.ranking, runs))
    for failure, who in failures(runs).items():
        print_failure(", ".join(dict.fromkeys(names.short[name] for name in who)), failure, console)
    verdict = shortened(comparison.verdict, names)
    print_paragraph(console, "", verdict, style="bold", space=not fold.is_dense)


def describe_board(board: BoardRecord) -> str:
    """Return the board in one line: name, SoC, versions, clock and governor, as far as known."""
    npu = board.npu_clock_hz and f"NPU {format_hertz(board.npu_clock_hz)}"
    governor = board.npu_governor and f"({board.npu_governor})"
    parts = (
        board.name,
        board.soc,
        board.runtime and f"runtime {board.runtime} {board.runtime_version or ''}".strip(),
        board.driver_version and f"driver {board.driver_version}",
        " ".join(part for part in (npu, governor) if part),
    )
    return " · ".join(part for part in parts if part)


def _print_head(runs: Sequence[RunResult], console: Console, fold: Screenful) -> None:
    first = runs[0]
    plan = first.plan
    in_turns = plan.interleave and len(runs) > 1 and plan.scenario == SINGLE_STREAM
    turns = f" in turns{_loads_text(plan)}" if in_turns else ""
    variants = f"{len(runs)} variant{'s' * (len(runs) > 1)}{turns}"
    how = f"{first.push} · {variants} · {_how_long(plan)} · {_cores(runs)}"
    print_paragraph(console, "board  ", describe_board(first.board), style="", space=False)
    print_paragraph(console, "push   ", how, style="", space=False)
    if first.conditions is not None and first.conditions.pinned:
        cpus = ", ".join(str(cpu) for cpu in first.conditions.big_cpus)
        told = f"clocks held still by {held_text(first.conditions.clocks)}"
        refused = any(caveat.code == "not_on_big_cores" for run in runs for caveat in run.caveats)
        worker = f" · worker on CPU {cpus}" if cpus and not refused else ""
        print_paragraph(console, "pinned ", told + worker, style="", space=False)
    # A file that several runs share was sent for the first of them.
    sent = list({run.variant.sha256: run.transfer for run in reversed(runs) if run.transfer}.values())
    if sent and not fold.is_dense:
        total, over = sum(item.model_bytes for item in sent), sum(item.sent_bytes for item in sent)
        how = f"{format_bytes(over)} on the line" if over else "all of them on the board before"
        text = f"{format_bytes(total)} of models, {how}"
        print_paragraph(console, "sent   ", text, style="", space=False)


def _how_long(plan: PlanRecord) -> str:
    """Return how long each run goes on; a soak as its duration says, however many calls that is."""
    took = format_seconds(plan.min_duration_s)
    fewest = f"{plan.min_iterations} iteration{'s' * (plan.min_iterations != 1)}"
    calls = "" if plan.scenario == SOAK else f"at least {fewest} and "
    return f"{calls}{took} each"


def _cores(runs: Sequence[RunResult]) -> str:
    if runs[0].plan.scenario != SINGLE_STREAM:
        return f"scenario {runs[0].plan.scenario}, each step"
    return "cores " + ", ".join(dict.fromkeys(run.plan.core_mask for run in runs))


_TITLES = {
    OFFLINE: "contexts at once",
    SERVER: "arrivals at random",
    SOAK: "one call after the other",
    INTERFERENCE: "another model at the same time",
}


def _step_lines(run: RunResult, width: int) -> list[TableLine]:
    lines = offline_lines(run, width) or server_lines(run, width) or soak_lines(run)
    return lines or interference_lines(run, width)


def _step_text(run: RunResult) -> str:
    return offline_text(run) or server_text(run) or soak_text(run) or interference_text(run)


def _print_steps(runs: Sequence[RunResult], console: Console) -> None:
    from rich.text import Text

    for run in runs:
        for index, line in enumerate(_step_lines(run, console.width)):
            if index == 0:
                title = f"{run.variant.name}: {_TITLES.get(run.plan.scenario, '')}"
                print_paragraph(console, "", title, style="bold")
            style = "bold" if line.is_chosen else "" if index else "dim"
            console.print(Text(line.text, style=style), soft_wrap=True)
        print_paragraph(console, "", _step_text(run), style="")


def _loads_text(plan: PlanRecord) -> str:
    """Return how the turns of a plan are arranged; "" for plans of the first version."""
    if not plan.loads or not plan.quads:
        return ""
    if plan.precision_percent is not None:
        return f" until differences are known to ±{plan.precision_percent:g} %"
    loads, quads = (f"{n} {noun}{'s' * (n > 1)}" for n, noun in ((plan.loads, "load"), (plan.quads, "quad")))
    return f", {loads} of {quads}"


def _print_extras(runs: Sequence[RunResult], console: Console) -> None:
    for run in runs:
        if run.load is not None and run.load.cycles is not None:
            print_paragraph(
                console, "", cycles_text(run.variant.name, run.load.cycles, mark_of(run)), style=""
            )
    for run in runs:
        if run.profile is not None:
            print_lines(console, profile_lines(run.variant.name, run.profile, mark_of(run)))
