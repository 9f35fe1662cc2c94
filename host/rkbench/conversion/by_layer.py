"""The vendor's own error of each layer (`accuracy_analysis`), read from the table that it writes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rkbench.variants.conversion_record import VendorLayerError

#: Below it a layer is bad by itself; that of layers of sound int8 models is above 0.9999.
BAD_COSINE = 0.99
_ROW = re.compile(
    r"\[(?P<op>[^\]]+)\] (?P<name>\S+)\s+(?P<entire>[\d.+-eE]+|nan) \| (?P<entire_euc>\S+)"
    r"\s+(?P<single>[\d.+-eE]+|nan) \| (?P<single_euc>\S+)"
)


def read_analysis(text: str) -> tuple[VendorLayerError, ...]:
    """Return the layers of `error_analysis.txt` that have figures: what is fused has those of its last."""
    found = []
    for line in text.splitlines():
        if row := _ROW.match(line.strip()):
            numbers = (float(row[name]) for name in ("entire", "entire_euc", "single", "single_euc"))
            found.append(VendorLayerError(row["name"], row["op"], *numbers))
    return tuple(found)


def first_bad(layers: Sequence[VendorLayerError]) -> VendorLayerError | None:
    """Return the first layer that is bad by itself; one whose cosine is no number is. None: none is."""
    return next((layer for layer in layers if not layer.own_cosine >= BAD_COSINE), None)
