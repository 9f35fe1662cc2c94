"""What an agent says before there is a plan: the push tells it, and so does the doctor."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lies import BOARD, SETTINGS, before, connect_to
from lying_agent import json_line
from recorded import MODELS
from rkbench.campaign import PushOptions, run_campaign
from rkbench.campaign.check import check_board
from rkbench.catalogue.check import Check
from rkbench.results.events import Event, Note
from rkbench.store import open_store

LOG = {"type": "Log", "run": None, "stream": "agent", "text": "the clock was set back", "time_ns": 9}
DOUBT = {"code": "clocks_not_restored", "message": "not: governor", "advice": "reboot it", "weight": "doubt"}
TOLD = {"code": "clocks_restored", "message": "restored the clocks", "advice": "", "weight": "information"}


def said(*words: dict[str, object]) -> list[bytes]:
    return [json_line(word) for word in words]


def test_what_the_agent_logs_before_a_plan_is_told_once(tmp_path: Path) -> None:
    log = iter(said(LOG))  # once: an agent tells its environment again with the plan
    lie = before("Environment", lambda: log)
    events: list[Event] = []
    with open_store(tmp_path / "results.sqlite") as store:
        run_campaign(PushOptions(MODELS, SETTINGS), BOARD, partial(connect_to, lie), store, events.append)
    assert events.count(Note("agent: the clock was set back")) == 1


def test_the_doctor_says_what_the_agent_doubts_of_the_board() -> None:
    caveats = [{"type": "BoardCaveat", "caveat": each} for each in (DOUBT, TOLD)]
    lie = before("Environment", lambda: iter(said(*caveats)))
    found = check_board(BOARD, (), partial(connect_to, lie))
    assert found.checks[1:3] == (
        Check("clocks_not_restored", "warn", "agent", "not: governor", "reboot it"),
        Check("clocks_restored", "ok", "agent", "restored the clocks", ""),
    )
