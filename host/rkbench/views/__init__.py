"""How results are shown: console, JSON, CSV."""
