"""What an agent says of the outputs of a run: flat dataclasses, messages as those of `messages`."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import List, Optional, Sequence

#: An output with more parts than this is taken as one: what a run says must stay small.
MOST_PARTS = 512


@dataclass(frozen=True)
class OutputError:
    """How far one output of one golden case is from what was expected.

    Figures are None where one side alone holds a value that is not finite. `snr_db` is also None where
    `snr_infinite` is 1 (there is no error at all) or -1 (the golden is all zero and the output is not).
    `top1_agreement`/`top5_agreement` are None where the golden tells no classes; `top1_tied`: several values
    of the output tie for its maximum. `equal_nonfinite` of the values that are not finite stand in both at
    the same place; `golden_nonfinite` stand in the golden alone. `source` is where the outputs come from,
    told with the first case.
    """

    run: str
    case: int
    output: int
    name: str
    shape: List[int]
    dtype: str
    cosine: Optional[float] = None
    max_abs_error: Optional[float] = None
    mean_abs_error: Optional[float] = None
    mse: Optional[float] = None
    snr_db: Optional[float] = None
    top1_agreement: Optional[bool] = None
    top5_agreement: Optional[bool] = None
    nan_count: int = 0
    inf_count: int = 0
    snr_infinite: int = 0
    top1_tied: Optional[bool] = None
    equal_nonfinite: int = 0
    golden_nonfinite: int = 0
    source: Optional[str] = None


@dataclass(frozen=True)
class OutputCheck:
    """What all cases together say of one output: same input twice gave the same bits; all values equal."""

    run: str
    output: int
    name: str
    deterministic: Optional[bool] = None
    constant: Optional[bool] = None


@dataclass(frozen=True)
class OutputValues:
    """A piece of one output of one case, where the plan asks for outputs: values `start` to `start + count`.

    `data` is the base64 of a zlib stream of little-endian float32. The pieces of an output come in order.
    """

    run: str
    case: int
    output: int
    start: int
    count: int
    data: str


@dataclass(frozen=True)
class OutputParts:
    """What the parts of one output, the indices of `axis`, do over all cases; all lists are as long.

    `axis` is None where the output is one part. `distinct` is how many values a part takes, None for more
    than 256. What is expected, and the error, is None where the golden does not hold the output; `snr_db`
    also where it is infinite.
    """

    run: str
    output: int
    axis: Optional[int]
    low: List[Optional[float]]
    high: List[Optional[float]]
    distinct: List[Optional[int]]
    expected_low: List[Optional[float]]
    expected_high: List[Optional[float]]
    max_abs_error: List[Optional[float]]
    mean_abs_error: List[Optional[float]]
    snr_db: List[Optional[float]]


@dataclass(frozen=True)
class OutputSuspect:
    """What one output of case 0 becomes where a usual mistake is undone: `cause` (of CAUSES), `detail`: how.

    `snr_db` is 200 where nothing differs any more.
    """

    run: str
    output: int
    cause: str
    detail: str
    cosine: float
    snr_db: float


def part_axis(shape: Sequence[int]) -> Optional[int]:
    """Return the axis whose indices are the parts of an output; None where it has none.

    Four dimensions: the channels (axis 1, NCHW). Three: the shorter of the last two, as in (1, 84, 8400) and
    (1, 25200, 85). More: the last. A vector, and what has more than MOST_PARTS parts, has none.
    """
    if len(shape) < 3:
        return None
    axis = len(shape) - 1
    if len(shape) == 4 or (len(shape) == 3 and shape[1] < shape[2]):
        axis = 1
    has_parts = 1 < shape[axis] <= MOST_PARTS and prod(shape) > shape[axis]
    return axis if has_parts else None
