"""The sweep of the README, as it is typed there: a 3 MB ONNX that becomes 63 MB, and the variant to ship."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

ROOT = Path(__file__).parents[2]


# Two conversions with mmse take minutes.
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("target", "variants", "winner_bytes", "cause"),
    [("rk3588", 8, 9e6, "stored dense"), ("rk3568", 8, 3.3e6, "run as 1,664 small ones")],
)
def test_the_sweep_of_the_readme_names_a_small_and_exact_variant(
    tmp_path: Path, target: str, variants: int, winner_bytes: float, cause: str
) -> None:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    (line,) = re.findall(r"^\$ bench (sweep .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    words = shlex.split(line.replace("virtual:rk3588", f"virtual:{target}"))
    (tmp_path / words[1]).parent.mkdir(parents=True)
    shutil.copy(ROOT / words[1], tmp_path / words[1])  # its golden is written beside it
    done = run_bench(*words, "--store", "store.sqlite", "--json", "-", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    document = done.document
    found = {each["recipe"]: each for each in document["variants"]}
    print({name: (each["size_bytes"], each["cosine"]) for name, each in found.items()})
    assert len(found) >= variants
    assert cause in document["cause"]
    winner = found[document["winner"]]
    assert winner["size_bytes"] <= winner_bytes
    assert min(winner["cosine"], winner["simulator"][0]["cosine"]) >= 0.9995
    assert found["fix,int8-mmse"]["cosine"] >= 0.9999
    assert found["fix,int8-mmse"]["simulator"][0]["cases"] == 16
