"""Goldens that are none, or that say what they are not: a GoldenError at once, whatever they hold."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rkbench.errors import BenchError, GoldenError
from rkbench.variants.golden_file import metadata_of, read_metadata
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_inputs import cases_from, random_cases
from rkbench.variants.golden_onnx import golden_beside, ours
from rkbench.variants.npz import NpzReader, NpzWriter

WANTED = [Wanted("inputs", "x", (1, 4), "float32")]


def _npy(shape: str, data: bytes = b"\0" * 16, order: bool = False) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}"
    padded = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode() + data


def _member(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inputs/x.npy", content)

    return write


def _encrypted(path: Path) -> None:
    _member(_npy("(1, 4)"))(path)
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of both headers: bit 0
        data[data.index(mark) + at] |= 1
    path.write_bytes(data)


def _many(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(4097):
            archive.writestr(f"{number}.npy", b"")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (
            _member(_npy("(1000000000, 1000000000)")),
            "its shape needs 4,000,000,000,000,000,000",
        ),
        (_member(_npy("(-1, 4)")), "no readable array"),
        (_member(_npy("(" * 90)), "no readable array"),
        (_member(b"\x93NUMPY\x01\x00\xff\xff{"), "no readable array"),
        (_member(_npy("(1, 4)", b"\0" * 8)), "its shape needs 16"),
        (_encrypted, "encrypted"),
        (_many, "4,097 members"),
        (os.mkfifo, "not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a file"),
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: path.write_bytes(b"PK\x03\x04" * 90), "damaged or cut-off"),
    ],
)
def test_what_is_no_golden_is_refused(tmp_path: Path, write: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "g.npz"
    write(path)
    with pytest.raises(GoldenError) as error:
        NpzReader(path)
    assert words in error.value.message
    assert error.value.hint


def test_a_member_that_can_only_be_read_whole_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rkbench.variants.npz.LARGEST_WHOLE_BYTES", 15)
    _member(_npy("(2, 2)", order=True))(tmp_path / "g.npz")
    with NpzReader(tmp_path / "g.npz") as source, pytest.raises(GoldenError, match="only be read whole"):
        list(source.chunks("inputs/x", 2))


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "\ud800", json.dumps(["no", "table"])])
def test_metadata_that_is_none_says_nothing(tmp_path: Path, text: str) -> None:
    np.savez(tmp_path / "g.npz", metadata=np.array(text))
    assert read_metadata(tmp_path / "g.npz") == {}


def test_metadata_beyond_all_measure_is_not_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "g.npz", metadata=np.array(json.dumps({"x": " " * 5_000_000})))
    with NpzReader(tmp_path / "g.npz") as source:
        assert metadata_of(source) == {}


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="File name too long"):
        NpzWriter(tmp_path / f"{'g' * 252}.npz")
    with pytest.raises(GoldenError, match="File name too long"):
        ours(golden_beside(tmp_path / f"{'m' * 250}.onnx"))
    with NpzWriter(tmp_path / f"{'g' * 251}.npz") as writer:
        writer.add_text("metadata", "{}")
    assert [len(file.name) for file in tmp_path.iterdir()] == [255]


def test_a_full_disk_is_told_and_leaves_nothing(tmpfs: Path) -> None:
    blocks = (np.zeros(1 << 20, "float32") for _ in range(16))
    with pytest.raises(GoldenError, match="No space left"), NpzWriter(tmpfs / "g.npz") as writer:
        writer.add("x", (16, 1 << 20), np.dtype("float32"), blocks)
    assert list(tmpfs.iterdir()) == []


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_inputs_that_are_pipes_are_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(BenchError, match="not a file"):
        list(cases_from([tmp_path / name], WANTED, None, None))


def test_inputs_whose_header_is_larger_than_memory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(_npy("(1000000000, 1000000000)"))
    with pytest.raises(GoldenError, match="no readable"):
        list(cases_from([tmp_path / "x.npy"], WANTED, None, None))


def test_no_random_values_are_made_for_an_input_larger_than_memory() -> None:
    with pytest.raises(GoldenError, match="too large"):
        list(random_cases([Wanted("inputs", "x", (1, 2**31, 2**31), "float32")], 0, 1))


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.save(held, np.array([{}], dtype=object), allow_pickle=True)
    _member(held.getvalue())(tmp_path / "g.npz")
    with pytest.raises(GoldenError, match="not plain numbers"):
        NpzReader(tmp_path / "g.npz")
