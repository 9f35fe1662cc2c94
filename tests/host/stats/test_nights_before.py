"""What past nights say: the scale shrunk, tails, three measurements, several nights, pools, since when."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from rkbench.stats.history.pool import RED_POOLS, judge_pool, pool
from rkbench.stats.history.repeats import shared_part, shift_of
from rkbench.stats.history.scale import fit_prior
from rkbench.stats.history.since import since_place
from rkbench.stats.history.tails import fit_tail
from rkbench.stats.history.usual import fit_usual
from rkbench.stats.history.verdicts import Verdict, is_suspect, judge_night, look_back

SERIES = 60


def nights(count: int, deviation: float = 0.005, series: int = SERIES, seed: int = 1) -> NDArray[np.float64]:
    """Return logarithms of nights that scatter about 10 ms."""
    return np.random.default_rng(seed).normal(math.log(10e-3), deviation, (series, count))


def judged(past: NDArray[np.float64], *percent: float, shares: float | None = 0.0) -> Verdict:
    """Return what is said of the first series, by measurements so many percent above 10 ms."""
    values = [math.log(10e-3 * (1 + item / 100)) for item in percent]
    return judge_night(look_back(past, past, shares), 0, values, beyond=0.01)


def test_variances_that_differ_by_chance_alone_are_one() -> None:
    source = np.random.default_rng(1)
    variances = 4.0 * source.chisquare(19, 2000) / 19
    prior = fit_prior(variances, np.full(2000, 19.0))
    assert prior.variance == pytest.approx(4.0, rel=0.03)
    assert prior.freedom > 100


def test_variances_of_a_prior_give_its_figures_back() -> None:
    """Smyth 2004: variances are d0 s0^2 / chi2(d0), seen through 9 degrees of freedom."""
    source = np.random.default_rng(1)
    true = 8 * 4.0 / source.chisquare(8, 20_000)
    prior = fit_prior(true * source.chisquare(9, 20_000) / 9, np.full(20_000, 9.0))
    assert prior.freedom == pytest.approx(8, rel=0.05)
    assert prior.variance == pytest.approx(4.0, rel=0.02)


def test_two_series_stand_each_for_itself() -> None:
    prior = fit_prior(np.array([1.0, 4.0]), np.array([9.0, 9.0]))
    variance, freedom = prior.shrunk(np.array([1.0, 4.0]), np.array([9.0, 9.0]))
    assert (variance.tolist(), freedom.tolist()) == ([1.0, 4.0], [9.0, 9.0])


@pytest.mark.parametrize(("degrees", "true"), [(5, 6.869), (3, 12.924)])
def test_the_tail_of_students_t_is_found(degrees: int, true: float) -> None:
    tail = fit_tail(np.random.default_rng(1).standard_t(degrees, 100_000))
    assert tail is not None
    assert tail.beyond(0.0005) == pytest.approx(true, rel=0.08)


def test_few_nights_carry_no_tail() -> None:
    assert fit_tail(np.zeros(500)) is None


def test_what_two_measurements_of_a_night_have_in_common_is_found() -> None:
    source = np.random.default_rng(1)
    common = source.normal(0, math.sqrt(0.25), 2000)
    pairs = [
        (night + source.normal(0, math.sqrt(0.75)), night + source.normal(0, math.sqrt(0.75)))
        for night in common
    ]
    assert shared_part(pairs, 1.0) == pytest.approx(0.25, abs=0.04)
    assert shared_part(pairs[:19], 1.0) is None


@pytest.mark.parametrize(("shares", "variance"), [(0.0, 1 / 3), (1.0, 1.0), (None, 1.0)])
def test_a_mean_of_three_is_as_sure_as_its_measurements_are_independent(
    shares: float | None, variance: float
) -> None:
    assert shift_of(shares, 3)[0] == pytest.approx(variance)


def test_the_reference_is_the_last_twenty_accepted_nights() -> None:
    past = nights(40)
    past[:, :15] += 1.0
    past[0, 30] = math.nan
    usual = fit_usual(past)
    assert usual.nights.tolist() == [20] * SERIES
    assert np.exp(usual.level) == pytest.approx(np.full(SERIES, 10e-3), rel=0.01)


def test_three_measurements_far_above_are_a_regression() -> None:
    told = judged(nights(24), 3.0, 3.1, 2.9)
    assert (told.label, told.nights) == ("regression", 20)
    assert told.difference_percent == pytest.approx(3.0, abs=0.3)
    assert told.deviation_percent == pytest.approx(0.5, abs=0.05)
    assert told.low_percent is not None and told.low_percent > 2


@pytest.mark.parametrize(
    ("percent", "label"),
    [
        ((3.0,), "suspicious"),
        ((3.0, 0.2, 2.9), "suspicious"),
        ((3.0, 0.0, 0.1), "suspicious"),
        ((1.9, -0.2, -0.1), "no regression"),
        ((0.8,), "no regression"),
        ((-5.0,), "no regression"),
    ],
)
def test_what_is_not_measured_again_as_slow_is_no_regression(percent: tuple[float, ...], label: str) -> None:
    assert judged(nights(24), *percent).label == label


def test_measuring_again_tells_nothing_where_the_night_sets_it_all() -> None:
    past = nights(24, 0.01)
    assert [judged(past, 3.4, 3.4, 3.4, shares=shares).label for shares in (0.0, 1.0)] == [
        "regression",
        "suspicious",
    ]


def test_fewer_than_five_nights_are_not_enough() -> None:
    assert judged(nights(4), 9.0, 9.0, 9.0) == Verdict("not enough data", nights=4)


def test_a_small_step_is_found_by_several_nights() -> None:
    past = nights(30, 0.01)
    past[0, -4:] = math.log(10.3e-3)
    told = judged(past, 2.0)
    assert (told.label, told.over_nights, told.creeps) == ("regression", 5, False)


def test_small_steps_are_found_by_the_first_nights_of_the_epoch() -> None:
    past = nights(85)
    past[0] += np.arange(85) * 0.0004
    told = judged(past, 3.4)
    assert (told.label, told.creeps) == ("regression", True)
    assert told.difference_percent == pytest.approx(2.9, abs=0.5)


def test_only_what_stands_out_is_measured_again() -> None:
    past = look_back(nights(24), nights(24))
    tonight = np.full(SERIES, math.log(10e-3))
    tonight[7], tonight[8] = math.log(10.3e-3), math.nan
    assert np.flatnonzero(is_suspect(past, tonight)).tolist() == [7]


def pools(step: float, *, boards: int = 10, models: int = 6, warm: float = 0.0) -> list[Verdict]:
    """Return what is said of models on boards of which the first is slower by `step`, all by `warm`."""
    table = nights(25, 0.01, models * boards).reshape(models, boards, 25)
    table[0, :, -1] += math.log1p(step)
    table[:, 0, -1] += math.log1p(warm)
    values = pool(table)
    past = look_back(values[:, :-1], values[:, :-1], red=RED_POOLS)
    return [judge_pool(past, model, float(values[model, -1]), beyond=0.01) for model in range(models)]


def test_two_percent_on_all_boards_are_found_the_first_night() -> None:
    first, *others = pools(0.02)
    assert (first.label, {item.label for item in others}) == ("regression", {"no regression"})


def test_a_board_that_is_slower_for_all_models_is_no_model_that_is() -> None:
    assert {item.label for item in pools(0.0, warm=0.2)} == {"no regression"}


def test_two_boards_are_no_pool() -> None:
    assert {item.label for item in pools(0.2, boards=2)} == {"not enough data"}


def test_since_when_is_where_two_levels_meet() -> None:
    assert since_place([1.0, 1.1, 0.9, 1.0, 2.0, 2.1, 1.9]) == 4
    assert since_place([2.0, 1.0]) is None
    assert since_place([]) is None
