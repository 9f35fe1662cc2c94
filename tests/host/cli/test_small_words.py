"""Small words of the command line, each of which once said or did something else."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from bench_command import Done, run_bench
from made_runs import collected, make_run
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.store import open_store

MODEL = Path(__file__).parents[2] / "data/models/mb_gap7_rk3588_i8.rknn"


def bench(tmp_path: Path, *arguments: str, **variables: str) -> Done:
    environment = {
        **os.environ,
        "RKBENCH_STORE": str(tmp_path / "results.sqlite"),
        "HOME": str(tmp_path),
        **variables,
    }
    return run_bench(*arguments, environment=environment, folder=tmp_path)


def store_runs(tmp_path: Path, count: int = 1) -> None:
    with open_store(str(tmp_path / "results.sqlite")) as store:
        for number in range(1, count + 1):
            store.save(Collected(make_run(number), RawLatencies(), ()))


def test_a_history_that_nothing_fits_is_not_an_empty_store(tmp_path: Path) -> None:
    store_runs(tmp_path)
    done = bench(tmp_path, "history", "--board", "nosuch")
    assert done.stdout == "no stored run fits --board nosuch; all of them: bench history\n"


def test_a_limit_that_no_store_can_count_to_is_a_usage_error(tmp_path: Path) -> None:
    assert bench(tmp_path, "history", "--limit", "9" * 23).returncode == 2


def test_a_run_is_found_by_its_number_without_zeros(tmp_path: Path) -> None:
    store_runs(tmp_path, 2)
    done = bench(tmp_path, "show", "1qmv0w0v1-1")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_columns_are_as_many_as_without_a_word(tmp_path: Path) -> None:
    store_runs(tmp_path)
    assert bench(tmp_path, "history", COLUMNS="0").stdout == bench(tmp_path, "history", COLUMNS="100").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("history",),
        ("nights",),
        ("show", "last"),
        ("compare", "last~1", "last"),
        ("report", "last", "-o", "report.html"),
        ("report", "--site", "site"),
        ("export",),
        ("tag",),
        ("tag", "last", "word"),
        ("baseline", "list"),
        ("store", "check"),
        ("store", "backup", "copy.sqlite"),
    ],
    ids=" ".join,
)
def test_a_store_that_was_named_and_is_not_there_is_not_made(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = bench(tmp_path, *arguments, "--store", "typo.sqlite")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bench: no result store at typo.sqlite: No such file or directory")
    assert list(tmp_path.glob("*typo*")) == []


def test_the_first_history_of_all_says_that_nothing_is_stored_yet(tmp_path: Path) -> None:
    done = bench(tmp_path, "history")
    assert (done.returncode, done.stdout) == (
        0,
        "no runs stored yet: bench push MODEL.rknn --board virtual\n",
    )


def test_what_only_the_second_push_has_is_named_by_a_comparison(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "results.sqlite")) as store:
        for push, names in (("01kazk00000000000000000abc", "a"), ("01kazk00000000000000000xyz", "abcdefghi")):
            for number, name in enumerate(names, 1):
                store.save(collected(make_run(number, name, push=push)))
    done = bench(tmp_path, "compare", "last~1", "last", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "in last alone: b, c, d, e, f, g and 2 more" in done.stdout
    said = " ".join(done.stdout.split())
    assert "the file is the same; how it went between: bench history --plot p50" in said
    back = bench(tmp_path, "compare", "last", "last~1", COLUMNS="200")
    assert "in last alone: b, c, d, e, f, g and 2 more" in back.stdout


def test_a_run_that_is_meant_by_both_names_is_said_to_be_compared_with_nothing(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "results.sqlite")) as store:
        for number, name in enumerate("ab", 1):
            store.save(collected(make_run(number, name)))
    done = bench(tmp_path, "compare", "last", "last", COLUMNS="200")
    assert "all 2: one run of it is meant by every name, and held against none; others: bench history" in (
        done.stdout
    )


def test_what_names_no_run_is_told_what_was_perhaps_meant(tmp_path: Path) -> None:
    store_runs(tmp_path)
    assert bench(tmp_path, "tag", "last").stdout == (
        "no tag of last: bench tag last before-the-update --note 'driver 0.9.8'\n"
    )
    bench(tmp_path, "tag", "last", "before-the-update")
    model = make_run(1).variant.name
    for typed, said in (
        ("before", "did you mean before-the-update?"),
        ("befor-the-update", "did you mean before-the-update?"),
        ("lst", "did you mean last?"),
        (model, f"it is a model; its runs: bench history --model {model}"),
    ):
        done = bench(tmp_path, "show", typed)
        assert (done.returncode, f"  → {said}" in done.stderr.splitlines()) == (2, True), done.stderr
    assert "did you mean" not in bench(tmp_path, "show", "nosuch").stderr
    turned = bench(tmp_path, "tag", "before-the-update", "last")
    assert "the run comes first, then its tag: bench tag RUN TAG" in turned.stderr


def test_an_export_goes_on_behind_a_damaged_run(tmp_path: Path) -> None:
    store_runs(tmp_path, 3)
    with sqlite3.connect(tmp_path / "results.sqlite") as database:
        database.execute("UPDATE runs SET document = '{' WHERE id = ?", ("1qmv0w0v1-02",))
    done = bench(tmp_path, "export")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 3)
    assert "bench: left out: the stored run 1qmv0w0v1-02 is no JSON: " in done.stderr


def test_options_of_all_commands_may_stand_before_a_command_of_a_group(tmp_path: Path) -> None:
    assert bench(tmp_path, "boards", "-v", "list").returncode == 0


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("virtual:rk3568", 0, "v3 is in"),
        ("virtual:rk1808", 2, "there is no virtual 'rk1808'"),
    ],
)
def test_a_virtual_board_is_added_with_its_soc(tmp_path: Path, address: str, code: int, said: str) -> None:
    done = bench(tmp_path, "boards", "add", "v3", address)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True)
    if code == 0:
        (board,) = bench(tmp_path, "boards", "list", "--json").document
        assert (board["host"], board["soc"], board["simulated"]) == ("virtual", "rk3568", True)


def test_a_board_that_takes_the_place_of_another_says_so_and_one_of_no_soc_is_refused(tmp_path: Path) -> None:
    first, second = (bench(tmp_path, "boards", "add", "v3", "virtual") for _ in range(2))
    assert "in place of the one before" not in first.stderr + first.stdout
    assert "in place of the one before" in second.stderr + second.stdout
    wrong = bench(tmp_path, "boards", "add", "rock", "rock5b", "--soc", "rk9999")
    assert (wrong.returncode, "no SoC 'rk9999' is known" in wrong.stderr) == (2, True)
    assert "rk3588" in wrong.stderr


def test_removing_a_board_leaves_the_comment_of_the_next(tmp_path: Path) -> None:
    text = (
        '# ours\n[boards.a]\nhost = "virtual"\n\n# b hangs on the wall\n[boards.b]\nhost = "virtual"\n'
        '\n# the last\n[boards.c]\nhost = "virtual"\n'
    )
    (tmp_path / "bench.toml").write_text(text)
    assert bench(tmp_path, "boards", "remove", "a").returncode == 0
    left = (tmp_path / "bench.toml").read_text()
    assert '# b hangs on the wall\n[boards.b]\nhost = "virtual"\n' in left
    assert "[boards.a]" not in left
    assert bench(tmp_path, "boards", "remove", "b").returncode == 0
    assert '# the last\n[boards.c]\nhost = "virtual"\n' in (tmp_path / "bench.toml").read_text()


def test_a_runtime_of_the_inventory_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text('[boards.a]\nhost = "h"\nruntime = "light"\n')
    done = bench(tmp_path, "boards", "list")
    assert done.returncode != 0
    assert "runtime 'light' is none of lite, capi" in done.stderr


def test_the_completion_of_a_named_shell_is_installed(tmp_path: Path) -> None:
    assert bench(tmp_path, "--install-completion", "zsh").returncode == 0
    assert (tmp_path / ".zshrc").exists()
    assert "no completion for the shell 'zzz'" in bench(tmp_path, "--install-completion", "zzz").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "none.rknn"),
        ("inspect", "none.onnx"),
        ("fix", "none.onnx", "--target", "rk3588", "-o", "out.onnx"),
        ("golden", "none.onnx"),
        ("push", "none.rknn", "--board", "virtual"),
        ("push", str(MODEL), "--board", "virtual", "--golden", "none.npz"),
        ("push", str(MODEL), "--board", "none"),
        ("boards", "check", "none"),
        ("boards", "remove", "none"),
        ("show", "none"),
        ("export", "none"),
        ("nightly", "none.toml"),
    ],
    ids=" ".join,
)
def test_what_is_named_and_not_there_is_a_usage_error_in_every_command(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = bench(tmp_path, *arguments)
    assert (done.returncode, "none" in done.stderr) == (2, True)


def test_what_is_there_and_wrong_is_no_usage_error(tmp_path: Path) -> None:
    (tmp_path / "text.rknn").write_text("hello")
    codes = [
        bench(tmp_path, *words).returncode
        for words in (("inspect", "text.rknn"), ("push", "text.rknn", "--board", "virtual"))
    ]
    assert codes == [1, 1]


def test_a_home_that_is_no_path_is_named() -> None:
    done = run_bench("history", environment={**os.environ, "HOME": "~root"})
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "bench: HOME is '~root', which is no folder")
