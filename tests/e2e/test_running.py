"""`bench serve` shows a push while it runs, and no longer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from bench_command import BENCH
from rkbench.metrics.serve import make_server

INT8 = Path("host/rkbench/demo/data/digits.int8.rknn").resolve()


def test_serve_shows_a_push_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ctrl_c: None
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    behaviour = tmp_path / "behaviour.json"
    behaviour.write_text(json.dumps({"hang": [{"stage": "inference", "iteration": 50}]}))
    inventory = tmp_path / "bench.toml"
    inventory.write_text(f'[boards.desk]\nhost = "virtual"\nbehaviour = "{behaviour}"\n')
    store = str(tmp_path / "s.sqlite")
    words = ["push", str(INT8), "--board", "desk", "--inventory", str(inventory), "--store", store]
    server = make_server("127.0.0.1:0", store=store, inventory=inventory)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"

    def get(path: str) -> str:
        with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    with server, subprocess.Popen([sys.executable, "-c", BENCH, *words], env=os.environ) as push:
        end = time.monotonic() + 60
        while "digits.int8: inference" not in (page := get("/running")):
            assert time.monotonic() < end, page
            time.sleep(0.1)
        (document,) = json.loads(get("/running.json"))["running"]
        assert (document["kind"], document["what"], document["pid"]) == ("push", INT8.name, push.pid)
        assert "<td>desk</td>" in page
        push.send_signal(signal.SIGINT)
        assert push.wait(60) == 130
        assert json.loads(get("/running.json"))["running"] == []
        assert "Nothing runs with this store" in get("/running")
        server.shutdown()
