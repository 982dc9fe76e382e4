"""One row per client, no dates: category columns with frozen levels, and trees that grow as far as folds allow."""

import json
import sys
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from loyalty.explanation import driver_table, reason_codes
from loyalty.models.categories import Columns
from loyalty.models.churn import ChurnModel
from loyalty.models.rehearsal import rehearse

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def clients(rows=600, seed=0):
    """Clients of a telephone company, with a plan that three of them alone have."""
    rng = np.random.default_rng(seed)
    plan = rng.choice(["monthly", "yearly", "two years"], rows)
    X = pd.DataFrame({"plan": plan, "fee": rng.gamma(4.0, 10.0, rows), "paperless": rng.random(rows) < 0.5})
    risk = pd.Series(plan).map({"monthly": 1.0, "yearly": -1.0, "two years": -2.5}) + (X["fee"] - 40) / 30
    y = (expit(risk) > rng.random(rows)).astype(int)
    X.loc[X.index[:3], "plan"] = "ann.smith"
    X.loc[X.index[3:40], "plan"] = None
    return X, y


@pytest.fixture(scope="module")
def fitted():
    X, y = clients()
    return ChurnModel(n_estimators=60, learning_rate=0.1).fit(X, y), X.iloc[3:]


class TestCategories:
    @pytest.mark.parametrize("kind", ["str", "object", "category"])
    def test_however_pandas_holds_them(self, fitted, kind):
        model, X = fitted
        ordered_otherwise = pd.CategoricalDtype(["two years", "monthly", "yearly"])
        plan = X["plan"].astype(ordered_otherwise if kind == "category" else kind)
        assert np.array_equal(model.predict_proba(X.assign(plan=plan)), model.predict_proba(X))

    def test_codes_are_those_of_the_fit(self, fitted):
        """A night's export may hold a single level: it must not become level 0."""
        model, X = fitted
        rows = X[X["plan"] == "two years"]
        alone = rows.astype({"plan": "category"})
        assert alone["plan"].cat.categories.tolist() == ["two years"]
        whole = pd.Series(model.predict_proba(X)[:, 1], X.index)
        assert np.array_equal(model.predict_proba(alone)[:, 1], whole[rows.index])

    def test_an_unseen_level_is_none_of_the_known_and_is_told(self, fitted):
        model, X = fitted
        row = X[X["plan"] == "monthly"].iloc[[0]]
        with pytest.warns(UserWarning, match=r"column 'plan': 'weekly'") as told:
            new = model.predict_proba(row.assign(plan="weekly"))[0, 1]
        assert len(told) == 1
        known = [model.predict_proba(row.assign(plan=plan))[0, 1] for plan in model.columns_.levels["plan"]]
        assert new not in known
        assert min(known) < new < max(known)

    def test_two_levels_leave_room_for_a_third(self):
        X, y = clients()
        X["sex"] = np.where(X["fee"] > 40, "f", "m")
        model = ChurnModel(n_estimators=40).fit(X, y)
        with pytest.warns(UserWarning, match="column 'sex': 'x'"):
            new = model.columns_.encode(X.iloc[[50]].assign(sex="x"))
        at = model.columns_.first("sex")
        assert new[0, at : at + 2].tolist() == [0.0, 0.0]

    def test_what_few_clients_have_is_not_kept(self, fitted, tmp_path):
        model, X = fitted
        model.save(tmp_path)
        assert not any("ann.smith" in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
        levels = json.loads((tmp_path / "churn.json").read_text(encoding="utf-8"))["levels"]
        assert levels == {"plan": ["monthly", "two years", "yearly"]}
        back = ChurnModel.load(tmp_path)
        assert np.array_equal(back.contributions(X), model.contributions(X))
        assert back.typical_.tolist() == model.typical_.tolist()
        assert back.columns_ == model.columns_

    def test_rows_of_one_client_are_one_client(self):
        """24 cutoffs of one client do not make a level common."""
        index = pd.MultiIndex.from_product([range(20), pd.date_range("2024-01-01", periods=24)])
        index.names = ["client_id", "cutoff"]
        X = pd.DataFrame({"town": np.where(index.get_level_values(0) == 7, "lonely", "big")}, index=index)
        assert Columns.of(X).levels == {"town": ("big",)}

    def test_clients_names_are_no_category(self):
        X, y = clients()
        with pytest.raises(ValueError, match="column 'id' has 600 levels"):
            ChurnModel().fit(X.assign(id=[f"c{i}" for i in range(600)]), y)
        with pytest.raises(ValueError, match="no level of column 'id' has 10 clients"):
            ChurnModel().fit(X.assign(id=[f"c{i % 100}" for i in range(600)]), y)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda X: X.assign(fee="much"), "column 'fee' held numbers"),
            (lambda X: X.assign(plan=1.0), "column 'plan' held categories"),
            (lambda X: X.assign(plan=pd.Timestamp("2024-01-01")), "column 'plan' holds dates"),
            (lambda X: X.assign(plan=["x", *[1] * (len(X) - 1)]), "column 'plan' holds text beside"),
            (lambda X: X[["fee", "plan", "paperless"]], "feature names should match"),
            (lambda X: X.drop(columns="plan"), "feature names should match"),
            (lambda X: X.to_numpy(), "must be a DataFrame"),
        ],
    )
    def test_another_table_is_refused(self, fitted, change, told):
        model, X = fitted
        with pytest.raises(ValueError, match=told):
            model.predict_proba(change(X))

    def test_text_where_a_model_knows_numbers_alone(self):
        X, y = clients()
        model = ChurnModel(n_estimators=5).fit(X[["fee"]], y)
        with pytest.raises(ValueError, match="column 'fee' held numbers"):
            model.predict_proba(X[["fee"]].astype(str))

    def test_contributions_speak_in_the_columns_of_the_table(self, fitted):
        model, X = fitted
        parts = model.contributions(X)
        assert parts.shape == (len(X), 4)
        assert model.feature_names_in_.tolist() == ["plan", "fee", "paperless"]
        assert expit(parts.sum(axis=1)) == pytest.approx(model.predict_proba(X)[:, 1], rel=1e-9)
        assert parts[X["plan"] == "monthly", 0].mean() > 0.3 > -0.3 > parts[X["plan"] == "two years", 0].mean()

    def test_drivers_and_reasons_know_categories(self, fitted):
        model, X = fitted
        table = driver_table(model, X).set_index("feature")
        assert set(table.index) == {"plan", "fee", "paperless"}
        assert table["direction"][["plan", "fee"]].tolist() == [0, 1]
        riskiest = reason_codes(model, X[X["plan"] == "monthly"])
        assert (riskiest["reason_1"] == "plan").mean() > 0.5
        assert (riskiest.loc[riskiest["reason_1"] == "plan", "reason_1_value"] == "monthly").all()

    def test_missing_alone_is_no_other_kind(self, fitted):
        model, X = fitted
        rows = X[X["plan"].isna()].iloc[:5]
        as_numbers = rows.assign(plan=np.nan)
        assert np.array_equal(model.predict_proba(as_numbers), model.predict_proba(rows))


class TestGrowing:
    def test_folds_stop_where_there_is_nothing_to_learn(self):
        rng = np.random.default_rng(3)
        X = pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500)})
        model = ChurnModel().fit(X, (rng.random(500) < 0.3).astype(int))
        assert model.booster_.num_trees() <= 150
        assert model.predict_proba(X)[:, 1].std() < 0.1

    def test_interactions_are_found(self):
        """Single effects tell nothing of an exclusive or."""
        rng = np.random.default_rng(4)
        X = pd.DataFrame(rng.normal(size=(900, 2)), columns=["a", "b"])
        y = ((X["a"] > 0) ^ (X["b"] > 0)).astype(int)
        told = ChurnModel().fit(X.iloc[:600], y.iloc[:600]).predict_proba(X.iloc[600:])[:, 1]
        assert ((told > 0.5) == y.iloc[600:]).mean() > 0.95

    def test_a_setting_that_is_given_holds(self):
        X, y = clients()
        assert ChurnModel(n_estimators=11).fit(X, y).booster_.num_trees() == 11

    def test_rounds_that_find_nothing_to_split_are_not_counted_as_trees(self):
        """Where a round draws only a column that never changes there is no tree, and margins must know."""
        rng = np.random.default_rng(1)
        X = pd.DataFrame({"fee": rng.normal(size=1000), "one": 1.0, "flag": rng.random(1000) < 0.5})
        y = (X["fee"] + rng.normal(size=1000) > 0).astype(int)
        model = ChurnModel().fit(X, y)
        assert model.calibration_.slope == pytest.approx(1.0, abs=0.1)
        values, folds = X.to_numpy(float), model._folds(None, y.to_numpy(), None)
        first = rehearse(values, y.to_numpy(), folds, model._shared(len(X)))[0][0]
        for (seen, held_out), told in zip(folds, first.held_out, strict=True):
            settings = first.stage.settings(model._shared(len(X)), len(seen), 3)
            grown = lgb.train(settings, lgb.Dataset(values[seen], y[seen]), first.rounds)
            assert grown.num_trees() < first.rounds
            assert told == pytest.approx(grown.predict(values[held_out], raw_score=True))

    def test_the_second_stage_goes_on_from_the_trees_that_are_kept(self):
        rng = np.random.default_rng(3)
        X = pd.DataFrame(rng.normal(size=(500, 2)), columns=["a", "b"])
        y = (X["a"] + 2 * rng.normal(size=500) > 0).astype(int)
        model = ChurnModel()
        model.fit(X, y)
        values, folds = X.to_numpy(float), model._folds(None, y.to_numpy(), None)
        first = rehearse(values, y.to_numpy(), folds, model._shared(len(X)))[0][0]
        assert 0 < first.rounds < first.stage.rounds - 75  # more were grown, and did not help
        for (seen, _), told in zip(folds, first.seen, strict=True):
            settings = first.stage.settings(model._shared(len(X)), len(seen), 2)
            grown = lgb.train(settings, lgb.Dataset(values[seen], y[seen]), first.rounds)
            assert told == pytest.approx(grown.predict(values[seen], raw_score=True))

    def test_columns_that_never_change_do_no_harm(self):
        y = np.tile([0, 1, 1], 40)
        model = ChurnModel().fit(pd.DataFrame({"a": np.ones(120)}), y)
        assert model.predict_proba(pd.DataFrame({"a": [1.0]}))[0, 1] == pytest.approx(2 / 3, abs=0.01)


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(2)
    index = pd.MultiIndex.from_product([range(150), pd.date_range("2024-01-01", periods=4, freq="30D")])
    index.names = ["client_id", "cutoff"]
    X = pd.DataFrame(rng.uniform(0, 1, (600, 3)), columns=["days", "silence", "other"], index=index)
    y = (np.sin(9 * X["days"]) + X["silence"] + rng.normal(0, 0.3, 600) > 0.6).astype(int)  # up and down again
    kept = {"n_estimators": 60, "learning_rate": 0.1, "embargo": "30d", "monotone": {"days": 1, "silence": 1}}
    return [
        ChurnModel(**kept).fit(X, y),
        ChurnModel(**kept, anchor="silence").fit(X, y),
        ChurnModel(monotone={"days": 1, "silence": 1}).fit(X.reset_index(drop=True), y.to_numpy()),
    ]


class TestMonotone:
    @settings(deadline=None)
    @given(
        row=st.tuples(*[st.floats(0, 1) | st.just(np.nan)] * 3),
        pair=st.lists(st.floats(-1, 2), min_size=2, max_size=2),
        name=st.sampled_from(["days", "silence"]),
    )
    def test_more_of_it_never_lowers_the_risk(self, models, row, pair, name):
        X = pd.DataFrame([row, row], columns=["days", "silence", "other"]).assign(**{name: sorted(pair)})
        for model in models:
            low, high = model.predict_proba(X)[:, 1]
            assert low <= high

    def test_without_it_the_risk_would_fall(self, models):
        days = pd.DataFrame({"days": np.linspace(0, 1, 50), "silence": 0.5, "other": 0.5})
        free = models[0].get_params() | {"monotone": None}
        rng = np.random.default_rng(2)
        X = pd.DataFrame(rng.uniform(0, 1, (600, 3)), columns=list(days))
        y = (np.sin(9 * X["days"]) > 0.3).astype(int)
        assert (np.diff(ChurnModel(**free).fit(X, y).predict_proba(days)[:, 1]) < 0).any()

    def test_it_names_columns_of_numbers(self):
        X, y = clients()
        for wrong in ({"plan": 1}, {"fees": 1}):
            with pytest.raises(ValueError, match=f"`monotone` names '{next(iter(wrong))}'"):
                ChurnModel(monotone=wrong).fit(X, y)
        with pytest.raises(ValueError, match="must be 1 or -1"):
            ChurnModel(monotone={"fee": 2}).fit(X, y)


@pytest.mark.parametrize(
    ("table", "log_loss", "auc"), [("Telco", 0.44, 0.825), ("Iranian churn", 0.125, 0.98)], ids=["telco", "iranian"]
)
def test_one_fold_of_the_experiment(table, log_loss, auc, shared_data, monkeypatch):
    """Bounds three standard deviations of a fold away from the means reported."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    plain_tables = pytest.importorskip("plain_tables")
    X, y = plain_tables.TABLES[table](shared_data)
    fold = next(iter(plain_tables.folds(X, y, repeats=1, seed=0)))
    with warnings.catch_warnings():
        figures = plain_tables.judged(ChurnModel(), X, y, *fold)
    sys.modules.pop("plain_tables")
    assert figures["AUC"] > auc
    assert figures["log loss"] < log_loss
