"""Make the environment that converts: python3.11 with rknn-toolkit2, without its 1 GB of torch.

    python3 tools/toolkit/setup.py [--toolkit 2.5.0] [--venv FOLDER]

Idempotent: an environment that is complete is left alone. Default folder: `.venv-toolkit`, and for another
toolkit version `.venv-toolkit-VERSION`, so several versions can stand side by side.
Prints the path of the environment's Python as its last line; 35 s and 630 MB the first time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_TOOLKIT = "2.5.0"
# The toolkit's wheels hold one extension per CPython; 3.11 is the newest that all versions since 2.2.0 have.
PYTHON_NAMES = ("python3.11", "python3.10", "python3.12")


def main() -> int:
    """Make the environment if it is missing or stale; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--toolkit", default=DEFAULT_TOOLKIT, help="its version, default %(default)s")
    parser.add_argument("--venv", type=Path, help="folder of the environment")
    options = parser.parse_args()
    folder = options.venv or default_folder(options.toolkit)
    stamp = folder / ".installed"
    if not (stamp.exists() and stamp.read_text() == fingerprint(options.toolkit)):
        make(folder, options.toolkit)
        stamp.write_text(fingerprint(options.toolkit))
    print(folder / "bin/python")
    return 0


def default_folder(toolkit: str) -> Path:
    """Return the environment's folder for a toolkit version, in the root of the checkout."""
    name = ".venv-toolkit" if toolkit == DEFAULT_TOOLKIT else f".venv-toolkit-{toolkit}"
    return HERE.parent.parent / name


def fingerprint(toolkit: str) -> str:
    """Return what the environment was made of, so that a change of it is noticed."""
    pins = (HERE / "requirements.txt").read_bytes()
    return f"rknn-toolkit2 {toolkit}, requirements {hashlib.sha256(pins).hexdigest()}, {HERE}\n"


def make(folder: Path, toolkit: str) -> None:
    """Create the environment and install; raises CalledProcessError with pip's words on stderr."""
    python = folder / "bin/python"
    print(f"setting up {folder} (once; about 40 s, 630 MB) ...", file=sys.stderr)
    if not python.exists():
        run([find_python(), "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "-r", str(HERE / "requirements.txt")])
    run([*pip, "--no-deps", f"rknn-toolkit2=={toolkit}"])
    for packages in folder.glob("lib/python3.*/site-packages"):
        (packages / "rkbench-standin.pth").write_text(f"{HERE / 'standin'}\n")
    run([str(python), "-c", "import rknn.api"])


def find_python() -> str:
    """Return a Python that the toolkit has a wheel for; exits with what to install where there is none."""
    for name in PYTHON_NAMES:
        # A pyenv shim exists for versions that are not active: ask it, do not just look for it.
        path = shutil.which(name)
        if (
            path
            and subprocess.run([path, "-c", "import venv"], capture_output=True, check=False).returncode == 0
        ):
            return path
    names = ", ".join(PYTHON_NAMES)
    sys.exit(f"rknn-toolkit2 has wheels for {names} only; none found: apt install python3.11-venv")


def run(command: list[str]) -> None:
    """Run a command with its output on our stderr."""
    subprocess.run(
        command, check=True, stdout=sys.stderr.fileno(), env={**os.environ, "PYTHONNOUSERSITE": "1"}
    )


if __name__ == "__main__":
    sys.exit(main())
