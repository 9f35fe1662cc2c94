"""`bench serve`: the exporter of the host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import options


def serve(
    listen: Annotated[str, typer.Option(help="HOST:PORT; loopback unless you say so.")] = "127.0.0.1:9955",
    store: options.Store = None,
    inventory: options.Inventory = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Results of virtual boards too.")] = False,
    max_series: Annotated[int, typer.Option(min=1, help="At most so many series of results.")] = 50_000,
    web_config: Annotated[
        Path | None,
        typer.Option("--web-config", help="TLS, users and headers, in a file as Prometheus's own has."),
    ] = None,
) -> None:
    """Serve results (/metrics) and boards (/sd) to Prometheus."""
    from rkbench.metrics.serve import serve as run_server

    run_server(
        listen,
        store=store,
        inventory=inventory,
        simulated=simulated,
        max_series=max_series,
        web_config=web_config,
    )
