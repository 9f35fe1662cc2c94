"""Outputs of a .rknn without a board: its register commands, executed with numpy."""
