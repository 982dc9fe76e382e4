"""Features that say nearly the same are one driver, and one reason."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.features import CATALOGUE

__all__ = ["families"]


def families(names: list[str]) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    """Group the columns that say nearly the same; of each group, all of them and those that can speak for it.

    They are of one declared topic, see `Feature.topic`: nothing is measured, so that a client's reasons do not depend
    on who else is asked about. A decayed sum or a model's opinion predicts well and means little to people, so a plain
    feature speaks where there is one.

    Examples
    --------
    >>> silence, age = families(["silence_probability", "T", "days_since_last"])
    >>> [columns.tolist() for columns in (*silence, *age)]
    [[0, 2], [2], [1], [1]]
    """
    codes, unique = pd.factorize(np.array([CATALOGUE[n].family if n in CATALOGUE else n for n in names], dtype=object))
    plain = speaking(names)
    families = []
    for family in range(len(unique)):
        members = np.flatnonzero(codes == family)
        families.append((members, members[plain[members]] if plain[members].any() else members))
    return families


def speaking(names: list[str]) -> NDArray[np.bool_]:
    """Tell which columns mean something to people."""
    return np.array([name not in CATALOGUE or CATALOGUE[name].speaks for name in names], dtype=bool)
