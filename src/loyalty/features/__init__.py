"""Features: one module a theme, one catalogue, one engine that turns histories into a panel."""

from loyalty.features.blindness import prove_blind
from loyalty.features.catalogue import CATALOGUE, choose_features, feature, import_features
from loyalty.features.feature import Feature, IbisFormula, Phrase
from loyalty.features.learned import Learned, learn, renew
from loyalty.features.panel import build_panel, measure_market
from loyalty.features.warehouse import lay_panel
from loyalty.features.writing import read_panel, write_panel

__all__ = [
    "CATALOGUE",
    "Feature",
    "IbisFormula",
    "Learned",
    "Phrase",
    "build_panel",
    "choose_features",
    "feature",
    "import_features",
    "lay_panel",
    "learn",
    "measure_market",
    "prove_blind",
    "read_panel",
    "renew",
    "write_panel",
]
