"""`bench explain`: logs and numbers in, causes and cures out; what is no log is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from bench_command import BENCH, Done, run_bench
from rkbench.catalogue.explain import explain
from rkbench.catalogue.log_input import LIMIT_BYTES, read_log
from rkbench.schema import SCHEMAS

LOG = (
    "I RKNN: [00:00:00.900] RKNN Runtime Information, librknnrt version: 2.3.0 (c949ad889d@2024-11-07)\n"
    "I RKNN: [00:00:00.900] RKNN Driver Information, version: 0.7.2\n"
    "W Query dynamic range failed. Ret code: RKNN_ERR_MODEL_INVALID. (please ignore)\n"
    "E RKNN: [00:00:01.000] failed to submit, op id: 42, op name: Split:/Gather_88, int status: 0\n"
    "E RKNN: [00:00:01.000] frobnicate failed\n"
)


def explained(folder: Path, content: bytes | str, *options: str) -> Done:
    """Return what is said of a log with that content."""
    log = folder / "board.log"
    log.write_bytes(content.encode() if isinstance(content, str) else content)
    return run_bench("explain", str(log), *options)


def test_a_log_is_told_with_cause_cure_source_and_what_was_not_understood(tmp_path: Path) -> None:
    done = explained(tmp_path, LOG)
    text = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert "1 known message in 5 lines, 1 harmless; the log tells of driver 0.7.2, librknnrt 2.3.0" in text
    assert "(catalogue 31)" in text
    assert "→ Update the board's kernel (rknpu 0.9.8)" in text
    assert "source: rockchip-linux/rknn-toolkit2#447" in text
    assert "(1 line): │ E RKNN: [00:00:01.000] frobnicate failed" in text


def test_the_facts_of_the_log_decide_what_is_advised() -> None:
    line = "E RKNN: failed to submit, op id: 1"
    plain, new = explain([line]), explain([line, "RKNN Driver Information, version: 0.9.8"])
    high = explain([line, "target platform: rk3568", "MemTotal: 8000000 kB", "RKNPU: rknpu iommu is enabled"])
    assert plain.diagnoses[0].cause == new.diagnoses[0].cause
    assert "page tables above 4 GB, and this rk3568 with 8.19 GB" in high.diagnoses[0].cause


def test_stdin_is_read_as_a_file_is() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BENCH, "explain"], input=LOG, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("stdin: 1 known message in 5 lines")


def test_the_json_follows_its_schema_and_is_alone_on_stdout(tmp_path: Path) -> None:
    document = json.loads(explained(tmp_path, LOG, "--json", "-").stdout)
    schema = json.loads((SCHEMAS / "rkbench-explain-1.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert [item["number"] for item in document["diagnoses"]] == [31]
    assert document["unknown"] == ["E RKNN: [00:00:01.000] frobnicate failed"]
    assert document["board"]["driver_version"] == "0.7.2"


def test_a_number_is_a_row_of_the_catalogue() -> None:
    done = run_bench("explain", "32")
    assert done.returncode == 0
    assert done.stdout.startswith("catalogue 32")
    assert "A signal reached the process while it waited for the NPU" in " ".join(done.stdout.split())


def test_a_row_says_what_else_it_means_where_facts_are_known() -> None:
    text = " ".join(run_bench("explain", "31").stdout.split())
    assert "→ driver below 0.9.6, librknnrt 1.6.0 or newer: Update the board's kernel (rknpu 0.9.8)" in text


def test_the_log_cannot_command_the_terminal(tmp_path: Path) -> None:
    done = explained(
        tmp_path, "E RKNN: \x1b[2J\x07 failed to submit!, op\rrm -rf\nE odd \x1b]0;title\x07 failed\n"
    )
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "\\x1b[2J\\x07 failed to submit" in done.stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\n  \n", "empty"),
        (b"RKNN\x00\x00\x01", "no text"),
        (b"a line of a log\n" * (LIMIT_BYTES // 16 + 1), "more than 4.00 MB"),
    ],
)
def test_what_is_no_log_is_refused_with_the_next_step(
    tmp_path: Path, content: bytes | str, says: str
) -> None:
    done = explained(tmp_path, content)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "→ " in done.stderr


@pytest.mark.parametrize("named", ["", "0", "999", "1" * 5000, "no/such.log", ".", "\x1b[31mred"])
def test_what_is_not_there_is_refused_in_few_words(named: str) -> None:
    done = run_bench("explain", named)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 400


def test_latin_and_broken_bytes_are_read_all_the_same(tmp_path: Path) -> None:
    done = explained(tmp_path, b"caf\xe9 \xff\nOSError: /usr/lib/librknnrt.so: invalid ELF header\n")
    assert "(catalogue 52)" in done.stdout


def test_what_the_kernel_says_of_other_devices_is_no_trouble_of_ours() -> None:
    boot = "[    5.883612] cfg80211: failed to load regulatory.db"
    npu = "[    9.100000] RKNPU fdab0000.npu: something new failed"
    assert explain([boot, npu]).unknown == (npu,)


def test_information_and_the_frame_of_a_traceback_are_no_trouble() -> None:
    frame = ("I The error analysis results save to: ./a.txt", "E Traceback (most recent call last):")
    assert explain([*frame, "E Catch exception when init runtime!"]).unknown == ()


def test_an_npu_whose_iommu_is_not_in_the_device_tree_has_none() -> None:
    line = "RKNPU fde40000.npu: RKNPU: rknpu iommu device-tree entry not found!, using non-iommu mode"
    assert explain([line]).state.iommu is False


def test_the_containers_that_a_runtime_names_belong_to_what_it_says_next() -> None:
    found = explain(["E RKNN: [21:32:53.643] 6, 1", "E RKNN: [21:32:53.643] Invalid RKNN model version 6"])
    assert ([row.number for row in found.diagnoses], found.unknown) == ([1], ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_log_that_windows_wrote_is_read(tmp_path: Path, encoding: str) -> None:
    done = explained(tmp_path, "E RKNN: failed to submit!, op id: 1\r\n".encode(encoding))
    assert "1 known message in 1 line" in " ".join(done.stdout.split())  # a long path breaks the line
    assert "│ E RKNN: failed" in done.stdout


def test_a_pipe_that_nobody_writes_into_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run_bench("explain", str(tmp_path / "pipe"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "empty" in done.stderr


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\n")
    os.close(writing)
    assert read_log(f"/dev/fd/{reading}") == ["one"]
    os.close(reading)
