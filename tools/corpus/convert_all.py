"""Convert the corpus with one version of rknn-toolkit2, one network after the other, and keep every outcome.

    TOOLKIT_PYTHON tools/corpus/convert_all.py CORPUS [--limit SECONDS] [--wait] [--only PATTERN]

Real networks come first, small ones before large ones, each for the rk3588 in fp16 before the other
combinations of target and dtype. An outcome is a JSON in CORPUS/outcomes/VERSION, named by the digest of the
ONNX, its input shapes, target and dtype; a finished one is never made again, so the run can be stopped and
started at will. What `data/sizes.tsv` holds of this toolkit is not made again either, so a new CORPUS only
takes what is missing (`--again` makes it all the same). A refusal is an outcome, with the
converter's own sentence; so is computing longer than the limit (of the process, not of the clock: the machine
may be busy). Files lie in CORPUS/rknn/VERSION.
`--wait` goes on looking for new ONNX files until CORPUS/onnx/COMPLETE is there.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kept import Key, kept_rows, key_of
from networks import Network, networks

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "host/rkbench/toolkit/apart"))

from converter import convert

COMBINATIONS = (("rk3588", "fp16"), ("rk3588", "int8"), ("rk3568", "fp16"), ("rk3568", "int8"))
LIMIT_S = 400
WALL_TIMES = 15
"""A conversion that neither ends nor computes is given up after so many limits of the clock."""
LOOK_AGAIN_S = 20
WORDS_KEPT = 1200
Outcome = dict[str, Any]


def main() -> int:
    """Convert what has no outcome yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, default=LIMIT_S, help="seconds of CPU for one, %(default)s")
    parser.add_argument("--only", default="*", help="networks whose names match, such as 'op_*'")
    parser.add_argument("--wait", action="store_true", help="go on until CORPUS/onnx/COMPLETE is there")
    parser.add_argument("--again", action="store_true", help="also what data/sizes.tsv holds already")
    options = parser.parse_args()
    kept = frozenset(() if options.again else map(key_of, kept_rows()))
    convert.import_toolkit()  # read once, before each conversion has a process of its own
    toolkit = version("rknn-toolkit2")
    while True:
        job = next(open_jobs(options.corpus, toolkit, options.only, kept), None)
        if job is not None:
            run(*job, options.limit)
        elif not options.wait or (options.corpus / "onnx/COMPLETE").exists():
            return 0
        else:
            time.sleep(LOOK_AGAIN_S)


def open_jobs(
    corpus: Path, toolkit: str, pattern: str, kept: frozenset[Key]
) -> Iterator[tuple[Network, Path, Path, Path, str, str]]:
    """Yield network, ONNX, outcome, .rknn, target and dtype of what is to be done."""
    for network, (target, dtype) in sorted(
        itertools.product(networks(), COMBINATIONS), key=partial(turn, corpus)
    ):
        onnx = onnx_path(corpus, network)
        if (network.name, toolkit, target, dtype) in kept:
            continue
        if onnx.exists() and fnmatch(network.name, pattern):
            stem = f"{network.name}.{target}.{dtype}"
            outcome = corpus / "outcomes" / toolkit / f"{digest(network, onnx)[:16]}.{stem}.json"
            if not outcome.exists():
                yield network, onnx, outcome, corpus / "rknn" / toolkit / f"{stem}.rknn", target, dtype


def turn(corpus: Path, job: tuple[Network, tuple[str, str]]) -> tuple[Any, ...]:
    """Return what orders the jobs: real before synthetic, small ones first."""
    network, combination = job
    onnx = onnx_path(corpus, network)
    size = onnx.stat().st_size if onnx.exists() else 0
    return not network.is_real, size * (1 + 0.5 * COMBINATIONS.index(combination))


def onnx_path(corpus: Path, network: Network) -> Path:
    """Return where the ONNX of a network lies."""
    return corpus / "onnx" / f"{network.name}.onnx"


def digest(network: Network, onnx: Path) -> str:
    """Return the SHA-256 of an ONNX and the shapes that it is converted with, by the file's age and size."""
    facts = onnx.stat()
    key = (str(onnx), facts.st_mtime_ns, facts.st_size)
    if key not in DIGESTS:
        DIGESTS[key] = hashlib.sha256(onnx.read_bytes() + json.dumps(network.shapes).encode()).hexdigest()
    return DIGESTS[key]


DIGESTS: dict[tuple[str, int, int], str] = {}


def run(
    network: Network, onnx: Path, outcome: Path, output: Path, target: str, dtype: str, limit_s: int
) -> None:
    """Convert one network in a process of its own and write its outcome."""
    for folder in (outcome.parent, output.parent):
        folder.mkdir(parents=True, exist_ok=True)
    job = {"onnx": str(onnx), "target": target, "dtype": dtype, "output": str(output), "samples": 1}
    job["input_shapes"] = network.shapes  # type: ignore[assignment]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rkbench-corpus-") as folder:
        answer = converted(job, Path(folder), limit_s)
    facts = {"network": network.name, "target": target, "dtype": dtype, "input_shapes": network.shapes}
    facts["toolkit_version"] = version("rknn-toolkit2")
    facts["onnx_sha256"] = digest(network, onnx)
    text = json.dumps({**facts, **answer, "wall_s": round(time.monotonic() - start, 1)}, indent=1)
    part = outcome.with_suffix(".part")
    part.write_text(text + "\n")
    part.replace(outcome)
    print(network.name, target, dtype, answer.get("size_bytes") or answer["error"][:120], flush=True)


def converted(job: dict[str, Any], folder: Path, limit_s: int) -> Outcome:
    """Return the converter's answer; a process that does not answer is ended, and that is its outcome."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        _convert_and_exit(job, folder)
    deadline = time.monotonic() + WALL_TIMES * limit_s
    late: Outcome = {"ok": False, "stage": "build", "error": f"no end after {limit_s} s of CPU", "words": []}
    ended, status = 0, 0
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return late
        time.sleep(0.1)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return late
    words = own_words(folder / "log")
    try:
        answer: Outcome = json.loads((folder / "answer").read_text())
    except FileNotFoundError:
        return {"ok": False, "stage": "build", "error": "the converter's process died", "words": words}
    return answer if answer["ok"] else {**answer, "words": words}


def _convert_and_exit(job: dict[str, Any], folder: Path) -> None:
    """Be the process of one conversion: all it prints goes to `folder`/log."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    try:
        answer = convert.convert(job, folder)
    except convert.StageError as error:
        answer = {"ok": False, "stage": error.stage, "error": str(error)[:WORDS_KEPT]}
    (folder / "answer").write_text(json.dumps(answer))
    os._exit(0)


def own_words(log: Path) -> list[str]:
    """Return the lines of a log in which the converter says what is wrong."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace")) if log.exists() else ""
    said = [line.strip() for line in text.splitlines() if re.match(r"\s*(E |ERROR|\w*Error\b)", line)]
    return [line[:WORDS_KEPT] for line in dict.fromkeys(said)][-12:]


if __name__ == "__main__":
    sys.exit(main())
