"""The exporter of a board: its zipapp, and how it is installed and removed."""
