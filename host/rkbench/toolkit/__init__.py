"""rknn-toolkit2, Rockchip's converter: its environments on this computer, and jobs that run in them.

Its pins (numpy, onnx, protobuf of certain versions) do not belong into rkbench's own environment, so each
version has one of its own in the cache. What runs there lies in `apart/` and imports nothing of rkbench.
"""
