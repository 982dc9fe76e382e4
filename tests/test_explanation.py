"""Reasons: exact, of the client's own side, one for a family, and in words."""

import re
import warnings

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import shap
from scipy.special import logit

from loyalty.explanation import reason_codes, shap_values
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


class TestReasonCodes:
    def test_columns_and_index(self, fitted):
        model, X = fitted
        reasons = reason_codes(model, X, top=2)
        endings = ("", "_value", "_shap", "_text")
        assert list(reasons) == [f"reason_{rank}{ending}" for rank in (1, 2) for ending in endings]
        assert reasons.index.equals(X.index)

    def test_one_reason_a_family_with_its_parts_added_the_season_left_out(self, fitted):
        """The whole table again, client by client, from the definition."""
        model, X = fitted
        parts, reasons = by_hand(model, X), reason_codes(model, X, top=3)
        for place in range(0, len(X), 7):
            part = parts.iloc[place]
            money = part[WINDOWED].sum()
            families = {name: part[name] for name in NAMES if name not in WINDOWED and "season" not in name}
            families[part[["amount_sum_90d", "amount_sum_365d"]].abs().idxmax()] = money
            side = np.sign(sum(families.values()))
            wanted = sorted((n for n in families if side * families[n] > 0), key=lambda n: -side * families[n])[:3]
            told = reasons.iloc[place]
            assert [told[f"reason_{rank}"] for rank in (1, 2, 3) if isinstance(told[f"reason_{rank}"], str)] == wanted
            for rank, name in enumerate(wanted, 1):
                assert told[f"reason_{rank}_shap"] == pytest.approx(families[name], rel=1e-9)
                value = X.iloc[place][name]
                assert told[f"reason_{rank}_value"] == pytest.approx(value, nan_ok=True, abs=0)
                words = "higher" if families[name] > 0 else "lower"
                assert told[f"reason_{rank}_text"].endswith(f", goes with a {words} risk")

    def test_speak_for_the_side_of_the_client(self, fitted):
        model, X = fitted
        reasons, parts = reason_codes(model, X), by_hand(model, X)
        own = parts.drop(columns=["season_sin", "season_cos"]).sum(axis=1)
        told = reasons[[f"reason_{rank}_shap" for rank in (1, 2, 3)]].mul(np.sign(own), axis=0)
        assert {True, False} == set(own > 0)
        assert (told.isna() | (told > 0)).all(axis=None)
        assert (told["reason_1_shap"].dropna() >= told["reason_2_shap"].reindex(told.index).fillna(0)).all()

    def test_decayed_sums_never_speak_beside_plain_ones(self, fitted):
        model, X = fitted
        reasons = reason_codes(model, X, top=4)
        mute = ["amount_decayed_365d", "season_sin", "season_cos"]
        assert not reasons.filter(regex=r"^reason_\d$").isin(mute).any(axis=None)
        rng = np.random.default_rng(0)
        lone = pd.DataFrame({"amount_decayed_365d": rng.random(200), "amount_decayed_30d": rng.random(200)})
        alone = reason_codes(ChurnModel(n_estimators=20).fit(lone, lone["amount_decayed_365d"] > 0.5), lone, top=1)
        assert set(alone["reason_1"]) <= set(lone)  # but they do where nothing else can
        assert alone["reason_1"].notna().all()

    def test_the_strongest_of_what_is_unusual_speaks(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({name: rng.random(200) for name in ("amount_sum_90d", "amount_sum_365d", "amount_sum_30d")})
        model = ChurnModel(n_estimators=2).fit(X, X["amount_sum_90d"] > 0.5)
        model.typical_ = np.array([5.0, 5.0, np.nan])
        shares = [[0.1, 0.9, 0.2, 0.0]] * 4
        model.contributions = lambda rows: np.array(shares[: len(rows)])
        clients = pd.DataFrame(
            [[7.0, 5.0, np.nan], [5.0, 5.0, np.nan], [5.0, 5.0, 3.0], [6.0, 7.0, 3.0]], columns=X.columns
        )
        told = reason_codes(model, clients, top=1)["reason_1"].tolist()
        # Unusual in 90 days; in nothing, so the strongest of all; in 30 days; in everything, so the strongest.
        assert told == ["amount_sum_90d", "amount_sum_365d", "amount_sum_30d", "amount_sum_365d"]

    def test_fewer_reasons_when_no_more_point_that_way(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
        model = ChurnModel(n_estimators=30).fit(X, X["days_since_last"] - 10 * X["frequency"] > 60)
        high = reason_codes(model, pd.DataFrame({"days_since_last": [199], "frequency": [8]}), top=3)
        assert high["reason_1"].item() == "days_since_last"
        assert high["reason_1_shap"].item() > 0
        for rank in (2, 3):  # the other one lowers the risk, and there is no third: the columns are there and empty
            assert high[[f"reason_{rank}", f"reason_{rank}_text"]].isna().all(axis=None)
            assert high[[f"reason_{rank}_value", f"reason_{rank}_shap"]].isna().all(axis=None)
            assert high[f"reason_{rank}"].dtype == high["reason_1"].dtype

    def test_season_alone_gives_no_reason(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"season_sin": rng.random(100), "season_cos": rng.random(100)})
        reasons = reason_codes(ChurnModel(n_estimators=5).fit(X, X["season_sin"] > 0.5), X, top=2)
        assert reasons.isna().all(axis=None)
        assert reasons.shape == (100, 8)

    def test_a_client_alone_gets_what_it_gets_in_a_batch(self, fitted):
        model, X = fitted
        together = reason_codes(model, X)
        for place in (0, 17, len(X) - 1):
            pd.testing.assert_frame_equal(
                reason_codes(model, X.iloc[[place]]), together.iloc[[place]], check_exact=True
            )
        backwards = reason_codes(model, X.iloc[::-1])
        pd.testing.assert_frame_equal(backwards.iloc[::-1], together, check_exact=True)

    @pytest.mark.parametrize(
        ("option", "message"),
        [({"top": 0}, "`top` must be at least 1; got 0"), ({"language": "fr"}, "must be 'en' or 'ko'; got 'fr'")],
    )
    def test_bad_options_are_refused(self, fitted, option, message):
        model, X = fitted
        with pytest.raises(ValueError, match=message):
            reason_codes(model, X, **option)

    def test_an_array_has_no_names_to_give(self):
        X = np.random.default_rng(0).random((100, 2))
        with pytest.raises(ValueError, match="Fit it on a DataFrame"):
            reason_codes(ChurnModel(n_estimators=2).fit(X, X[:, 0] > 0.5), pd.DataFrame(X))


class TestWords:
    @staticmethod
    def said(name, value, *, typical=50.0, raises=True, language="en"):
        """The one reason of a client, in words, from a model in which a high value raises (or lowers) the risk."""
        rng = np.random.default_rng(0)
        X = pd.DataFrame({name: rng.normal(size=200)})
        model = ChurnModel(n_estimators=5).fit(X, X[name] > 0)
        model.typical_ = np.array([typical])
        model.contributions = lambda _: np.array([[1.0 if raises else -1.0, 0.0]])
        return reason_codes(model, pd.DataFrame({name: [value]}), top=1, language=language)["reason_1_text"].item()

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("days_since_last", 190.0, "Days since the last purchase: 190 days (typically 50), goes with a higher"),
            ("days_since_last", 1.0, "Days since the last purchase: 1 day (typically 50), goes with a higher risk"),
            ("gap_days_mean", 12.345, "Average days between purchases: 12.3 days (typically 50), goes with"),
            ("gap_days_mean", 1.234, ": 1.23 days (typically"),
            ("amount_sum_365d", 1234567.8, ": 1,234,568 (typically 50), goes with"),
            ("amount_sum_365d", -20.5, ": -20.5 (typically"),
            ("refund_share_365d", 0.125, ": 12.5 % (typically 5,000 %), goes with"),
            ("gap_days_mean", np.nan, ": not known (typically 50), goes with"),
            ("not_in_the_catalogue", 2.0, "Not_in_the_catalogue: 2 (typically 50), goes with"),
        ],
    )
    def test_english(self, name, value, words):
        assert words in self.said(name, value)

    def test_no_typical_value_where_none_is_known(self):
        assert self.said("gap_days_mean", 3.0, typical=np.nan) == (
            "Average days between purchases: 3 days, goes with a higher risk"
        )

    def test_the_side_is_said(self):
        assert self.said("gap_days_mean", 3.0, raises=False).endswith("goes with a lower risk")
        assert self.said("gap_days_mean", 3.0, raises=False, language="ko").endswith("이탈 위험이 낮은 쪽")

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("days_since_last", 190.0, r"^마지막 구매 후 경과 일수: 190일\(보통 50일\), 이탈 위험이 높은 쪽$"),
            ("purchase_days_count_90d", 3.0, r": 3회\(보통 50회\)"),
            ("refund_share_365d", 0.125, r": 12\.5%"),
            ("gap_days_mean", np.nan, r": 알 수 없음\(보통 50일\)"),
        ],
    )
    def test_korean(self, name, value, words):
        assert re.search(words, self.said(name, value, language="ko"))

    def test_korean_is_korean_for_every_feature(self):
        for name in CATALOGUE:
            if not CATALOGUE[name].shared:
                korean = self.said(name, 3.0, language="ko")
                assert korean.startswith(CATALOGUE[name].meaning["ko"])
                assert not re.search(r"[A-Za-z]{4,}", korean)


def test_the_slope_scales_every_part(fitted):
    model, X = fitted
    plain = lgb.Booster(model_str=model.booster_.model_to_string()).predict(X.to_numpy(), pred_contrib=True)
    other = ChurnModel()
    other.__dict__.update(model.__dict__ | {"calibration_": PlattScaling(slope=0.5, level=2.0)})
    assert other.contributions(X)[:, :-1] == pytest.approx(0.5 * plain[:, :-1], abs=1e-12)
    assert other.contributions(X)[:, -1] == pytest.approx(0.5 * plain[:, -1] + 2.0, abs=1e-12)
