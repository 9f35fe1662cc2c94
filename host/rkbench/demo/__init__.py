"""The demo: the story of the 3 MB that became 60 MB, small, on a virtual board."""
