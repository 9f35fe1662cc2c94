"""The rkbench agent: runs on the board, imports nothing from the host, needs Python >= 3.8."""

__version__ = "0.1.0"
