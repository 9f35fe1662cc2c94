"""The demo, shown: its opening, one table, one verdict, what to try next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.campaign import Outcome
from rkbench.demo import story
from rkbench.demo.run import GOLDEN, ONNX, VARIANTS
from rkbench.results.events import Event, Listener, Measuring, Sending
from rkbench.results.model import SCHEMA
from rkbench.results.serialize import to_json
from rkbench.views.push.json import PushDocument
from rkbench.views.push.progress import PlainProgress, PushProgress

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class DemoAnswers:
    """The story of the demo's variants, which `bench demo --json` adds."""

    onnx_size_bytes: int
    size_ratios: dict[str, float]
    """Each variant's file against the ONNX, by the variant's name."""
    because: str
    """What `bench inspect` says of the first variant."""
    ship: str | None
    """The variant to ship; None where no run was completed with its outputs compared."""
    verdict: str


@dataclass(frozen=True)
class DemoDocument(PushDocument):
    """The runs of a push and their comparison; `demo` is there where it was the demo that pushed."""

    demo: DemoAnswers | None = None


def demo_document(outcome: Outcome, facts: story.Facts) -> DemoDocument:
    """Return the push (schema `rkbench/1`) with the demo's own answers beside it."""
    chosen = story.choose(outcome.runs)
    told = DemoAnswers(
        onnx_size_bytes=facts.onnx_bytes,
        size_ratios={run.variant.name: run.variant.size_bytes / facts.onnx_bytes for run in outcome.runs},
        because=facts.because,
        ship=chosen.variant.name if chosen else None,
        verdict=story.verdict(outcome.runs),
    )
    return DemoDocument(SCHEMA, tuple(outcome.runs), outcome.comparison, demo=told)


def render_json(outcome: Outcome, facts: story.Facts) -> str:
    """Return the document as text, indented, with a newline at its end."""
    return json.dumps(to_json(demo_document(outcome, facts)), indent=2, allow_nan=False) + "\n"


def without_percentages(progress: PushProgress) -> Listener:
    """Return what listens to the push; plain lines without percentages: in a log file they bury the story."""
    if not isinstance(progress, PlainProgress):
        return progress

    def listen(event: Event) -> None:
        if not isinstance(event, (Sending, Measuring)):
            progress(event)

    return listen


def print_opening(facts: story.Facts, console: Console) -> None:
    console.print("The 3 MB that became 60 MB, in small\n", style="bold")
    for paragraph in story.opening(facts):
        console.print(f"{paragraph}\n")


def print_end(outcome: Outcome, facts: story.Facts, data: Path, console: Console, kept: str | None) -> None:
    runs, chosen = outcome.runs, story.choose(outcome.runs)
    names = [run.variant.name for run in runs]
    console.print()
    _print_table(story.table(runs, facts.onnx_bytes), names, chosen.variant.name if chosen else "", console)
    for run in runs:
        if run.failure is not None:
            text = f"{run.variant.name} failed in {run.failure.stage}: {run.failure.message}"
            console.print(f"\n{text}", style="red")
    console.print(f"\n{story.verdict(runs)}\n", style="bold")
    console.print("Try next:")
    for command, what in next_commands(data, kept):
        console.print(f"  {what}", style="dim")
        console.print(f"    {command}", soft_wrap=True)


def _print_table(
    lines: Sequence[story.StoryLine], names: Sequence[str], chosen: str, console: Console
) -> None:
    """Print the table; where the line is too short for the sources, they stand below it."""
    from rich.table import Table

    headings = [VARIANTS[name] for name in names]
    beside = story.width(lines, headings) <= console.width
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True, min_width=max(len(line.label) for line in lines))
    for name, heading in zip(names, headings, strict=True):
        style = "green" if name == chosen else ""
        table.add_column("\n".join(heading), justify="right", no_wrap=True, style=style)
    if beside:
        table.add_column("\nfrom", style="dim", no_wrap=True)
    for line in lines:
        table.add_row(line.label, *line.cells, *([line.source] if beside else []))
    console.print(table)
    if not beside:
        console.print(f"\n{story.sources(lines)}", style="dim")


def next_commands(data: Path, kept: str | None) -> tuple[tuple[str, str], ...]:
    """Return three commands that work as they stand, each with what it shows."""
    where = _short(data)
    names = list(VARIANTS)
    store = f" --store {_short(Path(kept))}" if kept else ""
    inspect = f"bench inspect {where}/{names[0]}.rknn --onnx {where}/{ONNX}"
    push = f"bench push {where}/*.rknn --board virtual --golden {where}/{GOLDEN}{store}"
    return (
        (inspect, "every byte of the file, its causes and their cure"),
        (push, "the four in full; with --board user@address on your own NPU"),
        ("bench boards add desk user@address", "your own board: shows its host key, installs nothing"),
    )


def _short(path: Path) -> str:
    """Return `path` for a shell, from where the user stands if it lies below."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
