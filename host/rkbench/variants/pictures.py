"""Pictures as the inputs of a golden: how they become the numbers that a model is fed (extra `images`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rkbench.errors import GoldenError, UnfitGoldenError, UsageError, choice_hint
from rkbench.files import open_regular
from rkbench.variants.golden_fit import Wanted

if TYPE_CHECKING:
    from rkbench.variants.npz import Array

SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
EXACT: Final = "exact"
#: How a picture of another size comes to the model's: not at all; each axis by itself; whole, with borders;
#: the largest middle part of it.
FITS: Final = (EXACT, "stretch", "letterbox", "crop")
RGB, BGR, GRAY = "RGB", "BGR", "gray"
#: The gray of YOLO's borders.
FILL: Final = 114
_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_EXAMPLES = (
    "--mean 0 --std 255 (0 to 1, as YOLO), --mean 0 --std 1 (0 to 255), or"
    " --mean 123.675,116.28,103.53 --std 58.395,57.12,57.375 (ImageNet's)"
)
#: Width and height, in pixels.
Size = tuple[int, int]


@dataclass(frozen=True)
class Preparation:
    """What is done to pictures: resized by `fit`, then (x - mean) / std of each channel, x from 0 to 255.

    `mean` and `std` have a value, or one for each channel in the order that the model is fed; None where
    nobody told them. `fill` is what letterbox puts around a picture.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fit: str = EXACT
    bgr: bool = False
    fill: int = FILL


def preparation(mean: str | None, std: str | None, fit: str, bgr: bool, fill: int) -> Preparation:
    """Return what the words of a command line ask for; raises UsageError."""
    if fit not in FITS:
        raise UsageError(f"no fit {fit!r}", hint=choice_hint(fit, FITS))
    made = Preparation(_numbers("--mean", mean), _numbers("--std", std), fit, bgr, fill)
    if (made.mean is None) != (made.std is None):
        raise UsageError("--mean and --std belong together", hint=_EXAMPLES)
    if made.std and not all(value > 0 for value in made.std):
        raise UsageError(f"--std {std}: nothing can be divided by that", hint=_EXAMPLES)
    return made


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        values = tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: no numbers", hint=_EXAMPLES) from error
    if not all(np.isfinite(values)):
        raise UsageError(f"{option} {text!r}: not finite", hint=_EXAMPLES)
    return values


@dataclass(frozen=True)
class _Target:
    """The one input that pictures are for."""

    name: str
    size: Size
    channels: int
    channels_last: bool
    dtype: str


class PictureReader:
    """Turns pictures into cases for the one input of a model; raises GoldenError where that cannot be.

    `seen` holds the name, width and height of each that was read.
    """

    def __init__(self, wanted: Sequence[Wanted], how: Preparation) -> None:
        self._how, self._target = how, _target(wanted)
        self._scale = _scale(self._target, how)
        self.seen: list[tuple[str, int, int]] = []

    def case(self, path: Path) -> dict[str, Array]:
        """Return the picture at `path` as the model's input."""
        target, pixels = self._target, self._pixels(path)
        if self._scale is not None:
            pixels = (pixels.astype(np.float64) - self._scale[0]) / self._scale[1]
        ordered = pixels if target.channels_last else pixels.transpose(2, 0, 1)
        return {target.name: np.ascontiguousarray(ordered[np.newaxis], np.dtype(target.dtype))}

    def told(self) -> dict[str, Any]:
        """Return what a golden says of its pictures."""
        how, target = self._how, self._target
        order = GRAY if target.channels == 1 else BGR if how.bgr else RGB
        return {
            "files": self.seen,
            "size": target.size,
            "fit": how.fit,
            "fill": how.fill if how.fit == "letterbox" else None,
            "order": order,
            "mean": how.mean,
            "std": how.std,
            "resized_by": None if how.fit == EXACT else "Pillow, bilinear with antialiasing",
        }

    def _pixels(self, path: Path) -> Array:
        """Return (height, width, channels) of bytes."""
        picture = _opened(path)
        if picture.mode not in _EIGHT_BIT:
            raise _unreadable(path, f"its pixels are {picture.mode}, not of 8 bits a channel")
        self.seen.append((path.name, *picture.size))
        mode = "L" if self._target.channels == 1 else "RGB"
        fitted = _fitted(picture.convert(mode), self._target.size, self._how, path)
        pixels = np.asarray(fitted, np.uint8)
        pixels = pixels.reshape(*pixels.shape[:2], self._target.channels)
        return pixels[..., ::-1] if self._how.bgr else pixels


def picture_text(told: object) -> str:
    """Return in words how a golden's pictures were made numbers; "" for what `told` did not say."""
    try:
        width, height = told["size"]  # type: ignore[index]  # whatever the file holds there
        known: dict[str, Any] = dict(told)  # type: ignore[call-overload]
        fill = f" filled with {known['fill']}" if known["fit"] == "letterbox" else ""
        fit = "" if known["fit"] == EXACT else f", {known['fit']}{fill}"
        names = [str(name) for name, *_ in known["files"]]
        mean, std = known["mean"], known["std"]
        scale = "0 to 255" if mean is None else f"(x - {_listed(mean)}) / {_listed(std)}"
        span = names[0] if len(names) == 1 else f"{len(names)} pictures, {names[0]} to {names[-1]}"
        return f"{span}: {width}x{height}{fit}, {known['order']}, {scale}"
    except (TypeError, KeyError, ValueError, IndexError):
        return ""


def _listed(values: Sequence[float]) -> str:
    text = ", ".join(f"{value:g}" for value in values)
    return text if len(values) == 1 else f"[{text}]"


def _target(wanted: Sequence[Wanted]) -> _Target:
    if len(wanted) != 1:
        names = ", ".join(tensor.name for tensor in wanted)
        raise UnfitGoldenError(
            f"pictures are for a model with one input, this one has {len(wanted)} ({names})",
            hint="save an .npz with these names",
        )
    tensor = wanted[0]
    shape = tensor.shape
    if len(shape) == 4 and shape[0] == 1:
        if shape[1] in (1, 3):
            return _Target(tensor.name, (shape[3], shape[2]), shape[1], False, tensor.dtype)
        if shape[3] in (1, 3):
            return _Target(tensor.name, (shape[2], shape[1]), shape[3], True, tensor.dtype)
    raise UnfitGoldenError(
        f"input {tensor.name!r} {list(shape)} takes no picture: that is one of 1 or 3 channels",
        hint="save an .npz of its values",
    )


def _scale(target: _Target, how: Preparation) -> tuple[Array, Array] | None:
    if how.mean is None or how.std is None:
        if target.dtype == "uint8":
            return None
        raise UnfitGoldenError(
            f"input {target.name!r} is {target.dtype}: how it wants pixels of 0 to 255 is not in the ONNX",
            hint=f"bench golden MODEL.onnx --inputs DIR with {_EXAMPLES}",
        )
    if not target.dtype.startswith("float"):
        raise UnfitGoldenError(
            f"input {target.name!r} is {target.dtype}: --mean and --std make fractions",
            hint="leave them out for bytes; save an .npz for other whole numbers",
        )
    for option, values in (("--mean", how.mean), ("--std", how.std)):
        if len(values) not in (1, target.channels):
            raise UsageError(f"{option} has {len(values)} values, the model {target.channels} channels")
    return np.array(how.mean), np.array(how.std)


def _fitted(picture: Any, size: Size, how: Preparation, path: Path) -> Any:
    if picture.size == size:
        return picture
    if how.fit == EXACT:
        wide, high = picture.size
        raise UnfitGoldenError(
            f"{path}: {wide}x{high}, the model wants {size[0]}x{size[1]}",
            hint="--fit letterbox (detectors), crop (classifiers) or stretch, as the model was trained",
        )
    if how.fit == "letterbox":
        return _letterboxed(picture, size, how.fill)
    return (_cropped if how.fit == "crop" else _stretched)(picture, size)


def _stretched(picture: Any, size: Size) -> Any:
    from PIL import Image

    return picture.resize(size, Image.Resampling.BILINEAR)


def _letterboxed(picture: Any, size: Size, fill: int) -> Any:
    from PIL import Image

    inner = letterbox_size(picture.size, size)
    box = Image.new(picture.mode, size, fill if picture.mode == "L" else (fill, fill, fill))
    box.paste(_stretched(picture, inner), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return box


def letterbox_size(picture: Size, size: Size) -> Size:
    """Return how large a picture is within its borders."""
    ratio = min(size[0] / picture[0], size[1] / picture[1])
    return max(1, round(picture[0] * ratio)), max(1, round(picture[1] * ratio))


def _cropped(picture: Any, size: Size) -> Any:
    from PIL import Image

    (wide, high), ratio = picture.size, max(size[0] / picture.size[0], size[1] / picture.size[1])
    half_wide, half_high = size[0] / ratio / 2, size[1] / ratio / 2
    middle = (wide / 2 - half_wide, high / 2 - half_high, wide / 2 + half_wide, high / 2 + half_high)
    return picture.resize(size, Image.Resampling.BILINEAR, box=middle)


def _opened(path: Path) -> Any:
    """Return a picture, whole and turned as its EXIF says; raises GoldenError."""
    image, ops = _pillow()
    try:
        with open_regular(path) as stream, image.open(stream) as picture:
            return ops.exif_transpose(picture)
    except image.UnidentifiedImageError as error:
        raise _unreadable(path, "no format that Pillow knows") from error
    except (image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise _unreadable(path, str(error).partition("\n")[0] or type(error).__name__) from error


def _unreadable(path: Path, reason: str) -> GoldenError:
    return GoldenError(f"{path}: no readable picture: {reason}", hint="mend it, or take it out of the folder")


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise GoldenError(
            "Pillow is not installed, which reads pictures", hint="pip install 'rkbench[images]'"
        ) from error
    return Image, ImageOps
