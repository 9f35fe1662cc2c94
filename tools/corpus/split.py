"""Which half of the corpus a network is in: one to fit rules on, one held back to judge them by.

The rule was written down before any of these networks was converted. It goes by architecture family, so that
a sibling of a network that was fitted on never counts as new.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Half = Literal["fit", "held_back"]

MEASURED_BEFORE = frozenset(
    (
        *("resnet", "mobilenetv2", "mobilenetv3", "mnasnet", "squeezenet", "shufflenetv2", "efficientnet"),
        *("googlenet", "densenet", "regnet", "deeplabv3", "lraspp", "convnext", "edgenext", "efficientvit"),
        *("fastvit", "ghostnet", "hardcorenas", "lcnet", "mixnet", "mobilenetv4", "mobileone", "mobilevit"),
        *("repghostnet", "rexnet", "skresnet", "starnet", "tinynet", "xcit", "coat", "vovnet", "deit"),
        *("levit", "pvt", "vit", "efficientformer", "botnet", "inception", "inception_next", "gernet"),
        *("resnest", "resnext", "magika", "silero", "ppocr", "ddddocr"),
    )
)
"""Families whose errors of an earlier prediction were known when the rules were begun: always in the
fit half."""

SYNTHETIC = "synthetic"
"""The family of graphs made for one operator each: in the fit half too, for they say nothing of real
networks."""

HELD_BACK_BELOW = 160
"""Of 256: of the families not measured before, five in eight are held back, which makes the halves
about equal."""


def half_of(family: str) -> Half:
    """Return the half of a family: by the first byte of the SHA-256 of its name, where it is new."""
    if family in MEASURED_BEFORE or family == SYNTHETIC:
        return "fit"
    first = hashlib.sha256(family.encode()).digest()[0]
    return "held_back" if first < HELD_BACK_BELOW else "fit"
