"""From an address to a store."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.errors import UsageError
from rkbench.nightly.lock import lock_path
from rkbench.store import default_address, open_store
from rkbench.store.opening import STORES, scheme_of


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
    assert caught.value.hint == "give the path of a file: --store FILE"
    monkeypatch.setitem(STORES, "memory", "memory_store")
    with pytest.raises(UsageError) as caught:
        open_store("oracle://farm/results")
    assert caught.value.hint == "give the path of a file, or memory://...: --store FILE"


def test_the_lock_of_a_night_lies_beside_a_file_and_at_home_for_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert lock_path("/lab/results.sqlite") == Path("/lab/results.sqlite.nightly.lock")
    one, other = (lock_path(f"memory://{name}") for name in ("one", "other"))
    assert one != other
    assert {one.parent, other.parent} == {tmp_path / "rkbench"}
