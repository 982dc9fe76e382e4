"""Clients who were there when the records began, and those who came since: each generation buys at rates of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.btyd._border import check_history, check_spend
from loyalty.btyd._frozen import Floats, probability_alive

#: Days from the beginning of the records at which one generation may end and the next begin. Chosen on earlier cutoffs:
#: see experiments/README.md.
_BOUNDARIES = (60, 150)
#: The records begin when one client in a hundred has come: a stray early date says nothing.
_BEGUN = 0.01
#: Clients who bought again, without whom a generation has no rates of its own.
_FEW = 50
#: Parameters of Pareto/NBD that one more generation brings.
_MORE_PARAMETERS = 4
_EPOCH = pd.Timestamp("1970-01-01")


@dataclass(frozen=True)
class Habits:
    """How a generation buys.

    Attributes
    ----------
    purchases : mapping of str to float
        Parameters of Pareto/NBD, in days.
    spend : mapping of str to float or None
        Parameters of Gamma-Gamma; None where nobody bought on a second day.
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
        The day on which the records begin, in days since 1970-01-01: when one client in a hundred had bought.
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
        cls, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, monetary: ArrayLike, *, cutoff: pd.Timestamp
    ) -> Self:
        """Find the generations, and the rates of each by maximum likelihood.

        Parameters
        ----------
        frequency, recency, T : array-like of shape (n_clients,)
            As for `ParetoNBD.fit`, in days, all told at `cutoff`.
        monetary : array-like of shape (n_clients,)
            As for `GammaGamma.fit`: mean spend of a repeat purchase day, 0 where there is none.
        cutoff : Timestamp
            When they were told.

        Raises
        ------
        ValueError
            As the two models raise it.
        """
        x, recent, age = check_history(frequency, recency, T)
        columns = (x, recent, age, check_spend(frequency, monetary)[1])
        born = first_days(age, cutoff)
        begun = int(np.quantile(born, _BEGUN, method="lower"))
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
        """Probability that each client still buys at all, by the rates of its generation, shape (n_clients,)."""
        told = [np.asarray(column, dtype=float) for column in (frequency, recency, T)]
        alive = np.empty(len(told[0]))
        for habits, rows in self.of(first_day):
            alive[rows] = probability_alive(*(column[rows] for column in told), parameters=habits.purchases)
        return alive

    def to_json(self) -> dict[str, Any]:
        """Lay everything out for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `to_json` laid out."""
        return cls(kept["begun"], tuple(Habits(**habits) for habits in kept["habits"]), tuple(kept["bounds"]))


def first_days(T: ArrayLike, cutoff: pd.Timestamp | pd.DatetimeIndex) -> Floats:
    """Day of the first purchase, in days since 1970-01-01, from its age at the cutoff.

    Examples
    --------
    >>> first_days([1.5, np.nan], pd.Timestamp("1970-01-12 12:00"))
    array([10., nan])
    """
    return np.rint((cutoff - _EPOCH) / pd.Timedelta(days=1) - np.asarray(T, dtype=float))


def _fit(columns: tuple[Floats, ...], rows: NDArray[np.bool_]) -> tuple[Habits, float]:
    """Fit both models on some clients; return with them the log-likelihood of the purchases."""
    from loyalty.btyd._purchases import ParetoNBD  # with them comes scikit-learn
    from loyalty.btyd._spend import GammaGamma

    frequency, recency, T, monetary = (column[rows] for column in columns)
    purchases = ParetoNBD().fit(frequency, recency, T)
    bought_again = bool(np.any(monetary > 0))
    spend = GammaGamma().fit(frequency, monetary).parameters_ if bought_again else None
    return Habits(purchases.parameters_, spend), purchases.log_likelihood_
