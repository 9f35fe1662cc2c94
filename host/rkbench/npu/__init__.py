"""The NPU in software: what the register commands of a .rknn do, without a board. Pure: data in, data out.

from rkbench.npu import predict_latency

prediction = predict_latency("model.rknn")
prediction.latency_s, prediction.low_s, prediction.high_s       # rknn_run alone, in seconds
for layer in prediction.layers:
    print(layer.name, layer.latency_s, layer.bound, layer.costs.mac_fill_ratio)
"""

from rkbench.npu.predict import LatencyPrediction, LayerLatency, predict_latency
from rkbench.npu.what_if import WhatIf

__all__ = ["LatencyPrediction", "LayerLatency", "WhatIf", "predict_latency"]
