"""Events of a push and of a night, in the words that `bench serve` shows of what runs."""

from __future__ import annotations

from rkbench.campaign.running import Running
from rkbench.results.events import Ended, Event, Listener, Outlook
from rkbench.results.night import CellBegun, CellEnded, NightEvent, NightListener
from rkbench.views.push.progress_words import activity_of


def told_of_push(running: Running, board: str, event: Event) -> None:
    """Tell `running` of an event of a push on `board`."""
    left_s = event.left_s if isinstance(event, Outlook) else None
    ended = event.run.variant.name if isinstance(event, Ended) else ""
    running.tell(board, activity_of(event), left_s, ended)


def heard_of_push(running: Running, board: str, listener: Listener) -> Listener:
    """Return `listener`, with `running` told of everything too."""

    def both(event: Event) -> None:
        told_of_push(running, board, event)
        listener(event)

    return both


def heard_of_night(running: Running, listener: NightListener) -> NightListener:
    """Return `listener`, with `running` told of cells that begin and end."""

    def both(event: NightEvent) -> None:
        if isinstance(event, CellBegun):
            running.tell(event.board, f"{event.variant} ({event.plan})")
        elif isinstance(event, CellEnded):
            running.tell(event.cell.board, "between two cells", event.left_s, event.cell.variant)
        listener(event)

    return both
