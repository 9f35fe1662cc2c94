"""Statistics: plain data in, plain data out; no clock, disk, network or terminal."""
