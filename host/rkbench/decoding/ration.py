"""How much an agent may say: the host keeps what it hears, so a board must not be able to fill its memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.messages import Beat, BoardCaveat, Finished, Latencies, Log, Message, Progress
from rkbench_agent.wire.outputs import OutputValues
from rkbench_agent.wire.plan import RunSpec

from rkbench.errors import ProtocolError

#: No message of an agent is longer; most are less than a kilobyte, the table of a profile is a few hundred.
LINE_LIMIT_BYTES = 4 << 20
#: A column of latencies takes 8 bytes an iteration, however it was written.
_COLUMN_BYTES = 8
#: Of an output that was asked for: base64 of what does not shrink, and the words around it.
_TEXT_OF_BYTE = 1.4
_WORDS_BYTES = 500


@dataclass(frozen=True)
class Ration:
    """So much at once, and so much more with every second."""

    what: str
    at_once_bytes: float
    bytes_per_s: float


#: A hundred times what an honest agent was seen to send, and together less than 100 MB of memory.
LATENCIES = Ration("latencies", 16e6, 4e6)
LOGS = Ration("log lines", 8e6, 50e3)
#: What is passed on at once and kept nowhere.
PASSING = Ration("progress", 8e6, 1e6)
#: What is shown whole, with every run. There are some thirty codes, of a few hundred bytes each.
CAVEATS = Ration("caveats", 300e3, 5e3)
#: Readings, memory, outputs: as objects some ten times as large as the text.
KEPT = Ration("readings and results", 4e6, 20e3)
#: The outputs themselves: none, but those that a plan asks for.
OUTPUTS = Ration("outputs", 0.0, 0.0)


class Rations:
    """Counts what one agent says, by the memory that it takes or the text that it was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._used: dict[Ration, float] = {}
        self._asked_bytes = 0.0

    def ask(self, runs: Sequence[RunSpec]) -> None:
        """Let the outputs come that these runs are to return."""
        for spec in runs:
            case_bytes = 4 * sum(math.prod(tensor.shape) for tensor in spec.outputs)
            cases = spec.returned_bytes / max(1, case_bytes)
            self._asked_bytes += _TEXT_OF_BYTE * spec.returned_bytes + _WORDS_BYTES * cases * len(
                spec.outputs
            )

    def take(self, message: Message, size_bytes: int) -> None:
        """Count a message that came as `size_bytes`; raises ProtocolError where it is too much."""
        ration = _ration(message)
        used = self._used.get(ration, 0.0) + _cost_bytes(message, size_bytes)
        asked = self._asked_bytes if ration is OUTPUTS else 0.0
        if used > asked + ration.at_once_bytes + (self._clock() - self._start) * ration.bytes_per_s:
            whose = "was asked for" if ration is OUTPUTS else "any run yields"
            raise ProtocolError(f"more {ration.what} than {whose}")
        self._used[ration] = used


def _ration(message: Message) -> Ration:
    if isinstance(message, Latencies):
        return LATENCIES
    if isinstance(message, Log):
        return LOGS
    if isinstance(message, (BoardCaveat, Finished)):
        return CAVEATS
    if isinstance(message, OutputValues):
        return OUTPUTS
    return PASSING if isinstance(message, (Beat, Progress)) else KEPT


def _cost_bytes(message: Message, size_bytes: int) -> int:
    if not isinstance(message, Latencies):
        return size_bytes
    columns = (message.set_inputs_ns, message.run_ns, message.get_outputs_ns, message.device_ns)
    return _COLUMN_BYTES * (6 + sum(column is not None for column in columns)) * len(message.duration_ns)
