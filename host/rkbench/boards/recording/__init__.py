"""`bench boards record`: a board as a tree of files, for tests and for reports."""
