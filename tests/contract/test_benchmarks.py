"""`python -m benchmarks` as it is typed."""

from __future__ import annotations

import subprocess
import sys


def test_a_benchmark_that_is_none_is_a_usage_error_which_names_those_there_are() -> None:
    words = [sys.executable, "-m", "benchmarks", "startup", "WRONG"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("no benchmark 'WRONG'; there are: overhead, ")
    assert "Traceback" not in done.stderr
