"""What is said on the line to an agent comes along in the log: its words at -v, every message at -vv."""

from __future__ import annotations

import logging

import pytest
from rkbench.boards.agent.log import log_received, log_sent, log_stderr
from rkbench_agent.wire.messages import Beat, Hello, Locked, Log
from rkbench_agent.wire.words import MAGIC, PROTOCOL

HELLO = Hello(MAGIC, PROTOCOL, "d" * 64, "1.2", "3.8.18", 7, 1_790_000_000_000_000_000)


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    with caplog.at_level(level, logger="rkbench"):
        log_received("desk", HELLO)
        log_received("desk", Log("r1", "stdout", "E RKNN: \x1b[31mfailed", 1))
        log_received("desk", Log(None, "agent", "clocks restored", 2))
        log_received("desk", Locked("ann@host", None, 9.0))
        log_sent("desk", Beat())
        log_stderr("desk", "Traceback ...")
        log_stderr("desk", "")
    return [record.getMessage() for record in caplog.records]


def test_minus_v_has_the_words_of_the_agent_and_of_its_workers(caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, logging.INFO) == [
        "desk: agent dddddddddddd (1.2) runs on Python 3.8.18, process 7",
        "desk r1 stdout: E RKNN: \\x1b[31mfailed",
        "desk agent: clocks restored",
        "desk stderr: Traceback ...",
    ]


def test_minus_vv_has_every_message_both_ways(caplog: pytest.LogCaptureFixture) -> None:
    said(caplog, logging.DEBUG)
    debug = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    told = "desk < Locked(owner='ann@host', remaining_s=9.0, reason='', place=0, among=0)"
    assert debug == [told, "desk > Beat()"]


def test_without_either_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, logging.WARNING) == []
