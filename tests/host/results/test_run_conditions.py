"""The table of conditions: what forbids to compare, in a push and in a night."""

from __future__ import annotations

from dataclasses import replace

from made_runs import make_run
from rkbench.results.conditions import is_of_other_conditions, night_refusals, refusals
from rkbench.results.model import Failure

BASE = make_run()
ALL_CORES = replace(BASE, plan=replace(BASE.plan, core_mask="all"))
OTHER_SOC = replace(BASE, board=replace(BASE.board, soc="rk3568"))
BROKEN = replace(BASE, failure=Failure("load", "crash", "died"))


def test_other_cores_forbid_in_a_night_and_not_in_a_push() -> None:
    assert refusals(BASE, ALL_CORES) == ()
    assert night_refusals(BASE, ALL_CORES) == ("core mask differs: all, baseline auto",)


def test_another_soc_forbids_in_both() -> None:
    reason = "SoC differs: rk3568, baseline rk3588"
    assert refusals(BASE, OTHER_SOC) == night_refusals(BASE, OTHER_SOC) == (reason,)


def test_an_early_end_forbids_but_is_no_other_condition() -> None:
    assert refusals(BASE, BROKEN) == ("the run ended early, in stage load",)
    assert refusals(BROKEN, BASE) == ("the baseline ended early, in stage load",)
    assert not is_of_other_conditions(BASE, BROKEN)
    assert is_of_other_conditions(BASE, OTHER_SOC)
