"""Prometheus finds boards and scrapes results over TLS and with a password, as deploy/ says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from certificates import Authority
from farm import DEPLOY, Prometheus, poll
from ports import free_port
from rkbench.store import open_store

sys.path.insert(0, str(Path(__file__).parents[1] / "host"))

from made_runs import collected, make_run

bcrypt = pytest.importorskip("bcrypt", reason="bcrypt is not installed: pip install 'rkbench[web]'")
pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'rkbench[web]'")
pytestmark = pytest.mark.timeout(300)
CODE = "from rkbench.cli import main; main()"


def test_boards_and_results_come_by_tls_to_who_has_the_password(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    authority = Authority(tmp_path)
    authority.sign("server", ["127.0.0.1"])
    password = tmp_path / "password"
    password.write_text("open sesame")
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(10)).decode()
    text = (DEPLOY / "web-config.yml").read_text()
    web = tmp_path / "web-config.yml"
    web.write_text(re.sub(r"prometheus: \S+", f"prometheus: {hashed}", text))
    (tmp_path / "bench.toml").write_text('[boards.desk]\nhost = "127.0.0.1"\nexporter_port = 9\n')
    with open_store(tmp_path / "store") as store:
        store.save(collected(make_run()))

    def edit(config: str) -> str:
        config = re.sub(r"# ((?:scheme|tls_config|basic_auth): )", r"\1", config).replace(
            "http://", "https://"
        )
        config = config.replace("/etc/prometheus/rkbench-ca.pem", str(authority.certificate))
        return config.replace("/etc/prometheus/rkbench-password", str(password))

    port = free_port()
    words = ["--listen", f"127.0.0.1:{port}", "--web-config", str(web), "--store", str(tmp_path / "store")]
    command = [sys.executable, "-c", CODE, "serve", *words, "--inventory", str(tmp_path / "bench.toml")]
    with ExitStack() as running:
        serving = running.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        running.callback(serving.terminate)
        poll(lambda: socket.create_connection(("127.0.0.1", port)).close() or True)
        for _ in range(30):  # they stay silent all the time
            running.enter_context(socket.create_connection(("127.0.0.1", port)))
        prometheus = Prometheus(tmp_path, port, edit)
        running.callback(prometheus.close)
        (found,) = poll(lambda: prometheus.query('up{job="rkbench-results"} == 1'))
        assert found["metric"]["instance"] == f"127.0.0.1:{port}"
        assert poll(lambda: prometheus.query("rkbench_results == 1"))
        boards = poll(lambda: [target for target in prometheus.targets() if "board" in target["labels"]])
        assert [target["labels"]["board"] for target in boards] == ["desk"]
        password.write_text("close sesame")
        poll(lambda: prometheus.query('up{job="rkbench-results"} == 0'))
        (target,) = (item for item in prometheus.targets() if "board" not in item["labels"])
        assert "401 Unauthorized" in target["lastError"]
