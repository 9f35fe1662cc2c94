"""The NPU in software: what the register commands of a .rknn do, without a board. Pure: data in, data out."""
