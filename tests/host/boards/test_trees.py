"""The recorded trees, and the links that a copy has."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.boards.virtual.trees import TREES, copy_tree, recorded_links, recorded_socs


def test_there_is_a_tree_of_both_socs() -> None:
    assert recorded_socs() == ("rk3568", "rk3588")


@pytest.mark.parametrize("soc", ["rk3568", "rk3588"])
def test_the_list_names_every_link_of_the_tree(soc: str) -> None:
    tree = TREES / soc
    links = {
        path.relative_to(tree).as_posix(): path.readlink() for path in tree.rglob("*") if path.is_symlink()
    }
    listed = recorded_links(soc)
    assert {name: Path(listed[name]) for name in links} == links
    # These lead back to where they stand: they exist in copies only.
    assert {Path(name).name for name in listed.keys() - links.keys()} == {"device"}


def test_a_copy_has_all_links_and_can_be_written(tmp_path: Path) -> None:
    copy_tree("rk3588", tmp_path / "tree")
    device = tmp_path / "tree/sys/class/drm/renderD129/device"
    assert device.resolve() == tmp_path / "tree/sys/devices/platform/fdab0000.npu"
    governor = tmp_path / "tree/sys/class/devfreq/fdab0000.npu/governor"
    governor.write_text("performance\n")
    assert (TREES / "rk3588/sys/class/devfreq/fdab0000.npu/governor").read_text() == "rknpu_ondemand\n"
