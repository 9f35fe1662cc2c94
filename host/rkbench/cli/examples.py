"""Examples of the commands, below their options: by the command's module. A test types each of them."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "push": (
        "bench push model.rknn --board virtual",
        "bench push model.rknn smaller.rknn --board virtual --quick --onnx model.onnx --html push.html",
        'bench push model.rknn --board virtual --quick --require "p99 <= 50ms" --json -',
    ),
    "inspect": (
        "bench inspect model.rknn",
        "bench inspect model.onnx --target rk3588",
        "bench inspect model.rknn --diff smaller.rknn",
    ),
    "predict": ("bench predict model.rknn",),
    "explain": ("bench explain 31", "bench explain board.log"),
    "fix": ("bench fix model.onnx --target rk3588 -o fixed.onnx",),
    "golden": ("bench golden model.onnx --cases 16 -o cases.npz",),
    "run": ("bench run model.rknn --inputs cases.npz -o outputs.npz",),
    "show": ("bench show last", "bench show last~1 --json -"),
    "compare": ("bench compare last~1 last", "bench report last~1 last -o compared.html"),
    "history": ("bench history --since 7d", 'bench history --model "model*" --plot p50'),
    "tag": ('bench tag last before-the-update --note "driver 0.9.8"',),
    "report": ("bench report last -o report.html", "bench report last~1 last -o report.md"),
    "export": ("bench export --raw --csv latencies.csv",),
    "boards.add": ("bench boards add shelf virtual --soc rk3568 --tag lab",),
    "boards.check": ("bench boards check virtual", "bench boards check virtual model.rknn"),
    "boards.list": ("bench boards list --status",),
    "store.check": ("bench store check",),
    "store.backup": ("bench store backup copy.sqlite",),
    "nightly": ("bench nightly suite.toml --markdown night.md",),
    "baseline.accept": ("bench baseline accept last",),
    "nights": ("bench nights",),
    "convert": ("bench convert --list",),
    "toolkit.list": ("bench toolkit list",),
}


def epilog_of(module: str) -> str | None:
    """Return what stands below the options of a command; None where it has no examples."""
    lines = EXAMPLES.get(module)
    return None if lines is None else "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
