"""The folder of the host's tests is on the path: runs, containers and networks that several of them make."""
