"""Which blocks of two runs are a quad, in the order in which they were measured."""

from __future__ import annotations

import pytest
from made_runs import make_latencies
from rkbench.results.latencies import RawLatencies
from rkbench.results.pairs import Turn, quads_by_load, turns_of
from rkbench_agent.wire.messages import Latencies


def turns(order: str, load: int = 0) -> tuple[list[Turn], list[Turn]]:
    """Return the blocks of A and B that were measured in this order."""
    found: dict[str, list[Turn]] = {"A": [], "B": []}
    for number, owner in enumerate(order):
        found[owner].append(Turn(load, number, [number], float(number)))
    return found["A"], found["B"]


@pytest.mark.parametrize(
    ("order", "quads"),
    [
        ("ABBA", [[0, 1, 2, 3]]),
        ("ABBAABBA", [[0, 1, 2, 3], [4, 5, 6, 7]]),
        ("BAAB", [[1, 0, 3, 2]]),  # A, B, B, A by name: what is measured first changes nothing
        ("AABBA", [[1, 2, 3, 4]]),  # a block of A was lost before
        ("ABBAA", [[0, 1, 2, 3]]),  # B was over before A, as in the first version
        ("AAAABBBB", []),  # one after the other
        ("ABABAB", []),
        ("AB", []),
        ("", []),
    ],
)
def test_a_quad_is_four_blocks_in_turns(order: str, quads: list[list[int]]) -> None:
    found = [[turn.start_ns for turn in quad] for load in quads_by_load(*turns(order)) for quad in load]
    assert found == quads


def test_a_quad_lies_within_one_load() -> None:
    a, b = turns("AB", load=0)
    later_a, later_b = turns("BA", load=1)
    assert quads_by_load([*a, *later_a], [*b, *later_b]) == []


def test_every_two_of_three_variants_have_a_quad_in_each_round() -> None:
    runs = [turns_of(make_latencies(100_000, loads=3, quads=2, place=place)) for place in range(3)]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert [len(quads) for quads in quads_by_load(runs[one], runs[two])] == [2, 2, 2]


def test_what_follows_a_switch_is_not_part_of_a_block() -> None:
    raw = RawLatencies()
    raw.append(Latencies("a", 0, False, [0, 10, 20], [99, 5, 7], load=4, unread=1))
    (turn,) = turns_of(raw)
    assert (turn.load, turn.start_ns, list(turn.durations_ns)) == (4, 10, [5, 7])
