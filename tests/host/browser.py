"""A headless Chromium that a test drives by its DevTools protocol over a pipe, with the standard library.

Requests, console errors and exceptions are kept; axe-core, where it is installed, looks for faults of access.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ROOT = Path(__file__).parents[2]
#: Where `.ci/run` installs axe-core.
AXE = Path(os.environ.get("RKBENCH_CI_CACHE", _ROOT / ".ci-cache")) / "npm/node_modules/axe-core/axe.min.js"
#: An end of the pipe is read to here; whatever takes longer hangs, and pytest's timeout says so.
_PIECE_BYTES = 1 << 16


def needed() -> Path:
    """Return the script of axe-core; skips the test where it or Chromium is missing."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    if not AXE.is_file():
        folder = AXE.parents[2]
        pytest.skip(f"no axe-core: npm install --prefix {folder} axe-core")
    return AXE


@dataclass
class Browser:
    """One page of a headless Chromium."""

    read_fd: int
    write_fd: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""
    _events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return what it yields."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, (method, told["error"])
                result: dict[str, Any] = told["result"]
                return result
            self._take(told)

    def wait(self, method: str) -> dict[str, Any]:
        """Return the parameters of the next event of this name, one that came already first."""
        while True:
            for place, told in enumerate(self._events):
                if told["method"] == method:
                    del self._events[: place + 1]
                    parameters: dict[str, Any] = told["params"]
                    return parameters
            self._take(self._next())

    def _take(self, told: dict[str, Any]) -> None:
        method, parameters = told.get("method", ""), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"])[:500])
        elif method == "Log.entryAdded":
            self.errors.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(parameters["args"])[:500])
        if method:
            self._events.append(told)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self.read_fd, _PIECE_BYTES)
            assert piece, "Chromium ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        return told

    def open(self, page: str, *, width: int, dark: bool = False, height: int = 900) -> None:
        """Open a page at a width, light or dark, and wait until it is loaded."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.requests.clear()
        self.errors.clear()
        self._events.clear()
        self.call("Page.navigate", url=page)
        self.wait("Page.loadEventFired")

    def value(self, script: str) -> Any:
        """Return what an expression in the page yields, awaited."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key, as Tab (9) or Enter (13)."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        told = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def faults(self, axe: Path) -> list[str]:
        """Return what axe-core finds that is serious or critical: rule, help, and the first places."""
        self.value(axe.read_text(encoding="utf-8") + "; true")
        found = self.value("axe.run().then(found => JSON.stringify(found.violations))")
        grave = [item for item in json.loads(found) if item["impact"] in ("serious", "critical")]
        places = [[node["html"][:120] for node in item["nodes"][:3]] for item in grave]
        return [f"{item['id']}: {item['help']}: {place}" for item, place in zip(grave, places, strict=True)]

    def picture(self, file: Path) -> None:
        """Save the whole page as PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))


def _pipe() -> tuple[int, int]:
    """Return the ends of a pipe, with numbers that Chromium's own two are not."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Yield a browser with one empty page; its profile lies in `folder`."""
    assert CHROMIUM is not None
    to_browser, from_browser = _pipe(), _pipe()
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--remote-debugging-pipe", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    # Chromium reads 3 and writes 4, whatever numbers the pipes have here.
    shell = 'eval "exec 3<&$0 4>&$1"; shift; exec "$@"'
    words = ["bash", "-c", shell, str(to_browser[0]), str(from_browser[1]), *command]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            words, pass_fds=(to_browser[0], from_browser[1]), stdout=log, stderr=log, env=environment
        )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        browser = Browser(from_browser[0], to_browser[1])
        targets = browser.call("Target.getTargets")["targetInfos"]
        (page,) = [item["targetId"] for item in targets if item["type"] == "page"]
        browser.session = browser.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            browser.call(f"{domain}.enable")
        yield browser
    finally:
        os.close(to_browser[1])
        process.terminate()
        process.wait()
        os.close(from_browser[0])
