"""The host of a night is killed: the next one goes on where it was."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from killed_night import Hosts, Steps, run_in_steps
from night_lab import MODELS, NightLab
from rkbench.nightly.accept import accept_night
from rkbench.store import open_store

MOMENTS = 10
PAIRED_MOMENTS = 4
pytestmark = pytest.mark.xdist_group("killed nights")  # they share a process and the count of the steps


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    running = Hosts()
    yield running
    running.close()


@pytest.fixture(scope="module")
def step_count(tmp_path_factory: pytest.TempPathFactory) -> int:
    """So many steps a whole night has."""
    steps = Steps()
    assert run_in_steps(NightLab(tmp_path_factory.mktemp("whole")), steps).exit_code == 1
    assert steps.count > 10 * MOMENTS
    return steps.count


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_host_killed_twice_at_any_moment_goes_on_where_it_was(
    hosts: Hosts, step_count: int, tmp_path: Path, moment: int
) -> None:
    """The second time, in what is left of the night: half of it, or its very end."""
    lab = NightLab(tmp_path)
    last = 1 + (step_count - 1) * moment // MOMENTS
    assert hosts.run(lab, last) == signal.SIGKILL
    assert hosts.run(lab, max(1, (step_count - last) // 2)) == signal.SIGKILL
    assert run_in_steps(lab, Steps()).exit_code == 1
    lab.assert_nothing_lost_or_doubled()
    assert lab.rows("SELECT count(*) FROM nights WHERE ended_unix_s IS NULL") == [(0,)]


def paired_lab(folder: Path) -> NightLab:
    """Return a lab whose next night measures every model beside that of its baseline."""
    lab = NightLab(folder)
    lab.own_models()
    assert run_in_steps(lab, Steps()).exit_code == 1
    with open_store(lab.store) as store:
        accept_night(store, "last", "")
    lab.change(*MODELS)
    return lab


@pytest.fixture(scope="module")
def paired_step_count(tmp_path_factory: pytest.TempPathFactory) -> int:
    """So many steps a whole paired night has."""
    steps = Steps()
    assert run_in_steps(paired_lab(tmp_path_factory.mktemp("paired")), steps).exit_code == 0
    return steps.count


@pytest.mark.parametrize("moment", range(PAIRED_MOMENTS))
def test_a_paired_night_that_is_killed_twice_loses_and_doubles_no_run_of_either_model(
    hosts: Hosts, paired_step_count: int, tmp_path: Path, moment: int
) -> None:
    lab = paired_lab(tmp_path)
    last = 1 + (paired_step_count - 1) * moment // PAIRED_MOMENTS
    assert hosts.run(lab, last) == signal.SIGKILL
    assert hosts.run(lab, max(1, (paired_step_count - last) // 2)) == signal.SIGKILL
    night = run_in_steps(lab, Steps())
    assert {(cell.compared, len(cell.runs), len(cell.beside)) for cell in night.cells} == {("paired", 2, 1)}
    assert night.exit_code == 0
    lab.assert_nothing_lost_or_doubled()
    assert lab.rows("SELECT count(*) FROM nights WHERE ended_unix_s IS NULL") == [(0,)]
