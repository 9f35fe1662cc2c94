"""What a result needs, made or loaded while the board is waited for."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from importlib import import_module
from sys import modules
from threading import Thread
from typing import Generic, TypeVar

Result = TypeVar("Result")
#: Its distributions make the intervals of a run: a quarter of a second that the user would wait at the end.
NEEDED = "scipy.special"
#: So long Python's end waits for work that has begun.
ENDS_WITHIN_S = 5.0


class Ahead(Generic[Result]):
    """Work that begins at once, in a thread of its own; `result` waits for its end."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        # A daemon, or Python's end would wait without a limit: a signal that meets the main thread where an
        # import begins leaves Python's import lock taken, and who imports in another thread waits for ever.
        self._thread = Thread(target=self._run, name="ahead", daemon=True)
        self._thread.start()
        atexit.register(self._thread.join, ENDS_WITHIN_S)  # it should not end in the middle of an import

    def result(self) -> Result:
        """Return what the work returned; raises what it raised."""
        self._thread.join()
        for error in self._errors:
            raise error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._errors.append(error)


def load_ahead() -> None:
    """Begin to load what is needed; whoever imports it before it is there waits for the rest alone."""
    if NEEDED not in modules:
        Ahead(lambda: import_module(NEEDED))
