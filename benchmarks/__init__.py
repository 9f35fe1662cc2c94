"""Our own speed, as ratios measured in one run: `make bench-speed`, or `python -m benchmarks NAME...`.

Each module holds one benchmark: a function `run() -> list[Ratio]`. Numbers of different runs or
machines are not comparable; the ratios are.
"""
