"""Stored runs as a page, a picture, Markdown or a trace: what one sends to a colleague."""
