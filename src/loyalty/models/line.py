"""A line under the trees: it goes on where they have seen nobody and stand still."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
Ints = NDArray[np.int_]

#: How much of a fitted slope the line has. Trees add within what they have seen; beyond it, half way between standing
#: still and going on errs least. Chosen on earlier cutoffs: see experiments/extrapolation.md.
_SHARE = 0.5


@dataclass(frozen=True)
class Line:
    """Log-odds that are linear in the logarithms of a few columns.

    Trees say the same of a client who has been silent for ten months as of one silent for six, if six is all that they
    have seen. A logarithm goes on, and slowly: the trees start from the line, and add what it does not tell.

    Attributes
    ----------
    columns : tuple of int
        The columns it reads; none for the line that is 0 throughout.
    slopes : tuple of float
        Log-odds per unit of log(1 + size), the sign kept.
    means : tuple of float
        Mean logarithm of each column over the rows it was fitted on. A missing number counts as that.
    level : float
        Log-odds at the means.

    Examples
    --------
    >>> line = Line(columns=(0,), slopes=(1.0,), means=(np.log(10.0),), level=-2.0)
    >>> line(np.array([[9.0], [99.0], [np.nan]])).round(2).tolist()
    [-2.0, 0.3, -2.0]
    """

    columns: tuple[int, ...] = ()
    slopes: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    level: float = 0.0

    def __call__(self, values: Floats) -> Floats:
        """Tell the log-odds of each row, shape (n_rows,)."""
        told: Floats = self.level + self.parts(values).sum(axis=1)
        return told

    def parts(self, values: Floats) -> Floats:
        """Divide what a row has beyond `level` among `columns`, shape (n_rows, n_columns)."""
        beyond = _logarithms(values[:, self.columns]) - np.array(self.means)
        return np.where(np.isnan(beyond), 0.0, beyond * np.array(self.slopes))

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Read what stands in JSON, where tuples are lists."""
        return cls(tuple(kept["columns"]), tuple(kept["slopes"]), tuple(kept["means"]), kept["level"])


def fit_line(values: Floats, codes: Ints, columns: Sequence[int], directions: Sequence[int]) -> Line:
    """Fit a line by logistic regression, with a slope for each column that tells anything.

    Parameters
    ----------
    values : array of shape (n_rows, n_features)
        What trees read.
    codes : array of shape (n_rows,)
        0 or 1; both occur.
    columns : sequence of int
        The columns it may read.
    directions : sequence of int
        1 or -1 for a column whose slope may only be so; 0 for any other. A column that would go the other way is left
        out.

    Examples
    --------
    Of those silent for long most have left; the line goes on where nobody has been seen:

    >>> silent = np.arange(1.0, 101.0)[:, None]
    >>> line = fit_line(silent, (silent[:, 0] > 40).astype(int), [0], [1])
    >>> bool(line(np.array([[400.0]]))[0] > line(np.array([[100.0]]))[0])
    True
    """
    logarithms = _logarithms(values[:, list(columns)])
    seen = ~np.isnan(logarithms)
    means = np.where(seen, logarithms, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, logarithms - means, 0.0)
    spread = centred.std(axis=0)
    kept = np.flatnonzero(spread > 0)
    slopes = np.empty(0)
    if len(kept):
        # Columns on one scale, so that the penalty, which is slight, means the same for each.
        slopes = LogisticRegression().fit(centred[:, kept] / spread[kept], codes).coef_[0]
    against = slopes * np.array(directions)[kept] < 0
    if against.any():
        rest = kept[~against].tolist()
        return fit_line(values, codes, [columns[k] for k in rest], [directions[k] for k in rest])
    slopes = _SHARE * slopes / spread[kept]
    return Line(
        columns=tuple(columns[k] for k in kept.tolist()),
        slopes=tuple(slopes.tolist()),
        means=tuple(means[kept].tolist()),
        level=float(logit(codes.mean())),
    )


def _logarithms(values: Floats) -> Floats:
    told: Floats = np.sign(values) * np.log1p(np.abs(values))
    return told
