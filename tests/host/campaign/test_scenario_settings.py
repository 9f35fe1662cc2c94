"""Settings of scenarios: what is refused before a board is touched, and what a board makes of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from rkbench.campaign.scenarios import default_contexts, settings_for
from rkbench.campaign.settings import check_settings, settings_of
from rkbench.errors import SettingError, UsageError
from rkbench.results.events import Event
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings


def environment(soc: str | None, npu_cores: int | None = None) -> Environment:
    return Environment(soc=soc, npu_cores=npu_cores)


def ignore(_: Event) -> None:
    """Hear nothing."""


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"contexts": "1,2"}, "--contexts means nothing with --scenario single_stream"),
        ({"placement": "auto"}, "--placement means nothing with --scenario single_stream"),
        ({"scenario": "offline", "cores": "0-1"}, "--cores 0-1 means nothing with --scenario offline"),
        ({"scenario": "offline", "contexts": "1,x"}, "'1,x' are no numbers of contexts"),
        ({"scenario": "offline", "contexts": ","}, "',' are no numbers of contexts"),
        ({"scenario": "offline", "placement": "left"}, "no placement 'left'"),
        ({"scenario": "online"}, "scenario 'online' is not there"),
        ({"scenario": "soak", "duration": "0"}, "duration 0: a soak has no other measure"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        check_settings(settings_of(given))


@pytest.mark.parametrize("contexts", ["0", "65", "1,999999999999999999999"])
def test_contexts_are_from_1_to_64(contexts: str) -> None:
    with pytest.raises(SettingError, match="must be from 1 to 64"):
        check_settings(settings_of({"scenario": "offline", "contexts": contexts}))


@pytest.mark.parametrize(
    ("soc", "contexts", "placements"),
    [
        ("rk3588", [1, 2, 3, 6, 9], ["auto", "spread", "all"]),
        ("rk3582", [1, 2, 4, 6], ["auto", "spread", "all"]),
        ("rk3576", [1, 2, 4, 6], ["auto", "spread", "all"]),
        ("rk3568", [1, 2, 3], ["auto"]),
        (None, [1, 2, 3], ["auto"]),
    ],
)
def test_a_board_has_a_sweep_of_its_own(soc: str | None, contexts: list[int], placements: list[str]) -> None:
    told: list[Event] = []
    found = settings_for(RunSettings(scenario="offline"), environment(soc), told.append)
    assert (found.contexts, found.placements) == (contexts, placements)
    assert len(told) == 1


def test_what_is_asked_for_stays_in_order_without_doubles() -> None:
    asked = settings_of({"scenario": "offline", "contexts": "4,2,4", "placement": "spread,0,spread"})
    found = settings_for(asked, environment("rk3588"), ignore)
    assert (found.contexts, found.placements) == ([2, 4], ["spread", "0"])


@pytest.mark.parametrize(("soc", "placement"), [("rk3568", "spread"), ("rk3576", "2"), ("rk3568", "all")])
def test_a_placement_that_the_soc_has_not_is_refused(soc: str, placement: str) -> None:
    asked = RunSettings(scenario="offline", placements=[placement])
    with pytest.raises(UsageError, match=f"no placement '{placement}': {soc} has [12] NPU core"):
        settings_for(asked, environment(soc), ignore)


def test_a_sweep_goes_beyond_the_cores() -> None:
    assert [default_contexts(cores) for cores in (1, 2, 3)] == [[1, 2, 3], [1, 2, 4, 6], [1, 2, 3, 6, 9]]


def test_one_stream_is_left_as_it_is() -> None:
    assert settings_for(RunSettings(), environment("rk3588"), ignore) == RunSettings()


@pytest.mark.parametrize(("asked_s", "first_s"), [(5.0, 60.0), (90.0, 90.0)])
def test_the_first_inference_has_no_shorter_limit_than_the_others(asked_s: float, first_s: float) -> None:
    found = settings_of({"inference_timeout": asked_s})
    assert (found.inference_timeout_s, found.first_inference_timeout_s) == (asked_s, first_s)
