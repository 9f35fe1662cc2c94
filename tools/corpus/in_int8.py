"""Write what int8 leaves of each cause: `host/rkbench/inspection/causes/in_int8.tsv`.

    .venv/bin/python tools/corpus/in_int8.py FOLDER...

A FOLDER holds conversions, `NETWORK.TARGET.DTYPE.rknn`. Each pair of float16 and int8 counts for the causes
that own 1 % of the float16 file or more. Where the int8 file has no such cause, between nothing and what is
too small to be named is left of it; unless another cause owns those layers there: then that is another name
for the same, and the pair is left out.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from pathlib import Path

from rkbench.inspection.causes import find_causes
from rkbench.inspection.causes.attribution import SMALLEST_SHARE as NAMED_SHARE
from rkbench.inspection.causes.cause import Attribution, Cause
from rkbench.rknn import open_model

TARGET = Path(__file__).resolve().parents[2] / "host/rkbench/inspection/causes/in_int8.tsv"
SMALLEST_SHARE = 0.01


def main(arguments: list[str]) -> int:
    """Write the table."""
    left: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for folder in map(Path, arguments):
        for floats in sorted(folder.glob("*.fp16.rknn")):
            network, target, _, _ = floats.name.rsplit(".", 3)
            quantized = floats.with_name(f"{network}.{target}.int8.rknn")
            if quantized.exists():
                for code, share in shares_left(_causes(floats), _causes(quantized)).items():
                    left[code, target].append(share)
    rows = ["code\ttarget\tnetworks\tleast_percent\tmedian_percent\tmost_percent"]
    for (code, target), shares in sorted(left.items()):
        least, most = zip(*shares, strict=True)
        percents = [round(100 * share) for share in (min(least), statistics.median(most), max(most))]
        rows.append("\t".join(map(str, (code, target, len(shares), *percents))))
    TARGET.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(rows) - 1} causes x targets")
    return 0


def shares_left(floats: Attribution, quantized: Attribution) -> dict[str, tuple[float, float]]:
    """Return, for each cause of the float16 file, which share of its bytes the int8 file has: least, most."""
    there = {cause.code: cause for cause in quantized.causes}
    shares = {}
    for cause in floats.causes:
        if cause.share < SMALLEST_SHARE:
            continue
        if cause.code in there:
            shares[cause.code] = 2 * (there[cause.code].bytes / cause.bytes,)
        elif not _is_owned_by_another(cause, quantized):
            unnamed = NAMED_SHARE * (quantized.excess_bytes + quantized.ordinary_bytes)
            shares[cause.code] = (0.0, min(1.0, unnamed / cause.bytes))
    return shares


def _is_owned_by_another(cause: Cause, quantized: Attribution) -> bool:
    """Return whether most of a cause's layers stand under another cause in the int8 file."""
    elsewhere = {name for other in quantized.causes for name in other.layers}
    return 2 * len(elsewhere.intersection(cause.layers)) > len(cause.layers)


def _causes(path: Path) -> Attribution:
    with open_model(path) as model:
        return find_causes(model)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
