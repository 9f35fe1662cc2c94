"""docs/prometheus.md says what the code does."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/prometheus.md").read_text("utf-8")


def test_the_list_of_metrics_is_what_the_collectors_tell() -> None:
    updated = runpy.run_path(str(ROOT / "tools/metrics_list.py"))["updated"]
    assert updated(TEXT) == TEXT, "run: python tools/metrics_list.py"


def test_every_metric_of_alerts_and_dashboards_is_in_the_list() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    paths = [*(ROOT / "deploy/rules").glob("*.yml"), *(ROOT / "deploy/grafana").glob("*.json")]
    used = {name for path in paths for name in re.findall(r"(?<![:\w])rkbench_\w+", path.read_text("utf-8"))}
    assert {name.removesuffix("_bucket") for name in used} <= listed


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"(?:deploy|tools)/[\w./-]*\w", TEXT))
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_command_that_it_names_exists() -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = {
        " ".join(re.findall(r"^bench( boards)? ([\w-]+)", line)[0]).strip()
        for line in lines
        if line.startswith("bench ")
    }
    assert commands == {"boards add", "boards install-exporter", "serve"}
    for command in sorted(commands):
        done = subprocess.run(
            [sys.executable, "-c", "from rkbench.cli import main; main()", *command.split(), "--help"],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage: " in done.stdout
