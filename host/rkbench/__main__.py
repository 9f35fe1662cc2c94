"""`python -m rkbench` is `bench`."""

from rkbench.cli import main

if __name__ == "__main__":
    main()
