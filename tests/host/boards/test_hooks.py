"""Commands before and after a board is used: run without a shell, bounded, told by name where they fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bench_command import BENCH, run_bench
from rkbench.boards import power
from rkbench.boards.health import health_of
from rkbench.boards.inventory import add_board, load_inventory
from rkbench.boards.model import Board
from rkbench.boards.power import cycled_once
from rkbench.boards.provider import Boards, open_boards
from rkbench.errors import ConnectError, HookError, InventoryError

DEMO = Path("host/rkbench/demo/data").resolve()
#: A hook of the tests: writes a line of what it is and was told into a file, then does what its word says.
HOOK = """\
import os, sys
which, name, does = os.environ["RKBENCH_HOOK"], os.environ["RKBENCH_BOARD"], sys.argv[2:]
with open(sys.argv[1], "a") as log:
    log.write(" ".join([which, name, os.environ["RKBENCH_SOC"], *does]) + "\\n")
if "fail" in does:
    print("relay 7")
    sys.exit("no answer from the relay")
"""


class HookLab:
    """An inventory with one virtual board that has hooks; `log` is what they wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventory = folder / "bench.toml"
        (folder / "hook.py").write_text(HOOK)

    def write(self, before: str = "", after: str = "", more: str = "") -> None:
        """Give the board its hooks, each doing what the words say."""
        lines = ["[boards.desk]", 'host = "virtual"', 'soc = "rk3588"', more]
        for key, does in (("before_hold", before), ("after_hold", after)):
            words = [sys.executable, "hook.py", "log", *does.split()]
            lines.append(f"{key} = {[*words]!r}")
        self.inventory.write_text("\n".join(lines) + "\n")

    @property
    def log(self) -> list[str]:
        """What the hooks wrote, a line each."""
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def boards(self) -> Boards:
        """The boards as the inventory has them now."""
        return open_boards(self.inventory)


@pytest.fixture
def lab(tmp_path: Path) -> HookLab:
    made = HookLab(tmp_path)
    made.write()
    return made


def test_hooks_are_run_before_and_after_with_the_boards_own_words(lab: HookLab) -> None:
    lab.write("on {board} {host} {port} $HOME *", "off")
    with lab.boards.hold("desk"):
        assert lab.log[0].startswith("before_hold desk rk3588 on desk 127.0.0.1 ")
        assert lab.log[0].endswith(" $HOME *")  # no shell has read it
        assert len(lab.log) == 1
    assert lab.log[1:] == ["after_hold desk rk3588 off"]


def test_a_hook_that_fails_is_told_with_its_exit_code_and_its_last_words(lab: HookLab) -> None:
    lab.write("on fail", "off")
    with pytest.raises(HookError) as caught, lab.boards.hold("desk"):
        pytest.fail("it is not to be used")
    assert caught.value.message == (
        f"board 'desk': its before_hold ({sys.executable} hook.py log on fail) ended with exit code 1:"
        " relay 7 | no answer from the relay"
    )
    assert lab.log[-1] == "after_hold desk rk3588 off"
    assert len(health_of(lab.boards.find("desk")[0]).faults) == 1


def test_a_hook_that_hangs_is_killed_at_its_limit(lab: HookLab) -> None:
    hook = ["sh", "-c", "echo waiting for the relay; sleep 600"]
    lab.inventory.write_text(f'[boards.desk]\nhost = "virtual"\nhook_limit_s = 3\nbefore_hold = {hook}\n')
    with pytest.raises(HookError) as caught, lab.boards.hold("desk"):
        pytest.fail("it is not to be used")
    assert caught.value.message.endswith(
        "sleep 600) did not end within 3 s and was killed: waiting for the relay"
    )
    assert "hook_limit_s = 3" in caught.value.hint


def test_a_hook_that_is_not_there_is_named(lab: HookLab) -> None:
    lab.inventory.write_text('[boards.desk]\nhost = "virtual"\nbefore_hold = ["/no/such/relay"]\n')
    with pytest.raises(HookError, match=r"its before_hold \(/no/such/relay\) cannot be run: No such file"):
        lab.boards.hold("desk").__enter__()


def test_what_fails_after_a_use_is_told_and_costs_nothing(
    lab: HookLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.write("on", "off fail")
    with lab.boards.hold("desk"):
        pass
    assert "its after_hold" in caplog.text
    assert "no answer from the relay" in caplog.text


def test_the_hook_after_a_use_is_run_whatever_ended_it(lab: HookLab) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), lab.boards.hold("desk"):
            raise error
    assert [line.split()[0] for line in lab.log] == ["before_hold", "after_hold"] * 2


def test_who_comes_while_others_use_it_finds_it_ready_and_the_last_leaves_it(lab: HookLab) -> None:
    with lab.boards.hold("desk"):
        with lab.boards.hold("desk"):
            assert len(lab.log) == 1
        assert len(lab.log) == 1
    assert len(lab.log) == 2


def test_two_who_come_at_once_ready_it_once(lab: HookLab) -> None:
    inside = threading.Barrier(2)

    def use() -> None:
        with lab.boards.hold("desk"):
            inside.wait(30)

    users = [threading.Thread(target=use) for _ in range(2)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert [line.split()[0] for line in lab.log] == ["before_hold", "after_hold"]


def test_what_a_killed_host_left_is_said_and_done_at_the_next_use(
    lab: HookLab, caplog: pytest.LogCaptureFixture
) -> None:
    program = (
        "import os, signal, pathlib\nfrom rkbench.boards.provider import open_boards\n"
        f"held = open_boards(pathlib.Path({str(lab.inventory)!r})).hold('desk')\nheld.__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(lab.log) == 1
    with lab.boards.hold("desk"):
        assert "board 'desk': its last use, by " in caplog.text
        assert "ended without its hooks (killed?): after_hold is run now" in caplog.text
        assert [line.split()[0] for line in lab.log] == ["before_hold", "after_hold", "before_hold"]


def test_a_board_that_boots_after_its_hook_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "BOOT_PAUSE_S", 0.0)
    answers = iter([ConnectError("no route"), ConnectError("refused"), None, ConnectError("gone")])

    def connect(board: Board) -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return board.name

    connected = cycled_once(connect, Board("desk", "desk.lab", boot_limit_s=600.0))
    assert connected() == "desk"
    with pytest.raises(ConnectError, match="gone"):  # it has booted, and is not waited for again
        connected()


def test_only_who_readied_a_board_waits_for_it_to_boot(lab: HookLab) -> None:
    lab.inventory.write_text(
        '[boards.desk]\nhost = "127.0.0.1"\nport = 1\nbefore_hold = ["true"]\nboot_limit_s = 90\n'
    )
    with lab.boards.hold("desk") as first, lab.boards.hold("desk") as second:
        assert (first.boot_limit_s, second.boot_limit_s) == (90.0, 0.0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('before_hold = ["", "on"]', "before_hold begins with no program"),
        ('after_hold = ["a\\u001b"]', "after_hold has a control character"),
        ("hook_limit_s = 0", "hook_limit_s 0 is no time"),
        ("boot_limit_s = -1", "boot_limit_s -1 is no time"),
        ('before_hold = "power on"', "before_hold must be a list of strings"),
    ],
)
def test_hooks_that_cannot_be_are_named_when_the_inventory_is_read(
    lab: HookLab, line: str, problem: str
) -> None:
    lab.inventory.write_text(f'[boards.desk]\nhost = "virtual"\n{line}\n')
    with pytest.raises(InventoryError, match=problem):
        load_inventory(lab.inventory)


def test_hooks_stay_when_a_board_is_written_again(lab: HookLab) -> None:
    (board,) = load_inventory(lab.inventory).boards
    add_board(lab.inventory, board)
    assert load_inventory(lab.inventory).boards == (board,)


def test_who_asks_how_boards_are_runs_no_hooks(lab: HookLab) -> None:
    listed = run_bench("boards", "list", "--status", "--inventory", lab.inventory)
    assert "free; its hooks ready it when it is used" in listed.stdout
    assert lab.log == []
    with lab.boards.hold("desk"):
        listed = run_bench("boards", "list", "--status", "--inventory", lab.inventory)
    assert listed.stdout.split()[-1] == "free"
    assert len(lab.log) == 2


@pytest.mark.usefixtures("ctrl_c")
def test_a_push_that_is_interrupted_leaves_the_board_as_its_hooks_say(lab: HookLab, tmp_path: Path) -> None:
    lab.write("on", "off", 'behaviour = "hang.json"')
    (tmp_path / "hang.json").write_text('{"hang": {"stage": "inference"}}')
    words = ["push", DEMO / "digits.int8.rknn", "--board", "desk", "--inventory", lab.inventory]
    pushing = subprocess.Popen(
        [sys.executable, "-c", BENCH, *map(str, words), "--store", str(tmp_path / "s"), "--jsonl", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert pushing.stdout is not None
    while "measuring" not in pushing.stdout.readline():
        assert pushing.poll() is None, pushing.communicate()
    os.kill(pushing.pid, signal.SIGINT)
    _, err = pushing.communicate(timeout=60)
    assert pushing.returncode == 130, err
    assert [line.split()[0] for line in lab.log] == ["before_hold", "after_hold"]
