"""The record of an installed exporter is believed only as far as it may be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from rkbench_agent.exporter.install import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An exporter on a board without systemd, of which nothing is there yet."""
    (tmp_path / "cache/exporter").mkdir(parents=True)
    return Installation(tmp_path / "cache", tmp_path / "root", tmp_path / "exporter.pyz", "d")


def test_a_planted_record_has_no_file_deleted_but_the_exporters_own(
    installation: Installation, tmp_path: Path
) -> None:
    victim, own = tmp_path / "victim", tmp_path / "cache/exporter/rkbench-exporter.sh"
    victim.write_text("precious")
    own.write_text("#!/bin/sh")
    record = {"service": "script", "version": "0.1.0", "files": [str(victim), str(own)]}
    (tmp_path / "cache/exporter/installed.json").write_text(json.dumps(record))
    assert installation.uninstall() == {"was_installed": True, "version": "0.1.0"}
    assert (victim.read_text(), own.exists()) == ("precious", False)


@pytest.mark.parametrize("trap", ["pipe", "link", "nonsense", "another user's"])
def test_what_is_no_record_of_ones_own_is_none(installation: Installation, tmp_path: Path, trap: str) -> None:
    path = tmp_path / "cache/exporter/installed.json"
    if trap == "pipe":
        os.mkfifo(path)
    elif trap == "link":
        (tmp_path / "record").write_text('{"service": "script"}')
        path.symlink_to(tmp_path / "record")
    elif trap == "nonsense":
        path.write_text("[" * 100_000)
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can make a file of another user's")
        path.write_text('{"service": "script"}')
        os.chown(str(path), 4321, 4321)
    assert installation.uninstall() == {"was_installed": False, "version": None}
