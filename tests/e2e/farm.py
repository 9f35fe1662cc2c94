"""A farm for Prometheus: virtual boards with exporters, a store, `bench serve`, and Prometheus itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ports import free_port
from rkbench.boards.exporter.installation import install_exporter, uninstall_exporter
from rkbench.boards.inventory import add_board
from rkbench.boards.model import Board
from rkbench.boards.virtual.board import VirtualBoard

DEPLOY = Path(__file__).parents[2] / "deploy"
AGENT = Path(__file__).parents[2] / "agent"
EXPORTER = "import sys; from rkbench_agent.exporter.command import main; sys.exit(main())"
LIMIT_S = 120.0
POLL_S = 0.25


class Farm:
    """`count` virtual boards `b01`, `b02`, ... with exporters, in an inventory.

    On the first it was installed as users do; on the others it runs from the sources, which takes less.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.inventory = folder / "bench.toml"
        self.store = folder / "store"
        self._running = ExitStack()
        self.boards: dict[str, Board] = {}
        try:
            self._start(count)
        except BaseException:
            self.close()
            raise

    def _start(self, count: int) -> None:
        for number in range(1, count + 1):
            name, soc = f"b{number:02d}", "rk3588" if number % 4 else "rk3568"
            board = Board(
                *(name, "virtual"),
                simulated=True,
                soc=soc,
                tags=("lab", f"shelf {number % 2}"),
                home=self.folder / name,
                exporter_port=free_port(),
            )
            virtual = self._running.enter_context(VirtualBoard(board))
            self.boards[name] = virtual.board
            add_board(self.inventory, board)
            if number == 1:
                self._running.callback(uninstall_exporter, virtual.board)
                install_exporter(virtual.board)
            else:
                self._start_exporter(name)

    def _start_exporter(self, name: str) -> None:
        words = ["--listen", f"127.0.0.1:{self.boards[name].exporter_port}", "--cache", str(self.cache(name))]
        environment = {**os.environ, "PYTHONPATH": str(AGENT), "RKBENCH_SYS_ROOT": str(self._tree(name))}
        with (self.folder / "exporters.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", EXPORTER, "serve", *words], env=environment, stderr=log, cwd="/"
            )
        self._running.callback(process.wait)
        self._running.callback(process.terminate)

    def _tree(self, name: str) -> Path:
        return self.folder / f"{name}.{self.boards[name].soc}.tree"

    def write(self, name: str, path: str, text: str) -> None:
        """Change a file of /sys or /proc of the board `name`."""
        (self._tree(name) / path).write_text(text)

    def cache(self, name: str) -> Path:
        """Return the folder of the agents' cache on the board `name`."""
        return self.folder / name / ".cache/rkbench"

    def close(self) -> None:
        """Take the exporters off and stop the boards."""
        self._running.close()


class Serve:
    """A running `bench serve` on `port`."""

    def __init__(self, farm: Farm, port: int, *options: str) -> None:
        code = "from rkbench.cli import main; main()"
        words = ["--listen", f"127.0.0.1:{port}", "--store", str(farm.store), "--simulated"]
        command = [sys.executable, "-c", code, "serve", *words, "--inventory", str(farm.inventory), *options]
        with (farm.folder / "serve.log").open("ab") as log:
            # Nobody listens there: an alert tells of it.
            environment = {**os.environ, "LG_COORDINATOR": "127.0.0.1:9"}
            self._process = subprocess.Popen(command, stderr=log, env=environment)
        self.url = f"http://127.0.0.1:{port}"
        poll(lambda: get(self.url + "/-/healthy"))

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()


class Prometheus:
    """Debian's Prometheus with deploy/: other ports, shorter intervals, and alerts that do not wait."""

    def __init__(
        self, folder: Path, serve_port: int, edit: Callable[[str], str] = lambda config: config
    ) -> None:
        """Start it; `edit` changes the configuration."""
        config = folder / "deploy"
        shutil.copytree(DEPLOY, config, ignore=shutil.ignore_patterns("__pycache__"))
        text = (config / "prometheus.yml").read_text().replace("127.0.0.1:9955", f"127.0.0.1:{serve_port}")
        text = re.sub(r"(interval|timeout): \d+s", r"\1: 3s", text)
        (config / "prometheus.yml").write_text(edit(text))
        alerts = config / "rules/alerts.yml"
        alerts.write_text(re.sub(r"for: \d+m", "for: 0s", alerts.read_text()))
        subprocess.run(["promtool", "check", "config", str(config / "prometheus.yml")], check=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = [f"--config.file={config / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        options += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        options += ["--enable-feature=exemplar-storage"]
        with (folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(["prometheus", *options], stderr=log, stdout=log)
        poll(lambda: get(self.url + "/-/ready"))

    def targets(self) -> list[dict[str, Any]]:
        """Return the active targets."""
        found: list[dict[str, Any]] = self._api("targets?state=active")["activeTargets"]
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an instant query yields; fails where Prometheus refuses it."""
        result: list[dict[str, Any]] = self._api("query?" + urllib.parse.urlencode({"query": expression}))[
            "result"
        ]
        return result

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """Return the exemplars of the last two days."""
        until_s = time.time()
        words = {"query": expression, "start": until_s - 172800, "end": until_s}
        found: list[dict[str, Any]] = self._api("query_exemplars?" + urllib.parse.urlencode(words))
        return found

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire, each as (name, board); "" where it speaks of no board."""
        alerts = self._api("alerts")["alerts"]
        labels = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
        return {(label["alertname"], label.get("board", "")) for label in labels}

    def reload(self) -> None:
        """Read the configuration again."""
        self._process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()

    def _api(self, path: str) -> Any:
        answer = json.loads(get(f"{self.url}/api/v1/{path}"))
        assert answer["status"] == "success", answer
        return answer["data"]


def poll(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Return what `condition` yields once that is something; an OSError counts as not yet.

    Fails with the last answer after `limit_s`.
    """
    deadline = time.monotonic() + limit_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = condition()
        except OSError as error:
            last = None
            reason: object = error
        else:
            reason = last
        if last:
            return last
        time.sleep(POLL_S)
    raise AssertionError(f"not within {limit_s:g} s: {reason!r}")


def get(url: str, accept: str = "*/*") -> str:
    """Return the text of a page; raises OSError."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=30) as page:
        text: str = page.read().decode()
        return text


def metric_names(expression: str) -> Iterable[str]:
    """Return the metrics that a PromQL expression names."""
    return re.findall(
        r"\b(?:[a-z]+:)?(?:rkbench|process)_[a-z0-9_]+(?::[a-z]+)?|\bup\b|\bALERTS\b", expression
    )
