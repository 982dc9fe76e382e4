"""The outlook beyond the horizon: how long clients stay, and what they are worth in the long run."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.btyd import Generations, Habits, expected_purchases, first_days
from loyalty.checks import is_finite_number
from loyalty.models.leaving import LEAVING_FILES, Leaving
from loyalty.models.long_run import lifetime_value, rate_per_period, relative_purchases
from loyalty.models.season import Season
from loyalty.models.trees import by_cutoff, cutoffs_of, feature_names, write_json
from loyalty.models.value import ValueModel

__all__ = ["OUTLOOK_COLUMNS", "LongRunTerms", "Outlook"]

Floats = NDArray[np.float64]

#: What an outlook tells of each client.
OUTLOOK_COLUMNS = ("long_run_value", "alive_probability", "median_remaining_days")
#: Files of an outlook; all but the first are there for contracts only.
OUTLOOK_FILES = ("outlook.json", *LEAVING_FILES, "pace.json", "pace.txt", "pace_whole.txt")

_DAYS_OF_A_YEAR = 365.25
_LONGEST_YEARS = 20.0
#: The pace of payments is that of so many days.
_DAYS_OF_A_PACE = 365
#: Numbers of the table of clients x periods that exist at a time.
_BLOCK_NUMBERS = 4_000_000
#: Above this share of the first horizon's purchases, nobody is seen to leave.
_NO_FADE = 0.98
#: Looking so many times as far ahead as histories go back is to be told.
_FAR_AHEAD = 2
_DAYS_OF_A_MONTH = _DAYS_OF_A_YEAR / 12


@dataclass(frozen=True)
class LongRunTerms:
    """For how long value is counted, and what waiting costs.

    Attributes
    ----------
    years : float, default=3
        How long, from the end of the gap on; above 0, at most 20.
    discount_rate : float, default=0.1
        A year, 0 or more: at 0.1, 1.10 in a year is worth 1 today.
    margin : float, default=1
        Share of spend that is kept, above 0, at most 1. With 1, value is net spend.

    Raises
    ------
    ValueError
        If one is out of its range.

    Examples
    --------
    For ever is refused: what lies that far off says how the rate discounts, not what clients are worth.

    >>> LongRunTerms(years=float("inf"))
    Traceback (most recent call last):
    ...
    ValueError: `years` must be a number above 0, at most 20; got inf.
    """

    years: float = 3.0
    discount_rate: float = 0.1
    margin: float = 1.0

    def __post_init__(self) -> None:
        if not (is_finite_number(self.years) and 0 < self.years <= _LONGEST_YEARS):
            raise ValueError(f"`years` must be a number above 0, at most {_LONGEST_YEARS:g}; got {self.years!r}.")
        if not (is_finite_number(self.discount_rate) and self.discount_rate >= 0):
            raise ValueError(
                f"`discount_rate` must be a number, 0 or more, such as 0.1 for a tenth; got {self.discount_rate!r}."
            )
        if not (is_finite_number(self.margin) and 0 < self.margin <= 1):
            raise ValueError(f"`margin` must be a share of spend above 0, at most 1; got {self.margin!r}.")


@dataclass(frozen=True)
class Outlook:
    """How the spend of the first horizon goes on, and for how long clients stay.

    What `ValueModel` expects of the first horizon holds all that is known of a client. How it goes on from there is
    told in one of two ways:

    - non-contractual, by how purchases fade under Pareto/NBD, which holds that clients leave for good, relative to the
      first horizon, so that who leaves within it is not taken off twice; and by what each horizon of a year was of the
      first one, beyond fading, when such clients stood there a year ago;
    - contractual, by the mean share of each later horizon for which the contract is in force, on a curve that begins
      with the churn probability and goes on from there (`Leaving`); and by what such clients paid a horizon, over a
      whole year in which they stayed. Who pays once a year pays nothing in most horizons, and a year's fee in one: what
      is expected of the first horizon is taken off that of the first year. Where no such year was seen, the payments of
      the first horizon are carried on.

    Attributes
    ----------
    terms : LongRunTerms
        For how long, and what waiting costs.
    horizon_days, gap_days : int
        The outcome window of the expected value.
    buying : Generations or None
        The rates at which clients buy, by when they came.
    season : Season or None
        Of spend, fading aside; None where it is not known, and all horizons are then alike.
    leaving : Leaving or None
        When contracts end.
    pace : ValueModel or None
        What is paid a horizon, over a year in which the contract is in force.
    missing : str
        Why there is neither, in words; empty where there is one.
    seen_days : int, optional
        How long histories go back; unknown by default.

    See Also
    --------
    loyalty.lifetime_value : The sum over periods.
    loyalty.btyd.BuyTillYouDie.long_run_value : Buy till you die alone.

    Notes
    -----
    Value is Σ expected value × share of period k × margin, each discounted from the middle of its period; the last
    period counts for the part of it that lies within `terms.years`. At no discount the value over one horizon is the
    expected value itself. Where no year was seen, nothing is known of the season of spend: a shop's horizon before
    Christmas is carried on as if it were always before Christmas. One year tells season and growth alike, and is taken
    to come again each year. That of leaving is each period's own, where contracts tell and a year was seen.

    Under Pareto/NBD the share of a later period depends on the time since the first purchase alone: frequency and
    recency tell whether the client still is one, which the first period holds already. When a client who may buy at any
    time will leave cannot be observed, so that no number of days is given for it: `alive_probability` is what the
    histories can tell.

    A curve of contracts is known for as many periods as outcomes were seen. Beyond, the mean hazard of the last year of
    it goes on. As those who leave early go first, that tends to be too high, and the value too low [1]_.

    References
    ----------
    .. [1] Fader and Hardie (2010), "Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring
       Heterogeneity", Marketing Science 29(1), 85-93.

    Examples
    --------
    Of two who are expected to spend 50 within 90 days, the longer known one fades less. That it is hardly a client any
    more is in the 50 already:

    >>> buying = Generations(0, (Habits({"r": 0.55, "alpha": 74.0, "s": 0.61, "beta": 82.0}, None),))
    >>> outlook = Outlook(LongRunTerms(), 90, 0, buying=buying)
    >>> panel = pd.DataFrame(
    ...     {"frequency": 2.0, "recency": 30.0, "T": [40.0, 800.0], "days_since_first_record": [40.0, 800.0]}
    ... )
    >>> outlook.predict(panel, [50.0, 50.0]).round(2)
       long_run_value  alive_probability  median_remaining_days
    0          270.71               0.94                    NaN
    1          421.53               0.01                    NaN
    """

    terms: LongRunTerms
    horizon_days: int
    gap_days: int
    buying: Generations | None = None
    season: Season | None = None
    leaving: Leaving | None = None
    pace: ValueModel | None = None
    missing: str = ""
    seen_days: int | None = None

    def predict(
        self, panel: pd.DataFrame, expected_value: ArrayLike, churn_probability: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Tell the long-run value of each client, and what is known of how long it stays.

        Parameters
        ----------
        panel : DataFrame of shape (n_clients,)
            With the columns of survival model and pace, or `frequency`, `recency`, `T` and `days_since_first_record`. A
            client known only by refunds counts as one who bought once, when it was first recorded. `cutoff` in the
            index dates the first purchases, where generations of clients buy at rates of their own, and the season.
        expected_value : array-like of shape (n_clients,)
            Within the horizon.
        churn_probability : array-like of shape (n_clients,), optional
            That the contract ends within the horizon. Must be given where contracts tell.

        Returns
        -------
        DataFrame
            Indexed as `panel`: `long_run_value`, money of today; `alive_probability`, missing in contracts and where
            nothing was ever bought; `median_remaining_days`, missing where contracts do not tell, or more than half of
            such clients stay for as long as outcomes were seen. All are missing if there is no model.

        Raises
        ------
        ValueError
            If there are several generations of clients, or spend or contracts have a season, and `panel` has no
            `cutoff`; or contracts tell, and `churn_probability` is not one probability a client.
        """
        told = pd.DataFrame(np.nan, index=panel.index, columns=list(OUTLOOK_COLUMNS))
        expected = np.asarray(expected_value, dtype=float)
        if self.buying is not None:
            for seasons, rows in self._seasons(panel, len(self._horizons)):
                worth = partial(self._worth_faded, seasons=seasons)
                told.loc[rows, "long_run_value"] = expected[rows] * self._by_age(panel[rows], worth)
            born = self._first_days(panel, _age(panel))
            told["alive_probability"] = self.buying.probability_alive(
                panel["frequency"], panel["recency"], panel["T"], born
            )
        if self.leaving is not None:
            value, median = np.empty(len(panel)), np.empty(len(panel))
            for some, curves in self.leaving.follow(panel, churn_probability, until=self._edges[-1]):
                paid = self._paid(panel.iloc[some], expected[some], curves.in_force(self._edges))
                value[some] = self._worth(np.ones_like(paid), paid)
                median[some] = curves.median_days(self.leaving.known_days)
            told["long_run_value"], told["median_remaining_days"] = value, median
        return told

    def learn_season(self, panel: pd.DataFrame, spend: pd.DataFrame, *, since: pd.Timestamp) -> Self:
        """Learn the season of spend from clients who stood whole years before an instant: see `Season.learn`.

        `panel` has what `predict` asks of each row of `spend`.
        """
        steps = spend.shape[1]
        fade = self._by_age(panel, lambda ages, habits: self._fade(ages, habits, steps, gap=0))
        return replace(self, season=Season.learn(spend, fade, since=since))

    def spend_ahead(
        self,
        panel: pd.DataFrame,
        expected_value: ArrayLike,
        churn_probability: ArrayLike | None = None,
        *,
        horizons: int,
    ) -> Floats:
        """Tell what all clients together will spend in each of so many horizons: no discount, no margin.

        Parameters
        ----------
        panel, expected_value, churn_probability
            As in `predict`.
        horizons : int
            How many, one after another from the gap on.

        Returns
        -------
        ndarray of shape (horizons,)
            The first is the sum of `expected_value`. NaN where there is no model.
        """
        expected = np.asarray(expected_value, dtype=float)
        if self.leaving is not None:
            ahead, total = self._of_whole_horizons(horizons), np.zeros(horizons)
            for some, curves in self.leaving.follow(panel, churn_probability, until=ahead._edges[-1]):
                total += ahead._paid(panel.iloc[some], expected[some], curves.in_force(ahead._edges)).sum(axis=0)
            return total
        if self.buying is None:
            return np.full(horizons, np.nan)
        total, step = np.zeros(horizons), max(1, _BLOCK_NUMBERS // horizons)
        for seasons, rows in self._seasons(panel, horizons):
            there, spend = panel[rows], expected[rows]
            for start in range(0, len(there), step):
                some = slice(start, start + step)
                faded = self._by_age(there.iloc[some], lambda ages, habits: self._fade(ages, habits, horizons))
                total += seasons * (spend[some] @ faded)
        return total

    def staying(self, panel: pd.DataFrame, churn_probability: ArrayLike | None = None) -> pd.DataFrame:
        """Tell which share of these clients is expected to stay, by the number of days ahead.

        Parameters
        ----------
        panel, churn_probability
            As in `predict`.

        Returns
        -------
        DataFrame
            `days` and `share`, as far as outcomes were seen; empty where contracts do not tell.
        """
        if self.leaving is None:
            return pd.DataFrame({"days": np.empty(0, dtype=np.int64), "share": np.empty(0)})
        length = self.leaving.period_days
        days = length * np.arange(1, self.leaving.known_days // length + 1)
        stay = sum(curves.stay(days).sum(axis=0) for _, curves in self.leaving.follow(panel, churn_probability))
        return pd.DataFrame({"days": days, "share": stay / max(len(panel), 1)})

    def notes(self) -> list[str]:
        """Say what is worth knowing before the long-run value is believed."""
        if self.missing:
            return [f"There is no long-run value. {self.missing}"]
        notes = []
        if self.leaving is not None and self.pace is None and self.horizon_days < _DAYS_OF_A_PACE:
            notes.append(
                "Nobody was seen under contract for a year after a training cutoff: the long-run value carries on what "
                "is paid within the horizon, too much of who pays in it for longer, and too little of the others."
            )
        if self.buying is not None and self.season is None and self.horizon_days < _DAYS_OF_A_PACE:
            notes.append(
                "No client was seen for a year after a time like this: the long-run value knows no season of spend, "
                "and carries on what is expected of the horizon as if the whole year were like it."
            )
        if self.buying is not None and all(
            self._fade(np.ones(1), habits, len(self._horizons))[0, -1] > _NO_FADE for habits in self.buying.habits
        ):
            notes.append(
                "In these purchases nobody is seen to leave for good: the long-run value carries today's pace on "
                f"unchanged for {self.terms.years:g} years."
            )
        if self.seen_days is not None and self.terms.years * _DAYS_OF_A_YEAR > _FAR_AHEAD * self.seen_days:
            months = max(round(self.seen_days / _DAYS_OF_A_MONTH), 1)
            notes.append(
                f"The long-run value looks {self.terms.years:g} years ahead, and the histories go back {months} "
                f"month{'' if months == 1 else 's'}: its later part was never seen to come true."
            )
        return notes

    def save(self, folder: Path) -> None:
        """Write ``outlook.json``, and what tells of contracts, into `folder`; no pickle, no client."""
        kept = asdict(self.terms) | {
            "horizon_days": self.horizon_days,
            "gap_days": self.gap_days,
            "buying": None if self.buying is None else self.buying.to_json(),
            "season": None if self.season is None else self.season.to_json(),
            "leaving": self.leaving is not None,
            "pace": self.pace is not None,
            "missing": self.missing,
            "seen_days": self.seen_days,
        }
        write_json(kept, folder / OUTLOOK_FILES[0])
        if self.leaving is not None:
            self.leaving.save(folder)
        if self.pace is not None:
            self.pace.save(folder, name="pace")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / OUTLOOK_FILES[0]).read_text(encoding="utf-8"))
        terms = LongRunTerms(**{name: kept.pop(name) for name in ("years", "discount_rate", "margin")})
        leaving = Leaving.load(folder) if kept.pop("leaving") else None
        pace = ValueModel.load(folder, name="pace") if kept.pop("pace") else None
        buying, told = kept.pop("buying"), kept.pop("season")
        generations = None if buying is None else Generations.from_json(buying)
        season = None if told is None else Season.from_json(told)
        return cls(terms, buying=generations, season=season, leaving=leaving, pace=pace, **kept)

    def _of_whole_horizons(self, horizons: int) -> Self:
        """Look so many horizons ahead, on plain terms."""
        return replace(
            self, terms=LongRunTerms(years=horizons * self.horizon_days / _DAYS_OF_A_YEAR, discount_rate=0.0)
        )

    @property
    def _horizons(self) -> Floats:
        """How much of each horizon lies within the years: all of it, but for the last."""
        many = self.terms.years * _DAYS_OF_A_YEAR / self.horizon_days
        parts = np.ones(max(int(np.ceil(many - 1e-9)), 1))
        parts[-1] = many - (len(parts) - 1)
        return parts

    @property
    def _edges(self) -> Floats:
        """In how many days each horizon begins, and the last one ends: a whole one."""
        return self.gap_days + self.horizon_days * np.arange(len(self._horizons) + 1.0)

    def _worth(self, shares: Floats, spend: ArrayLike = 1.0) -> Floats:
        """Discount and add up what is spent in each horizon times its share, one row a client."""
        terms = self.terms
        rate = rate_per_period(terms.discount_rate, f"{self.horizon_days}d")
        money = np.broadcast_to(np.asarray(spend) * self._horizons, shares.shape)
        value = lifetime_value(shares, money, discount_rate=rate, margin=terms.margin, paid="middle")
        return value * (1.0 + terms.discount_rate) ** (-self.gap_days / _DAYS_OF_A_YEAR)

    def _first_days(self, panel: pd.DataFrame, age: Floats) -> Floats:
        """Tell when each client first bought, so long ago; of no matter where there is one generation."""
        cutoffs = cutoffs_of(panel)
        if cutoffs is None:
            if self.buying is not None and self.buying.bounds:
                raise ValueError(
                    "`panel` must have `cutoff` in its index, as `build_panel` gives it, to date purchases."
                )
            return np.full(len(panel), np.nan)
        return first_days(age, cutoffs)

    def _by_age(self, panel: pd.DataFrame, tell: Callable[[Floats, Habits], Floats]) -> Floats:
        """Ask once for each age, by generations and block by block; a row or a number a client."""
        assert self.buying is not None  # noqa: S101 - asked by the callers
        age = _age(panel)
        told: list[tuple[NDArray[np.bool_], Floats]] = []
        for habits, rows in self.buying.of(self._first_days(panel, age)):
            ages, inverse = np.unique(age[rows], return_inverse=True)
            step = max(1, _BLOCK_NUMBERS // len(self._horizons))
            parts = [tell(ages[start : start + step], habits) for start in range(0, max(len(ages), 1), step)]
            told.append((rows, np.concatenate(parts)[inverse]))
        whole = np.empty((len(panel), *told[0][1].shape[1:]))
        for rows, one in told:
            whole[rows] = one
        return whole

    def _worth_faded(self, age: Floats, habits: Habits, *, seasons: Floats) -> Floats:
        return self._worth(self._fade(age, habits, len(seasons)), seasons)

    def _seasons(self, panel: pd.DataFrame, horizons: int) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
        """Tell what each horizon is of the first by its season, and of which rows."""
        if self.season is None:
            yield np.ones(horizons), np.full(len(panel), True)
            return
        for cutoff, rows in by_cutoff(panel):
            opens = cutoff + pd.Timedelta(days=self.gap_days)
            yield self.season.of(opens, days=self.horizon_days, many=horizons), rows

    def _fade(self, age: Floats, habits: Habits, horizons: int, *, gap: int | None = None) -> Floats:
        # Of clients who have just bought again, or at age 0 for the first time: their chance of still being one, which
        # divides out, is then simply 1.
        return relative_purchases(
            _Frozen(habits.purchases),
            horizons,
            length=self.horizon_days,
            gap=self.gap_days if gap is None else gap,
            frequency=np.where(age > 0, 1.0, 0.0),
            recency=age,
            T=age,
        )

    def _paid(self, panel: pd.DataFrame, expected: Floats, held: Floats) -> Floats:
        """Begin with what is expected of the first horizon, and go on at the pace of a year for as long as they run.

        Who pays in the first horizon has paid it of the first year. A row a client, a column a whole horizon.
        """
        first = held[:, :1]
        shares = np.divide(held, first, out=np.zeros_like(held), where=first > 0)
        shares[:, 0] = 1.0
        spend = np.repeat(expected[:, None], held.shape[1], axis=1)
        if self.pace is not None:
            pace = held[:, 0] * self.pace.predict(panel[feature_names(self.pace)])
            a_year = _DAYS_OF_A_PACE / self.horizon_days
            rest = np.clip(pace * a_year - expected, 0.0, None) / (a_year - 1)
            of_first_year = np.clip(a_year - np.arange(1, held.shape[1]), 0.0, 1.0)
            spend[:, 1:] = rest[:, None] * of_first_year + pace[:, None] * (1 - of_first_year)
        return spend * np.clip(np.minimum.accumulate(shares, axis=1), 0.0, 1.0)  # what rounding leaves


def _age(panel: pd.DataFrame) -> Floats:
    """Count the days since the first purchase; of who is known only by refunds, since the first record."""
    return panel["T"].fillna(panel["days_since_first_record"]).fillna(0.0).to_numpy(dtype=float)


@dataclass(frozen=True)
class _Frozen:
    """Pareto/NBD with parameters found before."""

    parameters: Mapping[str, float]

    def expected_purchases(
        self, horizon: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, gap: float = 0.0
    ) -> Floats:
        return expected_purchases(frequency, recency, T, parameters=self.parameters, horizon=horizon, gap=gap)
