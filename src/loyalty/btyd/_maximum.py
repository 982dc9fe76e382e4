"""Where a likelihood is largest, how sharply it is known, and how the search went, in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from loyalty.btyd._frozen import Floats

_GRADIENT_TOLERANCE = 1e-6  # of the mean log-likelihood per client, in log parameters
_NO_GAIN = 1e-14  # share of the likelihood; a search for less is one for rounding, and takes as long again
_BOUND_TOLERANCE = 1e-3  # of a log parameter
_ROWS_FOR_STARTS = 4_000
_STEP = 1e-4  # of a log parameter, within the tolerance of a bound
_FLAT = 1e-6  # share of the sharpest direction of the likelihood, all parameters drawn to the same scale
_NOISE = 1e-9  # information a client that rounding alone may give


class Rows(Protocol):
    """Distinct rows of clients with their counts."""

    @property
    def counts(self) -> Floats:
        """How many clients each row stands for."""

    def thinned(self, limit: int) -> Self:
        """Return at most `limit` rows, evenly spaced."""


R = TypeVar("R", bound=Rows)
LogLikelihood = Callable[[Floats, R], tuple[float, Floats]]


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is largest within its bounds.

    `at_bounds` holds (name, side) pairs; `log_errors` are the standard errors of the logs of the parameters, NaN where
    one lies on a bound or the likelihood is flat in it.
    """

    parameters: Floats
    log_likelihood: float
    settled: bool
    at_bounds: tuple[tuple[str, str], ...]
    log_errors: Floats

    def standard_errors(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """Return the standard errors of the parameters themselves (delta method), in their own unit."""
        return {
            name: float(value * error) for (name, value), error in zip(parameters.items(), self.log_errors, strict=True)
        }

    def describe(self, parameters: Mapping[str, float], meanings: Mapping[tuple[str, str], str]) -> str:
        """Say how the search went, what each bound that was met means, and what remains unknown."""
        errors = dict(zip(parameters, self.log_errors, strict=True))
        unknown = ", ".join(name for name, error in errors.items() if np.isnan(error))
        vague = ", ".join(name for name, error in errors.items() if error > 1.0)
        without = f" Not identified, so without a standard error: {unknown}." if unknown else ""
        without += f" Hardly identified, with a standard error above the value: {vague}." if vague else ""
        if not self.settled:
            return f"The search for the most likely parameters did not settle; they are the best found.{without}"
        if not self.at_bounds:
            return f"The most likely parameters were found.{without}"
        met = "; ".join(f"{name} = {parameters[name]:.4g}: {meanings[name, side]}" for name, side in self.at_bounds)
        return f"The fit met a bound ({met}).{without}"


def maximise(
    log_likelihood: LogLikelihood[R],
    rows: R,
    *,
    starts: Sequence[Sequence[float]],
    bounds: Mapping[str, tuple[float, float]],
) -> Maximum:
    """Climb from every start on evenly thinned rows, then from the best on all of them (L-BFGS-B, in logs).

    BLAS stays in one thread: on matrices as small as these, more of them double the work by waiting for each other.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _maximise(log_likelihood, rows, starts, np.log(np.array(list(bounds.values()))), list(bounds))


def _maximise(
    log_likelihood: LogLikelihood[R], rows: R, starts: Sequence[Sequence[float]], limits: Floats, names: list[str]
) -> Maximum:
    few = rows.thinned(_ROWS_FOR_STARTS)
    _, best = min((_climb(log_likelihood, few, np.log(start), limits) for start in starts), key=lambda found: found[0])
    _, best = _climb(log_likelihood, rows, best, limits)
    value, gradient = log_likelihood(best, rows)
    low = best <= limits[:, 0] + _BOUND_TOLERANCE
    high = best >= limits[:, 1] - _BOUND_TOLERANCE
    pushes_out = (low & (gradient < 0)) | (high & (gradient > 0))
    slope = np.where(pushes_out, 0.0, gradient) / rows.counts.sum()
    return Maximum(
        parameters=np.exp(best),
        log_likelihood=value,
        settled=bool(np.max(np.abs(slope)) <= _GRADIENT_TOLERANCE),
        at_bounds=tuple(
            (name, side)
            for name, is_low, is_high in zip(names, low, high, strict=True)
            for side, met in (("lower", is_low), ("upper", is_high))
            if met
        ),
        log_errors=_log_errors(log_likelihood, rows, best, ~(low | high)),
    )


def _climb(log_likelihood: LogLikelihood[R], rows: R, start: Floats, limits: Floats) -> tuple[float, Floats]:
    total = rows.counts.sum()

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, gradient = log_likelihood(theta, rows)
        return -value / total, -gradient / total

    found = minimize(
        loss,
        np.clip(start, limits[:, 0], limits[:, 1]),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(limits[:, 0], limits[:, 1]),
        options={"maxiter": 500, "maxcor": 8, "maxls": 40, "ftol": _NO_GAIN, "gtol": 1e-9},
    )
    return float(found.fun), np.asarray(found.x, dtype=np.float64)


def _log_errors(log_likelihood: LogLikelihood[R], rows: R, best: Floats, free: NDArray[np.bool_]) -> Floats:
    """Find standard errors of log parameters from the observed information, with those on bounds held fixed.

    The information is the slope of the analytic gradient. Where it says next to nothing of a direction, the parameters
    that lie in it are not identified.
    """
    errors = np.full(len(best), np.nan)
    slopes = [
        (log_likelihood(best - step, rows)[1] - log_likelihood(best + step, rows)[1]) / (2.0 * _STEP)
        for step in _STEP * np.eye(len(best))[free]
    ]
    if not slopes:
        return errors
    information = np.array(slopes)[:, free]
    known = np.diag(information) > _NOISE * rows.counts.sum()
    which = np.flatnonzero(free)[known]
    information = (information + information.T)[np.ix_(known, known)] / 2.0
    scale = 1.0 / np.sqrt(np.diag(information))
    sharpness, directions = np.linalg.eigh(information * np.outer(scale, scale))
    flat = sharpness <= _FLAT
    shares = directions**2
    variances = (shares[:, ~flat] / sharpness[~flat]).sum(axis=1)
    unknown = shares[:, flat].sum(axis=1) > np.sqrt(_FLAT)
    errors[which] = np.where(unknown, np.nan, scale * np.sqrt(variances))
    return errors
