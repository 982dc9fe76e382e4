"""Outcomes and predictions, checked at the border."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Kind = Literal["outcome", "share", "money", "bound", "periods", "count"]


def checked(**given: tuple[ArrayLike, Kind]) -> list[Floats]:
    """Make float arrays of one length, or say everything that is wrong with them in one error."""
    arrays: dict[str, Floats] = {}
    problems: list[str] = []
    for name, (array_like, kind) in given.items():
        array = np.asarray(array_like)
        try:
            if array.dtype.kind not in "biufO":
                raise TypeError
            arrays[name] = array.astype(np.float64)
        except (TypeError, ValueError):
            problems.append(f"`{name}` must hold numbers; got {array.dtype} values that are none")
            continue
        if problem := _problem(arrays[name], kind):
            problems.append(f"`{name}` must {problem}")
    if len({array.shape for array in arrays.values() if array.ndim == 1}) > 1:
        sizes = " and ".join(f"{array.size} in `{name}`" for name, array in arrays.items())
        problems.append(f"there must be one entry a client in each array, in the same order; got {sizes}")
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return list(arrays.values())


def _problem(array: Floats, kind: Kind) -> str:
    """Say which rule an array breaks first, where, and how often; nothing if it keeps them all."""
    if array.ndim != 1:
        return f"be one-dimensional; got shape {array.shape}: pass one column"
    if array.size == 0:
        return "hold at least one entry; got none"
    allowed, rule = np.isfinite(array), "be finite (drop or fill missing values)"
    if kind == "bound":
        allowed, rule = ~np.isnan(array), "not be missing (drop rows without an interval)"
    if allowed.all() and kind == "outcome":
        allowed, rule = np.isin(array, (0, 1)), "be 1 (left) or 0 (stayed)"
    elif allowed.all() and kind == "share":
        allowed, rule = (array >= 0) & (array <= 1), "lie within [0, 1] (divide percentages by 100)"
    elif allowed.all() and kind == "periods":
        allowed, rule = (array >= 0) & (array == np.floor(array)), "be a whole number of periods, 0 or more"
    elif allowed.all() and kind == "count":
        allowed, rule = (array >= 0) & (array == np.floor(array)), "be a whole number, 0 or more"
    if allowed.all():
        return ""
    row = int(np.argmin(allowed))
    return f"{rule}; got {array[row]:g} at position {row} and {np.count_nonzero(~allowed)} such in all"
