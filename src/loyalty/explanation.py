"""Explanation: exact SHAP values of the calibrated log-odds, what drives them, and reasons in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from loyalty.features import CATALOGUE
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

if TYPE_CHECKING:
    import shap

__all__ = ["driver_table", "reason_codes", "shap_values"]

Language = Literal["en", "ko"]
Floats = NDArray[np.float64]

_UNITS: Mapping[Language, Mapping[str, str]] = {
    "en": {"days": " days", "share": " %"},
    "ko": {"days": "일", "purchases": "회", "count": "건", "products": "종", "share": "%"},
}
_GOES_WITH: Mapping[Language, Mapping[bool, str]] = {
    "en": {True: "goes with a higher risk", False: "goes with a lower risk"},
    "ko": {True: "이탈 위험이 높은 쪽", False: "이탈 위험이 낮은 쪽"},
}


def shap_values(model: ChurnModel, X: pd.DataFrame) -> "shap.Explanation":
    """Divide each client's log-odds among the features, exactly.

    The values are LightGBM's own path-dependent TreeSHAP [1]_ times the calibrator's slope, so that base value
    plus the sum over features is the calibrated log-odds of churn.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The rows to explain, in the columns of the fit.

    Returns
    -------
    shap.Explanation
        `values` of shape (n_rows, n_features) and `base_values` of shape (n_rows,), in log-odds; shap's own plots
        take it. Of categories the `data` are NaN.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> explained = shap_values(model, X)
    >>> log_odds = explained.base_values + explained.values.sum(axis=1)
    >>> bool(np.allclose(expit(log_odds), model.predict_proba(X)[:, 1]))
    True
    """
    import shap  # takes seconds, and only notebooks draw with it

    names = feature_names(model)
    parts = model.contributions(X[names])
    return shap.Explanation(
        values=parts[:, :-1], base_values=parts[:, -1], data=_numbers(model, X), feature_names=names
    )


def _numbers(model: ChurnModel, X: pd.DataFrame) -> Floats:
    """Take the features as numbers, categories as NaN."""
    features = X[feature_names(model)]
    return features.assign(**dict.fromkeys(model.columns_.levels, np.nan)).to_numpy(dtype=float)


def driver_table(model: ChurnModel, X: pd.DataFrame) -> pd.DataFrame:
    """Rank what moves the clients' risk by how far it moves it.

    Features of one family, such as net spend in several windows, are one driver: their parts are added, and the
    strongest names it.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The clients it is asked about.

    Returns
    -------
    DataFrame
        One row a driver, the strongest first: `feature`; `mean_abs_shap`, in log-odds; `effect_pp`, the mean
        absolute change of the probability when the driver's part is taken out, in percentage points; `direction`,
        1 if high values go with a higher risk, -1 if with a lower, 0 if neither or for a category.
    """
    names = feature_names(model)
    data, shares = _numbers(model, X), model.contributions(X[names])
    log_odds, shares = shares.sum(axis=1), shares[:, :-1]
    rows = []
    for members, able in _families(names):
        part = shares[:, members].sum(axis=1)
        strongest = able[np.abs(shares[:, able]).mean(axis=0).argmax()]
        rows.append(
            {
                "feature": names[strongest],
                "mean_abs_shap": np.abs(part).mean(),
                "effect_pp": 100 * np.abs(expit(log_odds) - expit(log_odds - part)).mean(),
                "direction": _direction(data[:, strongest], part),
            }
        )
    return pd.DataFrame(rows).sort_values("mean_abs_shap", ascending=False, kind="stable", ignore_index=True)


def _direction(value: Floats, part: Floats) -> int:
    """Sign of the rank correlation between a feature and its part, if there is one to speak of."""
    known = ~np.isnan(value)
    if known.sum() < 3:
        return 0
    ranks = [pd.Series(column[known]).rank().to_numpy() for column in (value, part)]
    spread = [rank.std() for rank in ranks]
    if min(spread) == 0:
        return 0
    correlation = float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / (spread[0] * spread[1]))
    return 0 if abs(correlation) < 0.1 else int(np.sign(correlation))


def reason_codes(model: ChurnModel, X: pd.DataFrame, *, top: int = 3, language: Language = "en") -> pd.DataFrame:
    """Say why each client's risk is above or below the usual.

    Features of one family, such as net spend in several windows, are one reason: their parts are added, and the
    strongest speaks for them. What all clients of a cutoff share, such as the season, is no reason for one of them.
    A client who is at a higher risk than the usual for the rest gets what raises it, one at a lower risk what lowers
    it; fewer than `top` reasons if no more point that way.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The clients to explain.
    top : int, default=3
        Reasons per client.
    language : {"en", "ko"}, default="en"
        Of the words.

    Returns
    -------
    DataFrame
        Indexed as `X`; for each of ``reason_1`` … ``reason_<top>`` the feature's name, and with the endings ``_value``
        the client's value, ``_shap`` the part in log-odds, ``_text`` the reason in words. What a reason says goes
        with the risk in the data; it need not cause it.

    Raises
    ------
    ValueError
        If `top` is below 1, the language is not known, or the model has columns of categories.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> reason_codes(model, X.iloc[[0]].assign(days_since_last=190), top=1).reason_1_text.item()
    'Days since the last purchase: 190 days (typically 108), goes with a higher risk'
    """
    if top < 1:
        raise ValueError(f"`top` must be at least 1; got {top!r}.")
    if language not in _GOES_WITH:
        raise ValueError(f"`language` must be 'en' or 'ko'; got {language!r}.")
    names = feature_names(model)
    if model.columns_.levels:
        raise ValueError(
            f"reasons are said of numbers, and column {next(iter(model.columns_.levels))!r} holds categories. "
            "Use shap_values or driver_table."
        )
    own = [i for i, name in enumerate(names) if not (name in CATALOGUE and CATALOGUE[name].shared)]
    data, shares = _numbers(model, X)[:, own], model.contributions(X[names])[:, own]
    names, typical = [names[i] for i in own], model.typical_[own]
    parts, speaker = _by_family(names, shares, unusual=(data != typical) & ~(np.isnan(data) & np.isnan(typical)))
    side = np.where(parts.sum(axis=1) >= 0, 1.0, -1.0)
    strength = parts * side[:, None]
    order = np.argsort(-strength, axis=1, kind="stable")
    rows = np.arange(len(X))
    columns: dict[str, object] = {}
    for rank in range(min(top, parts.shape[1])):
        family = order[:, rank]
        told, part, feature = strength[rows, family] > 0, parts[rows, family], speaker[rows, family]
        value = data[rows, feature]
        said = [_reason(names[f], v, typical[f], p > 0, language) for f, v, p in zip(feature, value, part, strict=True)]
        columns |= {
            f"reason_{rank + 1}": _words([names[f] if t else None for f, t in zip(feature, told, strict=True)]),
            f"reason_{rank + 1}_value": np.where(told, value, np.nan),
            f"reason_{rank + 1}_shap": np.where(told, part, np.nan),
            f"reason_{rank + 1}_text": _words([text if t else None for text, t in zip(said, told, strict=True)]),
        }
    for rank in range(parts.shape[1], top):
        empty = {"": _words([None] * len(X)), "_value": np.nan, "_shap": np.nan, "_text": _words([None] * len(X))}
        columns |= {f"reason_{rank + 1}{ending}": nothing for ending, nothing in empty.items()}
    return pd.DataFrame(columns, index=X.index)


def _words(said: list[str | None]) -> pd.api.extensions.ExtensionArray:
    """Make a column that is text even where nobody has a reason."""
    return pd.Series(said, dtype=pd.Index([""]).dtype).array


def _families(names: list[str]) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    """Group the columns that say nearly the same; of each group, all of them and those that can speak for it.

    A decayed sum predicts well and means little to people, so a plain count or sum speaks where there is one.
    """
    codes, unique = pd.factorize(np.array([CATALOGUE[n].family if n in CATALOGUE else n for n in names], dtype=object))
    plain = np.array(["_decayed_" not in name for name in names])
    families = []
    for family in range(len(unique)):
        members = np.flatnonzero(codes == family)
        families.append((members, members[plain[members]] if plain[members].any() else members))
    return families


def _by_family(names: list[str], shares: Floats, *, unusual: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int_]]:
    """Add up each client's parts by family, and find the feature that speaks for the family.

    It is the strongest of those in which the client is unusual: "2 purchases (typically 2)" explains nothing.
    """
    families = _families(names)
    if not families:
        return np.zeros((len(shares), 0)), np.zeros((len(shares), 0), dtype=int)
    parts = np.column_stack([shares[:, members].sum(axis=1) for members, _ in families])
    speaker = np.column_stack([able[_loudest(shares[:, able], unusual[:, able])] for _, able in families])
    return parts, speaker


def _loudest(shares: Floats, unusual: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Of each row, find the strongest among the unusual, or among all where none is."""
    mute = ~unusual & unusual.any(axis=1, keepdims=True)
    return np.where(mute, -1.0, np.abs(shares)).argmax(axis=1)


def _reason(name: str, value: float, typical: float, raises: bool, language: Language) -> str:
    known = CATALOGUE.get(name)
    meaning = known.meaning[language] if known else name
    unit = known.unit if known else ""
    said = _said(value, unit, language)
    if language == "en":
        usual = "" if np.isnan(typical) else f" (typically {_said(typical, unit, language, with_unit=unit == 'share')})"
        return f"{meaning[0].upper()}{meaning[1:]}: {said}{usual}, {_GOES_WITH[language][raises]}"
    usual = "" if np.isnan(typical) else f"(보통 {_said(typical, unit, language)})"
    return f"{meaning}: {said}{usual}, {_GOES_WITH[language][raises]}"


def _said(value: float, unit: str, language: Language, *, with_unit: bool = True) -> str:
    if np.isnan(value):
        return {"en": "not known", "ko": "알 수 없음"}[language]
    shown = 100 * value if unit == "share" else value
    digits = 0 if abs(shown) >= 100 or float(shown).is_integer() else (1 if abs(shown) >= 10 else 2)
    text = f"{shown:,.{digits}f}"
    if not with_unit:
        return text
    return text + (" day" if (text, unit, language) == ("1", "days", "en") else _UNITS[language].get(unit, ""))
