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


@pytest.mark.parametrize("soc", ["rk3568", "rk3588"])
def test_a_copy_has_every_file_of_the_tree_whoever_wrote_to_another_copy(soc: str, tmp_path: Path) -> None:
    copy_tree(soc, tmp_path / "one")
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_text("written by this board\n")
    copy_tree(soc, tmp_path / "two")
    for path in (TREES / soc).rglob("*"):
        place = tmp_path / "two" / path.relative_to(TREES / soc)
        assert place.is_dir() if path.is_dir() else place.read_bytes() == path.read_bytes()


def test_a_tree_elsewhere_is_read_as_it_is_now(tmp_path: Path) -> None:
    (tmp_path / "board/sys").mkdir(parents=True)
    (tmp_path / "board.links").write_text("dev/node -> ../sys\n")
    for content in ("first\n", "second\n"):
        (tmp_path / "board/sys/load").write_text(content)
        copy_tree("board", tmp_path / content.strip(), tmp_path)
        assert (tmp_path / content.strip() / "dev/node/load").read_text() == content


def test_a_copy_does_not_write_into_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(FileExistsError):
        copy_tree("rk3588", tmp_path / "tree")
