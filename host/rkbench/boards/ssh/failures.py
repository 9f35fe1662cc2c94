"""What paramiko raises and what it waits for, made fit for callers: OSErrors, and limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def os_errors(*kept: type[Exception]) -> Iterator[None]:
    """Turn whatever paramiko raises into an OSError, but for what is `kept`.

    What ended its thread it raises in the caller: besides its own SSHException a bit that flipped on the line
    was seen to be cryptography's InvalidTag, an EOFError, a struct.error, a ValueError.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (OSError, *kept)):
            raise
        raise ConnectionError(str(error) or type(error).__name__) from error


@contextmanager
def limited(seconds: float, cut: Callable[[], None]) -> Iterator[None]:
    """Call `cut` where the body takes longer than `seconds`; raises TimeoutError then.

    For calls of paramiko that wait without a limit: they end with an error once their transport is closed.
    """
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        cut()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if expired.is_set():
            raise TimeoutError(f"no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
