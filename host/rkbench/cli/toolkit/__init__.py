"""`bench toolkit ...`: one file a command."""
