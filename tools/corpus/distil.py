"""Keep what the conversions say, small enough for the project: sizes by section and layer, and the graphs.

    .venv/bin/python tools/corpus/distil.py CORPUS [NAME ...]

Reads CORPUS/onnx, CORPUS/outcomes and CORPUS/rknn and adds to what tools/corpus/data has; a conversion that
is there already is replaced by CORPUS's, one that CORPUS does not have stays. With names, those
networks alone:
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
from kept import DATA, SIZES, kept_rows, key_of, write, write_rows
from networks import Network, networks
from rkbench.rknn import open_model

KEPT_BYTES = 1024
"""Initializers up to this many bytes, or that compress to as many, are kept with their values; so are those
whose bytes are all the same, as zeros are."""
SECTIONS = (
    *("header", "structure", "weights", "cpu_constants", "lookup_tables", "kind7", "compiler_constants"),
    *("register_commands", "tasks", "json", "trailing"),
)
FACTS = ("network", "target", "dtype", "toolkit_version", "size_bytes")
DIGEST = "onnx_sha256"
"""Of the ONNX and the input shapes that were converted; empty where it was not kept yet."""
COUNTS = ("layers", "tensors", "task_records")
REFUSAL = ("stage", "error")
LAYER = (
    *("target", "dtype", "index", "type", "on", "onnx_node", "rewrite", "weights", "compiler_constants"),
    *("lookup_tables", "cpu_constants", "register_commands", "tasks", "task_counts", "inputs", "output"),
)


def main() -> int:
    """Write the data of every conversion that has an outcome, beside what is kept."""
    corpus = Path(sys.argv[1])
    known = {network.name: network for network in networks()}
    asked = [name for name in known if not sys.argv[2:] or name in sys.argv[2:]]
    rows = {key_of(row): row for row in kept_rows() if row["network"] in known}
    before, layers = len(rows), defaultdict(list)
    for path in sorted((corpus / "outcomes").glob("*/*.json")):
        outcome = json.loads(path.read_text())
        if outcome["network"] in asked:
            row, found = _read(corpus, outcome)
            rows[key_of(row)] = row
            layers[outcome["network"]] += found
    for name in layers:
        _write_graph(corpus, known[name])
    columns = (*FACTS, *SECTIONS, *COUNTS, *REFUSAL, DIGEST)
    write_rows(SIZES, columns, [rows[key] for key in sorted(rows)])
    for name, found in layers.items():
        if known[name].half == "fit":
            _add_layers(DATA / "layers" / f"{name}.tsv.gz", found)
    print(f"{len(rows)} conversions, of which {len(rows) - before} are new")
    return 0


def _add_layers(path: Path, found: list[dict[str, Any]]) -> None:
    """Write the layers of a network's conversions in place of those of the same target and dtype."""
    kept: list[dict[str, Any]] = []
    if path.exists():
        text = gzip.decompress(path.read_bytes()).decode()
        new = {(layer["target"], layer["dtype"]) for layer in found}
        lines = csv.DictReader(io.StringIO(text), delimiter="\t")
        kept = [line for line in lines if (line["target"], line["dtype"]) not in new]
    together = sorted(kept + found, key=lambda layer: (layer["target"], layer["dtype"], int(layer["index"])))
    write_rows(path, LAYER, together)


def _read(corpus: Path, outcome: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    row = {key: outcome.get(key, "") for key in (*FACTS, DIGEST)}
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


def _write_graph(corpus: Path, network: Network) -> None:
    """Write the graph of a network; raises SystemExit where the kept one is another."""
    path = DATA / "graphs" / f"{network.name}.onnx.gz"
    source = corpus / "onnx" / f"{network.name}.onnx"
    graph, *older = (
        skeleton(onnx.load(source), uniform=uniform, zeros=zeros).SerializeToString()
        for uniform, zeros in ((True, True), (True, False), (False, False))
    )
    if path.exists() and gzip.decompress(path.read_bytes()) not in (graph, *older):
        sys.exit(f"{network.name}: CORPUS has another graph than {path}: its sizes cannot be set beside it")
    write(path, graph)


def skeleton(model: onnx.ModelProto, *, uniform: bool = True, zeros: bool = True) -> onnx.ModelProto:
    """Return the model with its large weights named as data of a file that is not there; changes it in place.

    `uniform` and `zeros` say whether those stay whose bytes are all the same, and those that are 0 and -0
    throughout, as 0: once they did not.
    """
    del model.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    _constants_to_initializers(model.graph)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for tensor in model.graph.initializer:
        data = tensor.raw_data or onnx.numpy_helper.to_array(tensor).tobytes()
        is_large = len(data) > KEPT_BYTES and len(zlib.compress(data)) > KEPT_BYTES
        if is_large and zeros and not onnx.numpy_helper.to_array(tensor).any():
            tensor.ClearField("float_data")
            tensor.raw_data = bytes(len(data))
        elif is_large and not (uniform and data.count(data[:1]) == len(data)):
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
