"""Several variants on one board: check, push, run, save each as it ends, compare.

`run_campaign` is the whole job; it prints nothing. What was measured before a cut line or Ctrl-C is
stored as a partial run.
"""

from rkbench.campaign.interfaces import Conversation
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.run import compare_collected, run_campaign
from rkbench.campaign.settings import PushOptions

__all__ = ["Conversation", "Outcome", "PushOptions", "compare_collected", "run_campaign"]
