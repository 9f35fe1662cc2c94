"""The table of commands: one module each, registered here by name."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="bench",
    help="Benchmark RKNN models on RK3568/RK3588 boards, and explain every byte of a .rknn file.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
)


@app.callback()
def options() -> None:
    """Benchmark RKNN models on RK3568/RK3588 boards, and explain every byte of a .rknn file."""


from rkbench.cli import demo as _demo  # noqa: E402, F401 (registers its command)
from rkbench.cli import fix as _fix  # noqa: E402, F401 (registers its command)
from rkbench.cli import golden as _golden  # noqa: E402, F401 (registers its command)
from rkbench.cli import inspect as _inspect  # noqa: E402, F401 (registers its command)
from rkbench.cli import nightly as _nightly  # noqa: E402, F401 (registers its commands)
from rkbench.cli import push as _push  # noqa: E402, F401 (registers its command)
from rkbench.cli import runs as _runs  # noqa: E402, F401 (registers its commands)
from rkbench.cli import serve as _serve  # noqa: E402, F401 (registers its command)
from rkbench.cli.boards import boards_app  # noqa: E402

app.add_typer(boards_app, name="boards")
