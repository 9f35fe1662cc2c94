"""Files are packed once for all boards that want them, in bounded memory."""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from rkbench.boards.agent.packing import CHUNK_BYTES, PackedFile, PackedFiles, Piece
from rkbench.files import LocalFile, local_file


@pytest.fixture
def model(tmp_path: Path) -> LocalFile:
    return made(tmp_path / "m.rknn", b"model ")


def made(path: Path, word: bytes, chunks: int = 6) -> LocalFile:
    """Write a file that shrinks, in more than one piece."""
    path.parent.mkdir(exist_ok=True)
    noise = b"".join((7919 * number % 65521).to_bytes(2, "big") for number in range(CHUNK_BYTES // 8))
    path.write_bytes((noise + word * CHUNK_BYTES)[:CHUNK_BYTES] * chunks + word)
    return local_file(path)


def plain(pieces: Iterable[Piece]) -> bytes:
    return zlib.decompress(b"".join(piece for _, piece in pieces))


def test_what_was_packed_for_one_board_is_there_for_the_next_though_the_file_is_gone(
    model: LocalFile,
) -> None:
    files, content = PackedFiles(), model.path.read_bytes()
    with files.use(model) as packed:
        assert packed and packed.codec == "zlib" and plain(packed.pieces()) == content
    model.path.unlink()
    with files.use(model) as packed:
        assert packed and packed.codec == "zlib" and plain(packed.pieces()) == content


def test_the_pieces_stand_for_all_bytes_of_the_file(model: LocalFile) -> None:
    with PackedFiles().use(model) as packed:
        assert packed and sum(taken for taken, _ in packed.pieces()) == model.size_bytes


def test_a_board_that_takes_its_time_keeps_no_other_waiting(model: LocalFile) -> None:
    files, content = PackedFiles(), model.path.read_bytes()
    with files.use(model) as slow, files.use(model) as fast:
        assert slow and slow is fast
        begun = slow.pieces()
        first = next(begun)
        assert plain(fast.pieces()) == content
        assert plain([first, *begun]) == content


def test_many_boards_at_once_all_get_the_file(model: LocalFile) -> None:
    files, content, got = PackedFiles(), model.path.read_bytes(), []

    def take() -> None:
        with files.use(model) as packed:
            assert packed
            got.append(plain(packed.pieces()) == content)

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == 12 * [True]


def test_two_models_of_one_name_are_two(tmp_path: Path) -> None:
    files = PackedFiles()
    for word in (b"one ", b"two "):
        model = made(tmp_path / word.decode().strip() / "m.rknn", word)
        with files.use(model) as packed:
            assert packed and plain(packed.pieces()) == model.path.read_bytes()


def test_a_file_that_is_changed_during_the_night_is_not_kept_as_what_it_was(model: LocalFile) -> None:
    files, content = PackedFiles(), model.path.read_bytes()
    model.path.write_bytes(b"being written" * CHUNK_BYTES)
    with files.use(model) as packed:
        assert packed and plain(packed.pieces()) != content  # the board refuses it
        model.path.write_bytes(content)
        with files.use(model) as later:
            assert later and plain(later.pieces()) == content
    with files.use(model) as packed:
        assert packed and plain(packed.pieces()) == content


def test_a_file_that_cannot_be_read_for_a_while_is_read_again(model: LocalFile) -> None:
    files, content = PackedFiles(), model.path.read_bytes()
    model.path.unlink()
    with files.use(model) as packed, pytest.raises(FileNotFoundError):
        plain(packed.pieces() if packed else [])
    model.path.write_bytes(content)
    with files.use(model) as packed:
        assert packed and plain(packed.pieces()) == content


def test_an_upload_that_broke_off_leaves_nothing_to_the_next(model: LocalFile) -> None:
    files, content = PackedFiles(), model.path.read_bytes()
    with files.use(model) as packed:
        assert packed
        next(packed.pieces())
    model.path.write_bytes(content)
    with files.use(model) as packed:
        assert packed and plain(packed.pieces()) == content


def test_no_more_is_lent_than_the_memory_allows(tmp_path: Path) -> None:
    one, two = made(tmp_path / "1.rknn", b"one "), made(tmp_path / "2.rknn", b"two ")
    files = PackedFiles(kept_bytes=one.size_bytes + 1)
    with files.use(one) as first, files.use(two) as second:
        assert first and second is None


def test_who_is_used_no_more_makes_room_for_the_next(tmp_path: Path) -> None:
    one, two = made(tmp_path / "1.rknn", b"one "), made(tmp_path / "2.rknn", b"two ")
    files = PackedFiles(kept_bytes=one.size_bytes + 1)
    for model in (one, two, one):
        with files.use(model) as packed:
            assert packed and plain(packed.pieces()) == model.path.read_bytes()


def test_a_packed_file_counts_with_what_it_takes(model: LocalFile, tmp_path: Path) -> None:
    with PackedFiles().use(model) as packed:
        assert packed and packed.held_bytes == model.size_bytes
        taken = sum(len(piece) for _, piece in packed.pieces())
        assert packed.held_bytes == taken < model.size_bytes // 2
    path = tmp_path / "noise"
    path.write_bytes(Random(1).randbytes(1 << 20))
    stored = PackedFile(local_file(path))
    assert stored.codec == "stored" and stored.held_bytes == 0


def test_a_file_too_large_for_the_memory_sends_nothing_away(tmp_path: Path) -> None:
    small, large = made(tmp_path / "1.rknn", b"one "), made(tmp_path / "2.rknn", b"two ", chunks=12)
    files, content = PackedFiles(kept_bytes=small.size_bytes + 1), small.path.read_bytes()
    with files.use(small) as packed:
        assert packed and plain(packed.pieces()) == content
    with files.use(large) as packed:
        assert packed is None
    small.path.unlink()
    with files.use(small) as packed:
        assert packed and plain(packed.pieces()) == content


class Stream(io.RawIOBase):
    """A file behind whose first bytes there is no memory left."""

    def __init__(self) -> None:
        self._is_begun = False

    def read(self, size: int = -1) -> bytes:
        if self._is_begun:
            raise MemoryError
        self._is_begun = True
        return bytes(size)


class Short(type(Path())):  # type: ignore[misc]
    def open(self, *_: object) -> Stream:
        return Stream()


def test_what_breaks_while_one_board_packs_is_no_end_of_the_file_for_the_others(model: LocalFile) -> None:
    with PackedFiles().use(replace(model, path=Short(model.path))) as packed:
        assert packed
        for _ in range(2):
            with pytest.raises(MemoryError):
                list(packed.pieces())
        assert packed.is_bad
