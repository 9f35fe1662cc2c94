"""`bench baseline`: what nights are held against."""
