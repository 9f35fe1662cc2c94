"""Every sentence of every view, rendered once and read: `snapshots/` holds the text.

After a change that is meant, write them anew with `RKBENCH_WRITE_SNAPSHOTS=1 pytest ...` and read the diff.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from rkbench.inspection.document import Inspection
from snapshot_inspect import inspect_snapshots, inspected_samples
from snapshot_nightly import nightly_snapshots
from snapshot_others import other_snapshots
from snapshot_push import push_snapshots

FOLDER = Path(__file__).parent / "snapshots"
SNAPSHOTS = inspect_snapshots() | push_snapshots() | nightly_snapshots() | other_snapshots()
WIDTH = 100
UNFOLDED = 5_000
#: What looks wrong and is meant: Python for `rknn.config`, a lead with its text, a heading.
MEANT = ("custom_quantize_layers: {}", "board  desk", "Where the bytes are")
#: No prose, or folded at any width.
UNREAD = ("push/runs_csv", "push/latencies_csv", "demo/narrow")
UNFINISHED = re.compile(
    r"(?:[,(]|\b(?:a|an|and|are|because|but|by|for|from|half|in|into|is|of|on|or|per|than|that|the|to|with))$"
)
DOUBLED = re.compile(r"\b([A-Za-z]{2,}) \1\b")
GAP = re.compile(r"[a-z,;:.] {2}[a-z]")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no terminal, no colour and no width of whoever runs the tests show in the text."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_text_is_as_committed(name: str) -> None:
    path = FOLDER / f"{name}.txt"
    text = SNAPSHOTS[name](WIDTH)
    if os.environ.get("RKBENCH_WRITE_SNAPSHOTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    assert {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.txt")} == set(SNAPSHOTS)


@pytest.mark.parametrize("name", [name for name in SNAPSHOTS if name not in UNREAD])
def test_no_line_is_unfinished_or_holds_what_no_reader_wants(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(UNFOLDED))
    lines = [line.strip() for line in SNAPSHOTS[name](UNFOLDED).splitlines()]
    assert [(found, line) for line in lines if (found := complaint(line))] == []


def complaint(line: str) -> str:
    """Return what is wrong with a line of prose or of a table, "" where nothing is."""
    text = line
    for meant in MEANT:
        text = text.replace(meant, "...")
    if re.search(r"\bNone\b(?! of|:)", text):
        return "None"
    if "{" in text or "}" in text:
        return "a brace"
    if (doubled := DOUBLED.search(text)) is not None:
        return f"{doubled[1]} twice"
    columns = len(re.findall(r" {2,}", text))
    if columns == 1 and GAP.search(text):
        return "two blanks"
    if not columns and UNFINISHED.search(text):
        return "no end"
    return "" if text.count("(") == text.count(")") else "a bracket"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("it stores its weights in half", "no end"),
        ("it stores its weights in half precision or less.", ""),
        ("3 nodes (Conv_1, Conv_2 take 3 MB", "a bracket"),
        ("toolkit None", "None"),
        ("None: no convolution was made.", ""),
        ("{bytes} of filler", "a brace"),
        ("the the file", "the twice"),
        ("a file  of 3 MB", "two blanks"),
        ("layer    bytes   weights   on", ""),
    ],
)
def test_the_reader_is_awake(line: str, wrong: str) -> None:
    assert complaint(line) == wrong


@pytest.mark.parametrize("inspection", inspected_samples(), ids=lambda found: found.sentence.split()[0])
def test_sentences_of_an_inspection_end_with_a_full_stop(inspection: Inspection) -> None:
    sentences = [inspection.sentence, *(cause.explanation for cause in inspection.causes)]
    sentences += [inspection.diff.sentence] if inspection.diff else []
    if inspection.answers:
        answers = inspection.answers
        sentences += [answers.convolutions_from_pooling.answer, answers.float_or_cpu_layers.answer]
        sentences += [answers.why_this_big.answer]
    assert [sentence for sentence in sentences if not sentence.endswith(".")] == []
    assert [text for text in texts(inspection) if "  " in text.strip() and "  (" not in text] == []


def texts(value: object) -> Iterator[str]:
    """Yield every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))
