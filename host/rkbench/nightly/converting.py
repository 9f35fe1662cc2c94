"""The ONNX files of a suite, converted before its night: by every recipe, for every SoC of its boards.

What was converted before is not converted again (`rkbench.conversion` keeps it), so a night whose converter
is as it was measures the same bytes. What cannot be converted is a cell all the same: it says which toolkit.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.boards.model import Board
from rkbench.errors import BenchError, ConversionError, UsageError
from rkbench.files import cache_folder
from rkbench.nightly.suite import Entry, Suite
from rkbench.results.night import Fault, MadeBy, NightListener, Told

if TYPE_CHECKING:  # the rooms of the converter are read where an ONNX is named
    from rkbench.conversion.build import ConversionRequest
    from rkbench.conversion.draft import Draft
    from rkbench.conversion.plan import AskedConversions, Conversion, LeftOut


@dataclass(frozen=True)
class NightModel:
    """What one recipe makes for one SoC. `path` is where its .rknn stands, or would; `fault` why it does not.

    `is_refused`: it is the converter that could not. `is_made`: it is there, or was made before.
    """

    made_by: MadeBy
    path: Path
    sha256: str = ""
    fault: Fault | None = None
    is_refused: bool = False

    @property
    def is_made(self) -> bool:
        """Whether there is such a model."""
        return bool(self.sha256)


#: Of each entry of a suite, in its order: none of an entry of files.
NightModels = tuple[tuple[NightModel, ...], ...]


def convert_models(suite: Suite, boards: Sequence[Sequence[Board]], listener: NightListener) -> NightModels:
    """Convert what `suite` names, for the `boards` of each entry; what is done is told.

    Raises UsageError where nothing is left to convert, ToolkitError where a toolkit is not installed, and
    BenchError for an ONNX that is none or a folder that cannot be written. A conversion that fails is told.
    """
    return tuple(
        tuple(_converted(suite, entry, found, listener)) if entry.onnx else ()
        for entry, found in zip(suite.entries, boards, strict=True)
    )


def foresee_models(suite: Suite, boards: Sequence[Sequence[Board]]) -> NightModels:
    """Return what `convert_models` would make, as far as that is known; nothing is converted or written."""
    return tuple(
        tuple(_foreseen(suite, entry, found)) if entry.onnx else ()
        for entry, found in zip(suite.entries, boards, strict=True)
    )


def _converted(
    suite: Suite, entry: Entry, boards: Sequence[Board], listener: NightListener
) -> Iterator[NightModel]:
    from rkbench.campaign.converting import told
    from rkbench.conversion.typed import deliver_all

    def tell(draft: Draft, made: Conversion | None) -> None:
        listener(Told(None, f"{asked.onnx.name} for {asked.target}: {told(draft, made)}"))

    for asked, requests, left in _requests(suite, entry, boards):
        for item in left:
            name = f"{asked.onnx.name} for {asked.target}"
            listener(Told(None, f"{name}: left out: {item.draft.name}: {item.reason}"))
        done = deliver_all(asked, requests, left, folder_of(suite), tell, os.cpu_count() or 1)
        made = {each.built.draft.name: each for each in done.delivered}
        failed = {each.draft.name: each.error for each in done.failed}
        for request in requests:
            name = request.draft.name
            if name in made:
                yield _model(suite, request, made[name].built.record.rknn_sha256)
            else:
                yield _model(suite, request, error=failed[name])


def _foreseen(suite: Suite, entry: Entry, boards: Sequence[Board]) -> Iterator[NightModel]:
    from rkbench.conversion.build import known_conversion

    for _, requests, _ in _requests(suite, entry, boards):
        for request in requests:
            known = known_conversion(request)
            yield _model(suite, request, known.record.rknn_sha256 if known else "")


def _requests(
    suite: Suite, entry: Entry, boards: Sequence[Board]
) -> list[tuple[AskedConversions, tuple[ConversionRequest, ...], tuple[LeftOut, ...]]]:
    """Return what is asked for each SoC of `boards`, and what is left out with the reason."""
    from rkbench.campaign.converting import target_of
    from rkbench.conversion.plan import requests_of
    from rkbench.conversion.typed import asked_of

    found = []
    for target in dict.fromkeys(map(target_of, boards)):
        asked = asked_of(entry.onnx, target, entry.converting, entry.golden)
        found.append((asked, *requests_of(asked)))
    if not any(requests for _, requests, _ in found):
        why = "; ".join(f"{item.draft.name}: {item.reason}" for _, _, left in found for item in left)
        raise UsageError(f"{suite.path}: nothing of {entry.onnx} is converted: {why or 'it has no board'}")
    return found


def _model(
    suite: Suite, request: ConversionRequest, sha256: str = "", error: BenchError | None = None
) -> NightModel:
    from rkbench.conversion.build import delivered_name

    draft = request.draft
    version = request.environment.version
    path = folder_of(suite) / f"{delivered_name(draft, request.onnx.stem)}.rknn"
    made_by = MadeBy(request.onnx.name, draft.name, draft.target, version)
    if error is None:
        return NightModel(made_by, path, sha256)
    fault = Fault(f"not converted with rknn-toolkit2 {version}: {error.message}", error.hint)
    return NightModel(made_by, path, "", fault, isinstance(error, ConversionError))


def folder_of(suite: Suite) -> Path:
    """Return where the conversions of a suite are put: in the cache, under a digest of its place."""
    place = hashlib.sha256(str(suite.path.absolute()).encode()).hexdigest()[:12]
    return cache_folder("nights") / place
