"""The root file system of an emulated board: Debian arm64 with Python, sshd and the vendor's wheels.

Hardly anything of it runs while it is made: apt downloads arm64 packages with a configuration of its own (the
machine's package database is not touched), `dpkg -x` unpacks them, and the machine's pip installs
aarch64 wheels. Some twenty seconds. The vendor's binaries come from PyPI at test time and are never
committed. The result is read-only for its users (boards lay a writable layer over it), lives in the
user's cache folder and is named by a digest of the recipe, so a changed recipe makes a new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"  # the release whose Python is PYTHON_TAG
PYTHON_TAG = "311"
DEBIAN_PACKAGES = (
    "python3.11-minimal",
    "python3.11",
    "libpython3.11-stdlib",
    "openssh-server",
    "openssh-sftp-server",
    "libstdc++6",
    "libgomp1",
    "busybox-static",
)
WHEELS = ("numpy==2.2.6", "psutil==7.2.2", "ruamel.yaml==0.19.1", "rknn-toolkit-lite2==2.5.0")
RUNTIME_WHEEL = "rknpu==1.5.2"  # ships librknnrt 1.5.2 for aarch64
SITE = "opt/site"  # where the wheels lie, PYTHONPATH on the board
REAL_RUNTIME = "opt/rknpu/librknnrt.so"
QEMU = "/usr/bin/qemu-aarch64-static"
#: Imported once while building, so that their byte code is in the cache: compiling it under qemu in
#: every process would cost more than all else.
IMPORTS = (
    "rknnlite.api, numpy, numpy.lib.format, psutil, array, ast, base64, bisect, contextlib, ctypes, "
    "dataclasses, faulthandler, fcntl, functools, glob, hashlib, inspect, json, logging, math, "
    "multiprocessing, os, pathlib, platform, queue, re, resource, runpy, selectors, shutil, signal, socket, "
    "statistics, struct, subprocess, tempfile, threading, time, traceback, typing, zipfile, zlib"
)
# fmt: off
APPLETS = (
    "sh", "ash", "cat", "cp", "df", "env", "false", "grep", "head", "id", "kill", "ln", "ls", "mkdir", "mv",
    "ps", "rm", "sed", "sleep", "stat", "tail", "test", "true", "uname",
)
# fmt: on
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
sshd:x:100:65534::/run/sshd:/bin/false
rock:x:1000:1000::/home/rock:/bin/sh
"""
GROUP = "root:x:0:\nvideo:x:44:\nrender:x:106:\nrock:x:1000:\nnogroup:x:65534:\n"


class RootfsError(Exception):
    """The root file system could not be made; the message holds the output of the step that failed."""


def cache_folder() -> Path:
    """Return the folder for what the emulated tests build once: `$XDG_CACHE_HOME/rkbench-tests`.

    Where that cannot be written, one for temporary files.
    """
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rkbench-tests"
    folder = usual if _is_writable(usual) else Path(tempfile.gettempdir()) / f"rkbench-tests-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def ensure_rootfs() -> Path:
    """Return the root file system, made at the first call on this machine; raises RootfsError.

    Safe under pytest-xdist: the first caller builds under a file lock, the others wait for it.
    """
    recipe = hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest()[:16]
    target = cache_folder() / f"rootfs-{recipe}"
    with locked(target.with_suffix(".lock")):
        if not target.exists():
            _build_into(target)
    return target


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, released also when the process dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build_into(target: Path) -> None:
    """Build beside `target` and rename at the end, so that a broken build is never taken for a whole one."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as name:
        root = Path(name) / "root"
        root.mkdir()
        for package in _download_packages(Path(name) / "apt"):
            _run("dpkg", "-x", str(package), str(root))
        _install_wheels(root, Path(name) / "rknpu")
        _write_base_files(root)
        _compile_imports(root)
        root.chmod(0o755)
        root.rename(target)


def _download_packages(folder: Path) -> list[Path]:
    """Return the .deb files of DEBIAN_PACKAGES and all they depend on, for arm64."""
    archives = folder / "cache/archives"
    for part in ("state/lists/partial", "cache/archives/partial", "parts", "sources"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    _copy_machine_settings(folder / "parts")
    (folder / "sources/debian.sources").write_text(
        f"Types: deb\nURIs: {debian_mirror()}\nSuites: {SUITE}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    config = folder / "apt.conf"
    config.write_text(
        'APT::Architecture "arm64";\nAPT::Architectures { "arm64"; };\nAPT::Sandbox::User "root";\n'
        f'Dir::State "{folder}/state";\nDir::State::status "{folder}/status";\nDir::Cache "{folder}/cache";\n'
        f'Dir::Etc::parts "{folder}/parts";\nDir::Etc::sourcelist "/dev/null";\n'
        f'Dir::Etc::sourceparts "{folder}/sources";\n'
    )
    apt = ("apt-get", "-qq", "-y", "--no-install-recommends")
    _run(*apt, "update", APT_CONFIG=str(config))
    _run(*apt, "--download-only", "install", *DEBIAN_PACKAGES, APT_CONFIG=str(config))
    return sorted(archives.glob("*.deb"))


def _copy_machine_settings(parts: Path) -> None:
    """Copy the machine's apt settings (proxy, certificates), but not the clean-up hooks of containers."""
    for path in Path("/etc/apt/apt.conf.d").glob("*"):
        if path.is_file() and "docker" not in path.name:
            shutil.copy(path, parts)


def debian_mirror() -> str | None:
    """Return the Debian mirror that this machine's apt uses; None where its sources name none."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    for path in sources:
        text = path.read_text() if path.is_file() else ""
        found = re.search(r"^(?:URIs:|deb (?:\[.*?\] )?)\s*(https?://\S+/debian/?)\s", text, re.MULTILINE)
        if found:
            return found[1]
    return None


def _install_wheels(root: Path, scratch: Path) -> None:
    """Install WHEELS for the board's Python, and take librknnrt.so out of RUNTIME_WHEEL."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    target = ("--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON_TAG)
    platform = ("--platform", "manylinux2014_aarch64", "--root-user-action", "ignore")
    _run(*pip, *target, *platform, "--target", str(root / SITE), *WHEELS)
    _run(*pip, *target, *platform, "--target", str(scratch), "--no-deps", RUNTIME_WHEEL)
    library = next(scratch.glob("rknpu.libs/librknnrt-*.so"))
    (root / REAL_RUNTIME).parent.mkdir(parents=True)
    shutil.copy(library, root / REAL_RUNTIME)


def _write_base_files(root: Path) -> None:
    """Write what package scripts would have written: shell, users, mount points; no /.dockerenv."""
    for applet in APPLETS:
        link = root / "bin" / applet
        if not link.is_symlink() and not link.exists():
            link.symlink_to("/bin/busybox")
    (root / "usr/bin/python3").unlink(missing_ok=True)
    (root / "usr/bin/python3").symlink_to("python3.11")
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    for name in ("proc", "sys", "dev", "board", "root", "home/rock", "run/sshd", "tmp", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    os.chown(root / "home/rock", 1000, 1000)


def _compile_imports(root: Path) -> None:
    """Run the board's Python once under qemu (no binfmt needed: a single program), for its byte code."""
    qemu = root / "qemu"
    shutil.copy(QEMU, qemu)
    settings = ("-U", "PYTHONDONTWRITEBYTECODE", "-E", f"PYTHONPATH=/{SITE}")
    python = ("/usr/bin/python3.11", "-c", f"import {IMPORTS}")
    _run("chroot", str(root), "/qemu", "-L", "/", *settings, *python)
    qemu.unlink()


def _run(*command: str, **environment: str) -> None:
    """Run one step of the recipe; raises RootfsError with its output."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise RootfsError(f"{' '.join(command[:4])} ...: exit {done.returncode}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    print(ensure_rootfs())
