"""How far the prediction is off, on the half of the corpus that rules are fitted on.

    .venv/bin/python tools/corpus/evaluate.py [--held-back] [--misses] [--synthetic]

Predicts every network of tools/corpus/data and prints the tables of docs/prediction.md. `--held-back`
judges by the
other half: for the day when the rules are done.
"""

from __future__ import annotations

import argparse
import gzip
import math
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kept import DATA, kept_rows
from networks import Network, networks
from rkbench.onnx import OnnxFile, Prediction, open_onnx, predict

CONSTANTS = ("weights", "cpu_constants", "lookup_tables", "kind7", "compiler_constants")
COMBINATIONS = tuple((target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8"))


@dataclass(frozen=True)
class Case:
    """One conversion beside its prediction."""

    network: Network
    prediction: Prediction
    row: dict[str, str]
    """The line of sizes.tsv."""

    @property
    def refused(self) -> bool:
        """Whether the converter refused."""
        return not self.row["size_bytes"]

    @property
    def error(self) -> float:
        """Predicted against real size of the file, minus 1."""
        return self.prediction.file_bytes / int(self.row["size_bytes"]) - 1

    @property
    def constants_error(self) -> float:
        """The same of all constants."""
        return self.prediction.weight_bytes / max(self.constant_bytes, 1) - 1

    @property
    def constant_bytes(self) -> int:
        """All constants in the file."""
        return sum(int(self.row[section]) for section in CONSTANTS)

    @property
    def rest_bytes(self) -> int:
        """All of the file but constants."""
        return int(self.row["size_bytes"]) - self.constant_bytes

    @property
    def combination(self) -> tuple[str, str]:
        """Target and dtype."""
        return self.row["target"], self.row["dtype"]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--held-back", action="store_true", help="judge by the held-back half")
    parser.add_argument("--spent", action="store_true", help="those alone that were held back once")
    parser.add_argument("--misses", action="store_true", help="list conversions that are more than 5 %% off")
    parser.add_argument("--synthetic", action="store_true", help="the graphs of one operator instead")
    parser.add_argument("--only", default="", help="networks with this in their name")
    options = parser.parse_args()
    half = "held_back" if options.held_back else "fit"
    chosen = [
        n
        for n in networks()
        if n.half == half
        and n.is_real != options.synthetic
        and options.only in n.name
        and (n.is_spent or not options.spent)
    ]
    cases = list(read_cases(chosen))
    print_table(cases)
    print_signs(cases)
    print_refusals(cases)
    if options.misses:
        print_misses(cases)
    return 0


def read_cases(chosen: Iterable[Network]) -> Iterator[Case]:
    """Yield every conversion of the networks with its prediction."""
    rows = defaultdict(list)
    for row in kept_rows():
        rows[row["network"]].append(row)
    for network in chosen:
        if rows[network.name]:
            opened = open_graph(network)
            for row in rows[network.name]:
                yield Case(network, predict(opened, row["target"], row["dtype"], row["toolkit_version"]), row)


def open_graph(network: Network) -> OnnxFile:
    """Return the graph of a network, without its large weights."""
    packed = DATA / "graphs" / f"{network.name}.onnx.gz"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network.name}.onnx"
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        return open_onnx(path, {name: tuple(shape) for name, shape in network.shapes.items()})


def print_table(cases: list[Case]) -> None:
    """Print how many predictions are how near, for each target and dtype."""
    titles = ("", "n", "median", "p90", "max", "within 5 %", "15 %", "constants 5 %", "rest: median")
    print(f"| {' | '.join((*titles, 'band holds', 'half-width'))} |")
    print("|" + "---|" * (len(titles) + 2))
    for combination in (*COMBINATIONS, None):
        found = [case for case in cases if not case.refused and combination in (None, case.combination)]
        if found:
            print(f"| {' '.join(combination or ('all',))} | {len(found)} | {' | '.join(_columns(found))} |")


def _columns(cases: list[Case]) -> list[str]:
    errors = sorted(abs(case.error) for case in cases)
    rest = [abs(case.prediction.command_bytes / case.rest_bytes - 1) for case in cases]
    return [
        *(
            f"{value:.1%}"
            for value in (statistics.median(errors), errors[int(0.9 * len(errors))], errors[-1])
        ),
        _share(cases, lambda case: abs(case.error) <= 0.05),
        _share(cases, lambda case: abs(case.error) <= 0.15),
        _share(cases, lambda case: abs(case.constants_error) <= 0.05),
        f"{statistics.median(rest):.0%}",
        _share(cases, in_band),
        f"{statistics.median(half_width(case.prediction) for case in cases):.1%}",
    ]


def _share(cases: list[Case], holds: Callable[[Case], bool]) -> str:
    return f"{sum(map(holds, cases)) / len(cases):.0%}"


def in_band(case: Case) -> bool:
    """Return whether the real size lies in the stated band."""
    low, high = case.prediction.file_bytes_low, case.prediction.file_bytes_high
    return low <= int(case.row["size_bytes"]) <= (high or math.inf)


def half_width(prediction: Prediction) -> float:
    """Return half the band, as a share of what is predicted."""
    return (prediction.file_bytes - prediction.file_bytes_low) / prediction.file_bytes


def print_signs(cases: list[Case]) -> None:
    """Print how often the smaller dtype and the smaller target are foreseen."""
    real = {(case.network.name, *case.combination): case for case in cases if not case.refused}
    for title, pairs in (("dtype", _pairs(real, 1)), ("target", _pairs(real, 0))):
        right = [(one.error, two) for one, two in pairs if _same_sign(one, two)]
        wrong = [
            f"{one.network.name} {'/'.join(one.combination)}"
            for one, two in pairs
            if not _same_sign(one, two)
        ]
        print(f"smaller {title}: {len(right)} of {len(pairs)} right; wrong: {', '.join(wrong) or 'none'}")


def _pairs(real: dict[tuple[str, str, str], Case], place: int) -> list[tuple[Case, Case]]:
    others = {"rk3588": "rk3568", "fp16": "int8"}
    found = []
    for (name, *combination), case in real.items():
        if combination[place] in others:
            combination[place] = others[combination[place]]
            other = real.get((name, combination[0], combination[1]))
            if other is not None:
                found.append((case, other))
    return found


def _same_sign(one: Case, two: Case) -> bool:
    real = int(one.row["size_bytes"]) < int(two.row["size_bytes"])
    return real == (one.prediction.file_bytes < two.prediction.file_bytes)


def print_refusals(cases: list[Case]) -> None:
    """Print how many refusals are foreseen, and how often one is foreseen that does not come."""
    refused = [case for case in cases if case.refused]
    foreseen = [case for case in refused if foresees(case)]
    false = [case for case in cases if not case.refused and foresees(case)]
    print(f"refusals: {len(foreseen)} of {len(refused)} foreseen")
    print(f"false alarms: {len(false)} of {len(cases) - len(refused)}")
    for case in refused:
        known = "foreseen" if case in foreseen else "NOT FORESEEN"
        print(f"  {case.network.name} {'/'.join(case.combination)} {known}: {case.row['error'][:160]}")
    for case in false:
        print(f"  FALSE ALARM {case.network.name} {'/'.join(case.combination)}")


def foresees(case: Case) -> bool:
    """Return whether the prediction says that the converter will refuse."""
    return bool(case.prediction.refusals)


def print_misses(cases: list[Case]) -> None:
    """List what is more than 5 % off, with the error of constants and of the rest."""
    for case in sorted((case for case in cases if not case.refused), key=lambda case: -abs(case.error)):
        if abs(case.error) > 0.05:
            rest = case.prediction.command_bytes / case.rest_bytes - 1
            share = case.rest_bytes / int(case.row["size_bytes"])
            real = (
                f"{case.network.name:28s} {'/'.join(case.combination):12s} {int(case.row['size_bytes']):10,d}"
            )
            parts = f"constants {case.constants_error:+7.1%} rest {rest:+7.1%} (share {share:.0%})"
            print(f"{real} {case.error:+7.1%} {parts}")


if __name__ == "__main__":
    sys.exit(main())
