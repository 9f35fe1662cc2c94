"""Which bench.toml is the inventory: the one that is named, the nearest, or the user's own."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "bench.toml"
ENVIRONMENT_VARIABLE = "RKBENCH_INVENTORY"
_log = logging.getLogger("rkbench.inventory")


def find_inventory(
    named: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    start: Path | None = None,
    home: Path | None = None,
) -> Path:
    """Return the inventory to use: the `named` one, else $RKBENCH_INVENTORY, else the first bench.toml
    from `start` upwards that nobody else can have written, else rkbench/bench.toml in $XDG_CONFIG_HOME or
    ~/.config (which may not be there)."""
    chosen = named or environment.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    folder = (start or Path.cwd()).absolute()
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file() and _is_own(place / FILE_NAME):
            return place / FILE_NAME
    return users_inventory(environment, home)


def users_inventory(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Path:
    """Return the user's own inventory, which may not be there."""
    settings = Path(environment.get("XDG_CONFIG_HOME", ""))  # which counts where it is absolute
    folder = settings if settings.is_absolute() else (home or Path.home()) / ".config"
    return folder / "rkbench" / FILE_NAME


def _is_own(path: Path) -> bool:
    """Return whether only this user (and root) can have written `path` and what lies beside it.

    An inventory names programs that run here. Its folder counts, for its host keys lie beside it; those
    above do not: whoever moves them about moves files that are still this user's own. A group that may
    write is one that the user gave the file to.
    """
    for place in (path, path.parent):
        status = place.stat()
        if status.st_uid not in (os.getuid(), 0) or status.st_mode & stat.S_IWOTH:
            whose = "another user's" if status.st_uid not in (os.getuid(), 0) else "open to all users"
            _log.warning(
                "%r is left out: %r is %s; to use it: --inventory FILE", str(path), str(place), whose
            )
            return False
    return True
