"""Boards: where they come from, how to reach them, how files get there. Imports nothing: nouns are cheap."""
