"""Makes this folder: what a user of the first version of rkbench has on disk.

    git clone RKBENCH first && cd first && git checkout 6ca6b5f && make .venv/.installed
    .venv/bin/python .../tests/data/first_version/make.py WORK

Everything is written by that version's own `bench`, or by its agent on virtual boards, in the home folder
WORK/home, which must not be there yet; what is kept of it goes beside this file. README.md tells what is
what.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import threading
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import paramiko
from texts import BEHAVIOURS, INVENTORY, SUITE, SYSTEMCTL

KEPT = Path(__file__).parent
FIRST = Path(sys.prefix).parent
BENCH = Path(sys.prefix) / "bin/bench"
DEMO = FIRST / "host/rkbench/demo/data"
MODELS = FIRST / "tests/data/models"
PROFILE = FIRST / "tests/data/profiles/perf_detail_1.5.2_mb_gap7_rk3588_i8.txt"
#: Commits whose stores have an older schema; none has version 1.
OLDER = {3: "d2af962^", 2: "c8bebee"}
#: A file of a board that is longer and lies in the repository is told by name instead of kept.
LONG_BYTES = 100_000
QUICK = ("--iterations", "100", "--duration", "0")


class Lab:
    """The user's home, and `bench` run in its folder `lab`."""

    def __init__(self, work: Path) -> None:
        self.home = work / "home"
        self.folder = self.home / "lab"
        (self.folder / "models").mkdir(parents=True)
        (self.folder / "demo.golden.npz").symlink_to(DEMO / "golden.npz")
        (work / "bin").mkdir()
        self.programs = work / "bin"
        self.environment = {
            "HOME": str(self.home),
            "USER": "ann",
            "LOGNAME": "ann",
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "TMPDIR": str(work),
        }
        self.printed: list[dict[str, Any]] = []

    def start(self, *arguments: object, **more: str) -> subprocess.Popen[str]:
        """Start `bench`."""
        command, pipe = [str(BENCH), *map(str, arguments)], subprocess.PIPE
        environment = {**self.environment, **more}
        return subprocess.Popen(
            command, env=environment, cwd=self.folder, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, *arguments: object, status: int = 0, keep: bool = False, **more: str) -> str:
        """Run `bench` to its end and return what it prints; with `keep` a test will see it, too."""
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=300)
        assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
        if keep:
            self.printed.append({"arguments": list(map(str, arguments)), "status": status, "stdout": out})
        return out

    def interrupt(self, words: str, *arguments: object, number: int = signal.SIGINT) -> None:
        """Run `bench` until it says `words` on stderr, and send it a signal."""
        process = self.start(*arguments)
        assert process.stderr is not None
        assert any(words in line for line in process.stderr), f"{arguments}: never said {words}"
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode in (130, -number), process.returncode

    def behave(self, board: str, **behaviour: Any) -> None:
        """Say how the virtual board `board` behaves from now on."""
        (self.folder / f"{board}.json").write_text(json.dumps(behaviour, indent=1) + "\n")


def main() -> None:
    """Make everything, in the order in which a user would."""
    work = Path(sys.argv[1]).absolute()
    lab = Lab(work)
    bring_models(lab)
    fill_inventory(lab)
    make_goldens(lab)
    push(lab)
    run_nights(lab)
    try:
        use_boards(lab)
        read_store(lab)
        for version, commit in OLDER.items():
            keep_older(lab, version, older_store(work, version, commit))
        keep_older(lab, 1, first_store(lab, work))
        examine(lab)
        keep(lab)
        look_for_names(lab)
    finally:
        for board in ("balcony", "cellar"):
            lab.run("boards", "install-exporter", board, "--uninstall")


def bring_models(lab: Lab) -> None:
    """Put the models into the lab, and the first digits of the demo as samples."""
    for path in (*DEMO.glob("digits*"), *MODELS.glob("*.rknn"), *MODELS.glob("*.onnx")):
        (lab.folder / "models" / path.name).symlink_to(path)
    with np.load(DEMO / "golden.npz") as golden:
        images, logits = golden["inputs/image"][:4], golden["outputs/logits"][:4]
    np.savez(lab.folder / "samples.npz", image=images.reshape(4, 1, 32, 32))
    # By hand: no folders in the names, NHWC, no batch axis, doubles, Fortran order.
    np.savez(
        lab.folder / "hand.npz",
        image=np.asfortranarray(images.reshape(4, 32, 32, 1).astype(np.float64)),
        logits=logits.reshape(4, 10).astype(np.float64),
    )


def fill_inventory(lab: Lab) -> None:
    """Add boards, edit the file by hand, and let `bench` edit it once more."""
    ports = [show_host_key(), show_host_key()]
    for name, port in zip(("desk", "attic"), ports, strict=True):
        lab.run("boards", "add", name, f"ann@127.0.0.1:{port}", "--soc", "rk3588", "--tag", "lab", "--yes")
    folder = lab.home / ".config/rkbench"
    (folder / "bench.toml").write_text(INVENTORY.replace("@DESK_PORT@", str(ports[0])))
    lines = (folder / "bench.known_hosts").read_text()
    lines = lines.replace(f"[127.0.0.1]:{ports[1]} ", "192.0.2.20 ")
    (folder / "bench.known_hosts").write_text(f"# Looked at by Ann, with the serial cable.\n{lines}")
    lab.run("boards", "add", "spare", "virtual", "--soc", "rk3568", "--tag", "spare")
    for name, behaviour in BEHAVIOURS.items():
        lab.behave(name, **behaviour)
    lab.behave("layers", profile=str(PROFILE), leak_bytes=200_000)


def show_host_key() -> int:
    """Start an SSH server that shows a throw-away host key and lets nobody in; return its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        transport = paramiko.Transport(client)
        transport.add_server_key(key)
        transport.start_server(server=paramiko.ServerInterface())

    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]
    place = Path(sys.argv[1]).absolute() / f"host_key_{listener.getsockname()[1]}"
    subprocess.run([*command, str(place)], check=True)
    key = paramiko.Ed25519Key.from_private_key_file(str(place))
    place.unlink()
    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def make_goldens(lab: Lab) -> None:
    """One from the ONNX and the samples; the one by hand is there already. Both are pushed with."""
    lab.run("golden", "models/digits.onnx", "--inputs", "samples.npz", "-o", "digits.golden.npz")
    for golden in ("digits.golden.npz", "hand.npz"):
        options = ("--board", "virtual", "--golden", golden, *QUICK)
        lab.run("push", "models/digits.regrouped.int8.rknn", *options, "--json", "-", keep=True)


def push(lab: Lab) -> None:
    """Push in every way that leaves something else in the store."""
    four = [f"models/digits.{kind}.rknn" for kind in ("fp16", "int8", "regrouped.fp16", "regrouped.int8")]
    demo = ("--board", "virtual", "--golden", "demo.golden.npz", *QUICK)
    lab.run("push", *four, *demo, "--json", "-", keep=True)
    small = "models/digits.regrouped.int8.rknn"
    lab.run("push", small, "--board", "virtual", "--cores", "sweep", *QUICK)
    layers = ("--board", "layers", "--load-cycles", "10", "--profile", "--pin", *QUICK)
    lab.run("push", "models/mb_gap7_rk3588_i8.rknn", *layers, "--json", "-", keep=True)
    lab.run("push", "models/q_compress_weight_True_rk3568.rknn", "--board", "spare", *QUICK)
    lab.run("push", small, "--board", "crashing", *QUICK, "--json", "-", status=1, keep=True)
    lab.interrupt(
        "inference 50 %", "push", small, "--board", "hanging", "--iterations", "200", "--duration", "0"
    )


def run_nights(lab: Lab) -> None:
    """A first night, accepted; a green one; one of a slow model; one that is interrupted."""
    (lab.folder / "suite.toml").write_text(SUITE)
    lab.run("nightly", "suite.toml", status=1)
    lab.run("baseline", "accept", "last", "--note", "the first night")
    lab.behave("shelf", seed=2)
    lab.run("nightly", "suite.toml", "--json", "-", keep=True)
    slow = {"digits.regrouped.fp16": {"seed": 3, "latency": {"factor": 1.1}}}
    lab.behave("shelf", seed=4, per_model=slow)
    lab.run("nightly", "suite.toml", "--json", "-", status=3, keep=True)
    lab.behave("shelf", seed=5, per_model={"digits.regrouped.int8": {"hang": {"stage": "inference"}}})
    lab.interrupt("[1/2]", "nightly", "suite.toml")
    lab.behave("shelf", seed=6)


def use_boards(lab: Lab) -> None:
    """Leave on the virtual boards what lies on real ones: exporters, a cache, a cut upload, pinned clocks."""
    lab.run("boards", "install-exporter", "balcony", "--port", "9961")
    home, tree = lab.home / "boards/cellar", lab.home / "boards/cellar.rk3588.tree"
    lab.run("boards", "check", "cellar", status=0)  # makes the tree
    shutil.rmtree(home)
    (tree / "run/systemd/system").mkdir(parents=True)
    (lab.programs / "systemctl").write_text(SYSTEMCTL)
    (lab.programs / "systemctl").chmod(0o755)
    lab.run("boards", "install-exporter", "cellar", "--port", "9962")
    small = "models/digits.regrouped.int8.rknn"
    lab.run("push", small, "--board", "porch", "--golden", "digits.golden.npz", *QUICK)
    cut_upload(lab, lab.home / "boards/porch", DEMO / "digits.regrouped.fp16.rknn", 700_000)
    leave_pinned(lab, lab.home / "boards/porch")


def cut_upload(lab: Lab, board: Path, model: Path, arrived_bytes: int) -> None:
    """Let the board's agent take the beginning of a file, after which the line is cut."""
    cache = board / ".cache/rkbench"
    (agent,) = (cache / "agents").glob("*.pyz")
    digest = subprocess.run(["sha256sum", str(model)], stdout=subprocess.PIPE, check=True, text=True).stdout[
        :64
    ]
    words = ["put", digest, str(model.stat().st_size), "0", "stored", str(cache), "0"]
    start = model.read_bytes()[:arrived_bytes]
    done = subprocess.run([sys.executable, str(agent), *words], input=start, env=lab.environment, check=False)
    assert done.returncode == 1
    assert (cache / f"incoming/{digest}.part").stat().st_size == arrived_bytes


def leave_pinned(lab: Lab, board: Path) -> None:
    """Pin the clocks of a board, and kill agent, guard and worker at once."""
    lab.behave("porch", hang={"stage": "inference"})
    process = lab.start("push", "models/digits.regrouped.int8.rknn", "--board", "porch", "--pin", *QUICK)
    assert process.stderr is not None
    assert any("clocks held still" in line for line in process.stderr)
    mine = f"HOME={board}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mine in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue  # not ours, or gone
    process.communicate(timeout=60)
    lab.behave("porch", seed=7)
    assert (board / ".cache/rkbench/pinned.json").exists()


def read_store(lab: Lab) -> None:
    """Keep what is printed of the whole store, and what Prometheus is told."""
    runs = lab.run("history", "--limit", "1000")
    found = re.findall(r"^([0-9a-z]{9}-\d\d)\s", runs, re.MULTILINE)
    for name in sorted({run[:9] for run in found}):
        lab.run("show", name, "--json", "-", keep=True)
    for arguments in (("export",), ("export", "--raw"), ("baseline", "list"), ("boards", "list", "--json")):
        lab.run(*arguments, keep=True)
    port = free_port()
    server = lab.start("serve", "--listen", f"127.0.0.1:{port}", "--simulated")
    assert server.stderr is not None
    assert any("/metrics" in line for line in server.stderr)
    for path in ("metrics", "sd"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as page:
            lab.printed.append({"arguments": ["serve", path], "status": 0, "stdout": page.read().decode()})
    server.terminate()
    server.communicate()


def examine(lab: Lab) -> None:
    """Keep the other documents."""
    model = "models/resize8_c16_rk3588_i8.rknn"
    lab.run("boards", "check", "shelf", model, "--json", "-", keep=True)
    lab.run("inspect", "models/digits.fp16.rknn", "--json", "-", keep=True)
    lab.run("inspect", model, "--diff", "models/erf_rk3588_i8.rknn", "--json", "-", keep=True)
    onnx = "models/bloat3M_groupconv_cpg4.onnx"
    lab.run("inspect", onnx, "--target", "rk3588", "--json", "-", keep=True)


def keep(lab: Lab) -> None:
    """Write what is kept beside this file."""
    for name in ("suite.toml", "digits.golden.npz", "hand.npz"):
        shutil.copy(lab.folder / name, KEPT / name)
    text = (lab.home / ".config/rkbench/bench.toml").read_text()
    hosts = (lab.home / ".config/rkbench/bench.known_hosts").read_text()
    (desk,) = re.findall(r"\[127\.0\.0\.1\]:(\d+) ", hosts)
    text = text.replace(f"port = {desk}", "port = 2222").replace(str(lab.home), "@HOME@")
    (KEPT / "bench.toml").write_text(text)
    (KEPT / "bench.known_hosts").write_text(hosts.replace(f"]:{desk} ", "]:2222 "))
    for item in lab.printed:
        text = item["stdout"].replace(f": {desk},", ": 2222,").replace(str(lab.home), "@HOME@")
        item["stdout"] = text.replace(str(lab.home.parent), "/tmp")
    pack_json(lab.printed, KEPT / "printed.json.xz")
    keep_store(lab.home / ".local/share/rkbench/results.sqlite", "results.sqlite.xz")
    keep_folders(lab)


def keep_store(path: Path, name: str) -> None:
    """Pack a store without its free pages."""
    db = sqlite3.connect(path)
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    (KEPT / name).write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


def keep_folders(lab: Lab) -> None:
    """Pack the boards, and the host's cache of goldens.

    Zipapps are kept with their members stored, so that xz sees them; the file's name and installed.json
    still tell the digest of what was installed. Long models are told by name in `elsewhere.json`.
    """
    known = {path.read_bytes(): path.name for path in (*DEMO.glob("*.rknn"), *DEMO.glob("*.npz"))}
    elsewhere: dict[str, dict[str, object]] = {}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in sorted(((lab.home / "boards").rglob("*")), key=by_kind):
            name = str(path.relative_to(lab.home))
            if "__pycache__" in name or name.endswith((".log", ".pid", "/lock", ".lock")):
                continue
            if path.is_symlink() or path.is_dir():
                archive.add(path, name, recursive=False, filter=anonymous)
                continue
            data = path.read_bytes()
            source = next((known[whole] for whole in known if whole.startswith(data)), None)
            if source is not None and len(data) > LONG_BYTES:
                elsewhere[name] = {"source": source, "bytes": len(data)}
                continue
            add(archive, path, name, stored(data) if name.endswith(".pyz") else plain(lab, data))
        for path in (lab.home / ".cache/rkbench/host/goldens").glob("*.npz"):
            if path.stat().st_size < LONG_BYTES:
                add(archive, path, str(path.relative_to(lab.home)), path.read_bytes())
    packed = lzma.compress(stream.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    (KEPT / "home.tar.xz").write_bytes(packed)
    (KEPT / "elsewhere.json").write_text(json.dumps(elsewhere, indent=1) + "\n")


def by_kind(path: Path) -> tuple[bool, str, str]:
    """Sort files of one kind together: xz then finds what they share."""
    return (not path.is_dir(), path.suffix, str(path))


def plain(lab: Lab, data: bytes) -> bytes:
    """Put words in place of what differs from home to home."""
    words = {str(lab.home): "@HOME@", sys.executable: "@PYTHON@"}
    for word, other in words.items():
        data = data.replace(word.encode(), other.encode())
    return data


def stored(data: bytes) -> bytes:
    """Return a zipapp with the same members, uncompressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        stream.write(data[: source.infolist()[0].header_offset])
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as target:
            for info in source.infolist():
                content = source.read(info)
                info.compress_type = zipfile.ZIP_STORED
                target.writestr(info, content)
    return stream.getvalue()


def add(archive: tarfile.TarFile, path: Path, name: str, data: bytes) -> None:
    """Add a file with other content."""
    info = archive.gettarinfo(path, name)
    info.size = len(data)
    archive.addfile(anonymous(info), io.BytesIO(data))


def anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose it was, and when."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    return info


def keep_older(lab: Lab, version: int, path: Path) -> None:
    """Keep an older store, and what the first version prints of it."""
    keep_store(path, f"results.{version}.sqlite.xz")
    name = f"results.{version}.sqlite"
    shutil.copy(path, lab.folder / name)
    for arguments in (("show", "last", "--json", "-"), ("export", "--raw")):
        lab.run(*arguments, "--store", name, keep=True)


def older_store(work: Path, version: int, commit: str) -> Path:
    """Push once with the sources of `commit`, and return the store."""
    folder, store = work / f"sources{version}", work / f"results{version}.sqlite"
    subprocess.run(["git", "clone", "-q", "-s", str(FIRST), str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "checkout", "-q", commit], check=True)
    environment = {**os.environ, "PYTHONPATH": f"{folder}/host:{folder}/agent", "HOME": str(work / "older")}
    code = "import sys, rkbench; print(rkbench.__file__); from rkbench.cli import main; main()"
    model = str(DEMO / "digits.regrouped.int8.rknn")
    words = ["push", model, "--board", "virtual", *QUICK, "--store", str(store)]
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, env=environment, cwd=work, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.startswith(str(folder)), done.stdout
    assert user_version(store) == version
    return store


def first_store(lab: Lab, work: Path) -> Path:
    """Return a store of version 1: no commit has one, so its first step is taken, with one run put in."""
    from rkbench.results.migrations import STEPS

    path = work / "results1.sqlite"
    db = sqlite3.connect(path)
    for statement in STEPS[0]:
        db.execute(statement)
    db.execute("ATTACH ? AS new", (str(lab.home / ".local/share/rkbench/results.sqlite"),))
    (run,) = db.execute(
        "SELECT id FROM new.runs WHERE NOT failed AND NOT partial ORDER BY id LIMIT 1"
    ).fetchone()
    for table in ("runs", "latencies"):
        columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
        key = "id" if table == "runs" else "run"
        db.execute(f"INSERT INTO {table} SELECT {columns} FROM new.{table} WHERE {key} = ?", (run,))
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    return path


def user_version(store: Path) -> int:
    """Return the version of a store's schema."""
    db = sqlite3.connect(store)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def pack_json(value: object, path: Path) -> None:
    """Write JSON, packed."""
    text = json.dumps(value, ensure_ascii=False, indent=0)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def look_for_names(lab: Lab) -> None:
    """Make sure that nothing kept tells where, on which computer and by whom it was made."""
    private = (str(lab.home.parent), str(FIRST), f"@{socket.gethostname()}", "root@")
    for path in KEPT.glob("*.*"):
        if path.suffix == ".py":
            continue
        data = path.read_bytes()
        data = lzma.decompress(data) if path.suffix == ".xz" else data
        for word in private:
            assert word.encode() not in data, f"{path.name} holds {word!r}"


if __name__ == "__main__":
    main()
