"""The long run: what a client is worth beyond the horizon, from how long he stays and what he spends."""

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loyalty.timeline import Duration, as_duration

__all__ = ["PurchaseForecast", "lifetime_value", "rate_per_period", "relative_purchases"]

Floats = NDArray[np.float64]
#: When in a period money comes in.
Paid = Literal["end", "middle", "start"]
#: What happens after the last period.
Beyond = Literal["nothing", "last retention"]

_DAYS_OF_A_YEAR = 365.25
#: Survival may rise by this much from rounding.
_ROUNDING = 1e-9


def lifetime_value(
    survival: ArrayLike,
    spend: ArrayLike,
    *,
    discount_rate: float,
    margin: float = 1.0,
    paid: Paid = "end",
    beyond: Beyond = "nothing",
) -> Floats:
    """Sum over periods what each client is expected to leave: survival × spend × margin, discounted.

    Parameters
    ----------
    survival : array-like of shape (n_clients, n_periods)
        Probability of staying through each period, from 0 to 1 and never rising, as `SurvivalModel.predict_survival`
        tells it; or what share of the first period's purchases is expected in each: see `relative_purchases`.
    spend : array-like of shape (n_clients,) or (n_clients, n_periods)
        Money of each client in one period, if it stays; one number each where it is the same in all periods.
    discount_rate : float
        Per period, 0 or more: what a period's wait costs. `rate_per_period` makes one from a yearly rate.
    margin : float, default=1
        Share of spend that is kept, from 0 to 1.
    paid : {"end", "middle", "start"}, default="end"
        At the end of a period by those who stayed through it, or at its start by those who stayed through the one
        before, the first of them now. In the middle it is paid by those of the end: what `relative_purchases` expects
        within a period is spread over it, and waits half a period less.
    beyond : {"nothing", "last retention"}, default="nothing"
        What follows the last period: nothing counts, or spend and retention (share of those who stay that stay one
        period more) go on for ever as in the last period. As those who leave early go first, retention tends to rise,
        so that the value is rather too low than too high [3]_.

    Returns
    -------
    ndarray of shape (n_clients,)
        Money of today.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite or out of its range, survival rises, or somebody stays for
        ever without a discount.

    See Also
    --------
    loyalty.btyd.BuyTillYouDie.long_run_value : The same from buy till you die alone, without periods.

    Notes
    -----
    With survival S(k), S(0) = 1, spend m(k) and rate d, it is margin × Σ S(k) m(k) / (1 + d)^k over k = 1, 2, … if
    paid at the end, and margin × Σ S(k − 1) m(k) / (1 + d)^(k − 1) at the start. With constant retention r and for
    ever that is m r / (1 + d − r) and m (1 + d) / (1 + d − r) [1]_ [2]_. In the middle it is √(1 + d) times that of
    the end.

    A prediction of `ValueModel` is of all clients, those included who will leave within the horizon: its `survival`
    must be relative to the first period, as `relative_purchases` is, or those who leave are taken off twice.

    References
    ----------
    .. [1] Gupta, Lehmann and Stuart (2004), "Valuing Customers", Journal of Marketing Research 41(1), 7-18.
    .. [2] Fader, Hardie and Lee (2005), "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of
       Marketing Research 42(4), 415-430.
    .. [3] Fader and Hardie (2010), "Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring
       Heterogeneity", Marketing Science 29(1), 85-93.

    Examples
    --------
    Half of such clients leave in each period; the others pay 10. Two periods are worth 5 + 2.50, all of them 10:

    >>> half = [[0.5, 0.25]]
    >>> lifetime_value(half, [10.0], discount_rate=0.0).tolist()
    [7.5]
    >>> lifetime_value(half, [10.0], discount_rate=0.0, beyond="last retention").tolist()
    [10.0]

    Who pays at the start pays once before leaving:

    >>> lifetime_value([[0.0, 0.0]], [10.0], discount_rate=0.0, paid="start").tolist()
    [10.0]
    """
    stays, money = _checked(survival, spend)
    rate, kept = _share_or_more("discount_rate", discount_rate, most=np.inf), _share_or_more("margin", margin, most=1.0)
    for name, given, allowed in (("paid", paid, Paid), ("beyond", beyond, Beyond)):
        if given not in get_args(allowed):
            raise ValueError(f"`{name}` must be one of {', '.join(map(repr, get_args(allowed)))}; got {given!r}.")
    before = np.column_stack([np.ones(len(stays)), stays[:, :-1]])
    periods = np.arange(1, stays.shape[1] + 1)
    pays, wait = {"end": (stays, periods), "middle": (stays, periods - 0.5), "start": (before, periods - 1)}[paid]
    flows = pays * money * np.exp(-wait * np.log1p(rate))
    value = flows.sum(axis=1)
    if beyond == "last retention":
        value += flows[:, -1] * _repeats(before[:, -1], stays[:, -1], flows[:, -1], rate)
    return kept * value


def _repeats(before: Floats, stays: Floats, flow: Floats, rate: float) -> Floats:
    """Sum the geometric series that multiplies the last flow, without its first term."""
    retention = np.divide(stays, before, out=np.zeros_like(stays), where=before > 0)
    left = 1.0 + rate - retention
    for_ever = (left <= 0) & (flow > 0)
    if for_ever.any():
        raise ValueError(
            f"`discount_rate` must be above 0 where nobody leaves in the last period, as the client at position "
            f"{int(np.argmax(for_ever))}: without it the value has no bound. Give a rate, or `beyond` 'nothing'."
        )
    return np.divide(retention, left, out=np.zeros_like(stays), where=left > 0)


def _checked(survival: ArrayLike, spend: ArrayLike) -> tuple[Floats, Floats]:
    """Read curves and money, money as one column or one a period."""
    # Row by row in memory: sums over periods then do not depend, not in their last bit, on how many clients there are.
    stays, money = (np.asarray(given, dtype=float, order="C") for given in (survival, spend))
    if stays.ndim != 2 or stays.shape[1] == 0:
        raise ValueError(f"`survival` must have one row a client and one column a period; got shape {stays.shape}.")
    if money.shape not in {stays.shape, stays.shape[:1]}:
        raise ValueError(
            f"`spend` must have one number a client, shape ({len(stays)},), or one a period, shape {stays.shape}; got "
            f"{money.shape}."
        )
    wrong = ~((stays >= 0) & (stays <= 1)).all(axis=1)
    wrong |= (np.diff(stays, axis=1) > _ROUNDING).any(axis=1)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"`survival` must lie from 0 to 1 and never rise from period to period; got {stays[at].tolist()} at "
            f"position {at}. Give the probability of staying through each period, not of leaving in it."
        )
    money = money[:, None] if money.ndim == 1 else money
    wrong = ~np.isfinite(money).all(axis=1)
    if wrong.any():
        raise ValueError(f"`spend` must be finite; it is not at position {int(np.argmax(wrong))}. Fill or drop it.")
    return stays, money


def _share_or_more(name: str, given: float, *, most: float) -> float:
    if not (isinstance(given, int | float | np.integer | np.floating) and 0 <= given <= most and np.isfinite(given)):
        rule = "finite and 0 or more" if most == np.inf else f"from 0 to {most:g}"
        raise ValueError(f"`{name}` must be a number, {rule}, such as 0.1 for a tenth; got {given!r}.")
    return float(given)


def rate_per_period(yearly: float, period: Duration) -> float:
    """Turn a yearly discount rate into that of a period.

    Parameters
    ----------
    yearly : float
        0 or more: 0.1 if 1.10 in a year is worth 1 today.
    period : str or timedelta
        Length of a period, such as the horizon.

    Raises
    ------
    ValueError
        If the rate is negative or the period not a duration.

    Examples
    --------
    Interest is paid on interest, so a quarter costs less than a quarter of the rate:

    >>> quarter = rate_per_period(0.1, "91d")
    >>> round(quarter, 5), round((1 + quarter) ** (365.25 / 91) - 1, 5)
    (0.02403, 0.1)
    """
    years = as_duration(period, name="period").days / _DAYS_OF_A_YEAR
    return float(np.expm1(years * np.log1p(_share_or_more("yearly", yearly, most=np.inf))))


class PurchaseForecast(Protocol):
    """A fitted model that foretells purchases, as those of `loyalty.btyd` do."""

    def expected_purchases(
        self, horizon: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, gap: float = 0.0
    ) -> Floats:
        """Return the purchases expected of each client in ``(T + gap, T + gap + horizon]``."""


def relative_purchases(
    model: PurchaseForecast,
    periods: int,
    *,
    length: float,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    gap: float = 0.0,
) -> Floats:
    """Tell how the purchases of each client fade: those expected in each period over those expected in the first.

    As `survival` of `lifetime_value` it carries a finite-horizon value on into the long run: what `ValueModel` expects
    of the first period, from all that is known of a client, and how that fades, from buy till you die.

    Parameters
    ----------
    model : BetaGeometricNBD, ModifiedBetaGeometricNBD or ParetoNBD
        Fitted.
    periods : int
        How many.
    length : float
        Of a period, in the time unit of `T`: the horizon of the value to be carried on.
    frequency, recency, T : array-like of shape (n_clients,)
        As for the fit.
    gap : float, default=0
        Time left out before the first period, in the time unit of `T`.

    Returns
    -------
    ndarray of shape (n_clients, periods)
        Never rising; the first column is 1. Where no purchase at all is expected in the first period, the others are 0.

    Raises
    ------
    ValueError
        If `periods` is not 1 or more, or `length` not above 0.

    Examples
    --------
    Who has just bought for the sixth time may leave, but is expected to buy half a year from now; the later, the fewer:

    >>> from loyalty.btyd import BetaGeometricNBD
    >>> frequency, recency, T = [5, 5, 0, 0, 1, 2], [50, 10, 0, 0, 9, 30], [60, 60, 30, 60, 60, 60]
    >>> model = BetaGeometricNBD().fit(frequency, recency, T)
    >>> fade = relative_purchases(model, 3, length=30, frequency=[5], recency=[50], T=[60])
    >>> bool(fade[0, 0] == 1 > fade[0, 1] > fade[0, 2] > 0)
    True
    """
    if not (isinstance(periods, int | np.integer) and periods >= 1):
        raise ValueError(f"`periods` must be a whole number, 1 or more; got {periods!r}.")
    if not (isinstance(length, int | float | np.integer | np.floating) and 0 < length < np.inf):
        raise ValueError(f"`length` must be above 0, in the time unit of `T`; got {length!r}.")
    expected = np.column_stack(
        [
            model.expected_purchases(length, frequency, recency, T, gap=gap + period * length)
            for period in range(periods)
        ]
    )
    first = expected[:, :1]
    shares = np.divide(expected, first, out=np.zeros_like(expected), where=first > 0)
    shares[:, 0] = 1.0
    return np.minimum.accumulate(shares, axis=1)  # what rounding leaves
