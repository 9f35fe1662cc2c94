"""Virtual boards: a real SSH server over a recorded tree."""
