"""rkbench: benchmark RKNN models on RK3568/RK3588 boards, and explain every byte of a .rknn file."""

__version__ = "0.1.0"
