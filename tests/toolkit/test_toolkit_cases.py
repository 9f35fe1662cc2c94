"""Small networks of one cause each, and cured: every lead after a conversion for each SoC and dtype.

`tests/data/cases/leads.tsv` holds size and lead of all of them (rknn-toolkit2 2.5.0). What a cured network
still has are the causes that every file of the SoC has some of.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rkbench.inspect.causes import find_causes
from rkbench.rknn import open_model
from toolkit_jobs import Convert

CASES = Path(__file__).parents[1] / "data/cases"
ROWS = tuple(csv.DictReader((CASES / "leads.tsv").read_text().splitlines(), delimiter="\t"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['name']}-{row['target']}-{row['dtype']}")
def test_the_lead_of_a_case_is_the_cause_that_owns_its_bytes(row: dict[str, str], convert: Convert) -> None:
    answer = convert(CASES / f"{row['name']}.onnx", row["target"], row["dtype"], samples=8)
    assert answer["size_bytes"] == pytest.approx(int(row["size_bytes"]), rel=0.01)
    with open_model(answer["output"]) as model:
        attribution = find_causes(model)
    assert attribution.lead == (None if row["lead"] == "-" else row["lead"])
