"""Keep what the conversions say, small enough for the project: sizes by section and layer, and the graphs.

    .venv/bin/python tools/corpus/distil.py CORPUS

Reads CORPUS/onnx, CORPUS/outcomes and CORPUS/rknn; writes into tools/corpus/data:
  sizes.tsv         one line a conversion: bytes by section, or the converter's words where it refused
  layers/NAME.tsv.gz   one line a layer of each conversion of a network of the half that rules are fitted on
  graphs/NAME.onnx.gz  the graph without its large weights, enough to predict from
Fitting and tests need nothing else.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
from networks import Network, networks
from rkbench.rknn import open_model

DATA = Path(__file__).resolve().parent / "data"
KEPT_BYTES = 1024
"""Initializers up to this many bytes, or that compress to as many, are kept with their values."""
SECTIONS = (
    *("header", "structure", "weights", "cpu_constants", "lookup_tables", "kind7", "compiler_constants"),
    *("register_commands", "tasks", "json", "trailing"),
)
FACTS = ("network", "target", "dtype", "toolkit_version", "size_bytes")
COUNTS = ("layers", "tensors", "task_records")
REFUSAL = ("stage", "error")
LAYER = (
    *("target", "dtype", "index", "type", "on", "onnx_node", "rewrite", "weights", "compiler_constants"),
    *("lookup_tables", "cpu_constants", "register_commands", "tasks", "task_counts", "inputs", "output"),
)


def main() -> int:
    """Write the data of every conversion that has an outcome."""
    corpus = Path(sys.argv[1])
    known = {network.name: network for network in networks()}
    rows, layers = [], defaultdict(list)
    for path in sorted((corpus / "outcomes").glob("*/*.json")):
        outcome = json.loads(path.read_text())
        if outcome["network"] in known:
            row, found = _read(corpus, outcome)
            rows.append(row)
            layers[outcome["network"]] += found
    rows.sort(key=lambda row: (row["network"], row["toolkit_version"], row["target"], row["dtype"]))
    _write_rows(DATA / "sizes.tsv", (*FACTS, *SECTIONS, *COUNTS, *REFUSAL), rows)
    for name, found in layers.items():
        if known[name].half == "fit":
            _write_rows(DATA / "layers" / f"{name}.tsv.gz", LAYER, found)
        _write_graph(corpus, known[name])
    print(f"{len(rows)} conversions of {len(layers)} networks")
    return 0


def _read(corpus: Path, outcome: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    row = {key: outcome.get(key, "") for key in FACTS}
    if not outcome["ok"]:
        row["stage"] = outcome["stage"]
        row["error"] = " | ".join([*_sentences(outcome)])[:600]
        return row, []
    stem = f"{outcome['network']}.{outcome['target']}.{outcome['dtype']}.rknn"
    with open_model(corpus / "rknn" / outcome["toolkit_version"] / stem) as model:
        row.update(vars(model.sections))
        row.update(layers=len(model.nodes), tensors=len(model.tensors), task_records=model.task_count)
        return row, [_layer(outcome, layer) for layer in model.layers]


def _sentences(outcome: dict[str, Any]) -> Iterable[str]:
    """Return the converter's words without what differs from run to run."""
    words = [word for word in outcome.get("words", []) if "=====" not in word]
    return [" ".join(word.split()) for word in words[:4]] or [" ".join(outcome["error"].split())]


def _layer(outcome: dict[str, Any], layer: Any) -> dict[str, Any]:
    return {
        "target": outcome["target"],
        "dtype": outcome["dtype"],
        "index": layer.index,
        "type": layer.type,
        "on": layer.target,
        "onnx_node": layer.onnx_node or "",
        "rewrite": layer.rewrite or "",
        "weights": layer.weight_bytes,
        "compiler_constants": layer.compiler_constant_bytes,
        "lookup_tables": layer.lookup_table_bytes,
        "cpu_constants": layer.cpu_constant_bytes,
        "register_commands": layer.register_command_bytes,
        "tasks": layer.task_bytes,
        "task_counts": ",".join(map(str, layer.task_counts)),
        "inputs": ";".join("x".join(map(str, shape)) for shape in layer.input_shapes),
        "output": ";".join("x".join(map(str, shape)) for shape in layer.output_shapes),
    }


def _write_rows(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    _write(path, text.getvalue().encode())


def _write(path: Path, data: bytes) -> None:
    """Write a file, compressed if its name says so, the same bytes for the same data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


def _write_graph(corpus: Path, network: Network) -> None:
    path = DATA / "graphs" / f"{network.name}.onnx.gz"
    if not path.exists():
        _write(path, skeleton(onnx.load(corpus / "onnx" / f"{network.name}.onnx")).SerializeToString())


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its large weights named as data of a file that is not there; changes it in
    place."""
    del model.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    _constants_to_initializers(model.graph)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for tensor in model.graph.initializer:
        data = tensor.raw_data or onnx.numpy_helper.to_array(tensor).tobytes()
        if len(data) > KEPT_BYTES and len(zlib.compress(data)) > KEPT_BYTES:
            _take_out(tensor, len(data))
    return model


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    """Make initializers of large Constant nodes: only those can name data of another file."""
    kept = []
    for node in graph.node:
        value = node.attribute[0] if node.op_type == "Constant" else None
        if value is None or value.name != "value" or value.t.ByteSize() <= KEPT_BYTES:
            kept.append(node)
            continue
        value.t.name = node.output[0]
        graph.initializer.append(value.t)
    del graph.node[:]
    graph.node.extend(kept)


def _take_out(tensor: onnx.TensorProto, length: int) -> None:
    shape, kind, name = list(tensor.dims), tensor.data_type, tensor.name
    tensor.Clear()
    tensor.dims.extend(shape)
    tensor.data_type, tensor.name = kind, name
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "left_out"), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


if __name__ == "__main__":
    sys.exit(main())
