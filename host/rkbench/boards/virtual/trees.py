"""The recorded /sys, /proc and /dev trees of real boards, which virtual boards show to the agent.

A wheel holds no links: a folder that several names lead to stands there once, under any of them. And
some links of sysfs lead back to where they stand, which traps whatever walks the package. So the links
are listed in `<soc>.links`, and made when a tree is copied out.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

TREES = Path(__file__).parent / "trees"


def recorded_socs() -> tuple[str, ...]:
    """Return the SoCs of which there is a tree."""
    return tuple(sorted(path.stem for path in TREES.glob("*.links")))


def copy_tree(soc: str, target: Path) -> None:
    """Write the tree of `soc` into the folder `target`, which must not be there yet."""
    links = recorded_links(soc)
    source = TREES / soc

    def leave_out(folder: str, names: list[str]) -> set[str]:
        place = Path(folder).relative_to(source)
        return {name for name in names if (place / name).as_posix() in links}

    shutil.copytree(source, target, ignore=leave_out)
    for name, to in links.items():
        if (source / name).is_dir() and not (source / name).is_symlink():
            real = Path(os.path.normpath((target / name).parent / to))
            shutil.copytree(source / name, real, ignore=leave_out, dirs_exist_ok=True)
    for name, to in links.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(to)


def recorded_links(soc: str) -> dict[str, str]:
    """Return the links of the tree of `soc`: path in the tree -> what it says."""
    lines = (TREES / f"{soc}.links").read_text().splitlines()
    return dict(line.split(" -> ", 1) for line in lines)
