"""The words of a suite: which settings of a push a night has, of which type, and why it has no others."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from rkbench_agent.wire.plan import RunSettings

from rkbench.campaign.askable import Words
from rkbench.campaign.settings import setting_words

#: A frequency, a duration, a user's metric as people write them.
Clock = Annotated[int | str, "a clock, as '600MHz'"]
Duration = Annotated[float | str, "seconds, or a duration as '10min'"]
OwnMetric = Annotated[str, "FILE.py:function"]

_OPTION = "it is an option of bench nightly: leave it away here"
#: What a push knows and a night does not, with what does it instead.
REFUSED = {
    "interleave": 'compare = "history" at the top measures every model by itself',
    "effect": 'the gate says what counts: gates = ["p50 within 2%"]',
    "quick": "loads = 1",
    "noise_floor": "bench push MODEL --noise-floor measures it once for all",
    "minimize": "a night holds every model against its own baseline: bench push A B --minimize p99",
    "require": 'gates = ["cosine >= 0.999"]',
    "baseline": "bench baseline accept NIGHT",
    "onnx": "it is of models: onnx = ... in [[models]]",
    "recipe": "recipes = [...] beside onnx = ... in [[models]]",
    "inputs": "bench golden MODEL.onnx --inputs DIR -o golden.npz, and golden = 'golden.npz'",
    "force": "what a board cannot load is no cell of its night: leave it out of its boards",
    "any": "a night runs on every board that a word of boards means",
    "sort": "a night's table stands in the order of the suite",
    "priority": _OPTION,
    "json": _OPTION,
    "csv": "bench export NIGHT, of what the night stored",
    "html": "bench report NIGHT -o night.html, of what the night stored",
    "jsonl": "bench nightly says on stderr what happens, and --json writes all at its end",
    "store": _OPTION,
    "inventory": _OPTION,
}
#: What a gate needs, as a suite has it.
WORDS = Words(
    goodput='scenario = "server", find_rate = true and slo = "p99 <= 30ms" in its plan',
    loss='interfere_with = "OTHER.rknn" in its plan',
    golden='golden = "FILE.npz" in its [[models]]',
    labels='labels = "FILE" in its [[models]]',
    metric='metric = "FILE.py:function" in its [[models]]',
)
#: Of a model, not of a plan.
OF_MODELS = ("golden", "labels", "metric", "gates", "files", "boards")


def _setting_types() -> dict[str, Any]:
    """Return the type of each setting that counts in a night, by the word that people write for it."""
    durations = {"min_duration_s": Duration, "max_duration_s": Duration}
    types = {**get_type_hints(RunSettings), "npu_clock_hz": Clock, **durations}
    return {word: types[name] for word, name in setting_words().items() if word not in REFUSED}


#: What older suites call by the name of the setting.
_OLDER = ("max_duration_s", "load_timeout_s", "inference_timeout_s")
#: Settings of a plan by the words of the command line; `wait` for a held board, a second model's file.
PLAN_TYPES: dict[str, Any] = {
    **_setting_types(),
    "wait": float,
    "interfere_with": Path,
    **dict.fromkeys(_OLDER, float),
}


def refused(word: str, *, of_plan: bool) -> str | None:
    """Return what to write instead of a word of a push that a night has not here; None where nobody knows."""
    if of_plan and word in OF_MODELS:
        return f"it is of models: {word} = ... in [[models]]"
    if not of_plan and word in PLAN_TYPES:
        return f"it is of plans: {word} = ... in [plans.NAME]"
    return REFUSED.get(word)


def check_words(table: Any, known: Collection[str], place: str, *, of_plan: bool) -> tuple[str, str] | None:
    """Return the complaint, with its hint, about the first word that means something elsewhere; else None."""
    for word in table if isinstance(table, dict) else ():
        instead = None if word in known else refused(word.replace("-", "_"), of_plan=of_plan)
        if instead is not None:
            return f"{place}: {word} means nothing here", instead
    return None


def own_metric(folder: Path, text: str) -> str:
    """Return FILE.py:function with the file as seen from the suite's folder."""
    file, separator, name = text.rpartition(":")
    return f"{folder / Path(file).expanduser()}{separator}{name}" if separator else text
