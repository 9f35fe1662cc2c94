"""`bench boards calibrate`: a board's own coefficients for `bench predict`."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def calibrate(
    name: Annotated[
        str,
        typer.Argument(
            help="NAME, SoC, user@host[:port] or virtual[:rk3588|rk3568].", autocompletion=completion.boards
        ),
    ],
    inventory: options.Inventory = None,
    store: options.Store = None,
) -> int:
    """Fit the coefficients of `bench predict` to a board.

    Eight small models are measured there. Exit 1 where their latencies do not follow the form.
    """
    from rkbench.boards.provider import open_boards
    from rkbench.campaign.calibration import calibrate_board
    from rkbench.campaign.kept_calibrations import save_calibration
    from rkbench.session import Sessions
    from rkbench.store import open_store
    from rkbench.views.calibration import show_calibration

    boards = open_boards(inventory)
    board = boards.one(name)
    with open_store(store) as kept, Sessions(boards.hold) as sessions:
        found = calibrate_board(board, lambda: sessions.open(board), kept)
    saved = save_calibration(found.board, found.fitted, simulated=found.simulated) if found.fitted else None
    show_calibration(found, saved)
    return 0 if found.fitted else 1
