"""What layers on the CPU cost: the file's own, joined with the times that a runtime told."""

from __future__ import annotations

import pytest
from rkbench.results.extras import FallbackCost, Profile
from rkbench.results.fallback import with_fallback_costs
from rkbench.results.profile import map_layers, read_profile
from rkbench.results.records import IN_FLOAT, ON_CPU, FallbackLayer
from rkbench.views.push.extras import profile_lines

TABLE = """\
ID   OpType           DataType Target InputShape   OutputShape  Time(us)  FullName
1    InputOperator    INT8     CPU    \\            (1,8)        10        InputOperator:x
2    ConvRelu         INT8     NPU    (1,8)        (1,8)        40        Conv:Conv_0
3    Erf              INT8     CPU    (1,8)        (1,8)        130       Erf:Erf_1
4    Conv             FLOAT16  NPU    (1,8)        (1,8)        20        Conv:Conv_2
"""
NODES = ("InputOperator:x", "Conv:Conv_0", "Erf:Erf_1", "Conv:Conv_2", "Div:Div_3")
ERF = FallbackLayer(ON_CPU, 2, "Erf:Erf_1", "Erf")
DIV = FallbackLayer(ON_CPU, 4, "Div:Div_3", "Div")
CONV = FallbackLayer(IN_FLOAT, 3, "Conv:Conv_2", "Conv")


def profiled(*fallbacks: FallbackLayer) -> Profile:
    return with_fallback_costs(map_layers(read_profile("capi", TABLE), NODES), fallbacks)


def test_each_kind_of_fallback_has_its_time_and_share() -> None:
    on_cpu, in_float = profiled(ERF, CONV).fallbacks
    assert on_cpu == FallbackCost(ON_CPU, 1, 1, 130e-6, 0.65, ("Erf_1",))
    assert (in_float.kind, in_float.share, in_float.slowest) == (IN_FLOAT, pytest.approx(0.1), ("Conv_2",))
    assert profile_lines("net", profiled(ERF, CONV))[-2:] == [
        "1 layer on the CPU costs 65 % of the time (130 µs): Erf_1",
        "1 layer in float costs 10 % of the time (20.0 µs): Conv_2",
    ]


def test_what_the_table_does_not_name_is_told() -> None:
    assert profile_lines("net", profiled(ERF, DIV), "≈")[-1] == (
        "2 layers on the CPU cost ≈65 % of the time (≈130 µs), as far as known (1 of them): Erf_1"
    )
    assert profile_lines("net", profiled(DIV))[-1] == "1 layer on the CPU: no time is known of it"


def test_without_fallbacks_nothing_is_said() -> None:
    assert profiled().fallbacks == ()
    assert profile_lines("net", profiled())[-1].endswith("InputOperator:x")
