"""A detector and a segmenter on the virtual board: from pictures and annotations to the metric of their task.

The files are written here, with outputs as a board would return them: those of the ONNX, and a flaw.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bench_command import Done, run_bench
from onnx import TensorProto, helper
from PIL import Image
from rkbench.variants.npz import Array
from rkbench.variants.variant import prepare_variants
from rkbench_agent.runtimes.replay import input_digest
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, write_model

SIZE = 32
#: A cat in the left half and a dog in the right one, as a YOLO head says it of a square of 32.
BOXES = ((8.0, 16.0, 12.0, 8.0, 0.9, 0.0), (24.0, 16.0, 8.0, 12.0, 0.0, 0.8))


def bench(folder: Path, *arguments: object) -> Done:
    variables = {"RKBENCH_STORE": str(folder / "s.sqlite"), "XDG_CACHE_HOME": str(folder / "cache")}
    return run_bench(*arguments, environment={**os.environ, **variables}, folder=folder)


def write_onnx(path: Path, nodes: list[onnx.NodeProto], shape: tuple[int, ...], **constants: Array) -> None:
    """Write a model of an image whose nodes make `head` of it, of the shape given."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, SIZE, SIZE))
    head = helper.make_tensor_value_info("head", TensorProto.FLOAT, shape)
    weights = [onnx.numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [image], [head], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def write_rknn(path: Path, shape: tuple[int, ...], golden: Path, flaw: Array | float) -> None:
    """Write a .rknn of that image and head, with a replay of the golden's outputs plus a flaw."""
    tensors = (
        TensorSpec("image", "input", "FLOAT32", (1, 3, SIZE, SIZE)),
        TensorSpec("head", "output", "FLOAT32", shape),
    )
    node = NodeSpec("all", inputs=(0,), outputs=(1,))
    path.write_bytes(write_model(FileSpec((GraphSpec(tensors, (node,), (0,), (1,)),))))
    (variant,) = prepare_variants([path], golden=golden, soc="rk3588", force=False)
    assert variant.golden is not None
    with np.load(variant.golden.path) as fed:
        digests = [input_digest([case]) for case in fed["inputs/image"]]
        np.savez(
            path.with_suffix(".replay.npz"), digests=digests, **{"outputs/head": fed["outputs/head"] + flaw}
        )


def pictures(folder: Path) -> None:
    """Make a square picture, and one twice as wide as high: a letterbox halves it."""
    (folder / "in").mkdir()
    for name, size in (("square.png", (SIZE, SIZE)), ("wide.png", (2 * SIZE, SIZE))):
        picture = Image.new("RGB", size)
        picture.paste((255, 255, 255), (size[0] // 2, 0, *size))
        picture.save(folder / "in" / name)


def pushed(folder: Path, labels: str, *asked: str) -> tuple[Done, dict[str, Any]]:
    scored = ("--golden", "golden.npz", "--labels", labels, "--json", "out.json", *asked)
    result = bench(
        folder, "push", "m.rknn", "--board", "virtual", "--duration", "0", "--iterations", "1", *scored
    )
    return result, json.loads((folder / "out.json").read_text())["runs"][0]


def annotations(folder: Path) -> None:
    """Write what is on both pictures: of the wide one the boxes are twice as large, and 16 rows higher."""
    shapes = {"square.png": (1, 0), "wide.png": (2, 8)}
    images, found = [], []
    for number, (name, (scale, above)) in enumerate(shapes.items(), 1):
        images.append({"id": number, "file_name": name, "width": SIZE * scale, "height": SIZE})
        for category, (x, y, wide, high, *_) in enumerate(BOXES, 1):
            box = [(x - wide / 2) * scale, (y - high / 2 - above) * scale, wide * scale, high * scale]
            told = {"id": len(found) + 1, "image_id": number, "category_id": category, "bbox": box}
            found.append({**told, "area": box[2] * box[3], "iscrowd": 0})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    document = {"info": {}, "images": images, "categories": categories, "annotations": found}
    (folder / "truth.json").write_text(json.dumps(document))


def test_a_detector_is_pushed_with_its_mean_average_precision(tmp_path: Path) -> None:
    pictures(tmp_path)
    annotations(tmp_path)
    head = np.zeros((1, 6, 8), np.float32)
    head[0, :, :2] = np.array(BOXES).T
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "boxes"], ["head"]),
    ]
    write_onnx(tmp_path / "m.onnx", nodes, head.shape, zero=np.array(0), boxes=head)
    made = ("--fit", "letterbox", "--mean", "0", "--std", "255", "--task", "detect", "-o", "golden.npz")
    assert bench(tmp_path, "golden", "m.onnx", "--inputs", "in", *made).returncode == 0
    lost = np.zeros((2, 1, 6, 8), np.float32)
    lost[1, 0, 5, 1] = -0.8  # the dog of the wide picture is not seen any more
    write_rknn(tmp_path / "m.rknn", head.shape, tmp_path / "golden.npz", lost)

    result, run = pushed(tmp_path, "truth.json", "--require", "map50 >= 90%")
    assert result.returncode == 3, result.stderr
    told = {item["name"]: (item["value"], item["source"], item["case_count"]) for item in run["task_metrics"]}
    cats, dogs = 1.0, 51 / 101  # of COCO's 101 recalls, dogs reach every second one
    assert told["map50"] == (pytest.approx((cats + dogs) / 2, abs=1e-6), "truth.json", 2)
    assert told["map"][0] == pytest.approx((cats + dogs) / 2, abs=1e-6)
    assert "mAP 50 ≈75.2 %" in " ".join(result.stdout.split())
    assert "✗  m: map50 >= 90%: ≈75.2 %" in result.stdout


def test_a_segmenter_is_pushed_with_its_intersection_over_union(tmp_path: Path) -> None:
    pictures(tmp_path)
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["light"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["one", "light"], ["dark"]),
        helper.make_node("Concat", ["dark", "light"], ["head"], axis=1),
    ]
    shape = (1, 2, SIZE, SIZE)
    write_onnx(tmp_path / "m.onnx", nodes, shape, one=np.array(1))
    made = ("--fit", "stretch", "--mean", "0", "--std", "255", "--task", "segment", "-o", "golden.npz")
    assert bench(tmp_path, "golden", "m.onnx", "--inputs", "in", *made).returncode == 0
    flaw = np.zeros((2, *shape), np.float32)
    flaw[0, 0, 0, :16, :16] = -2.0  # a quarter of the first picture turns light
    write_rknn(tmp_path / "m.rknn", shape, tmp_path / "golden.npz", flaw)
    masks = np.zeros((2, SIZE, SIZE), np.uint8)
    masks[:, :, 16:] = 1
    np.savez(tmp_path / "masks.npz", labels=masks)

    result, run = pushed(tmp_path, "masks.npz", "--require", "mean iou >= 70%")
    assert result.returncode == 0, result.stderr
    (metric,) = run["task_metrics"]
    dark, light = 768 / 1024, 1024 / 1280
    assert (metric["name"], metric["value"]) == ("mean_iou", pytest.approx((dark + light) / 2))
    assert "mean IoU ≈77.5 %" in " ".join(result.stdout.split())
