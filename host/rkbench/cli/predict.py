"""`bench predict`: how long a model will take, before there is a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rkbench.cli import completion, options

if TYPE_CHECKING:
    from rkbench.npu.latency_model import FittedLatency


def predict(
    models: Annotated[list[Path], typer.Argument(help="Converted models; an .onnx is told what it needs.")],
    board: Annotated[
        str | None,
        typer.Option(help="A board that the files have to fit.", autocompletion=completion.boards),
    ] = None,
    what_if: Annotated[
        str, typer.Option("--what-if", help="Other conditions: clock=600MHz,cores=3,ddr=50%.")
    ] = "",
    layers: Annotated[
        str | None, typer.Option(help="How many layers to list, or all; default: 10 of a single model.")
    ] = None,
    graph: options.Graph = 0,
    json: options.JsonFile = None,
    inventory: options.Inventory = None,
) -> int:
    """Predict the latency of a .rknn from the NPU tasks in it.

    Exit 1 where nothing could be predicted of one of them.
    """
    from rkbench.inspection.latency import predict_models
    from rkbench.npu.what_if import parse_what_if
    from rkbench.views.output import check_not_read
    from rkbench.views.predict import show_predictions

    check_not_read({"--json": json}, {f"the model {path.name}": path for path in models})
    soc, fitted = _board(board, inventory) if board else (None, None)
    predicted = predict_models(models, what_if=parse_what_if(what_if), soc=soc, fitted=fitted, graph=graph)
    show_predictions(predicted, layers=layers or ("10" if len(models) == 1 else "0"), json_to=json)
    return int(any(model.error for model in predicted))


def _board(name: str, inventory: Path | None) -> tuple[str | None, FittedLatency | None]:
    """Return a board's SoC and calibration; only they need the inventory and the campaign."""
    from rkbench_agent.wire.words import VIRTUAL

    from rkbench.boards.finding import find_inventory
    from rkbench.boards.provider import Boards
    from rkbench.campaign.kept_calibrations import read_calibration

    found = Boards(find_inventory(inventory)).find(name)[0]
    return found.soc, read_calibration(found.name, simulated=found.simulated or found.runtime == VIRTUAL)
