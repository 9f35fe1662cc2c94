"""Gates of a nightly: what people write, what it means, and what it says of a measurement."""

from __future__ import annotations

PASS = "pass"
FAIL = "fail"
CANNOT_TELL = "can't tell"
NOT_MEASURED = "not measured"
STATES = (PASS, FAIL, CANNOT_TELL, NOT_MEASURED)
