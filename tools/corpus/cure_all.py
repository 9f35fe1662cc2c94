"""Apply the rewrites of `bench fix` to the real networks of the corpus, convert each result, keep the sizes.

    .venv/bin/python tools/corpus/cure_all.py CORPUS --toolkit-python PYTHON [--only PATTERN]
    .venv/bin/python tools/corpus/cure_all.py CORPUS --table

For each network that converts, each target and dtype: every rewrite alone that proposes something there (or,
to see what its rule leaves out, for another target or dtype), all of them together, and what `bench fix`
itself would do; for one that the converter refused, the last alone. Every result is verified against the
original with onnxruntime. An outcome is a JSON in
CORPUS/cures/VERSION, named by digests of the ONNX and of the rewrites' sources; a finished one is never made
again, so the run can be stopped and started at will, and new rules are new outcomes. The half that rules are
fitted on comes first, small networks first; the table is of that half alone.
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
from pathlib import Path
from typing import Any

import rkbench.onnx
from convert_all import COMBINATIONS, LIMIT_S, digest, onnx_path, turn
from networks import Network, networks
from rkbench.errors import BenchError, ConversionError
from rkbench.onnx import FixReport, fix, open_onnx
from rkbench.onnx.rewrites import ALL, Rewrite
from rkbench.onnx.rewriting import context_of, first_proposals
from rkbench.toolkit.environment import given_environment
from rkbench.toolkit.jobs import ConversionJob, Limits, run_job

VERSION = "2.5.0"
WALL_TIMES = 15
NOTABLE_RATIO = 0.02
"""A saving from this share of the file on is one that `bench fix` must find."""
REACHED_RATIO = 0.9
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
    """Make every outcome that is not there yet, or print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--toolkit-python", type=Path, help="of an environment with rknn-toolkit2")
    parser.add_argument("--limit", type=int, default=LIMIT_S, help="seconds of CPU for one, %(default)s")
    parser.add_argument("--only", default="*", help="networks whose names match")
    parser.add_argument("--table", action="store_true", help="print what is known")
    options = parser.parse_args()
    if options.table:
        print_table(options.corpus)
        return 0
    for network in ordered(options.corpus):
        if fnmatch(network.name, options.only):
            cure(options.corpus, network, options.toolkit_python, options.limit)
    return 0


def ordered(corpus: Path) -> list[Network]:
    """Return the real networks that have an ONNX, in the order of the plain conversions."""
    real = [network for network in networks() if network.is_real and onnx_path(corpus, network).exists()]
    return sorted(real, key=lambda network: turn(corpus, (network, COMBINATIONS[0])))


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
    """Return what the plain conversion came to; None where it was not tried yet."""
    stem = f"{digest(network, onnx_path(corpus, network))[:16]}.{network.name}.{target}.{dtype}"
    path = corpus / "outcomes" / VERSION / f"{stem}.json"
    return json.loads(path.read_text()) if path.exists() else None


def plain_size(corpus: Path, network: Network, target: str, dtype: str) -> int | None:
    """Return the size of the plain conversion; None where there is none."""
    size = (plain_outcome(corpus, network, target, dtype) or {}).get("size_bytes")
    return int(size) if size else None


def outcome_path(corpus: Path, job: Job) -> Path:
    """Return where the outcome of a job lies."""
    onnx = digest(job.network, onnx_path(corpus, job.network))[:12]
    return corpus / "cures" / VERSION / f"{onnx}.{rules_digest()}.{job.name}.json"


def rules_digest() -> str:
    """Return a digest of the sources that decide what is rewritten."""
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
        return {**facts, **said(report, job), **converted(job, cured, python, limit_s)}


def said(report: FixReport, job: Job) -> Outcome:
    """Return what `bench fix` says of its result."""
    counts: dict[str, int] = defaultdict(int)
    for change in report.changes:
        counts[change.rewrite] += 1
    own = (job.target, job.dtype) == job.proposed_for
    difference = report.verification.relative_difference if report.verification else None
    predicted = {"predicted_before": report.before.file_bytes, "predicted_after": report.after.file_bytes}
    return {"changes": dict(counts), "relative_difference": difference, **(predicted if own else {})}


def converted(job: Job, onnx: Path, python: Path, limit_s: int) -> Outcome:
    """Return the converter's answer for a rewritten ONNX."""
    asked = ConversionJob(onnx, job.target, job.dtype, samples=1, input_shapes=job.network.shapes)
    try:
        return {
            "size_bytes": run_job(given_environment(python), asked, Limits(WALL_TIMES * limit_s)).size_bytes
        }
    except ConversionError as error:
        return {"stage": error.stage, "error": error.message}


def print_table(corpus: Path) -> None:
    """Print the sizes of every combination, and how often `bench fix` finds the best."""
    rows = [row for network in ordered(corpus) if network.half == "fit" for row in read_rows(corpus, network)]
    for row in rows:
        variants = ", ".join(f"{name} {size / row['plain']:.3f}" for name, size in row["sizes"].items())
        print(f"{row['name']:44s} {row['plain']:11,d}  {variants}{row['refused']}")
    worth = [row for row in rows if min(row["sizes"].values()) < row["plain"] * (1 - NOTABLE_RATIO)]
    reached = [row for row in worth if row["saved"] >= REACHED_RATIO * row["best"]]
    grown = [row["name"] for row in rows if row["sizes"].get("fix", 0) > row["plain"]]
    differences = [row["difference"] for row in rows if row["difference"] is not None]
    near = [row["near"] for row in rows if row["near"] is not None]
    print(f"combinations: {len(rows)} of {len({row['name'].split('.')[0] for row in rows})} networks")
    print(f"more than {NOTABLE_RATIO:.0%} can be saved: {len(worth)}; nine tenths of it are: {len(reached)}")
    print(f"missed: {', '.join(row['name'] for row in worth if row not in reached) or 'none'}")
    print(f"grown by bench fix: {', '.join(grown) or 'none'}")
    print(f"largest relative difference: {max(differences, default=0):.2g}")
    print(f"predicted size after within 10 %: {sum(near)} of {len(near)}")
    cured = [size for network in ordered(corpus) for size in cured_refusals(corpus, network)]
    print(f"refused as they are: {len(cured)} that bench fix changes; convert then: {sum(map(bool, cured))}")


def read_rows(corpus: Path, network: Network) -> Iterator[dict[str, Any]]:
    """Yield what is known of a network with the rules of now, one row a target and dtype."""
    start = f"{digest(network, onnx_path(corpus, network))[:12]}.{rules_digest()}.{network.name}"
    for target, dtype in COMBINATIONS:
        plain = plain_size(corpus, network, target, dtype)
        paths = sorted((corpus / "cures" / VERSION).glob(f"{start}.{target}.{dtype}.*.json"))
        found = {path.stem.split(".")[-1]: json.loads(path.read_text()) for path in paths}
        sizes = {name: one["size_bytes"] for name, one in found.items() if one.get("size_bytes")}
        if plain is not None and sizes:
            yield {"name": f"{network.name}.{target}.{dtype}", "plain": plain, **_facts(plain, found, sizes)}


def cured_refusals(corpus: Path, network: Network) -> Iterator[int | None]:
    """Yield the size that each refused conversion of a network has after `bench fix`; None where it still has
    none."""
    start = f"{digest(network, onnx_path(corpus, network))[:12]}.{rules_digest()}.{network.name}"
    for target, dtype in COMBINATIONS if network.half == "fit" else ():
        path = corpus / "cures" / VERSION / f"{start}.{target}.{dtype}.fix.json"
        if plain_size(corpus, network, target, dtype) is None and path.exists():
            yield json.loads(path.read_text()).get("size_bytes")


def _facts(plain: int, found: dict[str, Outcome], sizes: dict[str, int]) -> dict[str, Any]:
    fixed, own = sizes.get("fix", plain), found.get("fix", {})
    after = own.get("predicted_after")
    refused = [name for name in found if name not in sizes]
    return {
        "sizes": sizes,
        "best": plain - min(sizes.values()),
        "saved": plain - fixed,
        "difference": max((one.get("relative_difference") or 0 for one in found.values()), default=None),
        "near": abs(after / fixed - 1) <= 0.1 if after and "fix" in sizes else None,
        "refused": f"; refused: {', '.join(refused)}" if refused else "",
    }


if __name__ == "__main__":
    sys.exit(main())
