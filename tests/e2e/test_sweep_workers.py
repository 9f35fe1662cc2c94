"""A sweep whose conversions run on a Dask cluster: the same variants as here, and errors that help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench_command import Done
from onnx_home import OnnxHome

pytest.importorskip("distributed", reason="the extra dask is not installed")

ASKED = ("sweep", "digits.onnx", "--board", "virtual:rk3588", "--duration", "0.1", "--random-calibration")
RECIPES = ("--recipe", "fp16", "--recipe", "int8", "--recipe", "fix,int8-mmse", "--minimize", "size")
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    resources = {name: 1 for name in sys.argv[1:]}
    with LocalCluster(
        n_workers=2, threads_per_worker=1, resources=resources, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def cluster(home: OnnxHome, *resources: str) -> Iterator[str]:
    """Run two workers whose environment is the home's; yield the address of their scheduler."""
    script = home.folder / "cluster.py"
    script.write_text(CLUSTER)
    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, str(script), *resources]
    environment = {**home.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, cwd=home.folder, **streams) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(60)


def recipes_of(done: Done) -> dict[str, tuple[Any, ...]]:
    """Return what a sweep says of its variants, by recipe."""
    fields = ("key", "size_bytes", "cosine", "simulator", "lost_by")
    return {each["recipe"]: tuple(each[name] for name in fields) for each in done.document["variants"]}


def test_a_cluster_of_two_workers_yields_the_same_variants(tmp_path: Path) -> None:
    here, there = OnnxHome(tmp_path / "here"), OnnxHome(tmp_path / "there")
    local = here.run(*ASKED, *RECIPES, "--json", "-")
    with cluster(there, "toolkit-2.5.0") as address:
        remote = there.run(*ASKED, *RECIPES, "--workers", address, "--json", "-")
    assert local.returncode == remote.returncode == 0, remote.stderr
    assert recipes_of(remote) == recipes_of(local)
    assert len(recipes_of(remote)) == 3
    assert len(there.calls) == 3
    again = there.run(*ASKED, *RECIPES, "--json", "-")  # without the cluster: what it made is here
    assert (recipes_of(again), len(there.calls), again.document["measured"]) == (recipes_of(remote), 3, 0)


def test_a_scheduler_that_does_not_answer_is_said(tmp_path: Path) -> None:
    home = OnnxHome(tmp_path)
    gone = home.run("convert", "digits.onnx", "--target", "rk3588", "--workers", "tcp://127.0.0.1:1")
    assert gone.returncode == 1
    assert "no Dask scheduler at tcp://127.0.0.1:1" in " ".join(gone.stderr.split())
