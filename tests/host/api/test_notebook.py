"""The example notebook runs as it is committed, and yields what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[3] / "docs/example.ipynb"
#: Ids of runs, and the digits of a measured time, differ every time.
_VARIES = re.compile(r"(?<=<Push )\w{6}|\d+(?:\.\d+)?")


def test_the_example_notebook_yields_what_it_shows(tmp_path: Path) -> None:
    for package in ("nbclient", "ipykernel", "pandas"):
        pytest.importorskip(package, reason=f"no {package}: pip install {package}")
    executed = tmp_path / "executed.ipynb"
    home = {name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    program = [sys.executable, Path(__file__).with_name("execute_notebook.py"), NOTEBOOK, executed]
    ended = subprocess.run(
        program, env={**os.environ, **home}, timeout=280, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    yielded, committed = (json.loads(file.read_text("utf-8"))["cells"] for file in (executed, NOTEBOOK))
    assert [texts(cell) for cell in yielded] == [texts(cell) for cell in committed]
    assert [tables(cell) for cell in yielded] == [tables(cell) for cell in committed]
    assert sum(map(len, map(texts, yielded))) == 7
    assert sum(map(tables, yielded)) == 3


def texts(cell: Any) -> list[str]:
    """Return the plain text of every output of a cell, without what varies, in single spaces."""
    found = [
        output.get("text") or output.get("data", {}).get("text/plain") for output in cell.get("outputs", ())
    ]
    return [" ".join(_VARIES.sub("…", "".join(text)).split()) for text in found]


def tables(cell: Any) -> int:
    """Return how many tables the outputs of a cell have; which doubts stand below varies with the clock."""
    shown = ["".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", ())]
    return "".join(shown).count("<table")
