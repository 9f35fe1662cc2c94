"""A night, shown: terminal, Markdown, JUnit, JSON."""
