"""Grouped and depthwise convolutions that are made dense."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.kernel_groups import Groups
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, DenseGroups, ModelFacts
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import Said, clause, say
from rkbench.rknn.targets import Dtype, kept_group_alignment
from rkbench.units import format_bytes

NOT_ACCEPTED = (
    say("quantize_input_nodes=True: rejected by rknn-toolkit2 2.x (`is not support!`)"),
    say("quantized_dtype='asymmetric_quantized-u8': rejected by 2.x (`Invalid quantized_dtype`)"),
)
NO_HELP = (
    say("compress_weight, model_pruning, optimization_level 0 to 2: the same byte count (measured)"),
    say("single_core_mode: 64.4 of 64.9 MB stay (measured)"),
    say("splitting the convolution into one per group by hand: made dense or slow all the same"),
    say(
        "float16 for these layers only, by hybrid quantization: they are dense before it "
        "applies; 31.5 -> 62.2 MB for rk3568 on the reference case (measured)"
    ),
    *NOT_ACCEPTED,
)


def grouped_convolution_dense(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Grouped convolutions whose channels per group do not fit the NPU are stored as dense kernels."""
    dense = [item for item in facts.dense_groups if item.groups.channels > 1]
    if not dense:
        return None
    sizes = sorted({item.groups.channels for item in dense})
    alignment = _alignment(facts)
    claims = _claims(facts, ledger, dense)
    stored, needed = _stored(dense), _needed(dense)
    return Finding(
        code="grouped_conv_dense",
        title=say("grouped convolutions stored as dense ones"),
        because=clause(
            "{dense} ({sizes} channels per group) {are_} stored dense: {bytes} ({share}) is filler "
            "and its commands",
            dense=count(len(dense), "grouped convolution"),
            sizes=sizes_of(sizes),
            are_="is" if len(dense) == 1 else "are",
        ),
        explanation=say(
            "The compiler keeps a convolution grouped only when its input channels per group fit the "
            "NPU's channel blocks; else it writes the whole Cout x Cin kernel, block-diagonal."
        ),
        layers=tuple(item.name for item in dense),
        claims=claims,
        evidence=(
            say(
                "kernels of {stored} where the groups need {needed} ({times:.0f}x): {filler:.1f} % is filler",
                stored=format_bytes(stored),
                needed=format_bytes(needed),
                times=stored / max(needed, 1),
                filler=(1 - needed / stored) * 100,
            ),
            *_patterns(dense),
            *_rule(facts, sizes, alignment),
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
        title=say("depthwise convolutions with a channel multiplier stored as dense ones"),
        because=clause(
            "{dense} with channel multiplier {sizes} {are_} stored dense: {bytes} ({share}) is "
            "filler and its commands",
            dense=count(len(dense), "depthwise convolution"),
            sizes=sizes_of(multipliers),
            are_="is" if len(dense) == 1 else "are",
        ),
        explanation=say(
            "groups = C with Cout = m x C and m > 1 is no depthwise convolution to the NPU: the "
            "compiler writes a dense Cout x C kernel. Plain depthwise (m = 1) is stored as it is."
        ),
        layers=tuple(item.name for item in dense),
        claims=_claims(facts, ledger, dense),
        evidence=(
            say(
                "kernels of {stored} where {needed} are needed ({times:.0f}x)",
                stored=format_bytes(stored),
                needed=format_bytes(needed),
                times=stored / max(needed, 1),
            ),
            *_patterns(dense),
        ),
        fixes=(
            *fix_command(
                facts,
                say(
                    "splits each into m plain depthwise convolutions, or merges neighbouring channels into "
                    "block-diagonal groups that the NPU keeps, verified by onnxruntime"
                ),
                "depthwise_multiplier",
                "regroup",
            ),
            Fix(
                "network",
                say("use depthwise convolutions with as many outputs as inputs, then a 1x1 convolution"),
            ),
        ),
        not_helping=NO_HELP,
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


def _stored(dense: list[DenseGroups]) -> int:
    return sum(item.stored_bytes for item in dense)


def _needed(dense: list[DenseGroups]) -> int:
    return sum(item.needed_bytes for item in dense)


def sizes_of(sizes: list[int]) -> Said:
    """Return sizes as they are listed."""
    return listing([str(size) for size in sizes], 4)


def _patterns(dense: list[DenseGroups]) -> list[Said]:
    """The first layers with what was seen in their weights."""
    lines = []
    for item in dense[:3]:
        kernels = [part.kernel for part in item.parts if part.kernel]
        outputs, inputs = kernels[0].shape[0], sum(kernel.shape[1] for kernel in kernels)
        parts = say(" in {kernels} parts", kernels=len(kernels)) if len(kernels) > 1 else ""
        lines.append(
            say(
                "{item}: [{outputs}, {inputs}, {height}, {width}] stored{parts}; {sampled} of {sampled} "
                "sampled output channels read only their own group of {channels} ({count} groups)",
                item=item.name,
                outputs=outputs,
                inputs=inputs,
                height=kernels[0].shape[2],
                width=kernels[0].shape[3],
                parts=parts,
                sampled=item.groups.sampled,
                channels=item.groups.channels,
                count=item.groups.count,
            )
        )
    return lines


def _rule(facts: ModelFacts, sizes: list[int], alignment: int | None) -> tuple[Said, ...]:
    """Return which groups the SoC keeps, and that these are none; nothing where nobody has measured it."""
    if not alignment:
        return ()
    return (
        say(
            "{target} keeps groups whose channels are a multiple of {alignment}: {failing}",
            target=_target(facts),
            alignment=alignment,
            failing=_failing(sizes, alignment),
        ),
    )


def _target(facts: ModelFacts) -> str:
    return f"{facts.model.file.target} {facts.dtype}"


def _dtype(facts: ModelFacts) -> Dtype:
    return "int8" if facts.dtype == "int8" else "fp16"


def _alignment(facts: ModelFacts) -> int | None:
    file = facts.model.file
    return kept_group_alignment(file.target, _dtype(facts), file.toolkit_version)


def _failing(sizes: list[int], alignment: int) -> Said:
    return listing([f"{size} % {alignment} = {size % alignment}" for size in sizes], 4)


def is_measured(facts: ModelFacts) -> bool:
    """Return whether it is known which groups the SoC of a file keeps: `bench fix` works for these."""
    return _alignment(facts) is not None


def fix_command(facts: ModelFacts, effect: Said, *rewrites: str) -> tuple[Fix, ...]:
    """Return the command that rewrites the ONNX; none for a SoC whose rules nobody has measured."""
    if not is_measured(facts):
        return ()
    command = f"bench fix MODEL.onnx --target {facts.model.file.target} --dtype {facts.dtype} -o FIXED.onnx"
    action = say("rewrite the ONNX, then convert it again: {effect}", effect=effect)
    return (Fix("command", action, command, rewrites),)


def _can_merge(groups: Groups, alignment: int) -> bool:
    """Return whether some neighbours make a group that is kept, and are not all of them."""
    return any(
        groups.count % factor == 0 and groups.channels * factor % alignment == 0
        for factor in range(2, groups.count)
    )


def _fixes(facts: ModelFacts, dense: list[DenseGroups], alignment: int | None) -> tuple[Fix, ...]:
    fixes: list[Fix] = []
    if alignment and any(_can_merge(item.groups, alignment) for item in dense):
        fixes += fix_command(
            facts,
            say(
                "merges neighbouring groups into block-diagonal ones that the NPU keeps (exact: max "
                "difference 6.1e-5 on values up to 262; 63.3 -> 8.8 MB on the reference case)"
            ),
            "regroup",
            "padded_groups",
        )
    file = facts.model.file
    newest = kept_group_alignment(file.target, _dtype(facts))
    if alignment and newest and newest < alignment and _all_fit(dense, newest):
        fixes.append(
            Fix(
                "toolkit",
                say(
                    "these groups stay grouped with a newer toolkit than {toolkit_version}",
                    toolkit_version=file.toolkit_version,
                ),
                "pip install 'rknn-toolkit2>=2.3.2'",
            )
        )
    half = kept_group_alignment(file.target, "fp16")
    if facts.dtype == "int8" and half and _all_fit(dense, half) and _is_smaller_in_halves(facts, dense):
        fixes.append(
            Fix(
                "config",
                say(
                    "or convert the whole model in float16: these groups fit there and stay grouped (31.5 -> "
                    "7.03 MB for rk3568 on the reference case)"
                ),
                "rknn.build(do_quantization=False)",
            )
        )
    if alignment:
        fixes.append(
            Fix(
                "network",
                say("train with channels per group that are a multiple of {alignment}", alignment=alignment),
            )
        )
    return tuple(fixes)


def _is_smaller_in_halves(facts: ModelFacts, dense: list[DenseGroups]) -> bool:
    """Return whether all weights at two bytes, these without filler, are fewer than what is stored."""
    stored = sum(
        tensor.buffer_bytes for _, tensor in facts.owned if tensor.kind in ("weight", "compiler_constant")
    )
    return 2 * (stored - _stored(dense) + _needed(dense)) < stored


def _all_fit(dense: list[DenseGroups], alignment: int) -> bool:
    return all(item.groups.channels % alignment == 0 for item in dense)
