"""What a bisection says of the parts of outputs: told, and not judged."""

from __future__ import annotations

from pathlib import Path

from rkbench.bisect.asked import BisectOptions, BisectOutcome, Figures, Probe
from rkbench.bisect.cuts import Part
from rkbench.bisect.judging import error_of, limit_of
from rkbench.results.records import WorstPart
from rkbench.views.bisect import lines

GATE = limit_of((), is_quantized=False)


def outcome(channel_db: float) -> BisectOutcome:
    board = Figures(1.0, 50.0, 0.1, worst_part=WorstPart(1, 7, channel_db))
    whole = Probe(Part(("x",), ("y",)), 3, (error_of(GATE, "y", board, None),), simulated=True)
    return BisectOutcome(BisectOptions(Path("net.onnx")), "v", "rk3588", "fp16", GATE, 3, (whole,))


def test_a_channel_that_is_lost_in_a_right_network_is_told() -> None:
    told = lines(outcome(0.2))
    assert told[-2].startswith("The network is right: all of its outputs keep snr >= 20dB.")
    assert told[-1] == (
        "A part by itself does not keep it: y, its worst part: board ≈0.2 dB (7 of axis 1), simulator –."
    )


def test_channels_that_are_right_are_not_spoken_of() -> None:
    assert "part by itself" not in " ".join(lines(outcome(40.0)))
