"""What is no readable .rknn is refused by its name."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import pytest
from rkbench.errors import ModelError
from rkbench.rknn import describe, identify, open_model
from rknn_writer import MODELS, SHARED_MODELS, small_spec, write_container, write_model

RKNN1_JSON = json.dumps({"target_platform": ["RK1808"], "version": "1.7.5", "nodes": [{}, {}]}).encode()
REFUSED = {
    "encrypted": (b"CYPTRKNN" + bytes(64), "encrypted .rknn"),
    "rknn3": (b"RKNX" + bytes(200), "RKNN3 model"),
    "flatbuffer": (b"\x08\0\0\0RKNN" + bytes(64), "bare RKNN FlatBuffer"),
    "openvx": (b"VPMN" + bytes(64), "OpenVX network binary"),
    "lfs-pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
        "Git LFS pointer",
    ),
    "html": (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "json-sidecar": (b'{"name": "rknn", "nodes": [], "network_platform": 1}', "JSON part of a .rknn"),
    "json": (b'{"error": "no such file"}', "JSON text"),
    "gzip": (gzip.compress(b"model", mtime=0), "gzip-compressed"),
    "compressed": (b"\xfd7zXZ\0" + bytes(32), "compressed file"),
    "zip": (b"PK\x03\x04" + bytes(32), "ZIP archive"),
    "elf": (b"\x7fELF" + bytes(64), "ELF program"),
    "gguf": (b"GGUF" + bytes(64), "GGUF language model"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(64), "TensorFlow Lite model"),
    "onnx": (b"\x08\x08\x3a\xd6\xaf\x04\x0a\x27" + bytes(64), "ONNX model"),
    "text": (b"Not Found", "text file"),
    "empty": (b"", "empty file"),
    "unknown": (b"\xde\xad\xbe\xef" * 8, "no .rknn file"),
    "truncated": (b"RKNN\0\0\0\0\x06", "cut off after 9 bytes"),
    "rknn-newer": (write_container(7, b"\x08\0\0\0RKNN" + bytes(64), b"{}"), "container version 7"),
    "rknn-unknown-payload": (write_container(6, bytes(64), b"{}"), "payload of unknown kind"),
    "rknn1-precompiled": (write_container(1, b"VPMN" + bytes(96), RKNN1_JSON), "RKNN1 model (pre-compiled"),
    "rknn1": (write_container(1, bytes(96), RKNN1_JSON), "RKNN1 model (not pre-compiled"),
    "rknn1-empty": (write_container(2, b"", RKNN1_JSON), "RKNN1 model (without weights"),
}


@pytest.mark.parametrize(("kind", "data", "words"), [(kind, *value) for kind, value in REFUSED.items()])
def test_each_mistaken_file_is_refused_by_name(kind: str, data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.rknn"
    path.write_bytes(data)
    assert identify(path).kind == kind
    with pytest.raises(ModelError) as caught:
        open_model(path)
    error = caught.value
    assert words in error.message
    assert error.hint
    assert error.field
    assert error.offset is not None


def test_a_language_model_is_told_by_its_name_whatever_its_first_bytes(tmp_path: Path) -> None:
    for head in (b"GGUF", b"\x93\x07\x11\xfe"):
        path = tmp_path / "Qwen.RKLLM"
        path.write_bytes(head + bytes(300))
        with pytest.raises(ModelError, match="is an RKLLM language model") as refusal:
            open_model(path)
        assert refusal.value.hint.startswith("rkllm-runtime runs it")
    path = tmp_path / "model.rkllm"
    path.write_bytes(write_model(small_spec()))
    assert identify(path).readable


def test_rknn1_is_described_with_target_and_toolkit(tmp_path: Path) -> None:
    path = tmp_path / "model.rknn"
    path.write_bytes(REFUSED["rknn1-precompiled"][0])
    assert identify(path).details == {
        "container": "0x1",
        "target": "RK1808",
        "toolkit": "1.7.5",
        "nodes": "2",
    }
    assert describe(path).startswith("an RKNN1 model (pre-compiled; RK1808, RK3399Pro, RV1109 or RV1126)")
    assert "target RK1808" in describe(path)


def test_rknn1_with_damaged_json_is_still_named(tmp_path: Path) -> None:
    path = tmp_path / "model.rknn"
    path.write_bytes(write_container(1, b"VPMN" + bytes(96), b"[1, 2"))
    assert identify(path).details == {"container": "0x1"}


def test_a_readable_file_is_described_too(tmp_path: Path) -> None:
    path = tmp_path / "model.rknn"
    path.write_bytes(write_model(small_spec()))
    assert identify(path).readable
    assert describe(path) == "a .rknn file (container 0x6)"


@pytest.mark.parametrize("name", ["chshuffle6", "dw_dilated", "dwm_c512_m2", "g1_c512_cpg4"])
def test_an_onnx_file_given_by_mistake_is_named(name: str) -> None:
    assert identify(MODELS / f"{name}.onnx").kind == "onnx"


@pytest.mark.skipif(not SHARED_MODELS.exists(), reason="../shared/data/models is not here")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("git_lfs_pointer", "lfs-pointer"),
        ("rknn1_multi_input_rk1808", "rknn1-precompiled"),
        ("rknn1_resize_area_jsononly", "rknn1-empty"),
        ("mini_rv1103_container0x1004", "rknn-mini"),
    ],
)
def test_real_files_are_identified(name: str, kind: str) -> None:
    assert identify(SHARED_MODELS / "real" / f"{name}.rknn").kind == kind


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        open_model(tmp_path / "none.rknn")
    with pytest.raises(ModelError, match="no regular file") as caught:
        open_model(tmp_path)
    assert caught.value.hint == "name a .rknn or an ONNX"


def test_a_container_that_claims_four_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.rknn"
    data = bytearray(write_model(small_spec()))
    struct.pack_into("<Q", data, 16, 1 << 32)
    path.write_bytes(data)
    with pytest.raises(ModelError, match="payload of 4294967296 bytes") as caught:
        open_model(path)
    assert (caught.value.offset, caught.value.field) == (16, "payload_size")
