"""Writes a recorded board: the tree, the links that it has, and what each file is."""

from __future__ import annotations

from pathlib import Path

from rkbench.boards.recording.ask import Recording
from rkbench.errors import UsageError

RECORDED = "recorded on the board by bench boards record"


def beside(tree: Path) -> tuple[Path, Path]:
    """Return where the links and the sources of `tree` stand."""
    return tree.with_name(f"{tree.name}.links"), tree.with_name(f"{tree.name}.sources")


def check_target(tree: Path) -> None:
    """Raise UsageError where something of that name is there already."""
    for path in (tree, *beside(tree)):
        if path.exists():
            raise UsageError(f"{path} is there already", hint="name another folder: -o TREE")


def write_recording(recording: Recording, tree: Path) -> None:
    """Write `recording` into the folder `tree`, which must not be there, and into two files beside it.

    Links are listed, not made: some lead back to where they stand. Raises UsageError where it cannot.
    """
    try:
        _write(recording, tree)
    except OSError as error:
        raise UsageError(
            f"cannot write {error.filename or tree}: {error.strerror}", hint="name another folder: -o TREE"
        ) from error


def _write(recording: Recording, tree: Path) -> None:
    texts = {**recording.files, **dict.fromkeys(recording.nodes, "")}
    for path, text in texts.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "replace"))
    links, sources = beside(tree)
    links.write_text("".join(f"{path} -> {to}\n" for path, to in sorted(recording.links.items())))
    told = dict.fromkeys((*texts, *recording.links), RECORDED)
    told.update({path: f"{RECORDED}: {rights}" for path, rights in recording.nodes.items()})
    sources.write_text("".join(f"{path}\t{source}\n" for path, source in sorted(told.items())))
