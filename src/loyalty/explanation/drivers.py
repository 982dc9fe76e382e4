"""What moves the clients' risk, and how far: by driver, by theme, and by what can be acted upon."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from loyalty.explanation.parts import Parts, mean_interval
from loyalty.models.categories import level_text
from loyalty.models.churn import ChurnModel

__all__ = ["FEWEST", "action_table", "actions_of", "driver_table", "drivers_of", "theme_table", "themes_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int_]

#: A segment of fewer clients has no figures: its means would tell of single clients, and their intervals of nothing.
FEWEST = 30


def driver_table(model: ChurnModel, X: pd.DataFrame, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Rank what moves the clients' risk by how far it moves it.

    Features of one family, such as net spend in several windows, are one driver: their parts are added, and the
    strongest names it.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The clients it is asked about. Rows with the same `client_id` in the index are one client for the intervals.
    by : Series of shape (n_rows,), optional
        The segment of each row, indexed as `X`. The figures are then of each segment by itself.

    Returns
    -------
    DataFrame
        One row a driver, the strongest first; with `by`, one for each segment and driver, segments in the order of
        their categories or else of their names.

        - `segment`, only with `by`;
        - `driver`, the family, the same at every cutoff and in every segment; `feature`, the strongest of its features
          that can speak for it, here;
        - `theme`, of the catalogue; ``season`` where all clients of a cutoff share the value, ``other`` for columns
          that are not in the catalogue; `actionable`, whether a company can change it by what it does;
        - `mean_abs_shap`, the mean absolute part, in log-odds, with the bounds `lower_shap` and `upper_shap` (95 %);
        - `effect_pp`, the mean absolute change of the probability when the driver's part is taken out, in percentage
          points, with the bounds `lower_pp` and `upper_pp`;
        - `share`, of the sum of all `mean_abs_shap` (here); NaN where nothing moves the risk;
        - `direction`, 1 if high values go with a higher risk, -1 if with a lower, 0 if neither or for a category;
        - `level`, of a category the level whose part is highest in the mean, None for numbers;
        - `clients`, how many they are means over.

        A segment of fewer than 30 clients is listed with its `clients`, and its figures are NaN.

    Raises
    ------
    ValueError
        If `X` has no rows, or `by` is not indexed as `X` or names no segment for a row.

    Notes
    -----
    Intervals are those of means over clients, the model taken as it is (see `loyalty.explanation.parts`): they tell
    what other clients of the same kind would have changed.

    Examples
    --------
    Eight of 400 clients are too few to be told of:

    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "complaints_count_90d": rng.poisson(1, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> segment = pd.Series(np.where(np.arange(400) < 8, "few", "many"), index=X.index)
    >>> table = driver_table(model, X, by=segment)
    >>> table[["segment", "driver", "theme", "actionable", "effect_pp", "clients"]].round(1)
      segment      driver    theme  actionable  effect_pp  clients
    0     few     silence   rhythm        True        NaN        8
    1     few  complaints  service        True        NaN        8
    2    many     silence   rhythm        True       26.1      392
    3    many  complaints  service        True        1.3      392
    """
    return drivers_of(Parts.of(model, X), by=by)


def theme_table(model: ChurnModel, X: pd.DataFrame, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Add the drivers up to themes: rhythm, value, service, promotion and so on.

    Parts are added client by client before their size is taken. Where two drivers of a theme pull a client's risk both
    ways, the theme is weaker than its drivers together.

    Parameters
    ----------
    model, X, by
        As in `driver_table`.

    Returns
    -------
    DataFrame
        One row a theme, the strongest first (with `by`, for each segment): `segment`, only with `by`; `theme`;
        `drivers`, how many it has; `strongest`, the driver of it with the largest `mean_abs_shap`, here; the figures of
        `driver_table`: `mean_abs_shap`, `lower_shap`, `upper_shap` in log-odds, `effect_pp`, `lower_pp`, `upper_pp`
        in percentage points, `share`; `actionable_share`, how much of the drivers' `mean_abs_shap` together is of what
        can be acted upon (NaN where nothing moves the risk); `clients`.

    Raises
    ------
    ValueError
        As `driver_table`.
    """
    return themes_of(Parts.of(model, X), by=by)


def action_table(model: ChurnModel, X: pd.DataFrame, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Divide what moves the clients' risk into what a company can act upon and what it cannot.

    Parameters
    ----------
    model, X, by
        As in `driver_table`.

    Returns
    -------
    DataFrame
        Two rows, what can be acted upon first (with `by`, for each segment): `segment`, only with `by`; `actionable`;
        `drivers`, how many; `strongest`, the driver with the largest `mean_abs_shap`, None where there is none; the
        figures of `driver_table`; `clients`.

    Raises
    ------
    ValueError
        As `driver_table`.
    """
    return actions_of(Parts.of(model, X), by=by)


def drivers_of(parts: Parts, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Make `driver_table` of parts at hand."""
    tables = []
    for segment, here in _segments(parts, by):
        speaker = [able[np.abs(here.shares[:, able]).mean(axis=0).argmax()] for _, able in here.members]
        head = parts.drivers.assign(feature=[str(here.X.columns[i]) for i in speaker])
        table = _figures(segment, head[["driver", "feature", "theme", "actionable"]], here, here.values)
        spoken = list(zip(speaker, here.values.T, strict=True))
        table["direction"] = [_direction(here.numbers[:, i], part) for i, part in spoken]
        table["level"] = pd.Series([_highest_level(here, i, part) for i, part in spoken], dtype=object)
        tables.append(_strongest_first(table))
    return _together(tables)


def themes_of(parts: Parts, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Make `theme_table` of parts at hand."""
    themes = list(dict.fromkeys(parts.drivers["theme"]))
    chosen = [(parts.drivers["theme"] == theme).to_numpy() for theme in themes]
    can = parts.drivers["actionable"].to_numpy(dtype=bool)
    tables = []
    for segment, here in _segments(parts, by):
        table = _rolled_up(segment, pd.DataFrame({"theme": themes}), here, chosen)
        alone = np.abs(here.values).mean(axis=0)
        with np.errstate(invalid="ignore"):  # 0 of 0 where nothing moves the risk
            table["actionable_share"] = [alone[those & can].sum() / alone[those].sum() for those in chosen]
        tables.append(_strongest_first(table))
    return _together(tables)


def actions_of(parts: Parts, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Make `action_table` of parts at hand."""
    can = parts.drivers["actionable"].to_numpy(dtype=bool)
    head = pd.DataFrame({"actionable": [True, False]})
    tables = [_rolled_up(segment, head, here, [can, ~can]) for segment, here in _segments(parts, by)]
    return _together(tables)


def _segments(parts: Parts, by: pd.Series | None) -> Iterator[tuple[dict[str, Any], Parts]]:
    """Go through the segments: how each is called, and its parts, unknown where it is too small to be told of."""
    if by is None:
        yield {}, parts
        return
    if not isinstance(by, pd.Series) or not by.index.equals(parts.X.index):
        got = f"a Series of {len(by):,} rows with another index" if isinstance(by, pd.Series) else type(by).__name__
        raise ValueError(
            f"`by` must be a Series with the index of `X`, row for row ({len(parts.X):,} rows); got {got}. "
            "Use `by.loc[X.index]`."
        )
    if by.isna().any():
        row = parts.X.index[int(by.isna().to_numpy().argmax())]
        raise ValueError(f"`by` must name a segment for every row; {row!r} has none. Name one, or leave the row out.")
    codes, names = pd.factorize(by, sort=True)
    for code, name in enumerate(names):
        here = parts.take(np.flatnonzero(codes == code))
        yield {"segment": name}, here if here.how_many >= FEWEST else here.silenced()


def _rolled_up(
    segment: dict[str, Any], head: pd.DataFrame, here: Parts, chosen: list[NDArray[np.bool_]]
) -> pd.DataFrame:
    """Add up the parts of some drivers each, and name the strongest of them."""
    names, alone = here.drivers["driver"].to_numpy(dtype=object), np.abs(here.values).mean(axis=0)
    strongest = [names[those][alone[those].argmax()] if np.isfinite(alone[those]).any() else None for those in chosen]
    head = head.assign(drivers=[int(those.sum()) for those in chosen], strongest=pd.Series(strongest, dtype=object))
    return _figures(segment, head, here, np.column_stack([here.values[:, those].sum(axis=1) for those in chosen]))


def _figures(segment: dict[str, Any], head: pd.DataFrame, here: Parts, values: Floats) -> pd.DataFrame:
    """Average how far each column of parts moves log-odds and probability, with intervals."""
    log_odds, clients = here.log_odds[:, None], here.clients
    size, lower, upper = mean_interval(np.abs(values), clients)
    effect = 100 * np.abs(expit(log_odds) - expit(log_odds - values))
    points, lower_points, upper_points = mean_interval(effect, clients)
    with np.errstate(invalid="ignore"):  # 0 of 0 where nothing moves the risk
        share = size / size.sum()
    table = head.assign(
        mean_abs_shap=size,
        lower_shap=np.maximum(lower, 0.0),  # no mean of sizes is below 0
        upper_shap=upper,
        effect_pp=points,
        lower_pp=np.maximum(lower_points, 0.0),
        upper_pp=upper_points,
        share=share,
        clients=here.how_many,
    )
    for name, value in segment.items():
        table.insert(0, name, [value] * len(table))
    return table


def _strongest_first(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("mean_abs_shap", ascending=False, kind="stable")


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True)
    return table[[*table.columns.drop("clients"), "clients"]]


def _direction(value: Floats, part: Floats) -> int:
    """Sign of the rank correlation between a feature and its part, if there is one to speak of."""
    known = ~(np.isnan(value) | np.isnan(part))
    if known.sum() < 3:
        return 0
    ranks = [pd.Series(column[known]).rank().to_numpy() for column in (value, part)]
    spread = [rank.std() for rank in ranks]
    if min(spread) == 0:
        return 0
    correlation = float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / (spread[0] * spread[1]))
    return 0 if abs(correlation) < 0.1 else int(np.sign(correlation))


def _highest_level(here: Parts, column: int, part: Floats) -> str | None:
    """Name the level of a category with the highest mean part; of several, the first by name."""
    values = here.X.iloc[:, column]
    if values.name not in here.levels or np.isnan(part).any():
        return None
    means = pd.Series(part).groupby(values.astype(object).map(level_text).to_numpy()).mean()
    means = means[means.index.isin(here.levels[str(values.name)])]
    return None if means.empty else str(means.idxmax())
