"""What moves the clients' risk, and how far."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from loyalty.explanation.families import families
from loyalty.explanation.values import as_numbers
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

__all__ = ["driver_table"]

Floats = NDArray[np.float64]


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
    data, shares = as_numbers(model, X), model.contributions(X[names])
    log_odds, shares = shares.sum(axis=1), shares[:, :-1]
    rows = []
    for members, able in families(names):
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
