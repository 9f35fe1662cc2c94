"""`bench fix` in words."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from math import isfinite

from rkbench.language.choice import spoken
from rkbench.language.language import ENGLISH, Language
from rkbench.language.said import Said, listed, say
from rkbench.onnx import FixReport
from rkbench.onnx.attempts import Dropped
from rkbench.onnx.fixing import Change
from rkbench.onnx.rewrites import ALL
from rkbench.onnx.rewrites.proposal import Rewrite
from rkbench.onnx.verify import Verification
from rkbench.units import format_bytes, printable
from rkbench.views.inspect.terminal import wrap
from rkbench.views.output import show_and_write


def show_fix(report: FixReport, json_file: str | None = None) -> None:
    """Print the report; with `-` stdout holds its JSON and nothing else."""
    show_and_write(
        lambda: _print_fix(report), json_file, lambda: json.dumps(report.to_json(), indent=2) + "\n"
    )


def _print_fix(report: FixReport) -> None:
    lines = [printable(line) for line in describe_fix(report, spoken(sys.stdout.encoding))]
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


def describe_fix(report: FixReport, language: Language = ENGLISH) -> list[str]:
    """Return the lines that tell what was changed, what it saves and how it was proved."""
    return [language.tell(line) for line in _lines(report)]


def _lines(report: FixReport) -> list[Said]:
    target = f"{report.before.target} {report.before.dtype}"
    lines = [say("skipped {node}: {reason}", node=skip.node, reason=skip.reason) for skip in report.skipped]
    lines += [say("note: {note}", note=note) for note in report.before.notes]
    if report.written is None or report.verification is None:
        return [
            *lines,
            say(
                "nothing to fix for {target}: no change would make the .rknn smaller; nothing written",
                target=target,
            ),
        ]
    if report.before.refusals and not report.after.refusals:
        sentence = report.before.refusals[0].sentence
        lines.append(say('the converter would have refused it (foreseen): "{sentence}"', sentence=sentence))
    lines += map(_changed, report.changes)
    lines += map(_dropped, report.dropped)
    return [*lines, _predicted(report), _verified(report.verification), *_written(report)]


def _changed(change: Change) -> Said:
    return say(
        "{node}: {description} ({rewrite}; {sizes})",
        node=change.node,
        description=change.description,
        rewrite=change.rewrite,
        sizes=_sizes(change),
    )


def _dropped(drop: Dropped) -> Said:
    if not isfinite(drop.relative_difference):
        return say(
            "{rewrite} left out: with it onnxruntime cannot run the network, or compare its outputs; "
            "please report it with the model",
            rewrite=drop.rewrite,
        )
    return say(
        "{rewrite} left out: with it the network differs by {difference:.2g} relative, more than "
        "{tolerance:g}; please report it with the model",
        rewrite=drop.rewrite,
        difference=drop.relative_difference,
        tolerance=drop.tolerance,
    )


def _predicted(report: FixReport) -> Said:
    before, after = report.before, report.after
    return say(
        "predicted .rknn for {target} {dtype}: {file} -> {new_file} (weights {weights} -> {new_weights}, "
        "commands and structure, a rough estimate, {commands} -> {new_commands})",
        target=before.target,
        dtype=before.dtype,
        file=format_bytes(before.file_bytes),
        new_file=format_bytes(after.file_bytes),
        weights=format_bytes(before.weight_bytes),
        new_weights=format_bytes(after.weight_bytes),
        commands=format_bytes(before.command_bytes),
        new_commands=format_bytes(after.command_bytes),
    )


def _verified(checked: Verification) -> Said:
    cases = listed(checked.cases, "; ")
    if checked.parts is not None:
        return say(
            "verified with onnxruntime, each changed part alone: relative difference {part:.1e}, tolerance "
            "{tolerance:g}; the outputs differ by {difference:.2g}, as this network magnifies rounding (its "
            "own outputs move by {own:.2g} where its inputs change by {nudge:g}); inputs, seed {seed}: "
            "{cases}",
            part=checked.parts.relative_difference,
            tolerance=checked.parts.tolerance,
            difference=checked.relative_difference,
            own=checked.parts.own_difference,
            nudge=checked.parts.nudge,
            seed=checked.seed,
            cases=cases,
        )
    return say(
        "verified with onnxruntime: relative difference {difference:.1e}, tolerance {tolerance:g}; inputs, "
        "seed {seed}: {cases}",
        difference=checked.relative_difference,
        tolerance=checked.tolerance,
        seed=checked.seed,
        cases=cases,
    )


def _sizes(change: Change) -> Said:
    if any(rewrite.name == change.rewrite and rewrite.lifts_refusal for rewrite in ALL):
        return say("the converter refuses it as it is")
    if change.before_bytes is None or change.after_bytes is None:
        return say("smaller by measurement")
    return say(
        "predicted {before} -> {after}",
        before=format_bytes(change.before_bytes),
        after=format_bytes(change.after_bytes),
    )


def _written(report: FixReport) -> Iterator[Said]:
    """Block-diagonal kernels carry zeros, and so do more nodes: the ONNX grows while the .rknn shrinks."""
    yield say("wrote {path}", path=report.written)
    before, after = report.before.onnx_bytes, report.after.onnx_bytes
    if format_bytes(after) == format_bytes(before):
        return
    if after > before and not any(change.rewrite in MERGING for change in report.changes):
        yield say(
            "the ONNX itself grows, {before} -> {after}; only the .rknn goes to the board",
            before=format_bytes(before),
            after=format_bytes(after),
        )
    elif after > before:
        yield say(
            "the ONNX itself grows, {before} -> {after}: its kernels now hold the zeros between merged"
            " groups; only the .rknn goes to the board",
            before=format_bytes(before),
            after=format_bytes(after),
        )


MERGING = frozenset({"regroup", "padded_groups"})
"""Rewrites whose kernels hold zeros."""
