"""What runs just now, as `bench serve` shows it: JSON, and a page that loads itself again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from html import escape
from typing import Any

from rkbench.campaign.running import read_running
from rkbench.units import format_about_seconds, printable

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width"><title>rkbench: what runs now</title>
<style>:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}
td,th{{text-align:left;padding:.3rem .8rem .3rem 0;vertical-align:top}}th{{font-weight:600}}</style></head>
<body><main><h1>What runs now</h1>
{body}</main></body></html>
"""


def running_json(address: str) -> bytes:
    """Return what runs with the store at `address`, as one JSON value."""
    document = {"schema": "rkbench-running/1", "running": read_running(address)}
    return json.dumps(document, indent=1).encode()


def running_page(address: str) -> bytes:
    """Return a page of the same, for a reader."""
    found = read_running(address)
    body = "\n".join(map(_section, found)) or "<p>Nothing runs with this store on this computer.</p>"
    return _PAGE.format(body=body).encode()


def _section(document: dict[str, Any]) -> str:
    rows = "\n".join(_rows(document.get("boards", {})))
    head = "<tr><th>board</th><th>does now</th><th>for</th><th>left</th><th>done</th></tr>"
    return f"<h2>{_text(document.get('kind'))} {_text(document.get('what'))}</h2><table>{head}{rows}</table>"


def _rows(boards: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, board in boards.items():
        if not board["doing"]:
            continue  # it is done, and others are not
        for_s = max(0.0, time.time() - float(board["since_unix_s"]))
        left = "" if board["left_s"] is None else f"about {format_about_seconds(float(board['left_s']))}"
        cells = (name, board["doing"], f"{for_s:.0f} s", left, ", ".join(board["ended"]))
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"


def _text(value: object) -> str:
    return escape(printable(str(value or "")))
