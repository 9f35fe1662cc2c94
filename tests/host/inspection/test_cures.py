"""What is said of `bench fix` beside an ONNX: the rewrites that it does there, and where."""

from __future__ import annotations

import shlex
from pathlib import Path

from onnx_networks import Network
from rkbench.inspection.causes import Cause, Fix
from rkbench.inspection.cures import cured, what_it_does, without_bench_fix
from rkbench.inspection.document import FileInspection
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.language.said import say
from rkbench.onnx.fixing import ProposedRewrite

MODELS = Path(__file__).parents[2] / "data/models"
PATH = Path("net.onnx")
COMMAND = "bench fix net.onnx --target rk3588 --dtype fp16 -o net.fixed.onnx # regroup"


def cause(code: str, *fixes: Fix, layers: tuple[str, ...] = ()) -> Cause:
    """Return a cause of which only code, layers and cures matter."""
    text = say("text")
    return Cause(code, text, layers, 1000, 0.1, {}, text, text, (), fixes, (), ())


def found(nodes: dict[str, tuple[str, ...]], **saved: int) -> dict[str, ProposedRewrite]:
    """Return what rewrites would do: their nodes, and what each is predicted to save, where that is known."""
    return {name: ProposedRewrite(own, saved.get(name)) for name, own in nodes.items()}


MERGE = Fix("command", say("merge groups"), "bench inspect X.rknn", ("regroup", "padded_groups"))
FILL = Fix("network", say("fill up"), rewrites=("padded_groups",))
TRAIN = Fix("network", say("train otherwise"))


def test_a_rewrite_is_told_of_the_cause_whose_layers_it_changes() -> None:
    apart = cause("groups_kept_apart", MERGE, TRAIN, layers=("a", "b"))
    dense = cause("grouped_conv_dense", MERGE, TRAIN, layers=("c",))
    first, second = cured((apart, dense), found({"regroup": ("a", "b")}), COMMAND, PATH)
    assert [(fix.kind, fix.action, fix.snippet) for fix in first.fix] == [
        ("command", "merge groups; bench fix does it: regroup in 2 nodes (a and b)", COMMAND),
        ("network", "train otherwise", ""),
    ]
    assert second.fix == (TRAIN,)
    assert second.not_helping == (
        "bench fix: regroup and padded_groups would make none of these layers of net.onnx smaller",
    )


SPLIT = Fix("command", say("split"), "bench fix X.onnx", ("depthwise_multiplier", "regroup"))


def test_channels_with_several_filters_are_cured_by_merging_them_too() -> None:
    several = cause("depthwise_multiplier", SPLIT, TRAIN, layers=("a",))
    (told,) = cured((several,), found({"regroup": ("a",)}), COMMAND, PATH)
    assert told.fix[0].action == "split; bench fix does it: regroup in 1 node (a)"
    assert told.not_helping == ()


def test_constants_of_norms_that_are_rewritten_go_with_them() -> None:
    again = cause("repeated_constants", Fix("nothing", say("none")), layers=("a/Norm#1", "b/ReduceMean_2ln"))
    (told,) = cured((again,), found({"pooled_norm": ("a/Norm", "b/ReduceMean", "b/Other")}), COMMAND, PATH)
    assert told.fix[0].action == (
        "rewrite the ONNX, then convert it again: pooled_norm in 2 nodes (a/Norm and b/ReduceMean)"
    )
    others = cause("repeated_constants", Fix("nothing", say("none")), layers=("a/Norm_1",))
    assert cured((others,), found({"pooled_norm": ("a/Norm",)}), COMMAND, PATH) == (others,)


def test_a_node_is_not_told_of_a_cause_when_its_layer_is_of_another() -> None:
    pooled = Fix("network", say("pool"), rewrites=("pooled_norm",))
    apart, together = (
        cause("batched_layers", pooled),
        cause("normalization_unrolled", pooled, layers=("b#1",)),
    )
    pooled_norm = found({"pooled_norm": ("a", "b")})
    first, second = cured((apart, together), pooled_norm, COMMAND, PATH)
    assert first.fix[0].action.endswith("pooled_norm in 1 node (a)")
    assert second.fix[0].action.endswith("pooled_norm in 2 nodes (a and b)")


def test_what_another_rewrite_cures_is_not_called_incurable() -> None:
    pooled = Fix("network", say("pool"), rewrites=("pooled_norm",))
    norms = cause("normalization_unrolled", pooled, layers=("n#1",))
    (told,) = cured((norms,), found({"zero_product": ("n",)}), COMMAND, PATH)
    assert [fix.rewrites for fix in told.fix] == [("zero_product",)]
    assert told.not_helping == ()
    (others,) = cured((norms,), found({"zero_product": ("grn/Mul",)}), COMMAND, PATH)
    assert others.fix == ()


def test_transposes_that_go_with_a_norm_name_the_node_of_that_norm() -> None:
    turned = cause("transpose_commands", TRAIN, layers=("norm1/Norm#1_rs_tp",))
    norms = cause("normalization_unrolled", TRAIN, layers=("norm1/Norm#1",))
    pooled_norm = found({"pooled_norm": ("norm1/Norm",)}, pooled_norm=900)
    first, second = cured((turned, norms), pooled_norm, COMMAND, PATH)
    assert [fix.rewrites for fix in first.fix] == [("pooled_norm",), ()]
    assert first.not_helping == second.not_helping == ()


def test_advice_that_a_rewrite_does_not_take_is_dropped() -> None:
    apart = cause("groups_kept_apart", MERGE, FILL, TRAIN, layers=("a",))
    (told,) = cured((apart,), found({"two_means": ("pool",)}), COMMAND, PATH)
    assert told.fix == (TRAIN,)
    (nothing,) = cured((apart,), {}, "", PATH)
    assert nothing.not_helping == ("bench fix: it finds nothing to change in net.onnx",)


def test_a_rewrite_that_no_advice_speaks_of_is_told_first() -> None:
    (told,) = cured((cause("resize_commands", TRAIN),), found({"bilinear": ("up",)}), COMMAND, PATH)
    assert [fix.action for fix in told.fix] == [
        "rewrite the ONNX, then convert it again: bilinear in 1 node (up)",
        "train otherwise",
    ]


def test_a_rewrite_is_told_with_what_it_saves_and_in_which_of_its_nodes() -> None:
    apart = cause("groups_kept_apart", MERGE, layers=("a",))
    dense = cause("grouped_conv_dense", MERGE, layers=("b",))
    regroup = found({"regroup": ("a", "b")}, regroup=900)
    first, second = cured((apart, dense), regroup, COMMAND, PATH)
    assert first.fix[0].action == (
        "merge groups; bench fix does it: regroup in 1 node (a; in all 2 it is predicted to save 900 B)"
    )
    assert (first.fix[0].saved_bytes, second.fix[0].saved_bytes) == (900, 900)
    assert what_it_does(regroup) == (
        "rewrite the ONNX: regroup in 2 nodes (a and b; predicted to save 900 B)"
    )


def test_a_rewrite_that_does_little_for_a_cause_is_told_behind_what_does_more() -> None:
    padded = cause("padding", Fix("network", say("halve"), rewrites=("halved_stride",)), TRAIN)
    (told,) = cured((padded,), found({"halved_stride": ("first",)}, halved_stride=49), COMMAND, PATH)
    assert [fix.kind for fix in told.fix] == ["network", "command"]
    (told,) = cured((padded,), found({"halved_stride": ("first",)}, halved_stride=50), COMMAND, PATH)
    assert [fix.kind for fix in told.fix] == ["command", "network"]


def test_a_quantized_onnx_keeps_advice_but_no_command() -> None:
    (told,) = without_bench_fix((cause("groups_kept_apart", MERGE, FILL, TRAIN),), PATH)
    assert told.fix == (FILL, TRAIN)
    assert told.not_helping == (
        "bench fix: it changes nothing in net.onnx, whose graph is quantized already",
    )


def beside_its_onnx(name: str, onnx: Path) -> FileInspection:
    """Return the inspection of a sample beside an ONNX."""
    inspection = inspect_file(Request(MODELS / f"{name}.rknn", onnx=onnx))
    assert isinstance(inspection, FileInspection)
    return inspection


def test_the_shuffles_that_go_into_their_filters_are_counted() -> None:
    inspection = beside_its_onnx("chshuffle6_rk3588_fp", MODELS / "chshuffle6.onnx")
    shuffles = next(cause for cause in inspection.causes if cause.code == "shuffle_dense")
    does = "; bench fix does it: channel_shuffle in 6 nodes (Reshape_50, Reshape_41, Reshape_32 and 3 more; "
    assert does in shuffles.fix[0].action
    assert shlex.split(shuffles.fix[0].snippet)[:2] == ["bench", "fix"]


def test_a_command_that_no_cause_speaks_of_is_still_a_step(tmp_path: Path) -> None:
    network = (
        Network(1, 8, 56, 56).conv(8, 64, (1, 1)).add("GlobalAveragePool", name="pool").conv(64, 8, (1, 1))
    )
    inspection = beside_its_onnx("erf_rk3588_i8", network.save(tmp_path / "other.onnx"))
    assert inspection.onnx is not None
    (command,) = inspection.onnx.fix
    assert inspection.answers.what_to_change.steps[-1].startswith(command)


def open_network(path: Path) -> Path:
    """Write a network of 64 channels whose height and width are open."""
    network = Network(1, 64, "high", "wide").conv(64, 64, (3, 3)).add("GlobalAveragePool", name="pool")
    return network.save(path)


def test_sizes_that_the_onnx_leaves_open_are_those_of_the_converted_file(tmp_path: Path) -> None:
    path = open_network(tmp_path / "open.onnx")
    inspection = beside_its_onnx("erf_rk3588_i8", path)
    assert inspection.inputs[0].shape == (1, 64, 14, 14)
    assert inspection.onnx is not None
    assert inspection.onnx.prediction.notes == ()
    asked = Request(MODELS / "erf_rk3588_i8.rknn", onnx=path, input_shapes=("x=1x64x28x28",))
    larger = inspect_file(asked).onnx
    assert larger is not None
    assert larger.prediction.file_bytes > inspection.onnx.prediction.file_bytes


def test_sizes_of_another_network_are_not_taken(tmp_path: Path) -> None:
    inspection = beside_its_onnx("dyn3_rk3588_fp", open_network(tmp_path / "open.onnx"))
    assert inspection.onnx is not None
    (note,) = inspection.onnx.prediction.notes
    assert "dimensions high, wide counted as 1" in note


def test_the_command_says_which_sizes_were_filled_in(tmp_path: Path) -> None:
    network = Network(1, 64, "high", 14).conv(64, 128, (3, 3), group=64)
    inspection = beside_its_onnx("dwm_c64_m2_rk3588_i8", network.save(tmp_path / "dw.onnx"))
    assert inspection.onnx is not None
    (command,) = inspection.onnx.fix
    assert "--dtype int8 --input-shape x=1x64x14x14 -o dw.fixed.onnx" in command
