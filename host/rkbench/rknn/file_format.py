"""Numbers of the file format and the words that we use for them."""

from __future__ import annotations

KINDS = {
    0: "null",
    1: "input",
    2: "output",
    3: "activation",
    4: "weight",
    5: "cpu_constant",
    6: "lookup_table",
    7: "command",
    8: "compiler_constant",
    9: "register_commands",
    10: "tasks",
}
"""Tensor kinds by their number in the file. The names are ours; the file has numbers only."""

SECTION_OF_KIND = {
    "weight": "weights",
    "cpu_constant": "cpu_constants",
    "lookup_table": "lookup_tables",
    "command": "kind7",
    "compiler_constant": "compiler_constants",
    "register_commands": "register_commands",
    "tasks": "tasks",
}

DTYPES = {
    1: "FLOAT32",
    2: "UINT8",
    3: "INT8",
    5: "INT16",
    6: "INT32",
    7: "INT64",
    10: "FLOAT16",
    13: "OPAQUE",
    16: "BFLOAT16",
    64: "INT4",
}
LAYOUTS = {64: "NC1HWC2", 65: "WEIGHT_BLOCKS"}
TARGETS = {0: "CPU", 2: "NPU"}
TASK_BYTES = 40
#: Real files hold up to 2,048,454 (SepFormer in int8, all core modes); 4 GB would be read for minutes.
MOST_TASKS = 16_000_000
