"""Which topics move a client's risk, and which feature speaks for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.explanation.families import families, speaking
from loyalty.explanation.sentences import earlier_of, said_alike
from loyalty.features import CATALOGUE
from loyalty.features.algebra import Expression, Statistic
from loyalty.models.categories import as_floats, coded_levels
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

__all__ = ["Clients", "Told", "choose"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

_SILENT_FOR = "days_since_last"
#: What is usual among a client's purchases is so from the third on: of two purchases, the one gap is no habit.
_HABITS, _REPEATS, _FEWEST = ("gap_days_median", "monetary"), "frequency", 2
#: Either tells how long a client has been one.
_AGES = ("T", "days_since_first_record")
#: What is left of a difference of two sums that are equal.
_RESIDUE = 1e-9


@dataclass(frozen=True)
class Clients:
    """What is known of each client, beside what is usual.

    Attributes
    ----------
    names : list of str
        The features that tell clients apart: what all clients of a cutoff share, such as the season, is left out.
    values : ndarray of shape (n_clients, n_features)
        Numbers; of a category the place of its level in `levels`, NaN where it is missing.
    typical : ndarray of shape (n_features,)
        The median over the rows the model learned from, or the place of the commonest level.
    levels : mapping of int to list of str
        The levels of each column of categories, by its place in `names`.
    """

    names: list[str]
    values: Floats
    typical: Floats
    levels: Mapping[int, list[str]]

    @classmethod
    def of(cls, model: ChurnModel, X: pd.DataFrame, own: Places) -> Self:
        """Read the columns of `X` at the places `own` of the model's."""
        names = [feature_names(model)[i] for i in own]
        values, typical, levels = np.empty((len(X), len(own))), np.empty(len(own)), {}
        for at, (name, usual) in enumerate(zip(names, model.typical_[own].tolist(), strict=True)):
            if name in model.columns_.levels:
                codes, texts = coded_levels(X[name])
                levels[at] = list(dict.fromkeys([usual, *texts]))
                place = np.array([*(levels[at].index(text) for text in texts), np.nan])
                values[:, at], typical[at] = place[codes], 0.0
            else:
                values[:, at], typical[at] = as_floats(X[name]), usual
        return cls(names, values, typical, levels)

    @cached_property
    def usual(self) -> Mapping[int, Floats]:
        """Each client's own usual, by the place of the feature in `names`, where there is one; NaN where unknown.

        It is the feature that `Feature.usual` names; of a count or sum over a window, what the time before came to in
        as many days, for clients who were there by then.
        """
        place = {name: at for at, name in enumerate(self.names)}
        age = next((self.values[:, place[name]] for name in _AGES if name in place), None)
        usual = {}
        for at, name in enumerate(self.names):
            declared = CATALOGUE[name].usual if name in CATALOGUE else None
            earlier = earlier_of(name)
            if declared in place:
                usual[at] = self.values[:, place[declared]]
                if declared in _HABITS and _REPEATS in place:
                    usual[at] = np.where(self.values[:, place[_REPEATS]] >= _FEWEST, usual[at], np.nan)
            elif earlier is not None and earlier.wider in place and age is not None:
                wider = self.values[:, place[earlier.wider]]
                before = wider - self.values[:, at]
                before = np.where(np.abs(before) <= _RESIDUE * np.abs(wider), 0.0, before)
                usual[at] = np.where(age >= earlier.wider_days, before * earlier.share, np.nan)
        return usual

    @cached_property
    def unusual(self) -> Flags:
        """Where a client is not as the typical one: "2 purchases, like a typical client" explains nothing."""
        return (self.values != self.typical) & ~(np.isnan(self.values) & np.isnan(self.typical))

    @cached_property
    def alike(self) -> Flags:
        """Where all that a number would be compared with is like it: "2.67, a typical client: 2.65" explains nothing.

        What is missing, a level of a category, and what is told without a comparison are never so.
        """
        alike = np.zeros(self.values.shape, dtype=bool)
        for at, name in enumerate(self.names):
            if at in self.levels:
                continue
            value, typical = self.values[:, at], np.full(len(self.values), self.typical[at])
            usual = self.usual.get(at, np.full(len(value), np.nan))
            unit = CATALOGUE[name].unit if name in CATALOGUE else ""
            compared = ~(np.isnan(usual) & np.isnan(typical))
            if name in CATALOGUE and CATALOGUE[name].phrases and CATALOGUE[name].phrases["en"].below:
                compared &= value >= 0
            rows = np.flatnonzero(compared & ~np.isnan(value))
            alike[rows, at] = np.logical_and.reduce(
                [np.isnan(other[rows]) | said_alike(value[rows], other[rows], unit) for other in (usual, typical)]
            )
        return alike

    @cached_property
    def empty(self) -> Flags:
        """Where nothing was bought in a window because the last purchase lies before it: it says "silent" once more."""
        empty = np.zeros(self.values.shape, dtype=bool)
        if _SILENT_FOR in self.names:
            silent = self.values[:, self.names.index(_SILENT_FOR)]
            for at, name in enumerate(self.names):
                if (window := _window_of_purchases(name)) is not None:
                    value = self.values[:, at]
                    empty[:, at] = ((value == 0) | np.isnan(value)) & (silent >= window)
        return empty

    def sensible(self, at: int, side: Floats) -> Flags:
        """Tell for whom a feature of a fixed direction points the way it is said to.

        Against the typical client or the client's own usual: "5 days since the last purchase, usually every 18" would
        be a strange reason for a higher risk, however the trees came to it.
        """
        name = self.names[at]
        direction = CATALOGUE[name].monotone if name in CATALOGUE else 0
        if not direction:
            return np.ones(len(side), dtype=bool)
        value = self.values[:, at]
        beyond = (value - self.typical[at]) * direction * side > 0
        if at in self.usual:
            beyond |= (value - self.usual[at]) * direction * side > 0
        return beyond | np.isnan(value)


def _window_of_purchases(name: str) -> float | None:
    """Tell the narrowest window, in days, of a feature that is made of windows of purchases and of nothing else."""
    formula = CATALOGUE[name].formula if name in CATALOGUE else None
    if not isinstance(formula, Expression):
        return None
    statistics = [part for part in formula.walk() if isinstance(part, Statistic)]
    if any(part.of.table != "purchases" or (part.within is None and not part.beyond) for part in statistics):
        return None
    return min((part.within for part in statistics if part.within is not None and not part.beyond), default=None)


@dataclass(frozen=True)
class Told:
    """Each client's parts by topic, and who speaks for each topic.

    Attributes
    ----------
    clients : Clients
        Who is asked about.
    parts : ndarray of shape (n_clients, n_topics)
        In log-odds.
    speaker : ndarray of shape (n_clients, n_topics)
        The place of the feature that speaks in `clients.names`.
    unsaid : ndarray of shape (n_clients,)
        What the topics come to, in log-odds, that have nothing to say; their parts are 0.
    """

    clients: Clients
    parts: Floats
    speaker: Places
    unsaid: Floats


def choose(model: ChurnModel, X: pd.DataFrame) -> Told:
    """Add up each client's parts by topic, and find the feature that speaks for the topic.

    The speaker pulls the way the whole topic does. It is the strongest of those that mean something to people, in
    which the client is unusual, and that point that way by their meaning as well. Where none does, a model's opinion is
    told as what it is. A client who bought nothing in a window because it has been silent for longer is told so once:
    topics that have nothing else to say are added to that of its silence, and likewise topics that would tell the same
    number of days. A topic whose speaker has a number like those it is compared with is not told.
    """
    names = feature_names(model)
    own = np.array([i for i, n in enumerate(names) if not (n in CATALOGUE and CATALOGUE[n].shared)], dtype=np.intp)
    shares, clients = model.contributions(X[names])[:, own], Clients.of(model, X, own)
    topics = [members for members, _ in families(clients.names)]
    parts, speaker = np.zeros((len(X), len(topics))), np.zeros((len(X), len(topics)), dtype=np.intp)
    repeats = np.zeros(parts.shape, dtype=bool)
    for topic, members in enumerate(topics):
        parts[:, topic] = shares[:, members].sum(axis=1)
        speaker[:, topic], repeats[:, topic] = _speaker(clients, shares, members, parts[:, topic])
    if repeats.any():
        silence = next(t for t, members in enumerate(topics) if clients.names.index(_SILENT_FOR) in members)
        repeats[:, silence] = False
        parts[:, silence] += np.where(repeats, parts, 0.0).sum(axis=1)
        parts[repeats] = 0.0
        speaker[:, silence], _ = _speaker(clients, shares, topics[silence], parts[:, silence])
    alike = np.take_along_axis(clients.alike, speaker, axis=1)
    unsaid = np.where(alike, parts, 0.0).sum(axis=1)
    parts[alike] = 0.0
    _merge_equal_days(clients, parts, speaker)
    return Told(clients, parts, speaker, unsaid)


def _merge_equal_days(clients: Clients, parts: Floats, speaker: Places) -> None:
    """Add topics that would tell the same number of days, and pull the same way, to the first of them, in place.

    Of a client with one purchase, the first and the last lie equally far back; of an unchanged contract, its beginning
    and its last change.
    """
    in_days = np.array([name in CATALOGUE and CATALOGUE[name].unit == "days" for name in clients.names], dtype=bool)
    spoken = np.where(in_days[speaker], np.take_along_axis(clients.values, speaker, axis=1), np.nan)
    some = np.flatnonzero(~np.isnan(spoken).all(axis=0))
    for place, first in enumerate(some):
        for other in some[place + 1 :]:
            same = (spoken[:, first] == spoken[:, other]) & (parts[:, first] * parts[:, other] > 0)
            parts[same, first] += parts[same, other]
            parts[same, other] = 0.0


def _speaker(clients: Clients, shares: Floats, members: Places, part: Floats) -> tuple[Places, Flags]:
    """Find who speaks for a topic, and for whom the topic only repeats that the client has been silent."""
    names = [clients.names[at] for at in members]
    side = np.where(part >= 0, 1.0, -1.0)
    aligned = shares[:, members] * side[:, None] > 0
    speaks, empty, alike = speaking(names), clients.empty[:, members], clients.alike[:, members]
    unusual = clients.unusual[:, members] & ~alike
    opinion = np.array([name in CATALOGUE and bool(CATALOGUE[name].models) for name in names], dtype=bool)
    sensible = aligned & ~empty & np.column_stack([clients.sensible(at, side) for at in members])
    best = sensible & speaks & unusual
    fits = sensible & ((speaks & ~alike) | (opinion & unusual))
    rank = 2 * (aligned.astype(int) + sensible + fits + best) + ~alike
    strength = np.where(rank == rank.max(axis=1, keepdims=True), np.abs(shares[:, members]), -1.0)
    repeats = np.asarray(~best.any(axis=1) & (aligned & speaks & empty).any(axis=1))
    return members[strength.argmax(axis=1)], repeats
