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
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TREES = Path(__file__).parent / "trees"
_READING = threading.Lock()


@dataclass(frozen=True)
class _Tree:
    """A tree as a whole: folders, outer ones first; what is in each file; where each link leads to."""

    folders: tuple[str, ...]
    files: dict[str, bytes]
    links: dict[str, str]


def recorded_socs() -> tuple[str, ...]:
    """Return the SoCs of which there is a tree."""
    return tuple(sorted(path.stem for path in TREES.glob("*.links")))


def copy_tree(name: str, target: Path, trees: Path = TREES) -> None:
    """Write the tree `name` of the folder `trees` into the folder `target`, which must not be there yet."""
    if trees == TREES:
        with _READING:  # fifty boards of a night begin at the same time, and are given what is read once
            tree = _kept_tree(name)
    else:
        tree = _read_tree(name, trees)
    target.mkdir(parents=True)
    for folder in tree.folders:
        (target / folder).mkdir(exist_ok=True)
    for path, content in tree.files.items():
        (target / path).write_bytes(content)
    for path, to in tree.links.items():
        (target / path).symlink_to(to)


@cache
def _kept_tree(name: str) -> _Tree:
    return _read_tree(name, TREES)


def _read_tree(name: str, trees: Path) -> _Tree:
    """Read a tree; a folder that stands under the name of a link is found where the link leads to."""
    links = recorded_links(name, trees)
    source = trees / name
    folders, files = dict.fromkeys(place for path in links for place in _above(path)), {}

    def read(folder: Path, real: Path) -> None:
        folders.update(dict.fromkeys(_above((real / "any").as_posix())))
        for path in folder.iterdir():
            if path.relative_to(source).as_posix() in links:
                continue
            if path.is_dir():
                read(path, real / path.name)
            else:
                files[(real / path.name).as_posix()] = path.read_bytes()

    read(source, Path())
    for path, to in links.items():
        if (source / path).is_dir() and not (source / path).is_symlink():
            read(source / path, Path(os.path.normpath(Path(path).parent / to)))
    return _Tree(tuple(folders), files, links)


def _above(path: str) -> list[str]:
    """Return the folders that a path of a tree lies in, the outer ones first."""
    return [folder.as_posix() for folder in reversed(Path(path).parents)]


def recorded_links(name: str, trees: Path = TREES) -> dict[str, str]:
    """Return the links of a tree: path in the tree -> what it says."""
    lines = (trees / f"{name}.links").read_text().splitlines()
    return dict(line.split(" -> ", 1) for line in lines)
