"""SHAP values and drivers: exact, and one for a family."""

import warnings

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import shap
from scipy.special import expit, logit

from loyalty.explanation import driver_table, shap_values
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


class TestDriverTable:
    @pytest.fixture
    def tiny(self):
        """Two trees of one split each, whose SHAP values are plain: leaf minus the mean over the rows learned from."""
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"amount_sum_90d": rng.random(40), "amount_sum_365d": rng.random(40), "T": rng.random(40)})
        model = ChurnModel(n_estimators=2).fit(X, X["amount_sum_90d"] > 0.5)
        # Parts (and base value, last) of four clients, by hand; the third client's value of T is not known.
        model.contributions = lambda _: np.array(
            [[0.3, -0.1, 1.0, -0.5], [0.1, -0.3, -1.0, -0.5], [-0.4, 0.0, 2.0, -0.5], [0.0, 0.0, 0.0, -0.5]]
        )
        asked = pd.DataFrame(
            {
                "amount_sum_90d": [4.0, 3.0, 1.0, 2.0],
                "amount_sum_365d": [1.0, 1.0, 1.0, 1.0],
                "T": [1.0, 3.0, np.nan, 2.0],
            }
        )
        return model, asked

    def test_arithmetic(self, tiny):
        table = driver_table(*tiny)
        # T: mean of |1|, |-1|, |2|, |0|. Spend: the family's parts are 0.2, -0.2, -0.4, 0.
        assert table["feature"].tolist() == ["T", "amount_sum_90d"]  # mean |part| .2 of the 90 days, .1 of the year
        assert table["mean_abs_shap"].tolist() == pytest.approx([1.0, 0.2])
        log_odds = np.array([0.7, -1.7, 1.1, -0.5])
        of_t = np.abs(expit(log_odds) - expit(log_odds - [1.0, -1.0, 2.0, 0.0])).mean()
        of_spend = np.abs(expit(log_odds) - expit(log_odds - [0.2, -0.2, -0.4, 0.0])).mean()
        assert table["effect_pp"].tolist() == pytest.approx([100 * of_t, 100 * of_spend])

    def test_direction(self, tiny):
        # Known values of T 1, 3, 2 with parts 1, -1, 0: the more, the lower. Spend 4, 3, 1, 2 with 0.2, -0.2, -0.4, 0.
        assert driver_table(*tiny)["direction"].tolist() == [-1, 1]

    def test_no_direction_where_there_is_none(self, tiny):
        model, asked = tiny
        assert driver_table(model, asked.assign(T=5.0))["direction"].tolist()[0] == 0  # all alike
        assert driver_table(model, asked.assign(T=[1.0, np.nan, np.nan, 2.0]))["direction"].tolist()[0] == 0
        # Parts 1, -1, 2, 0 at values 1, 1, 2, 2: ranks 1.5, 1.5, 3.5, 3.5 with 3, 1, 4, 2 go together.
        assert driver_table(model, asked.assign(T=[1.0, 1.0, 2.0, 2.0]))["direction"].tolist()[0] == 1
        # 1, 2, 2, 1: ranks 1.5, 3.5, 3.5, 1.5 with 3, 1, 4, 2 do not.
        assert driver_table(model, asked.assign(T=[1.0, 2.0, 2.0, 1.0]))["direction"].tolist()[0] == 0

    def test_of_a_real_model(self, fitted):
        model, X = fitted
        table = driver_table(model, X)
        assert len(table) == 5  # money and season are one driver each
        assert table["feature"][0] == "days_since_last"
        assert table["direction"][0] == 1
        assert table["mean_abs_shap"].is_monotonic_decreasing
        assert table["mean_abs_shap"][0] == pytest.approx(by_hand(model, X)["days_since_last"].abs().mean())
        money = table.set_index("feature").loc["amount_sum_90d"]
        assert money["direction"] == -1
        assert money["mean_abs_shap"] == pytest.approx(by_hand(model, X)[WINDOWED].sum(axis=1).abs().mean())
        assert ((table["effect_pp"] > 0) & (table["effect_pp"] < 100)).all()


def test_the_slope_scales_every_part(fitted):
    model, X = fitted
    plain = lgb.Booster(model_str=model.booster_.model_to_string()).predict(X.to_numpy(), pred_contrib=True)
    other = ChurnModel()
    other.__dict__.update(model.__dict__ | {"calibration_": PlattScaling(slope=0.5, level=2.0)})
    assert other.contributions(X)[:, :-1] == pytest.approx(0.5 * plain[:, :-1], abs=1e-12)
    assert other.contributions(X)[:, -1] == pytest.approx(0.5 * plain[:, -1] + 2.0, abs=1e-12)
