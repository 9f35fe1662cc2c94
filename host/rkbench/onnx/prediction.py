"""What the prediction returns, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from rkbench.language.said import Said, say
from rkbench.onnx.foreseen import ForeseenRefusal
from rkbench.rknn.targets import Dtype

FOLDED = say("folded constants")
SHUFFLE = say("channel shuffle, made a dense 1x1")
POOLING = say("pooling, made depthwise convolutions")
DILATED = say("dilated, commands blow up")
FAR_TAPS = say("taps far apart, fetched column by column")
BY_ROWS = say("each row of a map taken for a map of its own")
BY_POSITIONS = say("each position of a map taken for a map of its own, where windows become one")
FILLED = say("channels filled up to whole blocks")
LONG_KERNEL = say("a long kernel, cut into short ones")
LAID_FLAT = say("3-D, made dense over all depths")
RECURRENT = say("recurrent, with tasks for every time step")
UNPROJECTED = say("recurrent, with zeros for a projection that it has not and tasks for every time step")
RESIZE = say("resize")
UNMEASURED = say("grouped, kept or not")
OTHER = say("other constants")
JOINED = say("parts that are no whole blocks, cut or joined by a dense 1x1")
MOVED = say("moved position by position")
TILED = say("a bias of attention, stored for every window or head")
ROLLED = say("rolled back, as a dense kernel over all positions")
PATCHED = say("patches merged to channels, made a dense convolution")
ORDERED = say("turned before it becomes a vector, made dense")
MASKED = say("masks of truth values, stored as maps")
PLACED = say("constant maps beside others, stored with padded channels")
CUT_AGAIN = say("shared weights, cut along their inputs and stored for each layer")
HEADS_AGAIN = say("shared weights, cut into heads and stored for each layer")
REORDERED = say("rows and channels that change places by tables")
PICKED = say("picked by stored places, as products with matrices")
MERGED = say("summed into the convolution beside it")
NORMED = say("normalization, with tables for its map or its channels")
TURNED = say("DepthToSpace, made a dense transposed convolution")
SPREAD = say("softmax, with tables")
MULTIPLIED = say("products of two maps, with tasks for some rows of each and to turn them")


@dataclass(frozen=True)
class PredictedNode:
    """What one ONNX node will own in the .rknn."""

    name: str
    type: str
    becomes: Said
    """What the compiler makes of it, such as `grouped, made dense` or `ordinary`."""
    weight_bytes: int
    """Constants in the file at the asked dtype: weights and bias with their padding."""
    needed_bytes: int
    """What its stored weights take at that dtype without padding, zeros and bias."""
    weight_bytes_fp16: int
    weight_bytes_int8: int
    command_bytes: int | None
    """Register commands, tasks and structure of the layer that bears this node's name; 0 where another
    node's layer computes it. None where no estimate can be made."""
    note: Said
    """Why, in one sentence; "" for what is ordinary."""
    smaller_dtype: Dtype | None
    """The dtype whose constants are smaller; None if they are equal."""
    reads: tuple[str, ...] = ()
    """Of a convolution the maps that it reads, itself or as parts of a Concat: the compiler names after them
    the layers into which it cuts it."""

    @property
    def excess_bytes(self) -> int:
        """Constants beyond what its weights need."""
        return max(self.weight_bytes - self.needed_bytes, 0)


@dataclass(frozen=True)
class PredictedSizes:
    """What an ONNX will become on one target at one dtype, each size once. In bytes.

    Documents of older versions have no bounds and no refusals.
    """

    target: str
    dtype: Dtype
    toolkit_version: str | None
    """None means the newest."""
    onnx_bytes: int
    """Of the ONNX, external data included."""
    elements: dict[str, int]
    """Elements of the stored weights by ONNX dtype."""
    nodes: tuple[PredictedNode, ...]
    weight_bytes: int
    """All constants in the .rknn: exact to a few percent."""
    needed_weight_bytes: int
    """What the stored weights take at this dtype without padding and zeros."""
    command_bytes: int
    """Register commands, tasks, structure and headers: an estimate."""
    weight_bytes_fp16: int
    weight_bytes_int8: int
    command_bytes_fp16: int
    command_bytes_int8: int
    file_bytes_low: int | None = field(default=None, kw_only=True)
    """The file is hardly smaller than this ..."""
    file_bytes_high: int | None = field(default=None, kw_only=True)
    """... and hardly larger than this; None where some of it cannot be predicted (`at least`)."""
    notes: tuple[Said, ...]
    table_layers: int = field(default=0, kw_only=True)
    """Layers that fill the table of an activation before they run ..."""
    table_command_bytes: int = field(default=0, kw_only=True)
    """... and the register commands that this takes, of `command_bytes`; 0 in older documents."""
    unfamiliar: tuple[str, ...] = field(default=(), kw_only=True)
    """Forms of operators that no network had which the rules were read from, where they are many; else ()."""
    refusals: tuple[ForeseenRefusal, ...] = field(default=(), kw_only=True)
    """What the converter will refuse; the sizes are those of a converter that would not."""


class Prediction(PredictedSizes):
    """The sizes with all that follows from them. Predicted: nothing was converted."""

    @property
    def file_bytes(self) -> int:
        """The whole file: `weight_bytes` plus `command_bytes`."""
        return self.weight_bytes + self.command_bytes

    @property
    def ratio(self) -> float | None:
        """Constants of the file against what the stored weights need; None for a network without weights."""
        return self.weight_bytes / self.needed_weight_bytes if self.needed_weight_bytes else None

    @property
    def smaller_dtype(self) -> Dtype:
        """The dtype with the smaller predicted file."""
        fp16 = self.weight_bytes_fp16 + self.command_bytes_fp16
        int8 = self.weight_bytes_int8 + self.command_bytes_int8
        return "fp16" if fp16 < int8 else "int8"

    @property
    def bloated(self) -> tuple[PredictedNode, ...]:
        """The nodes with something to say, the largest excess first."""
        told = [node for node in self.nodes if node.note]
        return tuple(sorted(told, key=lambda node: -node.excess_bytes))
