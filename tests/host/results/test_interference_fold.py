"""Rounds of two models, folded: what each loses, with bounds, and which placement gets most done."""

from __future__ import annotations

import pytest
from rkbench.results.interference import Interference, blocks_beside, interference
from rkbench.results.latencies import RawLatencies
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.scenario_messages import InterferenceOutputs, InterferenceRound

MS = 1_000_000


class Rounds:
    """Rounds of even calls: `alone` and `beside` are what a call of each model takes then, in ms."""

    def __init__(self) -> None:
        self.raw = RawLatencies()
        self.told: list[InterferenceRound] = []
        self.outputs: list[InterferenceOutputs] = []
        self._block = self._now_ns = 0

    def add(
        self, placement: str, alone: tuple[float, float], beside: tuple[float, float], rounds: int = 12
    ) -> None:
        for _ in range(rounds):
            first = self._block
            for both in ((alone[0],), (alone[1],), beside):
                for call_ms in both:
                    self._calls(int(call_ms * MS))
                self._now_ns += 1000 * MS
            self.told.append(
                InterferenceRound("r", placement, ["0", "1"], first, first + 1, first + 2, first + 3)
            )

    def _calls(self, duration_ns: int) -> None:
        starts = list(range(self._now_ns, self._now_ns + 100 * MS, duration_ns))
        self.raw.append(Latencies("r", self._block, False, starts, [duration_ns] * len(starts)))
        self._block += 1

    def fold(self) -> Interference:
        found = interference("b", self.told, self.outputs, self.raw)
        assert found is not None
        return found


def test_the_loss_of_each_model_is_that_of_its_own_rate() -> None:
    rounds = Rounds()
    rounds.add("auto", (10, 5), (12.5, 5))
    (item,) = rounds.fold().placements
    assert (item.own.alone_per_s, item.own.beside_per_s) == (pytest.approx(100), pytest.approx(80))
    assert item.own.loss_ratio == item.own.loss_low == item.own.loss_high == pytest.approx(0.2)
    assert item.other.loss_ratio == pytest.approx(0, abs=1e-12)
    assert item.together == pytest.approx(1.8)


def test_fewer_than_six_rounds_have_no_bounds() -> None:
    rounds = Rounds()
    rounds.add("auto", (10, 5), (12.5, 5), rounds=5)
    (item,) = rounds.fold().placements
    assert (item.rounds, item.own.loss_low, item.own.loss_high) == (5, None, None)


def test_calls_that_end_after_the_other_model_has_ended_do_not_count() -> None:
    rounds = Rounds()
    rounds.add("auto", (10, 10), (10, 30))  # the slow one's last call ends at 120 ms, the fast one's at 100
    (item,) = rounds.fold().placements
    assert (item.own.count, item.other.count) == (108, 24)  # without the first of each round


def test_together_is_held_against_the_highest_rate_alone_in_any_placement() -> None:
    rounds = Rounds()
    rounds.add("spread", (10, 10), (10, 10))
    rounds.add("all", (5, 5), (10, 10))
    found = rounds.fold()
    assert [item.together for item in found.placements] == pytest.approx([1.0, 1.0])
    assert (found.best, blocks_beside(rounds.told, found)) == ("spread", set(range(2, 48, 4)))


def test_outputs_are_those_of_their_model_and_placement() -> None:
    rounds = Rounds()
    rounds.add("auto", (10, 5), (10, 5))
    rounds.add("0", (10, 5), (20, 10))
    rounds.outputs.append(InterferenceOutputs("r", "0", True, 20, True, ["y"], [3]))
    auto, shared = rounds.fold().placements
    assert (auto.own.outputs, auto.other.outputs, shared.own.outputs) == (None, None, None)
    assert shared.other.outputs is not None
    assert [(item.name, item.count) for item in shared.other.outputs.changed] == [("y", 3)]
    assert rounds.fold().changed_outputs == 1


def test_rounds_without_calls_are_nothing() -> None:
    told = [InterferenceRound("r", "auto", ["auto", "auto"], 0, 1, 2, 3)]
    assert interference("b", told, (), RawLatencies()) is None
