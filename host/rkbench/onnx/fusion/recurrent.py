"""Recurrent layers: tasks for every time step, in the list of every number of cores.

The steps of a GRU have commands of their own; those of an LSTM share theirs from the third on. Read from
files of toolkit 2.5.0: LSTM of 1 to 999 steps and 64 to 768 values, GRU of 1 to 64 steps, on one core and on
three.
"""

from __future__ import annotations

import math

from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

LSTM_BYTES = (38_800, 71_550, 86_400)
"""Commands of one direction with one step, with two, and with three or more: two tables are in them."""
LSTM_TASKS: dict[bool, dict[Dtype, int]] = {
    False: {"fp16": 40, "int8": 41},
    True: {"fp16": 42, "int8": 43},
}
"""Tasks of each step, by whether there are several cores ..."""
SAVED_TASKS = (10, 29, 10)
"""... and those that the first steps save, by steps as above."""
ROW_BYTES, MORE_ROW_BYTES = 2_554, 12_032
"""Commands of each further sequence of a batch on one core: of one step, and of several."""
ROW_TASKS, MORE_ROW_TASKS = 4, 10
"""Its tasks: of one step alone, and of each of several."""
GRU_START_BYTES, GRU_STEP_BYTES = 2_300, 24_900
GRU_START_TASKS = 3
GRU_STEP_TASKS = {False: 15, True: 17}
GATES = 4
BANK_BYTES = 32 * 1024
BANKS = {False: 8, True: 12}
KERNEL_BLOCK: dict[Dtype, int] = {"fp16": 16, "int8": 32}
PIECE_BYTES = {False: 1_088, True: 1_024}
"""Commands of each further piece of what the gates make of all inputs at once."""


def recurrent_tasks(layer: FusedLayer, cores: int, dtype: Dtype) -> tuple[int, int]:
    """Return bytes of commands and tasks in one list of all steps in all directions."""
    node = layer.node
    both = node.attributes.get_string("direction", "forward") == "bidirectional"
    directions = 2 if both else 1
    several, steps = cores > 1, layer.parts
    if node.op_type == "GRU":
        size = GRU_START_BYTES + GRU_STEP_BYTES * steps
        return size * directions, (GRU_START_TASKS + GRU_STEP_TASKS[several] * steps) * directions
    sequences, inputs = (static_shape(node.inputs[0]) or (1, 1, 1))[-2:]
    hidden = node.attributes.get_int("hidden_size", 1)
    first = min(steps, len(LSTM_BYTES)) - 1
    size, tasks = LSTM_BYTES[first], LSTM_TASKS[several][dtype] * steps - SAVED_TASKS[first]
    if not several:
        more_bytes, more_tasks = (ROW_BYTES, ROW_TASKS) if steps == 1 else (MORE_ROW_BYTES, MORE_ROW_TASKS)
        size, tasks = size + more_bytes * (sequences - 1), tasks + more_tasks * steps * (sequences - 1)
    pieces = GATES * _further_pieces(steps * sequences, inputs, hidden, dtype, several=several)
    return (size + pieces * PIECE_BYTES[several]) * directions, (tasks + pieces) * directions


def _further_pieces(rows: int, inputs: int, hidden: int, dtype: Dtype, *, several: bool) -> int:
    """Return into how many pieces beyond one a gate takes its inputs.

    One core keeps as many inputs as fit beside a bank of weights, and cuts the weights to what is left;
    several cores cut the inputs alone.
    """
    read = rows * inputs * ELEMENT_BYTES[dtype]
    most = BANKS[several] - (2 if several else 1)
    cuts = math.ceil(read / (most * BANK_BYTES))
    if several:
        return cuts - 1
    left = BANKS[several] - min(math.ceil(read / BANK_BYTES), most)
    blocks = math.ceil(hidden * inputs * ELEMENT_BYTES[dtype] / (left * BANK_BYTES))
    return cuts * min(blocks, math.ceil(hidden / KERNEL_BLOCK[dtype])) - 1
