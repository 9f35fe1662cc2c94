"""What the shell completes, asked as bash asks: boards, runs, SoCs; never a word where something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench_command import Done, run_bench
from made_runs import make_run
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.store import open_store

INVENTORY = """
[boards.desk]
host = "192.0.2.1"
soc = "rk3568"
tags = ["lab"]

[boards.shelf]
host = "192.0.2.2"
soc = "rk3588"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bench.toml").write_text(INVENTORY)
    with open_store(tmp_path / "results.sqlite") as store:
        store.save(Collected(make_run(), RawLatencies(), ()))
    return tmp_path


def asked(place: Path, line: str) -> Done:
    """Complete the last word of `line`."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "HOME": str(place),
        "RKBENCH_STORE": str(place / "results.sqlite"),
        "RKBENCH_INVENTORY": str(place / "bench.toml"),
        "_BENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return run_bench(environment=environment, folder=place)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bench pu", "push"),
        ("bench boards rem", "remove"),
        ("bench push --board ", "desk shelf rk3568 rk3588 lab virtual virtual:rk3588 virtual:rk3568"),
        ("bench push m.rknn --board de", "desk"),
        ("bench boards check sh", "shelf"),
        ("bench boards remove ", "desk shelf"),
        ("bench push --cores 0", "0 0-1"),
        ("bench push --runtime c", "capi capi-zero-copy"),
        ("bench fix --target rk356", "rk3566 rk3568 rk3562"),
        ("bench boards add x y --soc rk358", "rk3588"),
        ("bench history --mo", "--model"),
        ("bench history --model ", make_run().variant.name),
        ("bench show ", f"last {make_run().push} {make_run().id}"),
        ("bench baseline accept ", "last"),
        ("bench -v push --board de", "desk"),
        ("bench --version push --board de", "desk"),
    ],
)
def test_what_is_there_is_offered(place: Path, line: str, offered: str) -> None:
    ended = asked(place, line)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == offered.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", "last 4t2wce 4t2wce-01"),
        ("4t", "4t2wce 4t2wce-01"),
        ("01k", "01kazjrv6g3yxqb5d8hn4t2wce 01kazjrv6g3yxqb5d8hn4t2wce-01"),
    ],
)
def test_an_id_is_offered_as_lists_show_it_and_whole_where_it_is_begun(
    place: Path, typed: str, offered: str
) -> None:
    (place / "results.sqlite").unlink()
    with open_store(place / "results.sqlite") as store:
        run = make_run(push="01kazjrv6g3yxqb5d8hn4t2wce")
        store.save(Collected(run, RawLatencies(), ()))
    assert asked(place, f"bench show {typed}").stdout.split() == offered.split()


def test_a_broken_inventory_and_store_offer_what_needs_neither(place: Path) -> None:
    (place / "bench.toml").write_text("[boards\n")
    (place / "results.sqlite").write_text("not a database, whatever its name says" * 10)
    boards, runs = asked(place, "bench push --board "), asked(place, "bench show ")
    assert (boards.stdout.split(), boards.stderr) == (["virtual", "virtual:rk3588", "virtual:rk3568"], "")
    assert (runs.stdout.split(), runs.stderr) == (["last"], "")


def test_a_store_that_is_not_there_is_not_made(place: Path) -> None:
    (place / "results.sqlite").unlink()
    assert asked(place, "bench show ").stdout.split() == ["last"]
    assert not (place / "results.sqlite").exists()


@pytest.mark.parametrize("line", ["bench nonsense ", "bench -v -q history --model ", "bench push --nope "])
def test_a_line_that_is_wrong_gets_no_word_of_ours(place: Path, line: str) -> None:
    ended = asked(place, line)
    assert ended.stderr == ""
    assert "Error" not in ended.stdout


def test_a_home_that_cannot_be_written_gets_no_completion_but_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "SHELL": "/bin/bash"}
    # The shell is found among the parents of the process; `exit` keeps bash from being replaced by it.
    script = f"'{sys.executable}' -m rkbench --install-completion; exit $?"
    command = ["bash", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the completion cannot be installed" in done.stderr
    assert "Traceback" not in done.stderr
