"""The first sentence of `bench inspect` about real networks, word for word.

Graphs without weights (tools/corpus/data); RKBENCH_WRITE_SNAPSHOTS=1 writes the sentences anew.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import open_onnx, predict
from test_onnx_fusion import CORPUS, unpacked

SENTENCES = Path(__file__).parents[2] / "data/cases/first_sentences.tsv"
NETWORKS = (
    *("dnsmos_bak_ovr", "dnsmos_model_v8", "light_inception_v1", "light_inception_v2"),
    *("light_resnet50", "light_squeezenet", "magika", "nudenet_320n", "ppocr_cls"),
    *("silero_openvino", "silero_op15", "smp_pspnet_resnet18", "tcv_cgnet", "tcv_hardnet39ds"),
    *("timm_botnet26t_256", "timm_coat_lite_tiny", "timm_convnextv2_atto", "timm_deit_tiny"),
    *("timm_dla46_c", "timm_edgenext_xx_small", "timm_efficientvit_b0", "timm_fastvit_t8"),
    *("timm_lcnet_050", "timm_levit_128s", "timm_mixnet_s", "timm_mobileone_s0", "timm_mobilevit_xxs"),
    *("timm_test_convnext", "timm_test_vit"),
    *("tv_resnet18", "tv_shufflenet_v2_x0_5", "tv_shufflenet_v2_x1_0"),
)
TARGETS = (("rk3588", "fp16"), ("rk3568", "int8"))


def sentences(name: str, folder: Path) -> list[str]:
    """Return what is said first for two SoCs; sizes that a network leaves open count as 1."""
    path = unpacked(name, folder)
    network = open_onnx(path)
    return [predicted_sentence(path, predict(network, target, dtype)) for target, dtype in TARGETS]  # type: ignore[arg-type] # the literals above


def stored() -> dict[str, list[str]]:
    """Return the sentences by network."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        return {row[0]: row[1:] for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_sentence_about_a_real_network(name: str, tmp_path: Path) -> None:
    said = sentences(name, tmp_path)
    if os.environ.get("RKBENCH_WRITE_SNAPSHOTS"):
        known = {**(stored() if SENTENCES.exists() else {}), name: said}
        lines = ("\t".join((key, *known[key])) for key in sorted(known) if key in NETWORKS)
        SENTENCES.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert said == stored()[name]
    assert (CORPUS / "graphs" / f"{name}.onnx.gz").exists()
