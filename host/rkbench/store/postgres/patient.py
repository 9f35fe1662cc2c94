"""Writing to a server that may be away for a while: what it does not take now waits on this computer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from rkbench.errors import StoreUnavailableError
from rkbench.store.base import Store
from rkbench.store.spooling import Spool

#: A server that did not take something is left alone for so long.
LEFT_ALONE_S = 15.0
_log = logging.getLogger("rkbench.store")


class PatientWriter:
    """Writes to the server, or keeps in `spool` what it does not take; what waits goes first.

    Writing in their order is kept: while something waits that cannot go, later things wait behind it.
    """

    def __init__(self, spool: Spool, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._spool = spool
        self._clock_s = clock_s
        self._away_until_s: float | None = None
        self._wrote = False

    def write(self, target: Store, to_server: Callable[[], None], keep: Callable[[Spool], None]) -> None:
        """Write something; raises StoreError where neither server nor this computer takes it."""
        self._wrote = True
        if self._away_until_s is None or self._clock_s() >= self._away_until_s:
            try:
                self._take_in(target)
                to_server()
                self._away_until_s = None
                return
            except StoreUnavailableError as error:
                if self._away_until_s is None:
                    _log.warning(
                        "%s\n%s\nresults wait in %s until it takes them",
                        error.message,
                        error.hint,
                        self._spool.path,
                    )
                self._away_until_s = self._clock_s() + LEFT_ALONE_S
        keep(self._spool)

    def end(self, target: Store) -> None:
        """Try once more, if something was written; say where what waits then lies."""
        if not self._wrote or not self._spool.is_waiting():
            return
        try:
            self._take_in(target)
        except StoreUnavailableError as error:
            _log.warning(
                "%s; results wait in %s: the next push or night that reaches the server takes them in",
                error.message,
                self._spool.path,
            )

    def _take_in(self, target: Store) -> None:
        if not self._spool.is_waiting():
            return
        copied = self._spool.take_in(target)
        if copied is not None:
            _log.warning("%s: %d runs that waited here are in it now", target.address, copied.runs)
