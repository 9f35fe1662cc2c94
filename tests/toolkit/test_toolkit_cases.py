"""Small networks of one cause each, and cured: every lead after a conversion for each SoC and dtype.

`tests/data/cases/leads.tsv` holds size and lead of all of them (rknn-toolkit2 2.5.0). What a cured network
still has are the causes that every file of the SoC has some of.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rkbench.inspection.causes import Attribution, find_causes
from rkbench.rknn import open_model
from toolkit_jobs import Convert

CASES = Path(__file__).parents[1] / "data/cases"
ROWS = {
    (row["name"], row["target"], row["dtype"]): row
    for row in csv.DictReader((CASES / "leads.tsv").read_text().splitlines(), delimiter="\t")
}
CURED = "_cured"
NOTABLE_RATIO = 0.02
OWNED_RATIO = 0.49
"""Of what a cure saves where it saves a notable share of the file: the bytes of the named cause that go."""


def lead_of(key: tuple[str, str, str], convert: Convert) -> tuple[int, Attribution]:
    """Return the size of a case and who owns its bytes; it must be as it was measured."""
    row, (name, target, dtype) = ROWS[key], key
    answer = convert(CASES / f"{name}.onnx", target, dtype, samples=8)
    assert answer["size_bytes"] == pytest.approx(int(row["size_bytes"]), rel=0.01)
    with open_model(answer["output"]) as model:
        attribution = find_causes(model)
    assert attribution.lead == (None if row["lead"] == "-" else row["lead"])
    return answer["size_bytes"], attribution


def bytes_of(code: str | None, attribution: Attribution) -> int:
    """Return what a cause owns."""
    return sum(cause.bytes for cause in attribution.causes if cause.code == code)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("key", [key for key in ROWS if not key[0].endswith(CURED)], ids="-".join)
def test_the_lead_of_a_case_owns_the_bytes_that_go_with_its_cure(
    key: tuple[str, str, str], convert: Convert
) -> None:
    size, before = lead_of(key, convert)
    cured = (key[0] + CURED, *key[1:])
    if cured not in ROWS:
        return
    cured_size, after = lead_of(cured, convert)
    gone = bytes_of(before.lead, before) - bytes_of(before.lead, after)
    if size - cured_size > NOTABLE_RATIO * size:
        assert gone >= OWNED_RATIO * (size - cured_size)
