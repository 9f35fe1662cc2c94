"""The site of the store beside the metrics: made by a process of its own, served from the folder it writes.

A scrape waits for none of it: whoever asks for a page starts a build where the store has moved on, and is
given what the last one left.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

from rkbench.errors import BenchError
from rkbench.files import cache_folder
from rkbench.store import open_store
from rkbench.store.base import Mark
from rkbench.units import printable_lines

#: A build begins so long after the last one ended, at the soonest: a browser asks for several files a page.
REST_S = 20.0
#: A new run shows at once; what else changes, as a tag, with the first build after so long.
OLD_S = 600.0
_NAME = re.compile(r"(?:[a-z0-9]+/)?[a-z0-9][a-z0-9-]*\.(?:html|css|js)")
_PROGRAM = "import os; os.nice(5); from rkbench.cli import main; main()"
_HTML = "text/html; charset=utf-8"
_WAIT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>rkbench</title>
{refresh}<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark; font: 16px/1.5 sans-serif; }} body {{ margin: 3em; }}</style></head>
<body><h1>{head}</h1><p>{told}</p><p><a href="/metrics">/metrics</a> <a href="/sd">/sd</a></p></body></html>
"""
Answer = tuple[str, str, bytes]


class ServedSite:
    """The site of the store at `address`, in `folder`."""

    def __init__(
        self, address: str, folder: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        name = hashlib.sha256(str(Path(address).absolute() if "://" not in address else address).encode())
        self._address = address
        self._folder = folder or cache_folder("site") / name.hexdigest()[:16]
        self._clock = clock
        self._lock = threading.Lock()
        self._shown: Mark | None = None
        self._building = False
        self._ended_s: float | None = None
        self._built_s: float | None = None
        self._problem = ""

    def answer(self, path: str) -> Answer | None:
        """Return the page at a path; None where there is none of this name."""
        name = path.lstrip("/") or "index.html"
        if not _NAME.fullmatch(name):
            return None
        self._refresh()
        try:
            body = (self._folder / name).read_bytes()
        except OSError:
            return self._not_yet() if name == "index.html" else None
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return "200 OK", f"{kind}; charset=utf-8", body

    def _not_yet(self) -> Answer:
        """Return what is told while there is no site: that it is being made, or why not."""
        problem = self._problem
        told = problem or "The site of the store is being made; this page asks again by itself."
        head = "No site" if problem else "One moment"
        refresh = '<meta http-equiv="refresh" content="2">'
        text = _WAIT.format(refresh=refresh, head=head, told=escape(printable_lines(told)))
        return "503 Service Unavailable", _HTML, text.encode()

    def _refresh(self) -> None:
        """Start a build where the store has moved on since the last, none is running, and it has rested."""
        with self._lock:
            now_s = self._clock()
            if self._building or (self._ended_s is not None and now_s - self._ended_s < REST_S):
                return
            self._building = True
        threading.Thread(target=self._build, name="site", daemon=True).start()

    def _build(self) -> None:
        try:
            with open_store(self._address, create=False) as store:
                mark = store.mark()
            fresh = self._built_s is not None and self._clock() - self._built_s < OLD_S
            if mark == self._shown and fresh:
                return
            ended = subprocess.run(
                [sys.executable, "-c", _PROGRAM, "report", "--site", str(self._folder)],
                # Not as a word: everybody on this computer sees those, and a URL may hold a password.
                env={**os.environ, "RKBENCH_STORE": self._address},
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            self._built_s = self._clock()
            self._problem = "" if ended.returncode == 0 else ended.stderr.strip() or "it ended without a word"
            self._shown = mark if ended.returncode == 0 else None
        except (BenchError, OSError) as error:
            self._problem = str(error)
        finally:
            with self._lock:
                self._building, self._ended_s = False, self._clock()
