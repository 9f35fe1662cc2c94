"""What cannot be converted is said before anything runs, with the next step; what is finished is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import Done, run_bench
from made_toolkit import make_environment
from onnx_networks import Network
from rkbench.conversion.build import Built, ConversionRequest, deliver, file_word
from rkbench.conversion.draft import Draft
from rkbench.conversion.graphs import written_by
from rkbench.conversion.plan import FailedConversion, convert_all
from rkbench.files import cache_folder
from rkbench.toolkit.environment import ToolkitEnvironment, folder_of


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> ToolkitEnvironment:
    return make_environment(tmp_path_factory.mktemp("toolkit") / "2.5.0")


@pytest.fixture
def cache(tmp_path: Path, environment: ToolkitEnvironment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own, with the toolkit; nothing that was being made is left in it afterwards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder_of("2.5.0").parent.mkdir(parents=True)
    folder_of("2.5.0").symlink_to(environment.folder or "")
    yield cache_folder("conversions")
    assert list(cache_folder("conversions").glob(".*")) == []


def convert(onnx: Path, *arguments: object) -> Done:
    return run_bench("convert", onnx, "--target", "rk3588", "-o", onnx.parent / "out", *arguments)


def refused(done: Done, *words: str) -> None:
    said = " ".join(done.stderr.split())
    assert done.returncode in (1, 2), said
    assert "converting" not in said
    for each in words:
        assert each in said


def small(path: Path, *shape: int | str) -> Path:
    return Network(*(shape or (1, 3, 8, 8))).conv(3, 8).add("Relu").add("GlobalAveragePool").save(path)


def test_open_sizes_are_asked_for_and_an_open_batch_is_one(cache: Path, tmp_path: Path) -> None:
    path = small(tmp_path / "open.onnx", "batch", 3, "height", "width")
    refused(
        convert(path), "open.onnx: input x has no fixed shape: it is ?x3x?x?", "--input-shape x=1x3x224x224"
    )
    done = convert(path, "--input-shape", "x=1x3x8x8")
    assert done.returncode == 0, done.stderr
    assert "inputs ['x'] [[1, 3, 8, 8]]" in (tmp_path / "out/open.rk3588.fp16.log").read_text()
    done = convert(small(tmp_path / "batch.onnx", "batch", 3, 8, 8))
    assert done.returncode == 0, done.stderr


def test_what_is_no_onnx_is_said_once(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no onnx")
    done = convert(tmp_path / "text.onnx", "--recipe", "fp16", "--recipe", "fix,fp16")
    refused(done, "text.onnx is no readable ONNX", "export it again")
    assert done.stderr.count("text.onnx") == 1


def test_a_network_beyond_what_one_file_holds_is_told_where_its_weights_go(
    cache: Path, tmp_path: Path
) -> None:
    path = beyond_one_file(tmp_path / "large.onnx")
    refused(convert(path), "2147483649 bytes", "save_as_external_data=True")


def test_weights_that_lie_elsewhere_and_are_not_there_are_named(cache: Path, tmp_path: Path) -> None:
    path = without_weights(tmp_path / "net.onnx")
    refused(convert(path), "net.onnx: its weights lie in w.bin, missing or too short here", "put them beside")


def other_op(path: Path) -> Path:
    model = onnx.load_model(small(path))
    model.graph.node[1].op_type, model.graph.node[1].domain = "MyOwn", "my.domain"
    model.opset_import.append(onnx.helper.make_opsetid("my.domain", 1))
    onnx.save_model(model, path)
    return path


def without_weights(path: Path) -> Path:
    stored = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save_model(onnx.load_model(small(path)), path, **stored)
    (path.parent / "w.bin").unlink()
    return path


def of_open_sizes(path: Path) -> Path:
    return small(path, 1, 3, "height", "width")


def beyond_one_file(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(2**31 + 1)
    return path


@pytest.mark.parametrize("command", ["push", "sweep", "bisect"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (without_weights, ("its weights lie in w.bin, missing or too short here", "put them beside")),
        (of_open_sizes, ("input x has no fixed shape: it is 1x3x?x?", "--input-shape x=1x3x224x224")),
        (other_op, ("my.domain:MyOwn", "--golden FILE.npz")),
        (beyond_one_file, ("2147483649 bytes", "save_as_external_data=True")),
    ],
)
def test_every_command_that_converts_says_what_is_wrong_with_the_file(
    cache: Path, tmp_path: Path, command: str, make: Callable[[Path], Path], words: tuple[str, ...]
) -> None:
    path = make(tmp_path / "net.onnx")
    refused(run_bench(command, path, "--board", "virtual:rk3588", "--store", tmp_path / "s.sqlite"), *words)


def test_what_holds_its_integers_is_not_quantized_again(cache: Path, tmp_path: Path) -> None:
    net = Network(1, 3, 8, 8)
    steps = [net.constant("step", np.float32(0.05)), net.constant("zero", np.int8(0))]
    net.add("QuantizeLinear", *steps).add("DequantizeLinear", *steps).conv(3, 8)
    path = net.save(tmp_path / "net.onnx")
    recipes = ("--recipe", "fp16", "--recipe", "int8", "--recipe", "hybrid(auto)")
    done = convert(path, *recipes, "--random-calibration")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert "left out: int8: the ONNX holds its integers already (QDQ)" in said
    assert "left out: hybrid(auto): the ONNX holds" in said
    assert "int8" not in done.stderr
    assert [each.name for each in (tmp_path / "out").glob("*.rknn")] == ["net.rk3588.fp16.rknn"]


def test_two_recipes_of_one_name_are_refused(cache: Path, tmp_path: Path) -> None:
    both = ("--recipe", "hybrid(a;b)", "--recipe", "hybrid(a,b)", "--random-calibration")
    refused(
        convert(small(tmp_path / "net.onnx"), *both), "would both be net.rk3588.hybrid+a+b.rknn", "-o DIR"
    )


def test_a_recipe_of_many_layers_has_a_name_that_fits() -> None:
    layers = ";".join(f"a_layer_with_a_long_name_{number}" for number in range(40))
    assert len(file_word(f"hybrid({layers})")) == 100
    assert file_word(f"hybrid({layers})") != file_word(f"hybrid({layers};b)")


def test_layers_are_named_by_node_or_tensor_and_others_are_told_what_was_meant(
    cache: Path, tmp_path: Path
) -> None:
    path = small(tmp_path / "net.onnx")
    assert written_by(path, {"Conv_0": "float16"}) == {"Conv_0_out": "float16"}
    assert written_by(path, {"Relu_1_out": "float16"}) == {"Relu_1_out": "float16"}
    done = convert(path, "--recipe", "hybrid(Conv_9)", "--random-calibration")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "no layer is called 'Conv_9'" in said
    assert "did you mean Conv_0" in said


def test_calibration_that_does_not_fit_is_told_with_both_sides(cache: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros((2, 3, 9, 9), "float32"))
    path = small(tmp_path / "net.onnx")
    done = convert(path, "--recipe", "fp16", "--recipe", "int8", "--calibration", tmp_path / "other.npz")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "failed: int8:" in said
    assert "3x9x9" in said.replace(", ", "x") or "9" in said
    assert (tmp_path / "out/net.rk3588.fp16.rknn").exists()


def test_a_full_cache_is_said_before_anything_is_begun(
    environment: ToolkitEnvironment, tmp_path: Path, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmpfs))
    path = small(tmp_path / "net.onnx")
    refused(convert(path, "--toolkit-python", environment.python), "MB free", "set XDG_CACHE_HOME")


def test_a_disk_that_fills_up_meanwhile_costs_what_did_not_fit_and_leaves_nothing(
    environment: ToolkitEnvironment, tmp_path: Path, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmpfs))
    request = ConversionRequest(small(tmp_path / "net.onnx"), Draft("rk3588"), environment)
    free = shutil.disk_usage(tmpfs).free
    (tmpfs / "ballast").write_bytes(bytes(free - 200_000))
    (failed,) = convert_all([request], lambda *_: None)
    assert isinstance(failed, FailedConversion)
    assert "The disk is full" in failed.error.message
    assert "make room" in (failed.error.hint or "")
    assert {path.suffix for path in cache_folder("conversions").iterdir()} <= {".lock", ".log"}


def test_a_folder_that_fills_up_keeps_nothing_of_a_file_that_did_not_fit(
    cache: Path, environment: ToolkitEnvironment, tmp_path: Path, tmpfs: Path
) -> None:
    request = ConversionRequest(small(tmp_path / "net.onnx"), Draft("rk3588"), environment)
    (built,) = convert_all([request], lambda *_: None)
    assert isinstance(built, Built)
    (tmpfs / "ballast").write_bytes(bytes(shutil.disk_usage(tmpfs).free - 100_000))
    with pytest.raises(OSError, match="No space left"):
        deliver(built, tmpfs, "net")
    names = {path.name for path in tmpfs.iterdir()}
    assert "net.rk3588.fp16.rknn" not in names
    assert [name for name in names if name.startswith(".")] == []
    (tmpfs / "ballast").unlink()
    assert deliver(built, tmpfs, "net").read_bytes() == built.rknn.read_bytes()
