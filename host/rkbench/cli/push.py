"""`bench push`: variants to a board, and back with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rkbench.cli import completion, options
from rkbench.cli.grouped import grouped
from rkbench.cli.voice import Voice, voice_of

if TYPE_CHECKING:
    from rkbench.campaign.many_boards import ManyOutcome
    from rkbench.campaign.outcome import Outcome
    from rkbench.campaign.push import Expected, PushWhere
    from rkbench.campaign.settings import PushOptions
    from rkbench.conversion.words import ConvertWords
    from rkbench.results.events import Event


@dataclass(frozen=True)
class ScenarioOptions:
    """How inferences follow one another, and what stands beside them; settings of a run, but the golden's."""

    load_cycles: Annotated[int, typer.Option(help="Load and release so many times, to see leaks.")] = 0
    profile: Annotated[bool, typer.Option("--profile", help="Time of each layer, from a run of its own.")] = (
        False
    )
    scenario: Annotated[
        str,
        typer.Option(
            help="single_stream; offline: several at once; server: random arrivals; soak: hours.",
            autocompletion=completion.scenarios,
        ),
    ] = "single_stream"
    contexts: Annotated[str | None, typer.Option(help="offline, server: how many at once, as 1,2,3.")] = None
    placement: Annotated[
        str | None,
        typer.Option(help="Cores of the contexts, as auto,spread,all.", autocompletion=completion.placements),
    ] = None
    rate: Annotated[float | None, typer.Option(help="server: random arrivals a second.")] = None
    find_rate: Annotated[bool, typer.Option("--find-rate", help="server: find the goodput.")] = False
    slo: Annotated[str | None, typer.Option(help="server: what to keep, as 'p99 <= 30ms'.")] = None
    seed: Annotated[int | None, typer.Option(help="server: another pattern of arrivals.")] = None
    interfere_with: Annotated[Path | None, typer.Option(help="A second model at the same time.")] = None
    interleave: Annotated[
        bool,
        typer.Option(
            "--interleave/--no-interleave", help="Measure variants in turns, or one after the other."
        ),
    ] = True


@dataclass(frozen=True)
class JudgingOptions:
    """What is expected of the results."""

    noise_floor: Annotated[
        bool,
        typer.Option("--noise-floor", help="Run one model beside itself: how far do equal files lie apart?"),
    ] = False
    require: options.Require = None
    minimize: options.Minimize = None
    labels: Annotated[
        Path | None, typer.Option(help="What is true of the golden's cases: .txt, .npz, or COCO's .json.")
    ] = None
    metric: Annotated[
        str | None, typer.Option(help="Score all outputs by FILE.py:function(outputs, labels).")
    ] = None
    baseline: options.Baseline = None


@dataclass(frozen=True)
class HoldOptions:
    """How the board is held."""

    force: Annotated[bool, typer.Option(help="Send what the board cannot load, all the same.")] = False
    wait: options.Wait = None
    priority: options.Priority = 0


@dataclass(frozen=True)
class OutcomeOptions:
    """Where the outcome goes, and how it is shown."""

    json_file: options.JsonFile = None
    csv_file: Annotated[str | None, typer.Option("--csv", help="Write CSV to FILE, or - .")] = None
    html: Annotated[Path | None, typer.Option(help="Write a page of it: FILE.html.")] = None
    sort: options.Sort = ""
    jsonl: Annotated[
        str | None,
        typer.Option(help="Write what happens as it happens, a JSON value a line: FILE, or - ."),
    ] = None


@grouped
def push(
    context: typer.Context,
    models: Annotated[
        list[Path], typer.Argument(help="The .rknn files, or an .onnx; the first is the baseline.")
    ],
    board: options.BoardNames,
    measuring: options.MeasureOptions,
    scenario_words: ScenarioOptions,
    judging: JudgingOptions,
    converting: options.ConvertOptions,
    pictures: options.PictureOptions,
    holding: HoldOptions,
    places: options.PlaceOptions,
    writing: OutcomeOptions,
    golden: Annotated[Path | None, typer.Option(help="Inputs and expected outputs, .npz.")] = None,
    onnx: Annotated[Path | None, typer.Option(help="Compute the golden from this ONNX.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs for --onnx: .npz or a folder.")] = None,
    any_board: Annotated[
        bool, typer.Option("--any", help="Of the boards that --board means, take the first that is free.")
    ] = False,
) -> int:
    """Push variants to boards, run them there, and compare.

    An .onnx is converted on the way: fp16, or by each --recipe.
    """
    from rkbench.campaign.push import Expected, named_boards
    from rkbench.conversion.words import ConvertWords

    asked = asked_of(models, measuring, scenario_words, judging, holding, golden)
    words = ConvertWords(**vars(converting), **vars(pictures))
    read = {"the golden": golden, "the ONNX": onnx, "the inputs": inputs, "the labels": judging.labels}
    read |= {f"the model {model.name}": model for model in models}
    _check_outputs(writing, {**read, "the result store": Path(places.store) if places.store else None})
    expected = Expected(onnx, inputs)
    where = named_boards(board, **vars(places), wait_s=holding.wait)
    todo = _Push(asked, expected, words, where)
    if any_board or len(where.found) == 1:
        return todo.on_one(voice_of(context), writing)
    return todo.on_each(voice_of(context), writing)


@dataclass(frozen=True)
class _Push:
    """What was typed, as values."""

    asked: PushOptions
    expected: Expected
    words: ConvertWords
    where: PushWhere

    @property
    def what(self) -> str:
        """What is pushed, in words."""
        return ", ".join(model.name for model in self.asked.models)

    def on_one(self, voice: Voice, writing: OutcomeOptions) -> int:
        """Push to the first board that is free, show it, and return the exit code."""
        from rkbench.campaign.push import push_to_first
        from rkbench.campaign.running import Running
        from rkbench.views.push.stream import streamed
        from rkbench.views.running import heard_of_push

        board = self.where.found[0].name
        with (
            voice.push_progress() as progress,
            streamed(progress, writing.jsonl) as told,
            Running("push", self.what, self.where.store) as running,
        ):
            listener = heard_of_push(running, board, told.listener)
            outcome = push_to_first(
                self.where, self.asked, self.expected, listener, conversion=self.words, hear=told.hear
            )
            told.compared(outcome.comparison)
        _show(outcome, writing, told.check)
        return _ended(outcome)

    def on_each(self, voice: Voice, writing: OutcomeOptions) -> int:
        """Push to all boards at once, show them, and return the exit code."""
        from rkbench.campaign.many_boards import push_to_each
        from rkbench.campaign.running import Running
        from rkbench.views.push.stream import streamed_boards
        from rkbench.views.running import told_of_push

        with (
            voice.boards_progress() as progress,
            streamed_boards(progress, writing.jsonl) as told,
            Running("push", self.what, self.where.store) as running,
        ):

            def listen(board: str, event: Event) -> None:
                told_of_push(running, board, event)
                told.listener(board, event)

            outcome = push_to_each(
                self.where, self.asked, self.expected, listen, told.hear, conversion=self.words
            )
            told.compared(outcome.boards, outcome.across)
        _show_boards(outcome, writing, told.check)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.store_error is not None:
            raise outcome.store_error
        return outcome.exit_code


def _check_outputs(writing: OutcomeOptions, read: Mapping[str, Path | None]) -> None:
    """Raise UsageError now for what could not be written or sorted by after an hour of measuring."""
    from rkbench.views.output import check_not_read, check_outputs, typed
    from rkbench.views.push.overview import check_sort
    from rkbench.views.report.files import check_page

    targets = {"--json": writing.json_file, "--csv": writing.csv_file, "--jsonl": writing.jsonl}
    check_not_read(targets, read)
    check_outputs({**targets, "--html": typed(writing.html)})
    check_page(writing.html)
    check_sort(writing.sort)


def _show(outcome: Outcome, writing: OutcomeOptions, check_stream: Callable[[], None]) -> None:
    """Show the outcome, write the files that are asked for, and say where the stream was not written."""
    from rkbench.views.output import STDOUT, all_of
    from rkbench.views.push.show import show_push
    from rkbench.views.report.files import write_report

    all_of(
        lambda: show_push(
            outcome.runs,
            outcome.comparison,
            json_file=writing.json_file,
            csv_file=writing.csv_file,
            sort=writing.sort,
            quiet=writing.jsonl == STDOUT,
            fits_screen=True,
        ),
        lambda: write_report(outcome.collected, outcome.comparison, writing.html),
        check_stream,
    )


def _show_boards(outcome: ManyOutcome, writing: OutcomeOptions, check_stream: Callable[[], None]) -> None:
    """Do the same with what came of several boards."""
    from rkbench.views.boards_push import show_boards_push
    from rkbench.views.output import STDOUT, all_of
    from rkbench.views.report.files import write_report

    all_of(
        lambda: show_boards_push(
            outcome,
            json_file=writing.json_file,
            csv_file=writing.csv_file,
            sort=writing.sort,
            quiet=writing.jsonl == STDOUT,
        ),
        lambda: write_report(outcome.collected, outcome.comparison, writing.html),
        check_stream,
    )


def asked_of(
    models: list[Path],
    measuring: options.MeasureOptions,
    scenario: ScenarioOptions,
    judging: JudgingOptions,
    holding: HoldOptions,
    golden: Path | None,
) -> PushOptions:
    """Return what was typed as the options of a push; raises UsageError."""
    from rkbench.campaign.asking import PushWords, options_of

    words = {**vars(measuring), **vars(scenario), **vars(judging), **vars(holding)}
    return options_of(models, cast(PushWords, words), golden)


def _ended(outcome: Outcome) -> int:
    """Return the exit code of a push; raises what ended it early."""
    from rkbench.results.gating import exit_code

    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.store_error is not None:
        raise outcome.store_error
    return exit_code(outcome.runs)
