"""A static site of a whole store: boards, models, pushes, nights, trends, reports; no server searches it."""
