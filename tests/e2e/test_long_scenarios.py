"""A step that says nothing for longer than the host takes for death: the line lives on beats."""

from __future__ import annotations

import json
from pathlib import Path
from pipes import PipeBoard

import pytest
from rkbench.boards.model import Board
from rkbench.campaign import PushOptions, run_campaign
from rkbench.store import open_store
from rkbench_agent.wire.plan import RunSettings
from test_push import INT8, TREE

#: The host's: more than two of them pass while the worker hangs, and the agent beats ten times in each.
SILENCE_LIMIT_S, BEAT_INTERVAL_S, HANG_LIMIT_S = 1.0, 0.1, 2.5


@pytest.mark.parametrize("scenario", ["offline", "interference"])
def test_a_step_that_is_silent_for_long_is_no_broken_line(
    scenario: str, pipe_board: PipeBoard, tmp_path: Path
) -> None:
    """The worker hangs, so nothing but beats is said until the agent ends it: a line without them broke."""
    behaviour = tmp_path / "behaviour.json"
    behaviour.write_text(json.dumps({"hang": [{"stage": "inference", "iteration": 5}]}))
    pipe_board.environment.update(
        RKBENCH_SYS_ROOT=str(TREE),
        RKBENCH_VIRTUAL_BEHAVIOUR=str(behaviour),
        RKBENCH_BEAT_INTERVAL_S=str(BEAT_INTERVAL_S),
    )
    settings = RunSettings(
        scenario=scenario, runtime="virtual", inference_timeout_s=HANG_LIMIT_S, placements=["auto"]
    )
    other = INT8 if scenario == "interference" else None
    board = Board("pipe", "pipe", runtime="virtual")
    with open_store(tmp_path / "store") as store:
        limits = {"silence_limit_s": SILENCE_LIMIT_S, "beat_interval_s": BEAT_INTERVAL_S}
        outcome = run_campaign(
            PushOptions((INT8,), settings, other=other), board, lambda: pipe_board.session(**limits), store
        )
    (run,) = outcome.runs
    assert run.failure is not None
    assert (run.failure.stage, run.failure.reason) == ("inference", "hang")
