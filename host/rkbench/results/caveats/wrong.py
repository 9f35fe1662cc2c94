"""Outputs that are not those of the network that the golden was made with, and the likely causes, ranked."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import (
    CASE_ORDER,
    CAUSES,
    CHANNEL_ORDER,
    INPUT_LAYOUT,
    NORMALISATION,
    OTHER_MODEL,
    OUTPUT_LAYOUT,
)

from rkbench.language.said import Said, say
from rkbench.results.caveats.outputs import LAYERS
from rkbench.results.caveats.rule import Evidence
from rkbench.results.caveats.wrong_cases import WRONG_COSINE, WRONG_SNR_DB, tell_cases, wrong_cases
from rkbench.results.model import RunResult
from rkbench.results.output import Output, Suspect, snr_of
from rkbench.units import format_ratio

#: A class vector that agrees in fewer cases than this is wrong as well where the cosine is no better than
#: WRONG_CLASS_COSINE; a few cases may be near ties.
WRONG_TOP1, WRONG_CLASS_COSINE, WRONG_CLASS_CASES = 0.5, 0.9, 4
#: A mistake is the cause where undoing it leaves a tenth of the signal's energy as error at most, and a
#: quarter of the error that there was.
CAUSE_SNR_DB, CAUSE_GAIN_DB = 10.0, 6.0

_NAMES = {
    INPUT_LAYOUT: "layout of the inputs (NHWC or NCHW)",
    OUTPUT_LAYOUT: "layout of the output (NHWC or NCHW)",
    NORMALISATION: "mean and std",
    CHANNEL_ORDER: "channel order (RGB or BGR)",
    CASE_ORDER: "order of the golden's cases",
    OTHER_MODEL: "a golden of another model",
}
_CURES = {
    INPUT_LAYOUT: say(
        "save the golden's inputs as the ONNX takes them (NCHW), or say its layout in its metadata"
    ),
    OUTPUT_LAYOUT: say("save the golden's outputs as the ONNX yields them (NCHW)"),
    NORMALISATION: say("convert again with the mean_values and std_values that the network was trained with"),
    CHANNEL_ORDER: say("convert again with the other quant_img_RGB2BGR, or swap the channels of what is fed"),
    CASE_ORDER: say("make the golden again, its outputs in the order of its inputs"),
    OTHER_MODEL: say("make the golden from the ONNX of this very file (bench golden MODEL.onnx)"),
}


def is_wrong(output: Output) -> bool:
    """Return whether an output has so little to do with what was expected that no rounding explains it."""
    return output.is_broken or _is_wrong_throughout(output) or bool(wrong_cases(output))


def _is_wrong_throughout(output: Output) -> bool:
    cosine, top1 = output.cosine_mean, output.top1_agreement
    if cosine is None:
        return False
    known = [snr for case in output.per_case if (snr := snr_of(case)) is not None]
    if cosine < WRONG_COSINE or (known and median(known) < WRONG_SNR_DB) or _explaining(output):
        return True
    few = output.case_count < WRONG_CLASS_CASES
    return not few and top1 is not None and top1 < WRONG_TOP1 and cosine < WRONG_CLASS_COSINE


def wrong_outputs(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Name outputs that are not what was expected, so that no speed is believed, and what it may be."""
    for output in run.outputs:
        if output.is_broken:  # `not_finite` says what it may be
            continue
        if _is_wrong_throughout(output):
            yield _wrong_throughout(output)
        elif wrong := wrong_cases(output):
            yield caveat(
                "outputs_wrong",
                f"output {output.name!r}: {tell_cases(wrong, output.case_count)}; no layout, mean or std"
                " would spoil these alone",
                _until(
                    say(
                        "look at what these cases are fed and expect, and for the layer that loses them:"
                        " {command}",
                        command=LAYERS,
                    )
                ),
            )


def _wrong_throughout(output: Output) -> Caveat:
    causes = likely_causes(output)
    return caveat(
        "outputs_wrong",
        f"output {output.name!r} is not what was expected: {_figures(output)}; {_told(output, causes)}",
        _until(_cure(causes)),
    )


def _until(cure: Said) -> Said:
    return say("its speed means nothing until this is known: {cure}", cure=cure)


def _cure(causes: tuple[str, ...]) -> Said:
    return _CURES[causes[0]] if causes else say("which layer loses it: {command}", command=LAYERS)


def likely_causes(output: Output) -> tuple[str, ...]:
    """Return the causes of CAUSES, the likeliest first.

    What undone explains the output stands first, by how near it then comes. What was tried in vain stands
    last; in between what could not be tried. An output that is the same for every input has only causes
    that explain it.
    """
    explaining = list(dict.fromkeys(suspect.cause for suspect in _explaining(output)))
    if output.constant:
        return tuple(explaining)
    tried = {suspect.cause for suspect in output.suspects} - set(explaining)
    rest = [cause for cause in CAUSES if cause not in explaining]
    if not output.suspects:
        rest = [cause for cause in rest if cause != CASE_ORDER or output.case_count > 1]
    return (*explaining, *(c for c in rest if c not in tried), *(c for c in rest if c in tried))


def _explaining(output: Output) -> list[Suspect]:
    """Return what explains an output, the nearest first."""
    now = _first_snr(output)
    found = [item for item in output.suspects if item.snr_db >= max(CAUSE_SNR_DB, now + CAUSE_GAIN_DB)]
    return sorted(found, key=lambda item: -item.snr_db)


def _first_snr(output: Output) -> float:
    """Return the SNR of case 0, on which everything was tried."""
    first = next((snr_of(case) for case in output.per_case if case.case == 0), None)
    return -200.0 if first is None else first


def _figures(output: Output) -> str:
    snr = output.snr
    parts = [f"mean cosine {output.cosine_mean:.3f}", "" if snr is None else f"lowest SNR {snr:.1f} dB"]
    if output.top1_agreement is not None:
        parts.append(f"top-1 agrees in {format_ratio(output.top1_agreement)} of the cases")
    return ", ".join(part for part in parts if part).replace("inf", "∞")


def _told(output: Output, causes: tuple[str, ...]) -> str:
    if not causes:
        return "it has one value only, whatever the input: a layer lost it"
    best = next(iter(_explaining(output)), None)
    if best is None:
        return f"suspected in this order: {', '.join(_NAMES[cause] for cause in causes)}"
    what = "the output" if best.cause in (OUTPUT_LAYOUT, CASE_ORDER) else "the input"
    return (
        f"likeliest: {_NAMES[best.cause]}. {what.capitalize()} {best.detail} gives cosine {best.cosine:.5f}"
    )
