"""Files of TOML that people write: read with a bound, each complaint with its line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from rkbench.errors import BenchError
from rkbench.files import read_small

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: More than anybody writes by hand.
LIMIT_BYTES = 1_000_000
_MEND = "mend it there, or name another file"
#: A key of more parts than anybody's: reading one takes a time that grows with the square of them.
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*"""
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:\.[ \t]*{_PART}){{32}}", re.ASCII)


def read_toml(
    path: Path, error: type[BenchError], *, hint: str = _MEND, limit_bytes: int = LIMIT_BYTES
) -> tuple[str, dict[str, Any]]:
    """Return the text of `path` and the table that it is.

    Raises `error` with the line that is wrong; FileNotFoundError and NotADirectoryError are the caller's.
    """
    try:
        text = read_small(path, limit_bytes).decode("utf-8").replace("\r\n", "\n")
        _check_keys(text)
        return text, tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):  # the latter where HOME is /dev/null
        raise
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        byte = wrong.object[wrong.start]
        raise error(f"{path}: line {line}: the byte 0x{byte:02x} is no UTF-8", hint=hint) from wrong
    except RecursionError as wrong:
        raise error(f"{path}: {_deepest(text)} is nested too deep", hint=hint) from wrong
    except (OSError, ValueError) as wrong:
        told = getattr(wrong, "strerror", None) or wrong
        raise error(f"{path} cannot be read: {told}", hint=hint) from wrong


def _check_keys(text: str) -> None:
    """Raise ValueError for a key that would take long to read."""
    found = _LONG_KEY.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"line {line} has a key of more than 32 parts")


def _deepest(text: str) -> str:
    """Return where brackets stand closest, as `line 3`."""
    lines = text.split("\n")
    depth = [line.count("[") + line.count("{") for line in lines]
    return f"line {depth.index(max(depth)) + 1}"


def line_of(text: str, table: str, name: str) -> int | None:
    """Return the line on which `[table.name]` begins; None where it is written in another way."""
    header = re.compile(rf"""\s*\[\s*{table}\s*\.\s*(["']?){re.escape(name)}\1\s*\]""")
    lines = enumerate(text.split("\n"), 1)
    return next((number for number, line in lines if header.match(line)), None)
