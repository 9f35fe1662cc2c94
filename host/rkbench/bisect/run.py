"""Drives a bisection: the whole network, halves of what is left, then the smallest part that fails."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rkbench_agent.wire.plan import RunSettings

from rkbench.bisect.asked import BisectOptions, BisectOutcome, FoundLayer, Probe
from rkbench.bisect.cuts import CuttableOnnx, Part, SourceLayer
from rkbench.bisect.judging import JUMP_DB, kind_of, limit_of, lowest_snr_db
from rkbench.bisect.probing import BoardProber, PreparedPart, Prober
from rkbench.bisect.reproduction import save_reproduction
from rkbench.bisect.search import Bracket, find_first_bad
from rkbench.bisect.values import inputs_of_part, reference_of
from rkbench.boards.model import Board
from rkbench.boards.provider import Hold
from rkbench.campaign.converting import target_of
from rkbench.campaign.settings import SWEEP
from rkbench.conversion.plan import drafts_of
from rkbench.conversion.typed import asked_of
from rkbench.conversion.wanted import wanted_inputs
from rkbench.errors import ConversionError, ModelError, NoGoldenError, UsageError
from rkbench.left_behind import working_folder
from rkbench.onnx.input_shapes import parse_input_shapes
from rkbench.results.events import Listener, Note, Step
from rkbench.session import Sessions
from rkbench.store import Store

#: The layer alone, then with the one before it; what still does not fail alone is left in its network.
DEPTHS = (1, 2)


@dataclass(frozen=True)
class Network:
    """What is bisected: an ONNX that can be cut, and the inputs of its cases."""

    onnx: CuttableOnnx
    name: str
    given: Path
    folder: Path


@dataclass
class Bisection:
    """Asks a prober for parts of a network; `probes` stand in the order in which they were asked."""

    network: Network
    prober: Prober
    listener: Listener
    is_quantized: bool = False
    probes: list[Probe] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _first: dict[int, Probe] = field(default_factory=dict)

    def found(self) -> FoundLayer | None:
        """Return the wrong layer; None where the whole network is right, which one part tells.

        Raises ConversionError, ModelError where the whole network cannot be converted or compared.
        """
        count = len(self.network.onnx.layers)
        self.listener(Step(f"the whole network, {count} layers"))
        whole = self._ask(self.network.onnx.whole(), f"{self.network.name}.whole")
        if whole.is_bad is None:
            raise ModelError(
                f"{self.network.name}: none of its outputs could be compared",
                hint="a virtual board has the outputs that the simulator or bench run has",
            )
        self._first[count] = whole
        if not whole.is_bad:
            return None
        return self._told(find_first_bad(count, self._is_bad))

    def smallest(self, found: FoundLayer) -> Probe:
        """Return the smallest part that fails: the layer alone, else with more of what is before it."""
        for depth in DEPTHS:
            part = self.network.onnx.around(found.layer, depth)
            name = f"{self.network.name}.layer{found.number}{'' if depth == 1 else f'-{depth}'}"
            self.listener(Step(f"{found.layer.name} {'alone' if depth == 1 else 'and what is before it'}"))
            probe = self._try(part, name)
            if probe is not None and probe.is_bad:
                return probe
        return found.wrong

    def _is_bad(self, count: int) -> bool | None:
        part = self.network.onnx.first(count)
        total = len(self.network.onnx.layers)
        self.listener(Step(f"the first {count} of {total} layers"))
        probe = self._try(part, f"{self.network.name}.first{count}") if part.outputs else None
        if probe is None:
            return None
        self._first[count] = probe
        return probe.is_bad

    def _try(self, part: Part, name: str) -> Probe | None:
        """Return what a part did; None where it cannot be told, which is noted."""
        try:
            return self._ask(part, name)
        except (ConversionError, ModelError) as error:
            self.notes.append(f"{name}: cannot be told: {error.message}")
            self.listener(Note(self.notes[-1]))
            return None

    def _ask(self, part: Part, name: str) -> Probe:
        network = self.network
        onnx = network.onnx.write(part, network.folder / f"{name}.onnx")
        is_inside = not set(part.inputs) <= set(network.onnx.inputs)
        inputs = (
            inputs_of_part(network.onnx, part, network.given, network.folder) if is_inside else network.given
        )
        golden = reference_of(onnx, inputs, network.folder / f"{name}.golden.npz")
        probe = self.prober.probe(
            PreparedPart(part, network.onnx.count(part), name, onnx, golden, has_own_inputs=is_inside)
        )
        self.probes.append(probe)
        return probe

    def _told(self, bracket: Bracket) -> FoundLayer:
        layers = self.network.onnx.layers
        layer, wrong = layers[bracket.bad - 1], self._first[bracket.bad]
        right = self._first.get(bracket.good)
        return FoundLayer(
            layer,
            bracket.bad,
            layers[bracket.good : bracket.bad],
            kind_of(wrong, is_quantized=self.is_quantized),
            self._jumps(layer, right, wrong),
            right,
            wrong,
        )

    def _jumps(self, layer: SourceLayer, right: Probe | None, wrong: Probe) -> bool:
        """Return whether the error of a layer is more than what came with its inputs."""
        if right is None or wrong.failure:
            return True
        read = self.network.onnx.inputs_of(layer)
        before = lowest_snr_db([each for each in right.errors if each.name in read])
        return before - lowest_snr_db(wrong.wrong) >= JUMP_DB


def bisect_settings(cores: str, runtime: str | None) -> RunSettings:
    """Return the settings of a run that is of its outputs alone: as few calls as there can be."""
    given = RunSettings(core_mask=cores, runtime=runtime, warmup_iterations=1, min_iterations=1)
    return replace(given, min_duration_s=0.0, min_blocks=1, block_iterations=1)


def bisect(
    options: BisectOptions,
    required: Sequence[str],
    board: Board,
    hold: Hold,
    store: Store,
    listener: Listener,
) -> BisectOutcome:
    """Find the first wrong layer of an ONNX on a board; `required` is the limit as it was typed.

    Raises BenchErrors for what stops it; parts that cannot be converted only make the answer less exact.
    """
    _check(options)
    target = target_of(board)
    asked = asked_of(options.onnx, target, options.words)
    (draft,) = drafts_of(asked)
    gate = limit_of(required, is_quantized=draft.is_quantized)
    shapes = parse_input_shapes(options.words.input_shape or ())
    wanted_inputs(options.onnx, shapes)  # says what cannot be converted at all
    network = CuttableOnnx(options.onnx, shapes)
    with (
        working_folder(Path(tempfile.gettempdir()), "rkbench-bisect-") as folder,
        Sessions(hold) as sessions,
    ):
        given = reference_of(options.onnx, options.golden, folder / "given.npz", options.cases, shapes)
        prober = BoardProber(options, gate, target, folder, board, sessions, store, listener)
        cut = Network(network, options.onnx.stem, given, folder)
        search = Bisection(cut, prober, listener, draft.is_quantized)
        found = search.found()
        smallest = search.smallest(found) if found else None
        outcome = BisectOutcome(
            options, board.name, target, draft.name, gate, len(network.layers), found=found
        )
        if smallest is not None and options.folder is not None:
            saved = save_reproduction(replace(outcome, reproduction=smallest), options.folder)
            outcome = replace(outcome, saved=saved)
        return replace(outcome, probes=tuple(search.probes), reproduction=smallest, notes=tuple(search.notes))


def _check(options: BisectOptions) -> None:
    """Raise UsageError, NoGoldenError for what cannot be bisected, before anything is converted."""
    if len(options.words.recipe or ()) > 1:
        raise UsageError("bench bisect looks at one recipe", hint="give --recipe once")
    if options.words.workers is not None:
        raise UsageError("bench bisect converts one part after the other, here", hint="leave --workers away")
    if options.settings.core_mask == SWEEP:
        raise UsageError("bench bisect runs on one choice of cores, no sweep", hint="--cores auto, 0, all")
    if options.golden is not None and not options.golden.is_file():
        raise NoGoldenError(f"{options.golden}: no such file", hint=f"bench golden {options.onnx} makes one")
