"""The agent on its way to a board: zipapp, boot script, its line, and the files that it is given."""
