"""Boards: where they are (inventory), how to reach them (SSH), how files get there, and virtual ones."""
