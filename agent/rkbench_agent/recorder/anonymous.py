"""Takes out of a text what tells whose board it is: numbers, addresses and names."""

from __future__ import annotations

import getpass
import os
import pwd
import re
from typing import List, Sequence, Tuple

#: Names shorter than this, and those of every system, stand in too many words that mean something else.
LEAST_LETTERS = 3
EVERYBODYS = {"root", "localhost", "rock", "orangepi", "linaro", "ubuntu", "debian", "buildroot", "rockchip"}
_GROUP = "[0-9A-Fa-f]{1,4}"
_RULES: Tuple[Tuple[re.Pattern[str], str], ...] = (
    # Who built the kernel, and mail addresses; 100@800000000Hz is neither.
    (re.compile(r"\b[A-Za-z_][\w.+-]*@[\w.-]+"), "build@host"),
    (re.compile(r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b"), "UUID"),
    # Partitions of an MBR have short ones; a date has no letter.
    (re.compile(r"\b(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{2,4}\b"), "UUID"),
    (
        re.compile(r"(?i)\b((?:part)?uuid|serial\w*|androidboot\.\w*serial\w*|ssid|hostname)(\s*[=:]\s*)\S+"),
        r"\1\2GONE",
    ),
    (re.compile(r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,}\b"), "MAC"),
    (re.compile(rf"(?<![\w:])(?:{_GROUP}:){{7}}{_GROUP}(?![\w:])"), "IP"),
    (
        re.compile(
            rf"(?<![\w:])(?:{_GROUP}:){{0,6}}(?:{_GROUP})?::(?:{_GROUP}:){{0,6}}(?:{_GROUP})?(?![\w:])"
        ),
        "IP",
    ),
    (
        re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"),
        "IP",
    ),
    # A serial number of the SoC has sixteen hexadecimal digits; no row of frequencies has as many.
    (re.compile(r"(?<![\w.])[0-9]{16}(?![\w.])"), "NUMBER"),
    (re.compile(r"(?<![\w])(?=[0-9A-Fa-f]*[A-Fa-f])(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}(?![\w])"), "NUMBER"),
)


def clean(text: str, names: Sequence[str] = ()) -> str:
    """Return `text` without serial numbers, uuids, MAC and IP addresses, user@host and `names`."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    for name in names:
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "NAME", text)
    return text


def telling_names() -> List[str]:
    """Return what this board and its users are called, as far as nobody else's are called so."""
    found = {os.uname().nodename, os.uname().nodename.partition(".")[0]}
    found |= {entry.pw_name for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000}
    try:
        found.add(getpass.getuser())
    except (KeyError, OSError):
        pass  # a uid without an entry in passwd
    return sorted(name for name in found if len(name) >= LEAST_LETTERS and name.lower() not in EVERYBODYS)
