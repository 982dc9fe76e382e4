"""What the tree models share: LightGBM's settings, and trees that have not seen what they are judged on."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.timeline import Duration, as_duration

#: Panels of many cutoffs repeat the same clients; strong regularisation and random thresholds keep trees from
#: learning clients by heart. Deterministic to the last bit, whatever the number of threads.
TREE_PARAMETERS: Mapping[str, Any] = MappingProxyType(
    {
        "extra_trees": True,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
)

#: How many of the latest cutoffs are held out to calibrate on.
_HELD_OUT = 3


#: Up to this many rows one thread is quicker than several, which wait for each other after every small tree; on a
#: machine that is shared, by far.
_ROWS_FOR_ONE_THREAD = 1_000_000


def threads(n_jobs: int | None, rows: int) -> int:
    """Choose the threads for a table, unless the caller has; 0 is as many as there are cores."""
    if n_jobs is not None:
        return n_jobs
    return 1 if rows <= _ROWS_FOR_ONE_THREAD else 0


Result = TypeVar("Result")


def side_by_side(work: Sequence[Callable[[], Result]], *, rows: int) -> list[Result]:
    """Do pieces of work two at a time, if each is quickest in one thread; return what they do in their order.

    Examples
    --------
    >>> side_by_side([lambda: "trees", lambda: "more trees"], rows=1000)
    ['trees', 'more trees']
    """
    # LightGBM lets other threads run meanwhile.
    with ThreadPoolExecutor(2 if threads(None, rows) == 1 else 1) as pool:
        return [done.result() for done in [pool.submit(piece) for piece in work]]


def cutoffs_of(X: ArrayLike) -> pd.DatetimeIndex | None:
    """Return the `cutoff` level of a panel's index, or None for any other table."""
    if isinstance(X, pd.DataFrame) and "cutoff" in X.index.names:
        return pd.DatetimeIndex(X.index.get_level_values("cutoff"))
    return None


def by_cutoff(panel: pd.DataFrame) -> Iterator[tuple[pd.Timestamp, NDArray[np.bool_]]]:
    """Name the cutoffs of a panel, and the rows of each.

    Raises
    ------
    ValueError
        If it has no `cutoff` in its index.
    """
    cutoffs = cutoffs_of(panel)
    if cutoffs is None:
        raise ValueError("`panel` must have `cutoff` in its index, as `build_panel` gives it, to know the season.")
    for cutoff in cutoffs.unique():
        yield cutoff, np.asarray(cutoffs == cutoff)


def embargo_of(X: ArrayLike, given: Duration | None) -> pd.Timedelta | None:
    """Read how long an outcome takes to be decided: as given, or as `build_panel` noted it; None if nothing says so."""
    if given is not None:
        return as_duration(given, name="embargo")
    days = X.attrs.get("reach_days") if isinstance(X, pd.DataFrame) else None
    return None if days is None else pd.Timedelta(days=days)


def written_duration(given: Duration | None, *, name: str = "embargo") -> str | None:
    """Write a duration as it stands in a config; `name` is the argument it was given as."""
    return None if given is None else f"{as_duration(given, name=name).days}d"


def write_json(kept: Mapping[Any, Any], path: Path) -> None:
    """Write what a model keeps; numbers of numpy become plain ones.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json({"n_estimators": np.int64(20)}, Path(folder) / "model.json")
    ...     json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
    {'n_estimators': 20}
    """
    path.write_text(json.dumps(kept, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be kept in a file of a model. Give a number or text.")


def feature_names(model: Any) -> list[str]:
    """Name the columns that a model was fitted on.

    Raises
    ------
    ValueError
        If it was fitted on an array.
    """
    if not hasattr(model, "feature_names_in_"):
        raise ValueError("the model was fitted on an array, whose columns have no names. Fit it on a DataFrame.")
    return [str(name) for name in model.feature_names_in_]


def model_text(booster: lgb.Booster) -> str:
    """Write the trees without the extremes of each feature, which are values of single clients.

    LightGBM keeps the range of every feature for information; predictions do not use it.
    """
    text: str = booster.model_to_string()
    return re.sub(
        r"^feature_infos=.*$", "feature_infos=" + " ".join(["[-inf:inf]"] * booster.num_feature()), text, flags=re.M
    )


def leaf_size(wanted: int, rows: int) -> int:
    """Bound the fewest rows of a leaf by a twentieth of all rows, so that small tables can be split at all."""
    return max(1, min(wanted, rows // 20))


def row_settings(min_child_samples: int, rows: int) -> dict[str, int]:
    """Set what depends on how many rows trees are grown on; of a single one LightGBM would draw none, and fail.

    Examples
    --------
    >>> row_settings(100, 1000), row_settings(100, 1)
    ({'min_data_in_leaf': 50}, {'min_data_in_leaf': 1, 'bagging_freq': 0})
    """
    leaf = {"min_data_in_leaf": leaf_size(min_child_samples, rows)}
    return leaf if rows > 1 else {**leaf, "bagging_freq": 0}


def held_out_in_time(
    cutoffs: pd.DatetimeIndex, *, embargo: pd.Timedelta
) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    """Pair each of the latest cutoffs with the rows whose outcomes were decided by then.

    Parameters
    ----------
    cutoffs : DatetimeIndex of shape (n_rows,)
        The cutoff of each row.
    embargo : Timedelta
        Time until an outcome is decided. With none, an earlier cutoff is one strictly before.

    Returns
    -------
    list of (array, array)
        Row numbers to learn from and to hold out; earliest held-out cutoff first, none without rows to learn from.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-31", "2024-03-01"])
    >>> held_out_in_time(days, embargo=pd.Timedelta(days=60))
    [(array([0]), array([2]))]
    """
    pairs = []
    for cutoff in cutoffs.unique().sort_values()[-_HELD_OUT:]:
        seen = np.flatnonzero((cutoffs <= cutoff - embargo) & (cutoffs < cutoff))
        if len(seen):
            pairs.append((seen, np.flatnonzero(cutoffs == cutoff)))
    return pairs
