"""All that host and agent both know: the messages, their words, and how a message becomes a line."""
