"""Portfolio: an interval of what all clients, or those of a segment, will spend together."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from loyalty.models.holding_out import Floats, one_for_each
from loyalty.timeline import Duration, as_duration

#: The relative errors taken for granted, that of all and a segment's own, and how many cutoffs they weigh as much as.
_PRIOR_COMMON, _PRIOR_OWN, _PRIOR_CUTOFFS = 0.2, 0.1, 2.0
#: Power of the predicted value that the variance of a client's spend follows; that of `ValueModel`.
_VARIANCE_POWER = 1.5
_TENTHS = 10


@dataclass(frozen=True)
class PortfolioErrors:
    """How far totals at past cutoffs were off, without a row of any client.

    Attributes
    ----------
    common : float
        Relative error (standard deviation) that all clients of a cutoff share: season, economy, a model that is off.
    own : float
        Relative error of a small segment beyond the common one.
    dispersion : float
        Variance of a client's spend over the predicted value to the power 1.5: what is left to chance.
    cutoffs : float
        Cutoffs that the errors were learned from, as many as do not overlap.

    Notes
    -----
    The relative error of the total of segment `s` is taken to have the variance
    common² + own² (1 - share of `s`) + dispersion · Σ expected^1.5 / (Σ expected)², the last term being that of a
    compound Poisson-Gamma law [1]_. Each part is estimated by moments: what squared errors exceed the chance below them
    by [2]_, drawn towards 0.2² (common) and 0.1² (own) as if by two
    more cutoffs. Cutoffs closer to each other than gap and horizon share most
    of their outcome; they count as the time they span over gap and horizon, plus one.

    References
    ----------
    .. [1] Jørgensen (1987), "Exponential dispersion models", Journal of the Royal Statistical Society B 49(2),
       127-162.
    .. [2] DerSimonian and Laird (1986), "Meta-analysis in clinical trials", Controlled Clinical Trials 7(3), 177-188.
    """

    common: float
    own: float
    dispersion: float
    cutoffs: float

    @classmethod
    def learn(cls, value: ArrayLike, expected_value: ArrayLike, *, cutoff: ArrayLike, reach: Duration) -> Self:
        """Learn from predictions of clients, at past cutoffs, by models that had not seen them.

        Parameters
        ----------
        value, expected_value : array-like of shape (n_rows,)
            What each client spent, and what was predicted, such as by `held_out_forecast` or a backtest. Rows without
            both are left out; none is infinite.
        cutoff : array-like of shape (n_rows,)
            The cutoff of each row.
        reach : str or timedelta
            Gap and horizon together.

        Raises
        ------
        ValueError
            If no row has both, one is infinite, or nothing was expected of a whole cutoff.

        Examples
        --------
        Ten clients were worth what was said at one cutoff and 10 % less at the next, none by chance:

        >>> cutoff = pd.to_datetime(["2024-01-01"] * 10 + ["2024-04-01"] * 10)
        >>> errors = PortfolioErrors.learn([10.0] * 10 + [9.0] * 10, [10.0] * 20, cutoff=cutoff, reach="91d")
        >>> errors.cutoffs, errors.dispersion
        (2.0, 0.0)

        The mean squared error, 0.005, is drawn half the way to 0.04:

        >>> round(errors.common**2, 6)
        0.0225
        """
        true = one_for_each(value, np.shape(value)[0], "value")
        expected = one_for_each(expected_value, len(true), "expected_value")
        for name, given in (("value", true), ("expected_value", expected)):
            _refuse(name, given, np.isinf(given), "finite, or NaN where it is not known", "Correct or drop such rows.")
        rows = pd.DataFrame(
            {
                "value": true,
                "expected": np.clip(expected, 0.0, None),
                "cutoff": pd.DatetimeIndex(np.asarray(cutoff)),
            }
        ).dropna()
        sums = rows.groupby("cutoff")[["value", "expected"]].sum()
        if rows.empty or (sums["expected"] <= 0).any():
            raise ValueError(
                "`value` and `expected_value` must be known for some rows, and something expected at each of their "
                f"cutoffs; got {len(rows):,} such rows."
            )
        error = sums["value"] / sums["expected"] - 1
        rows["error"] = rows["cutoff"].map(error)
        spread = rows["expected"] ** _VARIANCE_POWER
        residual = rows["value"] - (1 + rows["error"]) * rows["expected"]
        dispersion = float((residual**2).sum() / spread.sum())
        chance = dispersion * spread.groupby(rows["cutoff"]).sum() / sums["expected"] ** 2
        span = (sums.index.max() - sums.index.min()) / as_duration(reach, name="reach")
        cutoffs = min(float(len(sums)), 1 + span)
        common = _drawn(float((error**2 - chance).mean()), _PRIOR_COMMON, cutoffs)
        return cls(
            common=float(np.sqrt(common)),
            own=float(np.sqrt(_drawn(_excess_of_tenths(rows.assign(spread=spread), dispersion), _PRIOR_OWN, cutoffs))),
            dispersion=dispersion,
            cutoffs=float(cutoffs),
        )

    def to_dict(self) -> dict[str, float]:
        """Return the four numbers, as JSON takes them; ``PortfolioErrors(**numbers)`` brings them back."""
        return asdict(self)


def portfolio_interval(
    expected_value: ArrayLike, *, errors: PortfolioErrors, by: ArrayLike | None = None, coverage: float = 0.9
) -> pd.DataFrame:
    """Bound what all clients, and those of each segment, will spend together.

    The intervals of clients do not add up to it: what is chance for one client evens out over many, what is off for all
    at once does not. It is made from the errors of whole portfolios at past cutoffs, and from what is left to chance.

    Parameters
    ----------
    expected_value : array-like of shape (n_clients,)
        Predicted net spend.
    errors : PortfolioErrors
        Learned at past cutoffs.
    by : array-like of shape (n_clients,), optional
        The segment of each client.
    coverage : float, default=0.9
        Probability that a total lies within its interval, strictly between 0 and 1; each on its own.

    Returns
    -------
    DataFrame
        ``segment``, `all` first, ``clients``, ``expected``, ``lower``, ``upper``.

    Raises
    ------
    ValueError
        If `coverage` is out of range, an expected value is missing, infinite or negative, or a segment is missing.

    Notes
    -----
    On the scale of logarithms the interval is symmetric: the expected total times exp(±t s), where
    s² = log(1 + variance of the relative error), the log-normal law of that variance, and t is the quantile of
    Student's law with as many degrees of freedom as cutoffs were learned from, plus the two of the prior.

    Examples
    --------
    What is chance evens out over a hundred clients, and the common error remains:

    >>> errors = PortfolioErrors(common=0.1, own=0.0, dispersion=40.0, cutoffs=3.0)
    >>> tables = [portfolio_interval(np.full(n, 100.0), errors=errors) for n in (1, 100)]
    >>> [round(float(table["upper"].iloc[0] / table["expected"].iloc[0]), 2) for table in tables]
    [12.91, 1.56]
    """
    if not 0 < coverage < 1:
        raise ValueError(f"`coverage` must lie strictly between 0 and 1, as 0.9; got {coverage!r}.")
    expected = one_for_each(expected_value, np.shape(expected_value)[0], "expected_value")
    wrong = ~(np.isfinite(expected) & (expected >= 0))
    _refuse("expected_value", expected, wrong, "known, finite and not negative", "Correct or drop such clients.")
    if by is not None and np.shape(by) != expected.shape:
        raise ValueError(f"`by` must have one entry a row; got {np.shape(by)} for {len(expected):,} rows.")
    parts: list[tuple[object, Floats]] = [("all", expected)]
    if by is not None:
        segments = np.asarray(pd.Series(by))  # NumPy alone would make the word 'nan' of a missing one among words
        group, names = pd.factorize(segments, sort=True)
        remedy = "Give such clients a segment of their own, or leave them out."
        _refuse("by", segments, group < 0, "known for every client", remedy)
        parts += [(name, expected[group == number]) for number, name in enumerate(names)]
    total = float(expected.sum())
    rows = [(name, len(part), float(part.sum()), *_ends(part, total, errors, coverage)) for name, part in parts]
    return pd.DataFrame(rows, columns=["segment", "clients", "expected", "lower", "upper"])


def _refuse(name: str, values: NDArray[Any], wrong: NDArray[np.bool_], rule: str, remedy: str) -> None:
    """Raise ValueError where a value is `wrong`, naming the argument, the rule, the first such row and the way out."""
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"`{name}` must be {rule}; got {values[row]} in row {row} ({int(wrong.sum()):,} such rows). {remedy}"
        )


def _ends(part: Floats, total: float, errors: PortfolioErrors, coverage: float) -> tuple[float, float]:
    """Bound the total of a segment."""
    expected = float(part.sum())
    if expected == 0:
        return 0.0, 0.0
    chance = errors.dispersion * float((part**_VARIANCE_POWER).sum()) / expected**2
    variance = errors.common**2 + errors.own**2 * (1 - expected / total) + chance
    reach = float(student.ppf((1 + coverage) / 2, errors.cutoffs + _PRIOR_CUTOFFS)) * np.sqrt(np.log1p(variance))
    return expected * float(np.exp(-reach)), expected * float(np.exp(reach))


def _excess_of_tenths(rows: pd.DataFrame, dispersion: float) -> float:
    """Measure by how much tenths of the predicted value were off beyond their cutoff and chance, in money's weight."""
    rank = rows.groupby("cutoff")["expected"].rank(method="first", pct=True)
    tenth = np.ceil(rank * _TENTHS).astype(int)
    sums: Any = (
        rows.assign(tenth=tenth)
        .groupby(["cutoff", "tenth"])
        .agg(value=("value", "sum"), expected=("expected", "sum"), spread=("spread", "sum"), error=("error", "first"))
    )
    sums = sums[sums["expected"] > 0]
    rest = 1 - sums["expected"] / sums.groupby("cutoff")["expected"].transform("sum")
    squares = (sums["value"] / sums["expected"] - 1 - sums["error"]) ** 2
    excess = squares - dispersion * sums["spread"] / sums["expected"] ** 2 * rest
    weight = sums["expected"] * rest
    return float((sums["expected"] * excess).sum() / weight.sum()) if (weight > 0).any() else 0.0


def _drawn(variance: float, prior: float, cutoffs: float) -> float:
    """Draw a variance towards that of a prior error."""
    return (_PRIOR_CUTOFFS * prior**2 + cutoffs * max(variance, 0.0)) / (_PRIOR_CUTOFFS + cutoffs)
