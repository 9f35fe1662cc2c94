"""The /sys, /proc and /dev trees that virtual boards show to the agent.

They are examples, not recordings of one board: which files there are, their names and their forms come from
public sources, and what an idle board reads in them is made up. `<soc>.sources` says which is which for each
file; in the recorded boards of our tests nothing is made up.

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


def copy_tree(name: str, target: Path, trees: Path = TREES) -> None:
    """Write the tree `name` of the folder `trees` into the folder `target`, which must not be there yet."""
    links = recorded_links(name, trees)
    source = trees / name

    def leave_out(folder: str, names: list[str]) -> set[str]:
        place = Path(folder).relative_to(source)
        return {name for name in names if (place / name).as_posix() in links}

    shutil.copytree(source, target, ignore=leave_out)
    for path, to in links.items():
        if (source / path).is_dir() and not (source / path).is_symlink():
            real = Path(os.path.normpath((target / path).parent / to))
            shutil.copytree(source / path, real, ignore=leave_out, dirs_exist_ok=True)
    for path, to in links.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).symlink_to(to)


def recorded_links(name: str, trees: Path = TREES) -> dict[str, str]:
    """Return the links of a tree: path in the tree -> what it says."""
    lines = (trees / f"{name}.links").read_text().splitlines()
    return dict(line.split(" -> ", 1) for line in lines)
