"""`bench convert`: one ONNX into the variants worth trying."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rkbench.cli import completion, options
from rkbench.cli.options import CalibrationFrom, RandomCalibration, Recipes, ToolkitPython
from rkbench.cli.voice import voice_of

Mean = Annotated[str | None, typer.Option(help="Pictures: taken from each pixel (0 to 255), ...")]
Std = Annotated[str | None, typer.Option(help="... which is divided by that; or a value a channel.")]
Fit = Annotated[
    str, typer.Option(help="Pictures of another size: exact (refused), letterbox, crop or stretch.")
]
Bgr = Annotated[bool, typer.Option("--bgr", help="Pictures: blue first, as OpenCV reads them.")]
InputShapes = Annotated[
    list[str] | None, typer.Option("--input-shape", help="Of an open input, as images=1x3x320x320.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="So many at once; default: one a CPU core.")]
TimeLimit = Annotated[float, typer.Option(min=1, help="Seconds that one conversion may take.")]
MemoryLimit = Annotated[float, typer.Option(min=0.1, help="GB of memory that one conversion may take.")]


def convert(
    context: typer.Context,
    model: Annotated[Path | None, typer.Argument(help="The ONNX.")] = None,
    target: Annotated[
        str | None,
        typer.Option(help="The SoC, such as rk3588.", autocompletion=completion.targets),
    ] = None,
    recipe: Recipes = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the results; default: this one.")
    ] = None,
    calibration: CalibrationFrom = None,
    random_calibration: RandomCalibration = False,
    mean: Mean = None,
    std: Std = None,
    fit: Fit = "exact",
    bgr: Bgr = False,
    golden: Annotated[
        Path | None, typer.Option(help="Keep what the vendor's simulator makes of its inputs, too.")
    ] = None,
    input_shape: InputShapes = None,
    toolkit_python: ToolkitPython = None,
    jobs: Jobs = None,
    time_limit: TimeLimit = 1800.0,
    memory_limit: MemoryLimit = 8.0,
    shows_list: Annotated[bool, typer.Option("--list", help="Explain every recipe.")] = False,
    json_file: options.JsonFile = None,
) -> int:
    """Convert an ONNX, one .rknn for each recipe.

    The vendor's toolkit makes them. Each has a .json beside it that says how it was made; what was converted
    before is not converted again.
    """
    return _convert(context, dict(locals()))


def _convert(context: typer.Context, given: dict[str, Any]) -> int:
    """Convert as the parameters of `convert` say; returns the exit code."""
    from rkbench.conversion.recipes import ALL
    from rkbench.conversion.typed import DEFAULT_RECIPES, ConvertWords, asked_of, converted
    from rkbench.toolkit.jobs import Limits
    from rkbench.variants.pictures import FILL, preparation
    from rkbench.views.convert import show_conversions, show_recipes
    from rkbench.views.output import check_outputs

    if given["shows_list"]:
        show_recipes(ALL)
        return 0
    check_outputs({"--json": given["json_file"]})
    words = ConvertWords(
        given["model"],
        given["target"],
        tuple(given["recipe"] or DEFAULT_RECIPES),
        given["calibration"],
        given["random_calibration"],
        preparation(given["mean"], given["std"], given["fit"], given["bgr"], FILL),
        given["golden"],
        tuple(given["input_shape"] or ()),
        given["toolkit_python"],
        Limits(given["time_limit"], int(given["memory_limit"] * 1e9)),
    )
    asked = asked_of(words)
    with voice_of(context).convert_progress() as progress:
        outcome = converted(asked, given["output"] or Path(), progress, given["jobs"])
    show_conversions(outcome, given["json_file"])
    return outcome.exit_code
