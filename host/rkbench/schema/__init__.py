"""The JSON Schemas of what rkbench writes: made from its dataclasses by `make schema`, never edited."""

from pathlib import Path

#: The folder of the schemas.
SCHEMAS = Path(__file__).parent
