"""Which register commands fill the NPU's activation table, which has 513 + 513 entries.

They are tasks of their own: one on rk3588 and rk3576, one for each half on rk3568. A command is 8 bytes:
register (16 bits), value (32 bits), block (16 bits). Entries are written one by one to the table's data
register.
"""

from __future__ import annotations

import sys
from array import array

HALF_ENTRIES = 513
TABLE_DATA = 0x4104
COMMAND_BYTES = 8
MOST_BYTES = 1 << 20
"""Of one task; both halves of the table and all registers once are 16 kB. Longer ones are not read."""


def fills_table(commands: memoryview) -> bool:
    """Return whether the commands of one task write at least half of an activation table."""
    if not HALF_ENTRIES * COMMAND_BYTES <= len(commands) <= MOST_BYTES:
        return False
    raw = commands[: len(commands) // COMMAND_BYTES * COMMAND_BYTES].tobytes()
    registers = bytearray(len(raw) // COMMAND_BYTES * 2)
    registers[0::2], registers[1::2] = raw[0::COMMAND_BYTES], raw[1::COMMAND_BYTES]
    numbers = array("H", bytes(registers))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.count(TABLE_DATA) >= HALF_ENTRIES
