"""The season of spend, and of leaving: what each part of a year is of another, by what was seen years ago."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.timeline import as_instant, written_instant

__all__ = ["Season"]

Floats = NDArray[np.float64]

_YEAR = 365
#: Far less than any departure that could be told.
_TINY = 1e-12
#: Where less than this part of a usual day is spent a day, it counts as if it were so much: there is nothing to go by.
_LEAST = 0.05


@dataclass(frozen=True)
class Season:
    """What is spent a day in each step of a year, over what is spent in the first, fading aside.

    Or, of leaving, how many times as often contracts end in each step as survival tells.

    Attributes
    ----------
    since : Timestamp
        Where the year begins; it comes again every 365 days.
    step_days : int
        How long a step is; the last is what is left of the year.
    steps : tuple of float
        Of each step; of spend 1 for the first.
    """

    since: pd.Timestamp
    step_days: int
    steps: tuple[float, ...]

    @classmethod
    def learn(cls, spend: pd.DataFrame, fade: Floats, *, since: pd.Timestamp) -> Self | None:
        """Learn it from what clients spent in the year after a cutoff.

        Parameters
        ----------
        spend : DataFrame of shape (n_clients, n_steps)
            What they spent in each step of 365 days, from cutoffs whole years before `since` on, as from
            `loyalty.build_spend`; NaN where it is not known.
        fade : ndarray of shape (n_clients, n_steps)
            What purchases in each step are expected to be of those in the first, without a season, were it as long.
        since : Timestamp
            What lies whole years after those cutoffs.

        Returns
        -------
        Season or None
            The departure m of a step from what the spend of the first and its fading lead to expect counts for
            m² / (m² + s²) of itself, with s its standard error over clients: what few clients did by chance is no
            season. What nobody saw is as the mean of what was seen. None where nothing was spent in the first step, or
            nothing is known of any other.

        Examples
        --------
        Who does not fade spends twice as much a day in the second half of a year:

        >>> spend = pd.DataFrame([[100.0, 165.0], [200.0, 330.0]], columns=[200, 365])
        >>> Season.learn(spend, np.ones((2, 2)), since=pd.Timestamp("2024-01-01")).steps
        (1.0, 2.0)
        """
        money, ends = spend.to_numpy(dtype=float), np.array([0.0, *map(float, spend.columns)])
        lengths = np.diff(ends) / ends[1]
        seen = ~np.isnan(money) & ~np.isnan(money[:, :1])
        faded = np.where(seen, money[:, :1] * fade * lengths, 0.0)
        money = np.where(seen, money, 0.0)
        usual = faded.sum(axis=0)
        if usual[0] <= 0 or (usual[1:] <= 0).all():
            return None
        told = usual > 0
        usual = np.where(told, usual, 1.0)
        departure = np.where(told, money.sum(axis=0) / usual - 1.0, 0.0)
        error = np.sqrt(((money - (1.0 + departure) * faded) ** 2).sum(axis=0)) / usual
        certainty = departure**2 / np.maximum(departure**2 + error**2, _TINY)
        steps = (1.0 + certainty * departure).clip(min=0.0)
        steps[~told] = np.average(steps[told], weights=lengths[told])
        return cls(since, int(ends[1]), tuple(steps.tolist()))

    @classmethod
    def of_leaving(
        cls, risks: Floats, to_come: Sequence[tuple[float, float]], *, since: pd.Timestamp, step_days: int
    ) -> Self | None:
        """Set what survival tells of a year beside the shares to come.

        Parameters
        ----------
        risks : ndarray of shape (n_steps,)
            The risk to leave in each step that survival tells, in the mean of all: -log(1 - share).
        to_come : sequence of (share, sure), n_steps long
            The share that is to be expected to leave, and how sure that is: see `share_to_come`.
        since, step_days
            When the first step begins, and how long each is.

        Returns
        -------
        Season or None
            Half of what a share departs from what is told, in logarithms, as far as it is sure: two opinions of one
            level, of which one knows the season of past years and the other the clients. None if nothing is sure.

        Examples
        --------
        Survival tells a tenth of all for each half of a year, and surely none of them will leave in the first:

        >>> risks, since = -np.log([0.9, 0.9]), pd.Timestamp("2024-01-01")
        >>> season = Season.of_leaving(risks, [(0.001, 1.0), (0.1, 0.0)], since=since, step_days=183)
        >>> [round(step, 3) for step in season.steps]
        [0.097, 1.0]
        >>> Season.of_leaving(risks, [(0.001, 0.0), (0.1, 0.0)], since=since, step_days=183)
        """
        shares, sure = np.array(to_come).T
        if not sure.any():
            return None
        steps = (-np.log1p(-shares) / np.maximum(risks, _TINY)) ** (sure / 2)
        return cls(since, step_days, tuple(steps.tolist()))

    def at(self, start: pd.Timestamp, *, days: int, many: int) -> Floats:
        """Tell the mean of the steps over each of many spells of so many days, one after another.

        Examples
        --------
        >>> season = Season(pd.Timestamp("2023-01-01"), 200, (1.0, 2.0))
        >>> season.at(pd.Timestamp("2024-07-19"), days=100, many=2).tolist()
        [2.0, 1.65]
        """
        begins = self.step_days * np.arange(len(self.steps))
        a_day = np.array(self.steps)[np.searchsorted(begins, np.arange(_YEAR), side="right") - 1]
        first = (start - self.since) // pd.Timedelta(days=1)
        return a_day[(first + days * np.arange(many)[:, None] + np.arange(days)) % _YEAR].mean(axis=1)

    def of(self, start: pd.Timestamp, *, days: int, many: int) -> Floats:
        """Tell what is spent a day in each of many spells of so many days, one after another, over the first of them.

        Examples
        --------
        After 200 quiet days twice as much is spent, until the year is over and the next begins:

        >>> season = Season(pd.Timestamp("2023-01-01"), 200, (1.0, 2.0))
        >>> season.of(pd.Timestamp("2024-01-01"), days=100, many=4).tolist()
        [1.0, 1.0, 2.0, 1.65]
        >>> season.of(pd.Timestamp("2024-07-19"), days=100, many=2).tolist()
        [1.0, 0.825]
        """
        told, year = self.at(start, days=days, many=many), self.at(self.since, days=_YEAR, many=1)
        return told / max(told[0], _LEAST * year[0], _TINY)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, for `from_json` to read."""
        return {"since": written_instant(self.since), "step_days": self.step_days, "steps": list(self.steps)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(as_instant(kept["since"], name="since"), int(kept["step_days"]), tuple(kept["steps"]))
