"""Virtual boards: a real SSH server over an example tree."""
