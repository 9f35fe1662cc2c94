"""Outputs that leave the output stage in another order: transposed, or as the weights of another layer.

Three ways, found by decoding what the compiler writes for Transpose, Reshape and attention, and confirmed by
execution against the vendor's simulator (docs/npu.md). All of them move whole atoms, but TP_ORG, which turns
tiles: 16 atoms of 16 bytes, or 8 of 8 values of 16 bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rkbench.npu.execute.cubes import ATOM_DTYPES, AddressSpace, Values, packed
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.fields import INT8

TILE = 16
ATOM_BYTES = 16
SURFACE_PIXELS = 4
"""Surfaces hold a multiple of as many pixels."""


def is_rearranged(registers: TaskRegisters) -> bool:
    """Say whether a task's output leaves in another order."""
    return bool(
        registers["DPU.FEATURE_MODE_CFG.TP_EN"]
        or registers["DPU.BS_OW_CFG.TP_ORG_EN"]
        or (registers["DPU.WDMA_SIZE_0.SIZE_C_WDMA"] and not is_filled_up(registers))
        or is_spread(registers)
    )


def is_spread(registers: TaskRegisters) -> bool:
    """Say whether pixels are written apart, one phase of a linear enlargement: lines count as channels."""
    channels, written = (
        registers["DPU.DATA_CUBE_CHANNEL.CHANNEL"] + 1,
        registers["DPU.WDMA_SIZE_0.CHANNEL_WDMA"] + 1,
    )
    lines, width = registers["DPU.DATA_CUBE_HEIGHT.HEIGHT"] + 1, registers["DPU.DATA_CUBE_WIDTH.WIDTH"]
    sizes = registers["DPU.WDMA_SIZE_1.HEIGHT_WDMA"], registers["DPU.WDMA_SIZE_1.WIDTH_WDMA"]
    return lines > 1 and written == channels * lines and sizes == (width, 0)


def is_edge(registers: TaskRegisters) -> bool:
    """Say whether one line or column of the cube is copied: an edge repeated, as reader and writer say."""
    reader, writer, cube = (
        (registers[f"{part}HEIGHT{end[0]}"], registers[f"{part}WIDTH{end[1]}"])
        for part, end in (
            ("DPU_RDMA.DATA_CUBE_", (".HEIGHT", ".WIDTH")),
            ("DPU.WDMA_SIZE_1.", ("_WDMA", "_WDMA")),
            ("DPU.DATA_CUBE_", (".HEIGHT", ".WIDTH")),
        )
    )
    flying = registers["DPU.FEATURE_MODE_CFG.FLYING_MODE"]
    turned = registers["DPU.FEATURE_MODE_CFG.TP_EN"] or registers["DPU.BS_OW_CFG.TP_ORG_EN"]
    apart = reader == writer != cube and reader in ((0, cube[1]), (cube[0], 0)) and any(reader)
    pitch = registers["DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0"] == (0 if reader[1] else cube[1])
    return bool(flying and not turned and apart and pitch and _has_room(registers, *cube))


def _has_room(registers: TaskRegisters, last_line: int, last_column: int) -> bool:
    """Say whether surfaces lie as far apart as the whole cube's, on the RK3588: only its files have it."""
    pixels = (last_line + 1) * (last_column + 1)
    return registers["DPU.DST_SURF_STRIDE"] == -(-pixels // SURFACE_PIXELS) * SURFACE_PIXELS * ATOM_BYTES


def is_filled_up(registers: TaskRegisters) -> bool:
    """Say whether OFFSET_PEND fills the last atom behind the channels that SIZE_C_WDMA counts."""
    channels = registers["DPU.DATA_CUBE_CHANNEL.CHANNEL"]
    written = registers["DPU.WDMA_SIZE_0.CHANNEL_WDMA"]
    counted = registers["DPU.WDMA_SIZE_0.SIZE_C_WDMA"]
    last_of_atom = 15 if registers["DPU.DATA_FORMAT.OUT_PRECISION"] == INT8 else 7
    return counted == channels < written == channels | last_of_atom


def refuse_incoherent(registers: TaskRegisters, channels_of_atom: int) -> None:
    """Refuse fields of this order, of maxima and of filling up where one stands without the others."""
    maxima = bool(registers["DPU.DATA_CUBE_HEIGHT.MINMAX_CTL"])
    rearranged, to_pooling = is_rearranged(registers), registers["DPU.FEATURE_MODE_CFG.OUTPUT_MODE"] == 1
    whole = (registers["DPU.DATA_CUBE_CHANNEL.CHANNEL"] + 1) % channels_of_atom == 0
    wrong = {
        "DPU.DATA_CUBE_HEIGHT.MINMAX_CTL": maxima and (rearranged or to_pooling),
        "DPU.OUT_CVT_SHIFT.CVT_ROUND": bool(registers["DPU.OUT_CVT_SHIFT.CVT_ROUND"]) != maxima,
        "DPU.WDMA_SIZE_0.TP_PRECISION": bool(registers["DPU.WDMA_SIZE_0.TP_PRECISION"]) and not rearranged,
        "DPU.WDMA_SIZE_0.SIZE_C_WDMA": rearranged and to_pooling,
        "DPU.OFFSET_PEND.OFFSET_PEND": not (whole or is_filled_up(registers))
        and bool(registers["DPU.OFFSET_PEND.OFFSET_PEND"]),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UnmodelledError(f"{name} = {registers[name]} by itself")


def is_recounted(registers: TaskRegisters) -> bool:
    """Say whether the output counts lines and columns of its own: the weights of another layer."""
    turned = (
        registers["DPU.FEATURE_MODE_CFG.TP_EN"]
        or registers["DPU.BS_OW_CFG.TP_ORG_EN"]
        or is_spread(registers)
    )
    alone = registers["DPU.EW_CFG.EW_BYPASS"] or registers["DPU.EW_CFG.EW_OP_BYPASS"]
    return bool(is_rearranged(registers) and not turned and alone)


def store_rearranged(registers: TaskRegisters, memory: AddressSpace, values: Values) -> None:
    """Write (lines, width, channels); raises UnmodelledError where fields do not go together."""
    if values.dtype.itemsize > 2:
        raise UnmodelledError(f"{values.dtype} in another order")
    atoms = packed(memory, values)
    if registers["DPU.FEATURE_MODE_CFG.TP_EN"]:
        _store_swapped(registers, memory, atoms)
    elif is_spread(registers):
        _store_spread(registers, memory, atoms)
    elif not registers["DPU.BS_OW_CFG.TP_ORG_EN"]:
        _store_as_weights(registers, memory, atoms)
    elif registers["DPU.WDMA_SIZE_0.TP_PRECISION"]:
        _store_turned_words(registers, memory, atoms)
    else:
        _store_turned_bytes(registers, memory, atoms)


def _store_swapped(registers: TaskRegisters, memory: AddressSpace, atoms: Values) -> None:
    """TP_EN: lines become columns, surfaces lines, columns surfaces."""
    surfaces, lines, width = atoms.shape
    _refuse_unless(
        registers,
        {
            "DPU.BS_OW_CFG.SIZE_E_0": width - 1,
            "DPU.WDMA_SIZE_0.TP_PRECISION": 1,
            "DPU.WDMA_SIZE_0.SIZE_C_WDMA": 0,
            "DPU.WDMA_SIZE_1.WIDTH_WDMA": lines - 1,
            "DPU.WDMA_SIZE_1.HEIGHT_WDMA": surfaces - 1,
            "DPU.FEATURE_MODE_CFG.SURF_LEN": 0,
            "DPU.BS_OW_CFG.TP_ORG_EN": 0,
        },
    )
    line = lines + _notch(registers)
    target = _target(
        registers, memory, (width, surfaces, lines), (_stride(registers, memory, "DST_SURF_STRIDE"), line, 1)
    )
    target[...] = atoms.transpose(2, 0, 1)


def _store_turned_bytes(registers: TaskRegisters, memory: AddressSpace, atoms: Values) -> None:
    """TP_ORG of bytes: each 16 atoms that follow one another become 16 atoms of one byte each of theirs."""
    tiles, rest = divmod(atoms.size, TILE)
    step = _stride(registers, memory, "DST_SURF_STRIDE")
    _refuse_unless(
        registers,
        {
            "DPU.WDMA_SIZE_0.SIZE_C_WDMA": tiles - 1 if not rest else -1,
            "DPU.WDMA_SIZE_1.WIDTH_WDMA": 0,
            "DPU.WDMA_SIZE_1.HEIGHT_WDMA": 1,
            "DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0": 8 * step - 1,
            "DPU.BS_OW_CFG.SIZE_E_0": 7,
            "DPU.FEATURE_MODE_CFG.SURF_LEN": atoms.size,
        },
    )
    codes = np.ascontiguousarray(atoms).reshape(-1).view(np.uint8).reshape(tiles, TILE, memory.atom_bytes)
    turned = np.ascontiguousarray(codes.swapaxes(1, 2)).view(atoms.dtype)
    target = _target(registers, memory, (tiles, TILE), (_stride(registers, memory, "SURFACE_ADD"), step))
    target[...] = turned[..., 0]


def _store_turned_words(registers: TaskRegisters, memory: AddressSpace, atoms: Values) -> None:
    """TP_ORG of 16 bits: each 8 atoms that follow one another become 8 atoms of one value each of theirs.

    WDMA_SIZE says how many such tiles there are, in three dimensions.
    """
    per_atom = memory.atom_bytes // 2
    shape = tuple(registers[f"DPU.WDMA_SIZE_{name}_WDMA"] + 1 for name in ("0.SIZE_C", "1.HEIGHT", "1.WIDTH"))
    tiles = shape[0] * shape[1] * shape[2]
    if tiles * per_atom != atoms.size:
        raise UnmodelledError(f"an output of {shape} tiles for {atoms.size} atoms")
    _refuse_unless(
        registers,
        {
            "DPU.BS_OW_CFG.SIZE_E_0": per_atom - 1,
            "DPU.FEATURE_MODE_CFG.SURF_LEN": atoms.size,
        },
    )
    words = np.ascontiguousarray(atoms).reshape(-1).view(np.uint16).reshape(tiles, per_atom, per_atom)
    turned = np.ascontiguousarray(words.swapaxes(1, 2)).view(atoms.dtype)
    steps = (
        _stride(registers, memory, "SURFACE_ADD"),
        shape[2] + _notch(registers),
        1,
        _stride(registers, memory, "DST_SURF_STRIDE"),
    )
    _target(registers, memory, (*shape, per_atom), steps)[...] = turned.reshape(*shape, per_atom)


def _store_as_weights(registers: TaskRegisters, memory: AddressSpace, atoms: Values) -> None:
    """SIZE_C_WDMA: pixels are counted anew, and surfaces lie SURFACE_ADD apart."""
    height, width = registers["DPU.DATA_CUBE_HEIGHT.HEIGHT"] + 1, registers["DPU.DATA_CUBE_WIDTH.WIDTH"] + 1
    surfaces = len(atoms)
    _refuse_unless(
        registers,
        {
            "DPU.WDMA_SIZE_0.SIZE_C_WDMA": surfaces - 1,
            "DPU.WDMA_SIZE_0.TP_PRECISION": 0,
            "DPU.WDMA_SIZE_0.CHANNEL_WDMA": registers["DPU.DATA_CUBE_CHANNEL.CHANNEL"],
            "DPU.WDMA_SIZE_1.WIDTH_WDMA": width - 1,
            "DPU.WDMA_SIZE_1.HEIGHT_WDMA": height - 1,
            "DPU.BS_OW_CFG.SIZE_E_0": 0,
            "DPU.FEATURE_MODE_CFG.SURF_LEN": 0,
        },
    )
    steps = _stride(registers, memory, "SURFACE_ADD"), width + _notch(registers), 1
    _target(registers, memory, (surfaces, height, width), steps)[...] = atoms.reshape(surfaces, height, width)


def _store_spread(registers: TaskRegisters, memory: AddressSpace, atoms: Values) -> None:
    """Pixels lie 1 + NOTCH apart, lines SURFACE_ADD, and surfaces DST_SURF_STRIDE."""
    surfaces, lines, width = atoms.shape
    _refuse_unless(
        registers,
        {
            "DPU.BS_OW_CFG.SIZE_E_0": surfaces - 1,
            "DPU.BS_OW_CFG.TP_ORG_EN": 0,
            "DPU.WDMA_SIZE_0.TP_PRECISION": 0,
            "DPU.WDMA_SIZE_0.SIZE_C_WDMA": 0,
            "DPU.FEATURE_MODE_CFG.SURF_LEN": 0,
        },
    )
    steps = (
        _stride(registers, memory, "DST_SURF_STRIDE"),
        _stride(registers, memory, "SURFACE_ADD"),
        1 + _notch(registers),
    )
    _target(registers, memory, (surfaces, lines, width), steps)[...] = atoms


def _notch(registers: TaskRegisters) -> int:
    return registers["DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0"]


def _stride(registers: TaskRegisters, memory: AddressSpace, name: str) -> int:
    """Return a stride in atoms."""
    return registers.aligned(f"DPU.{name}", memory.atom_bytes) // memory.atom_bytes


def _target(
    registers: TaskRegisters, memory: AddressSpace, shape: tuple[int, ...], steps: tuple[int, ...]
) -> Any:
    """Return a view of memory, an element an atom; `steps` in atoms."""
    atom = memory.atom_bytes
    if math.prod(shape) * atom > len(memory.data):
        raise UnmodelledError(f"an output of {shape} atoms")
    last = sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    raw = memory.read(registers.aligned("DPU.DST_BASE_ADDR", atom), (last + 1) * atom)
    return np.ndarray(shape, ATOM_DTYPES[atom], raw.data, strides=tuple(step * atom for step in steps))


def _refuse_unless(registers: TaskRegisters, expected: dict[str, int]) -> None:
    for name, value in expected.items():
        if registers[name] != value:
            raise UnmodelledError(
                f"{name} = {registers[name]} in an output in another order, which makes {value},"
            )
