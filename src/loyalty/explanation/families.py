"""Features that say nearly the same are one driver, and one reason."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.features import CATALOGUE

__all__ = ["families"]


def families(names: list[str]) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
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
