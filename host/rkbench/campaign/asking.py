"""What is asked of a push, word by word, whoever asks: the command line and `rkbench.push`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.campaign.settings import PushOptions, settings_of
from rkbench.results.gating import parse_minimize, parse_requirements

StrPath = str | Path


class PushWords(TypedDict, total=False):
    """How variants are measured and what is expected of them: the options of `bench push`, without dashes.

    What is left out, or None, is as the command line has it.
    """

    runtime: str | None
    cores: str | None
    pin: bool | None
    npu_clock: int | str | None
    cool_below: float | None
    cool_limit: float | None
    iterations: int | None
    duration: float | str | None
    loads: int | None
    quads: int | None
    effect: float | None
    precision: float | None
    max_duration: float | str | None
    load_timeout: float | None
    inference_timeout: float | None
    quick: bool | None
    warmup: int | None
    load_cycles: int | None
    profile: bool | None
    scenario: str | None
    contexts: Sequence[int] | str | None
    placement: Sequence[str] | str | None
    rate: float | None
    find_rate: bool | None
    slo: str | None
    seed: int | None
    interfere_with: StrPath | None
    interleave: bool | None
    noise_floor: bool | None
    require: Sequence[str] | str | None
    minimize: str | None
    labels: StrPath | None
    metric: str | None
    baseline: str | None
    force: bool | None
    wait: float | None
    priority: int | None


def options_of(models: Sequence[Path], words: PushWords, golden: Path | None = None) -> PushOptions:
    """Return what was asked in `words` as the options of a push; raises UsageError."""
    asked = words.get("require") or ()
    labels, other = words.get("labels"), words.get("interfere_with")
    gates = parse_requirements([asked] if isinstance(asked, str) else asked, labelled=labels is not None)
    return PushOptions(
        tuple(models),
        settings_of({**words, "scenario": words.get("scenario") or SINGLE_STREAM}),
        golden,
        words.get("baseline"),
        bool(words.get("force")),
        words.get("wait") or 0.0,
        words.get("priority") or 0,
        other=Path(other) if other is not None else None,
        gates=gates,
        requirements=gates,
        noise_floor=bool(words.get("noise_floor")),
        labels=Path(labels) if labels is not None else None,
        metric=words.get("metric"),
        minimize=parse_minimize(words.get("minimize")),
        quick=bool(words.get("quick")),
    )
