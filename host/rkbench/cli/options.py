"""Options that several commands share, each written once; those that go together are a group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion
from rkbench.conversion.words import ConvertWords


def _warn_of_password(address: str | None) -> str | None:
    """Return the address as it was typed; everybody on this computer can read what is typed."""
    if address is not None and "://" in address:
        from rkbench.store.addresses import has_password  # results and all that they import

        if has_password(address):
            typer.echo(
                "bench: the password in --store stands in the list of processes; leave it to ~/.pgpass,"
                " $PGPASSWORD or ?passfile=FILE",
                err=True,
            )
    return address


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="The result store (default: $RKBENCH_STORE, else your data folder).",
        callback=_warn_of_password,
    ),
]
Inventory = Annotated[
    Path | None, typer.Option("--inventory", help="The bench.toml to use; how it is found: README.md.")
]
Priority = Annotated[
    int,
    typer.Option("--priority", min=-99, max=99, help="Of those who wait for a board the highest is next."),
]
Wait = Annotated[
    float | None,
    typer.Option("--wait", help="Seconds to wait for a board in use; default: 0, for a labgrid place 600."),
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
BoardNames = Annotated[
    str,
    typer.Option(
        "--board",
        help="NAME, SoC or tag, several with commas: each board that fits; user@host[:port], virtual[:SOC].",
        autocompletion=completion.boards,
    ),
]
Sort = Annotated[
    str,
    typer.Option("--sort", help="Sort five variants or more by it, as p50.", autocompletion=completion.gates),
]
Runtime = Annotated[
    str | None,
    typer.Option(
        help="lite, capi, capi-zero-copy or virtual; default: the board's.",
        autocompletion=completion.runtimes,
    ),
]
Cores = Annotated[
    str,
    typer.Option(
        help="auto, 0, 1, 2, 0-1, all, or sweep: one run each.", autocompletion=completion.core_masks
    ),
]
Recipes = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe",
        help="How to convert, as fp16 or fix,int8-mmse; can be repeated (bench convert --list).",
        autocompletion=completion.recipes,
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(help="What every run must keep, as 'cosine[scores] >= 0.999'; else exit 3."),
]
Minimize = Annotated[
    str | None,
    typer.Option(
        help="Rank variants that keep it by what is to be small, as p99.",
        autocompletion=completion.minimized,
    ),
]


@dataclass(frozen=True)
class PlaceOptions:
    """Where results go, and where boards are found."""

    store: Store = None
    inventory: Inventory = None


@dataclass(frozen=True)
class PictureOptions:
    """What a picture becomes as an input."""

    mean: Annotated[str | None, typer.Option(help="Pictures: taken from each pixel (0 to 255), ...")] = None
    std: Annotated[str | None, typer.Option(help="... which is divided by that; or a value a channel.")] = (
        None
    )
    fit: Annotated[
        str, typer.Option(help="Pictures of another size: exact (refused), letterbox, crop or stretch.")
    ] = ConvertWords.fit
    bgr: Annotated[bool, typer.Option("--bgr", help="Pictures: blue first, as OpenCV reads them.")] = False


@dataclass(frozen=True)
class ConvertOptions:
    """How an ONNX is converted, but for pictures; their words and these are `ConvertWords`."""

    recipe: Recipes = None
    calibration: Annotated[
        Path | None, typer.Option(help="Inputs for int8: a folder of pictures or arrays, or an .npz.")
    ] = None
    random_calibration: Annotated[
        bool, typer.Option("--random-calibration", help="Calibrate on noise: for sizes and latencies alone.")
    ] = False
    input_shape: Annotated[
        list[str] | None, typer.Option("--input-shape", help="Of an open input, as images=1x3x320x320.")
    ] = None
    toolkit_python: Annotated[
        Path | None, typer.Option(help="The python of an environment of yours with rknn-toolkit2.")
    ] = None
    workers: Annotated[
        str | None, typer.Option(help="A Dask scheduler whose workers convert, as tcp://HOST:8786.")
    ] = None
    jobs: Annotated[
        int | None, typer.Option(min=1, help="So many conversions at once; default: one a CPU core.")
    ] = None
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that one conversion may take.")] = (
        ConvertWords.time_limit
    )
    memory_limit: Annotated[
        float, typer.Option(min=0.1, help="GB of memory that one conversion may take.")
    ] = ConvertWords.memory_limit


@dataclass(frozen=True)
class MeasureOptions:
    """How runs are measured; fields are settings of a run by the words that people write."""

    runtime: Runtime = None
    cores: Cores = "auto"
    pin: Annotated[
        bool, typer.Option("--pin", help="Hold NPU, CPU and DDR clocks still (--pin 600MHz: NPU).")
    ] = False
    npu_clock: Annotated[str | None, typer.Option(help="Pin the NPU at this clock, as 600MHz.")] = None
    cool_below: Annotated[float | None, typer.Option(help="Wait until the board is below so many °C.")] = None
    cool_limit: Annotated[float, typer.Option(help="... for so many seconds at most.")] = 300.0
    iterations: Annotated[int, typer.Option(help="At least so many timed iterations ...")] = 100
    duration: Annotated[str, typer.Option(help="... and so many seconds of them, or 10min, 2h.")] = "2"
    loads: Annotated[
        int | None, typer.Option(help="Load all variants so many times; default: 7, more for many.")
    ] = None
    quads: Annotated[int | None, typer.Option(help="Rounds A B B A of each load; default: 2.")] = None
    effect: Annotated[float, typer.Option(help="What differs by less, in %, is no difference.")] = 2.0
    precision: Annotated[
        float | None, typer.Option(help="Go on until differences are known to so many % to either side ...")
    ] = None
    max_duration: Annotated[
        str, typer.Option("--max-duration", help="... or a variant was timed for 60, or 10min; 0: no limit.")
    ] = "0"
    load_timeout: Annotated[float, typer.Option(help="Give up on a load after so many seconds ...")] = 120.0
    inference_timeout: Annotated[float, typer.Option(help="... on an inference after so many.")] = 30.0
    quick: Annotated[bool, typer.Option("--quick", help="One load alone, of 12 quads.")] = False
    warmup: Annotated[int, typer.Option(help="Iterations that are not timed.")] = 5
