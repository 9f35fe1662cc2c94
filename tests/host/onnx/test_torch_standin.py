"""The stand-in for torch counts, reshapes and splits as the toolkit asks of it for ONNX."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[3] / "host/rkbench/toolkit/apart/converter/standin/torch/__init__.py"


@pytest.fixture
def torch() -> ModuleType:
    """Return the stand-in, without its taking torch's name."""
    spec = importlib.util.spec_from_file_location("torch_standin", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_makes_an_order_of_channels_as_torch_does(torch: ModuleType) -> None:
    order = torch.arange(12).reshape(2, 3, 2).permute(1, 0, 2).flatten()
    assert order.tolist() == [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]
    assert [piece.tolist() for piece in torch.split(order, 5)] == [[0, 1, 6, 7, 2], [3, 8, 9, 4, 5], [10, 11]]
    assert torch.cat(torch.split(order, [4, 8])).tolist() == order.tolist()


def test_what_it_lacks_is_named(torch: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"torch.einsum: this is rkbench's stand-in"):
        torch.einsum("ij->ji")
    with pytest.raises(AttributeError, match=r"torch.Tensor.cosh: this is rkbench's stand-in"):
        torch.arange(3).cosh()
