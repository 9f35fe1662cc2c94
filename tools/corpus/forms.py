"""Write which forms of operators the corpus has: `host/rkbench/onnx/forms.tsv`, one a line.

    .venv/bin/python tools/corpus/forms.py [--check]

Only networks count whose conversions are all predicted within 15 %: a form is familiar where it went well.
`--check` prints, for each network that is real, how many forms no other family has.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from evaluate import open_graph, read_cases
from kept import DATA
from networks import Network, networks
from rkbench.errors import BenchError
from rkbench.onnx.constants import stored_values
from rkbench.onnx.familiar import forms_of

TARGET = Path(__file__).resolve().parents[2] / "host/rkbench/onnx/forms.tsv"


def main() -> int:
    """Write the file, or say what is new in each network."""
    found = list(_forms())
    if "--check" in sys.argv[1:]:
        families: dict[str, set[str]] = defaultdict(set)
        for network, forms in found:
            for form in forms:
                families[form].add(network.family)
        for network, forms in found:
            new = sorted(form for form in forms if families[form] == {network.family})
            if network.is_real:
                print(len(new), network.name, "; ".join(new), sep="\t")
        return 0
    known = sorted(set().union(*(forms for _, forms in found)))
    TARGET.write_text("\n".join(known) + "\n", encoding="utf-8")
    print(f"{len(known)} forms of {len(found)} networks")
    return 0


def _forms() -> Iterator[tuple[Network, set[str]]]:
    for network in networks():
        if network.half == "fit" and (DATA / "graphs" / f"{network.name}.onnx.gz").exists():
            try:
                graph = open_graph(network).graph
            except BenchError as error:  # a graph with sizes that only its own case gives
                print(f"{network.name}: {error}", file=sys.stderr)
                continue
            if _is_predicted(network):
                yield network, forms_of(graph, stored_values(graph))


NEAR = 0.15


def _is_predicted(network: Network) -> bool:
    errors = [abs(case.error) for case in read_cases([network]) if not case.refused]
    return bool(errors) and max(errors) <= NEAR


if __name__ == "__main__":
    sys.exit(main())
