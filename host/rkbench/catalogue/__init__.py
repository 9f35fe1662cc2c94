"""What the messages of runtime, RKNNLite and kernel mean, and what to do: `match(lines)`."""

from __future__ import annotations

from rkbench.catalogue.match import Diagnosis, is_harmless, match
from rkbench.catalogue.rows import RK35XX, SCOPES, Row, rows

__all__ = ["RK35XX", "SCOPES", "Diagnosis", "Row", "is_harmless", "match", "rows"]
