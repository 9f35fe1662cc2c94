"""What int8 leaves of a cause: from networks converted both ways, of float16 files only."""

from __future__ import annotations

import pytest
from rkbench.inspection.causes import RULES
from rkbench.inspection.causes.in_int8 import FEWEST_NETWORKS, in_int8, measured


def test_a_cause_that_int8_takes_away_has_it_as_a_cure_with_the_range_that_was_measured() -> None:
    share = measured()["transpose_commands", "rk3568"]
    (fix,), useless = in_int8("transpose_commands", "rk3568", "fp16")
    assert useless == ()
    assert str(fix.action) == (
        f"int8: it takes {share.least_percent} to {share.most_percent} % of these bytes "
        f"(measured, {share.networks} networks converted both ways for rk3568)"
    )
    assert "do_quantization=True" in fix.snippet


def test_int8_does_not_help_where_most_stayed_in_every_network() -> None:
    for code in ("normalization_unrolled", "recurrent_commands"):
        cures, (useless,) = in_int8(code, "rk3588", "fp16")
        assert cures == ()
        assert str(useless).startswith("int8: ")
        assert measured()[code, "rk3588"].least_percent >= 80


def test_a_range_of_one_number_is_one_number() -> None:
    _, (useless,) = in_int8("lookup_tables", "rk3588", "fp16")
    assert str(useless).startswith("int8: it takes 100 % of these bytes")


@pytest.mark.parametrize(
    ("code", "target", "dtype"),
    [
        ("transpose_commands", "rk3568", "int8"),
        ("transpose_commands", "rk3576", "fp16"),
        ("transpose_commands", None, "fp16"),
        ("metadata", "rk3588", "fp16"),
        ("depth_to_space_dense", "rk3588", "fp16"),  # halved, as any weight is
        ("core_lists", "rk3588", "fp16"),  # .37 to 1.24
    ],
)
def test_nothing_is_said_of_an_int8_file_nor_of_what_was_not_measured_or_has_no_answer(
    code: str, target: str | None, dtype: str
) -> None:
    assert in_int8(code, target, dtype) == ((), ())


def test_nothing_is_said_where_too_few_networks_tell() -> None:
    few = [key for key, share in measured().items() if share.networks < FEWEST_NETWORKS]
    assert few
    assert all(in_int8(code, target, "fp16") == ((), ()) for code, target in few)


def test_every_measured_cause_is_one_that_a_rule_finds() -> None:
    sources = {rule.__code__.co_consts for rule in RULES}
    names = {constant for constants in sources for constant in constants if isinstance(constant, str)}
    assert {code for code, _ in measured()} <= names
