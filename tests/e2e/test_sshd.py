"""The same conversation with a real OpenSSH server."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.boards.ssh.connection import connect
from rkbench.errors import AuthenticationError, ConnectError, HostKeyError
from rkbench.files import local_file
from rkbench.session import open_session
from sshd import Sshd

INCOMPRESSIBLE = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(40_000))


def test_a_second_session_sends_no_model_bytes(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "m.rknn").write_bytes(INCOMPRESSIBLE)
    with open_session(sshd.board) as session:
        first = session.upload([local_file(tmp_path / "m.rknn")])[0]
    with open_session(sshd.board) as session:
        second = session.upload([local_file(tmp_path / "m.rknn")])[0]
    assert (first.sent_bytes, first.cached) == (1280000, False)
    assert (second.sent_bytes, second.cached) == (0, True)
    assert sshd.objects == [hashlib.sha256(INCOMPRESSIBLE).hexdigest()]
    assert sshd.partials == {}


def test_closing_a_session_leaves_no_process(sshd: Sshd) -> None:
    with open_session(sshd.board):
        assert len(sshd.processes()) > 0
    sshd.await_no_processes()
    assert sshd.processes() == []


def test_what_a_login_prints_is_skipped(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    greeting = 'ForceCommand echo "Welcome to {the} board"; eval "$SSH_ORIGINAL_COMMAND"'
    server = start_sshd(more=greeting)
    (tmp_path / "m.rknn").write_bytes(b"model")
    with open_session(server.board) as session:
        assert session.hello.magic == "rkbench-agent"
        assert session.upload([local_file(tmp_path / "m.rknn")])[0].cached is False


@pytest.mark.parametrize("shell", ["tcsh", "dash"])
def test_the_agent_starts_under_any_login_shell(
    shell: str, start_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell}: apt install {shell}")
    server = start_sshd(more=f'ForceCommand {program} -c "$SSH_ORIGINAL_COMMAND"')
    (tmp_path / "m.rknn").write_bytes(b"model")
    with open_session(server.board) as session:
        assert session.hello.magic == "rkbench-agent"
        assert session.upload([local_file(tmp_path / "m.rknn")])[0].cached is False


def test_an_unknown_host_key_is_refused_and_boards_add_cures_it(sshd: Sshd, tmp_path: Path) -> None:
    inventory = tmp_path / "bench.toml"
    stranger = replace(sshd.board, known_hosts_files=(tmp_path / "bench.known_hosts",))
    with pytest.raises(HostKeyError, match="unknown") as refusal:
        connect(stranger)
    assert sshd.fingerprint() in refusal.value.message
    assert "bench boards add bench-board" in refusal.value.hint

    address = f"{stranger.user}@127.0.0.1:{sshd.port}"
    options = ["--fingerprint", sshd.fingerprint(), "--inventory", str(inventory)]
    added = run_bench("boards", "add", "bench-board", address, *options)
    assert (added.returncode, added.stderr) == (0, "")
    connect(stranger).close()


def test_boards_add_refuses_another_fingerprint_and_records_nothing(sshd: Sshd, tmp_path: Path) -> None:
    address = f"root@127.0.0.1:{sshd.port}"
    wrong = "SHA256:" + "A" * 43
    inventory = str(tmp_path / "bench.toml")
    added = run_bench("boards", "add", "rock", address, "--fingerprint", wrong, "--inventory", inventory)
    assert added.returncode == 1
    assert sshd.fingerprint() in added.stderr
    assert list(tmp_path.glob("bench.*")) == []


def test_boards_add_without_a_terminal_asks_for_the_fingerprint(sshd: Sshd, tmp_path: Path) -> None:
    inventory = str(tmp_path / "bench.toml")
    added = run_bench("boards", "add", "rock", f"root@127.0.0.1:{sshd.port}", "--inventory", inventory)
    assert added.returncode == 2
    assert "--fingerprint" in added.stderr


def test_boards_add_takes_a_changed_host_key_only_where_its_fingerprint_is_typed(
    start_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    old, new = start_sshd(), start_sshd()
    words = (old.folder / "host_ed25519.pub").read_text().split()[:2]
    record = tmp_path / "bench.known_hosts"
    record.write_text(f"[127.0.0.1]:{new.port} {' '.join(words)}\n")
    add = ("boards", "add", "rock", f"root@127.0.0.1:{new.port}", "--inventory", tmp_path / "bench.toml")
    refused = run_bench(*add, "--yes")
    assert refused.returncode == 1
    assert f"its host key has changed: {new.fingerprint()}, it was {old.fingerprint()}" in refused.stderr
    assert f"--fingerprint {new.fingerprint()}" in refused.stderr
    assert " ".join(words) in record.read_text()
    assert run_bench(*add, "--fingerprint", new.fingerprint()).returncode == 0
    assert " ".join(words) not in record.read_text()


def test_a_changed_host_key_shows_both_fingerprints(start_sshd: Callable[..., Sshd]) -> None:
    old, new = start_sshd(), start_sshd()
    words = (old.folder / "host_ed25519.pub").read_text().split()[:2]
    (new.folder / "known_hosts").write_text(f"[127.0.0.1]:{new.port} {' '.join(words)}\n")
    with pytest.raises(HostKeyError, match="CHANGED") as refusal:
        connect(new.board)
    assert old.fingerprint() in refusal.value.message
    assert new.fingerprint() in refusal.value.message
    assert "ssh-keygen -R" in refusal.value.hint


def test_a_server_without_a_key_of_the_recorded_type_is_told(start_sshd: Callable[..., Sshd]) -> None:
    old, new = start_sshd(), start_sshd(key_types=("rsa",))
    words = (old.folder / "host_ed25519.pub").read_text().split()[:2]
    (new.folder / "known_hosts").write_text(f"[127.0.0.1]:{new.port} {' '.join(words)}\n")
    with pytest.raises(HostKeyError, match="no longer has a host key of the recorded type"):
        connect(new.board)


def test_a_server_with_several_keys_is_asked_for_the_recorded_one(start_sshd: Callable[..., Sshd]) -> None:
    server = start_sshd(key_types=("rsa", "ecdsa", "ed25519"))
    connection = connect(server.board)
    key = connection._connection.get_remote_server_key()
    connection.close()
    assert key.fingerprint == server.fingerprint("rsa")


def test_a_key_that_the_board_does_not_know_is_refused(sshd: Sshd, start_sshd: Callable[..., Sshd]) -> None:
    other = start_sshd()
    with pytest.raises(AuthenticationError, match="accepted no key") as refusal:
        connect(replace(sshd.board, identity_files=(other.client_key,)))
    assert "ssh-copy-id" in refusal.value.hint


@pytest.mark.parametrize(
    "weak", ["Ciphers 3des-cbc", "Ciphers aes128-cbc", "MACs hmac-md5", "MACs hmac-sha1-96"]
)
def test_a_server_with_weak_ciphers_or_macs_only_is_refused(
    start_sshd: Callable[..., Sshd], weak: str
) -> None:
    more = f"{weak}\nCiphers aes128-ctr" if weak.startswith("MACs") else weak  # GCM needs no MAC
    with pytest.raises(ConnectError, match="no algorithm in common") as error:
        connect(start_sshd(more=more).board)
    assert "hmac-md5" in error.value.hint
