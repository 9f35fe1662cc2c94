"""`bench push` end to end: the whole job on a virtual board, and every fault while it measures.

The boards are the built-in virtual one, and a real OpenSSH server with the virtual runtime behind it. A
run that a fault shall meet is made long on the virtual clock, so that no test sleeps and hopes.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bench_command import BENCH, Done, run_bench
from relay import Relay
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.results.events import Event, Measuring
from rkbench.session import open_session
from rkbench.store import Store, open_store
from rkbench.store.lookup import find_runs
from rkbench.views.push.json import SCHEMA_FILE
from rkbench_agent.wire.plan import RunSettings
from sshd import BEAT_INTERVAL_S, SILENCE_LIMIT_S, USUAL_LIMITS, Sshd
from strict_schema import strict_validator

DEMO = Path(__file__).parents[2] / "host/rkbench/demo/data"
TREE = Path(__file__).parents[1] / "data/boards/rk3588"
FP16, INT8 = DEMO / "digits.regrouped.fp16.rknn", DEMO / "digits.regrouped.int8.rknn"
GOLDEN = DEMO / "golden.npz"
#: Seconds on the virtual clock: minutes of real time, unless something ends it.
LONG = "36000"
SHORT_LIMITS = {
    "RKBENCH_SILENCE_LIMIT_S": f"{SILENCE_LIMIT_S}",
    "RKBENCH_BEAT_INTERVAL_S": f"{BEAT_INTERVAL_S}",
}


class Bench:
    """Runs `bench` as users do, with a store, a home and an inventory of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "results.sqlite"
        self.inventory = folder / "bench.toml"
        self._environment = {
            **os.environ,
            "RKBENCH_STORE": str(self.store),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "RKBENCH_INVENTORY": str(self.inventory),
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, *arguments: object, ignored: tuple[signal.Signals, ...] = (), program: str = BENCH
    ) -> subprocess.Popen[str]:
        """Start it as a process of its own, as `nohup` or a script does; `close` ends what still runs."""
        command, pipe = [sys.executable, "-u", "-c", program, *map(str, arguments)], subprocess.PIPE
        if ignored:
            names = " ".join(number.name.removeprefix("SIG") for number in ignored)
            command = ["sh", "-c", f"trap '' {names}; exec \"$@\"", "sh", *command]
        process = subprocess.Popen(command, env=self._environment, stdout=pipe, stderr=pipe, text=True)
        self._started.append(process)
        return process

    def run(self, *arguments: object) -> Done:
        """Run it to its end."""
        return run_bench(*arguments, environment=self._environment)

    def know(self, server: Sshd, name: str = "rock") -> str:
        """Write the board into the inventory, its host key beside it; returns its name."""
        board = server.board
        self.inventory.write_text(
            f'[boards.{name}]\nhost = "{board.host}"\nport = {board.port}\nuser = "{board.user}"\n'
            f'python = "{sys.executable}"\nruntime = "virtual"\nidentity_files = ["{server.client_key}"]\n'
        )
        known_hosts = self.inventory.with_name("bench.known_hosts")
        known_hosts.write_text((server.folder / "known_hosts").read_text())
        return name

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    runner = Bench(tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def start_board(start_sshd: Callable[..., Sshd]) -> Callable[..., Sshd]:
    """Start a real sshd whose agent finds a recorded rk3588 and, if given, a behaviour."""

    def start(tmp_path: Path, behaviour: dict[str, Any] | None = None, **environment: str) -> Sshd:
        words = {"RKBENCH_SYS_ROOT": str(TREE), **USUAL_LIMITS, **environment}
        if behaviour is not None:
            path = tmp_path / "behaviour.json"
            path.write_text(json.dumps(behaviour))
            words["RKBENCH_VIRTUAL_BEHAVIOUR"] = str(path)
        server = start_sshd(environment=words)
        server.board = replace(server.board, runtime="virtual", python=sys.executable)
        return server

    return start


def await_line(process: subprocess.Popen[str], words: str) -> str:
    """Return the first line on stderr that holds `words`; fails where the process ends without."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"no {words!r} in: {''.join(seen)}")


def read_push(path: Path) -> dict[str, Any]:
    """Return a JSON file that is valid against the schema."""
    value: dict[str, Any] = json.loads(path.read_text())
    strict_validator(SCHEMA_FILE).validate(value)
    return value


# -- the job --------------------------------------------------------------------------------------


def test_two_variants_come_back_with_every_number_and_its_source(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = bench.run("push", FP16, INT8, "--board", "virtual", "--quick", "--golden", GOLDEN, "--json", out)
    assert done.returncode == 0, done.stderr
    push = read_push(out)
    assert [run["simulated"] for run in push["runs"]] == [True, True]
    for run in push["runs"]:
        assert run["provenance"] == {
            "load": "from_file",
            "load_duration": "modelled",
            "process_memory": "measured",
            "latency": "predicted",
            "outputs": "vendor_simulator",
            "readings": "from_file",
        }
        assert run["latency"]["count"] >= 100
        assert [(output["name"], len(output["per_case"])) for output in run["outputs"]] == [("logits", 64)]
        assert run["transfer"]["cached"] is False
    assert [run["load"]["npu_total_bytes"] for run in push["runs"]] == [860288, 476480]
    assert "≈ simulated on board virtual (rk3588)" in done.stdout
    assert push["comparison"]["verdict"] in " ".join(done.stdout.split())


def test_a_noise_floor_is_kept_and_shown_beside_the_next_comparison(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = bench.run("push", INT8, "--board", "virtual", "--quick", "--noise-floor")
    assert done.returncode == 0, done.stderr
    assert "against itself: ≈" in done.stdout
    done = bench.run("push", FP16, INT8, "--board", "virtual", "--quick")
    assert "noise floor of this board: ≈" in done.stdout
    assert bench.run("show", "last", "--json", out).returncode == 0
    floor = read_push(out)["comparison"]["noise_floor"]
    assert (floor["variant"], floor["units"], floor["conditions"]["unit"]) == (INT8.stem, 12, "quad")


def test_an_equal_file_is_no_difference_and_a_slower_one_is_slower(bench: Bench, tmp_path: Path) -> None:
    """The default plan from end to end: seven loads, intervals at 1 - 0.05 / 2, and words that fit."""
    again = tmp_path / "again.rknn"
    again.write_bytes(FP16.read_bytes())
    slower = FP16.with_name("digits.fp16.rknn")
    out = tmp_path / "out.json"
    done = bench.run("push", FP16, again, slower, "--board", "virtual", "--json", out)
    assert done.returncode == 0, done.stderr
    push = read_push(out)
    equal, worse = push["comparison"]["latency_tests"]
    (pair,) = push["comparison"]["latency_pairs"]
    assert [test["judgement"] for test in (equal, worse, pair)] == ["no difference", "slower", "slower"]
    assert {(test["unit"], test["units"], test["confidence"]) for test in (equal, worse, pair)} == {
        ("load", 7, 0.975)
    }
    assert -2 < equal["low_percent"] <= equal["difference_percent"] <= equal["high_percent"] < 2
    assert 89 < worse["low_percent"] <= worse["difference_percent"] <= worse["high_percent"] < 92
    assert [run["verdict"] for run in push["runs"]] == ["VALID"] * 3
    assert f"{worse['low_percent']:+.1f} to {worse['high_percent']:+.1f} %" in done.stdout
    assert "measuring 3 variants: 7 loads of 2 quads" in done.stderr
    assert re.search(r"measuring 3 variants, about \d+ s in all", done.stderr)


def test_the_store_has_every_latency(bench: Bench) -> None:
    bench.run("push", FP16, INT8, "--board", "virtual", "--quick", "--duration", "0")
    raw = bench.run("export", "last", "--raw")
    rows = list(csv.DictReader(io.StringIO(raw.stdout)))
    timed = [row for row in rows if (row["warmup"], row["unread"]) == ("0", "0")]
    assert [row["warmup"] for row in rows].count("1") == 2 * 5
    assert [row["unread"] for row in rows].count("1") == 2 * 24 * 3
    assert {row["load"] for row in rows} == {"0"}
    assert all(int(row["duration_ns"]) > 0 and row["simulated"] == "1" for row in rows)
    table = list(csv.DictReader(io.StringIO(bench.run("export").stdout)))
    counts = Counter(row["variant"] for row in timed)
    assert {row["variant"]: int(row["iterations"]) for row in table} == counts


def test_json_to_stdout_is_json_alone_and_show_tells_the_same(bench: Bench) -> None:
    arguments = ("--board", "virtual:rk3588", "--quick", "--duration", "0", "--json", "-")
    done = bench.run("push", FP16, INT8, *arguments, "--minimize", "latency_p99")
    assert json.loads(done.stdout)["schema"] == "rkbench/1"
    assert "--minimize p99: 1000 iterations in 20 blocks at least (900 more" in done.stderr
    runs, ranking = (json.loads(done.stdout)[key] for key in ("runs", "comparison"))
    assert ranking["ranking"]["best"] == runs[1]["id"]  # int8
    assert "measuring 2 variants: 1 load of 12 quads ..." in done.stderr
    again = bench.run("show", "last", "--json", "-")
    assert json.loads(again.stdout) == json.loads(done.stdout)
    first = json.loads(done.stdout)["runs"][0]["id"]
    assert json.loads(bench.run("show", first, "--json", "-").stdout)["runs"][0]["id"] == first
    assert first[-9:] in bench.run("history", "--model", "digits.regrouped.fp16").stdout


def test_the_same_push_over_a_real_sshd_sends_the_models_once(
    bench: Bench, start_board: Callable[..., Sshd], tmp_path: Path
) -> None:
    name = bench.know(start_board(tmp_path))
    arguments = ("--board", name, "--golden", GOLDEN, "--quick", "--duration", "0")
    for number, sent in ((1, [True, True]), (2, [False, False])):
        out = tmp_path / f"{number}.json"
        done = bench.run("push", FP16, INT8, *arguments, "--json", out)
        assert done.returncode == 0, done.stderr
        runs = read_push(out)["runs"]
        assert [run["transfer"]["sent_bytes"] > 0 for run in runs] == sent
        assert [run["simulated"] for run in runs] == [True, True]
        assert [run["outputs"][0]["case_count"] for run in runs] == [64, 64]


def test_a_golden_that_does_not_fit_shows_both_sides(bench: Bench, tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "g.npz", image=np.zeros((2, 7, 7), np.float32), logits=np.zeros((2, 10), np.float32))
    done = bench.run("push", FP16, "--board", "virtual", "--golden", tmp_path / "g.npz")
    assert done.returncode == 2
    assert "does not fit" in done.stderr
    assert "7, 7" in done.stderr
    assert "32, 32" in done.stderr


# -- workers that die -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "stage", "reason"),
    [
        ({"crash": {"stage": "inference", "iteration": 60, "signal": "SIGSEGV"}}, "inference", "crash"),
        ({"crash": {"stage": "load", "signal": "SIGABRT"}}, "load", "crash"),
        ({"out_of_memory": {"stage": "load"}}, "load", "out_of_memory"),
        ({"fail": {"stage": "first_inference", "message": "no"}}, "first_inference", "runtime_error"),
    ],
)
def test_a_worker_that_dies_costs_one_column(
    bench: Bench,
    start_board: Callable[..., Sshd],
    tmp_path: Path,
    behaviour: dict[str, Any],
    stage: str,
    reason: str,
) -> None:
    server = start_board(tmp_path, {"per_model": {"digits.regrouped.int8": behaviour}})
    out = tmp_path / "out.json"
    arguments = ("--quick", "--duration", "0", "--json", out)
    done = bench.run("push", FP16, INT8, "--board", bench.know(server), *arguments)
    good, bad = read_push(out)["runs"]
    assert (done.returncode, good["failure"]) == (1, None)
    assert good["latency"]["count"] >= 100
    assert (bad["failure"]["stage"], bad["failure"]["reason"], bad["partial"]) == (stage, reason, True)
    assert f"✗  digits.regrouped.int8 failed in {stage.replace('_', ' ')}" in done.stdout


@pytest.mark.parametrize(
    ("stage", "option"), [("load", "--load-timeout"), ("inference", "--inference-timeout")]
)
def test_a_hang_ends_by_its_limit_and_names_what_gives_it_longer(
    bench: Bench, start_board: Callable[..., Sshd], tmp_path: Path, stage: str, option: str
) -> None:
    server = start_board(tmp_path, {"hang": {"stage": stage}})
    words = ("push", FP16, "--board", bench.know(server), "--duration", "0", "--json", "-", "--quiet")
    done = bench.run(*words, option, "5")
    failure = done.document["runs"][0]["failure"]
    assert (done.returncode, failure["stage"], failure["reason"]) == (1, stage, "hang")
    assert failure["message"].startswith(f"nothing happened for 5 s during {stage}")
    assert failure["advice"].endswith(f"if it is only slow: {option} 20")


# -- lines that break -----------------------------------------------------------------------------


def push_through(server: Sshd, relay: Relay, store: Store, fault: Callable[[], None]) -> Outcome:
    """Push through a relay; `fault` is done once, when the timed iterations have begun."""
    board = server.through(relay.port)
    faults = [fault]

    def listen(event: Event) -> None:
        if isinstance(event, Measuring) and event.stage == "inference" and event.done and faults:
            faults.pop()()

    connect = partial(open_session, board, silence_limit_s=SILENCE_LIMIT_S, beat_interval_s=BEAT_INTERVAL_S)
    return run_campaign(
        PushOptions((FP16, INT8), RunSettings(min_duration_s=float(LONG))), board, connect, store, listen
    )


@pytest.mark.parametrize("fault", ["cut", "stall", "flip_up", "flip_down"])
def test_a_line_that_breaks_while_measuring_leaves_what_was_measured(
    start_board: Callable[..., Sshd], tmp_path: Path, fault: str
) -> None:
    server = start_board(tmp_path, **SHORT_LIMITS)
    with Relay(server.port) as relay, open_store(tmp_path / "s.sqlite") as store:
        outcome = push_through(server, relay, store, getattr(relay, fault))
        stored = find_runs(store, "last")
        assert stored == list(outcome.runs)
        assert [(run.partial, run.failure and run.failure.stage) for run in stored] == [
            (True, "connection"),
            (True, "connection"),
        ]
        assert stored[0].latency is not None
        assert stored[0].latency.count >= 50
        assert len(store.latencies(stored[0].id).timed()) == stored[0].latency.count
        server.await_no_processes()


@pytest.mark.parametrize(("how", "by"), [(signal.SIGINT, ""), (signal.SIGTERM, " by SIGTERM")])
def test_what_ended_a_push_before_it_measured_is_told(bench: Bench, how: signal.Signals, by: str) -> None:
    process = bench.start("push", FP16, "--board", "virtual", "--duration", LONG)
    await_line(process, "connecting")
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.endswith(f"interrupted{by}\n")


#: `bench`, met by SIGTERM when it has just taken Python's import lock, while another thread is about to.
MET_IN_AN_IMPORT = (
    """
import signal, sys, threading
importing, met = threading.Event(), threading.Event()
def hold(frame, event, called):
    if threading.current_thread().name != "ahead":
        sys.setprofile(None)
    elif event == "call" and frame.f_code.co_name == "_find_and_load":
        sys.setprofile(None)
        importing.set()
        met.wait()
def meet(frame, event, called):
    if event == "c_return" and getattr(called, "__name__", "") == "acquire_lock" and importing.is_set():
        sys.setprofile(None)
        print("met", file=sys.stderr)
        met.set()
        signal.raise_signal(signal.SIGTERM)
threading.setprofile(hold)
sys.setprofile(meet)
"""
    + BENCH
)


def test_a_push_ends_though_the_signal_left_the_import_lock_taken(bench: Bench) -> None:
    """Seen in CI, 4 of 320 pushes that were ended as they connected: CPython loses the lock there."""
    process = bench.start("push", FP16, "--board", "virtual", "--duration", LONG, program=MET_IN_AN_IMPORT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "met\n" in err
    assert err.endswith("interrupted by SIGTERM\n")


@pytest.mark.parametrize(
    ("ignored", "how"),
    [
        ((), signal.SIGINT),
        ((), signal.SIGTERM),
        ((), signal.SIGHUP),
        ((signal.SIGINT, signal.SIGHUP), signal.SIGTERM),
    ],
)
def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_running(
    bench: Bench,
    start_board: Callable[..., Sshd],
    tmp_path: Path,
    ignored: tuple[signal.Signals, ...],
    how: signal.Signals,
) -> None:
    """So do a cancelled CI job and a closed terminal, and SIGTERM also where a script ignores the others."""
    server = start_board(tmp_path)
    arguments = ("push", FP16, "--board", bench.know(server), "--duration", LONG)
    process = bench.start(*arguments, ignored=ignored)
    await_line(process, "inference")
    for number in (*ignored, how):
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    word = "Ctrl-C" if how is signal.SIGINT else how.name
    assert f"interrupted by {word}; what was measured before it is kept" in " ".join(out.split())
    assert "Traceback" not in err
    server.await_no_processes()
    with open_store(bench.store) as store:
        (run,) = find_runs(store, "last")
    assert run.partial
    assert run.latency is not None
    assert run.latency.count >= 50


# -- boards in use, boards without a clock --------------------------------------------------------


def test_the_second_push_is_told_who_holds_the_board_or_waits(
    bench: Bench, start_board: Callable[..., Sshd], tmp_path: Path
) -> None:
    name = bench.know(start_board(tmp_path))
    first = bench.start("push", FP16, "--board", name, "--duration", LONG)
    await_line(first, "inference")
    refused = bench.run("push", FP16, "--board", name)
    assert refused.returncode == 1
    assert f"(process {first.pid})" in refused.stderr
    assert "--wait" in refused.stderr

    second = bench.start("push", FP16, "--board", name, "--duration", "0", "--wait", "90")
    assert f"(process {first.pid})" in await_line(second, "the board is held by")
    first.send_signal(signal.SIGINT)
    _, err = second.communicate(timeout=90)
    assert second.returncode == 0, err


def test_a_board_whose_clock_was_never_set_is_a_caveat(
    bench: Bench, start_board: Callable[..., Sshd], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() % 86400\n"
        "time.time_ns = lambda: int(time.time() * 1e9)\n"
    )
    server = start_board(tmp_path, PYTHONPATH=str(site))
    out = tmp_path / "out.json"
    arguments = ("--quick", "--duration", "0", "--json", out)
    done = bench.run("push", FP16, "--board", bench.know(server), *arguments)
    assert done.returncode == 0, done.stderr
    (run,) = read_push(out)["runs"]
    assert "board_clock" in [caveat["code"] for caveat in run["caveats"]]
    assert run["board"]["clock_unix_ns"] < 86_400_000_000_000
    assert run["started_at"] > "2020"
    assert "the board's clock was never set" in done.stdout


# -- kill -9 --------------------------------------------------------------------------------------


def agent_processes(server: Sshd) -> tuple[int, list[int]]:
    """Return the supervisor's id and those of its workers."""
    parents = {}
    for pid in server.processes():
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        parents[pid] = int(fields[1])
    (supervisor,) = [pid for pid in parents if list(parents.values()).count(pid)]
    return supervisor, [pid for pid, parent in parents.items() if parent == supervisor]


@pytest.mark.parametrize("victim", ["worker", "supervisor", "client"])
def test_whoever_is_killed_leaves_nothing_running_and_the_board_free(
    bench: Bench, start_board: Callable[..., Sshd], tmp_path: Path, victim: str
) -> None:
    server = start_board(tmp_path)
    name = bench.know(server)
    process = bench.start("push", FP16, "--board", name, "--duration", LONG)
    await_line(process, "inference")
    supervisor, workers = agent_processes(server)
    os.kill({"worker": workers[0], "supervisor": supervisor, "client": process.pid}[victim], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == {"worker": 1, "supervisor": 1, "client": -signal.SIGKILL}[victim]
    server.await_no_processes()
    assert server.partials == {}

    again = bench.run("push", FP16, "--board", name, "--iterations", "100", "--duration", "0")
    assert again.returncode == 0, again.stderr
    with open_store(bench.store) as store:
        newest, *older = [find_runs(store, row.run)[0] for row in store.history()]
    assert newest.failure is None
    stages = {"worker": ["inference"], "supervisor": ["connection"], "client": []}
    assert [run.failure and run.failure.stage for run in older] == stages[victim]
    assert all(run.latency is not None and run.latency.count >= 50 for run in older)
