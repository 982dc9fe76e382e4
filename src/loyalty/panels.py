"""Panels: the features and outcomes of a setting, each cutoff computed once however many models ask for it."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.features import Feature, Learned, build_panel, choose_features, learn, measure_market, renew
from loyalty.features.feature import WINDOWS
from loyalty.features.learned import MODELS
from loyalty.features.panel import client_parts
from loyalty.histories import Histories
from loyalty.labels import build_labels, build_spend
from loyalty.setting import Setting
from loyalty.timeline import Split

__all__ = ["BTYD_INPUTS", "OnStep", "Panels", "draw", "say_nothing"]

#: What buy till you die is told.
BTYD_INPUTS = ("frequency", "recency", "T", "monetary")
#: What the baselines and the scores are made from, whether or not the models use it.
_ALWAYS = (*BTYD_INPUTS, "days_since_last", "days_since_first_record", *(f"amount_sum_{days}d" for days in WINDOWS))

OnStep = Callable[[str], None]


def say_nothing(_: str) -> None:
    """Tell nobody how far the work has come."""


class Panels:
    """The panels of one setting; each cutoff is computed once for each share of the clients that is asked for.

    What all clients together say at a cutoff is found out once for all shares below 1.

    Attributes
    ----------
    names : list of str
        The features the models may use; the panels also hold what the baselines need, and `also`.
    """

    def __init__(
        self,
        histories: Histories,
        setting: Setting,
        features: Sequence[str] | None = None,
        on_step: OnStep = say_nothing,
        also: Iterable[str] = (),
    ) -> None:
        self.histories = histories
        self.setting = setting
        chosen = {feature.name: feature for feature in choose_features(histories, features, models=MODELS)}
        self.names = list(chosen)
        always = {feature.name: feature for feature in choose_features(histories, dict.fromkeys((*_ALWAYS, *also)))}
        features_of_both = (chosen | always).values()
        self._plain = tuple(feature for feature in features_of_both if not feature.models)
        self._asking = tuple(feature for feature in features_of_both if feature.models)
        self._on_step = on_step
        # By the share of the clients, cutoff, and when the models that features ask were fitted and renewed.
        self._snapshots: dict[tuple[float, pd.Timestamp, pd.Timestamp | None, pd.Timestamp | None], pd.DataFrame] = {}
        # By the two latter alone.
        self._markets: dict[tuple[pd.Timestamp | None, pd.Timestamp | None], dict[pd.Timestamp, Any]] = {}
        self._shares: dict[tuple[pd.Timestamp, ...], float] = {}

    @cached_property
    def _ids(self) -> NDArray[Any]:
        return self.setting.ever(self.histories).distinct().execute()["client_id"].to_numpy()

    def share(self, cutoffs: tuple[pd.Timestamp, ...]) -> float:
        """Tell of which share of the clients is learned from at these cutoffs."""
        if cutoffs not in self._shares:
            self._shares[cutoffs] = self.setting.share(self.histories, cutoffs)
        return self._shares[cutoffs]

    def count_steps(self, splits: Iterable[Split], *others: pd.Timestamp) -> int:
        """Count how often `on_step` is told where models are fitted for these splits, and panels made at `others`."""
        asked = {(1.0, cutoff) for cutoff in others}
        for split in splits:
            share = self.share(split.train)
            asked |= {(1.0, split.test), *((share, cutoff) for cutoff in split.train)}
        return len(asked) * len(client_parts(self.histories))

    def drawn(self, share: float) -> NDArray[Any] | None:
        """Name the clients of a share; None if it is all of them."""
        return None if share >= 1 else self._ids[draw(self._ids, share)]

    def learn(self, cutoff: pd.Timestamp) -> Learned | None:
        """Fit the models that features ask, on what was known before a cutoff; None if no feature asks any."""
        if not self._asking:
            return None
        outcome = self.setting.outcome
        return learn(self.histories, cutoff=cutoff, horizon=outcome.horizon, gap=outcome.gap)

    def renew(self, learned: Learned | None, cutoff: pd.Timestamp) -> Learned | None:
        """Bring them up to date for predictions at a cutoff, as far as that leaves their meaning."""
        if learned is None:
            return None
        outcome = self.setting.outcome
        return renew(learned, self.histories, cutoff=cutoff, horizon=outcome.horizon, gap=outcome.gap)

    def at(self, *cutoffs: pd.Timestamp, learned: Learned | None = None, share: float = 1.0) -> pd.DataFrame:
        """Features of a share of the clients at these cutoffs, with those that ask fitted models if these are given."""
        panel = self._snapshots_at(cutoffs, self._plain, None, share)
        if learned is None:
            return panel
        asking = tuple(feature for feature in self._asking if feature.models <= set(learned))
        if not asking:
            return panel
        more = self._snapshots_at(cutoffs, asking, learned, share)
        there = [str(name) for name in (*panel.columns, *more.columns)]
        both = pd.concat([panel, more], axis=1)[sorted(there, key=self._place)]
        both.attrs = panel.attrs
        return both

    def _place(self, name: object) -> int:
        """Bring the features into the order they were chosen in; what only the baselines need comes last."""
        return self.names.index(str(name)) if name in self.names else len(self.names)

    def _snapshots_at(
        self, cutoffs: Sequence[pd.Timestamp], features: Sequence[Feature], learned: Learned | None, share: float
    ) -> pd.DataFrame:
        version = _version(learned)
        if share < 1:  # of a test cutoff's own; what others learned from would only take memory
            self._snapshots = {key: panel for key, panel in self._snapshots.items() if key[0] in {1.0, share}}
        missing = [cutoff for cutoff in cutoffs if (share, cutoff, *version) not in self._snapshots]
        if missing:
            panel = build_panel(
                self.histories,
                cutoffs=missing,
                horizon=self.setting.outcome.horizon,
                gap=self.setting.outcome.gap,
                kind=self.setting.kind,
                active=self.setting.active,
                features=features,
                learned=learned,
                market=self._market(missing, features, learned) if share < 1 else None,
                clients=self.drawn(share),
                on_step=self._on_step if learned is None else None,
            )
            at = panel.index.get_level_values("cutoff")
            for cutoff in missing:
                self._snapshots[share, cutoff, *version] = panel[at == cutoff]
        return pd.concat([self._snapshots[share, cutoff, *version] for cutoff in cutoffs])

    def _market(
        self, cutoffs: Sequence[pd.Timestamp], features: Sequence[Feature], learned: Learned | None
    ) -> dict[pd.Timestamp, Any]:
        known = self._markets.setdefault(_version(learned), {})
        missing = [cutoff for cutoff in cutoffs if cutoff not in known]
        if missing:
            known.update(measure_market(self.histories, cutoffs=missing, features=features, learned=learned))
        return known

    def labels(
        self,
        cutoffs: Sequence[pd.Timestamp],
        *,
        known_before: pd.Timestamp | None,
        share: float = 1.0,
        horizon: pd.Timedelta | None = None,
    ) -> pd.DataFrame:
        """Outcomes of a share of the clients at these cutoffs, within the setting's horizon or another."""
        return build_labels(
            self.histories,
            cutoffs=cutoffs,
            horizon=self.setting.outcome.horizon if horizon is None else horizon,
            gap=self.setting.outcome.gap,
            kind=self.setting.kind,
            active=self.setting.active,
            known_before=known_before,
            clients=self.drawn(share),
        )

    def spend(
        self,
        cutoffs: Sequence[pd.Timestamp],
        *,
        until: pd.Timedelta,
        known_before: pd.Timestamp | None,
        share: float = 1.0,
        gap: pd.Timedelta | None = None,
    ) -> pd.DataFrame:
        """Add up what a share of the clients at these cutoffs spent in one horizon after another, from the gap on.

        The gap is the setting's unless another is given.
        """
        return build_spend(
            self.histories,
            cutoffs=cutoffs,
            period=self.setting.outcome.horizon,
            until=until,
            gap=self.setting.outcome.gap if gap is None else gap,
            kind=self.setting.kind,
            active=self.setting.active,
            known_before=known_before,
            clients=self.drawn(share),
        )


def _version(learned: Learned | None) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Tell when the models that features ask were fitted and renewed."""
    return (None, None) if learned is None else (learned.until, learned.renewed)


def draw(clients: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Draw about a share of the clients by their ids: always the same, and of a larger share those of a smaller.

    Examples
    --------
    >>> ids = np.arange(10_000)
    >>> few, more = draw(ids, 0.25), draw(ids, 0.5)
    >>> bool((more | ~few).all()), bool(abs(few.mean() - 0.25) < 0.02)
    (True, True)
    """
    return pd.util.hash_array(clients, categorize=False) < share * 2.0**64
