"""Mutate model files and read them: the child process of `test_rknn_fuzz.py`, also a program of its own.

    python rknn_fuzz.py FOLDER FIRST COUNT

Mutation number N is the same on every machine. Each one must be read with exact sums or be refused with
offset and field, in under a second of processor time, within 2x its size + 50 MB of address space (the
limit is set on this process). The first that is not ends the run; its bytes are left in FOLDER/failed.rknn.
"""

from __future__ import annotations

import random
import resource
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rkbench.errors import BenchError, ModelError
from rkbench.inspection.diff import diff_models
from rkbench.inspection.inspect_model import inspect_model
from rkbench.rknn import open_model
from rkbench.rknn.structure import structure_parts

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from peak_memory import peak_bytes
from rknn_writer import MODELS, small_spec, write_model

CPU_LIMIT_S = 1.0
MEMORY_FACTOR, MEMORY_EXTRA_BYTES = 2, 50_000_000
REAL = (
    "opt_remove_weight_True_rk3588_fp",
    "q_compress_weight_True_rk3568",
    "mb_gap7_rk3588_i8",
    "hybrid_some_rk3588",
    "opt_mini_rknn_True_rk3588_fp",
    "grouped_c64_g16_rk3588_fp",
    "grouped_c64_g16_rk3568_i8",
    "gru_h16_rk3588_fp",
    "dyn3_rk3588_fp",
)
VERSIONS = (1, 2, 4, 6, 0x1004)
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@dataclass(frozen=True)
class Sample:
    """A file to mutate; `hot` are the byte ranges that are no weights, where mutations tell."""

    data: bytes
    hot: tuple[tuple[int, int], ...]


def load_samples() -> list[Sample]:
    """Return synthetic files of every container (twice as often) and real ones."""
    synthetic = [write_model(small_spec(version)) for version in VERSIONS]
    files = [(MODELS / f"{name}.rknn").read_bytes() for name in REAL]
    return [_sample(data) for data in [*synthetic, *synthetic, *files]]


def _sample(data: bytes) -> Sample:
    path = Path(sys.argv[1]) / "sample.rknn"
    path.write_bytes(data)
    with open_model(path) as model:
        cold = sorted((b.offset, b.size_bytes) for b in model.buffers if b.size_bytes > 256)
    hot, start = [], 0
    for offset, size in cold:
        hot.append((start, offset))
        start = offset + size
    return Sample(data, (*(part for part in hot if part[0] < part[1]), (start, len(data))))


def mutate(samples: list[Sample], number: int) -> bytes:
    """Return mutation `number`: one to three changes of one sample."""
    rng = random.Random(number)
    sample = rng.choice(samples)
    data = bytearray(sample.data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(MUTATIONS)(data, sample, samples, rng)
    return bytes(data)


def _position(sample: Sample, size: int, rng: random.Random) -> int:
    start, end = rng.choice(sample.hot) if rng.random() < 0.9 else (0, len(sample.data))
    return min(rng.randrange(start, end), max(0, size - 1))


def _flip(data: bytearray, sample: Sample, samples: list[Sample], rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        if data:
            data[_position(sample, len(data), rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, sample: Sample, samples: list[Sample], rng: random.Random) -> None:
    """Put a number where numbers stand: 2, 4 or 8 bytes, aligned, often an extreme or near the size."""
    code = rng.choice("HIIIQ")
    size = struct.calcsize(code)
    at = _position(sample, len(data), rng) // size * size
    if at + size <= len(data):
        near = (len(data) - at, len(data), len(data) - 1, -at, at)
        value = rng.choice((*NUMBERS, rng.getrandbits(64), rng.randrange(4096), rng.choice(near)))
        struct.pack_into("<" + code, data, at, value % (1 << 8 * size))


def _nudge(data: bytearray, sample: Sample, samples: list[Sample], rng: random.Random) -> None:
    """Move a 32-bit number a little: an offset to a neighbour, a count by one."""
    at = _position(sample, len(data), rng) // 4 * 4
    if at + 4 <= len(data):
        value = struct.unpack_from("<I", data, at)[0] + rng.choice((-64, -8, -4, -1, 1, 4, 8, 64))
        struct.pack_into("<I", data, at, value % (1 << 32))


def _truncate(data: bytearray, sample: Sample, samples: list[Sample], rng: random.Random) -> None:
    del data[_position(sample, len(data), rng) :]


def _splice(data: bytearray, sample: Sample, samples: list[Sample], rng: random.Random) -> None:
    other = rng.choice(samples)
    at = _position(sample, len(data), rng)
    source, size = _position(other, len(other.data), rng), rng.choice((4, 16, 64, 1024))
    piece = other.data[source : source + size]
    data[at : at + len(piece)] = piece


def _duplicate(data: bytearray, sample: Sample, samples: list[Sample], rng: random.Random) -> None:
    at, size = _position(sample, len(data), rng), rng.choice((1, 4, 8, 64, 4096))
    piece = bytes(data[at : at + size])
    where = _position(sample, len(data), rng)
    data[where:where] = piece
    if rng.random() < 0.7 and len(data) >= 24:
        payload = struct.unpack_from("<Q", data, 16)[0] + len(piece)
        struct.pack_into("<Q", data, 16, payload % (1 << 64))


MUTATIONS = (_flip, _flip, _overwrite, _overwrite, _overwrite, _nudge, _nudge, _truncate, _splice, _duplicate)


def check(path: Path) -> str:
    """Read the file whole; return "read" or the field of its refusal. Raises what must not happen."""
    try:
        with open_model(path) as model:
            assert model.sections.total == model.file.size_bytes == path.stat().st_size
            owned = sum(layer.size_bytes for layer in model.layers)
            assert owned + model.unattributed.total == model.file.size_bytes
            assert min(vars(model.sections).values()) >= 0
            assert min(vars(model.unattributed).values()) >= 0
            structure_parts(model)
            diff_models(model, model)
            inspection = inspect_model(model)
            owned = sum(cause.bytes for cause in inspection.causes)
            assert owned + inspection.ordinary.bytes == model.file.size_bytes
            return "read"
    except ModelError as error:
        assert error.offset is not None, error
        assert error.field, error
        assert error.hint or error.field == "file", error
        return error.field
    except BenchError as error:
        raise AssertionError("refused without offset and field") from error


def main() -> int:
    """Run COUNT mutations from FIRST on; print what became of them."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    samples = load_samples()
    largest = max(len(sample.data) for sample in samples)
    limit_memory(MEMORY_FACTOR * largest + MEMORY_EXTRA_BYTES)
    path = folder / f"mutated-{first}.rknn"
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    for number in range(first, first + count):
        path.write_bytes(mutate(samples, number))
        start_s = time.process_time()
        try:
            outcome = check(path)
        except BaseException:
            print(f"mutation {number} failed; its bytes are in {folder / 'failed.rknn'}", file=sys.stderr)
            path.rename(folder / "failed.rknn")
            raise
        taken_s = time.process_time() - start_s
        assert taken_s < CPU_LIMIT_S, f"mutation {number} took {taken_s:.2f} s of processor time"
        outcomes[outcome] += 1
        slowest_s = max(slowest_s, taken_s)
    most_bytes = peak_bytes()
    print(f"{count} mutations: {outcomes['read']} read, {count - outcomes['read']} refused")
    print(f"slowest {slowest_s:.3f} s, peak RSS {most_bytes / 1e6:.0f} MB, {dict(outcomes.most_common())}")
    return 0


def limit_memory(extra_bytes: int) -> None:
    """Let this process take `extra_bytes` of address space more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    now_bytes = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now_bytes + extra_bytes,) * 2)


if __name__ == "__main__":
    sys.exit(main())
