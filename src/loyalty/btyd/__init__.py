"""Buy-till-you-die models: who is still a client, how often he will buy, what a purchase day is worth."""

from loyalty.btyd._models import BetaGeometricNBD, BuyTillYouDie, GammaGamma

__all__ = ["BetaGeometricNBD", "BuyTillYouDie", "GammaGamma"]
