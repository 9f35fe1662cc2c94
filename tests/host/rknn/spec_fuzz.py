"""Mutate what stands in model files, field by field, and show them: the child process of `test_spec_fuzz.py`.

    python spec_fuzz.py FOLDER FIRST COUNT

Each file is well formed where it is read (the writer makes it), and says what no converter would: hostile
names, scales that are no numbers, shapes and indices at their limits. Every third is one of `rknn_fuzz.py`.
Each must be shown as JSON, page and text, or be refused as a BenchError, in bounded time and memory; the text
holds no sign that a terminal obeys, the JSON nothing that is no JSON. Mutation N is the same everywhere.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from peak_memory import peak_bytes
from rkbench.errors import BenchError
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.html import render_html
from rkbench.views.inspect.json import render_json
from rknn_fuzz import VERSIONS, load_samples, mutate
from rknn_writer import (
    DTYPE_NUMBERS,
    KIND_NUMBERS,
    FileSpec,
    GraphSpec,
    NodeSpec,
    TensorSpec,
    small_spec,
    write_model,
)

CPU_LIMIT_S = 2.0
MEMORY_LIMIT_BYTES = 300_000_000
TEXTS = (
    "", "{0}", "a}b", "{bytes:>2000000000}", "{", "%s%n", "\x1b[2J\x07", "a\rb\nc", "\u202e\u2066x", "\u200b",
    "<script>alert(1)</script>", "</script>", "`x`|[a](b)", "=cmd|calc", "x" * 5000, "/" * 300, "\0", "é模型",
    "Conv", "Add", "exMatMul", "Concat:x#1_2conv0", "pool_2conv0_i1", "_gavg_2conv1", "gather_2conv", "-1",
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 7, 8, 9, 16, 63, 255, 65535, 65536, 2**31 - 1, -1, -2, -(2**31))
FLOATS = (0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-45, 3.4e38, -1.0)
JSON_VALUES: tuple[Any, ...] = (
    None, True, -1, 1e308, float("nan"), "\ud800", "\x1b[2J", [], {}, [[[[]]]], ["rk3588", 3], "x" * 9000,
    10**40,
)  # fmt: skip
JSON_KEYS = ("version", "target_platform", "model_input", "quantized_dtype", "in_channels", "\udfff", "{0}")
UNSIGNED = ("size_bytes", "arena_offset")


def grouped_spec(version: int) -> FileSpec:
    """Return a model with a grouped kernel in the NPU's own order, stored dense."""
    kernel = bytes(2 * 32 * 32 * 9)
    tensors = (
        TensorSpec("", kind="null", dtype="", shape=()),
        TensorSpec("x", kind="input", shape=(1, 32, 8, 8), size_bytes=4096),
        TensorSpec(
            "w",
            kind="weight",
            shape=(32, 32, 3, 3),
            native_shape=(2, 1, 3, 3, 16, 32),
            data=kernel,
            size_bytes=len(kernel),
        ),
        TensorSpec("y", kind="output", shape=(1, 32, 8, 8), size_bytes=4096),
    )
    node = NodeSpec("Conv:grouped", "ConvRelu", 2, (1, 2), (3,), (1, 0, 0, 0, 0, 0))
    return FileSpec((GraphSpec(tensors, (node,), (1,), (3,)),), version=version)


def mutated(samples: Any, number: int) -> bytes:
    """Return file `number`."""
    if number % 3 == 0:
        return mutate(samples, number)
    rng = random.Random(number)
    spec = rng.choice((small_spec, grouped_spec))(rng.choice(VERSIONS))
    for _ in range(rng.choice((1, 1, 2, 3))):
        spec = _change(spec, rng)
    return write_model(spec)


def _change(spec: FileSpec, rng: random.Random) -> FileSpec:
    graph = spec.graphs[0]
    place = rng.choice(("tensor", "tensor", "tensor", "node", "node", "graph", "file"))
    if place == "file":
        return _change_file(spec, rng)
    if place == "graph":
        graph = replace(graph, **{rng.choice(("inputs", "outputs")): _integers(rng, len(graph.tensors))})
    elif place == "node":
        graph = replace(graph, nodes=_one(graph.nodes, rng, len(graph.tensors)))
    else:
        graph = replace(graph, tensors=_one(graph.tensors, rng, len(graph.tensors)))
    return replace(spec, graphs=(graph,))


def _one(items: tuple[Any, ...], rng: random.Random, count: int) -> tuple[Any, ...]:
    """Return the items with one field of one of them changed."""
    at = rng.randrange(len(items))
    name = rng.choice([field.name for field in fields(items[at]) if field.name != "same_buffer_as"])
    value = _value(name, getattr(items[at], name), rng, count)
    return (*items[:at], replace(items[at], **{name: value}), *items[at + 1 :])


def _value(name: str, old: Any, rng: random.Random, count: int) -> Any:
    choices: dict[str, Callable[[], Any]] = {
        "kind": lambda: rng.choice(list(KIND_NUMBERS)),
        "dtype": lambda: rng.choice(list(DTYPE_NUMBERS)),
        "scale": lambda: tuple(rng.choice(FLOATS) for _ in range(rng.choice((0, 1, 2, 8)))),
        "data": lambda: rng.choice(
            (b"", old[: len(old) // 2], old * 3, bytes(len(old)), rng.randbytes(len(old)))
        ),
        "target": lambda: rng.randrange(256),
        "options_type": lambda: rng.randrange(256),
        "commands": lambda: tuple(value % 2**32 for value in _integers(rng, count, old)),
    }
    if name in choices:
        return choices[name]()
    if isinstance(old, str):
        return rng.choice(TEXTS)
    if isinstance(old, tuple):
        return _integers(rng, count, old)
    return rng.choice(NUMBERS) % 2**32 if name in UNSIGNED else rng.choice(NUMBERS)


def _integers(rng: random.Random, count: int, old: tuple[int, ...] = ()) -> tuple[int, ...]:
    if old and rng.random() < 0.7:
        at = rng.randrange(len(old))
        return (*old[:at], rng.choice((*NUMBERS, rng.randrange(count))), *old[at + 1 :])
    return tuple(rng.choice((*NUMBERS, rng.randrange(count))) for _ in range(rng.randrange(9)))


def _change_file(spec: FileSpec, rng: random.Random) -> FileSpec:
    change: dict[str, Any] = rng.choice(
        (
            {"target": rng.choice(TEXTS)},
            {"description": rng.choice((*TEXTS, "{" * 2000, "{'attrs': {'Conv:stem': {'group': -1}}}"))},
            {"memory": tuple(rng.choice(NUMBERS) % 2**32 for _ in range(3))},
            {"trailing": rng.randbytes(rng.choice((1, 8, 4096)))},
            {"document": {**spec.document, rng.choice(JSON_KEYS): rng.choice(JSON_VALUES)}},
        )
    )
    return replace(spec, **change)


def check(path: Path) -> str:
    """Show the file; return "shown" or "refused". Raises what must not happen."""
    try:
        inspection = inspect_file(Request(path))
    except BenchError as error:
        assert error.message
        return "refused"
    document = json.loads(
        render_json(inspection).encode("utf-8", "backslashreplace"), parse_constant=_no_json
    )
    sections = document["sections"]
    assert sum(sections.values()) == document["file"]["size_bytes"] == path.stat().st_size
    page = render_html(inspection).encode("utf-8", "backslashreplace").decode()
    assert "<script>alert" not in page
    text = render_console(inspection, 80, layers=None, myths=True, colour=False, fold=False)
    assert all(line.isprintable() for line in text.split("\n")), text
    return "shown"


def _no_json(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def main() -> int:
    """Run COUNT mutations from FIRST on; print what became of them."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    samples = load_samples()
    path = folder / f"mutated-{first}.rknn"
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    for number in range(first, first + count):
        path.write_bytes(mutated(samples, number))
        start_s = time.process_time()
        try:
            outcomes[check(path)] += 1
        except BaseException:
            print(f"mutation {number} failed; its bytes are in {folder / 'failed.rknn'}", file=sys.stderr)
            path.rename(folder / "failed.rknn")
            raise
        slowest_s = max(slowest_s, time.process_time() - start_s)
    most_bytes = peak_bytes()
    assert slowest_s < CPU_LIMIT_S, f"one took {slowest_s:.2f} s of processor time"
    assert most_bytes < MEMORY_LIMIT_BYTES, f"{most_bytes / 1e6:.0f} MB"
    print(f"{count} mutations: {outcomes['shown']} shown, {outcomes['refused']} refused")
    print(f"slowest {slowest_s:.3f} s, peak RSS {most_bytes / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
