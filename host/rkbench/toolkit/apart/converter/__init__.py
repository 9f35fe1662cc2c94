"""One conversion: `python -m converter`, with `apart` on the path."""
