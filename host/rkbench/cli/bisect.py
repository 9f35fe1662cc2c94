"""`bench bisect`: the first layer of a network that is wrong on a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rkbench.cli import options
from rkbench.cli.grouped import grouped
from rkbench.cli.voice import Voice, voice_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rkbench.bisect.asked import BisectOptions, BisectOutcome

CASES = 4


@grouped
def bisect(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="The ONNX.")],
    board: options.BoardName,
    converting: options.ConvertOptions,
    pictures: options.PictureOptions,
    places: options.PlaceOptions,
    golden: Annotated[
        Path | None, typer.Option(help="Inputs to compare with onnxruntime on, .npz; default: random ones.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="How many of its cases are compared.")] = CASES,
    require: Annotated[
        list[str] | None,
        typer.Option(help="What an output must keep; default: snr >= 20dB, of integers 10dB."),
    ] = None,
    cores: options.Cores = "auto",
    runtime: options.Runtime = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for the smallest part that fails, with its inputs.")
    ] = None,
    wait: options.Wait = None,
    json_file: options.JsonFile = None,
) -> int:
    """Find the first layer that a board computes wrong.

    Of an ONNX; and it says whether the conversion, in the vendor's simulator, is wrong there too. Exit code 3
    where one is found, 0 where the network is right.
    """
    from rkbench.bisect.asked import BisectOptions
    from rkbench.bisect.run import bisect_settings
    from rkbench.conversion.words import ConvertWords
    from rkbench.views.bisect import show_bisect
    from rkbench.views.output import check_not_read, check_outputs

    check_not_read({"--json": json_file}, {"the model": model, "the golden": golden})
    check_outputs({"--json": json_file})
    words = ConvertWords(**vars(converting), **vars(pictures))
    asked = BisectOptions(model, words, bisect_settings(cores, runtime), golden, cases, save, wait)
    outcome = _bisected(asked, require or (), board, places, voice_of(context))
    show_bisect(outcome, json_file)
    return outcome.exit_code


def _bisected(
    asked: BisectOptions, required: Sequence[str], board: str, places: options.PlaceOptions, voice: Voice
) -> BisectOutcome:
    """Bisect on the board of a name, with the store that was named."""
    from rkbench.bisect.run import bisect
    from rkbench.campaign.push import refuse_several, waiting_boards
    from rkbench.store import default_address, open_store

    refuse_several(board, "a bisection goes from layer to layer by what one board computes")
    boards = waiting_boards(places.inventory, asked.wait_s)
    (first, *_) = boards.find(board)
    with open_store(places.store or default_address()) as store, voice.push_progress() as progress:
        return bisect(asked, required, first, boards.hold, store, progress)
