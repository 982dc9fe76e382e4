"""Loops compiled by numba: for one signature each, when their module is imported, and kept for the next time.

What is compiled is kept beside the module, in the user's cache, or where ``NUMBA_CACHE_DIR`` says. Where none of them
can be written, everything works, but is compiled anew by each process.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(*signature: Any) -> Callable[[_Function], _Function]:
    """Compile a function of these arguments, so that nothing is compiled again at run time.

    The first import on a machine takes some seconds. A division by zero is infinite or NaN, as in NumPy.

    Examples
    --------
    >>> @compiled(numba.types.int64)
    ... def doubled(number):
    ...     return 2 * number
    >>> doubled(21)
    42
    """

    def compile_now(function: _Function) -> _Function:
        return _kept_if_possible(function, [signature], nogil=True)

    return compile_now


def compiled_when_called(function: _Function) -> _Function:
    """Compile a function when it is first called with arguments of some types.

    For functions that call each other and numba itself must find the types of. A division by zero is infinite or NaN.

    Examples
    --------
    >>> @compiled_when_called
    ... def share(part, whole):
    ...     return part / whole
    >>> share(1.0, 0.0)
    inf
    """
    return _kept_if_possible(function)


def _kept_if_possible(function: _Function, *signatures: Any, **options: Any) -> _Function:
    compile_it: Any = numba.njit
    options["error_model"] = "numpy"
    try:
        made: _Function = compile_it(*signatures, cache=True, **options)(function)
    except (RuntimeError, OSError):  # no folder to keep it in, or none that has room
        made = compile_it(*signatures, **options)(function)
    return made
