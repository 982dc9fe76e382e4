"""Why a client's risk lies above or below the usual, in words."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.explanation.families import families
from loyalty.explanation.values import as_numbers
from loyalty.features import CATALOGUE
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

__all__ = ["Language", "reason_codes"]

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
    data, shares = as_numbers(model, X)[:, own], model.contributions(X[names])[:, own]
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


def _by_family(names: list[str], shares: Floats, *, unusual: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int_]]:
    """Add up each client's parts by family, and find the feature that speaks for the family.

    It is the strongest of those in which the client is unusual: "2 purchases (typically 2)" explains nothing.
    """
    grouped = families(names)
    if not grouped:
        return np.zeros((len(shares), 0)), np.zeros((len(shares), 0), dtype=int)
    parts = np.column_stack([shares[:, members].sum(axis=1) for members, _ in grouped])
    speaker = np.column_stack([able[_loudest(shares[:, able], unusual[:, able])] for _, able in grouped])
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
