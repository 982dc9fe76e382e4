"""SHAP values and drivers: exact, and one for a family."""

import warnings

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import shap
from scipy.special import logit

from loyalty.explanation import shap_values
from loyalty.features import CATALOGUE
from loyalty.models.calibration import PlattScaling
from loyalty.models.churn import ChurnModel

WINDOWED = ["amount_sum_90d", "amount_sum_365d", "amount_decayed_365d"]
NAMES = ["days_since_last", *WINDOWED, "gap_days_mean", "refund_share_365d", "season_sin", "season_cos"]


@pytest.fixture(scope="module")
def fitted():
    """A calibrated model on features of the catalogue, with missing values, and its rows."""
    assert set(NAMES) <= set(CATALOGUE)
    rng = np.random.default_rng(0)
    cutoffs = pd.to_datetime(["2024-01-01", "2024-03-01", "2024-05-01"])
    index = pd.MultiIndex.from_product([cutoffs, [f"client-{i}" for i in range(150)]], names=["cutoff", "client_id"])
    year = 2 * np.pi * index.get_level_values("cutoff").dayofyear.to_numpy() / 365
    X = pd.DataFrame({name: rng.gamma(2.0, 30.0, len(index)) for name in NAMES}, index=index.swaplevel())
    X["refund_share_365d"] = rng.random(len(index)).round(2)
    X = X.mask(rng.random(X.shape) < 0.1).assign(season_sin=np.sin(year), season_cos=np.cos(year))
    drive = X["days_since_last"].fillna(60) - 0.5 * X["amount_sum_90d"].fillna(60) + 20 * X["season_sin"]
    left = (drive + rng.normal(0, 20, len(index)) > 30).astype(int)
    model = ChurnModel(n_estimators=60, embargo="60d").fit(X, left)
    assert model.calibration_.slope != 1
    return model, X


def by_hand(model, X):
    """Parts by feature, from the definition: those of the trees times the calibrator's slope."""
    return pd.DataFrame(shap_values(model, X).values, index=X.index, columns=NAMES)


class TestShapValues:
    def test_equal_those_of_shap_itself(self, fitted):
        model, X = fitted
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explainer = shap.TreeExplainer(model.booster_)
            values, base = explainer.shap_values(X.to_numpy()), explainer.expected_value
        assert X.isna().any().any()
        assert np.asarray(values).shape == X.shape
        slope, level = model.calibration_.slope, model.calibration_.level
        explained = shap_values(model, X)
        assert explained.values == pytest.approx(slope * np.asarray(values), abs=1e-6)
        assert explained.base_values == pytest.approx(slope * np.full(len(X), base) + level, abs=1e-6)

    def test_add_up_to_the_calibrated_log_odds(self, fitted):
        model, X = fitted
        explained = shap_values(model, X)
        log_odds = explained.base_values + explained.values.sum(axis=1)
        assert log_odds == pytest.approx(logit(model.predict_proba(X)[:, 1]), abs=1e-9)

    def test_carry_names_and_data(self, fitted):
        model, X = fitted
        explained = shap_values(model, X[NAMES[::-1]])  # found by name
        assert explained.feature_names == NAMES
        assert np.array_equal(explained.data, X.to_numpy(), equal_nan=True)
        assert np.array_equal(explained.values, shap_values(model, X).values)

    def test_a_missing_column_is_refused(self, fitted):
        model, X = fitted
        with pytest.raises(KeyError, match="refund_share_365d"):
            shap_values(model, X.drop(columns="refund_share_365d"))


def test_the_slope_scales_every_part(fitted):
    model, X = fitted
    plain = lgb.Booster(model_str=model.booster_.model_to_string()).predict(X.to_numpy(), pred_contrib=True)
    other = ChurnModel()
    other.__dict__.update(model.__dict__ | {"calibration_": PlattScaling(slope=0.5, level=2.0)})
    assert other.contributions(X)[:, :-1] == pytest.approx(0.5 * plain[:, :-1], abs=1e-12)
    assert other.contributions(X)[:, -1] == pytest.approx(0.5 * plain[:, -1] + 2.0, abs=1e-12)
