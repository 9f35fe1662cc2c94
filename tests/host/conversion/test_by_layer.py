"""The vendor's error of each layer: its table read, its first bad layer named."""

from __future__ import annotations

from pathlib import Path

from rkbench.conversion.by_layer import first_bad, read_analysis
from rkbench.variants.conversion_record import VendorLayerError

TABLE = (Path(__file__).parents[2] / "data/analyses/mobilenet_int8_2.5.0.txt").read_text()


def test_layers_with_figures_are_read_and_fused_ones_are_part_of_the_next() -> None:
    layers = read_analysis(TABLE)
    assert layers[:3] == (
        VendorLayerError("x", "Input", 1.0, 0.0, 1.0, 0.0),
        VendorLayerError("x_int8", "exDataConvert", 0.99994, 4.10143, 0.99994, 4.10143),
        VendorLayerError("Relu_4", "Relu", 0.99992, 5.74766, 0.99992, 5.74766),
    )
    assert "Conv_3" not in {layer.name for layer in layers}
    assert first_bad(layers) is None


def test_the_first_layer_that_is_bad_by_itself_is_named_not_one_behind_it() -> None:
    text = TABLE.replace("0.99985 | 6.16465   0.99994 | 3.96279", "0.53037 | 99.0   0.53037 | 99.0")
    found = first_bad(read_analysis(text))
    assert found is not None
    assert (found.name, found.own_cosine) == ("Relu_8", 0.53037)
    not_finite = text.replace("0.53037 | 99.0   0.53037 | 99.0", "nan | nan   nan | nan")
    found = first_bad(read_analysis(not_finite))
    assert found is not None
    assert found.name == "Relu_8"
