"""A store over TLS: what the URL says behind its `?` is what libpq checks; a real certificate, made here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from made_runs import collected, make_run
from postgres_server import OWNER, PASSWORDS, PostgresServer
from rkbench.errors import StoreUnavailableError
from rkbench.store import open_store

CHECK = "check sslmode and sslrootcert in the URL"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[PostgresServer]:
    """A server whose certificate is for localhost, and no other name."""
    running = PostgresServer()
    running.secure(*authority.sign("db", ["localhost"]))
    yield running
    running.close()


def address(server: PostgresServer, host: str, *options: str) -> str:
    """Return the address of a new store on the server by a name of this computer."""
    found = server.url(server.database(roles=True), OWNER, options)
    return found.replace(f"{OWNER}@127.0.0.1", f"{OWNER}:{PASSWORDS[OWNER]}@{host}")


def test_a_certificate_that_is_known_lets_the_store_be_used(
    secured: PostgresServer, authority: Authority
) -> None:
    where = address(secured, "localhost", "sslmode=verify-full", f"sslrootcert={authority.certificate}")
    with open_store(where) as store:
        store.save(collected(make_run()))
        assert [row.run for row in store.history()] == ["1qmv0w0v1-01"]
        told = (
            "SELECT DISTINCT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = "
        )
        assert secured.admin(f"{told}'{OWNER}'") == [(True, "TLSv1.3")]


@pytest.mark.parametrize(
    ("host", "options", "told", "hint"),
    [
        ("127.0.0.1", ["sslmode=verify-full", "sslrootcert={ca}"], r"does not match host name", CHECK),
        ("localhost", ["sslmode=verify-full", "sslrootcert={other}"], r"certificate verify failed", CHECK),
        (
            "localhost",
            ["sslmode=verify-full", "sslrootcert={none}"],
            r'root certificate file ".*" does not exist',
            CHECK,
        ),
        ("localhost", ["sslmode=disable"], r"no encryption", "without TLS (?sslmode=verify-full)"),
    ],
    ids=["another name", "another authority", "no authority", "plain"],
)
def test_what_does_not_fit_is_refused_with_the_words_to_mend(
    secured: PostgresServer,
    authority: Authority,
    tmp_path: Path,
    host: str,
    options: list[str],
    told: str,
    hint: str,
) -> None:
    files = {
        "ca": authority.certificate,
        "other": Authority(tmp_path).certificate,
        "none": tmp_path / "no.pem",
    }
    where = address(secured, host, *(option.format(**files) for option in options))
    with pytest.raises(StoreUnavailableError, match=told) as caught, open_store(where):
        pass
    assert hint in caught.value.hint
    assert PASSWORDS[OWNER] not in caught.value.message + caught.value.hint


def test_a_name_that_does_not_matter_is_encrypted_all_the_same(
    secured: PostgresServer, authority: Authority
) -> None:
    where = address(secured, "127.0.0.1", "sslmode=verify-ca", f"sslrootcert={authority.certificate}")
    with open_store(where) as store:
        assert store.history() == []
