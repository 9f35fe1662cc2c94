"""Grouped and depthwise convolutions: made dense, or run as one small convolution per group."""

from __future__ import annotations

import re
from collections import defaultdict

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.kernel_groups import Groups
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, DenseGroups, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, listing
from rkbench.rknn.targets import Dtype, kept_group_alignment
from rkbench.units import format_bytes

NOT_ACCEPTED = (
    "quantize_input_nodes=True: rejected by rknn-toolkit2 2.x (`is not support!`)",
    "quantized_dtype='asymmetric_quantized-u8': rejected by 2.x (`Invalid quantized_dtype`)",
)
NO_HELP = (
    "compress_weight, model_pruning, optimization_level 0 to 2: the same byte count (measured)",
    "single_core_mode: 64.4 of 64.9 MB stay (measured)",
    "splitting the convolution into one per group by hand: made dense or slow all the same",
    (
        "float16 for these layers only, by hybrid quantization: they are dense before it applies; 31.5 -> "
        "62.2 MB for rk3568 on the reference case (measured)"
    ),
    *NOT_ACCEPTED,
)
_GROUP = re.compile(r"^(?P<source>.+)_group_\d+$")


def grouped_convolution_dense(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Grouped convolutions whose channels per group do not fit the NPU are stored as dense kernels."""
    dense = [item for item in facts.dense_groups if item.groups.channels > 1]
    if not dense:
        return None
    sizes = sorted({item.groups.channels for item in dense})
    alignment = _alignment(facts)
    rule = f"{_target(facts)} keeps groups whose channels are a multiple of {alignment}" if alignment else ""
    claims = _claims(facts, ledger, dense)
    stored, needed = _stored(dense), _needed(dense)
    return Finding(
        code="grouped_conv_dense",
        title="grouped convolutions stored as dense ones",
        because=(
            f"{count(len(dense), 'grouped convolution')} ({_sizes(sizes)} channels per group) "
            f"{'is' if len(dense) == 1 else 'are'} stored dense: {{bytes}} ({{share}}) is filler and "
            f"its commands"
        ),
        explanation=(
            "The compiler keeps a convolution grouped only when its input channels per group fit the NPU's "
            "channel blocks; else it writes the whole Cout x Cin kernel, block-diagonal."
        ),
        layers=tuple(item.name for item in dense),
        claims=claims,
        evidence=(
            (
                f"kernels of {format_bytes(stored)} where the groups need {format_bytes(needed)} "
                f"({stored / max(needed, 1):.0f}x): {(1 - needed / stored) * 100:.1f} % is filler"
            ),
            *_patterns(dense),
            *((f"{rule}: {_failing(sizes, alignment)}",) if alignment else ()),
        ),
        fixes=_fixes(facts, dense, alignment),
        not_helping=NO_HELP,
    )


def depthwise_multiplier(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Depthwise convolutions with several filters per channel are always stored dense."""
    dense = [item for item in facts.dense_groups if item.groups.channels == 1]
    if not dense:
        return None
    stored, needed = _stored(dense), _needed(dense)
    multipliers = sorted({item.groups.outputs for item in dense})
    return Finding(
        code="depthwise_multiplier",
        title="depthwise convolutions with a channel multiplier stored as dense ones",
        because=(
            f"{count(len(dense), 'depthwise convolution')} with channel multiplier {_sizes(multipliers)} "
            f"{'is' if len(dense) == 1 else 'are'} stored dense: {{bytes}} ({{share}}) is filler and "
            f"its commands"
        ),
        explanation=(
            "groups = C with Cout = m x C and m > 1 is no depthwise convolution to the NPU: "
            "the compiler writes a dense Cout x C kernel. Plain depthwise (m = 1) is stored as it is."
        ),
        layers=tuple(item.name for item in dense),
        claims=_claims(facts, ledger, dense),
        evidence=(
            (
                f"kernels of {format_bytes(stored)} where {format_bytes(needed)} are needed "
                f"({stored / max(needed, 1):.0f}x)"
            ),
            *_patterns(dense),
        ),
        fixes=(
            *_fix_command(facts, "splits each into m plain depthwise convolutions, verified by onnxruntime"),
            Fix(
                "network", "use depthwise convolutions with as many outputs as inputs, then a 1x1 convolution"
            ),
        ),
        not_helping=NO_HELP,
    )


def groups_kept_apart(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Grouped convolutions that stay grouped run as Split + one convolution per group: commands for each."""
    by_source: dict[str, list[Site]] = defaultdict(list)
    for site in facts.sites:
        found = _GROUP.match(site.base)
        if site.is_convolution and found:
            by_source[found["source"]].append(site)
    if not by_source:
        return None
    extra: list[int] = []
    for groups in by_source.values():
        extra += [site.index for site in groups[1:]]
        extra += _around(facts, groups)
    total = sum(len(groups) for groups in by_source.values())
    commands = sum(ledger.left("register_commands", index) for index in extra)
    return Finding(
        code="groups_kept_apart",
        title="grouped convolutions run as one convolution per group",
        because=(
            f"{count(len(by_source), 'grouped convolution')} {'runs' if len(by_source) == 1 else 'run'} "
            f"as {total:,} "
            "small ones: {bytes} ({share}) is their NPU commands and structure"
        ),
        explanation=(
            "These groups are kept (their kernels are not padded with zeros), but the NPU has no grouped "
            "convolution: each group is a layer with commands, tasks, tensors and names of its own."
        ),
        layers=tuple(by_source),
        claims=ledger.everything(dict.fromkeys(extra), COMMAND_SECTIONS),
        evidence=(
            (
                f"{total} group layers of {format_bytes(commands / max(len(extra), 1))} commands each, "
                f"{len(extra) - total + len(by_source)} Split and Concat layers around them"
            ),
            *(f"{name}: {len(groups)} groups" for name, groups in list(by_source.items())[:4]),
        ),
        fixes=_apart_fixes(facts, list(by_source.values())),
        not_helping=("regrouping below the NPU's alignment: the kernels become dense", *NOT_ACCEPTED),
    )


def _apart_fixes(facts: ModelFacts, sources: list[list[Site]]) -> tuple[Fix, ...]:
    """Neighbours can be merged where their number has a factor; a prime number is filled up first."""
    counts = sorted({len(groups) for groups in sources})
    prime = [count for count in counts if all(count % factor for factor in range(2, count))]
    fill = (
        f"{_sizes(prime)} groups cannot be halved: fill up with groups of zero filters to a number that can, "
    )
    return (
        *(
            _fix_command(facts, "merges neighbouring groups where the file gets smaller by it")
            if len(prime) < len(counts)
            else ()
        ),
        *(
            (
                Fix(
                    "network",
                    f"{fill}then merge neighbours (exact; 202 -> 145 kB on a sample of 11 groups for rk3588)",
                ),
            )
            if prime
            else ()
        ),
        Fix("network", "train with fewer, wider groups"),
    )


def _claims(facts: ModelFacts, ledger: Ledger, dense: list[DenseGroups]) -> tuple[Claim, ...]:
    """Filler of every kernel; of split ones also the further parts and the Split before them."""
    claims: list[Claim] = []
    for item in dense:
        filler = 1 - item.needed_bytes / item.stored_bytes
        for part in item.parts:
            kernel = part.kernel
            section = "weights" if kernel and kernel.kind == "weight" else "compiler_constants"
            claims.append(Claim(section, part.index, int((kernel.buffer_bytes if kernel else 0) * filler)))
        more = [part.index for part in item.parts[1:]]
        if len(item.parts) > 1:
            more += [site.index for site in facts.before(item.parts[0]) if site.node.type == "Split"]
        claims += ledger.everything(more, COMMAND_SECTIONS)
    return tuple(claims)


def _around(facts: ModelFacts, groups: list[Site]) -> list[int]:
    before = {site.index for group in groups for site in facts.before(group) if site.node.type == "Split"}
    after = {site.index for group in groups for site in facts.after(group) if site.node.type == "Concat"}
    return sorted(before | after)


def _stored(dense: list[DenseGroups]) -> int:
    return sum(item.stored_bytes for item in dense)


def _needed(dense: list[DenseGroups]) -> int:
    return sum(item.needed_bytes for item in dense)


def _sizes(sizes: list[int]) -> str:
    return listing([str(size) for size in sizes], 4)


def _patterns(dense: list[DenseGroups]) -> list[str]:
    """The first layers with what was seen in their weights."""
    lines = []
    for item in dense[:3]:
        kernels = [part.kernel for part in item.parts if part.kernel]
        outputs, inputs = kernels[0].shape[0], sum(kernel.shape[1] for kernel in kernels)
        parts = f" in {len(kernels)} parts" if len(kernels) > 1 else ""
        lines.append(
            f"{item.name}: [{outputs}, {inputs}, {kernels[0].shape[2]}, {kernels[0].shape[3]}] "
            f"stored{parts}; "
            f"{item.groups.sampled} of {item.groups.sampled} sampled output channels read only their "
            f"own group "
            f"of {item.groups.channels} ({item.groups.count} groups)"
        )
    return lines


def _target(facts: ModelFacts) -> str:
    return f"{facts.model.file.target} {facts.dtype}"


def _dtype(facts: ModelFacts) -> Dtype:
    return "int8" if facts.dtype == "int8" else "fp16"


def _alignment(facts: ModelFacts) -> int | None:
    file = facts.model.file
    return kept_group_alignment(file.target, _dtype(facts), file.toolkit_version)


def _failing(sizes: list[int], alignment: int) -> str:
    return listing([f"{size} % {alignment} = {size % alignment}" for size in sizes], 4)


def _fix_command(facts: ModelFacts, effect: str) -> tuple[Fix, ...]:
    """Return the command that rewrites the ONNX; none for a SoC whose rules nobody has measured."""
    if _alignment(facts) is None:
        return ()
    command = f"bench fix MODEL.onnx --target {facts.model.file.target} --dtype {facts.dtype} -o FIXED.onnx"
    return (Fix("command", f"rewrite the ONNX, then convert it again: {effect}", command),)


def _can_merge(groups: Groups, alignment: int) -> bool:
    """Return whether some neighbours make a group that is kept, and are not all of them."""
    return any(
        groups.count % factor == 0 and groups.channels * factor % alignment == 0
        for factor in range(2, groups.count)
    )


def _fixes(facts: ModelFacts, dense: list[DenseGroups], alignment: int | None) -> tuple[Fix, ...]:
    fixes: list[Fix] = []
    if alignment and any(_can_merge(item.groups, alignment) for item in dense):
        fixes += _fix_command(
            facts,
            "merges neighbouring groups into block-diagonal ones that the NPU keeps (exact: max difference "
            "6.1e-5 on values up to 262; 63.3 -> 8.8 MB on the reference case)",
        )
    file = facts.model.file
    newest = kept_group_alignment(file.target, _dtype(facts))
    if alignment and newest and newest < alignment and _all_fit(dense, newest):
        fixes.append(
            Fix("toolkit", f"these groups stay grouped with a newer toolkit than {file.toolkit_version}",
                "pip install 'rknn-toolkit2>=2.3.2'")
        )  # fmt: skip
    half = kept_group_alignment(file.target, "fp16")
    if facts.dtype == "int8" and half and _all_fit(dense, half):
        fixes.append(
            Fix("config", "or convert the whole model in float16: these groups fit there and stay grouped "
                "(31.5 -> 7.03 MB for rk3568 on the reference case)",
                "rknn.build(do_quantization=False)")
        )  # fmt: skip
    if alignment:
        fixes.append(Fix("network", f"train with channels per group that are a multiple of {alignment}"))
    return tuple(fixes)


def _all_fit(dense: list[DenseGroups], alignment: int) -> bool:
    return all(item.groups.channels % alignment == 0 for item in dense)
