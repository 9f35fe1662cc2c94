"""A push on a board whose latency is not what the file's NPU tasks foretell: played as a real board."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from recorded import MODELS, PUSH, UNIX_S, RecordedSession, connecting, read_recording
from rkbench.boards.model import Board
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.npu import predict_latency
from rkbench.store import open_store
from rkbench.views.push.console import print_push
from rkbench.views.terminal import make_console
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings

BOARD = Board("desk", "10.0.0.7", soc="rk3588", runtime="lite")


def push(folder: Path, times: float, mask: str = "auto") -> Outcome:
    """Push the recorded int8 model to a board on which rknn_run takes `times` what is predicted."""
    median_ns = round(predict_latency(MODELS[1]).latency_s * times * 1e9)

    def told(message: Message) -> Message:
        if isinstance(message, Environment):
            return replace(message, simulated=False, runtime="lite")
        if isinstance(message, Latencies):
            run_ns = [median_ns + number % 7 for number in range(len(message.duration_ns))]
            return replace(message, run_ns=run_ns, duration_ns=[each + 30_000 for each in run_ns])
        return message

    store = open_store(folder / "results.sqlite")
    settings = RunSettings(min_duration_s=0.0, min_iterations=300, core_mask=mask)
    session = RecordedSession([told(message) for message in read_recording("two_variants")])
    try:
        return run_campaign(
            PushOptions(MODELS, settings),
            BOARD,
            connecting(session),
            store,
            unix_s=lambda: UNIX_S,
            new_id=lambda _: PUSH,
        )
    finally:
        store.close()


def shown(outcome: Outcome) -> str:
    out = StringIO()
    print_push(outcome.runs, outcome.comparison, make_console(out, 140))
    return " ".join(out.getvalue().split())


def test_a_latency_of_twice_the_prediction_is_told_with_its_likely_causes(tmp_path: Path) -> None:
    outcome = push(tmp_path, 2.1)
    (doubt,) = (each for each in outcome.runs[1].caveats if each.code == "implausible_rate")
    assert "(rknn_run) is 2.1x the prediction of 934 µs (794 µs to 1.43 ms)" in doubt.message
    assert doubt.advice.startswith(
        "likely, in this order: the NPU governor rknpu_ondemand lets the clock fall"
    )
    assert "2.1x the prediction" in shown(outcome)
    assert "2.10x of 934 µs" in shown(outcome)


@pytest.mark.parametrize(("times", "mask"), [(1.05, "auto"), (2.1, "all")])
def test_within_the_band_and_where_there_is_none_nothing_is_told(
    tmp_path: Path, times: float, mask: str
) -> None:
    codes = {each.code for each in push(tmp_path, times, mask).runs[1].caveats}
    assert "implausible_rate" not in codes
