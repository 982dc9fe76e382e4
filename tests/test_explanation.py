"""SHAP values and drivers: exact, and one for a family."""

import warnings

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import shap
from scipy.special import expit, logit

from loyalty.explanation import shap_interactions, shap_values
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


class TestScales:
    def test_probability_adds_up_to_the_probability(self, fitted):
        model, X = fitted
        explained, raw = shap_values(model, X, scale="probability"), shap_values(model, X)
        assert explained.base_values == pytest.approx(expit(raw.base_values), abs=1e-12)
        total = explained.base_values + explained.values.sum(axis=1)
        assert total == pytest.approx(model.predict_proba(X)[:, 1], abs=1e-12)

    def test_probability_is_the_integral_along_the_way(self, fitted):
        """Aumann and Shapley's value by a fine sum: each part times the slope of the probability on the way there."""
        model, X = fitted
        raw = shap_values(model, X.head(20))
        way = (np.arange(4_000) + 0.5) / 4_000
        there = expit(raw.base_values[:, None] + raw.values.sum(axis=1)[:, None] * way)
        slope = (there * (1 - there)).mean(axis=1)
        explained = shap_values(model, X.head(20), scale="probability")
        assert explained.values == pytest.approx(raw.values * slope[:, None], abs=1e-7)

    def test_parts_that_cancel_are_not_divided_by_nothing(self, fitted):
        model, X = fitted
        other = ChurnModel()
        other.__dict__.update(model.__dict__)
        other.contributions = lambda _: np.array([[2.0, -2.0, *[0.0] * 6, 0.5], [1e-9, *[0.0] * 7, 0.5]])
        told = shap_values(other, X.head(2), scale="probability").values
        flat = expit(0.5) * expit(-0.5)
        assert told[0, :2] == pytest.approx([2 * flat, -2 * flat])
        assert told[1, 0] == pytest.approx(1e-9 * flat)

    def test_each_says_which_it_is(self, fitted):
        model, X = fitted
        assert shap_values(model, X).output_names == "log-odds of churn"
        assert shap_values(model, X, scale="probability")[3:5, :2].output_names == "probability of churn"
        with pytest.raises(ValueError, match="`scale` must be 'log-odds' or 'probability'; got 'percent'"):
            shap_values(model, X, scale="percent")


class TestInteractions:
    def test_add_up_to_the_shap_values(self, fitted):
        model, X = fitted
        pairs = shap_interactions(model, X.head(30))
        assert pairs.values.shape == (30, len(NAMES), len(NAMES))
        assert np.allclose(pairs.values, pairs.values.swapaxes(1, 2), rtol=0, atol=1e-15)
        explained = shap_values(model, X.head(30))
        assert pairs.values.sum(axis=2) == pytest.approx(explained.values, abs=1e-12)
        assert pairs.base_values == pytest.approx(explained.base_values)

    def test_equal_those_of_shap_itself(self, fitted):
        model, X = fitted
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = np.asarray(shap.TreeExplainer(model.booster_).shap_interaction_values(X.head(10).to_numpy()))
        ours = shap_interactions(model, X.head(10)).values
        assert ours == pytest.approx(model.calibration_.slope * theirs, abs=1e-6)

    def test_the_anchor_adds_alone(self):
        rng = np.random.default_rng(0)
        cutoffs = pd.to_datetime(["2024-01-01", "2024-03-01", "2024-05-01"])
        index = pd.MultiIndex.from_product([range(100), cutoffs], names=["client_id", "cutoff"])
        X = pd.DataFrame({"days_since_last": rng.gamma(2, 30, 300), "told": rng.random(300)}, index=index)
        X.loc[X.index[::9], "told"] = np.nan
        left = (X["told"].fillna(0.5) + rng.normal(0, 0.2, 300) > 0.5).astype(int)
        model = ChurnModel(n_estimators=20, min_child_samples=5, anchor="told", embargo="60d").fit(X, left)
        assert model.calibration_.weight > 0
        assert shap_interactions(model, X).values.sum(axis=2) == pytest.approx(shap_values(model, X).values, abs=1e-12)


@pytest.fixture(scope="module")
def mixed():
    """A model with a column of categories, and its rows."""
    rng = np.random.default_rng(0)
    plan = rng.choice(["month", "year"], 200).astype(object)
    plan[::20] = None
    X = pd.DataFrame({"days_since_last": rng.gamma(2, 30, 200), "plan": plan, "fee": rng.random(200)})
    left = ((X["plan"] == "month") + X["fee"] + rng.normal(0, 0.3, 200) > 1).astype(int)
    return ChurnModel(n_estimators=20, min_child_samples=5).fit(X, left), X


class TestShapsOwnPlots:
    def test_categories_are_shown_by_name(self, mixed):
        model, X = mixed
        explained = shap_values(model, X.assign(plan=["month", "year", *X["plan"][2:]]))
        assert explained.display_data[:2, 1].tolist() == ["month", "year"]
        assert explained.data[:2, 1].tolist() == [0.0, 1.0]
        assert np.isnan(explained.data[20, 1])
        pairs = shap_interactions(model, X.head(20)).values
        assert pairs.sum(axis=2) == pytest.approx(shap_values(model, X.head(20)).values, abs=1e-12)

    @pytest.mark.parametrize("scale", ["log-odds", "probability"])
    def test_draw_it(self, mixed, scale):
        plt = pytest.importorskip("matplotlib.pyplot")
        plt.switch_backend("Agg")
        model, X = mixed
        explained = shap_values(model, X, scale=scale)
        shap.plots.beeswarm(explained, show=False, plot_size=None)
        plt.close("all")
        shap.plots.waterfall(explained[int((X["plan"] == "month").argmax())], show=False)
        said = [label.get_text() for axis in plt.gcf().axes for label in axis.get_yticklabels()]
        assert any("month = plan" in text for text in said)
        plt.close("all")
        shap.plots.bar(explained, show=False)
        shap.plots.scatter(explained[:, "fee"], color=explained[:, "days_since_last"], show=False)
        shap.plots.scatter(explained[:, "plan"], show=False)
        plt.close("all")


def test_the_slope_scales_every_part(fitted):
    model, X = fitted
    plain = lgb.Booster(model_str=model.booster_.model_to_string()).predict(X.to_numpy(), pred_contrib=True)
    other = ChurnModel()
    other.__dict__.update(model.__dict__ | {"calibration_": PlattScaling(slope=0.5, level=2.0)})
    assert other.contributions(X)[:, :-1] == pytest.approx(0.5 * plain[:, :-1], abs=1e-12)
    assert other.contributions(X)[:, -1] == pytest.approx(0.5 * plain[:, -1] + 2.0, abs=1e-12)
