"""Checks of arguments that are numbers."""

import math
from numbers import Integral, Real


def is_finite_number(value: object) -> bool:
    """Whether an argument is a finite real number; True and False are none.

    Examples
    --------
    >>> is_finite_number(0.1), is_finite_number(True), is_finite_number("0.1"), is_finite_number(float("inf"))
    (True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    # Not by `math.isfinite`, which fails on whole numbers too large for a float.
    return bool(value < math.inf) and not value <= -math.inf


def is_whole_number(value: object, *, least: int) -> bool:
    """Whether an argument is a whole number, Python's or numpy's, of at least so much; True and False are none.

    Examples
    --------
    >>> [is_whole_number(value, least=1) for value in (1, 0, 1.0, True, "1")]
    [True, False, False, False, False]
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
