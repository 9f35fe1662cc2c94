"""What a user of the first version has on disk opens and works: store, inventory, nights, goldens, boards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from first_version import (
    BALCONY_PORT,
    DESK_PORT,
    KEPT,
    MODELS,
    QUICK,
    Home,
    compared,
    files,
    find,
    fingerprints,
    kept_rows,
    kept_store,
    lacking,
    numbers,
    printed,
    table,
    without_agreement,
    without_p99,
)
from ports import free_port
from servers import Exporter, Impostor, Systemd, get, is_open, series, serve

FP16, INT8 = (f"models/{model}.rknn" for model in MODELS)
UNIT = "etc/systemd/system/rkbench-exporter.service"
RUNS = 26


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that the tests only read."""
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of one's own."""
    return Home(tmp_path)


#: Gates on tails, which the few blocks of a run of the first version cannot decide.
UNDECIDED = {("p90 within 10% of the baseline", "can't tell")}


def undecided(cell: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the gates of a cell that did not pass, with what they say."""
    return {(gate["gate"], gate["state"]) for gate in cell["gates"] if gate["state"] != "pass"}


# -- the store ------------------------------------------------------------------------------------


def test_every_stored_push_is_shown_with_all_that_the_first_version_showed(shared: Home) -> None:
    shown = [item for item in printed("show") if "--store" not in item.arguments]
    runs = 0
    for item in shown:
        now, then = shared.bench(*item.arguments).document, item.document
        assert lacking(then["runs"], now["runs"], item.arguments[1]) == []
        old, new = numbers(compared(then)), numbers(compared(now))
        tests = old.pop("latency_tests")  # judged by pairs of blocks now, see below
        shifts = old["metrics"]["latency_p50_s"].pop("differences")  # those estimates too
        assert new["metrics"]["latency_p50_s"]["differences"] == pytest.approx(shifts, abs=0.1)
        assert lacking(old, new, item.arguments[1]) == []
        assert len(tests) == len(new["latency_tests"])
        runs += len(then["runs"])
    assert (len(shown), runs) == (18, RUNS)


def test_stored_pushes_are_compared_by_pairs_where_their_blocks_took_turns(shared: Home) -> None:
    """Their blocks of 50 are few: the estimate stays, and that they cannot tell is said with what would."""
    shown = [item for item in printed("show") if "--store" not in item.arguments]
    judged = 0
    for item in shown:
        now = shared.bench(*item.arguments).document["comparison"]["latency_tests"]
        for old, new in zip(item.document["comparison"]["latency_tests"], now, strict=True):
            assert new["unit"] == "quad" or new["reason"]
            assert (new["low_percent"] is None) == (new["judgement"] == "can't tell")
            assert new["needed"] or new["reason"] or new["judgement"] != "can't tell"
            if old["difference_percent"] is not None:
                assert new["difference_percent"] == pytest.approx(old["difference_percent"], abs=0.1)
                judged += 1
    assert judged == 8


def test_the_history_names_every_stored_run(shared: Home, tmp_path: Path) -> None:
    ids = {row[0] for row in kept_rows(tmp_path, "SELECT id FROM runs")}
    lines = shared.bench("history", "--limit", "1000").stdout.splitlines()
    assert ids <= {line.split()[0] for line in lines if line}
    assert len(ids) == RUNS


@pytest.mark.parametrize("arguments", [("export",), ("export", "--raw")])
def test_every_column_of_every_run_and_iteration_is_exported(
    shared: Home, arguments: tuple[str, ...]
) -> None:
    (item,) = (item for item in printed(*arguments) if item.arguments == arguments)
    then, now = table(item.stdout), table(shared.bench(*arguments).stdout)
    assert lacking([without_p99(row) for row in then], now) == []
    assert len(then) == {"export": RUNS, "--raw": 3325}[arguments[-1]]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_store_of_an_older_schema_is_brought_forward(home: Home, version: int) -> None:
    name = f"results.{version}.sqlite"
    (home.lab / name).write_bytes(kept_store(f"results.{version}"))
    options = ("--store", name)
    (shown,) = (item for item in printed("show") if item.arguments[-2:] == options)
    (raw,) = (item for item in printed("export") if item.arguments[-2:] == options)
    assert lacking(shown.document["runs"], home.bench(*shown.arguments).document["runs"]) == []
    assert lacking(table(raw.stdout), table(home.bench(*raw.arguments).stdout)) == []
    assert len(table(raw.stdout)) == 105
    assert home.bench("baseline", "list", *options).returncode == 0


def has_exporter(target: Any) -> bool:
    return target["labels"].get("__meta_rkbench_runtime") != "virtual"


def test_prometheus_is_told_the_series_that_the_first_version_told(shared: Home) -> None:
    (then,), (targets,) = printed("serve", "metrics"), printed("serve", "sd")
    metrics, found = serve(shared, "metrics", "sd")
    wanted, told = series(then.stdout), series(metrics)
    wanted = {name: value for name, value in wanted.items() if 'quantile="0.99"' not in name}
    assert {name: told.get(name) for name in wanted} == wanted
    assert len(wanted) > 800
    # A virtual board without a home has no exporter: at its address another board's answered for it.
    old, new = ([one for one in told if has_exporter(one)] for told in (targets.document, json.loads(found)))
    assert lacking(old, new) == []
    assert old


# -- the inventory --------------------------------------------------------------------------------


def test_every_key_of_the_inventory_is_read_as_it_was(shared: Home) -> None:
    (then,) = printed("boards", "list")
    boards = shared.bench("boards", "list", "--json").document
    assert lacking(json.loads(shared.filled(then.stdout)), boards) == []
    assert [board["name"] for board in boards][:3] == ["desk", "attic", "shelf"]


def test_an_edit_of_the_inventory_keeps_every_comment_and_the_host_keys(home: Home) -> None:
    before, hosts = home.inventory.read_text(), home.known_hosts.read_text()
    assert home.bench("boards", "add", "new", "virtual", "--tag", "x").returncode == 0
    assert "new" in {board["name"] for board in home.bench("boards", "list", "--json").document}
    assert home.bench("boards", "remove", "new").returncode == 0
    assert home.inventory.read_text().split() == before.split()
    assert home.known_hosts.read_text() == hosts


def test_removing_a_board_forgets_its_host_key_and_nothing_else(home: Home) -> None:
    assert home.bench("boards", "remove", "desk").returncode == 0
    assert list(fingerprints(home.known_hosts)) == ["192.0.2.20"]
    assert "# Looked at by Ann, with the serial cable." in home.known_hosts.read_text()
    text = home.inventory.read_text()
    assert "# everybody's" not in text
    assert "# Our boards. Ask Ann before you move a cable." in text
    assert 'behaviour = "~/lab/shelf.json" # how it misbehaves' in text


def test_a_board_that_shows_another_host_key_than_the_recorded_one_is_refused(home: Home) -> None:
    with Impostor() as impostor:
        for path, mark in ((home.inventory, "port = "), (home.known_hosts, "[127.0.0.1]:")):
            text = path.read_text()
            assert f"{mark}{DESK_PORT}" in text
            path.write_text(text.replace(f"{mark}{DESK_PORT}", f"{mark}{impostor.port}"))
        done = home.bench("boards", "check", "desk")
    assert done.returncode == 1
    assert fingerprints(KEPT / "bench.known_hosts")[f"[127.0.0.1]:{DESK_PORT}"] in done.stdout + done.stderr
    assert not impostor.asked


# -- nights ---------------------------------------------------------------------------------------


def test_an_unfinished_night_is_gone_on_with_where_it_was(home: Home, tmp_path: Path) -> None:
    ((night_id, cell),) = kept_rows(
        tmp_path,
        "SELECT id, cells.document FROM nights JOIN cells ON night = id WHERE ended_unix_s IS NULL",
    )
    night = home.bench("nightly", "suite.toml", "--resume", "--json", "-").document
    assert (night["id"], night["resumed"], night["exit_code"]) == (night_id, 1, 0)
    assert night["ended_unix_s"] is not None
    first, second = night["cells"]
    assert lacking(json.loads(cell), first) == []
    stored = {run for (run,) in kept_rows(tmp_path, "SELECT id FROM runs")}
    assert set(first["runs"]) <= stored
    assert not set(second["runs"]) & stored
    assert undecided(second) <= UNDECIDED


def test_a_new_night_is_held_against_the_baseline_that_the_first_version_accepted(
    home: Home, tmp_path: Path
) -> None:
    # Virtual boards show what is predicted now: this is a tenth above what the first version modelled.
    slow = {"seed": 8, "latency": {"factor": 1.614}}
    home.behave("shelf", seed=9, per_model={MODELS[0]: slow})
    done = home.bench("nightly", "suite.toml", "--fresh", "--json", "-")
    first, second = done.document["cells"]
    assert (done.returncode, done.document["exit_code"]) == (3, 3)
    accepted = dict(kept_rows(tmp_path, "SELECT variant, run FROM baselines"))
    assert {cell["variant"]: cell["baseline"] for cell in (first, second)} == accepted
    gate = next(gate for gate in first["gates"] if gate["gate"] == "p50 within 5%")
    assert gate["state"] == "fail"
    assert [round(item["difference_percent"]) for item in gate["measurements"]] == [10, 10]
    assert len(first["gates"]) == len(second["gates"]) == 21
    assert undecided(second) <= UNDECIDED


def test_the_baselines_are_listed_and_an_old_night_can_be_accepted(home: Home, tmp_path: Path) -> None:
    accepted = [run for (run,) in kept_rows(tmp_path, "SELECT run FROM baselines")]
    listed = home.bench("baseline", "list").stdout
    assert [run in listed for run in accepted] == [True, True]
    rows = [line.split() for line in listed.splitlines() if any(run in line for run in accepted)]
    assert [row[5] for row in rows] == ["≈", "≈"]
    assert listed.endswith("≈ simulated by virtual boards\n")
    green = printed("nightly")[0].document
    assert home.bench("baseline", "accept", green["id"]).returncode == 0
    listed = home.bench("baseline", "list").stdout
    assert [run in listed for cell in green["cells"] for run in cell["runs"]] == [True, True]
    assert not any(run in listed for run in accepted)


# -- goldens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("golden", ["digits.golden.npz", "hand.npz"])
def test_outputs_are_held_against_an_old_golden_as_they_were(home: Home, golden: str) -> None:
    home.unpack()  # the cache of prepared goldens
    (then,) = (item for item in printed("push") if golden in item.arguments)
    ((before, now),) = zip(then.document["runs"], home.bench(*then.arguments).document["runs"], strict=True)
    assert before["outputs"][0]["case_count"] == 4
    assert lacking(without_agreement(before["outputs"]), now["outputs"]) == []
    assert now["outputs"][0]["top1_agreement"] is None  # no such golden says that it holds classes


# -- a board --------------------------------------------------------------------------------------


class Porch:
    """A board with an agent of the first version, its cache, a cut upload and clocks that nobody gave back;
    two models are pushed there."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.home.unpack("porch")
        self.home.behave("porch")
        self.tree = self.home.folder / "boards/porch.rk3588.tree"
        self.cache = self.home.folder / "boards/porch/.cache/rkbench"
        self.pinned = json.loads((self.cache / "pinned.json").read_text())["settings"]
        self.clocks_before = self.clocks()
        self.files_before = {name: self.read(name) for name in files(self.cache / "agents")}
        options = ("--board", "porch", "--golden", "digits.golden.npz", *QUICK)
        self.done = self.home.bench("push", INT8, FP16, *options, "--json", "-")
        self.int8, self.fp16 = self.done.document["runs"]

    def clocks(self) -> list[str]:
        """Return what the files say that were written to pin the clocks."""
        return [(self.tree / name).read_text().strip() for name, _ in self.pinned]

    def read(self, name: str) -> bytes:
        """Return a file of the agents' folder."""
        return (self.cache / "agents" / name).read_bytes()


PORCH = pytest.mark.xdist_group("porch")  # one push serves all of these


@pytest.fixture(scope="module")
def porch(tmp_path_factory: pytest.TempPathFactory) -> Porch:
    return Porch(tmp_path_factory.mktemp("porch"))


@PORCH
def test_a_push_works_beside_an_agent_of_the_first_version(porch: Porch) -> None:
    assert (porch.done.returncode, porch.int8["failure"], porch.fp16["failure"]) == (0, None, None)
    assert (porch.cache / f"agents/{porch.int8['board']['agent_digest']}.pyz").is_file()
    old = {name: content for name, content in porch.files_before.items() if name.endswith(".py")}
    assert len(old) == 54
    assert {name: porch.read(name) for name in old} == old


@PORCH
def test_a_model_in_the_boards_cache_is_not_sent_again(porch: Porch) -> None:
    assert (porch.int8["transfer"]["cached"], porch.int8["transfer"]["sent_bytes"]) == (True, 0)


@PORCH
def test_an_upload_that_was_cut_goes_on(porch: Porch) -> None:
    pushes = [item.document for item in printed("push", "models/digits.fp16.rknn")]
    whole_bytes = pushes[0]["runs"][2]["transfer"]["sent_bytes"]
    assert pushes[0]["runs"][2]["variant"]["name"] == porch.fp16["variant"]["name"]
    assert 0 < porch.fp16["transfer"]["sent_bytes"] < 0.9 * whole_bytes
    assert files(porch.cache / "incoming") == set()


@PORCH
def test_clocks_that_a_killed_guard_left_pinned_are_given_back(porch: Porch) -> None:
    assert porch.clocks_before == ["performance"] * 5
    assert porch.clocks() == [value for _, value in porch.pinned]
    assert not (porch.cache / "pinned.json").exists()


@PORCH
def test_a_new_run_is_stored_beside_the_old_ones(porch: Porch) -> None:
    rows = table(porch.home.bench("export").stdout)
    assert len(rows) == RUNS + 2
    assert {porch.int8["id"], porch.fp16["id"]} <= {value for row in rows for value in row.values()}


# -- exporters ------------------------------------------------------------------------------------


def test_a_running_exporter_is_replaced_and_taken_off_without_a_trace(home: Home) -> None:
    old_port, new_port = free_port(), free_port()
    home.unpack("balcony", **{f":{BALCONY_PORT}": f":{old_port}"})
    board = home.folder / "boards/balcony"
    folder = board / ".cache/rkbench/exporter"
    with Exporter(folder, old_port):
        try:
            done = home.bench("boards", "install-exporter", "balcony", "--port", new_port)
            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads((folder / "installed.json").read_text())["digest"] in get(new_port, "-/healthy")
            assert "rkbench_npu_clock_hertz" in get(new_port, "metrics")
            assert not is_open(old_port)
        finally:
            gone = home.bench("boards", "install-exporter", "balcony", "--uninstall")
    assert gone.returncode == 0
    assert files(board) == set()
    assert not is_open(new_port)


def test_a_unit_of_systemd_is_replaced(home: Home, tmp_path: Path) -> None:
    home.unpack("cellar")
    board, port = home.folder / "boards/cellar", free_port()
    system = Systemd(tmp_path / "bin")
    tree = home.folder / "boards/cellar.rk3588.tree"
    before = files(tree)
    try:
        done = home.bench("boards", "install-exporter", "cellar", "--port", port, programs=system.folder)
        assert (done.returncode, done.stderr) == (0, "")
        record = json.loads((board / ".cache/rkbench/exporter/installed.json").read_text())
        assert record["digest"] in get(port, "-/healthy")
        assert any(f":{port} " in Path(name).read_text() for name in record["files"])
    finally:
        home.bench("boards", "install-exporter", "cellar", "--uninstall", programs=system.folder)
    assert files(board) == set()
    assert before - files(tree) == {UNIT}


def test_a_unit_of_systemd_is_taken_off_without_a_trace(home: Home, tmp_path: Path) -> None:
    home.unpack("cellar")
    system = Systemd(tmp_path / "bin")
    tree = home.folder / "boards/cellar.rk3588.tree"
    before = files(tree)
    done = home.bench("boards", "install-exporter", "cellar", "--uninstall", programs=system.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(home.folder / "boards/cellar") == set()
    assert before - files(tree) == {UNIT}
    assert any(line.startswith("disable --now") and line.endswith(Path(UNIT).name) for line in system.told())


# -- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "count"),
    [("rkbench/1", 26), ("rkbench-nightly/1", 2), ("rkbench-check/1", 1), ("rkbench-inspect/1", 3)],
)
def test_a_document_of_the_first_version_fits_the_schema_of_today(schema: str, count: int) -> None:
    documents = [item.document for item in printed() if item.stdout.startswith("{")]
    fitting = [document for document in documents if document["schema"] == schema]
    path = find(f"{schema.replace('/', '-')}.schema.json")
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text()))
    for document in fitting:
        validator.validate(document)
    assert len(fitting) == count


def states(cell: dict[str, Any]) -> set[str]:
    """Return what the gates of a cell say."""
    return {gate["state"] for gate in cell["gates"]}
