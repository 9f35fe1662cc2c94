"""Options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion

Store = Annotated[
    str | None,
    typer.Option("--store", help="The result store (default: $RKBENCH_STORE, else your data folder)."),
]
Inventory = Annotated[
    Path | None, typer.Option("--inventory", help="The bench.toml to use; how it is found: README.md.")
]
Graph = Annotated[
    int, typer.Option("--graph", min=0, help="Which shape of a model with dynamic inputs, from 0.")
]
JsonFile = Annotated[str | None, typer.Option("--json", help="Write JSON to FILE, or - .")]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="The variant to compare with; default: the first.")
]
BoardName = Annotated[
    str,
    typer.Option(
        help="NAME, SoC, user@host[:port] or virtual[:rk3588|rk3568].", autocompletion=completion.boards
    ),
]
Runtime = Annotated[
    str | None,
    typer.Option(
        help="lite, capi, capi-zero-copy or virtual; default: the board's.",
        autocompletion=completion.runtimes,
    ),
]
Recipes = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe",
        help="How, as fp16 or fix,int8-mmse; can be repeated. --list explains them.",
        autocompletion=completion.recipes,
    ),
]
CalibrationFrom = Annotated[
    Path | None, typer.Option(help="Inputs for int8: a folder of pictures or arrays, or an .npz.")
]
RandomCalibration = Annotated[
    bool, typer.Option("--random-calibration", help="Calibrate on noise: for sizes and latencies alone.")
]
ToolkitPython = Annotated[
    Path | None, typer.Option(help="The python of an environment of yours with rknn-toolkit2.")
]
