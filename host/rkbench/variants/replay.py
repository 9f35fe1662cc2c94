"""Replays: what the vendor's simulator returned for a variant, kept beside it. Imports no numpy."""

from __future__ import annotations

from pathlib import Path


def find_replay(model: Path) -> Path | None:
    """Return the replay beside a model (`MODEL.replay.npz`: recorded outputs), or None."""
    beside = model.with_suffix(".replay.npz")
    return beside if beside.is_file() else None
