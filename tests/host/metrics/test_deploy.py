"""What deploy/ holds is current, and passes the checks of those who will read it."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from certificates import Authority

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture
def promtool() -> str:
    """Prometheus's own checker."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return path


def test_the_committed_dashboards_are_what_the_generator_makes() -> None:
    made = runpy.run_path(str(DEPLOY / "dashboards.py"), run_name="dashboards")["render"]()
    assert set(made) == {"farm.json", "board.json", "model.json"}
    assert {path.name: path.read_text() for path in DEPLOY.glob("grafana/*.json")} == made


@pytest.mark.parametrize("name", ["farm", "board", "model"])
def test_panels_of_a_dashboard_do_not_overlap(name: str) -> None:
    panels = json.loads((DEPLOY / f"grafana/{name}.json").read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23


@pytest.mark.parametrize("commented", [True, False])
def test_promtool_accepts_the_configuration(promtool: str, tmp_path: Path, commented: bool) -> None:
    """Also with the lines that wait as comments: alerts, TLS, one tag only."""
    shutil.copytree(DEPLOY / "rules", tmp_path / "rules")
    text = (DEPLOY / "prometheus.yml").read_text()
    if not commented:
        text = re.sub(r"# (alerting|tls_config|basic_auth|scheme|- source_labels)(:)", r"\1\2", text)
        text = re.sub(r"^#(   +[-\w])|# (  (?:regex|action):)", r"\1\2", text, flags=re.MULTILINE)
        text = text.replace("/etc/prometheus/rkbench-ca.pem", "ca.pem")
        assert text.count("#") == 9
    (tmp_path / "prometheus.yml").write_text(text)
    Authority(tmp_path)
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def amtool(*words: str) -> str:
    """Run Alertmanager's own checker, and return what it says."""
    path = shutil.which("amtool")
    if path is None:
        pytest.skip("amtool is not installed (Debian: prometheus-alertmanager)")
    done = subprocess.run([path, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # where it knows an Alertmanager it warns that a file is named
    return done.stdout


def test_amtool_accepts_the_example_of_alertmanager() -> None:
    told = amtool("check-config", str(DEPLOY / "alertmanager.yml"))
    assert "SUCCESS" in told
    assert "2 inhibit rules" in told


def test_critical_alerts_are_told_at_once_and_warnings_once_a_day() -> None:
    words = ("config", "routes", "test", f"--config.file={DEPLOY / 'alertmanager.yml'}")
    severities = set(re.findall(r"severity: (\w+)", (DEPLOY / "rules/alerts.yml").read_text()))
    told = {severity: amtool(*words, f"severity={severity}").strip() for severity in severities}
    assert told == {"critical": "lab-now", "warning": "lab-daily"}


def test_every_alert_that_the_example_names_is_there() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", (DEPLOY / "rules/alerts.yml").read_text()))
    named = set(re.findall(r"Rkbench\w+", (DEPLOY / "alertmanager.yml").read_text()))
    assert named
    assert named - alerts == set()


def test_the_cases_of_the_alerts_hold(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "test", "rules", str(DEPLOY / "rules/alerts_test.yml")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    alerts = re.findall(r"- alert: (\w+)", (DEPLOY / "rules/alerts.yml").read_text())
    cases = (DEPLOY / "rules/alerts_test.yml").read_text().split("alertname: ")[1:]
    fires = {case.split()[0] for case in cases if re.search(r"exp_alerts:\n", case)}
    stays_silent = {case.split()[0] for case in cases if "exp_alerts: []" in case}
    assert len(alerts) == 16
    assert fires == stays_silent == set(alerts)


@pytest.mark.parametrize(
    "name", ["rkbench-serve.service", "rkbench-nightly.service", "rkbench-nightly.timer"]
)
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text().replace("%h/.local/bin/bench", shutil.which("true") or "/bin/true")
        (tmp_path / path.name).write_text(text)
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", "--user", str(tmp_path / name)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    assert [line for line in done.stderr.splitlines() if "rkbench" in line] == []


def test_the_board_unit_leaves_little_exposed(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    from rkbench_agent.exporter.units import unit

    path = tmp_path / "rkbench-exporter.service"
    path.write_text(unit(["/usr/bin/python3", "/a b/100%.pyz", "serve"], is_user=False, debugfs=False))
    assert 'ExecStart=/usr/bin/python3 "/a b/100%%.pyz" serve' in path.read_text()
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=35", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-300:]
