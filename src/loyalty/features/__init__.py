"""Features: one module a theme, one catalogue, one engine that turns histories into a panel."""

from loyalty.features.catalogue import Feature
from loyalty.features.panel import CATALOGUE, build_panel, choose_features

__all__ = ["CATALOGUE", "Feature", "build_panel", "choose_features"]
