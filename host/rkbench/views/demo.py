"""Runs the demo and shows it: four variants to a virtual board, one table, one verdict, what to try next."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench_agent.wire.plan import RunSettings

from rkbench.boards.model import Board
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.demo import story
from rkbench.inspect.causes import find_causes
from rkbench.rknn import open_model
from rkbench.runs.events import Event, Listener, Measuring, Sending
from rkbench.runs.model import SCHEMA
from rkbench.runs.serialize import to_json
from rkbench.session import open_session
from rkbench.store import Store, open_store
from rkbench.variants.npz import NpzReader
from rkbench.views.output import STDOUT, check_output, write_text
from rkbench.views.push.console import make_console
from rkbench.views.push.json import PushDocument
from rkbench.views.push.progress import PlainProgress, PushProgress, make_progress

if TYPE_CHECKING:
    from rich.console import Console

BOARD = Board(name="virtual", host="virtual", soc="rk3588", runtime="virtual", simulated=True)
ONNX = "digits.onnx"
GOLDEN = "golden.npz"
#: The variants, in the order of the columns, each with the two lines of its heading.
VARIANTS = {
    "digits.fp16": ("converted", "fp16"),
    "digits.int8": ("converted", "int8"),
    "digits.regrouped.fp16": ("regrouped", "fp16"),
    "digits.regrouped.int8": ("regrouped", "int8"),
}
DURATION_S = 1.0


def tell(store: str | None = None, json_file: str | None = None, progress: PushProgress | None = None) -> int:
    """Run the demo and return the exit code. Without `store` nothing is kept.

    `json_file` gets the JSON of a push with the key `demo` added; for `-` stdout holds nothing else.
    """
    if json_file is not None:
        check_output(json_file)
    quiet = json_file == STDOUT
    console = make_console(sys.stdout)
    with as_file(files("rkbench.demo") / "data") as data:
        facts = look(data)
        if not quiet:
            _print_opening(facts, console)
        outcome = _push(data, store, progress or make_progress(sys.stderr))
        if outcome.interrupted:
            raise KeyboardInterrupt
        if not quiet:
            _print_end(outcome, facts, data, console, kept=store)
    if json_file is not None:
        write_text(json_file, json.dumps(to_json(document(outcome, facts)), indent=2, allow_nan=False) + "\n")
    return 1 if outcome.failed else 0


def look(data: Path) -> story.Facts:
    """Return what the files say before anything runs; the answer to why is inspect's."""
    first = data / f"{next(iter(VARIANTS))}.rknn"
    with open_model(first) as model:
        return story.Facts(
            onnx_name=ONNX,
            onnx_bytes=(data / ONNX).stat().st_size,
            first_name=first.name,
            first_bytes=model.file.size_bytes,
            target=model.file.target,
            because=find_causes(model).sentence,
            case_count=_case_count(data / GOLDEN),
        )


def _case_count(golden: Path) -> int:
    with NpzReader(golden) as archive:
        return next(header.shape[0] for name, header in archive.headers.items() if name.startswith("inputs/"))


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


def document(outcome: Outcome, facts: story.Facts) -> DemoDocument:
    """Return the push (schema `rkbench/1`) with the demo's own answers beside it."""
    chosen = story.choose(outcome.runs)
    told = DemoAnswers(
        onnx_size_bytes=facts.onnx_bytes,
        size_ratios={run.variant.name: run.variant.size_bytes / facts.onnx_bytes for run in outcome.runs},
        because=facts.because,
        ship=chosen.variant.name if chosen else None,
        verdict=story.verdict(outcome.runs),
    )
    return DemoDocument(SCHEMA, tuple(outcome.runs), outcome.comparison, told)


def _push(data: Path, address: str | None, progress: PushProgress) -> Outcome:
    models = tuple(data / f"{name}.rknn" for name in VARIANTS)
    options = PushOptions(models, RunSettings(min_duration_s=DURATION_S), golden=data / GOLDEN)
    with _store(address) as store, progress:
        listener = _only_steps(progress) if isinstance(progress, PlainProgress) else progress
        return run_campaign(options, BOARD, lambda: open_session(BOARD), store, listener)


@contextmanager
def _store(address: str | None) -> Iterator[Store]:
    """Yield the store at `address`, or one that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="rkbench-demo-") as folder,
        open_store(address or Path(folder) / "results.sqlite") as store,
    ):
        yield store


def _only_steps(listener: Listener) -> Listener:
    """Return a listener without percentages: in a log file they bury the story."""

    def listen(event: Event) -> None:
        if not isinstance(event, (Sending, Measuring)):
            listener(event)

    return listen


def _print_opening(facts: story.Facts, console: Console) -> None:
    console.print("The 3 MB that became 60 MB, in small\n", style="bold")
    for paragraph in story.opening(facts):
        console.print(f"{paragraph}\n")


def _print_end(outcome: Outcome, facts: story.Facts, data: Path, console: Console, kept: str | None) -> None:
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
