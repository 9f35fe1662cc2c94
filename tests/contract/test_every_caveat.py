"""Every caveat that there is has a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

from advice_words import ROOT
from rkbench_agent.wire.caveats import WEIGHTS

#: Said by agents of before the virtual NPU had cores; no agent of today does.
NO_MORE_SAID = {"cores_not_modelled"}
TESTS = ROOT / "tests"


def test_every_caveat_is_named_by_a_test() -> None:
    files = [path for path in TESTS.rglob("*.py") if path != Path(__file__)]
    named = re.findall(r"[\"']([a-z0-9_]+)[\"']", "\n".join(path.read_text("utf-8") for path in files))
    assert WEIGHTS.keys() - set(named) == NO_MORE_SAID
