"""Damaged registers and files: refused or computed, and nothing else."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_nets import Net
from net_cores import core_of
from rkbench.errors import ModelError
from rkbench.npu.execute.executor import Executor
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.rknn import open_model


def test_damaged_registers_are_refused_or_computed_and_nothing_else() -> None:
    chosen = [Net(name, soc, dtype) for name, soc, dtype in DAMAGED]
    cores = [core_of(net) for net in chosen]
    seeded = random.Random(5)
    refused = 0
    for _ in range(400):
        core, tasks = seeded.choice(cores)
        task = seeded.choice(tasks)
        registers = dict(task.registers)
        for register in seeded.sample(sorted(registers), 2):
            registers[register] ^= 1 << seeded.randrange(32)
        try:
            core.run(replace(task, registers=registers))
        except UnmodelledError:
            refused += 1
    assert 100 < refused < 400


DAMAGED = (
    ("dense", "rk3588", "int8"),
    ("depthwise", "rk3568", "int8"),
    ("swishes", "rk3588", "fp16"),
    ("squeeze", "rk3568", "fp16"),
    ("neck", "rk3588", "int8"),
    ("pools", "rk3588", "int8"),
    ("transformer", "rk3588", "int8"),
    ("enlarged", "rk3568", "fp16"),
)


def test_a_damaged_file_is_refused_or_computed_and_nothing_else(tmp_path: Path) -> None:
    seeded = random.Random(8)
    sound = [Net("classifier", "rk3588", "fp16").path, Net("neck", "rk3568", "int8").path, ERF]
    contents = [path.read_bytes() for path in sound]
    path = tmp_path / "damaged.rknn"
    refused = 0
    for _ in range(120):
        data = bytearray(seeded.choice(contents))
        for _ in range(4):
            data[seeded.randrange(64, min(len(data), 30_000))] = seeded.randrange(256)
        path.write_bytes(data)
        try:
            with open_model(path) as model:
                executor = Executor(model)
                small = {
                    each.name: each for each in executor.inputs if np.prod(each.shape, dtype=float) < 1e6
                }
                executor.run({name: np.ones(each.shape, "float32") for name, each in small.items()})
        except (ModelError, KeyError) as error:
            assert isinstance(error, ModelError) or len(small) < len(executor.inputs)
            refused += 1
    assert 20 < refused < 100


ERF = Path(__file__).parents[2] / "data/models/erf_rk3588_i8.rknn"
