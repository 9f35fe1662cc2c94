"""Several variants on one board: check, push, run, save each as it ends, compare.

`run_campaign` is the whole job; it prints nothing. What was measured before a cut line or Ctrl-C is
stored as a partial run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rkbench.campaign.compared import compare_collected
    from rkbench.campaign.interfaces import Conversation
    from rkbench.campaign.outcome import Outcome
    from rkbench.campaign.run import run_campaign
    from rkbench.campaign.settings import PushOptions

__all__ = ["Conversation", "Outcome", "PushOptions", "compare_collected", "run_campaign"]

#: Where each name is: imported when it is asked for, so that who reads stored runs pays for no push.
_HOMES = {
    "Conversation": "interfaces",
    "Outcome": "outcome",
    "PushOptions": "settings",
    "compare_collected": "compared",
    "run_campaign": "run",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rkbench.campaign' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"rkbench.campaign.{_HOMES[name]}"), name)
