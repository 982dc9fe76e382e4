"""Category columns in every model of trees: read in one way, and the same as columns of 0 and 1 made by hand."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from loyalty.explanation import driver_table, shap_values
from loyalty.models._survival_baselines import SurvivalCurves
from loyalty.models.categories import Columns
from loyalty.models.churn import ChurnModel
from loyalty.models.holding_out import held_out_forecast
from loyalty.models.intervals import SpendIntervals
from loyalty.models.survival import KaplanMeier, SurvivalModel, WeibullModel
from loyalty.models.trees import write_json
from loyalty.models.uncertainty import Uncertainty
from loyalty.models.value import ValueModel
from loyalty.models.ziln import ZeroInflatedLogNormal

QUICK = {"n_estimators": 15, "learning_rate": 0.1}
PLANS = ("monthly", "two years", "yearly")
REMEDY = r"Take X\[list\(model.feature_names_in_\)\]"


def panel(clients=200, seed=0):
    """Plans of clients at three cutoffs: one is missing, and five clients alone have a plan of their own."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=3, freq="30D")
    index = pd.MultiIndex.from_product([[f"client-{i}" for i in range(clients)], days], names=["client_id", "cutoff"])
    plan = np.repeat(rng.choice(PLANS, clients).astype(object), 3)
    X = pd.DataFrame(
        {
            "plan": plan,
            "fee": rng.gamma(4.0, 10.0, len(index)),
            "sex": np.repeat(rng.choice(["f", "m"], clients), 3),
            "told": rng.gamma(4.0, 20.0, len(index)),
        },
        index=index,
    )
    risk = pd.Series(plan).map({"monthly": 1.0, "yearly": -1.0, "two years": -2.5}).to_numpy() + (X["fee"] - 40) / 30
    left = (expit(risk) > rng.random(len(X))).astype(int)
    spend = (1 - left) * rng.gamma(3.0, np.where(plan == "yearly", 40.0, 10.0))
    X.loc[[f"client-{i}" for i in range(5)], "plan"] = "ann.smith"
    X.loc[["client-7", "client-8"], "plan"] = None
    X.attrs["reach_days"] = 30
    return X, left, spend


def by_hand(X, levels):
    """A column for each level: 1 on its rows, 0 on others, nothing where the category is missing."""
    parts = {}
    for name in X:
        for level in levels.get(name, ()):
            parts[f"{name}/{level}"] = [np.nan if pd.isna(held) else float(held == level) for held in X[name]]
        if name not in levels:
            parts[name] = X[name]
    table = pd.DataFrame(parts, index=X.index)
    table.attrs = dict(X.attrs)
    return table


LEVELS = {"plan": PLANS, "sex": ("f", "m")}


def lives(left):
    return np.where(left == 1, 1 + np.arange(len(left)) % 3, 3)


MODELS = {
    "churn": lambda X, left, spend: ChurnModel(**QUICK).fit(X, left),
    "value": lambda X, left, spend: ValueModel(**QUICK).fit(X, spend),
    "value_tweedie": lambda X, left, spend: ValueModel(law="tweedie", **QUICK).fit(X, spend),
    "value_anchored": lambda X, left, spend: ValueModel(anchor="told", **QUICK).fit(X, spend),
    "value_beside_churn": lambda X, left, spend: ValueModel(anchor="told", **QUICK).fit(
        X, spend, purchase=ChurnModel(**QUICK).fit(X, left)
    ),
    "survival": lambda X, left, spend: SurvivalModel(period="30d", **QUICK).fit(X, lives(left), left),
    "kaplan_meier": lambda X, left, spend: KaplanMeier().fit(X, lives(left), left),
    "weibull": lambda X, left, spend: WeibullModel().fit(X, lives(left), left),
    "intervals": lambda X, left, spend: SpendIntervals(**QUICK).fit(X, spend),
    "ziln": lambda X, left, spend: ZeroInflatedLogNormal(**QUICK).fit(X, spend),
}
SAVED = [name for name in MODELS if name not in ("kaplan_meier", "weibull")]


def told_by(model, X):
    """What a model tells of each row, by all its ways of telling."""
    if isinstance(model, ChurnModel):
        return model.predict_proba(X)[:, 1:]
    if isinstance(model, SurvivalCurves):
        return model.predict_hazard(X)
    if isinstance(model, SpendIntervals):
        return np.column_stack([model.predict(X), model.predict_quantiles(X, [0.3, 0.8])])
    return model.predict(X)[:, None]


def same(model, one, other):
    """To the last bit, but for what an optimiser found on arrays that lie otherwise in memory."""
    return np.allclose(one, other, rtol=1e-5) if isinstance(model, WeibullModel) else np.array_equal(one, other)


@pytest.fixture(scope="module")
def fitted():
    """Each model, the panel without rare levels, and the same by hand with the model that learned from it."""
    X, left, spend = panel()
    told = {}
    for name, fit in MODELS.items():
        told[name] = fit(X, left, spend), fit(by_hand(X, LEVELS), left, spend)
    return told, X[X["plan"] != "ann.smith"]


@pytest.fixture(params=MODELS)
def pair(request, fitted):
    models, X = fitted
    return *models[request.param], X


class TestEveryModel:
    def test_is_the_one_of_columns_made_by_hand(self, pair):
        model, hand, X = pair
        assert dict(model.columns_.levels) == LEVELS
        assert X["plan"].isna().sum() == 6
        told = told_by(model, X)
        assert same(model, told, told_by(hand, by_hand(X, LEVELS)))
        assert len(np.unique(told)) > 20 or isinstance(model, KaplanMeier)

    @pytest.mark.parametrize("plan", ["weekly", "ann.smith", "Monthly", ""])
    def test_an_unseen_level_is_none_of_the_known_and_is_told_once(self, pair, plan):
        model, hand, X = pair
        rows = X.iloc[:4].assign(plan=plan)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.predict_hazard(rows) if isinstance(model, SurvivalCurves) else model.predict(rows)
        assert len(caught) == 1
        assert f"column 'plan': {plan!r}" in str(caught[0].message)
        assert (by_hand(rows, LEVELS).filter(like="plan") == 0).all(axis=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = told_by(model, rows)
        assert same(model, again, told_by(hand, by_hand(rows, LEVELS)))

    def test_a_missing_level_may_come_as_any_kind_of_nothing(self, pair):
        model, _, X = pair
        rows = X[X["plan"].isna()]
        wanted = told_by(model, rows)
        for nothing in (np.nan, None, pd.NA, pd.Series(pd.Categorical([None] * len(rows)), index=rows.index)):
            assert same(model, told_by(model, rows.assign(plan=nothing)), wanted)

    def test_a_client_alone_and_rows_in_any_order_are_told_the_same(self, pair):
        model, _, X = pair
        whole = told_by(model, X)
        order = np.random.default_rng(1).permutation(len(X))
        assert same(model, told_by(model, X.iloc[order]), whole[order])
        for i in (0, 10, 50, 333):
            alone = X.iloc[[i]].astype({"plan": "category", "sex": "category"})
            assert same(model, told_by(model, alone), whole[[i]])

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda X: X[["fee", "plan", "sex", "told"]], rf"^column 1 of `X` must be 'plan'.*got 'fee'\. {REMEDY}"),
            (lambda X: X[["plan", "fee", "told", "sex"]], rf"^column 3 of `X` must be 'sex'.*got 'told'\. {REMEDY}"),
            (lambda X: X.drop(columns=["fee", "told"]), r"^column 'fee' is missing from `X`\. Build the table"),
            (lambda X: X.rename(columns={"sex": "Sex"}), r"^column 'sex' is missing from `X`"),
            (lambda X: X.assign(further=1.0), rf"^column 5 of `X` was not there at the fit; got 'further'\. {REMEDY}"),
            (lambda X: X[["plan", "fee", "fee", "sex", "told"]], r"^column 'fee' stands twice in `X`\. Keep one"),
            (lambda X: X.assign(fee="much"), "^column 'fee' held numbers"),
            (lambda X: X.assign(plan=1.0), "^column 'plan' held categories"),
            (lambda X: X.assign(sex=pd.Timestamp("2024-01-01")), "^column 'sex' holds dates"),
            (lambda X: X.to_numpy(), "^`X` must be a DataFrame"),
        ],
        ids=["first", "later", "missing", "renamed", "further", "twice", "text", "number", "date", "array"],
    )
    def test_another_table_is_refused_in_plain_words(self, pair, change, told):
        model, _, X = pair
        with pytest.raises(ValueError, match=told):
            told_by(model, change(X))

    def test_tables_of_numbers_are_refused_in_the_same_words(self, pair):
        _, hand, X = pair
        numbers = by_hand(X, LEVELS)
        swapped = numbers[["plan/monthly", "plan/yearly", "plan/two years", *numbers.columns[3:]]]
        with pytest.raises(ValueError, match=rf"^column 2 of `X` must be 'plan/two years'.*{REMEDY}"):
            told_by(hand, swapped)
        with pytest.raises(ValueError, match=r"^column 'told' is missing from `X`"):
            told_by(hand, numbers.drop(columns="told"))
        with pytest.raises(ValueError, match=r"^column 'fee' held numbers"):
            told_by(hand, numbers.assign(fee="much"))

    @pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)
    def test_a_table_without_columns_or_with_one_twice_is_refused(self, fit):
        X, left, spend = panel()
        for table in (X, X[["fee"]]):
            with pytest.raises(ValueError, match=r"^column 'fee' stands twice in `X`\. Keep one of them\."):
                fit(pd.concat([table, X[["fee"]]], axis=1), left, spend)
        with pytest.raises(ValueError, match=r"^`X` has no columns\."):
            fit(X[[]], left, spend)

    @pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)
    def test_what_is_no_category_is_refused_by_its_name(self, fit):
        X, left, spend = panel()
        refused = {
            "column 'id' has 600 levels": [f"c{i}" for i in range(len(X))],
            "no level of column 'id' has 10 clients": [f"c{i // 6}" for i in range(len(X))],
            "column 'id' holds text beside": ["a", 1] * (len(X) // 2),
            "column 'id' holds nothing but missing values": pd.Categorical([None] * len(X)),
        }
        for told, held in refused.items():
            with pytest.raises(ValueError, match=told):
                fit(X.assign(id=held), left, spend)


HOSTILE = (
    "",
    "nan",
    "None",
    'a"b\\',
    "two\nlines\f\n",
    "</script><!--",
    "=1+1",
    "요금제",
    "\x00",
    "two\x00",
    "two\x00lines",
    "\ud800",
    "plan = monthly",
    "tree\n\nend of trees",
)


def saved(model, folder):
    folder.mkdir()
    model.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestFiles:
    @pytest.mark.parametrize("name", SAVED)
    def test_hostile_levels_come_back(self, name, tmp_path):
        X, left, spend = panel()
        X["plan"] = pd.Series([HOSTILE[i // 3 % len(HOSTILE)] for i in range(len(X))], X.index, dtype=object)
        model = MODELS[name](X, left, spend)
        assert model.columns_.levels["plan"] == tuple(sorted(HOSTILE))
        files = saved(model, tmp_path / "once")
        back = type(model).load(tmp_path / "once")
        assert back.columns_ == model.columns_
        assert np.array_equal(told_by(back, X), told_by(model, X))
        assert saved(back, tmp_path / "again") == files
        with pytest.warns(UserWarning, match="column 'plan': 'weekly'"):
            told_by(back, X.iloc[:1].assign(plan="weekly"))
        with pytest.raises(ValueError, match=r"^column 1 of `X` must be 'plan'"):
            told_by(back, X[X.columns[::-1]])

    @pytest.mark.parametrize("name", SAVED)
    def test_a_level_of_nine_clients_is_in_none_and_one_of_ten_is(self, name, tmp_path):
        X, left, spend = panel()
        X.loc[[f"client-{i}" for i in range(9)], "plan"] = "nine.smith"
        X.loc[[f"client-{i}" for i in range(9, 19)], "plan"] = "ten.smith"
        files = saved(MODELS[name](X, left, spend), tmp_path / "model")
        assert not any(b"nine.smith" in text for text in files.values())
        assert any(b"ten.smith" in text for text in files.values())
        assert not any(b"client-1" in text for text in files.values())

    @pytest.mark.parametrize("name", SAVED)
    def test_without_categories_nothing_is_said_of_them(self, name, fitted, tmp_path):
        _, hand = fitted[0][name]
        files = saved(hand, tmp_path / "model")
        for file, text in files.items():
            if file.endswith(".json"):
                kept = json.loads(text)
                assert "category_levels" not in kept
                assert kept.get("levels", {}) == ({} if name != "intervals" else kept["levels"])
                assert ("levels" in kept) == (file in ("churn.json", "purchase.json", "intervals.json"))


class TestValueModel:
    def test_an_anchor_is_no_category(self):
        X, _, spend = panel()
        with pytest.raises(ValueError, match="`anchor` names 'plan', which is not a column of numbers"):
            ValueModel(anchor="plan", **QUICK).fit(X, spend)

    def test_a_level_of_todays_clients_that_was_never_seen_is_told_at_the_fit(self):
        X, _, spend = panel()
        now = X[X.index.get_level_values("cutoff") == X.index.get_level_values("cutoff").max()].assign(plan="weekly")
        with pytest.warns(UserWarning, match="column 'plan': 'weekly'") as caught:
            ValueModel(anchor="told", **QUICK).fit(X, spend, latest=now)
        assert len(caught) == 1

    def test_a_first_part_that_knows_other_levels_reads_its_own(self):
        X, left, spend = panel()
        fewer = X[X["plan"].isin(["monthly", "yearly"])]
        churn = ChurnModel(**QUICK).fit(fewer, left[X["plan"].isin(["monthly", "yearly"])])
        model = ValueModel(**QUICK).fit(X, spend, purchase=churn)
        ValueModel(anchor="told", **QUICK).fit(X, spend, purchase=churn)  # no warning of what it learns from
        rows = X[X["plan"] == "two years"]
        with pytest.warns(UserWarning, match="column 'plan': 'two years'"):
            told = model.predict(rows)
        trees = model.scale_ * model.unit_ * model.booster_.predict(by_hand(rows, LEVELS).to_numpy())
        silent = churn.calibration_(
            churn.booster_.predict(by_hand(rows, LEVELS).drop(columns="plan/two years").to_numpy(), raw_score=True), 0
        )
        assert told == pytest.approx(trees * (1 - silent), rel=1e-12)


class TestCopies:
    """Copies that rows are held out from may see a level of too few clients; the model itself knows it."""

    def test_held_out_forecasts_are_those_by_hand(self):
        X, _, spend = panel()
        X.loc[[f"client-{i}" for i in range(10, 21)], "plan"] = "eleven.smith"
        told = held_out_forecast(ValueModel(**QUICK), X, spend, embargo="90d")
        hand = by_hand(X, LEVELS | {"plan": ("eleven.smith", *PLANS)})
        assert told.equals(held_out_forecast(ValueModel(**QUICK), hand, spend, embargo="90d"))
        assert np.isfinite(told["expected_value"]).sum() == 200

    def test_uncertainty_is_that_by_hand(self, tmp_path):
        X, left, spend = panel()
        learned, rows, told = [], X[X["plan"] != "ann.smith"], []
        for table, now in ((X, rows), (by_hand(X, LEVELS), by_hand(rows, LEVELS))):
            labels = pd.DataFrame({"churned": left, "value": spend}, index=X.index)
            churn = ChurnModel(**QUICK).fit(table, left)
            value = ValueModel(anchor="told", **QUICK).fit(table, spend, purchase=churn)
            learned.append(
                Uncertainty.learn(table, labels, churn=churn, value=value, past_spend=np.ones(len(X)), reach="30d")
            )
            told.append(learned[-1].predict(now, value.forecast(now)))
        assert learned[0].totals
        assert learned[0].totals == learned[1].totals
        assert told[0].equals(told[1])


class TestWholeLevels:
    """pandas makes floats of whole numbers where one is missing."""

    @staticmethod
    def tables():
        X, left, _ = panel()
        tier = X["plan"].map({"monthly": 1, "yearly": 2}).fillna(3).astype(int)
        whole = X[["fee"]].assign(tier=tier.astype("category"))
        missing = whole.assign(tier=tier.where(np.arange(len(X)) > 0).astype("category"))
        assert missing["tier"].cat.categories.dtype == float
        return whole, missing, left

    def test_are_the_same_level_at_fit_and_predict(self):
        whole, missing, left = self.tables()
        models = [ChurnModel(**QUICK).fit(table, left) for table in (whole, missing)]
        for model in models:
            assert dict(model.columns_.levels) == {"tier": ("1", "2", "3")}
            assert np.array_equal(model.predict_proba(whole)[1:], model.predict_proba(missing)[1:])

    def test_are_told_by_the_same_name(self):
        whole, missing, left = self.tables()
        model = ChurnModel(**QUICK).fit(whole, left)
        assert np.array_equal(shap_values(model, whole).data[1:], shap_values(model, missing).data[1:])
        told = [driver_table(model, table.iloc[1:]) for table in (whole, missing)]
        pd.testing.assert_frame_equal(*told)

    def test_other_numbers_stay_as_they_are(self):
        held = pd.Series([0.5, -0.0, np.inf, 1e3] * 10, dtype="category")
        assert Columns.of(pd.DataFrame({"x": held})).levels == {"x": ("0", "0.5", "1000", "inf")}


class TestNumbersOfATable:
    """What is not a finite number is missing, or refused by name; with categories beside it and without."""

    @pytest.fixture(params=[["fee", "told"], ["plan", "fee", "told"]], ids=["numbers", "categories"])
    def table(self, request):
        X, left, _ = panel()
        return X.replace({"plan": {"ann.smith": "yearly"}})[request.param], left

    @pytest.mark.parametrize("kind", [float, object])
    @pytest.mark.parametrize("infinite", [np.inf, -np.inf])
    def test_infinity_is_refused_by_column_and_row(self, table, kind, infinite):
        X, left = table
        wrong = X.astype({"told": kind})
        wrong.iloc[[4, 7], X.columns.get_loc("told")] = infinite
        said = (
            r"^column 'told' holds infinity, first in row \('client-1', Timestamp\('2024-01-31 00:00:00'\)\)\. "
            "Write NaN where a number is unknown"
        )
        with pytest.raises(ValueError, match=said):
            ChurnModel(**QUICK).fit(wrong, left)
        model = ChurnModel(**QUICK).fit(X, left)
        with pytest.raises(ValueError, match=said):
            model.predict(wrong)
        with pytest.raises(ValueError, match=r"first in row 4\."):
            model.predict(wrong.reset_index(drop=True))

    @pytest.mark.parametrize("nothing", [pd.NA, None, np.nan])
    def test_nothing_in_a_column_of_objects_is_missing(self, table, nothing):
        X, left = table
        missing = np.arange(len(X)) % 5 == 0
        plain = X.assign(told=X["told"].mask(missing))
        objects = X.assign(
            told=pd.Series([nothing if m else v for m, v in zip(missing, X["told"], strict=True)], X.index, object)
        )
        before = objects.copy(deep=True)
        models = [ChurnModel(**QUICK).fit(each, left) for each in (plain, objects)]
        told = [model.predict_proba(each) for model in models for each in (plain, objects)]
        assert all(np.array_equal(one, told[0]) for one in told)
        assert np.array_equal(*(shap_values(models[0], each).data for each in (plain, objects)), equal_nan=True)
        pd.testing.assert_frame_equal(objects, before)

    @pytest.mark.parametrize(
        "held",
        [pd.Period("2024-01-01", "D"), pd.Interval(0, 1), 1 + 2j, b"a"],
        ids=["period", "interval", "complex", "bytes"],
    )
    def test_neither_numbers_nor_categories_is_refused_by_name(self, table, held):
        X, left = table
        wrong = X.assign(told=pd.Series([held] * len(X), index=X.index))
        said = "^column 'told' holds neither numbers nor categories; got .*Convert it to numbers or text"
        with pytest.raises(ValueError, match=said):
            ChurnModel(**QUICK).fit(wrong, left)
        model = ChurnModel(**QUICK).fit(X, left)
        with pytest.raises(ValueError, match=said):
            model.predict(wrong)


class TestNumpysNumbers:
    @pytest.mark.parametrize("name", SAVED)
    def test_as_parameters_are_kept_as_plain_ones(self, name, tmp_path):
        X, left, spend = panel()
        model = MODELS[name](X, left, spend)
        wanted = saved(model, tmp_path / "plain")
        again = {"n_estimators": np.int64(15), "random_state": np.int32(0), "learning_rate": np.float64(0.1)}
        model.set_params(**again)
        assert saved(model, tmp_path / "numpy") == wanted
        back = type(model).load(tmp_path / "numpy").get_params()
        assert [type(back[parameter]) for parameter in again] == [int, int, float]

    def test_churn_is_fitted_and_kept_with_them(self, tmp_path):
        X, left, _ = panel()
        given = {"n_estimators": np.int64(20), "learning_rate": np.float32(0.5), "monotone": {"fee": np.int8(1)}}
        ChurnModel(**given).fit(X, left).save(tmp_path)
        assert ChurnModel.load(tmp_path).get_params().items() >= {"learning_rate": 0.5, "monotone": {"fee": 1}}.items()

    def test_what_is_no_number_is_refused(self, tmp_path):
        with pytest.raises(TypeError, match="cannot be kept in a file of a model"):
            write_json({"random_state": np.random.default_rng(0)}, tmp_path / "model.json")


def test_scikit_learn_says_once_that_an_array_had_no_names():
    X, _, spend = panel()
    model = ValueModel(**QUICK).fit(X[["fee", "told"]].to_numpy(), spend)
    with pytest.warns(UserWarning, match="X has feature names, but ValueModel") as caught:
        model.predict(X[["fee", "told"]])
    assert len(caught) == 1
    with (
        pytest.raises(ValueError, match="X has 1 features, but ValueModel is expecting 2"),
        pytest.warns(UserWarning, match="X has feature names"),
    ):
        model.predict(X[["fee"]])


def test_levels_do_not_depend_on_the_order_of_rows():
    X, _, _ = panel()
    order = np.random.default_rng(2).permutation(len(X))
    assert Columns.of(X.iloc[order]) == Columns.of(X)
    assert Columns.of(X).spell_out(X).columns.tolist() == [
        "plan = monthly",
        "plan = two years",
        "plan = yearly",
        "fee",
        "sex = f",
        "sex = m",
        "told",
    ]
