"""Arguments that are numbers: checks of one, and columns of them."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import pandas as pd


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


def float_columns(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Take columns as float64 whatever their type, nullable or object; what is missing is then NaN.

    Examples
    --------
    >>> float_columns(pd.DataFrame({"visits": pd.array([1, None], dtype="Int64")}), ["visits"])["visits"].tolist()
    [1.0, nan]
    """
    columns = {name: table[name].to_numpy(dtype="float64", na_value=np.nan) for name in names}
    return pd.DataFrame(columns, index=table.index)
