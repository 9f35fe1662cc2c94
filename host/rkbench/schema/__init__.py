"""The JSON Schemas of what rkbench writes."""

from pathlib import Path

#: The folder of the schemas.
SCHEMAS = Path(__file__).parent
