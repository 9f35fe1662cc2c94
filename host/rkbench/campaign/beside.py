"""The second model of the scenario `interference`: prepared beside the variants, and noted in their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rkbench.boards.model import Board
from rkbench.campaign.interfaces import Prepare
from rkbench.campaign.settings import PushOptions
from rkbench.errors import GoldenError
from rkbench.results.events import Listener, Note
from rkbench.results.model import RunResult
from rkbench.variants.variant import PreparedVariant


def prepare_other(
    options: PushOptions,
    board: Board,
    variants: Sequence[PreparedVariant],
    prepare: Prepare,
    listener: Listener,
) -> tuple[PreparedVariant, ...]:
    """Return the second model of a push, under a name of its own; empty where there is none.

    It has the golden of the variants where that fits it. Raises UsageError or ModelError as they do.
    """
    if options.other is None:
        return ()
    found = _prepare(options, board, prepare, listener)
    if found.description.name in [variant.description.name for variant in variants]:
        named = f"{found.description.name} (other)"
        found = replace(found, description=replace(found.description, name=named))
    return (found,)


def _prepare(options: PushOptions, board: Board, prepare: Prepare, listener: Listener) -> PreparedVariant:
    assert options.other is not None
    paths = (options.other,)
    if options.golden is not None:
        try:
            return prepare(paths, golden=options.golden, soc=board.soc, force=options.force)[0]
        except GoldenError:
            text = f"{options.golden.name} does not fit {options.other.name}, which is fed noise instead"
            listener(Note(f"golden: {text}; its outputs are held against those of calls alone"))
    return prepare(paths, soc=board.soc, force=options.force)[0]


def beside(headers: Sequence[RunResult], other: Sequence[PreparedVariant]) -> list[RunResult]:
    """Return the headers of runs with the second model that they have beside them, if there is one."""
    noted = list(headers)
    for found in other:
        named, digest = found.description.name, found.model.sha256
        noted = [
            replace(header, plan=replace(header.plan, other=named, other_sha256=digest)) for header in noted
        ]
    return noted
