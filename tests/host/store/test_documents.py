"""Stored documents of any version: the unknown is ignored, the absent has its default, the wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from made_runs import make_run
from rkbench.decoding.documents import read_document
from rkbench.errors import StoreError
from rkbench.results.night import Night
from rkbench.results.serialize import to_json
from rkbench.store.documents import load_run
from rkbench_agent.wire.board import HeldClock
from rkbench_agent.wire.caveats import DOUBT, INFORMATION, Caveat


def stored(**changes: Any) -> dict[str, Any]:
    """Return a run as the store holds it, with changes at the top."""
    document: dict[str, Any] = {**to_json(make_run()), **changes}
    return document


def test_fields_of_a_newer_version_are_ignored() -> None:
    document = stored(mood={"is": ["good"]})
    document["board"]["colour"] = "green"
    assert load_run(json.dumps(document)) == make_run()


def test_fields_that_an_older_version_did_not_know_have_their_default() -> None:
    document = stored()
    for name in ("profile", "conditions", "reference", "failure"):
        del document[name]
    assert load_run(json.dumps(document)) == make_run()


@pytest.mark.parametrize(
    ("code", "weight"), [("simulated", INFORMATION), ("not_cool", DOUBT), ("catalogue_7", DOUBT)]
)
def test_a_caveat_without_weight_has_that_of_its_code(code: str, weight: str) -> None:
    given = {"code": code, "message": "m", "advice": "a"}
    assert load_run(json.dumps(stored(caveats=[given]))).caveats == (Caveat(code, "m", "a", weight),)


def test_a_stored_weight_stays() -> None:
    told = (Caveat("simulated", "m", "a", DOUBT), Caveat("made_later", "m", "a", INFORMATION))
    run = replace(make_run(), caveats=told)
    assert load_run(json.dumps(to_json(run))) == run


def test_a_sensor_of_the_first_version_is_known_by_its_name() -> None:
    document = stored()
    (sensor,) = document["readings"]["sensors"]
    old = {name: value for name, value in sensor.items() if name not in ("quantity", "part")}
    document["readings"]["sensors"] = [old, {**old, "name": "temperature_celsius[npu]"}]
    readings = load_run(json.dumps(document)).readings
    assert readings is not None
    told = [(sensor.quantity, sensor.part) for sensor in readings.sensors]
    assert told == [("npu_clock_hz", None), ("temperature_celsius", "npu")]


def test_what_the_first_version_wrote_to_files_is_held_as_well() -> None:
    npu = "sys/class/devfreq/fdab0000.npu"
    policy = "sys/devices/system/cpu/cpufreq/policy4"
    settings = {
        f"{npu}/governor": "userspace",
        f"{npu}/userspace/set_freq": "600000000",
        "sys/class/devfreq/dmc/governor": "performance",
        f"{policy}/scaling_min_freq": "2400000",
        f"{policy}/scaling_max_freq": "2400000",
    }
    held = {"pinned": True, "settings": settings, "big_cpus": [4, 5], "message": ""}
    conditions = load_run(json.dumps(stored(conditions=held))).conditions
    assert conditions is not None and conditions.clocks == (
        HeldClock("NPU", "userspace", 600_000_000),
        HeldClock("DDR", "performance"),
        HeldClock("CPU policy4", clock_hz=2_400_000_000),
    )


def without_id(document: dict[str, Any]) -> object:
    """Take the id away."""
    return document.pop("id")


def a_text_for_a_size(document: dict[str, Any]) -> object:
    """Write a size as text."""
    return document["variant"].update(size_bytes="3 MB")


def a_null_where_none_may_be(document: dict[str, Any]) -> object:
    """Take the start away."""
    return document.update(started_at=None)


def junk_for_caveats(document: dict[str, Any]) -> object:
    """Write a caveat that is none."""
    return document.update(caveats=[5])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (without_id, r"the stored run without an id is not as it should be: .* required field `id`"),
        (a_text_for_a_size, r"Expected `int`, got `str` - at `\$.variant.size_bytes`"),
        (a_null_where_none_may_be, r"Expected `str`, got `null` - at `\$.started_at`"),
        (junk_for_caveats, r"Expected `object`, got `int` - at `\$.caveats\[0\]`"),
    ],
    ids=lambda item: getattr(item, "__name__", None),
)
def test_what_is_wrong_is_named(spoil: Callable[[dict[str, Any]], object], why: str) -> None:
    document = stored()
    spoil(document)
    with pytest.raises(StoreError, match=why):
        load_run(json.dumps(document))


@pytest.mark.parametrize("text", ["", "nonsense", "[" * 100_000, "[1]", "null", '{"caveats": 5}'])
def test_junk_is_named(text: str) -> None:
    with pytest.raises(StoreError, match="stored run"):
        load_run(text)


def test_a_night_names_itself_where_it_cannot_be_read() -> None:
    with pytest.raises(StoreError, match=r"the stored night n1 is not as it should be: .*`started_unix_s`"):
        read_document(Night, '{"id": "n1", "suite": "s", "fingerprint": "f"}', "the stored night n1")
