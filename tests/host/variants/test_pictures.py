"""Pictures as inputs of a golden: every pixel where the model wants it, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import run_bench
from onnx import TensorProto, helper
from PIL import Image
from rkbench.errors import GoldenError, UsageError
from rkbench.variants.golden import read_metadata
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_inputs import input_files
from rkbench.variants.golden_onnx import describe, make_golden
from rkbench.variants.pictures import PictureReader, Preparation, preparation

PLAIN = Preparation((0.0,), (1.0,))
NCHW = Wanted("inputs", "x", (1, 3, 2, 4), "float32")
#: 4 wide and 2 high: red rises to the right, green downwards, blue is 7.
PIXELS = np.array([[[10 * x, 100 * y, 7] for x in range(4)] for y in range(2)], np.uint8)


def read(path: Path, how: Preparation = PLAIN, wanted: Wanted = NCHW) -> np.ndarray:
    return PictureReader([wanted], how).case(path)["x"]


def picture(path: Path, pixels: np.ndarray = PIXELS) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An ONNX that hands an image of 4x2 through."""
    node = helper.make_node("Identity", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 2, 4]) for name in "xy"]
    made = helper.make_model(
        helper.make_graph([node], "same", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 14)]
    )
    made.ir_version = 8
    onnx.save(made, str(tmp_path / "same.onnx"))
    return tmp_path / "same.onnx"


def test_channels_rows_and_columns_stand_where_the_model_wants_them(tmp_path: Path) -> None:
    case = read(picture(tmp_path / "a.png"))
    assert (case.shape, case.dtype) == ((1, 3, 2, 4), np.float32)
    assert case[0, 0].tolist() == [[0, 10, 20, 30], [0, 10, 20, 30]]
    assert case[0, 1].tolist() == [[0] * 4, [100] * 4]
    last = read(tmp_path / "a.png", wanted=replace(NCHW, shape=(1, 2, 4, 3)))
    assert last[0].tolist() == PIXELS.tolist()


def test_mean_and_std_are_those_of_the_order_that_the_model_is_fed(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    assert read(path, preparation("0,0,5", "1,1,2", "exact", False, 114))[0, :, 1, 3].tolist() == [30, 100, 1]
    assert read(path, preparation("5,0,0", "2,1,1", "exact", True, 114))[0, :, 1, 3].tolist() == [1, 100, 30]


def test_bytes_are_fed_as_they_are(tmp_path: Path) -> None:
    case = read(picture(tmp_path / "a.png"), Preparation(), replace(NCHW, dtype="uint8"))
    assert (case.dtype, case[0, 0, 0].tolist()) == (np.uint8, [0, 10, 20, 30])


def test_one_channel_is_gray(tmp_path: Path) -> None:
    case = read(
        picture(tmp_path / "a.png", np.full((2, 4, 3), 9, np.uint8)), wanted=replace(NCHW, shape=(1, 1, 2, 4))
    )
    assert case.tolist() == [[[[9] * 4] * 2]]


def test_letterbox_keeps_the_shape_and_fills_the_rest(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", np.full((8, 8, 3), 200, np.uint8))
    case = read(path, replace(PLAIN, fit="letterbox"))
    assert case[0, 0].tolist() == [[114, 200, 200, 114]] * 2


def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path: Path) -> None:
    wide = np.repeat(np.array([[0, 0, 100, 100, 100, 100, 0, 0]], np.uint8), 2, axis=0)
    path = picture(tmp_path / "a.png", np.stack([wide] * 3, axis=-1))
    assert read(path, replace(PLAIN, fit="crop"))[0, 0, 0].tolist() == [100] * 4
    stretched = read(path, replace(PLAIN, fit="stretch"))[0, 0, 0].tolist()
    assert stretched[0] < 50 < stretched[1] == stretched[2] <= 100


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    assert read(tmp_path / "a.png")[0, 0, 0].tolist() == [30, 20, 10, 0]


@pytest.mark.parametrize("data", [b"", b"junk", None], ids=["empty", "junk", "cut off"])
def test_a_broken_picture_is_named(tmp_path: Path, data: bytes | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = picture(tmp_path / "a.png", noise)
    path.write_bytes(path.read_bytes()[:2000] if data is None else data)
    with pytest.raises(GoldenError, match=r"a\.png: no readable picture: "):
        read(path)


def test_sixteen_bits_are_refused_instead_of_clipped(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="its pixels are I;16, not of 8 bits"):
        read(picture(tmp_path / "a.png", np.full((2, 4), 40000, np.uint16)))


def test_another_size_is_refused_until_somebody_says_how(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match=r"a\.png: 6x5, the model wants 4x2") as caught:
        read(picture(tmp_path / "a.png", np.zeros((5, 6, 3), np.uint8)))
    assert caught.value.hint.startswith("--fit letterbox (detectors), crop (classifiers) or stretch")


@pytest.mark.parametrize(
    ("wanted", "how", "text"),
    [
        ([NCHW], Preparation(), "how it wants pixels of 0 to 255 is not in the ONNX"),
        ([replace(NCHW, dtype="int32")], PLAIN, "--mean and --std make fractions"),
        ([replace(NCHW, shape=(1, 8, 2, 4))], PLAIN, "takes no picture"),
        ([replace(NCHW, shape=(1, 100))], PLAIN, "takes no picture"),
        ([NCHW, replace(NCHW, name="z")], PLAIN, r"has 2 \(x, z\)"),
    ],
)
def test_what_pictures_cannot_be_for_is_refused(wanted: list[Wanted], how: Preparation, text: str) -> None:
    with pytest.raises(GoldenError, match=text):
        PictureReader(wanted, how)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("0", None, "exact"), "--mean and --std belong together"),
        (("0", "0", "exact"), "nothing can be divided"),
        (("a", "1", "exact"), "no numbers"),
        (("nan", "1", "exact"), "not finite"),
        (("0", "1", "leterbox"), "no fit 'leterbox'"),
    ],
)
def test_words_that_make_no_sense_are_usage_errors(given: tuple[str, str | None, str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        preparation(*given, False, 114)


def test_a_folder_is_read_in_the_order_of_names_and_of_one_kind(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.png", "._a.png", "note.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in input_files(tmp_path)] == ["a.png", "b.PNG"]
    (tmp_path / "c.npy").touch()
    with pytest.raises(GoldenError, match=r"pictures and arrays, a\.png and c\.npy"):
        input_files(tmp_path)


def test_an_empty_folder_names_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match=r"no picture \(\.bmp, \.jpeg, \.jpg, \.png, \.webp\), \.npy or"):
        input_files(tmp_path)


def test_a_golden_of_pictures_says_which_and_how(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "street"
    folder.mkdir()
    picture(folder / "b.png")
    picture(folder / "a.png", np.zeros((8, 8, 3), np.uint8))
    how = preparation("0", "255", "letterbox", False, 114)
    out = make_golden(model, folder, tmp_path / "out.npz", how=how)
    told = read_metadata(out)["pictures"]
    assert told == {
        "files": [["a.png", 8, 8], ["b.png", 4, 2]],
        "size": [4, 2],
        "fit": "letterbox",
        "fill": 114,
        "order": "RGB",
        "mean": [0.0],
        "std": [255.0],
        "resized_by": "Pillow, bilinear with antialiasing",
    }
    shown = "street (2 pictures, a.png to b.png: 4x2, letterbox filled with 114, RGB, (x - 0) / 255)"
    assert shown in describe(out)
    with np.load(out) as archive:
        assert archive["outputs/y"][1, 0, 2, 0, 0] == np.float32(7 / 255)


def test_the_command_takes_a_folder_of_pictures(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in/a.png")
    given = ("golden", str(model), "--inputs", str(tmp_path / "in"))
    refused = run_bench(*given)
    assert (refused.returncode, "--mean 0 --std 255" in refused.stderr) == (2, True)
    done = run_bench(*given, "--mean", "0", "--std", "1", "--bgr")
    assert (done.returncode, "a.png: 4x2, BGR, (x - 0) / 1)" in done.stdout) == (0, True)
    lost = run_bench("golden", str(model), "--bgr", "-o", str(tmp_path / "o.npz"))
    assert (lost.returncode, "are for pictures" in lost.stderr) == (2, True)


def test_without_pillow_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(GoldenError, match="Pillow is not installed") as caught:
        read(tmp_path / "a.png")
    assert caught.value.hint == "pip install 'rkbench[images]'"
