"""Why a .rknn file is as big as it is: one small rule per cause, each with evidence, bytes and a cure.

>>> from rkbench.rknn import open_model
>>> from rkbench.inspection.causes import find_causes
>>> with open_model("model.rknn") as model:
...     attribution = find_causes(model)
...     print(attribution.sentence)
"""

from rkbench.inspection.causes.attribution import RULES, find_causes
from rkbench.inspection.causes.cause import Attribution, Cause, Claim, Finding, Fix
from rkbench.inspection.causes.model_facts import ModelFacts, read_facts
from rkbench.inspection.causes.site import Site

__all__ = [
    "RULES",
    "Attribution",
    "Cause",
    "Claim",
    "Finding",
    "Fix",
    "ModelFacts",
    "Site",
    "find_causes",
    "read_facts",
]
