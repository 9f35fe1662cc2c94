"""What goes to the agent, and what is known of each run before it starts."""

from __future__ import annotations

import getpass
import math
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Hello
from rkbench_agent.wire.plan import Plan, RunSettings, RunSpec
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.socs import find_soc, with_cores
from rkbench_agent.wire.words import FROM_FILE, MODELLED, PREDICTED, SINGLE_STREAM, SOAK, VIRTUAL

from rkbench import __version__
from rkbench.boards.model import Board
from rkbench.campaign.settings import PushOptions
from rkbench.results.environment import board_record
from rkbench.results.measures import OF_CLASSES
from rkbench.results.model import VALID, RunResult
from rkbench.results.records import PlanRecord, TransferRecord, Variant
from rkbench.stats.paired import MOST_LOADS, MOST_QUADS_OF_ONE_LOAD, loads_for, quads_for
from rkbench.variants.foretold import foretold_latency
from rkbench.variants.variant import PreparedVariant

if TYPE_CHECKING:
    from rkbench.npu.latency_model import FittedLatency

#: The host holds every sample until the run ends.
MOST_READINGS = 5000


@dataclass(frozen=True)
class Place:
    """Where and when a push runs."""

    board: Board
    hello: Hello
    environment: Environment
    push: str
    unix_s: float
    fitted: FittedLatency | None = None
    """The board's own calibration."""


def runtime_of(settings: RunSettings, board: Board) -> str:
    """Return the runtime that the plan names."""
    return settings.runtime or board.runtime


def complete(settings: RunSettings, board: Board, runs: int) -> RunSettings:
    """Return `settings` with what nobody named: the runtime, and the loads and quads of so many runs.

    Runs that do not take turns have one load each.
    """
    loads, quads = 1, 1
    if settings.interleave and runs > 1 and settings.scenario == SINGLE_STREAM:
        grows = settings.precision_percent is not None
        loads = settings.loads or (MOST_LOADS if grows else loads_for(runs - 1))
        quads = settings.quads or (MOST_QUADS_OF_ONE_LOAD if grows and loads == 1 else quads_for(loads))
    return replace(settings, runtime=runtime_of(settings, board), loads=loads, quads=quads)


def is_simulated(settings: RunSettings, place: Place) -> bool:
    """Return whether no real NPU runs this: the board is virtual, or the runtime that it is told to use."""
    runtime = runtime_of(settings, place.board)
    return place.board.simulated or place.environment.simulated or runtime == VIRTUAL


def make_headers(
    settings: RunSettings,
    place: Place,
    variants: Sequence[PreparedVariant],
    transfers: Sequence[TransferRecord],
    doubts: Sequence[tuple[Caveat, ...]],
    masks: Sequence[str] = (),
    minimize: str = "",
    question: str = "",
) -> list[RunResult]:
    """Return what is known of each run before it starts, in the order of the variants; `doubts` of each.

    With `masks` each variant has a run for each of them. `minimize` is what they will be ranked by,
    `question` what they will be known again by.
    """
    masks = masks or (settings.core_mask,)
    simulated = is_simulated(settings, place)
    runs = [
        (_description(item[0], place, mask, simulated=simulated), *item, mask)
        for item in zip(variants, transfers, doubts, strict=True)
        for mask in masks
    ]
    started = datetime.fromtimestamp(place.unix_s, timezone.utc).isoformat(timespec="milliseconds")
    return [
        RunResult(
            id=f"{place.push}-{number:02d}",
            push=place.push,
            started_at=started,
            rkbench_version=__version__,
            simulated=simulated,
            partial=False,
            verdict=VALID,
            provenance=_foreknown(settings, place, variant, mask),
            board=board_record(place.board.name, place.hello, place.environment),
            variant=description,
            plan=replace(
                _record(settings, place.board, variant, mask, len(runs)), minimize=minimize, question=question
            ),
            transfer=transfer,
            caveats=caveats,
        )
        for number, (description, variant, transfer, caveats, mask) in enumerate(runs, 1)
    ]


def _foreknown(settings: RunSettings, place: Place, variant: PreparedVariant, mask: str) -> Provenance:
    """Return what the virtual runtime will say of its numbers, as far as nothing staged moves them.

    All None of another runtime; of a board with a behaviour only where its load comes from.
    """
    if runtime_of(settings, place.board) != VIRTUAL:
        return Provenance()
    if place.board.behaviour is not None:
        return Provenance(load=FROM_FILE)
    known = variant.figures.predicted.run_ns if variant.figures.predicted else []
    is_predicted = bool(known) and _core_count(place, mask) <= len(known)
    return Provenance(load=FROM_FILE, latency=PREDICTED if is_predicted else MODELLED, readings=FROM_FILE)


def _core_count(place: Place, mask: str) -> int:
    """Return how many cores of the board a mask names; 0: any one, or nobody knows."""
    soc = with_cores(find_soc(place.environment.soc), place.environment.npu_cores)
    return (soc.core_masks if soc else {}).get(mask, 0).bit_count()


def _description(variant: PreparedVariant, place: Place, mask: str, *, simulated: bool) -> Variant:
    """Return a variant's description; for a real board with the latency that its file foretells there."""
    if simulated:
        return variant.description
    predicted = foretold_latency(variant.model.path, max(1, _core_count(place, mask)), place.fitted)
    return replace(variant.description, predicted=predicted)


def make_plan(
    options: PushOptions,
    board: Board,
    headers: Sequence[RunResult],
    variants: Sequence[PreparedVariant],
    other: PreparedVariant | None = None,
) -> Plan:
    """Return the plan that the agent carries out; the headers' runs are of `variants`, in equal parts.

    `other` is the model that each of them has beside it.
    """
    each = len(headers) // len(variants)
    asked = any(gate.quantity.word in OF_CLASSES for gate in options.gates)
    settings = replace(complete(options.settings, board, len(headers)), core_mask=headers[0].plan.core_mask)
    return Plan(
        runs=[
            _spec(
                header.id,
                variants[index // each],
                header.plan.core_mask,
                asks_for_classes=asked,
                returns_outputs=options.is_scored,
            )
            for index, header in enumerate(headers)
        ],
        settings=settings,
        reading_interval_s=reading_interval_s(settings),
        lock_wait_s=options.wait_s,
        owner=owner(),
        reason=options.reason,
        priority=options.priority,
        force=options.force,
        other=_spec("", other, None, asks_for_classes=False) if other else None,
    )


def reading_interval_s(settings: RunSettings) -> float:
    """Return how often the board's sensors are read: a long soak keeps no more samples than a short one."""
    usual_s = Plan([]).reading_interval_s
    return max(usual_s, settings.min_duration_s / MOST_READINGS) if settings.scenario == SOAK else usual_s


def owner(name_of: Callable[[], str] = getpass.getuser) -> str:
    """Return who holds the board, for others to read: user, computer and process."""
    try:
        name = name_of()
    except (OSError, KeyError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()} (process {os.getpid()})"


def output_values(variant: PreparedVariant) -> int:
    """Return how many numbers all outputs of one case are."""
    return sum(math.prod(tensor.shape) for tensor in variant.outputs)


def _spec(
    run: str,
    variant: PreparedVariant,
    core_mask: str | None,
    *,
    asks_for_classes: bool,
    returns_outputs: bool = False,
) -> RunSpec:
    return RunSpec(
        run=run,
        name=variant.description.name,
        model=variant.model.sha256,
        size_bytes=variant.model.size_bytes,
        inputs=list(variant.inputs),
        outputs=list(variant.outputs),
        golden=variant.golden.sha256 if variant.golden else None,
        replay=variant.replay.sha256 if variant.replay else None,
        figures=variant.figures,
        core_mask=core_mask,
        classes=variant.classes or asks_for_classes,
        returned_bytes=4 * variant.cases * output_values(variant) if returns_outputs else 0,
    )


def _record(
    settings: RunSettings, board: Board, variant: PreparedVariant, mask: str, count: int
) -> PlanRecord:
    asked = replace(complete(settings, board, count), core_mask=mask)
    return PlanRecord(
        **vars(asked),
        variants_in_push=count,
        golden_sha256=variant.golden.sha256 if variant.golden else None,
        replay_sha256=variant.replay.sha256 if variant.replay else None,
    )
