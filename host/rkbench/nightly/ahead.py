"""What the boards of a night ask for one after the other, made while they are waited for."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event as Flag

from rkbench_agent.wire.words import VIRTUAL

from rkbench.campaign.plan import runtime_of
from rkbench.campaign.prepared_once import Variants
from rkbench.errors import BenchError
from rkbench.nightly.cells import Cell


def make_ahead(variants: Variants, cells: Sequence[Cell], stop: Flag) -> None:
    """Prepare the models of `cells` in their order, and foretell what virtual boards are to show of them.

    Else fifty boards that come to the same cell at the same moment stand still until the first has done it.
    Ends early once `stop` is set; what is wrong with a model is its cell's affair.
    """
    for cell in {(each.file, each.golden, each.board.soc): each for each in cells}.values():
        if stop.is_set():
            return
        try:
            (variant,) = variants((cell.file,), golden=cell.golden, soc=cell.board.soc)
        except BenchError:
            continue
        if runtime_of(cell.plan.settings, cell.board) == VIRTUAL:
            from rkbench.variants.predicted_run import with_predicted_run  # numpy, and the model of the NPU

            with_predicted_run(variant, lambda _: None, profile=cell.plan.settings.profile)
