"""Execute a notebook as its readers do, and write it with what it yields: `SOURCE TARGET`.

A program of its own: nbclient leaves its sockets to the end of the process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


def main(source: str, target: str) -> None:
    notebook = nbformat.read(source, as_version=4)
    with TemporaryDirectory() as folder:
        # By sockets of this computer, whose names are short: other users of it cannot read along.
        manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel")
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=240, km=manager, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata = {}
    Path(target).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
