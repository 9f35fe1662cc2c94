"""`bench predict`: how long a model will take, before there is a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options


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
    json: options.JsonFile = None,
    inventory: options.Inventory = None,
) -> int:
    """Predict the latency of a .rknn from the NPU tasks in it.

    Exit 1 where nothing could be predicted of one of them.
    """
    from rkbench.boards.inventory import find_inventory
    from rkbench.boards.provider import Boards
    from rkbench.campaign.kept_calibrations import read_calibration
    from rkbench.inspect.latency import predict_models
    from rkbench.npu.what_if import parse_what_if
    from rkbench.views.predict import show_predictions

    found = Boards(find_inventory(inventory)).find(board)[0] if board else None
    fitted = read_calibration(found.name) if found else None
    soc = found.soc if found else None
    predicted = predict_models(models, what_if=parse_what_if(what_if), soc=soc, fitted=fitted)
    show_predictions(predicted, layers=layers or ("10" if len(models) == 1 else "0"), json_to=json)
    return int(any(model.error for model in predicted))
