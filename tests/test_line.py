"""The line under the trees."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.special import expit, logit

from loyalty.models.line import Line, fit_line


def world(rows=20_000):
    """Log-odds of 2 for each e-fold of the first column, -1 of the second, and none of the third, which is constant."""
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.integers(1, 400, rows), rng.poisson(3, rows), np.full(rows, 7)]).astype(float)
    odds = 2 * np.log1p(values[:, 0]) - np.log1p(values[:, 1]) - 9
    return values, (rng.random(rows) < expit(odds)).astype(int)


def test_it_has_half_the_slope_that_made_the_outcomes():
    values, codes = world()
    line = fit_line(values, codes, [0, 1], [0, 0])
    assert line.columns == (0, 1)
    assert line.slopes == pytest.approx((1.0, -0.5), abs=0.06)
    assert line.means == pytest.approx(np.log1p(values[:, :2]).mean(axis=0))
    assert line.level == pytest.approx(logit(codes.mean()))


def test_columns_are_found_by_their_place():
    values, codes = world(2000)
    assert fit_line(values, codes, [1], [0]).columns == (1,)
    line, turned = (fit_line(values, codes, order, [0, 0]) for order in ([0, 1], [1, 0]))
    assert turned.slopes == pytest.approx(line.slopes[::-1])
    assert turned(values) == pytest.approx(line(values))


@pytest.mark.parametrize(
    ("directions", "kept"), [((0, 0), (0, 1)), ((1, -1), (0, 1)), ((-1, -1), (1,)), ((1, 1), (0,)), ((-1, 1), ())]
)
def test_a_column_that_would_go_the_wrong_way_is_left_out(directions, kept):
    values, codes = world(2000)
    line = fit_line(values, codes, [0, 1], directions)
    assert line.columns == kept
    for column, slope in zip(line.columns, line.slopes, strict=True):
        assert slope * directions[column] >= 0
    if len(kept) == 1:  # as if it had never been offered
        assert line == fit_line(values, codes, kept, [0])


def test_directions_stay_with_their_columns_when_one_is_left_out():
    values = world(2000)[0]
    codes = (np.random.default_rng(1).random(2000) < expit(8.5 - np.log1p(values).sum(axis=1))).astype(int)
    assert fit_line(values, codes, [0, 1], [1, -1]).columns == (1,)  # it falls with both


def test_a_column_that_says_nothing_has_no_part():
    values, codes = world(2000)
    values = np.column_stack([values, np.full(len(values), np.nan)])
    line = fit_line(values, codes, [2, 0, 3], [0, 0, 0])
    assert line.columns == (0,)
    empty = fit_line(values, codes, [2, 3], [0, 0])
    assert empty(values) == pytest.approx(logit(codes.mean()))
    assert Line()(values).tolist() == [0.0] * len(values)


def test_a_missing_number_counts_as_the_mean():
    values, codes = world(2000)
    missing = np.random.default_rng(1).random(len(values)) < 0.3
    values[missing, 0] = np.nan
    line = fit_line(values, codes, [0], [0])
    assert line.means == pytest.approx([np.log1p(values[~missing, 0]).mean()])
    assert line(values[missing]) == pytest.approx(line.level)
    assert line.parts(values[missing]).tolist() == [[0.0]] * missing.sum()


numbers = st.floats(-1e12, 1e12) | st.just(np.nan)


@given(values=npst.arrays(float, (6, 3), elements=numbers), slopes=st.lists(st.floats(-5, 5), min_size=2, max_size=2))
def test_level_and_parts_add_up(values, slopes):
    line = Line((2, 0), tuple(slopes), (1.0, -2.0), 0.5)
    assert line(values) == pytest.approx(0.5 + line.parts(values).sum(axis=1))
    assert np.isfinite(line(values)).all()


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=30))
def test_it_never_turns(sizes):
    told = Line((0,), (0.7,), (3.0,), 0.0)(np.sort(sizes)[:, None])
    assert (np.diff(told) >= 0).all()


def test_it_is_written_and_read():
    line = fit_line(*world(500), [0, 1], [1, 0])
    assert Line.read(json.loads(json.dumps(asdict(line)))) == line
