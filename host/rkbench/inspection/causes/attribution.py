"""`find_causes`: ask every rule, and settle who owns which byte."""

from __future__ import annotations

from collections.abc import Callable

from rkbench.inspection.causes import (
    activations,
    attention_bias,
    batches,
    branches,
    command_lists,
    concat,
    constants,
    cut_joins,
    cut_layers,
    dead_taps,
    depth,
    detours,
    expanded,
    fixed,
    grouped,
    groups_apart,
    idle_statistics,
    leading,
    masks,
    norms,
    on_cpu,
    one_hot,
    padding,
    pads,
    patches,
    picked,
    plain,
    pooling,
    projections,
    relayout,
    repeated,
    resizing,
    shuffles,
    tap_copies,
    taps,
    tiled,
    unrolled,
    weights,
)
from rkbench.inspection.causes.cause import Attribution, Cause, Claim, Finding
from rkbench.inspection.causes.in_int8 import in_int8
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts, read_facts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import percent
from rkbench.rknn.model import RknnModel
from rkbench.units import format_bytes

Rule = Callable[[ModelFacts, Ledger], Finding | None]

RULES: tuple[Rule, ...] = (
    fixed.compiler_fixed,
    concat.concat_realigned,
    depth.kernels_along_channels,
    grouped.grouped_convolution_dense,
    grouped.depthwise_multiplier,
    pads.border_kernels,
    expanded.spread_values,
    shuffles.shuffle_dense,
    shuffles.permuted_views,
    one_hot.moved_channels,
    one_hot.depth_to_space,
    one_hot.merged_patches,
    taps.one_channel_kernel,
    masks.stored_masks,
    picked.picked_values,
    constants.folded_constants,
    command_lists.dynamic_shapes,
    detours.stacked_sums,
    groups_apart.groups_kept_apart,
    patches.patch_kernels,
    branches.mergeable_layers,
    relayout.relayout_tables,
    dead_taps.dead_taps,
    projections.absent_projections,
    unrolled.recurrence,
    activations.table_commands,
    unrolled.dilation,
    tap_copies.tap_copies,
    pads.pad_copies,
    resizing.resize,
    norms.normalization,
    expanded.expanded_maps,
    relayout.transposes,
    relayout.output_layout,
    weights.float_layers,
    weights.float_file,
    on_cpu.float32_weights,
    pooling.pooling,
    tiled.tiled_constants,
    attention_bias.attention_biases,
    idle_statistics.idle_statistics,
    repeated.repeated_constants,
    detours.plain_operands,
    cut_joins.cut_joins,
    command_lists.core_lists,
    batches.batched_layers,
    cut_layers.large_maps,
    cut_layers.cut_weights,
    cut_layers.map_products,
    cut_layers.copied_maps,
    constants.compiler_constants,
    activations.lookup_tables,
    weights.metadata,
    padding.padding,
    plain.oversized_layers,
    command_lists.many_small_layers,
    plain.layer_structure,
)
"""In this order they are paid: a byte that two rules want goes to the one that stands first."""

SMALLEST_SHARE = 0.003


def find_causes(model: RknnModel, facts: ModelFacts | None = None) -> Attribution:
    """Return who owns the bytes of an opened model: every byte in one cause or ordinary, causes by bytes."""
    facts = facts or read_facts(model)
    ledger = facts.ledger()
    causes: list[Cause] = []
    paid_to: list[tuple[str, Claim]] = []
    for rule in RULES:
        finding = rule(facts, ledger)
        if finding is None or _worth(finding, ledger) < SMALLEST_SHARE * facts.size_bytes:
            continue
        paid = ledger.pay(finding.claims)
        paid_to += ((finding.code, claim) for claim in paid)
        causes.append(_cause(facts, finding, paid))
    causes.sort(key=lambda cause: cause.bytes, reverse=True)
    needed = plain.plain_bytes(facts.size_bytes, ledger.rest(), causes)
    lead = None if facts.weights_removed else leading.lead_of(facts, causes, needed)
    return Attribution(
        verdict="bloated" if lead else "healthy",
        sentence=leading.sentence(facts, causes, lead, needed),
        lead=lead.code if lead else None,
        causes=tuple(causes),
        ordinary_bytes=sum(ledger.rest().values()),
        ordinary=ledger.rest(),
        owners=_owners(facts, paid_to),
    )


def _worth(finding: Finding, ledger: Ledger) -> int:
    return sum(min(claim.size_bytes, ledger.left(claim.section, claim.layer)) for claim in finding.claims)


def _cause(facts: ModelFacts, finding: Finding, paid: tuple[Claim, ...]) -> Cause:
    size = sum(claim.size_bytes for claim in paid)
    share = size / facts.size_bytes
    sections: dict[str, int] = {}
    for claim in paid:
        sections[claim.section] = sections.get(claim.section, 0) + claim.size_bytes
    cures, useless = in_int8(finding.code, facts.model.file.target, facts.dtype)
    return Cause(
        code=finding.code,
        title=finding.title,
        layers=finding.layers,
        bytes=size,
        share=share,
        sections=sections,
        because=finding.because(bytes=format_bytes(size), share=percent(share)),
        explanation=finding.explanation,
        evidence=finding.evidence,
        fix=(*finding.fixes, *cures),
        not_helping=(*finding.not_helping, *useless),
        neighbours=_neighbours(facts, paid),
    )


def _neighbours(facts: ModelFacts, paid: tuple[Claim, ...]) -> tuple[str, ...]:
    """Return what stands around the three layers that own most of a cause."""
    by_layer: dict[int, int] = {}
    for claim in paid:
        if claim.layer is not None:
            by_layer[claim.layer] = by_layer.get(claim.layer, 0) + claim.size_bytes
    largest = sorted(by_layer, key=lambda index: (-by_layer[index], index))[:3]
    return tuple(_neighbourhood(facts, facts.sites[index]) for index in sorted(largest))


def _neighbourhood(facts: ModelFacts, site: Site) -> str:
    before = ", ".join(other.base for other in facts.before(site)[:3]) or "(input)"
    after = ", ".join(other.base for other in facts.after(site)[:3]) or "(output)"
    return f"{before} → {site.base} → {after}"


def _owners(facts: ModelFacts, paid_to: list[tuple[str, Claim]]) -> dict[int, str]:
    """Return the cause that owns most of each layer, where it owns a third of it at least."""
    shares: dict[int, dict[str, int]] = {}
    for code, claim in paid_to:
        if claim.layer is not None:
            by_code = shares.setdefault(claim.layer, {})
            by_code[code] = by_code.get(code, 0) + claim.size_bytes
    owners = {}
    for index, by_code in shares.items():
        code = max(by_code, key=lambda code: by_code[code])
        if 3 * by_code[code] >= facts.sites[index].layer.size_bytes + facts.structure_bytes[index]:
            owners[index] = code
    return owners
