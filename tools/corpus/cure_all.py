"""Apply the rewrites of `bench fix` to the real networks of the corpus, convert each result, keep the sizes.

    .venv/bin/python tools/corpus/cure_all.py CORPUS --toolkit-python PYTHON [--only PATTERN]
    .venv/bin/python tools/corpus/cure_all.py CORPUS --keep
    .venv/bin/python tools/corpus/cure_table.py

For each network whose plain conversion is known (`data/sizes.tsv`, or CORPUS), each target and dtype: every
rewrite alone that proposes something there (or, to see what its rule leaves out, for another target or
dtype), all of them together, and what `bench fix` itself would do; for one that the converter refused, the
last alone. Every result is verified against the original with onnxruntime. An outcome is a JSON in
CORPUS/cures/VERSION, named by digests of the ONNX and of the rewrites' sources; a finished one is never made
again, so the run can be stopped and started at will, and new rules are new outcomes. A rewritten ONNX that
equals another is converted once, whatever rules made it: `data/cures.tsv` and CORPUS/cures/VERSION/converted
know it. Small networks come first; those that are held back are left out, for nobody looks at them before
they are judged. `--keep` puts the outcomes of each network by its last rules into `data/cures.tsv`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import rkbench.onnx
from convert_all import COMBINATIONS, LIMIT_S, digest, onnx_path, turn
from cure_table import CURES, columns_of, cured_key, cured_rows
from kept import kept_rows, write_rows
from networks import Network, networks
from rkbench.errors import BenchError, ConversionError
from rkbench.onnx import FixReport, fix, open_onnx
from rkbench.onnx.rewrites import ALL, Rewrite
from rkbench.onnx.rewriting import context_of, first_proposals
from rkbench.toolkit.environment import given_environment
from rkbench.toolkit.jobs import ConversionJob, Limits, run_job

VERSION = "2.5.0"
WALL_TIMES = 3
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One conversion to be made: a network with a variant of rewrites, for a target and dtype."""

    network: Network
    target: str
    dtype: str
    variant: str
    """A rewrite's name, `all` or `fix`."""
    rewrites: tuple[Rewrite, ...]
    proposed_for: tuple[str, str]
    """Target and dtype for which the rewrites are applied."""

    @property
    def name(self) -> str:
        """Of its outcome, without digests."""
        return f"{self.network.name}.{self.target}.{self.dtype}.{self.variant}"


def main() -> int:
    """Make every outcome that is not there yet, or keep them in the project."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--toolkit-python", type=Path, help="of an environment with rknn-toolkit2")
    parser.add_argument("--limit", type=int, default=LIMIT_S, help="seconds of CPU for one, %(default)s")
    parser.add_argument("--only", default="*", help="networks whose names match")
    parser.add_argument("--keep", action="store_true", help="add the outcomes to data/cures.tsv")
    options = parser.parse_args()
    if options.keep:
        keep(options.corpus)
        return 0
    for network in ordered(options.corpus):
        if fnmatch(network.name, options.only):
            cure(options.corpus, network, options.toolkit_python, options.limit)
    return 0


def ordered(corpus: Path) -> list[Network]:
    """Return the real networks that have an ONNX and are not held back, small ones first."""
    real = [network for network in networks() if network.is_real and network.half == "fit"]
    made = [network for network in real if onnx_path(corpus, network).exists()]
    return sorted(made, key=lambda network: turn(corpus, (network, COMBINATIONS[0])))


def cure(corpus: Path, network: Network, python: Path, limit_s: int) -> None:
    """Convert a network with each variant that has no outcome yet."""
    for job in jobs(corpus, network):
        path = outcome_path(corpus, job)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            outcome = run(corpus, job, python, limit_s)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(outcome, indent=1) + "\n")
            part.replace(path)
            print(
                job.name,
                outcome.get("size_bytes") or str(outcome.get("error", "nothing to fix"))[:120],
                flush=True,
            )


def jobs(corpus: Path, network: Network) -> Iterator[Job]:
    """Yield what is to be converted of a network: only where the outcome of its plain conversion is there."""
    tried = [each for each in COMBINATIONS if plain_outcome(corpus, network, *each) is not None]
    found = proposals(corpus, network) if tried else {}
    for target, dtype in tried:
        own = [rewrite for rewrite in ALL if (target, dtype) in found.get(rewrite.name, ())]
        if plain_size(corpus, network, target, dtype) is None:
            if any(rewrite.lifts_refusal for rewrite in own):
                yield Job(network, target, dtype, "fix", ALL, (target, dtype))
            continue
        for rewrite in ALL:
            places = found.get(rewrite.name, ())
            if places:
                place = (target, dtype) if rewrite in own else places[0]
                yield Job(network, target, dtype, rewrite.name, (rewrite,), place)
        if own:
            yield Job(network, target, dtype, "fix", ALL, (target, dtype))
            yield Job(network, target, dtype, "all", ALL, (target, dtype))


def proposals(corpus: Path, network: Network) -> dict[str, list[tuple[str, str]]]:
    """Return for which target and dtype each rewrite proposes something."""
    opened, found = open_onnx(onnx_path(corpus, network), shapes_of(network)), defaultdict(list)
    for (target, dtype), rewrite in ((each, rewrite) for each in COMBINATIONS for rewrite in ALL):
        if not opened.is_quantized and first_proposals(context_of(opened, target, dtype), (rewrite,)):
            found[rewrite.name].append((target, dtype))
    return dict(found)


def shapes_of(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the input shapes that a network is converted with, where its ONNX leaves them open."""
    return {name: tuple(shape) for name, shape in network.shapes.items()}


def plain_outcome(corpus: Path, network: Network, target: str, dtype: str) -> Outcome | None:
    """Return what the plain conversion came to, a line of sizes.tsv or an outcome; None where it is open."""
    kept = kept_outcomes().get((network.name, target, dtype))
    if kept is not None:
        return kept
    stem = f"{digest(network, onnx_path(corpus, network))[:16]}.{network.name}.{target}.{dtype}"
    path = corpus / "outcomes" / VERSION / f"{stem}.json"
    return json.loads(path.read_text()) if path.exists() else None


@cache
def kept_outcomes() -> dict[tuple[str, str, str], Outcome]:
    """Return the lines of sizes.tsv of this toolkit by network, target and dtype."""
    rows = (row for row in kept_rows() if row["toolkit_version"] == VERSION)
    return {(row["network"], row["target"], row["dtype"]): row for row in rows}


def plain_size(corpus: Path, network: Network, target: str, dtype: str) -> int | None:
    """Return the size of the plain conversion; None where there is none."""
    size = (plain_outcome(corpus, network, target, dtype) or {}).get("size_bytes")
    return int(size) if size else None


def outcome_path(corpus: Path, job: Job) -> Path:
    """Return where the outcome of a job lies."""
    onnx = digest(job.network, onnx_path(corpus, job.network))[:12]
    return corpus / "cures" / VERSION / f"{onnx}.{rules_digest()}.{job.name}.json"


@cache
def rules_digest() -> str:
    """Return a digest of the sources that decide what is rewritten, as they were when this began."""
    root = Path(rkbench.onnx.__file__).parent
    sources = sorted((root / "rewrites").glob("*.py"))
    data = b"".join(
        path.read_bytes()
        for path in (*sources, *(root / name for name in ("fixing.py", "whole.py", "preparing.py")))
    )
    return hashlib.sha256(data).hexdigest()[:8]


def run(corpus: Path, job: Job, python: Path, limit_s: int) -> Outcome:
    """Rewrite, verify and convert; every end is an outcome."""
    facts = {"network": job.network.name, "target": job.target, "dtype": job.dtype, "variant": job.variant}
    facts["proposed_for"] = "/".join(job.proposed_for)
    with tempfile.TemporaryDirectory(prefix="rkbench-cures-", dir=corpus) as folder:
        cured = Path(folder) / "cured.onnx"
        source = onnx_path(corpus, job.network)
        try:
            judges = job.variant == "fix"
            report = fix(
                source,
                *job.proposed_for,
                cured,
                input_shapes=shapes_of(job.network),
                rewrites=job.rewrites,
                judges_whole=judges,
            )
        except BenchError as error:
            return {**facts, "error": f"fix: {error}"}
        if report.written is None:
            plain = plain_size(corpus, job.network, job.target, job.dtype)
            return {**facts, "changes": {}, "size_bytes": plain}
        return {**facts, **said(report, job), **converted(corpus, job, cured, python, limit_s)}


def said(report: FixReport, job: Job) -> Outcome:
    """Return what `bench fix` says of its result."""
    counts: dict[str, int] = defaultdict(int)
    for change in report.changes:
        counts[change.rewrite] += 1
    own = (job.target, job.dtype) == job.proposed_for
    difference = report.verification.relative_difference if report.verification else None
    predicted = {"predicted_before": report.before.file_bytes, "predicted_after": report.after.file_bytes}
    return {"changes": dict(counts), "relative_difference": difference, **(predicted if own else {})}


def converted(corpus: Path, job: Job, onnx: Path, python: Path, limit_s: int) -> Outcome:
    """Return the converter's answer for a rewritten ONNX, asked once for the same bytes."""
    sha256 = hashlib.sha256(onnx.read_bytes()).hexdigest()[:16]
    kept = kept_conversions().get((sha256, job.target, job.dtype))
    if kept is not None:
        return {"cured_sha256": sha256, "size_bytes": kept}
    known = corpus / "cures" / VERSION / "converted" / f"{sha256}.{job.target}.{job.dtype}.json"
    if not known.exists():
        asked = ConversionJob(onnx, job.target, job.dtype, samples=1, input_shapes=job.network.shapes)
        limits = Limits(WALL_TIMES * limit_s)
        try:
            answer: Outcome = {"size_bytes": run_job(given_environment(python), asked, limits).size_bytes}
        except ConversionError as error:
            answer = {"stage": error.stage, "error": error.message}
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(answer) + "\n")
    return {"cured_sha256": sha256, **json.loads(known.read_text())}


@cache
def kept_conversions() -> dict[tuple[str, str, str], int]:
    """Return the sizes in cures.tsv by digest of the rewritten ONNX, target and dtype."""
    rows = (row for row in cured_rows() if row["toolkit_version"] == VERSION)
    converted = (row for row in rows if row["cured_sha256"] and row["size_bytes"])
    return {(row["cured_sha256"], row["target"], row["dtype"]): int(row["size_bytes"]) for row in converted}


def keep(corpus: Path) -> None:
    """Keep the newest outcomes in the project: a network that newer rules have changed loses its older lines.

    What older rules changed there need not be a variant of the newer ones any more.
    """
    rows = {cured_key(row): row for row in cured_rows()}
    for network in ordered(corpus):
        found = newest_outcomes(corpus, network)
        if found:
            rows = {key: row for key, row in rows.items() if (key[0], key[-1]) != (network.name, VERSION)}
        for path in found:
            outcome = json.loads(path.read_text())
            plain = plain_size(corpus, network, outcome["target"], outcome["dtype"])
            facts = {"toolkit_version": VERSION, "plain_bytes": plain, "rules": rules_of(path)}
            row = columns_of({**outcome, **facts})
            rows[cured_key(row)] = row
    write_rows(CURES, tuple(next(iter(rows.values()))), [rows[key] for key in sorted(rows)])
    print(f"{len(rows)} outcomes of {len({row['network'] for row in rows.values()})} networks")


def newest_outcomes(corpus: Path, network: Network) -> list[Path]:
    """Return the outcomes of a network by the rules that were applied to it last."""
    start = digest(network, onnx_path(corpus, network))[:12]
    found = list((corpus / "cures" / VERSION).glob(f"{start}.*.{network.name}.*.json"))
    last = max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
    return [path for path in found if last is not None and rules_of(path) == rules_of(last)]


def rules_of(path: Path) -> str:
    """Return the digest of the rules in an outcome's name."""
    return path.name.split(".")[1]


if __name__ == "__main__":
    sys.exit(main())
