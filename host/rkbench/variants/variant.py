"""A variant, ready to be pushed: its file, what its header says, its golden and its replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench_agent.wire.plan import FileFigures, TensorSpec

from rkbench.files import LocalFile, local_file
from rkbench.results.records import IN_FLOAT, ON_CPU, FallbackLayer, Variant
from rkbench.rknn import RknnModel, Tensor
from rkbench.rknn.contents import FileInfo
from rkbench.rknn.placement import Placement, placement
from rkbench.units import printable
from rkbench.variants.conversion_record import made_from, read_conversion
from rkbench.variants.normalisation import normalisations
from rkbench.variants.preflight import check_soc, open_variant
from rkbench.variants.replay import find_replay

if TYPE_CHECKING:
    from rkbench.variants.golden import PreparedGolden


@dataclass(frozen=True)
class PreparedVariant:
    """What a plan needs to know of one variant. `golden` and `replay` are None where there is none."""

    model: LocalFile
    description: Variant
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    figures: FileFigures
    golden: LocalFile | None
    replay: LocalFile | None
    file: FileInfo
    golden_notes: tuple[str, ...] = ()
    """What was decided or converted to make the golden fit."""
    golden_assumptions: tuple[str, ...] = ()
    """Those of the notes that could be wrong."""
    cases: int = 0
    """How many the golden has."""
    classes: bool = False
    """Whether the golden says that its outputs are scores of classes."""

    @property
    def files(self) -> tuple[LocalFile, ...]:
        """Return the files that the board must have."""
        return tuple(file for file in (self.model, self.golden, self.replay) if file is not None)


def prepare_variants(
    paths: Sequence[Path], *, golden: Path | None = None, soc: str | None = None, force: bool = False
) -> tuple[PreparedVariant, ...]:
    """Return the variants of `paths`, checked against `soc` and matched with `golden`.

    Raises UsageError, ModelError or GoldenError at the first file that cannot be pushed.
    """
    names, wanted = _names(paths), local_file(golden).sha256 if golden and golden.is_file() else None
    prepared = (_prepare(path, name, golden, soc, force) for path, name in zip(paths, names, strict=True))
    return tuple(_with_making(variant, wanted) for variant in prepared)


def _with_making(variant: PreparedVariant, golden_sha256: str | None) -> PreparedVariant:
    """Return the variant with how `bench convert` made it, where its record says so."""
    made = made_from(variant.model.path, variant.model.sha256, golden_sha256)
    return replace(variant, description=replace(variant.description, made=made))


def beside_itself(variants: Sequence[PreparedVariant]) -> tuple[PreparedVariant, ...]:
    """Return the first of `variants` twice, the second time under another name: what measures noise."""
    first = variants[0]
    return first, replace(
        first, description=replace(first.description, name=f"{first.description.name} again")
    )


def _prepare(path: Path, name: str, golden: Path | None, soc: str | None, force: bool) -> PreparedVariant:
    with open_variant(path) as model:
        check_soc(model.file, soc, force=force)
        replay = find_replay(path)
        fitted = _fit(golden, model) if golden else None
        return PreparedVariant(
            model=LocalFile(path, model.file.sha256, model.file.size_bytes, printable(path.name)),
            description=_describe(model, name),
            inputs=_inputs(model),
            outputs=tuple(_spec(tensor, fed=False) for tensor in model.outputs),
            figures=_figures(model),
            golden=local_file(fitted.path, golden.name) if fitted and golden else None,
            replay=local_file(replay) if replay else None,
            file=model.file,
            golden_notes=fitted.notes if fitted else (),
            golden_assumptions=fitted.assumptions if fitted else (),
            cases=fitted.cases if fitted else 0,
            classes=fitted.classes if fitted else False,
        )


def _fit(golden: Path, model: RknnModel) -> PreparedGolden:
    from rkbench.variants.golden import prepare  # numpy: a tenth of a second that a push without needs not

    record = read_conversion(model.file.path)
    if record is not None and record.source.joined and record.rknn_sha256 == model.file.sha256:
        from rkbench.variants.golden_split import kept_split

        golden = kept_split(golden, record.source.joined)
    return prepare(golden, model)


def _describe(model: RknnModel, name: str) -> Variant:
    file, placed = model.file, placement(model.contents)
    return Variant(
        name=name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        target=file.target or None,
        npu_generation=file.npu_generation or None,
        container_version=file.container_version,
        toolkit_version=file.toolkit_version or None,
        compiler_version=file.compiler_version or None,
        framework=file.framework or None,
        input_shapes=tuple(tuple(tensor.shape) for tensor in model.inputs),
        input_dtypes=tuple(tensor.dtype for tensor in model.inputs),
        output_steps=tuple(tensor.step for tensor in model.outputs),
        cpu_layers=len(placed.on_cpu),
        float_layers=len(placed.in_float),
        fallbacks=tuple(_fallbacks(placed)),
    )


def _fallbacks(placed: Placement) -> Iterator[FallbackLayer]:
    """Yield the layers on the CPU, and the float ones where the file is quantized."""
    for node in placed.on_cpu:
        yield FallbackLayer(ON_CPU, node.index, node.name, node.type)
    for node in placed.in_float if placed.is_quantized else ():
        yield FallbackLayer(IN_FLOAT, node.index, node.name, node.type)


def _inputs(model: RknnModel) -> tuple[TensorSpec, ...]:
    known = normalisations(model)
    specs = [_spec(tensor, fed=True) for tensor in model.inputs]
    return tuple(
        replace(spec, mean=list(own.mean), std=list(own.std)) if (own := known.get(spec.name)) else spec
        for spec in specs
    )


def _spec(tensor: Tensor, *, fed: bool) -> TensorSpec:
    """Return the tensor as it is fed (4-D: NHWC) or returned (the model's own shape, float32)."""
    shape = list(tensor.shape)
    nhwc = fed and len(shape) == 4
    if nhwc:
        shape = [shape[0], shape[2], shape[3], shape[1]]
    dtype = tensor.dtype.lower() if fed else "float32"
    return TensorSpec(tensor.name, shape, dtype, "NHWC" if nhwc else None)


def _figures(model: RknnModel) -> FileFigures:
    return FileFigures(model.memory.weight_bytes, model.memory.internal_bytes, _tasks_of_one_run(model))


def _tasks_of_one_run(model: RknnModel) -> int:
    """Return the tasks that an inference on one core runs: the file holds lists for 2 and 3 cores besides."""
    counts = (
        [node.task_counts[0] for node in model.graphs[0].nodes if node.task_counts] if model.graphs else []
    )
    return sum(counts) or model.task_count


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each file: its stem, with its folder or a number in front where stems repeat.

    Control characters, and bytes that are no UTF-8, are escaped: names go to terminals, JSON and the store.
    """
    for name_of in (lambda path: path.stem, lambda path: f"{path.absolute().parent.name}/{path.stem}"):
        names = [printable(name_of(path)) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{number}-{printable(path.stem)}" for number, path in enumerate(paths, 1)]
