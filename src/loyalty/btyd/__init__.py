"""Buy-till-you-die models: who is still a client, how often he will buy, what a purchase day is worth.

Where clients come and go unsaid, `BetaGeometricNBD`, `ModifiedBetaGeometricNBD` and `ParetoNBD` are fitted on purchases
at any time, `BetaGeometricBetaBinomial` on purchases at set opportunities, `GammaGamma` on spend; `BuyTillYouDie` joins
purchases and spend, and `Generations` tells clients who were there when the records began from those who came since.
Where a contract says who has left, `ShiftedBetaGeometric` is fitted on renewals.

`probability_alive`, `expected_purchases`, `probability_no_purchase` and `expected_spend` take parameters found before,
and a million clients a second; features are made with them.
"""

import importlib
from typing import TYPE_CHECKING, Any

from loyalty.btyd._frozen import expected_purchases, expected_spend, probability_alive, probability_no_purchase

if TYPE_CHECKING:
    from loyalty.btyd._contracts import ShiftedBetaGeometric
    from loyalty.btyd._generations import Generations, Habits, first_days
    from loyalty.btyd._joint import BuyTillYouDie
    from loyalty.btyd._opportunities import BetaGeometricBetaBinomial
    from loyalty.btyd._purchases import BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD
    from loyalty.btyd._spend import GammaGamma

__all__ = [
    "BetaGeometricBetaBinomial",
    "BetaGeometricNBD",
    "BuyTillYouDie",
    "GammaGamma",
    "Generations",
    "Habits",
    "ModifiedBetaGeometricNBD",
    "ParetoNBD",
    "ShiftedBetaGeometric",
    "expected_purchases",
    "expected_spend",
    "first_days",
    "probability_alive",
    "probability_no_purchase",
]

_HOMES = {
    "BetaGeometricBetaBinomial": "_opportunities",
    "BetaGeometricNBD": "_purchases",
    "BuyTillYouDie": "_joint",
    "GammaGamma": "_spend",
    "Generations": "_generations",
    "Habits": "_generations",
    "ModifiedBetaGeometricNBD": "_purchases",
    "ParetoNBD": "_purchases",
    "ShiftedBetaGeometric": "_contracts",
    "first_days": "_generations",
}


def __getattr__(name: str) -> Any:
    # Fitting brings scikit-learn along, which those who only predict need not wait for.
    if name not in _HOMES:
        raise AttributeError(f"module 'loyalty.btyd' has no attribute {name!r}")
    return getattr(importlib.import_module(f"loyalty.btyd.{_HOMES[name]}"), name)
