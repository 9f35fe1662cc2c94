"""What a convolution takes of a file, and what one takes whose weights another one stores."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from rkbench.language.said import NOTHING, Said, say
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.headed import is_cut_into_heads
from rkbench.onnx.fusion.tasks import input_parts
from rkbench.onnx.node_share import Context, Share
from rkbench.onnx.prediction import CUT_AGAIN, DILATED, FILLED, HEADS_AGAIN, UNMEASURED
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

FILLED_RATIO = 1.25
"""From this many times its weights on a kernel is said to be filled up."""


def projected(geometry: Convolution, context: Context, dtype: Dtype) -> Share:
    """Return the share of a convolution that stores its weights."""
    version, target = context.toolkit_version, context.target
    becomes = conv.fate(geometry, target, dtype, version)
    needed = conv.needed_bytes(geometry, dtype)
    weights = conv.constant_bytes(geometry, target, dtype, version)
    note = _grouping_note(geometry, becomes, context, dtype)
    size = commands.convolution_bytes(geometry, target, dtype, version)
    if commands.is_widely_dilated(geometry) and (
        targets.TARGETS[target].npu_cores > 1 or geometry.groups == 1
    ):
        kernel = say(
            "dilation {dilations} makes a kernel {dilated_extent} pixels wide",
            dilations=max(geometry.dilations),
            dilated_extent=geometry.dilated_extent,
        )
        return Share(
            DILATED, weights, needed, None, say("{kernel}: 0.1 to 8 MB of commands were seen", kernel=kernel)
        )
    if becomes == conv.KEPT and targets.kept_group_alignment(target, dtype, version) is None:
        note = say(
            "nobody has measured whether {target} keeps {groups} groups; counted as kept",
            target=target,
            groups=geometry.groups,
        )
        return Share(UNMEASURED, weights, needed, size, note)
    if becomes == conv.ORDINARY and _is_filled(geometry, context, dtype):
        becomes = FILLED
    return Share(becomes, weights, needed, size, note)


def _is_filled(geometry: Convolution, context: Context, dtype: Dtype) -> bool:
    """Return whether its weights are stored notably larger than they are: in whole blocks of channels."""
    bare = replace(geometry, has_bias=False)
    layout = targets.weight_layout(context.target, dtype)
    stored = conv.constant_bytes(bare, context.target, dtype, context.toolkit_version)
    if layout is not None and dtype == "int8":
        stored -= targets.bias_bytes(geometry.output_channels, layout)
    return stored > FILLED_RATIO * conv.needed_bytes(geometry, dtype)


def _grouping_note(geometry: Convolution, becomes: str, context: Context, dtype: Dtype) -> Said:
    cpg = geometry.channels_per_group
    alignment = targets.kept_group_alignment(context.target, dtype, context.toolkit_version)
    if becomes == conv.DENSE:
        rule = say(
            "{target} {dtype} keeps multiples of {alignment}",
            target=context.target,
            dtype=dtype,
            alignment=alignment,
        )
        return say(
            "{cpg} channels per group: {rule}, all else is stored as a dense block with zeros",
            cpg=cpg,
            rule=rule,
        )
    if becomes == conv.MULTIPLIER:
        factor = geometry.output_channels // geometry.input_channels
        return say(
            "depthwise with {factor} outputs a channel is stored as a dense block with zeros", factor=factor
        )
    if becomes == conv.KEPT and geometry.groups >= 32:
        return say(
            "{groups} groups are split into as many convolutions, each with commands of its own",
            groups=geometry.groups,
        )
    return NOTHING


def shared(node: ir.Node, geometry: Convolution, share: Share, context: Context, dtype: Dtype) -> Share:
    """Return the share of a convolution or product whose weights an earlier one stores: the bias is its own,
    whatever the ONNX shares.

    Weights that are cut along their inputs are cut, and stored, for each (RetinaNet's heads; small graphs);
    so are those of products that are cut into heads (RegionViT).
    """
    if node.op_type == "MatMul" and is_cut_into_heads(node):
        note = say("its weights are another layer's too, but cut into heads: stored again for each")
        return Share(HEADS_AGAIN, share.weights, 0, share.commands, note)
    becomes = conv.fate(geometry, context.target, dtype, context.toolkit_version)
    parts = input_parts(geometry, becomes, targets.TARGETS[context.target].npu_cores, dtype)
    if parts > 1 and targets.weight_layout(context.target, dtype) is not None:
        return Share(CUT_AGAIN, share.weights, 0, share.commands, _note_of_parts(parts))
    return Share(share.becomes, _own_bias(geometry, becomes, context, dtype), 0, share.commands)


def _own_bias(geometry: Convolution, becomes: str, context: Context, dtype: Dtype) -> int:
    layout = targets.weight_layout(context.target, dtype)
    if layout is None or not (geometry.has_bias or dtype == "int8"):
        return 0
    return targets.bias_bytes(geometry.output_channels, layout, depthwise=becomes == conv.DEPTHWISE)


def _note_of_parts(parts: int) -> Said:
    return say(
        "its weights are another layer's too, but cut into {parts} along the inputs: stored again for each",
        parts=parts,
    )
