"""Loops compiled by numba: for one signature each, when their module is imported, and kept for the next time."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(*signature: Any) -> Callable[[_Function], _Function]:
    """Compile a function of these arguments, so that nothing is compiled again at run time.

    The code is kept beside the module or in the user's cache, where either can be written; the first import on a
    machine takes some seconds. A division by zero is infinite or NaN, as in NumPy.

    Examples
    --------
    >>> @compiled(numba.types.int64)
    ... def doubled(number):
    ...     return 2 * number
    >>> doubled(21)
    42
    """

    def compile_now(function: _Function) -> _Function:
        compile_it: Any = numba.njit
        options = {"nogil": True, "error_model": "numpy"}
        try:
            made: _Function = compile_it([signature], cache=True, **options)(function)
        except RuntimeError:  # nowhere to keep it
            made = compile_it([signature], **options)(function)
        return made

    return compile_now
