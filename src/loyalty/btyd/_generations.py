"""Clients who were there when the records began, and those who came since: each generation buys at rates of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.btyd._border import check_history, check_spend
from loyalty.btyd._frozen import Floats, probability_alive

#: Who first bought within this many days of the beginning was probably a client before. Chosen on earlier cutoffs: see
#: experiments/README.md.
_SETTLED_DAYS = 90
#: The records begin when one client in a hundred has come: a stray early date says nothing.
_BEGUN = 0.01
#: Clients who bought again, without whom a generation has no rates of its own.
_FEW = 50
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
    """Pareto/NBD and Gamma-Gamma for two generations of clients, told apart by their first purchase.

    Records usually begin long after the business did. Who buys in their first weeks was mostly a client before, and is
    one of those who stayed and buy often; who first appears later is new, and most of the new do not stay. Buy till you
    die takes all for draws from one population, so that it expects too little of the former and too much of the latter:
    in Online Retail II, clients first seen in the first fortnight spent up to twice as much as those first seen half a
    year later, against what one population led to expect of each.

    Attributes
    ----------
    begun : int
        The day on which the records begin, in days since 1970-01-01: when one client in a hundred had bought.
    settled : Habits
        Of clients who first bought within 90 days of the beginning; of all, where there is one generation.
    arrived : Habits or None
        Of those who came later. None where they, or the settled ones, are too few to have rates of their own: there are
        fewer than 50 who bought on a second day.

    See Also
    --------
    ParetoNBD, GammaGamma : The models, each for one population.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> T = np.repeat([500.0, 200.0], 500)
    >>> active = np.minimum(rng.exponential(np.repeat([2000.0, 60.0], 500)), T)
    >>> frequency = rng.poisson(active / 30)
    >>> recency = np.where(frequency > 0, active * frequency / (frequency + 1), 0.0)
    >>> cutoff = pd.Timestamp("2025-01-01")
    >>> generations = Generations.fit(frequency, recency, T, np.where(frequency > 0, 20.0, 0.0), cutoff=cutoff)

    Of two who bought alike, the older client is the likelier to be one still:

    >>> born = first_days([200.0, 200.0], cutoff) - [300, 0]
    >>> settled, arrived = generations.probability_alive([3, 3], [120.0, 120.0], [200.0, 200.0], born)
    >>> bool(arrived < settled)
    True
    """

    begun: int
    settled: Habits
    arrived: Habits | None = None

    @classmethod
    def fit(
        cls, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, monetary: ArrayLike, *, cutoff: pd.Timestamp
    ) -> Self:
        """Find the rates of each generation by maximum likelihood.

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
        _, spent = check_spend(frequency, monetary)
        born = first_days(age, cutoff)
        begun = int(np.quantile(born, _BEGUN, method="lower"))
        late, again = born >= begun + _SETTLED_DAYS, x > 0
        if min(np.count_nonzero(late & again), np.count_nonzero(~late & again)) < _FEW:
            return cls(begun, _habits(x, recent, age, spent))
        settled, arrived = (_habits(x[rows], recent[rows], age[rows], spent[rows]) for rows in (~late, late))
        return cls(begun, settled, arrived)

    def of(self, first_day: ArrayLike) -> Iterator[tuple[Habits, NDArray[np.bool_]]]:
        """Go through the generations: how each buys, and which of the clients are of it.

        Parameters
        ----------
        first_day : array-like of shape (n_clients,)
            Day of the first purchase, by `first_days`. Where it is missing there was none, and nothing to be told.
        """
        if self.arrived is None:
            yield self.settled, np.ones(np.shape(first_day), dtype=bool)
            return
        late = np.rint(np.asarray(first_day, dtype=float)) >= self.begun + _SETTLED_DAYS
        yield self.settled, ~late
        yield self.arrived, late

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
        arrived = kept["arrived"]
        return cls(kept["begun"], Habits(**kept["settled"]), None if arrived is None else Habits(**arrived))


def first_days(T: ArrayLike, cutoff: pd.Timestamp | pd.DatetimeIndex) -> Floats:
    """Day of the first purchase, in days since 1970-01-01, from its age at the cutoff.

    Examples
    --------
    >>> first_days([1.5, np.nan], pd.Timestamp("1970-01-12 12:00"))
    array([10., nan])
    """
    return np.rint((cutoff - _EPOCH) / pd.Timedelta(days=1) - np.asarray(T, dtype=float))


def _habits(frequency: Floats, recency: Floats, T: Floats, monetary: Floats) -> Habits:
    from loyalty.btyd._purchases import ParetoNBD  # with them comes scikit-learn
    from loyalty.btyd._spend import GammaGamma

    purchases = ParetoNBD().fit(frequency, recency, T).parameters_
    bought_again = bool(np.any(monetary > 0))
    return Habits(purchases, GammaGamma().fit(frequency, monetary).parameters_ if bought_again else None)
