"""The store in one SQLite file, the default. Nothing outside imports more of this than `store.connect`."""
