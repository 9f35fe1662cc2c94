"""Ids: none is made twice, they sort by time, and a few characters of one are enough to see and to type."""

from __future__ import annotations

import random

import pytest
from rkbench.results.ids import fits, new_night_id, new_push_id, short_ids

PUSH, OTHER = "01kazjrv6g3yxqb5d8hn4t2wce", "01kazjrv6gq0f7m2c9s1d4k5w6"


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_push_id(1_795_000_000.0) for _ in range(1000)}) == 1000


def test_ids_sort_by_time_and_fit_a_file_name() -> None:
    times = [0.0, 1_735_689_600.0, 1_795_000_000.0, 1_795_000_000.001, 4_000_000_000.0]
    ids = [new_push_id(unix_s) for unix_s in times]
    assert ids == sorted(ids)
    assert {len(push) for push in ids} == {26}
    assert set("".join(ids)) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_a_clock_before_1970_makes_ids_all_the_same() -> None:
    assert new_push_id(-5.0)[:10] == "0" * 10


def test_a_night_says_that_it_is_one() -> None:
    assert new_night_id(1_795_000_000.0).startswith("night-01")


@pytest.mark.parametrize(
    ("full", "short"),
    [
        (f"{PUSH}-01", "4t2wce-01"),
        (PUSH, "4t2wce"),
        (f"night-{PUSH}", "night-4t2wce"),
        ("1qmv0w0v1-01", "1qmv0w0v1-01"),
    ],
)
def test_the_end_of_an_id_is_shown_and_fits_it(full: str, short: str) -> None:
    assert short_ids([full, f"{OTHER}-01"])[full] == short
    assert fits(short, full)


def test_more_is_shown_where_two_pushes_end_alike() -> None:
    first, second = f"{PUSH[:-7]}x{PUSH[-6:]}", f"{PUSH[:-7]}y{PUSH[-6:]}"
    assert list(short_ids([f"{first}-01", f"{first}-02", f"{second}-01"]).values()) == [
        "x4t2wce-01",
        "x4t2wce-02",
        "y4t2wce-01",
    ]


def test_what_is_shown_names_one_push_of_ten_thousand() -> None:
    chance = random.Random(1)
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    ids = ["01kazjrv6g" + "".join(chance.choices(digits, k=16)) for _ in range(10_000)]
    shown = short_ids(ids)
    assert len(set(shown.values())) == 10_000
    assert max(map(len, shown.values())) <= 7


@pytest.mark.parametrize("name", ["", "-", "-01", "4t2wce-03", "t2wc", "night-", f"{PUSH}-01-02"])
def test_a_name_that_is_neither_start_nor_end_fits_not(name: str) -> None:
    assert not fits(name, f"{PUSH}-01")
