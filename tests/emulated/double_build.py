"""Builds the two doubles, once for each source text and architecture, into the cache folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from rootfs import cache_folder, locked

SOURCES = Path(__file__).parent / "doubles"
COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "x86_64": "gcc"}
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden")
RUNTIME_DOUBLE = ("librknnrt_double.c", "queries.c", "script.c", "tensors.c", "layout.c")
DEVICE_DOUBLE = ("rknpu_device_double.c", "script.c")


def build_runtime_double(architecture: str) -> Path:
    """Return the librknnrt.so that stands in for the vendor's (T1); raises CalledProcessError."""
    return _build("librknnrt", RUNTIME_DOUBLE, architecture, ("-lm",))


def build_device_double(architecture: str) -> Path:
    """Return the library that, preloaded, stands in for the NPU's device (T2); raises CalledProcessError."""
    return _build("rknpu_device", DEVICE_DOUBLE, architecture, ("-ldl", "-lpthread"))


def has_compiler(architecture: str) -> bool:
    """Tell whether the doubles can be built for `architecture` here."""
    return shutil.which(COMPILERS[architecture]) is not None


def _build(name: str, sources: tuple[str, ...], architecture: str, libraries: tuple[str, ...]) -> Path:
    target = cache_folder() / f"{name}-{architecture}-{_digest(architecture)}.so"
    with locked(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            command = [COMPILERS[architecture], *FLAGS, "-o", str(partial), *sources, *libraries]
            subprocess.run(command, cwd=SOURCES, check=True, timeout=120)
            partial.rename(target)
    return target


def _digest(architecture: str) -> str:
    """Return what names a build: all source texts, the flags and the compiler's version."""
    digest = hashlib.sha256(repr(FLAGS).encode())
    for path in sorted(SOURCES.glob("*.[ch]")):
        digest.update(path.read_bytes())
    version = subprocess.run(
        [COMPILERS[architecture], "--version"], capture_output=True, check=True, timeout=30
    )
    digest.update(version.stdout)
    return digest.hexdigest()[:16]
