"""The table of measures: what each entry takes of a run, and that its names are safe to use as columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from made_runs import make_run
from rkbench.results.measures import (
    COSINE,
    LATENCY_P50,
    LATENCY_P99,
    MAX_ERROR,
    MEASURES,
    NPU_MEMORY,
    SIZE,
    TOP1,
)

RUN = make_run()


def test_every_name_is_its_own_and_can_be_a_column() -> None:
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert [name for name in names if not name.isidentifier() or name != name.lower()] == []


def test_every_gate_has_a_word_of_its_own() -> None:
    words = [measure.gate for measure in MEASURES if measure.gate]
    assert len(set(words)) == len(words)


def test_a_measure_takes_its_number_out_of_a_run() -> None:
    found = [measure.value(RUN) for measure in (SIZE, NPU_MEMORY, LATENCY_P50)]
    assert found == [14_580_397, 14_584_128, 0.00226]
    assert [measure.text(RUN) for measure in (SIZE, LATENCY_P50)] == ["14.6 MB", "2.26 ms"]


def test_a_number_that_a_run_has_not_is_none() -> None:
    bare = replace(RUN, load=None, latency=None, outputs=(), throughput_per_s=None, reference=None)
    assert {measure.name for measure in MEASURES if measure.value(bare) is not None} == {"size_bytes"}
    assert {measure.text(bare) for measure in MEASURES if measure is not SIZE} == {"–"}


def test_a_percentile_that_the_count_cannot_carry_is_none_and_says_how_many_there_were() -> None:
    run = replace(RUN, latency=replace(RUN.latency, count=408))  # as a run of the first version has it
    assert RUN.latency is not None
    assert RUN.latency.p99_s is not None
    assert (LATENCY_P99.value(run), LATENCY_P99.text(run)) == (None, "– (408 of 662)")
    assert LATENCY_P99.text(RUN) == "2.31 ms"


def test_a_measure_of_outputs_is_the_worst_of_them() -> None:
    output = RUN.outputs[0]
    worse = replace(output, cosine=0.9, max_abs_error=2.0, top1_agreement=None)
    run = replace(RUN, outputs=(output, worse))
    assert [measure.value(run) for measure in (COSINE, MAX_ERROR, TOP1)] == [0.9, 2.0, 1.0]


def test_the_group_of_a_measure_knows_its_provenance() -> None:
    run = replace(RUN, provenance=replace(RUN.provenance, load="from_file"))
    assert NPU_MEMORY.group.source(run.provenance) == "from_file"
    assert SIZE.group.source(run.provenance) is None


def test_measures_of_one_group_stand_together() -> None:
    groups = [measure.group for measure in MEASURES if measure.label]
    assert [group for group, _ in groupby(groups)] == list(dict.fromkeys(groups))
