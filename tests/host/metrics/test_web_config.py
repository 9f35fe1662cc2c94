"""`bench serve --web-config`: certificates, passwords, headers, and clients that stall within TLS."""

from __future__ import annotations

import base64
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from rkbench.errors import UsageError
from rkbench.metrics import guarding
from rkbench.metrics.guarding import Passwords, TooManyLoginsError
from rkbench.metrics.serve import make_server
from rkbench.metrics.web import MAX_CLIENTS, listen_at
from rkbench.metrics.web_config import WebConfigFile, read_web_config
from rkbench_web import server as web_server

bcrypt = pytest.importorskip("bcrypt", reason="bcrypt is not installed: pip install 'rkbench[web]'")
pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'rkbench[web]'")

#: Of "open sesame"; the cost is the least that there is.
SESAME = "$2b$04$R8kFg0WPdWxzBGBSBRSAi.jNRC3vE.aL1dvOHu82jvLq6I3FA1Pfu"
#: As htpasswd writes them.
OF_HTPASSWD = "$2y$" + SESAME[4:]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority, and `server.crt` with `server.key` for 127.0.0.1."""
    found = Authority(tmp_path)
    found.sign("server", ["127.0.0.1"])
    return found


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Run servers with a web configuration in this process; each call returns a port."""
    with ExitStack() as running:

        def start(text: str) -> int:
            path = tmp_path / "web.yml"
            path.write_text(text)
            paths: dict[str, Any] = {name: tmp_path / name for name in ("store", "site", "bench.toml")}
            paths["inventory"] = paths.pop("bench.toml")
            server = make_server("127.0.0.1:0", web_config=WebConfigFile(path), **paths)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            running.callback(server.server_close)
            running.callback(thread.join)
            running.callback(server.shutdown)
            return int(server.server_port)

        yield start


TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


def test_answers_go_through_tls_to_who_trusts_the_authority(
    serve: Callable[[str], int], authority: Authority
) -> None:
    port = serve(TLS)
    assert get(port, authority)[:2] == (200, "rkbench is healthy\n")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/-/healthy", timeout=60)


def test_who_asks_in_plain_text_is_told_to_use_https(
    serve: Callable[[str], int], authority: Authority
) -> None:
    with socket.create_connection(("127.0.0.1", serve(TLS)), timeout=60) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        told = client.recv(1000)
    assert told.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert told.endswith(b"\r\n\r\nask by https://\n")


def test_a_version_that_is_not_offered_is_refused(serve: Callable[[str], int], authority: Authority) -> None:
    port = serve(TLS.replace("}", ", min_version: TLS13}"))
    context = ssl.create_default_context(cafile=authority.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(urllib.error.URLError, match="PROTOCOL_VERSION"):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/-/healthy", timeout=60, context=context)
    assert get(port, authority)[0] == 200


def test_a_client_needs_the_certificate_that_is_asked_for(
    serve: Callable[[str], int], authority: Authority, tmp_path: Path
) -> None:
    words = ", client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}"
    port = serve(TLS.replace("}", words))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises((urllib.error.URLError, ssl.SSLError)):
        get(port, authority)
    with pytest.raises((urllib.error.URLError, ssl.SSLError)):
        get(port, authority, client=Authority(other).sign("mallory"))
    assert get(port, authority, client=authority.sign("prometheus"))[0] == 200


def test_silent_and_slow_clients_of_tls_hold_up_nobody(
    serve: Callable[[str], int], authority: Authority
) -> None:
    port = serve(TLS)
    context = ssl.create_default_context(cafile=authority.certificate)
    with ExitStack() as clients:
        for _ in range(MAX_CLIENTS - 4):  # nothing at all is said of the handshake
            clients.enter_context(socket.create_connection(("127.0.0.1", port)))
        for begun in (b"\x16\x03\x01\x02\x00", b"\x16"):  # a record's beginning, and never its end
            clients.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(begun)
        for asked in (b"", b"GET /metrics HTTP/1.0\r\n"):  # a handshake, and no whole question
            plain = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            silent = clients.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            silent.sendall(asked)
        for _ in range(3):  # more than there are seats: the oldest silent ones give theirs up
            assert get(port, authority)[0] == 200


@pytest.mark.parametrize("text", [TLS, ""], ids=["TLS", "plain"])
def test_a_client_that_reads_nothing_or_little_is_given_up(
    text: str,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its answer is larger than what the sockets of both sides take."""
    monkeypatch.setattr(web_server, "CLIENT_LIMIT_S", 1.0)
    caplog.set_level(logging.INFO)
    (tmp_path / "web.yml").write_text(text)

    def huge(_: Any, start: Any) -> Iterable[bytes]:
        return web_server.answer(start, "200 OK", "text/plain", bytes(50_000_000))

    with listen_at(("127.0.0.1", 0), huge, WebConfigFile(tmp_path / "web.yml")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with socket.create_connection(("127.0.0.1", server.server_port)) as plain:
            context = ssl.create_default_context(cafile=authority.certificate)
            slow = context.wrap_socket(plain, server_hostname="127.0.0.1") if text else plain
            slow.sendall(b"GET / HTTP/1.0\r\n\r\n")
            # A reader that takes something every now and then is none that takes its answer.
            until(lambda: slow.recv(100) and "did not take its answer within 1 s" in caplog.text)
            slow.close()
        server.shutdown()
        thread.join()


def test_passwords_are_asked_for_but_where_a_path_is_excepted(serve: Callable[[str], int]) -> None:
    port = serve(f'basic_auth_users: {{alice: "{OF_HTPASSWD}"}}\nauth_excluded_paths: [/-/healthy]\n')
    assert get(port, path="/sd")[0] == 401
    told = {
        login: get(port, path="/sd", login=login)[:2]
        for login in ("alice:open sesame", "alice:wrong", "alice:", "bob:open sesame", ":", "älice:ü")
    }
    assert told.pop("alice:open sesame") == (200, "[]")
    assert set(told.values()) == {(401, "Unauthorized\n")}
    assert get(port)[0] == 200
    for header in ("Basic", "Basic %%%", "Basic YWJj", "Bearer x", "Basic " + "QUJD" * 10_000):
        assert get(port, path="/sd", header=header)[0] == 401
    status, _, headers = get(port, path="/sd")
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="rkbench", charset="UTF-8"')


def test_a_name_that_nobody_has_costs_what_a_wrong_password_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs of 4 and 5: a decoy is one of the users' own hashes, the same whenever the name is asked."""
    costly = bcrypt.hashpw(b"x", bcrypt.gensalt(5)).decode()
    checked: list[bytes] = []
    check = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda word, hashed: checked.append(hashed) or check(word, hashed))
    passwords = Passwords()
    users = {"alice": SESAME, "bob": costly}
    assert not any(passwords.admits(users, basic(f"nobody{number % 20}:x")) for number in range(40))
    assert checked[:20] == checked[20:]
    assert set(checked) == {SESAME.encode(), costly.encode()}


def test_right_passwords_are_looked_at_once_and_so_many_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[bytes] = []
    check = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda word, hashed: checked.append(word) or check(word, hashed))
    monkeypatch.setattr(guarding, "MOST_KNOWN", 2)
    passwords = Passwords()
    users = dict.fromkeys(("a", "b", "c"), SESAME) | {
        "b": bcrypt.hashpw(b"b", bcrypt.gensalt(4)).decode(),
        "c": bcrypt.hashpw(b"c", bcrypt.gensalt(4)).decode(),
    }
    for login in ("a:open sesame", "a:open sesame", "b:b", "c:c", "b:b", "a:open sesame"):
        assert passwords.admits(users, basic(login))
    assert checked == [b"open sesame", b"b", b"c", b"open sesame"]
    checked.clear()
    assert [passwords.admits(users, basic("a:wrong")) for _ in range(2)] == [False, False]
    assert checked == [b"wrong", b"wrong"]
    # Another hash: what was right before is asked anew.
    assert not passwords.admits({**users, "a": users["b"]}, basic("a:open sesame"))


def test_a_flood_of_wrong_passwords_holds_up_nobody_who_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, users = Passwords(), {"alice": SESAME}
    assert passwords.admits(users, basic("alice:open sesame"))
    begun, go_on = threading.Semaphore(0), threading.Event()

    def stall(*_: bytes) -> bool:
        begun.release()
        assert go_on.wait(60)
        return False

    monkeypatch.setattr(bcrypt, "checkpw", stall)
    threads = [
        threading.Thread(target=passwords.admits, args=(users, basic(f"alice:{number}")))
        for number in range(guarding.MOST_WAITING)
    ]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=60)
    until(lambda: not passwords._seats.acquire(blocking=False) or passwords._seats.release())
    assert passwords.admits(users, basic("alice:open sesame"))
    with pytest.raises(TooManyLoginsError):
        passwords.admits(users, basic("alice:one more"))
    go_on.set()
    for thread in threads:
        thread.join()


def test_headers_are_on_every_answer(serve: Callable[[str], int]) -> None:
    text = "http_server_config: {headers: {X-Frame-Options: deny, X-XSS-Protection: ''}}\n"
    port = serve(text + f'basic_auth_users: {{alice: "{SESAME}"}}\n')
    for login in ("", "alice:open sesame"):
        headers = get(port, login=login)[2]
        assert (headers["X-Frame-Options"], headers["X-XSS-Protection"]) == ("deny", None)


def test_an_edit_is_in_force_at_once_and_a_wrong_one_changes_nothing(
    serve: Callable[[str], int], authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port, path = serve(TLS), tmp_path / "web.yml"
    path.write_text(TLS + f'basic_auth_users: {{alice: "{SESAME}"}}\n')
    assert get(port, authority)[0] == 401
    path.write_text("basic_auth_users: [")
    assert [get(port, authority)[0] for _ in range(2)] == [401, 401]
    assert caplog.text.count("the web configuration stays as it was") == 1
    new = Authority(tmp_path, "new")
    new.sign("server", ["127.0.0.1"])
    path.write_text(TLS)
    assert get(port, new)[0] == 200


WRONG = {
    "tls_server: {}": "key 'tls_server' is unknown",
    "rate_limit: {burst: 1}": "key 'rate_limit' is unknown",
    "tls_server_config: {cert_file: server.crt}": "tls_server_config: key_file is missing",
    "tls_server_config: {cert_file: a, key_file: b, cipher_suites: []}": "key 'cipher_suites' is unknown",
    "tls_server_config: {cert_file: a, key_file: 7}": "key_file must be a string, not 7",
    "tls_server_config: {cert_file: a, key_file: server.key}": "a cannot be read: No such file or directory",
    "tls_server_config: {cert_file: ., key_file: server.key}": "cannot be read: Is a directory",
    "tls_server_config: {cert_file: ca.pem, key_file: server.key}": "do not make a server:",
    "tls_server_config: {cert_file: web.yml, key_file: server.key}": "do not make a server:",
    TLS.replace("}", ", min_version: TLS11}"): "min_version 'TLS11' is unknown",
    TLS.replace("}", ", min_version: 12}"): "min_version must be a string, not 12",
    TLS.replace("}", ", min_version: TLS13, max_version: TLS12}"): "min_version is above max_version",
    TLS.replace("}", ", client_ca_file: ca.pem}"): "client_ca_file and client_auth_type need each other",
    TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert}"): "need each other",
    TLS.replace("}", ", client_auth_type: RequestClientCert}"): "'RequestClientCert' is unknown",
    "basic_auth_users: {alice: secret}": "the password of 'alice' is no hash of bcrypt",
    "basic_auth_users: {1: x}": "1 is no name of a user",
    "basic_auth_users: {'a:b': x}": "'a:b' is no name of a user",
    "basic_auth_users: alice:secret": "basic_auth_users must be a table",
    f"basic_auth_users: {{a: '$2b$30{SESAME[6:]}'}}": "the hash of 'a' has the cost 30",
    "basic_auth_users: {a: x}\nbasic_auth_users: {b: x}": "line 1: 'basic_auth_users' stands twice",
    "http_server_config: {http2: true}": "key 'http2' is unknown",
    "http_server_config: {headers: {Server: x}}": "key 'Server' is unknown",
    "http_server_config: {headers: {X-Frame-Options: maybe}}": "must be deny or sameorigin, not 'maybe'",
    'http_server_config: {headers: {X-XSS-Protection: "0\\r\\nA: b"}}': "must be one line of ASCII",
    "auth_excluded_paths: /x": "auth_excluded_paths must be a list of strings",
    "[1, 2]": "must be a table",
    "{": "line 1:",
    "a: &a [*a]": "key 'a' is unknown",
    "[" * 5000: "nested too deep",
    "? {a: 1}\n: 2": "unhashable",
    "!!python/object:os.system x": "could not determine a constructor",
    "x: \x01": "cannot be read",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_and_no_secret_is(text: str, authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        read_web_config(path)
    assert WRONG[text] in error.value.message
    assert "secret" not in error.value.message + error.value.hint


def test_a_key_with_a_passphrase_asks_nobody(authority: Authority, tmp_path: Path) -> None:
    authority.sign("server", ["127.0.0.1"], passphrase=b"word")
    (tmp_path / "web.yml").write_text(TLS)
    with pytest.raises(UsageError, match=r"server\.key is encrypted, and nobody is asked"):
        read_web_config(tmp_path / "web.yml")


def test_an_empty_file_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("# nothing\n")
    config = read_web_config(tmp_path / "web.yml")
    assert (config.tls, config.users, config.context) == (None, {}, None)


def test_keys_and_hashes_that_everybody_can_read_are_warned_of(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "web.yml"
    path.write_text(TLS + f'basic_auth_users: {{alice: "{SESAME}"}}\n')
    path.chmod(0o640)
    read_web_config(path)
    assert caplog.text == ""
    path.chmod(0o644)
    (tmp_path / "server.key").chmod(0o644)
    read_web_config(path)
    for name in ("web.yml", "server.key"):
        assert f"{tmp_path / name} can be read by everybody on this computer: chmod 640" in caplog.text


def test_the_command_serves_by_tls_to_users(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(TLS + f'basic_auth_users: {{alice: "{SESAME}"}}\n')
    path.chmod(0o600)
    code = "from rkbench.cli import main; main()"
    options = ["--listen", "127.0.0.1:0", "--web-config", str(path), "--store", str(tmp_path / "store")]
    command = [sys.executable, "-c", code, "serve", *options, "--inventory", str(tmp_path / "bench.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2]
        assert url.startswith("https://127.0.0.1:")
        port = int(url.rstrip("/").rpartition(":")[2])
        told = [get(port, authority, path="/sd", login=login)[:2] for login in ("", "alice:open sesame")]
        assert told == [(401, "Unauthorized\n"), (200, "[]")]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
    path.write_text("basic_auth: {}")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "key 'basic_auth' is unknown" in done.stderr
    assert "did you mean basic_auth_users?" in done.stderr


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


def get(
    port: int,
    authority: Authority | None = None,
    *,
    path: str = "/-/healthy",
    login: str = "",
    header: str = "",
    client: tuple[Path, Path] | None = None,
) -> tuple[int, str, Any]:
    """Return status, text and headers of a page; by TLS where there is an authority."""
    context = None
    if authority is not None:
        context = ssl.create_default_context(cafile=authority.certificate)
        if client is not None:
            context.load_cert_chain(*client)
    words = {"Authorization": header or basic(login)} if header or login else {}
    scheme = "http" if context is None else "https"
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}{path}", headers=words)
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as page:
            return page.status, page.read().decode(), page.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def until(is_so: Callable[[], object]) -> None:
    """Return once it is so; the limit of the test ends what never is."""
    waiting = threading.Event()
    while not is_so():
        waiting.wait(0.02)
