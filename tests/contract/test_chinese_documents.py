"""The Chinese documents say what the English ones do: the same commands and outputs, and all they cover.

Above each section stands the heading of the English one, in a comment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_command import BENCH

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.zh-CN.md", *sorted((ROOT / "docs" / "zh").glob("*.md"))]
SAID_SO = re.compile(r"^<!-- (?!of: )(.+) -->$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
IN_CHINESE = " --lang zh"


def sections(path: Path) -> dict[str, list[str]]:
    """Return the lines of each section of an English document, by its heading of the second level."""
    found: dict[str, list[str]] = {"": []}
    name, fenced = "", False
    for line in path.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if not fenced and line.startswith("## "):
            name = line[3:]
            found[name] = []
        found[name].append(line)
    return found


def told_of(path: Path) -> dict[str, list[str]]:
    """Return the lines of each section of a Chinese document, by the heading of the English one."""
    parts = re.split(SAID_SO, path.read_text(encoding="utf-8"))
    return {name: text.splitlines() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(lines: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield each block of commands or output, with what it is."""
    block: list[str] | None = None
    for line in lines:
        if line.startswith("```"):
            if block is not None:
                yield tuple(block)
            block = [line] if block is None else None
        elif block is not None:
            block.append(line)


def english_of(path: Path) -> Path:
    """Return the English document that a Chinese one is of."""
    found = re.search(r"^<!-- of: (.+) -->$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return ROOT / (found[1] if found else "README.md")


def is_chinese(block: tuple[str, ...]) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in "".join(block))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_is_one_of_the_english_document(path: Path) -> None:
    english = set(blocks(english_of(path).read_text(encoding="utf-8").splitlines()))
    for block in blocks(path.read_text(encoding="utf-8").splitlines()):
        typed_in_english = tuple(line.replace(IN_CHINESE, "") for line in block)
        assert typed_in_english in english or is_chinese(block), "\n".join(block)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_output_in_chinese_is_what_the_command_before_it_prints(path: Path) -> None:
    command, in_chinese, checked = "", 0, 0
    for block in blocks(path.read_text(encoding="utf-8").splitlines()):
        if is_chinese(block):
            assert IN_CHINESE in command, "\n".join(block)
            printed = iter(output_of(command))
            for line in block[1:]:
                assert line in ("...", "") or line in printed, line  # in the order of the output
            checked += 1
        command = block[1]
        in_chinese += IN_CHINESE in command
    assert checked == in_chinese


def output_of(command: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BENCH, *command.removeprefix("$ bench ").split()],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1"},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_section_is_in_its_chinese(path: Path) -> None:
    english, chinese = sections(english_of(path)), told_of(path)
    assert chinese
    for name, lines in chinese.items():
        assert name in english, f"{path.name}: no section {name!r} in {english_of(path).name}"
        missing = set(wanted(english[name], lines)) - set(lines)
        assert not missing, f"{path.name}, {name}: {sorted(missing)[:3]}"


def wanted(english: list[str], chinese: list[str]) -> Iterator[str]:
    """Yield the lines of the blocks of a section; an output that stands there in Chinese needs no English."""
    command = ""
    for block in blocks(english):
        if block[0] != "```text" or f"{command}{IN_CHINESE}" not in chinese:
            yield from block
        command = block[1]


def test_the_chinese_readme_covers_every_section() -> None:
    wanted = [name for name in sections(ROOT / "README.md") if name]
    assert list(told_of(ROOT / "README.zh-CN.md")) == wanted


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    missing = [
        link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()
    ]
    assert missing == []


def test_the_two_readmes_link_each_other() -> None:
    assert "](README.zh-CN.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](README.md)" in (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
