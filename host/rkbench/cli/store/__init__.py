"""`bench store ...`: the result store as a whole."""
