"""The versions of rknn-toolkit2 that can be installed, and the computers and Pythons that they run on."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys

from rkbench.errors import BenchError, UsageError, choice_hint

#: Those of the package index that convert in an environment as ours makes it, the newest first.
VERSIONS = ("2.5.0", "2.3.2", "2.3.0", "2.2.0")
DEFAULT = VERSIONS[0]
#: All versions above have wheels for these, x86_64; tried in this order.
PYTHONS = ((3, 11), (3, 10), (3, 12))
#: The first version with wheels for computers with an ARM processor.
FIRST_AARCH64 = "2.3.0"
_FIND_S = 30.0


def known_version(word: str | None) -> str:
    """Return the version that `word` names, the newest for None; raises UsageError for one that is not."""
    if word is None:
        return DEFAULT
    if word in VERSIONS:
        return word
    raise UsageError(
        f"rknn-toolkit2 {word} is not among those that can be had", hint=choice_hint(word, VERSIONS)
    )


def check_computer(version: str) -> None:
    """Raise BenchError where the vendor has no wheel of `version` for this computer."""
    machine, system = platform.machine(), platform.system()
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        raise BenchError(
            f"rknn-toolkit2 runs on Linux with x86_64 or aarch64 only; this is {system} on {machine}",
            hint="convert on such a computer (a virtual machine or a container will do), and bring the .rknn",
        )
    if machine == "aarch64" and VERSIONS.index(version) > VERSIONS.index(FIRST_AARCH64):
        raise BenchError(
            f"rknn-toolkit2 {version} was made for x86_64 only; this computer is aarch64",
            hint=f"take {FIRST_AARCH64} or a newer one",
        )


def find_python() -> str:
    """Return a Python that the toolkit has a wheel for; raises BenchError where there is none."""
    if sys.version_info[:2] in PYTHONS and _makes_environments(sys.executable):
        return sys.executable
    names = [f"python{major}.{minor}" for major, minor in PYTHONS]
    for name in names:
        path = shutil.which(name)
        # A shim of pyenv exists for versions that are not active: it is asked, not just looked for.
        if path and _makes_environments(path):
            return path
    raise BenchError(
        f"rknn-toolkit2 has wheels for {', '.join(names)} alone, and none of them is here with its venv",
        hint="install one (Debian 12: apt install python3.11-venv; elsewhere: uv python install 3.11), "
        "or name an environment of your own: --toolkit-python PATH",
    )


def _makes_environments(python: str) -> bool:
    asked = [python, "-c", "import venv, ensurepip"]
    try:
        return subprocess.run(asked, capture_output=True, check=False, timeout=_FIND_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
