"""`bench inspect` without typer, for the plain forms of its command line.

typer takes 50 ms to be imported, and pydantic, which it needs to read a parameter's value, 70 ms more: before
a byte of the file is read, longer than the whole inspection. A newer typer or a lazy group does not help, for
both are needed once a command is typed. Whatever is unusual here (help, a wrong option, a missing value) is
left to typer, which explains it; a test holds the two to the same arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

VALUES = (
    *("--onnx", "--target", "--dtype", "--diff", "--json", "--html", "--layers", "--causes", "--tasks"),
    "--lang",
)
FLAGS = ("--myths",)


def with_all_tasks(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a `--tasks` that names no layer as `--tasks all`, which typer can read."""
    following = [*arguments, "-"][1:]
    whole: list[str] = []
    for argument, after in zip(arguments, following, strict=True):
        whole += ["--tasks", "all"] if argument == "--tasks" and after.startswith("-") else [argument]
    return whole


def inspect_arguments(arguments: Sequence[str]) -> dict[str, str] | None:
    """Return the arguments of `bench inspect` by name, or None where typer has to look at them."""
    if not arguments or arguments[0] != "inspect":
        return None
    found: dict[str, str] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument in FLAGS:
            found[argument[2:]] = "yes"
        elif name in VALUES:
            given = value if equals else next(rest, None)
            if given is None or (given.startswith("-") and given != "-"):
                return None
            found[name[2:]] = given
        elif argument.startswith("-") or "model" in found:
            return None
        else:
            found["model"] = argument
    return found if "model" in found else None


def inspect_plain(arguments: dict[str, str]) -> None:
    """Inspect as `rkbench.cli.inspect` does."""
    from rkbench.inspection.inspect_file import Request, inspect_file
    from rkbench.language.choice import ask
    from rkbench.views.inspect.show import show_inspection

    if "lang" in arguments:
        ask(arguments["lang"])
    onnx, diff = arguments.get("onnx"), arguments.get("diff")
    json, html = arguments.get("json"), arguments.get("html")
    request = Request(
        model=Path(arguments["model"]),
        onnx=Path(onnx) if onnx is not None else None,
        target=arguments["target"].lower() if "target" in arguments else None,
        dtype=arguments.get("dtype"),
        other=Path(diff) if diff is not None else None,
        digest=bool(json or html),
        npu=bool(json or html),
        tasks=arguments.get("tasks"),
    )
    layers, myths = arguments.get("layers", "10"), "myths" in arguments
    show_inspection(
        inspect_file(request),
        json_to=json,
        html_to=html,
        layers=layers,
        causes=arguments.get("causes", "notable"),
        myths=myths,
        read=request.files,
    )
