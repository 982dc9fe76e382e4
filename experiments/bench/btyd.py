"""What fitting the buy-till-you-die models costs: simulated clients by the day, as many as asked for.

    python experiments/bench/btyd.py --clients 1000000
    python experiments/bench/btyd.py --clients 1000000 --models bg/nbd pareto/nbd --unit weeks

Clients buy and leave as those of CDNOW do under the model that is fitted (published parameters), first buy within
twelve weeks and are seen until the 39th; purchases of one day, or week, count once. One line a model: CPU seconds of
the fit, all threads together, histories in memory; distinct rows; log-likelihood; parameters with standard errors. Each
model is fitted on a few clients before, so that what numba compiles once on a machine is not counted.
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from loyalty.btyd import BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD

Floats = NDArray[np.float64]

MODELS = {"bg/nbd": BetaGeometricNBD, "mbg/nbd": ModifiedBetaGeometricNBD, "pareto/nbd": ParetoNBD}
# Of the 1/10 sample, in weeks.
PUBLISHED = {
    "bg/nbd": (0.2426, 4.414, 0.793, 2.426),
    "mbg/nbd": (0.525, 6.183, 0.891, 1.614),
    "pareto/nbd": (0.553, 10.58, 0.606, 11.67),
}
UNITS = {"days": 7, "weeks": 1}  # in a week


def simulate(name: str, clients: int, per_week: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Draw frequency, recency and T in whole units of time."""
    r, alpha, third, fourth = PUBLISHED[name]
    T = rng.integers(27 * per_week, 39 * per_week, clients).astype(float)
    rate = np.maximum(rng.gamma(r, 1 / (alpha * per_week), clients), 1e-300)
    end, leaving = T.copy(), np.zeros(clients)
    if name == "pareto/nbd":
        end = np.minimum(T, rng.exponential(1, clients) / rng.gamma(third, 1 / (fourth * per_week), clients))
    else:
        leaving = rng.beta(third, fourth, clients)
    frequency, recency, now = np.zeros(clients), np.zeros(clients), np.zeros(clients)
    active = np.arange(clients)
    if name == "mbg/nbd":
        active = active[rng.random(clients) > leaving]
    while len(active):
        now[active] += rng.exponential(1, len(active)) / rate[active]
        active = active[now[active] <= end[active]]
        day = np.minimum(np.ceil(now[active]), T[active])
        frequency[active] += day > recency[active]
        recency[active] = day
        active = active[rng.random(len(active)) > leaving[active]]
    return frequency, recency, T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1_000_000)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--unit", choices=list(UNITS), default="days")
    parser.add_argument("--rounds", type=int, default=3, help="fits of each model; the quickest is told")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.models:
        history = simulate(name, options.clients, UNITS[options.unit], np.random.default_rng(options.seed))
        MODELS[name]().fit(*(column[:500] for column in history))
        spent = []
        for _ in range(options.rounds):
            before = time.process_time()
            model = MODELS[name]().fit(*history)
            spent.append(time.process_time() - before)
        rows = len(np.unique(np.column_stack(history), axis=0))
        errors = model.standard_errors_
        told = "  ".join(f"{key} {value:.4g} ± {errors[key]:.2g}" for key, value in model.parameters_.items())
        print(
            f"{name:<10} {min(spent):.2f} CPU-s  {options.clients:,} clients, {rows:,} rows  "
            f"log-likelihood {model.log_likelihood_:.2f}  {told}"
        )


if __name__ == "__main__":
    main()
