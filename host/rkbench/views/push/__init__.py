"""A push, shown: terminal, JSON, CSV, progress."""
