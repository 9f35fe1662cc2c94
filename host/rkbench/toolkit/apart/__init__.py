"""Programs for the Python of a toolkit: they import nothing of rkbench, and this folder is on their path."""
