"""The scenario `soak`, conducted: window after window in one worker, until its time is over."""

from __future__ import annotations

from rkbench_agent.run.state import RunState
from rkbench_agent.run.steps import Steps

#: A soak has about so many windows, none shorter than LEAST_WINDOW_NS where it is long enough for 60 of them.
WINDOWS = 720
LEAST_WINDOW_NS = 1_000_000_000
FEWEST_WINDOWS = 60
#: No window holds more iterations: their latencies are in memory until it ends.
MOST_ITERATIONS = 100_000


def run_soak(steps: Steps, state: RunState) -> None:
    """Measure windows until the settings' duration is over, or the host knows enough."""
    duration_ns = int(steps.settings.min_duration_s * 1e9)
    elapsed_ns, window_ns = 0, window_of(duration_ns)
    while elapsed_ns < duration_ns and not state.enough:
        answer = steps.ask(
            state,
            elapsed_ns / 1e9,
            duration_ns / 1e9,
            unit="seconds",
            do="soak",
            block=state.block,
            window_ns=min(window_ns, duration_ns - elapsed_ns),
            most=MOST_ITERATIONS,
        )
        state.block += 1
        state.iterations += answer["iterations"]
        elapsed_ns += answer["total_ns"]


def window_of(duration_ns: int) -> int:
    """Return how long a window of a soak of `duration_ns` is."""
    return max(duration_ns // WINDOWS, min(LEAST_WINDOW_NS, duration_ns // FEWEST_WINDOWS), 1)
