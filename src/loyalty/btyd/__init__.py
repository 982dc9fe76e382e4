"""Buy-till-you-die models: who is still a client, how often he will buy, what a purchase day is worth.

`BetaGeometricNBD`, `GammaGamma` and `BuyTillYouDie` are fitted. `probability_alive`, `expected_purchases` and
`probability_no_purchase` take parameters found before, and a million clients a second; features are made with them.
"""

import importlib
from typing import TYPE_CHECKING, Any

from loyalty.btyd._frozen import expected_purchases, probability_alive, probability_no_purchase

if TYPE_CHECKING:
    from loyalty.btyd._models import BetaGeometricNBD, BuyTillYouDie, GammaGamma

__all__ = [
    "BetaGeometricNBD",
    "BuyTillYouDie",
    "GammaGamma",
    "expected_purchases",
    "probability_alive",
    "probability_no_purchase",
]


def __getattr__(name: str) -> Any:
    # Fitting brings scikit-learn along, which those who only predict need not wait for.
    if name not in __all__:
        raise AttributeError(f"module 'loyalty.btyd' has no attribute {name!r}")
    return getattr(importlib.import_module("loyalty.btyd._models"), name)
