"""Checks of arguments that are numbers."""

import math

import numpy as np
import pytest

from loyalty.checks import is_finite_number, is_whole_number


@pytest.mark.parametrize("number", [0, -1.5, np.float32(2), np.int64(3), 10**400])
def test_a_finite_number_may_be_of_any_kind(number):
    assert is_finite_number(number) is True


@pytest.mark.parametrize("other", [True, np.True_, "1", None, math.nan, math.inf, -math.inf, np.float64("nan"), 1j])
def test_what_is_no_finite_number(other):
    assert is_finite_number(other) is False


@pytest.mark.parametrize("number", [1, np.int8(1), np.uint64(7), 10**400])
def test_a_whole_number_may_be_of_any_kind(number):
    assert is_whole_number(number, least=1) is True


@pytest.mark.parametrize("other", [0, np.int64(0), True, np.True_, 1.0, np.float64(2), "1", None])
def test_what_is_no_whole_number_of_at_least_1(other):
    assert is_whole_number(other, least=1) is False
