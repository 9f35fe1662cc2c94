"""Where the toolkit keeps its package; this one is ours, for tests."""
