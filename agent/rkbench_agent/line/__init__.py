"""The conversation with the host: messages, files into the cache, the lock of the board."""
