"""Run the benchmarks and print their ratios as a table; exit 1 if a limit is not kept, 2 for a wrong name."""

from __future__ import annotations

import os
import sys

from benchmarks.alone import run_alone
from benchmarks.ratio import Ratio

MODULES = (
    "overhead",
    "contexts",
    "startup",
    "inspect_file",
    "onnx_cures",
    "npu_decode",
    "npu_execute",
    "push_cost",
    "conversion",
    "transfer",
    "scrape",
    "nightly_load",
    "summarize",
    "comparison",
    "compare_stored",
    "stored",
)


def main() -> int:
    """Run the modules named on the command line, or all."""
    # What is measured is an installed program, whose modules are compiled: the warm-up sees to it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ratios: list[Ratio] = []
    if unknown := [name for name in sys.argv[1:] if name not in MODULES]:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(MODULES)}", file=sys.stderr)
        return 2
    for name in sys.argv[1:] or MODULES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = run_alone(name)
        if not found:
            print(f"{name}: nothing to measure here, see its first lines", file=sys.stderr)
        ratios += found
    if not ratios:
        return 1
    width = max(len(ratio.name) for ratio in ratios)
    print(f"{'benchmark':<{width}}  {'ours':>12}  {'theirs':>12}  {'ratio':>9}  {'limit':>9}")
    for ratio in ratios:
        sign = "<=" if ratio.at_most else ">="
        suffix = f" {ratio.unit}" if ratio.absolute else "x"
        verdict = "ok" if ratio.holds else "MISSED"
        print(
            f"{ratio.name:<{width}}  {ratio.ours:>9.4g} {ratio.unit:<2}  {ratio.theirs:>9.4g} {ratio.unit:<2}"
            f"  {ratio.value:>8.3g}{suffix}  {sign} {ratio.limit:g}{suffix}  {verdict}"
        )
    return 0 if all(ratio.holds for ratio in ratios) else 1


if __name__ == "__main__":
    sys.exit(main())
