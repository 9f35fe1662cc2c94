"""Host keys on record."""

from __future__ import annotations

from pathlib import Path

import paramiko
import pytest
from rkbench.boards.ssh.host_keys import (
    check_host_key,
    forget_host_key,
    key_algorithms,
    record_host_key,
    recorded_keys,
)
from rkbench.boards.ssh.server import _new_key
from rkbench.errors import HostKeyError


@pytest.fixture
def key(tmp_path: Path) -> paramiko.PKey:
    return _new_key(tmp_path / "key")


def test_a_recorded_key_is_found_again_under_host_and_port(tmp_path: Path, key: paramiko.PKey) -> None:
    file = tmp_path / "known_hosts"
    record_host_key(file, "rock", 22, key)
    record_host_key(file, "rock", 2222, key)
    assert [line.split()[0] for line in file.read_text().splitlines()] == ["rock", "[rock]:2222"]
    (found,) = recorded_keys("rock", 2222, [file, tmp_path / "missing"])
    assert found.key.fingerprint == key.fingerprint
    assert recorded_keys("rock", 23, [file]) == ()


def test_hashed_names_are_found(tmp_path: Path, key: paramiko.PKey) -> None:
    name = paramiko.HostKeys.hash_host("rock")
    (tmp_path / "known_hosts").write_text(f"{name} {key.get_name()} {key.get_base64()}\n")
    assert len(recorded_keys("rock", 22, [tmp_path / "known_hosts"])) == 1


def test_a_new_key_replaces_the_old_one_and_leaves_other_lines(tmp_path: Path, key: paramiko.PKey) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("# by hand\nother ssh-ed25519 AAAA\n")
    record_host_key(file, "rock", 22, _new_key(tmp_path / "old"))
    record_host_key(file, "rock", 22, key)
    (found,) = recorded_keys("rock", 22, [file])
    assert found.key.fingerprint == key.fingerprint
    forget_host_key(file, "rock", 22)
    assert file.read_text() == "# by hand\nother ssh-ed25519 AAAA\n"


def test_only_algorithms_of_recorded_keys_are_asked_for(tmp_path: Path, key: paramiko.PKey) -> None:
    record_host_key(tmp_path / "k", "rock", 22, key)
    recorded = recorded_keys("rock", 22, [tmp_path / "k"])
    assert key_algorithms(recorded, ("rsa-sha2-512", "ssh-ed25519")) == ("ssh-ed25519",)


def test_several_keys_of_one_type_are_all_on_record(tmp_path: Path, key: paramiko.PKey) -> None:
    other = _new_key(tmp_path / "other")
    lines = [f"a,rock {item.get_name()} {item.get_base64()} comment\n" for item in (other, key)]
    (tmp_path / "k").write_text("".join(lines))
    recorded = recorded_keys("rock", 22, [tmp_path / "k"])
    assert [entry.key.fingerprint for entry in recorded] == [other.fingerprint, key.fingerprint]


@pytest.mark.parametrize(
    "line",
    [
        "rock ssh-ed25519 !!!",
        "rock",
        "rock ssh-ed25519 AAAA",
        "rock ssh-new AAAAC3Nz",
        "@revoked rock x y",
        "\xff",
    ],
)
def test_a_damaged_line_is_skipped(tmp_path: Path, key: paramiko.PKey, line: str) -> None:
    (tmp_path / "k").write_text(f"{line}\nrock {key.get_name()} {key.get_base64()}\n", encoding="latin-1")
    assert len(recorded_keys("rock", 22, [tmp_path / "k"])) == 1


def test_a_key_in_any_file_is_enough(tmp_path: Path, key: paramiko.PKey) -> None:
    record_host_key(tmp_path / "a", "rock", 22, _new_key(tmp_path / "old"))
    record_host_key(tmp_path / "b", "rock", 22, key)
    recorded = recorded_keys("rock", 22, [tmp_path / "a", tmp_path / "b"])
    check_host_key(key, recorded, board="b", address="rock", host="rock", port=22)
    with pytest.raises(HostKeyError, match="CHANGED"):
        check_host_key(key, recorded[:1], board="b", address="rock", host="rock", port=22)


def test_a_home_that_is_no_folder_has_no_keys_on_record() -> None:
    """Services and containers set HOME to /dev/null."""
    assert recorded_keys("desk", 22, [Path("/dev/null/.ssh/known_hosts")]) == ()


@pytest.mark.parametrize("names", ["rock", "*", "rock,other", "[rock]:22*", "r?ck"])
@pytest.mark.parametrize("port", [22, 2222])
def test_a_revoked_key_is_refused_though_it_is_listed_as_well(
    tmp_path: Path, key: paramiko.PKey, names: str, port: int
) -> None:
    if names.startswith("[") and port == 22:
        names = "rock"
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked {names} {key.get_name()} {key.get_base64()}\n")
    record_host_key(file, "rock", port, key)
    recorded = recorded_keys("rock", port, [file])
    with pytest.raises(HostKeyError, match="@revoked"):
        check_host_key(key, recorded, board="b", address="rock", host="rock", port=port)


def test_a_revoked_key_of_another_host_or_another_key_changes_nothing(
    tmp_path: Path, key: paramiko.PKey
) -> None:
    old = _new_key(tmp_path / "old")
    file = tmp_path / "known_hosts"
    lines = (("other", key), ("rock", old))
    file.write_text("".join(f"@revoked {name} {of.get_name()} {of.get_base64()}\n" for name, of in lines))
    record_host_key(file, "rock", 22, key)
    recorded = recorded_keys("rock", 22, [file])
    check_host_key(key, recorded, board="b", address="rock", host="rock", port=22)
    assert key_algorithms(recorded, ("ssh-ed25519",)) == ("ssh-ed25519",)


def test_a_certificate_authority_makes_no_key_known(tmp_path: Path, key: paramiko.PKey) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@cert-authority * {key.get_name()} {key.get_base64()}\n")
    assert recorded_keys("rock", 22, [file]) == ()
