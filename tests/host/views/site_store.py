"""A store that a site is made of: pushes of several days and boards, a night, tags, and names that attack."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from made_runs import collected, make_latency, make_run
from rkbench.store import open_store
from rkbench.store.base import RunTag
from snapshot_nightly import NIGHT

HOSTILE = "<img src=x onerror=alert(1)>=cmd|' /C calc'!A0 \x1b[31m" + "x" * 200
START = datetime(2026, 10, 1, 6, tzinfo=timezone.utc)
VARIANTS = ("mobilenetv2.fp16", "mobilenetv2.int8", "mobilenetv2.int8-mmse", "mobilenetv2.hybrid")


def fill(address: Path, pushes: int = 30) -> None:
    """Write pushes of four variants on three boards in turn, and what else a store has."""
    with open_store(address) as store:
        for number in range(pushes):
            add_push(address, number)
        run = make_run(1, HOSTILE, push="1qmv0w0v1", started_at="2026-09-30T10:00:00.000+00:00")
        store.save(collected(replace(run, board=replace(run.board, name="<b>shelf</b>"))))
        store.save_night(NIGHT)
        for position, cell in enumerate(NIGHT.cells):
            gates = tuple({gate.gate: gate for gate in cell.gates}.values())
            store.save_cell(NIGHT, position, replace(cell, gates=gates), [])
        store.save_tags([RunTag(f"{push_id(0)}-01", "before-the-update", "driver 0.9.8", 0.0)])


def push_id(number: int) -> str:
    """Return the id of a push."""
    return f"01k{number:023d}"


def add_push(address: Path, number: int) -> None:
    """Write one push."""
    at = START + timedelta(hours=31 * number)
    with open_store(address) as store:
        for place, name in enumerate(VARIANTS[: 1 + number % len(VARIANTS)]):
            p50_s = (
                0.00226 * (1 - 0.12 * place) * (1 + 0.01 * (number * 7 % 5)) * (1.06 if number > 20 else 1)
            )
            run = make_run(
                place + 1,
                name,
                push=push_id(number),
                started_at=at.isoformat(timespec="milliseconds"),
                latency=make_latency(p50_s),
                simulated=number % 3 == 2,
                verdict="SUSPECT" if number % 11 == 10 else "VALID",
            )
            driver = "0.9.8" if number > 20 else "0.9.6"
            board = replace(run.board, name=f"rack-{number % 3}", driver_version=driver)
            store.save(collected(replace(run, board=board), round(p50_s * 1e9)))
