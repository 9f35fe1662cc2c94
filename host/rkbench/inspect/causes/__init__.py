"""Why a .rknn file is as big as it is: one small rule per cause, each with evidence, bytes and a cure.

>>> from rkbench.rknn import open_model
>>> from rkbench.inspect.causes import find_causes
>>> with open_model("model.rknn") as model:
...     diagnosis = find_causes(model)
...     print(diagnosis.sentence)
"""

from rkbench.inspect.causes.diagnose import RULES, find_causes
from rkbench.inspect.causes.nouns import Cause, Claim, Diagnosis, Finding, Fix
from rkbench.inspect.causes.subject import Site, Subject, read_subject

__all__ = [
    "RULES",
    "Cause",
    "Claim",
    "Diagnosis",
    "Finding",
    "Fix",
    "Site",
    "Subject",
    "find_causes",
    "read_subject",
]
