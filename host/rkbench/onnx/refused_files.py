"""What the converter refuses of a file as such: its opset, its functions, operators that no NPU network has.

Each sentence was said by toolkit 2.5.0 to a small file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import FUNCTIONS, ORDER, Asked, ForeseenRefusal, name_of

NEWEST_OPSET = 19
"""Of ONNX: the converter reads no newer one."""
SEQUENCES = frozenset({"SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceAt"})
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Whose operators onnxruntime, and with it the converter, computes: those of the last two convert too."""
SPLITS = frozenset({"SplitToSequence", "ConcatFromSequence"})
OPTIONALS = frozenset({"Optional", "OptionalHasElement", "OptionalGetElement"})


def _opset(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if asked.opset > NEWEST_OPSET and node is asked.graph[0]:
        yield ForeseenRefusal(
            name_of(node),
            f"Unsupport onnx opset {asked.opset}, need <= {NEWEST_OPSET}!",
            say("the file is of opset {opset}", opset=asked.opset),
            say(
                "export it with opset {newest_opset} or older; bench fix states it where no operator differs",
                newest_opset=NEWEST_OPSET,
            ),
        )


def _functions(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if FUNCTIONS in asked.mended and node is asked.graph[0]:
        yield ForeseenRefusal(
            name_of(node),
            "InvalidGraph: [ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model. ...",
            say("the file defines functions of its own, which the converter does not put in their places"),
            say("bench fix does"),
        )


def _order(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if ORDER in asked.mended and node is asked.graph[0]:
        yield ForeseenRefusal(
            name_of(node),
            "KeyError: ... (fold_constant)",
            say("its nodes are not in order: one reads what a later one makes"),
            say("bench fix puts them in order"),
        )


def _loop(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type == "Loop":
        yield ForeseenRefusal(
            name_of(node),
            f"The Loop('{name_of(node)}') will cause the graph to be a dynamic graph! "
            "Remove it manually and try again!",
            say("a loop runs as often as its input says"),
            say("export the network with a fixed number of steps, which the exporter writes out"),
        )


def _sequence(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type in SEQUENCES | SPLITS | OPTIONALS:
        said = f"The Op of '{node.op_type}' is not supported yet, please remove it and try again!"
        yield ForeseenRefusal(
            name_of(node),
            said if node.op_type in SEQUENCES else "KeyError: 0",
            say("a tensor that may be left out is no tensor")
            if node.op_type in OPTIONALS
            else say("a sequence of tensors is no tensor"),
            say("export the network without it: outputs one by one, Split and Concat instead"),
        )


def _strings(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if node is asked.graph[0] and any(value.dtype == ir.DataType.STRING for value in asked.graph.inputs):
        yield ForeseenRefusal(
            name_of(node),
            "Not support input data type 'object'!",
            say("the network takes strings"),
            say("turn them into numbers before, on the CPU"),
        )


def _unknown(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type):
        yield ForeseenRefusal(
            name_of(node),
            "InvalidGraph: [ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model. ...",
            say("ONNX has no operator {op_type}", op_type=node.op_type),
            say("export the network with operators of ONNX"),
        )
    elif node.domain not in DOMAINS:
        yield ForeseenRefusal(
            name_of(node),
            "InvalidGraph: [ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model. ... Error No "
            "opset import for domain ...",
            say(
                "{op_type} is an operator of {domain}, which onnxruntime does not have",
                op_type=node.op_type,
                domain=node.domain,
            ),
            say("export without it, or cut the network there and compute the rest on the CPU"),
        )


RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (
    _opset,
    _functions,
    _order,
    _loop,
    _sequence,
    _strings,
    _unknown,
)
