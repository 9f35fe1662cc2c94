"""`rkbench.push(...)`: what `bench push` does, through the same functions, and its outcome as an object."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast, get_type_hints

from rkbench.api.stored import Run, Runs, in_words, of_push
from rkbench.api.told import check_types, with_hint
from rkbench.campaign.asking import PushWords, StrPath, options_of
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.push import Expected, push_to
from rkbench.conversion.words import ConvertWords
from rkbench.decoding.tables import typed_values
from rkbench.errors import StoreError, UsageError
from rkbench.results.comparison import Comparison
from rkbench.results.events import Event
from rkbench.results.gating import exit_code
from rkbench.views.push.json import push_document

if TYPE_CHECKING:
    import pandas
    import polars
    from typing_extensions import Unpack

_SHOWN = 3
Progress: TypeAlias = bool | Callable[[Event], None]


class PushAndConvertWords(PushWords, total=False):
    """All that a push can be asked by a word: how it measures, and how an ONNX is converted."""

    recipe: Sequence[str] | str | None
    calibration: StrPath | None
    random_calibration: bool | None
    mean: str | None
    std: str | None
    fit: str | None
    bgr: bool | None
    input_shape: Sequence[str] | str | None
    toolkit_python: StrPath | None
    workers: str | None
    jobs: int | None
    time_limit: float | None
    memory_limit: float | None


@dataclass(frozen=True, repr=False)
class Push:
    """What a push yielded: its runs, and how the others stand to the first, the baseline.

    `store_error` is what kept a run from being stored; None where all are.
    """

    outcome: Outcome

    @cached_property
    def runs(self) -> Runs:
        """The runs, in the order of the models."""
        return of_push(self.outcome.collected)

    @property
    def id(self) -> str:
        """The id of the push, by which every command knows it."""
        return self.outcome.runs[0].push

    @property
    def comparison(self) -> Comparison:
        """Differences to the baseline, with their tests and intervals."""
        return self.outcome.comparison

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        return self.outcome.comparison.verdict

    @property
    def exit_code(self) -> int:
        """What `bench push` would exit with: 0 fine, 1 something failed, 3 a requirement is crossed."""
        return exit_code(self.outcome.runs)

    @property
    def store_error(self) -> StoreError | None:
        """Why a run is not in the store."""
        return self.outcome.store_error

    def __getitem__(self, variant: str) -> Run:
        found = [run for run in self.runs if run.variant == variant]
        if not found:
            raise KeyError(variant)
        return found[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the push as a value of JSON, as `bench push --json` has it (schema `rkbench/1`)."""
        return push_document(self.outcome.runs, self.outcome.comparison)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a run and a column a measure; needs pandas."""
        return self.runs.to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Return a row a run and a column a measure; needs polars."""
        return self.runs.to_polars()

    def report(self, output: StrPath) -> Path:
        """Write a report, of the kind that the file's name says (.html, .md, .png, .svg, .pdf)."""
        from rkbench.views.report.files import check_report, write_report

        with with_hint():
            path = Path(output)
            check_report(path, None)
            write_report(self.outcome.collected, self.outcome.comparison, path)
        return path

    def __repr__(self) -> str:
        told = [in_words(run) for run in self.runs[:_SHOWN]]
        more = [f"{len(self.runs) - _SHOWN} more"] if len(self.runs) > _SHOWN else []
        return f"<Push {self.id[-6:]} on {self.runs[0].board!r}: {'; '.join([*told, *more])}>"

    def _repr_html_(self) -> str:
        from rkbench.views.notebook import push_html

        return push_html(self.outcome.collected, self.outcome.comparison)


def push(
    models: StrPath | Sequence[StrPath],
    board: str,
    *,
    golden: StrPath | None = None,
    onnx: StrPath | None = None,
    inputs: StrPath | None = None,
    store: StrPath | None = None,
    inventory: StrPath | None = None,
    progress: Progress = True,
    **words: Unpack[PushAndConvertWords],
) -> Push:
    """Push variants to a board, run them there, and compare, as `bench push` does.

    The first model is the baseline. `words` are the options of `bench push` without their dashes (`cores`,
    `pin`, `iterations`, `duration`, `loads`, `require`, `scenario`, `recipe`, ...; `bench push --help`).
    `progress`: on stderr as the command line shows it, or a function that takes each event; False: nowhere.
    Every run is stored as it ends, also where Ctrl-C is pressed (which is raised). Raises BenchError for what
    stops the push before anything was measured; what fails later is in the runs.

    >>> import rkbench
    >>> rkbench.push(["a.rknn", "b.rknn"], board="virtual", duration=0.5)  # doctest: +SKIP
    """
    with with_hint():
        check_types("push", {"board": str, "store": Path}, board=board, store=store)
        found = [Path(item) for item in ([models] if isinstance(models, (str, os.PathLike)) else models)]
        asked, conversion = _asked(words)
        options = options_of(found, asked, _path(golden))
        address, boards = None if store is None else str(store), _path(inventory)
        expected = Expected(_path(onnx), _path(inputs))
        with _listening(progress) as listener:
            outcome = push_to(
                board,
                options,
                expected,
                listener,
                conversion=conversion,
                store=address,
                inventory=boards,
                wait_s=asked.get("wait"),
            )
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.store_error is not None:
        warnings.warn(f"not saved: {outcome.store_error.message}", stacklevel=2)
    return Push(outcome)


def _asked(words: PushAndConvertWords) -> tuple[PushWords, ConvertWords]:
    """Return how to measure and how to convert; raises UsageError for a word or a value that is none."""
    plain = {
        word: os.fspath(value) if isinstance(value, os.PathLike) else value
        for word, value in words.items()
        if value is not None
    }
    types = {
        word: Path if kind in _PATHS else kind for word, kind in get_type_hints(PushAndConvertWords).items()
    }
    typed = typed_values(plain, types, "rkbench.push", UsageError)
    for word in ("recipe", "input_shape"):
        if isinstance(typed.get(word), str):
            typed[word] = [typed[word]]
    converting = {word: typed.pop(word) for word in list(typed) if word in ConvertWords.__dataclass_fields__}
    return cast(PushWords, typed), ConvertWords(**converting)


_PATHS = (StrPath, StrPath | None)


def _path(given: StrPath | None) -> Path | None:
    return None if given is None else Path(given)


def _listening(progress: Progress) -> Any:
    """Return the context whose value takes the events of a push."""
    from contextlib import nullcontext

    from rkbench.views.push.progress import make_progress

    if callable(progress):
        return nullcontext(progress)
    return make_progress(sys.stderr, quiet=not progress)
