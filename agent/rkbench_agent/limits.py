"""How long a line may be silent. Apart from the messages, whose dataclasses `put` has no use for: they
are most of what its start takes."""

from __future__ import annotations

BEAT_INTERVAL_S = 5.0
SILENCE_LIMIT_S = 15.0
