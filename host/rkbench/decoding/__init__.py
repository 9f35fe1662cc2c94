"""Where text from outside becomes our dataclasses, strictly typed: the only room that imports msgspec."""
