"""Clients who were there when the records began, and those who came since: each generation buys at rates of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.btyd._border import check_columns, check_history, check_spend
from loyalty.btyd._frozen import Floats, probability_alive
from loyalty.timeline import Instant, as_instant, days_since_1970

#: Days from the beginning of the records at which one generation may end and the next begin: see
#: experiments/generations.md.
_BOUNDARIES = (60, 150)
#: Clients who bought again, without whom a generation has no rates of its own.
_FEW = 50
#: Parameters of Pareto/NBD that one more generation brings.
_MORE_PARAMETERS = 4


@dataclass(frozen=True)
class Habits:
    """How a generation buys.

    Attributes
    ----------
    purchases : mapping of str to float
        Parameters of Pareto/NBD, in days.
    spend : mapping of str to float or None
        Parameters of Gamma-Gamma; None where nobody spent anything on a second day.
    """

    purchases: Mapping[str, float]
    spend: Mapping[str, float] | None


@dataclass(frozen=True)
class Generations:
    """Pareto/NBD and Gamma-Gamma for generations of clients, told apart by their first purchase.

    Records usually begin long after the business did. Who buys in their first weeks was mostly a client before, and is
    one of those who stayed and buy often; who first appears months later is new, and most of the new do not stay. Buy
    till you die takes all for draws from one population, so that it expects too little of the former and too much of
    the latter.

    A generation may end 60 and 150 days after the records began. It does where at least 50 clients on either side
    bought on a second day, and two models of purchases are better than one by Schwarz's criterion [1]_.

    Attributes
    ----------
    begun : int
        The day on which the records begin, in days since 1970-01-01: the first from which on at least 50 clients first
        bought within 60 days, so that a stray early date says nothing; the first of all where there is none.
    habits : tuple of Habits
        How each generation buys, those who came first before the others.
    bounds : tuple of int
        Days from the beginning at which the second generation begins, and the third.

    See Also
    --------
    ParetoNBD, GammaGamma : The models, each for one population.

    References
    ----------
    .. [1] Schwarz (1978), "Estimating the Dimension of a Model", The Annals of Statistics 6(2), 461-464.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> T = np.repeat([500.0, 200.0], 500)
    >>> active = np.minimum(rng.exponential(np.repeat([2000.0, 60.0], 500)), T)
    >>> frequency = rng.poisson(active / 30)
    >>> recency = np.where(frequency > 0, active * frequency / (frequency + 1), 0.0)
    >>> cutoff = pd.Timestamp("2025-01-01")
    >>> told = Generations.fit(frequency, recency, T, np.where(frequency > 0, 20.0, 0.0), cutoff=cutoff)
    >>> told.bounds
    (60,)

    Of two who bought alike, the one of the older generation is the likelier to be a client still:

    >>> old, new = told.probability_alive([3, 3], [120, 120], [200, 200], first_day=[told.begun, told.begun + 60])
    >>> bool(new < old)
    True
    """

    begun: int
    habits: tuple[Habits, ...]
    bounds: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, monetary: ArrayLike, *, cutoff: Instant
    ) -> Self:
        """Find the generations, and the rates of each by maximum likelihood.

        Parameters
        ----------
        frequency, recency, T : array-like of shape (n_clients,)
            As for `ParetoNBD.fit`, in days, all told at `cutoff`.
        monetary : array-like of shape (n_clients,)
            As for `GammaGamma.fit`: mean spend of a repeat purchase day, 0 where there is none.
        cutoff : str, date or Timestamp
            When they were told.

        Returns
        -------
        Generations
            At least one.

        Raises
        ------
        ValueError
            As the two models raise it.
        """
        x, recent, age = check_history(frequency, recency, T)
        columns = (x, recent, age, check_spend(frequency, monetary)[1])
        born = first_days(age, cutoff)
        begun = _beginning(born)
        latest = np.ones(len(x), dtype=bool)
        found, bounds = [_fit(columns, latest)], []
        for bound in _BOUNDARIES:
            late = latest & (born >= begun + bound)
            early = latest & ~late
            if min(np.count_nonzero(x[late]), np.count_nonzero(x[early])) < _FEW:
                continue
            parts = [_fit(columns, early), _fit(columns, late)]
            gained = sum(log_likelihood for _, log_likelihood in parts) - found[-1][1]
            if gained > _MORE_PARAMETERS / 2 * np.log(np.count_nonzero(latest)):
                found[-1:], latest = parts, late
                bounds.append(bound)
        return cls(begun, tuple(habits for habits, _ in found), tuple(bounds))

    def all_came_since(self, first_event: pd.Timestamp) -> bool:
        """Whether histories begin so late that all of their clients are of a later generation."""
        return bool(self.bounds) and days_since_1970(first_event.normalize()) >= self.begun + self.bounds[0]

    def of(self, first_day: ArrayLike) -> Iterator[tuple[Habits, NDArray[np.bool_]]]:
        """Go through the generations: how each buys, and which of the clients are of it.

        Parameters
        ----------
        first_day : array-like of shape (n_clients,)
            Day of the first purchase, by `first_days`. Where it is missing there was none, and nothing to be told.
        """
        since = np.rint(np.asarray(first_day, dtype=float)) - self.begun
        place = np.searchsorted(self.bounds, np.nan_to_num(since), side="right")
        for number, habits in enumerate(self.habits):
            yield habits, place == number

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, first_day: ArrayLike) -> Floats:
        """Probability that each client still buys at all, by the rates of its generation.

        Parameters
        ----------
        frequency, recency, T : array-like of shape (n_clients,)
            As for `loyalty.btyd.probability_alive`, in days.
        first_day : array-like of shape (n_clients,)
            As for `of`.

        Returns
        -------
        ndarray of shape (n_clients,)
            NaN where a number is missing.
        """
        *told, born = check_columns(frequency=frequency, recency=recency, T=T, first_day=first_day)
        alive = np.empty(len(born))
        for habits, rows in self.of(born):
            alive[rows] = probability_alive(*(column[rows] for column in told), parameters=habits.purchases)
        return alive

    def to_json(self) -> dict[str, Any]:
        """Lay everything out for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `to_json` laid out."""
        return cls(kept["begun"], tuple(Habits(**habits) for habits in kept["habits"]), tuple(kept["bounds"]))


def first_days(T: ArrayLike, cutoff: Instant | pd.DatetimeIndex) -> Floats:
    """Day of the first purchase, in days since 1970-01-01, from its age at the cutoff.

    Parameters
    ----------
    T : array-like of shape (n_clients,)
        Days from the first purchase day, which stands at its midnight, to the cutoff.
    cutoff : str, date, Timestamp or DatetimeIndex of shape (n_clients,)
        Of all, or of each.

    Returns
    -------
    ndarray of shape (n_clients,)
        Whole numbers; NaN where T is missing.

    Examples
    --------
    >>> first_days([1.5, np.nan], pd.Timestamp("1970-01-12 12:00"))
    array([10., nan])
    """
    at = cutoff if isinstance(cutoff, pd.DatetimeIndex) else as_instant(cutoff, name="cutoff")
    return np.rint(days_since_1970(at) - np.asarray(T, dtype=float))


def _beginning(born: Floats) -> int:
    """Find the day on which the records begin."""
    days = np.sort(born)
    # From each client to the one by whom they are so many.
    span = days[_FEW - 1 :] - days[: max(len(days) - _FEW + 1, 0)]
    near = np.flatnonzero(span < _BOUNDARIES[0])
    return int(days[near[0] if len(near) else 0])


def _fit(columns: tuple[Floats, ...], rows: NDArray[np.bool_]) -> tuple[Habits, float]:
    """Fit both models on some clients; return with them the log-likelihood of the purchases."""
    from loyalty.btyd._purchases import ParetoNBD  # with them comes scikit-learn
    from loyalty.btyd._spend import GammaGamma

    frequency, recency, T, monetary = (column[rows] for column in columns)
    purchases = ParetoNBD().fit(frequency, recency, T)
    spent_again = bool(np.any(monetary > 0))
    spend = GammaGamma().fit(frequency, monetary).parameters_ if spent_again else None
    return Habits(purchases.parameters_, spend), purchases.log_likelihood_
