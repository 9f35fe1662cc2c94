"""A stored push, brought back: against the variant that was asked for, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import collected, make_run
from rkbench.campaign.stored import load_collected
from rkbench.errors import UsageError
from rkbench.store import open_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with a push of two variants."""
    path = tmp_path / "results.sqlite"
    with open_store(path) as opened:
        opened.save(collected(make_run(1, "digits.fp16")))
        opened.save(collected(make_run(2, "digits.int8")))
    return path


def test_a_stored_push_is_held_against_the_variant_asked_for(store: Path) -> None:
    assert load_collected(store, "last", "digits.int8")[1].baseline == "1qmv0w0v1-02"
    assert load_collected(store, "last")[1].baseline == "1qmv0w0v1-01"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("digits.int", "did you mean digits.int8"),
        ("x", "known: digits.fp16, digits.int8"),
    ],
)
def test_a_baseline_that_the_push_has_not_is_no_comparison_with_another(
    store: Path, asked: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=f"no variant '{asked}' for --baseline") as caught:
        load_collected(store, "last", asked)
    assert hint in caught.value.hint
