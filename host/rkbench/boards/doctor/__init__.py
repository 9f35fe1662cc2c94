"""What a board lacks for running models: one check a line, from what its agent tells."""
