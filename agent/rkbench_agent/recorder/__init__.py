"""The recorder: what a board tells of itself, without whose it is. A program of its own beside the agent."""
