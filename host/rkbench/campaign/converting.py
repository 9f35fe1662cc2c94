"""`bench push MODEL.onnx`: what is no .rknn yet is converted on the way, for the SoC of the board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench.boards.model import Board
from rkbench.campaign.settings import PushOptions
from rkbench.conversion.build import Built
from rkbench.conversion.draft import Draft
from rkbench.conversion.plan import AskedConversions, Conversion
from rkbench.conversion.typed import asked_of, converted
from rkbench.conversion.words import ConvertWords, is_onnx
from rkbench.errors import ConversionError, UsageError
from rkbench.results.events import Doing, Listener, Note
from rkbench.rknn.targets import TARGETS
from rkbench.units import format_bytes


def with_conversions(
    options: PushOptions, words: ConvertWords, board: Board, listener: Listener
) -> PushOptions:
    """Return `options` with an .rknn for each recipe in the place of every ONNX.

    They stand beside the ONNX, each with its record; the listener is told. Raises UsageError where nobody
    knows for which SoC, and ConversionError for the first that fails.
    """
    target = target_of(board)
    models: list[Path] = []
    for model in options.models:
        if is_onnx(model):
            models += _converted(asked_of(model, target, words, options.golden), words, listener)
        else:
            models.append(model)
    return replace(options, models=tuple(models))


def target_of(board: Board) -> str:
    """Return what the converter calls the SoC of a board; raises UsageError where nobody knows it."""
    name = (board.soc or "").removesuffix("s")  # rk3588s: the same NPU
    if name in TARGETS:
        return name
    raise UsageError(
        f"{board.name}: for which SoC shall be converted?",
        hint="give its soc in bench.toml (bench boards add), or convert first: bench convert --target",
    )


def _converted(asked: AskedConversions, words: ConvertWords, listener: Listener) -> list[Path]:
    def tell(draft: Draft, made: Conversion | None) -> None:
        text = f"{asked.onnx.name}: {told(draft, made)}"
        listener(Note(text))
        listener(Doing(text if made is None else f"{asked.onnx.name}: converting"))

    if not words.recipe:
        listener(Note(f"{asked.onnx.name} is converted with recipe {', '.join(asked.recipes)}: no --recipe"))
    outcome = converted(asked, asked.onnx.parent, tell, words.jobs)
    for left in outcome.left_out:
        listener(Note(f"left out: {left.draft.name}: {left.reason}"))
    if outcome.failed:
        raise outcome.failed[0].error
    if not outcome.delivered:
        raise ConversionError(
            f"{asked.onnx.name}: nothing to push", hint="bench convert --list explains recipes"
        )
    return [each.path for each in outcome.delivered]


def told(draft: Draft, made: Conversion | None) -> str:
    """Return what is said of a conversion that begins (None) or has ended."""
    if made is None:
        return f"{draft.name}: converting for {draft.target} with rknn-toolkit2 {draft.toolkit}"
    if not isinstance(made, Built):
        return f"{draft.name}: failed"
    before = "" if made.fresh else ", converted before"
    return f"{draft.name}: {format_bytes(made.record.size_bytes)}{before}"
