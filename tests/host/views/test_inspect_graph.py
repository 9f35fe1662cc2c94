"""`bench inspect --graph`: the layers in the format of Model Explorer, bytes and time beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import rkbench
from bench_command import Done, run_bench
from made_runs import collected, make_run
from rkbench.results.extras import LayerTime, Profile
from rkbench.store import open_store

FP16 = Path(rkbench.__file__).parent / "demo/data/digits.fp16.rknn"


def graph(tmp_path: Path, *more: object) -> tuple[Done, dict[str, Any]]:
    target = tmp_path / "graph.json"
    done = run_bench("inspect", FP16, "--graph", target, *more)
    return done, json.loads(target.read_text("utf-8")) if target.exists() else {}


def test_the_graph_has_a_node_for_each_layer_and_the_edges_of_the_file(tmp_path: Path) -> None:
    done, document = graph(tmp_path)
    assert done.returncode == 0, done.stderr
    layers = rkbench.inspect(FP16).layers
    nodes = document["graphs"][0]["nodes"]
    assert [node["id"] for node in nodes] == [str(layer.index) for layer in layers]
    ids = {node["id"] for node in nodes}
    edges = [edge["sourceNodeId"] for node in nodes for edge in node["incomingEdges"]]
    assert edges == [str(index) for layer in layers for index in layer.fed_by]
    assert set(edges) <= ids
    grouped = [node["label"] for node in nodes if node["namespace"] == "block0.grouped"]
    assert len(grouped) == 5
    attributes = {item["key"]: item["value"] for item in nodes[6]["attrs"]}
    assert attributes["bytes"] == "1.19 MB"
    assert attributes["unit"] == "NPU"
    assert attributes["time, predicted"] == "157 µs"


def test_overlays_are_bytes_and_predicted_microseconds(tmp_path: Path) -> None:
    graph(tmp_path)
    sizes = json.loads((tmp_path / "graph.bytes.json").read_text("utf-8"))["layers"]
    layers = rkbench.inspect(FP16).layers
    assert {index: item["value"] for index, item in sizes["results"].items()} == {
        str(layer.index): layer.total_bytes for layer in layers
    }
    times = json.loads((tmp_path / "graph.time.json").read_text("utf-8"))["layers"]
    assert round(times["results"]["6"]["value"]) == 157
    assert [stop["stop"] for stop in times["gradient"]] == [0, 1]


def store_of(tmp_path: Path, profile: Profile | None, sha256: str) -> Path:
    address = tmp_path / "results.sqlite"
    run = make_run(1, "digits.fp16", profile=profile)
    with open_store(address) as store:
        store.save(collected(replace(run, variant=replace(run.variant, sha256=sha256))))
    return address


def test_with_a_run_the_time_is_what_it_measured(tmp_path: Path) -> None:
    file = rkbench.inspect(FP16).document.file
    assert file is not None and file.sha256 is not None
    layer = LayerTime(1, "Conv:stem", "Conv", "NPU", "FLOAT16", 0.000321, 1.0, node=1)
    profile = Profile("lite", (layer,), 0.000321, "what librknnrt printed")
    store = store_of(tmp_path, profile, file.sha256)
    done, document = graph(tmp_path, "--run", "last", "--store", store)
    assert done.returncode == 0, done.stderr
    attributes = {item["key"]: item["value"] for item in document["graphs"][0]["nodes"][1]["attrs"]}
    assert attributes["time, measured on desk"] == "321 µs"
    times = json.loads((tmp_path / "graph.time.json").read_text("utf-8"))["layers"]["results"]
    assert times == {"1": {"value": 321.0}}


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    file = rkbench.inspect(FP16).document.file
    assert file is not None and file.sha256 is not None
    untimed = store_of(tmp_path, None, file.sha256)
    done, _ = graph(tmp_path, "--run", "last", "--store", untimed)
    assert (done.returncode, "--profile" in done.stderr) == (2, True)
    (tmp_path / "other").mkdir()
    other = store_of(tmp_path / "other", None, "b" * 64)
    done, _ = graph(tmp_path, "--run", "last", "--store", other)
    assert (done.returncode, "another file" in done.stderr) == (2, True)
    done = run_bench("inspect", FP16, "--run", "last", "--store", untimed)
    assert (done.returncode, "--graph graph.json" in done.stderr) == (2, True)
    done = run_bench("inspect", FP16, "--graph", tmp_path / "no" / "graph.json")
    assert (done.returncode, "no folder" in done.stderr) == (2, True)
