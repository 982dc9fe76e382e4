"""Why a client's risk lies above or below the usual, in words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.explanation.choosing import Clients, choose
from loyalty.explanation.sentences import Teller
from loyalty.models.churn import ChurnModel
from loyalty.wording import Language, Writing

__all__ = ["reason_codes", "say"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def reason_codes(
    model: ChurnModel, X: pd.DataFrame, *, top: int = 3, language: Language = "en", currency: str | None = None
) -> pd.DataFrame:
    """Say why each client's risk is above or below the usual.

    Features of one topic, such as net spend in several windows, are one reason: their parts are added, and one of them
    speaks, see `loyalty.explanation.choosing.choose`. What all clients of a cutoff share, such as the season, is no
    reason for one of them. A client who is at a higher risk than the usual for the rest gets what raises it, one at a
    lower risk what lowers it; fewer than `top` reasons if no more point that way. A number like those it would be
    compared with, such as 2.67 beside 2.65, is no reason. A client's reasons do not depend on who else is asked about.

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
    currency : str, optional
        Of the money: an ISO code such as ``"GBP"``, or any sign; none writes bare numbers.

    Returns
    -------
    DataFrame
        Indexed as `X`; for each of ``reason_1`` … ``reason_<top>`` the feature's name, and with the endings ``_value``
        the client's value, ``_usual`` the client's own usual where there is one, ``_typical`` the median over all
        clients that the model learned from (the commonest level of a category), ``_shap`` the part in log-odds,
        ``_text`` the reason in words. What a reason says goes with the risk in the data; it need not cause it.

    Raises
    ------
    ValueError
        If `top` is below 1 or the language is not known.

    See Also
    --------
    loyalty.explain_client : One client's reasons for and against, as a picture.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> reason_codes(model, X.iloc[[0]].assign(days_since_last=190), top=1).reason_1_text.item()
    '190 days since the last purchase; a typical client: 108 days. Goes with a higher risk.'
    """
    if top < 1:
        raise ValueError(f"`top` must be at least 1; got {top!r}.")
    writing = Writing(language, currency)
    told = choose(model, X)
    side = np.where(told.parts.sum(axis=1) + told.unsaid >= 0, 1.0, -1.0)
    strength = told.parts * side[:, None]
    order = np.argsort(-strength, axis=1, kind="stable")[:, :top]
    columns: dict[str, object] = {}
    for rank in range(1, top + 1):
        if rank > order.shape[1]:
            rows, topic = np.empty(0, np.intp), np.empty(0, np.intp)
        else:
            rows = np.flatnonzero(np.take_along_axis(strength, order[:, [rank - 1]], axis=1)[:, 0] > 0)
            topic = order[rows, rank - 1]
        said = say(told.clients, rows, told.speaker[rows, topic], told.parts[rows, topic], writing)
        columns |= {f"reason_{rank}{ending}": said[ending].reindex(range(len(X))).array for ending in said}
    return pd.DataFrame(columns, index=X.index)


def say(clients: Clients, rows: Places, features: Places, parts: Floats, writing: Writing) -> pd.DataFrame:
    """Say one reason for each of some rows.

    Parameters
    ----------
    clients : Clients
        Who is asked about.
    rows, features : ndarray of shape (n_reasons,)
        Whose reason each is, and the place of the feature that speaks.
    parts : ndarray of shape (n_reasons,)
        In log-odds.
    writing : Writing
        Language and currency.

    Returns
    -------
    DataFrame
        Indexed by `rows`; the columns are the endings that `reason_codes` names.
    """
    value, typical, usual = clients.values[rows, features], clients.typical[features], np.full(len(rows), np.nan)
    text = np.empty(len(rows), dtype=object)
    levels = {"_value": value.astype(object), "_typical": typical.astype(object)} if clients.levels else {}
    for feature in np.unique(features).tolist():
        at = np.flatnonzero(features == feature)
        if feature in clients.usual:
            usual[at] = clients.usual[feature][rows[at]]
        teller = Teller(clients.names[feature], writing)
        known = clients.levels.get(feature)
        facts = np.column_stack([value[at], usual[at], typical[at], parts[at] > 0])
        once, place = _distinct(facts)
        text[at] = np.array([_told(teller, known, *fact) for fact in once.tolist()], dtype=object)[place]
        if known is not None:
            levels["_value"][at] = [None if v != v else known[int(v)] for v in value[at]]
            levels["_typical"][at] = known[0]
    said = {
        "": _words([clients.names[feature] for feature in features]),
        "_value": value, "_usual": usual, "_typical": typical, "_shap": parts, "_text": _words(text),
    }  # fmt: skip
    return pd.DataFrame(said | levels, index=rows)


def _told(
    teller: Teller, levels: Sequence[str] | None, value: float, usual: float, typical: float, raises: float
) -> str:
    if levels is None:
        return teller(value, usual=usual, typical=typical, raises=raises > 0)
    level = value if value != value else levels[int(value)]
    return teller(level, usual=usual, typical=levels[int(typical)], raises=raises > 0)


def _distinct(facts: Floats) -> tuple[Floats, Places]:
    """Find the rows that differ, bit by bit, and which of them each row is: many clients have the same sentence."""
    facts = np.ascontiguousarray(facts)
    whole = facts.view(np.dtype((np.void, facts.itemsize * facts.shape[1]))).ravel()
    _, first, place = np.unique(whole, return_index=True, return_inverse=True)
    return facts[first], place


def _words(said: Sequence[str] | NDArray[np.object_]) -> pd.api.extensions.ExtensionArray:
    """Make a column that is text even where nobody has a reason."""
    return pd.Series(said, dtype=pd.Index([""]).dtype).array
