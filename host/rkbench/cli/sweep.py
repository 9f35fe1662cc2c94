"""`bench sweep`: from one ONNX to the variant to ship."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rkbench.cli import options
from rkbench.cli.grouped import grouped
from rkbench.cli.voice import Voice, voice_of

if TYPE_CHECKING:
    from rkbench.sweep.asked import SweepOptions, SweepOutcome

DEFAULT_MINIMIZE = "p50"


@grouped
def sweep(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="The ONNX.")],
    board: options.BoardName,
    measuring: options.MeasureOptions,
    converting: options.ConvertOptions,
    pictures: options.PictureOptions,
    places: options.PlaceOptions,
    require: options.Require = None,
    minimize: options.Minimize = DEFAULT_MINIMIZE,
    golden: Annotated[
        Path | None, typer.Option(help="Inputs and expected outputs, .npz; default: of the ONNX.")
    ] = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs of that golden: .npz or a folder.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the variants; default: this one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan, and build nothing.")] = False,
    wait: options.Wait = None,
    json_file: options.JsonFile = None,
) -> int:
    """Build variants of an ONNX, measure, and name the one to ship.

    Without --recipe all that is worth trying. What was built or measured before is not again.
    """
    from rkbench.campaign.settings import settings_of
    from rkbench.conversion.words import ConvertWords
    from rkbench.results.gating import parse_minimize, parse_requirements
    from rkbench.sweep.asked import SweepOptions
    from rkbench.views.output import check_not_read, check_outputs
    from rkbench.views.sweep import show_sweep

    check_not_read({"--json": json_file}, {"the model": model, "the golden": golden, "the inputs": inputs})
    check_outputs({"--json": json_file})
    asked = SweepOptions(
        model,
        ConvertWords(**vars(converting), **vars(pictures)),
        settings_of(vars(measuring)),
        golden,
        inputs,
        parse_requirements(require or ()),
        parse_minimize(minimize),
        output or Path(),
        wait,
    )
    outcome = _swept(asked, board, places, voice_of(context), dry_run=dry_run)
    show_sweep(outcome, json_file)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return outcome.exit_code


def _swept(
    asked: SweepOptions, board: str, places: options.PlaceOptions, voice: Voice, *, dry_run: bool
) -> SweepOutcome:
    """Sweep on the board of a name, with the store that was named."""
    from rkbench.campaign.push import refuse_several, waiting_boards
    from rkbench.store import default_address, open_store
    from rkbench.sweep.run import Where, sweep

    refuse_several(board, "a sweep compares variants of one SoC with each other, on one board")
    boards = waiting_boards(places.inventory, asked.wait_s)
    found = boards.find(board)
    with open_store(places.store or default_address()) as store, voice.push_progress() as progress:
        return sweep(asked, Where(found, boards.hold, store, boards.first), progress, dry_run=dry_run)
