"""A golden for a model whose outputs are the parts of what its ONNX joins: the joined ones, cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rkbench.files import cache_folder, local_file
from rkbench.variants.conversion_record import JoinedOutput
from rkbench.variants.golden import evict, make_folder
from rkbench.variants.golden_file import METADATA
from rkbench.variants.npz import Array, NpzReader, NpzWriter

FORM = "rkbench-golden-split/1"
_OUTPUTS = "outputs/"


def kept_split(golden: Path, joined: Sequence[JoinedOutput]) -> Path:
    """Return a golden in which `joined` outputs are cut, from the cache; raises GoldenError."""
    told = f"{FORM} {local_file(golden).sha256} {joined!r}"
    folder = cache_folder("goldens")
    target = folder / f"{hashlib.sha256(told.encode()).hexdigest()}.npz"
    if not target.exists():
        make_folder(folder)
        write_split(golden, joined, target)
        evict(folder, keep=target)
    return target


def write_split(golden: Path, joined: Sequence[JoinedOutput], target: Path) -> None:
    """Write a golden with the parts of `joined` outputs in their place; what does not fit stays as it is."""
    with NpzReader(golden) as source, NpzWriter(target) as writer:
        for key, header in source.headers.items():
            whole = _joined(key, header.shape, joined)
            if key == METADATA:
                writer.add_text(METADATA, str(source.whole(METADATA)))
            elif whole is None:
                writer.add(key, header.shape, header.dtype, [source.whole(key)])
            else:
                cases, start = header.shape[0], 0
                for part in whole.parts:
                    shape = list(whole.shape)
                    shape[whole.axis] = part.size
                    cut = _cut(source.chunks(key, cases), whole.axis, start, part.size)
                    writer.add(f"{_OUTPUTS}{part.name}", (cases, *shape), header.dtype, cut)
                    start += part.size


def _joined(key: str, shape: tuple[int, ...], joined: Sequence[JoinedOutput]) -> JoinedOutput | None:
    """Return which joined output a member is: by its name, where each case has the whole shape."""
    found = next((each for each in joined if key in (each.name, f"{_OUTPUTS}{each.name}")), None)
    return found if found is not None and shape[1:] == tuple(found.shape) else None


def _cut(cases: Iterator[Array], axis: int, start: int, size: int) -> Iterator[Array]:
    """Yield `size` places of every case from `start` on; a case has an axis of its own in front."""
    place = (*(slice(None),) * (axis + 1), slice(start, start + size))
    for case in cases:
        yield case[place]
