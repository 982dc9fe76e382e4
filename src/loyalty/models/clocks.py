"""Clocks: what is known beforehand of the periods to come, their season and how old a contract will be in them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.models.trees import cutoffs_of

__all__ = ["clocks_of_periods", "season_of_periods"]

Floats = NDArray[np.float64]

_DAYS_OF_A_YEAR = 365.25
#: From where the season and the year of a contract are seen, in degrees.
_SIDES = (0, 45, 90, 135)


def clocks_of_periods(panel: pd.DataFrame, period: pd.Timedelta, periods: int) -> dict[str, Floats]:
    """Tell how old the contract will be in the middle of each period, and how far its renewal is.

    Minimum terms end, and yearly payers decide, at an age that is known beforehand: what lies two periods ahead of one
    client lies one ahead of another, and is the same. Where contracts run from year to year, the age is a place on a
    circle, seen from four sides as the season is. Of several that run, the oldest counts.

    Parameters
    ----------
    panel : DataFrame of shape (n_rows, n_features)
        With `contract_running_days` or `days_to_renewal`, as far as they are to be told.
    period : Timedelta
        Length of a period.
    periods : int
        How many.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, periods)
        `contract_age` and the days until the renewal that is next now, less than 0 once it is over; the sine of the
        angle within the year of the contract, and of as many degrees more as the name says. NaN where nothing is known.

    Examples
    --------
    >>> panel = pd.DataFrame({"contract_running_days": [300.0], "days_to_renewal": [65.0]})
    >>> clocks = clocks_of_periods(panel, pd.Timedelta(days=90), 2)
    >>> clocks["contract_age"].tolist(), clocks["to_renewal"].tolist()
    ([[345.0, 435.0]], [[20.0, -70.0]])
    """
    ahead = period / pd.Timedelta(days=1) * (np.arange(periods) + 0.5)
    clocks = {}
    if "contract_running_days" in panel:
        clocks["contract_age"] = age = panel["contract_running_days"].to_numpy(dtype=float)[:, None] + ahead
        angle = 2 * np.pi * age / _DAYS_OF_A_YEAR
        clocks |= {f"anniversary_{side}": np.sin(angle + np.deg2rad(side)) for side in _SIDES}
    if "days_to_renewal" in panel:
        clocks["to_renewal"] = panel["days_to_renewal"].to_numpy(dtype=float)[:, None] - ahead
    return clocks


def season_of_periods(panel: pd.DataFrame, period: pd.Timedelta, periods: int) -> dict[str, Floats]:
    """Tell the season in the middle of each period after the cutoffs of a panel, as `SurvivalModel` takes it.

    The day of the year is a place on a circle, seen from four sides: of two sides alone a tree may pick the one from
    which two seasons that it knows look nearly alike, and take a day between them for the wrong one.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, periods)
        The sine of the angle, and of as many degrees more as the name says.

    Raises
    ------
    ValueError
        If `panel` has no `cutoff` in its index.

    Examples
    --------
    Of two halves of a year, the first lies about the first of April:

    >>> index = pd.MultiIndex.from_tuples([("ann", pd.Timestamp("2023-01-01"))], names=["client_id", "cutoff"])
    >>> season_of_periods(pd.DataFrame(index=index), pd.Timedelta(days=182), 2)["season_0"].round(2)
    array([[ 1., -1.]])
    """
    cutoffs = cutoffs_of(panel)
    if cutoffs is None:
        raise ValueError("`panel` must have `cutoff` in its index, as `build_panel` gives it, to know the season.")
    dates, rows = np.unique(cutoffs, return_inverse=True)
    middles = [pd.DatetimeIndex(dates) + period * (number + 0.5) for number in range(periods)]
    angle = 2 * np.pi * np.column_stack([middle.dayofyear for middle in middles])[rows] / _DAYS_OF_A_YEAR
    return {f"season_{side}": np.sin(angle + np.deg2rad(side)) for side in _SIDES}
