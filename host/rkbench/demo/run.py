"""The demo's push: four shipped variants of one network, on a virtual board."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path

from rkbench_agent.wire.plan import RunSettings

from rkbench.boards.virtual.provider import VirtualBoards
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.demo.story import Facts
from rkbench.inspection.causes import find_causes
from rkbench.results.events import Listener
from rkbench.rknn import open_model
from rkbench.session import Sessions
from rkbench.store import open_store
from rkbench.variants.npz import NpzReader

ONNX = "digits.onnx"
GOLDEN = "golden.npz"
#: The variants, in the order of the columns, each with the two lines of its heading.
VARIANTS = {
    "digits.fp16": ("converted", "fp16"),
    "digits.int8": ("converted", "int8"),
    "digits.regrouped.fp16": ("regrouped", "fp16"),
    "digits.regrouped.int8": ("regrouped", "int8"),
}
DURATION_S = 1.0


def demo_data() -> AbstractContextManager[Path]:
    """Return the folder with the ONNX, its variants and their golden, for as long as it is needed."""
    return as_file(files("rkbench.demo") / "data")


def read_facts(data: Path) -> Facts:
    """Return what the files say before anything runs; the answer to why is inspect's."""
    first = data / f"{next(iter(VARIANTS))}.rknn"
    with open_model(first) as model:
        return Facts(
            onnx_name=ONNX,
            onnx_bytes=(data / ONNX).stat().st_size,
            first_name=first.name,
            first_bytes=model.file.size_bytes,
            target=model.file.target,
            because=find_causes(model).sentence,
            case_count=_case_count(data / GOLDEN),
        )


def _case_count(golden: Path) -> int:
    with NpzReader(golden) as archive:
        return next(header.shape[0] for name, header in archive.headers.items() if name.startswith("inputs/"))


def push_variants(data: Path, address: str | None, listener: Listener) -> Outcome:
    """Push the variants in `data`, and keep the runs in the store at `address` (None: the usual one)."""
    models = tuple(data / f"{name}.rknn" for name in VARIANTS)
    settings = RunSettings(min_duration_s=DURATION_S, loads=1)  # the latency is a model's: one load tells all
    options = PushOptions(models, settings, golden=data / GOLDEN)
    boards = VirtualBoards()
    (board,) = boards.find("virtual")
    with open_store(address) as store, Sessions(boards.hold) as sessions:
        return run_campaign(options, board, lambda: sessions.open(board), store, listener)
