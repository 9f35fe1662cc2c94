"""Progress for --quiet: it listens and says nothing."""

from __future__ import annotations


class Silence:
    """Takes the events of a push or a night, and shows none."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave; nothing was begun."""

    def __call__(self, event: object, more: object = None) -> None:
        """Show nothing of one event."""
