"""The texts that an installation writes: a systemd unit, or a script with a pid file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import List

NAME = "rkbench-exporter"

_UNIT = """\
# Made by `bench boards install-exporter`; removed by `bench boards install-exporter --uninstall`.
[Unit]
Description=rkbench exporter: this board for Prometheus
After=network.target

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=10
Nice=10
{hardening}
[Install]
WantedBy={target}
"""

#: Nothing is written, nothing is gained, one port is listened on.
_HARDENING = """\
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
MemoryMax=128M
"""
#: The manager of a user cannot do the rest.
_USER_HARDENING = """\
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
SystemCallArchitectures=native
MemoryMax=128M
"""

_SCRIPT = """\
#!/bin/sh
# rkbench exporter: {script} start|stop|status. Made by `bench boards install-exporter`.
{environment}pid_file={pid_file}
running() {{
  pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ] && grep -q {mark} "/proc/$pid/cmdline" 2>/dev/null
}}
case "$1" in
  start)
    running && exit 0
    {command} </dev/null >{log} 2>&1 &
    echo $! >"$pid_file"
    ;;
  stop)
    running && kill "$pid"
    rm -f "$pid_file"
    ;;
  status)
    running && echo "running: process $pid" || {{ echo "not running"; exit 3; }}
    ;;
  *)
    echo "usage: $0 start|stop|status" >&2
    exit 2
    ;;
esac
"""


def unit(command: List[str], *, is_user: bool, debugfs: bool) -> str:
    """Return the systemd unit that runs `command`, hardened; `debugfs` lets it see /sys/kernel/debug."""
    hidden = "" if debugfs or is_user else "InaccessiblePaths=-/sys/kernel/debug\n"
    return _UNIT.format(
        command=" ".join(_unit_word(word) for word in command),
        hardening=_USER_HARDENING if is_user else _HARDENING + hidden,
        target="default.target" if is_user else "multi-user.target",
    )


def script(command: List[str], folder: Path, sys_root: str) -> str:
    """Return the script that starts and stops `command`, with pid file and log in `folder`."""
    path = folder / f"{NAME}.sh"
    return _SCRIPT.format(
        script=path,
        environment=f"RKBENCH_SYS_ROOT={shlex.quote(sys_root)}; export RKBENCH_SYS_ROOT\n"
        if sys_root
        else "",
        pid_file=shlex.quote(str(folder / f"{NAME}.pid")),
        command=" ".join(shlex.quote(word) for word in command),
        mark=NAME,
        log=shlex.quote(str(folder / f"{NAME}.log")),
    )


def _unit_word(word: str) -> str:
    """Quote a word for ExecStart: systemd expands % and $, and knows double quotes."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or " " in word else word
