"""What the messages of runtime, RKNNLite, kernel and converter mean, and what to do: `match(lines)`."""

from __future__ import annotations

from rkbench.catalogue.facts import BoardState, state_of_board
from rkbench.catalogue.log_search import searchable
from rkbench.catalogue.match import Diagnosis, harmless_in, is_harmless, match
from rkbench.catalogue.rows import RK35XX, SCOPES, Row, rows

__all__ = [
    "RK35XX",
    "SCOPES",
    "BoardState",
    "Diagnosis",
    "Row",
    "harmless_in",
    "is_harmless",
    "match",
    "rows",
    "searchable",
    "state_of_board",
]
