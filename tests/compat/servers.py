"""What runs beside the tests: an old exporter, `bench serve`, and a computer that poses as a board."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import TracebackType

import paramiko
from bench_command import BENCH
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from first_version import Home

_SYSTEMCTL = """\
#!/bin/sh
folder=$(dirname "$0")
echo "$*" >>"$folder/log"
[ "$1" != --user ] || shift
case "$1" in
  restart)
    unit=$(ls "$RKBENCH_SYS_ROOT/etc/systemd/system/$2" "$HOME/.config/systemd/user/$2" 2>/dev/null)
    eval "$(sed -n s/^ExecStart=//p "$unit") </dev/null >/dev/null 2>&1 &"
    echo $! >"$folder/pid" ;;
  disable) [ ! -e "$folder/pid" ] || kill "$(cat "$folder/pid")" ;;
esac
exit 0
"""
#: Of the process and the limit, not of results.
_OWN = ("process_", "python_", "rkbench_host_info", "rkbench_series")


class Exporter:
    """The exporter in `folder`, started by the script that the first version wrote; it answers already.

    Its log is a pipe, so that nobody has to poll. It is killed at the end where nobody ended it before.
    """

    def __init__(self, folder: Path, port: int) -> None:
        script, log = folder / "rkbench-exporter.sh", folder / "rkbench-exporter.log"
        os.mkfifo(log)
        subprocess.run([str(script), "start"], check=True)
        self._log = log.open()
        self._pid = int((folder / "rkbench-exporter.pid").read_text())
        said = self._log.readline()
        assert f"serving port {port}" in said, said
        assert is_open(port)

    def __enter__(self) -> Exporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
        try:
            words = Path(f"/proc/{self._pid}/cmdline").read_bytes()
            if b"rkbench-exporter" in words:
                os.kill(self._pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it was ended, as it should


class Systemd:
    """A `systemctl` in `folder` that starts and stops what the unit says; `told` is what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "systemctl").write_text(_SYSTEMCTL)
        (folder / "systemctl").chmod(0o755)

    def told(self) -> list[str]:
        """Return the arguments of each call."""
        return (self.folder / "log").read_text().splitlines()


class Impostor(paramiko.ServerInterface):
    """An SSH server with a key of its own on `port`; `asked` tells whether anybody tried to log in."""

    def __init__(self) -> None:
        self.asked = False
        private = Ed25519PrivateKey.generate()
        text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        self._key = paramiko.Ed25519Key.from_private_key(io.StringIO(text))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def get_allowed_auths(self, username: str) -> str:
        self.asked = True
        return "publickey"

    def _serve(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # nobody came
        with paramiko.Transport(client) as transport:
            transport.add_server_key(self._key)
            transport.start_server(event=threading.Event(), server=self)
            transport.join()

    def __enter__(self) -> Impostor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


def serve(home: Home, *paths: str) -> list[str]:
    """Return what `bench serve` answers for these paths."""
    command = [sys.executable, "-c", BENCH, "serve", "--listen", "127.0.0.1:0", "--simulated"]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RKBENCH_", "XDG_"))}
    environment = {**own, "HOME": str(home.folder)}
    with subprocess.Popen(
        command, env=environment, cwd=home.lab, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if "/metrics" in line)
            port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
            return [get(port, path) for path in paths]
        finally:
            process.terminate()


def series(text: str) -> dict[str, float]:
    """Return the value of each series that tells of results, gates and boards."""
    lines = (line for line in text.splitlines() if line and not line.startswith(("#", *_OWN)))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def get(port: int, path: str) -> str:
    """Return the page `path` of a server on this computer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as page:
        return page.read().decode()


def is_open(port: int) -> bool:
    """Tell whether somebody listens on `port`."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
