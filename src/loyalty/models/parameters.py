"""What may be set of the two models: the parameters that a config names and `loyalty tune` searches for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loyalty.histories.expressions import nearest
from loyalty.models.churn import PANEL_DEFAULTS
from loyalty.models.value import ValueModel

__all__ = ["ModelParameters"]

_TREES = ("num_leaves", "n_estimators", "learning_rate", "min_child_samples")
_NAMES = {"churn": _TREES, "value": ("law", *_TREES)}


@dataclass(frozen=True)
class ModelParameters:
    """Parameters of the churn and the value model; those not named are the models' own defaults.

    Attributes
    ----------
    churn : mapping of str to object
        `num_leaves`, `n_estimators`, `learning_rate` and `min_child_samples` of `ChurnModel`.
    value : mapping of str to object
        The same of `ValueModel`, and its `law`.

    Raises
    ------
    ValueError
        If a name is none of these.

    Examples
    --------
    >>> ModelParameters(churn={"num_leaves": 15}).complete().churn
    {'num_leaves': 15, 'n_estimators': 300, 'learning_rate': 0.02, 'min_child_samples': 100}
    >>> ModelParameters(value={"num_leafs": 15})
    Traceback (most recent call last):
    ...
    ValueError: `value` has no parameter 'num_leafs'. Did you mean 'num_leaves'?
    """

    churn: Mapping[str, Any] = field(default_factory=dict)
    value: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for model, names in _NAMES.items():
            unknown = [name for name in getattr(self, model) if name not in names]
            if unknown:
                raise ValueError(f"`{model}` has no parameter {unknown[0]!r}. {nearest(unknown[0], names)}")

    def complete(self) -> "ModelParameters":
        """Fill in the defaults of the models, as they are for panels."""
        defaults = {"churn": PANEL_DEFAULTS, "value": ValueModel().get_params()}
        return ModelParameters(
            **{
                model: {name: defaults[model][name] for name in names} | dict(getattr(self, model))
                for model, names in _NAMES.items()
            }
        )
