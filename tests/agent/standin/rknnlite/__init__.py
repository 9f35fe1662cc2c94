"""A stand-in for rknn-toolkit-lite2 in the agent's tests; it never ships."""
