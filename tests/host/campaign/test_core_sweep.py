"""Which masks a push runs: one, or those of the SoC, and what is said where there is nothing to sweep."""

from __future__ import annotations

import pytest
from rkbench.campaign.core_sweep import core_masks
from rkbench.campaign.settings import SWEEP
from rkbench.results.events import Event, Note
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings

SAID = "--cores sweep: {}, so there is only auto to run"


@pytest.mark.parametrize(
    ("soc", "masks", "said"),
    [
        ("rk3588", ("auto", "0", "1", "2", "0-1", "all"), None),
        ("rk3576", ("auto", "0", "1", "all"), None),
        ("rk3568", ("auto",), "rk3568 has one NPU core"),
        ("rk9999", ("auto",), "this SoC is not known"),
        (None, ("auto",), "this SoC is not known"),
    ],
)
def test_a_sweep_runs_each_mask_once(soc: str | None, masks: tuple[str, ...], said: str | None) -> None:
    told: list[Event] = []
    environment = Environment(soc=soc)
    assert core_masks(RunSettings(core_mask=SWEEP), environment, told.append) == masks
    assert told == ([Note(SAID.format(said))] if said else [])


def test_a_sweep_leaves_out_the_core_that_a_board_has_not() -> None:
    environment = Environment(soc="rk3588", chip="rk3582", npu_cores=2)
    assert core_masks(RunSettings(core_mask=SWEEP), environment, lambda _: None) == ("auto", "0", "1", "all")
