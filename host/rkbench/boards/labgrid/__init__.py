"""Boards of a labgrid lab: places of its coordinator, acquired while they are used."""
