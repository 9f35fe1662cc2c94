"""An inspection, shown: terminal, JSON, page."""
