"""`bench boards`: the inventory."""
