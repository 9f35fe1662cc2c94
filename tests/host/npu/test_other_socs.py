"""Files for NPUs whose registers nobody has explained: outlined, and refused by name for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rkbench.errors import ModelError
from rkbench.inspection.npu_work import inspect_npu
from rkbench.npu import predict_latency
from rkbench.npu.execute.executor import Executor
from rkbench.npu.outline import task_outlines
from rkbench.rknn import open_model
from test_damage import written

FOLDER = Path(__file__).parents[2] / "data/npu/other_socs"
SOCS = {"rk3562": "RKNPU t4", "rk3576": "RKNPU f2", "rv1126b": "RKNPU f3"}
FUZZED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sample(soc: str) -> Path:
    return FOLDER / f"classifier_{soc}_int8.rknn"


@pytest.mark.parametrize("soc", SOCS)
def test_each_task_has_its_layer_and_its_blocks(soc: str) -> None:
    with open_model(sample(soc)) as model:
        found = inspect_npu(model, "Conv_0")
    assert found.refused is not None
    assert soc in found.refused
    assert SOCS[soc] in found.refused
    assert found.outline[0].blocks == ("convolution", "output stage", "the output stage's reader")
    assert found.outline[0].command_words > 100


def test_without_being_asked_for_there_is_no_outline() -> None:
    with open_model(sample("rk3576")) as model:
        assert inspect_npu(model).outline == ()


@pytest.mark.parametrize("soc", SOCS)
def test_outputs_and_latency_are_refused_by_the_socs_name(soc: str) -> None:
    with open_model(sample(soc)) as model:
        for refused in (Executor, predict_latency):
            with pytest.raises(ModelError, match=f"it is for {soc} "):
                refused(model)


@FUZZED
@given(data=st.data())
def test_any_records_are_outlined_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    records = data.draw(st.binary(min_size=40, max_size=400))
    with open_model(written(tmp_path, records, npu_generation="RKNPU f2", target="rk3576")) as model:
        try:
            found = task_outlines(model)
        except ModelError as error:
            assert "task" in str(error)
        else:
            assert len(found) == len(records) // 40
