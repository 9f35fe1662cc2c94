"""`bench bisect`: the first layer of a network that a board computes wrong, found by cutting the network.

`search` is pure; `cuts` cuts an ONNX; `probing` converts a part, pushes it and holds it against onnxruntime;
`run` drives, `reproduction` writes down the smallest part that fails.
"""
