"""Leaving: when contracts end, by one curve a client that begins with the churn probability."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.models.calibration import growth_to_come, share_to_come
from loyalty.models.clocks import clocks_of_periods, season_of_periods
from loyalty.models.curves import Curves
from loyalty.models.season import Season
from loyalty.models.survival import SurvivalModel
from loyalty.models.trees import by_cutoff, write_json
from loyalty.timeline import as_duration

__all__ = ["LEAVING_FILES", "Leaving"]

Floats = NDArray[np.float64]

LEAVING_FILES = ("leaving.json", "survival.json", "survival.txt")

_YEAR = 365
_DAYS_OF_A_YEAR = 365.25
#: Numbers of the table of clients x periods that exist at a time, and how many such tables there are.
_BLOCK_NUMBERS, _TABLES = 4_000_000, 16
#: No share of clients is reckoned as less.
_HARDLY = 1e-9


@dataclass(frozen=True)
class Leaving:
    """When contracts end.

    Attributes
    ----------
    survival : SurvivalModel
        With a `period`.
    opens, closes : int
        In how many days the outcome window opens, and closes.
    growth : float, default=0
        By which the chance to leave grows in a year, in logarithms.
    season : Season or None
        How many times as often contracts end in each part of a year as survival tells; None where nothing is sure.

    Notes
    -----
    What is known beforehand of each period, its season and how old the contract will be then, tells how likely its end
    is (`clocks_of_periods`). Within the window the hazards of a client are so many times as high as survival tells that
    its contract ends by the churn probability, which knows more of how many leave now. Other hazards are those of
    survival, but for growth, from the middle of the window on and for a year, and for the season. Beyond as many
    periods as outcomes were seen, the mean hazard of the last year of it goes on.

    What each rule is worth where the truth is known is told in ``experiments/invented_contracts.md``.
    """

    survival: SurvivalModel
    opens: int
    closes: int
    growth: float = 0.0
    season: Season | None = None

    def learn(self, panel: pd.DataFrame, left: pd.Series, *, since: pd.Timestamp) -> Self:
        """Learn growth and season from the shares who left within a period of past cutoffs.

        Parameters
        ----------
        panel : DataFrame of shape (n_clients,)
            Who stands at an instant, with the columns of the survival model.
        left : Series of shape (n_rows,)
            1 for who left within a period after a cutoff; indexed by client and `cutoff`.
        since : Timestamp
            That instant.
        """
        churned, cutoffs = left.to_numpy(), pd.DatetimeIndex(left.index.get_level_values("cutoff"))
        grown = replace(self, growth=growth_to_come(churned, cutoffs))
        if cutoffs.min() > since - pd.Timedelta(days=_YEAR):
            return grown  # no whole year was seen
        length = self.period_days
        steps = -(-_YEAR // length)
        curve = self._survive(panel).carry_on(steps * length).stay(length * np.arange(steps + 1.0)).mean(axis=0)
        risks = -np.diff(np.log(np.maximum(curve, _HARDLY))) * grown._growing(steps)
        starts = [since + pd.Timedelta(days=length * step) for step in range(steps)]
        to_come = [share_to_come(churned, cutoffs, now=start) for start in starts]
        return replace(grown, season=Season.of_leaving(risks, to_come, since=since, step_days=length))

    def follow(
        self, panel: pd.DataFrame, churn_probability: ArrayLike | None, *, until: float = 0.0
    ) -> Iterator[tuple[slice, Curves]]:
        """Tell the curves of some clients after another, and which rows they are.

        Parameters
        ----------
        panel : DataFrame of shape (n_clients,)
            With the columns of the survival model; with `cutoff` in its index, where there is a season.
        churn_probability : array-like of shape (n_clients,)
            That the contract ends within the window.
        until : float, optional
            For at least how many days.

        Raises
        ------
        ValueError
            If `churn_probability` is not one probability a client, or `cutoff` is missing.
        """
        churn = _probabilities(churn_probability, len(panel))
        periods = -(-max(until, self.known_days) // self.period_days)
        step = max(1, int(_BLOCK_NUMBERS / (_TABLES * periods)))
        for start in range(0, max(len(panel), 1), step):
            some = slice(start, start + step)
            yield some, self.curves(panel.iloc[some], churn[some], until=until)

    def curves(self, panel: pd.DataFrame, churn: Floats, *, until: float = 0.0) -> Curves:
        """Begin with the chance to leave within the window, and go on until at least so many days."""
        curves = self._survive(panel).carry_on(max(until, self.closes))
        periods = len(curves.days) - 1
        times = np.tile(self._growing(periods), (len(panel), 1))
        if self.season is not None:
            for cutoff, rows in by_cutoff(panel):
                times[rows] *= self.season.at(cutoff, days=self.period_days, many=periods)
        return curves.times(times).through(1.0 - churn, opens=self.opens, closes=self.closes)

    @property
    def period_days(self) -> int:
        """Length of a period of the survival model."""
        assert self.survival.period is not None  # noqa: S101 - fitted with one
        return as_duration(self.survival.period, name="period").days

    @property
    def known_days(self) -> int:
        """For how long it is known who stayed: as long as outcomes were seen."""
        return max(self.survival.periods_ * self.period_days, self.closes)

    def save(self, folder: Path) -> None:
        """Write ``leaving.json`` and the survival model into `folder`; no pickle, no client."""
        season = None if self.season is None else self.season.to_json()
        kept = {"opens": self.opens, "closes": self.closes, "growth": self.growth, "season": season}
        write_json(kept, folder / LEAVING_FILES[0])
        self.survival.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / LEAVING_FILES[0]).read_text(encoding="utf-8"))
        told = kept.pop("season")
        return cls(SurvivalModel.load(folder), season=None if told is None else Season.from_json(told), **kept)

    def _survive(self, panel: pd.DataFrame) -> Curves:
        """Ask the survival model alone."""
        model, length = self.survival, pd.Timedelta(days=self.period_days)
        X = panel[list(model.feature_names_in_)]
        changing = clocks_of_periods(X, length, model.periods_)
        if any(name.startswith("season_") for name in model.changing_):
            changing |= season_of_periods(panel, length, model.periods_)
        return Curves.of(model.predict_survival(X, changing=changing or None), period=self.period_days)

    def _growing(self, periods: int) -> Floats:
        """Tell how many times as often contracts end in each period as in the middle of the window, for a year."""
        middle = self.period_days * (np.arange(periods) + 0.5) - (self.opens + self.closes) / 2
        return np.exp(self.growth * np.clip(middle / _DAYS_OF_A_YEAR, 0.0, 1.0))


def _probabilities(given: ArrayLike | None, clients: int) -> Floats:
    """Check that there is a probability for each client."""
    if given is None:
        raise ValueError("`churn_probability` must be given where contracts tell: their curves begin with it.")
    churn = np.asarray(given, dtype=float)
    if churn.shape != (clients,) or not ((churn >= 0) & (churn <= 1)).all():
        raise ValueError(
            f"`churn_probability` must be one number from 0 to 1 for each of {clients} clients; got shape {churn.shape}"
            f"{'' if churn.size == 0 else f', from {churn.min()} to {churn.max()}'}."
        )
    return churn
