"""How long boards were held: kept beside the inventory, by kind of command, and a metric."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from bench_command import run_bench
from rkbench.boards.beside import KeptBeside
from rkbench.boards.held import Held, Hold, held_of
from rkbench.boards.inventory import load_inventory
from rkbench.boards.model import Board
from rkbench.metrics.discovery import Targets
from rkbench_agent.wire.messages import Done, Locked, Refused
from rkbench_agent.wire.words import BUSY

MODEL = Path(__file__).parents[3] / "host/rkbench/demo/data/digits.regrouped.int8.rknn"
LOCKED = Locked("ann", None, 5.0)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text('[boards.desk]\nhost = "virtual"\nsoc = "rk3588"\n')
    return path


@pytest.fixture
def desk(inventory: Path) -> Board:
    return load_inventory(inventory).boards[0]


def clock(*times_s: float) -> Iterator[float]:
    return iter(times_s)


def test_what_was_waited_is_not_held_and_what_is_refused_neither(desk: Board) -> None:
    now = clock(100.0, 110.0, 120.0, 127.0)
    hold = Hold(desk, "", lambda: next(now))
    for message in (LOCKED, LOCKED, Done()):
        hold.take(message)
    hold.end()
    hold.end()
    refused = Hold(desk, "", lambda: 0.0)
    refused.take(Refused(BUSY, "held", ""))
    refused.end()
    held = held_of([desk])["desk"]
    assert (held.seconds, held.times) == ({"push": 7.0}, {"push": 1})


def test_what_the_host_does_after_the_last_word_of_a_board_is_no_part_of_its_hold(desk: Board) -> None:
    now = clock(0.0, 1.0, 6.0, 9.0)
    hold = Hold(desk, "nightly", lambda: next(now))
    for message in (LOCKED, Done()):
        hold.take(message)
    assert hold.end() == 5.0


def test_seconds_add_up_by_kind_of_command_and_no_other_label_comes(desk: Board) -> None:
    for reason in ("nightly lab", "nightly other", "whatever people write"):
        now = clock(0.0, 2.0)
        Hold(desk, reason, lambda now=now: next(now)).end()  # type: ignore[misc]
    held = held_of([desk])["desk"]
    assert (held.seconds, held.times) == ({"nightly": 4.0, "push": 2.0}, {"nightly": 2, "push": 1})


def test_of_threads_that_end_their_holds_at_once_none_is_lost(inventory: Path) -> None:
    inventory.write_text(
        "".join(f'[boards.b{number}]\nhost = "virtual"\nsoc = "rk3588"\n' for number in range(8))
    )
    boards = load_inventory(inventory).boards
    together = Barrier(40)

    def hold(number: int) -> None:
        now = clock(0.0, 1.0 + number)
        used = Hold(boards[number % 8], "nightly", lambda: next(now))
        together.wait()
        used.end()

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(hold, range(40)))
    held = held_of(boards)
    assert {name: found.times for name, found in held.items()} == {f"b{n}": {"nightly": 5} for n in range(8)}
    assert sum(found.seconds["nightly"] for found in held.values()) == sum(range(1, 41))


def test_an_address_has_nothing_kept(desk: Board) -> None:
    stranger = Board("root@192.0.2.1", "192.0.2.1")
    Hold(stranger, "").end()
    assert held_of([stranger, desk]) == {}


def test_a_push_and_a_night_are_scraped_by_board_and_command(inventory: Path, tmp_path: Path) -> None:
    suite, store = tmp_path / "suite.toml", tmp_path / "results.sqlite"
    suite.write_text(
        'boards = ["desk"]\ngates = ["size <= 10MB"]\n[plans.default]\niterations = 50\nduration = 0\n'
        f'[[models]]\nfiles = ["{MODEL}"]\n'
    )
    where = ("--inventory", inventory, "--store", store)
    for command in (
        ("push", MODEL, "--board", "desk", "--iterations", 50, "--duration", 0),
        ("nightly", suite),
    ):
        done = run_bench(*command, *where)
        assert done.returncode == 0, done.stderr
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in Targets(inventory).collect()
        for sample in family.samples
    }
    for command in ("push", "nightly"):
        assert samples["rkbench_board_holds_total", "desk", command] == 1
        assert 0 < samples["rkbench_board_held_seconds_total", "desk", command] < 600


def test_a_process_that_was_stopped_while_it_writes_keeps_no_push_waiting(
    desk: Board, inventory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptBeside(
        "bench.held.json", Held, Held(), "how long", logging.getLogger("rkbench.held"), patience_s=0.1
    )
    script = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, 2); print(flush=True); input()"
    )
    words = [sys.executable, "-c", script, str(inventory.with_name(".bench.held.json.lock"))]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
        caplog.at_level(logging.INFO),
    ):
        assert other.stdout and other.stdout.readline()
        other.send_signal(signal.SIGSTOP)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda _: kept.change(desk, lambda _: Held({}, {"push": 1})), range(4)))
        other.kill()
    assert together == 4 * [(Held(), Held())]
    assert "another process has had it locked for 0.1 s" in caplog.text
    assert kept.change(desk, lambda _: Held({}, {"push": 1})) == (Held(), Held({}, {"push": 1}))
