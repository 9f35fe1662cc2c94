"""Makes the hand-made runs of tests/host/results importable."""

from __future__ import annotations
