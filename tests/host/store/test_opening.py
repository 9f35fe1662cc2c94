"""From an address to a store."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.errors import UsageError
from rkbench.nightly.lock import lock_path
from rkbench.store import default_address, open_store
from rkbench.store.addresses import has_password, scheme_of, without_password
from rkbench.store.opening import STORES


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"RKBENCH_STORE": "/x/y.sqlite"}, "/x/y.sqlite"),
        ({"RKBENCH_STORE": "postgresql://farm/results"}, "postgresql://farm/results"),
        ({"XDG_DATA_HOME": "/data"}, "/data/rkbench/results.sqlite"),
    ],
)
def test_the_store_lies_where_the_environment_says(environ: dict[str, str], address: str) -> None:
    assert default_address(environ) == address


@pytest.mark.parametrize(
    ("address", "scheme"),
    [("/a/b", ""), ("a.sqlite", ""), ("Memory://x", "memory"), ("./x://y", ""), ("", "")],
)
def test_what_has_no_scheme_is_a_path(address: str, scheme: str) -> None:
    assert scheme_of(address) == scheme


def test_a_scheme_that_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no kind of result store is called 'oracle'") as caught:
        open_store("oracle://farm/results")
    assert caught.value.hint == (
        "give the path of a file, or postgresql://..., postgresql+psycopg://...: --store FILE"
    )
    monkeypatch.setitem(STORES, "memory", "memory_store")
    with pytest.raises(UsageError) as caught:
        open_store("oracle://farm/results")
    assert "memory://..." in caught.value.hint


@pytest.mark.parametrize(
    "address",
    ["postgresql+psycopg//w@db.lab/rkbench", "postgresql:/w:secret@db.lab/rkbench", "Postgres//db.lab/x"],
)
def test_a_url_without_its_colon_or_slashes_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="neither the URL of a store nor the path of one") as caught:
        open_store(address)
    assert caught.value.hint.startswith("postgresql+psycopg://ROLE@HOST/DATABASE")
    assert "secret" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_called_postgres_may_have_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("postgres/results.sqlite"):
        assert (tmp_path / "postgres/results.sqlite").exists()


def test_an_address_that_is_empty_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="the address of a store is empty") as caught:
        open_store("")
    assert "$RKBENCH_STORE" in caught.value.hint


def test_the_lock_of_a_night_lies_beside_a_file_and_at_home_for_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert lock_path("/lab/results.sqlite") == Path("/lab/results.sqlite.nightly.lock")
    one, other = (lock_path(f"memory://{name}") for name in ("one", "other"))
    assert one != other
    assert {one.parent, other.parent} == {tmp_path / "rkbench"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:hunter2@h/x", "postgresql://me:***@h/x"),
        ("postgresql://me:hun@ter/2@h/x?sslmode=require", "postgresql://me:***@h/x?sslmode=require"),
        ("postgresql://me@h/x?password=hunter2&a=b", "postgresql://me@h/x?password=***&a=b"),
        ("postgresql://me@h:5432/x", "postgresql://me@h:5432/x"),
        ("/a/b:c@d", "/a/b:c@d"),
    ],
)
def test_a_password_is_never_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown
    assert has_password(address) == (address != shown)


def test_a_typed_password_is_warned_about(tmp_path: Path) -> None:
    done = run_bench("history", "--store", "postgresql://me:hun@ter2@h/x", folder=tmp_path)
    assert "the password in --store stands in the list of processes" in done.stderr
    assert done.returncode == 2
    assert "ter2" not in done.stderr + done.stdout
