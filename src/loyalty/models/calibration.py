"""Calibration: make a margin mean what it says, at cutoffs never seen."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit

Floats = NDArray[np.float64]
_Numbers = TypeVar("_Numbers", float, pd.Series)

#: How far the slope may stray from 1 before the data must insist (standard deviation of its prior).
_SLOPE_PRIOR = 0.5
#: The same beside an anchor: slope and weight of the anchor until the data insist, and how far they may stray.
#: Chosen on earlier cutoffs: see experiments/README.md.
_SLOPE, _WEIGHT, _ANCHORED_PRIOR = 0.85, 0.15, 0.2
#: Variance of the errors that come and go with the season, over that of those which last from cutoff to cutoff.
_PASSING_OVER_LASTING = 4.0
YEAR = pd.Timedelta(days=365.25)
#: An error of so long ago counts e times less, since what an anchor is off by drifts; and what it is off by for one
#: cutoff alone, at the least (standard deviation, in log-odds or logarithms). See experiments/invented_shops.md.
_FADING, _PASSING = YEAR / 2, 0.1
#: By how much, of the mean of its year, a time of the year may differ for once.
_ONCE = 0.4
#: Below this part of the mean of its year, a share is low.
_LOW = 0.5
#: A season was seen if a cutoff lies this close to it; training cutoffs usually lie a month apart.
_SAME_SEASON = pd.Timedelta(days=15)
#: Cutoffs so many times as far apart as usual have a hole between them.
_HOLE = 3
#: Neither an anchor nor a share to come is ever surer than this.
_SURE = 1e-4
#: No more is expected to leave than twice as many each year, in logarithms.
_FASTEST = np.log(2.0)


@dataclass(frozen=True)
class PlattScaling:
    """A logistic calibrator: probability = expit(level + slope × margin + weight × anchor).

    Attributes
    ----------
    slope : float
        Below 1 where the margins were too sure of themselves.
    level : float
        What is added in log-odds.
    weight : float
        Of a second opinion in log-odds, the anchor; 0 where there is none.

    References
    ----------
    .. [1] Platt (1999), "Probabilistic outputs for support vector machines and comparisons to regularized
       likelihood methods", Advances in Large Margin Classifiers, 61-74.

    Examples
    --------
    >>> PlattScaling(slope=0.5, level=0.0)(np.array([-2.0, 0.0, 2.0])).round(3).tolist()
    [0.269, 0.5, 0.731]
    """

    slope: float = 1.0
    level: float = 0.0
    weight: float = 0.0

    def __call__(self, margin: Floats, anchor: Floats | None = None) -> Floats:
        """Turn margins, and anchors where there are any, into probabilities."""
        eta = self.level + self.slope * np.asarray(margin, dtype=float)
        return expit(eta if anchor is None else eta + self.weight * anchor)


def log_odds(probability: Floats, otherwise: Floats) -> Floats:
    """Write probabilities as log-odds within reason; where one is missing, `otherwise`.

    Examples
    --------
    >>> log_odds(np.array([0.5, np.nan, 1.0]), np.array([0.0, 3.0, 0.0])).round(2).tolist()
    [0.0, 3.0, 9.21]
    """
    told = logit(np.clip(probability, _SURE, 1 - _SURE))
    return np.where(np.isnan(probability), otherwise, told)


def fit_platt(
    margin: Floats, churned: NDArray[np.int_], group: NDArray[np.int_], *, through_time: bool
) -> PlattScaling:
    """Fit slope and level on held-out margins.

    Every group (a cutoff or a fold) has a level of its own, so that the slope is learned within groups. What is
    off at one cutoff is partly of its season and will not be off at the next: through time, slope and level are
    moved from 1 and 0 only by the share that `n` cutoffs can tell of a lasting error, n / (n + 4), the mean of a
    random effect. Between folds nothing passes, and the fitted values stand.

    Parameters
    ----------
    margin : array of shape (n_rows,)
        Log-odds predicted by trees that have not seen these rows.
    churned : array of shape (n_rows,)
        0 or 1.
    group : array of shape (n_rows,)
        0, 1, …: the cutoff or fold of each row.
    through_time : bool
        Whether groups are cutoffs.
    """
    slopes, levels = _fit(margin[:, None], churned, group, prior=np.ones(1), spread=_SLOPE_PRIOR)
    lasting = lasting_share(len(levels)) if through_time else 1.0
    return PlattScaling(slope=1 + lasting * (float(slopes[0]) - 1), level=lasting * float(np.mean(levels)))


def fit_anchored(
    margin: Floats,
    anchor: Floats,
    churned: NDArray[np.int_],
    group: NDArray[np.int_],
    *,
    latest: tuple[Floats, Floats],
    error: float = 0.0,
) -> PlattScaling:
    """Fit the slope of the margins, the weight of the anchor, and a level half way between the two.

    Two forecasts err differently: trees carry on the level of the seasons they have seen, a model of how clients buy
    and drop out carries on long-run rates. Slope and weight are learned within groups, as in `fit_platt`; the level is
    such that the mean probability of the clients as they stand now is the mean of what the two say of them, the trees
    calibrated alone. Equal shares, since the few held-out cutoffs lie in one season and cannot tell whose level will be
    less off in the next; they are hard to beat where forecasts are combined [1]_.

    Parameters
    ----------
    margin, anchor : array of shape (n_rows,)
        Log-odds of held-out rows, by trees and by the anchor; there may be none.
    churned, group : array of shape (n_rows,)
        As for `fit_platt`, the groups being cutoffs.
    latest : pair of arrays of shape (n_latest,)
        Margins and anchors of the clients as they stand now, whose outcomes need not be known.
    error : float, default=0
        What the anchor is expected to be off by in log-odds.

    References
    ----------
    .. [1] Stock and Watson (2004), "Combination forecasts of output growth in a seven-country data set", Journal of
       Forecasting 23(6), 405-430.
    """
    alone, slope, weight = PlattScaling(), _SLOPE, _WEIGHT
    if len(margin):
        alone = fit_platt(margin, churned, group, through_time=True)
        both = np.column_stack([margin, anchor])
        (slope, weight), _ = _fit(both, churned, group, prior=np.array([slope, weight]), spread=_ANCHORED_PRIOR)
    wanted = (float(alone(latest[0]).mean()) + float(expit(latest[1] + error).mean())) / 2
    level = _level_of(slope * latest[0] + weight * latest[1], wanted)
    return PlattScaling(slope=float(slope), level=level, weight=float(weight))


def towards(scaling: PlattScaling, latest: Floats, share: float, *, sure: float = 0.0) -> PlattScaling:
    """Move the level from what a calibrator says of the clients as they stand now towards another share of them.

    Parameters
    ----------
    scaling : PlattScaling
        Without an anchor.
    latest : array of shape (n_latest,)
        Margins of the clients as they stand now.
    share : float
        How many of them another forecast says will leave.
    sure : float, default=0
        How sure that forecast is, 0 to 1: at 0 the level is moved half way, and at 1 all the way.

    Examples
    --------
    >>> margins = np.zeros(10)
    >>> [round(float(towards(PlattScaling(), margins, 0.1, sure=sure)(margins).mean()), 3) for sure in (0, 0.5, 1)]
    [0.3, 0.2, 0.1]
    """
    weight = (1 + sure) / 2
    wanted = (1 - weight) * float(scaling(latest).mean()) + weight * share
    return replace(scaling, level=_level_of(scaling.slope * latest, wanted))


def _level_of(eta: Floats, wanted: float) -> float:
    """Find what to add to log-odds for their mean probability to be the one that is wanted."""
    return float(brentq(lambda level: float(expit(level + eta).mean()) - wanted, -50.0, 50.0))


def lasting_share(times: float) -> float:
    """Share of a mean error, seen so many times, that is to be expected the next time: the mean of a random effect.

    Examples
    --------
    >>> [lasting_share(times) for times in (0, 1, 4)]
    [0.0, 0.2, 0.5]
    """
    return times / (times + _PASSING_OVER_LASTING)


def lasting_error(errors: pd.Series, *, at_least: float = 0.0) -> float:
    """Expect of the errors of an anchor what is to last: what whole years of cutoffs agree on.

    Where a model is out of place, such as one of chance purchases for a box that comes every month, or one of rates
    that never change for a shop whose prices rise, it is off in the same direction at every cutoff. Of the mean `m`
    over `n` years, n m² / (n m² + v) is taken to last, where `v` is the variance of the errors about it and of what
    passes at the least (.1²): the mean of a random effect whose own variance is read from `m`. Since such errors drift,
    one of half a year ago counts e times less than one of today. Cutoffs within one year share its seasons, and cannot
    tell what lasts: of their plain mean no more than the given share is expected.

    Parameters
    ----------
    errors : Series indexed by cutoff
        True less predicted, in logarithms or log-odds, in the order of time.
    at_least : float, default=0
        Share of the mean that lasts, whether or not whole years agree on more of it.

    Examples
    --------
    >>> errors = [-1.5, -1.7, -1.6]
    >>> days = pd.to_datetime(["2023-01-01", "2023-07-01", "2024-01-02"])
    >>> round(lasting_error(pd.Series(errors, index=days)), 2)
    -1.61
    >>> round(lasting_error(pd.Series(errors[:2], index=days[:2]), at_least=0.1), 2)
    -0.16

    One that grows is followed:

    >>> round(lasting_error(pd.Series([0.0, 0.2, 0.4], index=days)), 2)
    0.25
    """
    if errors.empty:
        return 0.0
    years = (errors.index[-1] - errors.index[0]) / YEAR
    if years < 1:
        return at_least * float(errors.mean())
    told = errors.to_numpy(dtype=float)
    weight = np.exp(((errors.index - errors.index[-1]) / _FADING).to_numpy(dtype=float))
    mean = float(np.average(told, weights=weight))
    lasting = years * mean**2
    passing = float(np.average((told - mean) ** 2, weights=weight)) + _PASSING**2
    return max(at_least, lasting / (lasting + passing)) * mean


def error_to_come(errors: pd.Series, *, now: pd.Timestamp, at_least: float = 0.0) -> float:
    """Expect what an anchor will be off by, from what it was off by: what lasts of the mean, and the season.

    Parameters
    ----------
    errors, now
        As for `seasonal_error`.
    at_least : float, default=0
        As for `lasting_error`.

    Examples
    --------
    >>> errors = pd.Series([0.3, 0.3], index=pd.to_datetime(["2024-01-01", "2024-07-01"]))
    >>> round(error_to_come(errors, now=pd.Timestamp("2024-10-01"), at_least=0.1), 3)
    0.03
    """
    return lasting_error(errors, at_least=at_least) + seasonal_error(errors, now=now)


def seasonal_error(errors: pd.Series, *, now: pd.Timestamp) -> float:
    """Expect what a model that knows no season will be off by, beyond its mean error, from years past.

    What it was off in the same season, less its mean over the year that followed, is averaged over the years in which
    that season was seen. `n` years tell n / (n + 1) of it: a season is taken to move clients about as much as all else
    that passes.

    Parameters
    ----------
    errors : Series indexed by cutoff
        True less predicted, in logarithms or log-odds, in the order of time.
    now : Timestamp
        The cutoff to come.

    Returns
    -------
    float
        0 where no earlier year was seen.

    Examples
    --------
    Sales were 0.4 above the model in one spring, and as it says in the seasons after:

    >>> days = pd.to_datetime(["2024-03-01", "2024-06-01", "2024-09-01", "2024-12-01"])
    >>> errors = pd.Series([0.4, 0.0, 0.0, 0.0], index=days)
    >>> [round(seasonal_error(errors, now=pd.Timestamp(now)), 2) for now in ("2025-03-01", "2025-06-01", "2025-02-01")]
    [0.15, 0.0, 0.0]
    """
    departures, cutoffs = [], pd.DatetimeIndex(errors.index)
    for then in _same_seasons(cutoffs, now):
        since = (cutoffs - then) / YEAR
        around = errors[(since >= -_SAME_SEASON / YEAR) & (since < 1)]
        departures.append(_at(errors, then) - float(around.mean()))
    return float(np.mean(departures)) * _lasting(departures) if departures else 0.0


def _same_seasons(cutoffs: pd.DatetimeIndex, now: pd.Timestamp) -> list[pd.Timestamp]:
    """List the instants whole years before, as far as cutoffs lie about them."""
    seen = []
    for years in range(1, len(cutoffs) + 1):
        then = now - years * YEAR
        if then < cutoffs[0] - _SAME_SEASON:
            break
        if then <= cutoffs[-1] + _SAME_SEASON and not _in_a_hole(cutoffs, then):
            seen.append(then)
    return seen


def _at(values: pd.Series, when: pd.Timestamp) -> float:
    """Read between cutoffs."""
    since = (pd.DatetimeIndex(values.index) - when) / YEAR
    return float(np.interp(0.0, since.to_numpy(), values.to_numpy()))


def _lasting(departures: list[float]) -> float:
    """Tell how much of a mean over n years is to come again: n / (n + 1)."""
    return len(departures) / (len(departures) + 1)


def _sureness(ratios: list[float], chance: list[float]) -> float:
    """Tell how sure it is that years depart alike from their mean: the more, the farther and the more often they do.

    `chance` is the variance of each ratio that is of clients who left or not by chance.
    """
    agreed = len(ratios) * (float(np.mean(ratios)) - 1.0) ** 2
    return agreed / (agreed + float(np.var(ratios)) + float(np.mean(chance)) + _ONCE**2)


def _in_a_hole(cutoffs: pd.DatetimeIndex, when: pd.Timestamp) -> bool:
    """Tell whether cutoffs are missing about an instant, as of a time when a shop was closed."""
    apart = np.diff(cutoffs.to_numpy())
    after = int(cutoffs.searchsorted(when))
    if not 0 < after < len(cutoffs) or apart[after - 1] <= _HOLE * np.median(apart):
        return False
    return bool(min(cutoffs[after] - when, when - cutoffs[after - 1]) > _SAME_SEASON)


def level_errors(opinion: Floats, churned: NDArray[np.int_], cutoffs: pd.DatetimeIndex) -> pd.Series:
    """Find for each cutoff what must be added to log-odds for their mean probability to be the share who churned.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01"] * 4)
    >>> level_errors(np.zeros(4), np.array([1, 1, 1, 0]), days).round(2).tolist()
    [0.85]
    """
    found = {}
    for cutoff in cutoffs.unique().sort_values():
        at = cutoffs == cutoff
        found[cutoff] = _level_of(opinion[at], _share(churned[at].sum(), int(at.sum())))
    return pd.Series(found, dtype=float)


def share_to_come(churned: NDArray[np.int_], cutoffs: pd.DatetimeIndex, *, now: pd.Timestamp) -> tuple[float, float]:
    """Expect the share who will leave from the shares who left, whoever they were, and say how sure its season is.

    It is the share of the last year of cutoffs, times what the same season of years past was to the mean of its year,
    of which `n` years tell n / (n + 1), or more if it is sure: n m² / (n m² + v), for a mean departure of `m` and a
    variance `v` of it from year to year, of who leaves by chance, and of what may pass (.4²). Where all leave in one
    month of a year they will in that of the next; whether half as many more were a season cannot be known of one year.
    Of a low at the beginning, before which few had left, nothing is sure: a business, or its records, may be young.

    Before, all shares are brought to the level of today: if by `g` in logarithms more left than at the same time of the
    year before, they grow so on, by g² / (g² + v) of it, where `v` is the variance of that from cutoff to cutoff, and
    of what passes at the least (.1²). Growth is seen over half a year or more, or there is none, and is never more than
    a doubling a year. All is reckoned in shares and not in log-odds, whose mean lies below the share of a year with a
    season.

    Parameters
    ----------
    churned : array of shape (n_rows,)
        0 or 1.
    cutoffs : DatetimeIndex of shape (n_rows,)
        When.
    now : Timestamp
        The cutoff to come.

    Returns
    -------
    share, sure : float
        The share, and how sure the season is, 0 to 1; 0 where no earlier year was seen.

    Examples
    --------
    A tenth left each time, and then three tenths:

    >>> cutoffs = pd.date_range("2024-01-01", periods=4, freq="91D").repeat(1000)
    >>> churned = np.tile(np.arange(1000) < 100, 4).astype(int)
    >>> share, sure = share_to_come(churned, cutoffs, now=pd.Timestamp("2024-12-31"))
    >>> round(share, 2), round(sure, 2)
    (0.1, 0.0)
    >>> churned[-1000:][:300] = 1
    >>> share, sure = share_to_come(churned, cutoffs, now=pd.Timestamp("2024-12-31"))
    >>> round(share, 2), round(sure, 2)
    (0.13, 0.4)
    """
    left = pd.DataFrame({"left": churned, "clients": 1}).groupby(cutoffs).sum()
    days = pd.DatetimeIndex(left.index)
    as_they_were = _share(left["left"], left["clients"])
    shares = as_they_were * np.exp(_growth(as_they_were) * ((now - days) / YEAR).to_numpy())
    seen = [(then, year) for then in _same_seasons(days, now) if len(year := _year_of(shares, then))]
    ratios = [_at(shares, then) / float(year.mean()) for then, year in seen]
    # A low at which nothing yet had happened may be the beginning of the business, or of its records.
    proved = any(
        ratio >= _LOW or (shares[shares.index < then] >= _LOW * float(year.mean())).any()
        for ratio, (then, year) in zip(ratios, seen, strict=True)
    )
    chance = [
        max(ratio, 1.0) / (float(as_they_were[year.index].mean()) * _at(left["clients"], then))
        for ratio, (then, year) in zip(ratios, seen, strict=True)
    ]
    last = _year_of(shares, days[-1])
    usual = float(np.average(last, weights=left["clients"][last.index]))
    sure = _sureness(ratios, chance) if proved else 0.0
    season = (float(np.mean(ratios)) - 1.0) * max(_lasting(ratios), sure) if ratios else 0.0
    return float(np.clip(usual * (1 + season), _SURE, 1 - _SURE)), sure


def growth_to_come(churned: NDArray[np.int_], cutoffs: pd.DatetimeIndex) -> float:
    """Expect by how much the share who leave will grow in a year, in logarithms: see `share_to_come`.

    Examples
    --------
    Once a tenth left each time, and in the second year two tenths:

    >>> cutoffs = pd.date_range("2023-01-01", periods=8, freq="91D").repeat(1000)
    >>> churned = (np.tile(np.arange(1000), 8) < np.repeat([100, 200], 4000)).astype(int)
    >>> round(growth_to_come(churned, cutoffs), 2)
    0.68
    """
    left = pd.DataFrame({"left": churned, "clients": 1}).groupby(cutoffs).sum()
    return _growth(_share(left["left"], left["clients"]))


def _year_of(shares: pd.Series, when: pd.Timestamp) -> pd.Series:
    """Take the year that begins at an instant, or the last one, if that is over later."""
    first = min(when - _SAME_SEASON, shares.index[-1] - YEAR + pd.Timedelta(microseconds=1))
    return shares[(shares.index >= first) & (shares.index < first + YEAR)]


def _growth(shares: pd.Series) -> float:
    """Tell in logarithms how many more leave from year to year, as far as it lasts."""
    days = pd.DatetimeIndex(shares.index)
    earlier = {day: day - YEAR for day in days[days > days[-1] - YEAR]}
    pairs = pd.DataFrame(
        {
            day: {"now": shares[day], "before": _at(shares, then)}
            for day, then in earlier.items()
            if then >= days[0] - _SAME_SEASON and not _in_a_hole(days, then)
        }
    ).T
    if pairs.empty or pairs.index[-1] - pairs.index[0] < YEAR / 2:
        return 0.0
    growth = float(np.log(pairs["now"].mean() / pairs["before"].mean()))
    passing = float(np.log(pairs["now"] / pairs["before"]).var(ddof=0)) + _PASSING**2
    return float(np.clip(growth**3 / (growth**2 + passing), -_FASTEST, _FASTEST))


def _share(leavers: _Numbers, clients: _Numbers) -> _Numbers:
    """Divide as if one client more had half left: where all or none did, the level is far out, but not without end."""
    return (leavers + 0.5) / (clients + 1)


def _fit(
    opinions: Floats, churned: NDArray[np.int_], group: NDArray[np.int_], *, prior: Floats, spread: float
) -> tuple[Floats, Floats]:
    """Fit one slope for each opinion, and one level for each group."""
    groups, n = int(group.max()) + 1, opinions.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slopes, levels = parameters[:n], parameters[n:]
        eta = levels[group] + opinions @ slopes
        error = expit(eta) - churned
        strayed = (slopes - prior) / spread
        value = float(np.sum(np.logaddexp(0.0, eta) - churned * eta)) + 0.5 * float(strayed @ strayed)
        value += 0.5 * float(np.sum(levels**2))  # a weak prior: a group of one class has a level too
        at_levels = np.bincount(group, weights=error, minlength=groups) + levels
        return value, np.concatenate([error @ opinions + strayed / spread, at_levels])

    bounds = [(0.05, 5.0)] + [(0.0, 5.0)] * (n - 1) + [(-10.0, 10.0)] * groups
    start = np.concatenate([prior, np.zeros(groups)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x[:n], found.x[n:]
