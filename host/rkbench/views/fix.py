"""`bench fix` in words."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence

from rkbench.onnx import FixReport
from rkbench.onnx.fixing import Change
from rkbench.onnx.rewrites import ALL
from rkbench.onnx.rewrites.proposal import Rewrite
from rkbench.units import format_bytes, printable
from rkbench.views.inspect.terminal import wrap
from rkbench.views.output import show_and_write


def show_fix(report: FixReport, json_file: str | None = None) -> None:
    """Print the report; with `-` stdout holds its JSON and nothing else."""
    show_and_write(
        lambda: _print_fix(report), json_file, lambda: json.dumps(report.to_json(), indent=2) + "\n"
    )


def _print_fix(report: FixReport) -> None:
    lines = [printable(line) for line in describe_fix(report)]
    if sys.stdout.isatty():  # elsewhere a line stays a line: scripts read them
        width = shutil.get_terminal_size().columns
        lines = [wrap(line, width, "  ", "") for line in lines]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def show_rewrites(rewrites: Sequence[Rewrite]) -> None:
    """Print what each rewrite does, and the gain that was measured."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for rewrite in rewrites:
        lines = [f"{rewrite.name}: {rewrite.summary}", f"  measured: {rewrite.gain}"]
        told = [wrap(line, width, "  ", "") for line in lines] if width else lines
        sys.stdout.write("".join(f"{line}\n" for line in told))


def describe_fix(report: FixReport) -> list[str]:
    """Return the lines that tell what was changed, what it saves and how it was proved."""
    target = f"{report.before.target} {report.before.dtype}"
    lines = [f"skipped {skip.node}: {skip.reason}" for skip in report.skipped]
    lines += [f"note: {note}" for note in report.before.notes]
    if report.written is None or report.verification is None:
        return [
            *lines,
            f"nothing to fix for {target}: no change would make the .rknn smaller; nothing written",
        ]
    if report.before.refusals and not report.after.refusals:
        lines.append(
            f'the converter would have refused it (foreseen): "{report.before.refusals[0].sentence}"'
        )
    for change in report.changes:
        lines.append(f"{change.node}: {change.description} ({change.rewrite}; {_sizes(change)})")
    before, after = report.before, report.after
    checked = report.verification
    lines += [
        (
            f"predicted .rknn for {target}: {format_bytes(before.file_bytes)} -> "
            f"{format_bytes(after.file_bytes)} (weights {format_bytes(before.weight_bytes)} -> "
            f"{format_bytes(after.weight_bytes)}, commands and structure, a rough estimate, "
            f"{format_bytes(before.command_bytes)} -> {format_bytes(after.command_bytes)})"
        ),
        (
            f"verified with onnxruntime: relative difference {checked.relative_difference:.1e},"
            f" tolerance {checked.tolerance:g}; inputs, seed {checked.seed}: {'; '.join(checked.cases)}"
        ),
        f"wrote {report.written}",
    ]
    return lines + _larger(report)


def _sizes(change: Change) -> str:
    if any(rewrite.name == change.rewrite and rewrite.lifts_refusal for rewrite in ALL):
        return "the converter refuses it as it is"
    if change.before_bytes is None or change.after_bytes is None:
        return "smaller by measurement"
    return f"predicted {format_bytes(change.before_bytes)} -> {format_bytes(change.after_bytes)}"


def _larger(report: FixReport) -> list[str]:
    """Block-diagonal kernels carry zeros: the ONNX grows while the .rknn shrinks."""
    before, after = report.before.onnx_bytes, report.after.onnx_bytes
    if after <= before:
        return []
    return [
        (
            f"the ONNX itself grows, {format_bytes(before)} -> {format_bytes(after)}: its kernels now hold "
            "the zeros between merged groups; only the .rknn goes to the board"
        )
    ]
