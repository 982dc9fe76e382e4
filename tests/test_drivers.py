"""Drivers, themes and changes: exact in log-odds and in probability, and right where the truth is known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.special import expit, logit
from scipy.stats import t

from loyalty.explanation import (
    action_table,
    composition_changes,
    driver_stability,
    driver_table,
    drivers_over_time,
    portfolio_changes,
    risk_changes,
    sample_clients,
    shap_values,
    summarise,
    summarise_cutoffs,
    theme_table,
)
from loyalty.explanation.parts import Parts, mean_interval
from loyalty.features import CATALOGUE
from loyalty.models.churn import ChurnModel
from loyalty.report.run_folder import Metrics

MONEY = ["amount_sum_90d", "amount_sum_365d", "amount_decayed_365d"]
SERVICE = ["complaint_open_days_max", "complaints_count_90d"]
NAMES = ["days_since_last", *MONEY, *SERVICE, "silence_probability", "season_sin", "season_cos", "shoe_size"]
FIGURES = ["mean_abs_shap", "lower_shap", "upper_shap", "effect_pp", "lower_pp", "upper_pp", "share"]
CUTOFFS = pd.to_datetime(["2024-01-01", "2024-03-01", "2024-05-01"])


def made_up(clients, cutoffs, seed):
    """Rows with missing values in every column but the season, one of them not in the catalogue."""
    rng = np.random.default_rng(seed)
    ids = [f"client-{i}" for i in range(clients)]
    index = pd.MultiIndex.from_product([cutoffs, ids], names=["cutoff", "client_id"]).swaplevel()
    X = pd.DataFrame({name: rng.gamma(2.0, 30.0, len(index)) for name in NAMES}, index=index)
    X["silence_probability"] = rng.random(len(index))
    year = 2 * np.pi * index.get_level_values("cutoff").dayofyear.to_numpy() / 365
    return X.mask(rng.random(X.shape) < 0.1).assign(season_sin=np.sin(year), season_cos=np.cos(year))


@pytest.fixture(scope="module")
def fitted():
    """A calibrated model with a second opinion, and its rows."""
    assert set(NAMES) - set(CATALOGUE) == {"shoe_size"}
    X = made_up(150, CUTOFFS, 0)
    rng = np.random.default_rng(1)
    drive = X["days_since_last"].fillna(60) - 0.5 * X["amount_sum_90d"].fillna(60) + 20 * X["season_sin"]
    drive += 60 * X["silence_probability"].fillna(0.5) + 0.3 * X["complaint_open_days_max"].fillna(60)
    left = (drive + rng.normal(0, 20, len(X)) > 80).astype(int)
    model = ChurnModel(n_estimators=40, anchor="silence_probability", embargo="60d").fit(X, left)
    assert model.calibration_.slope != 1
    assert model.calibration_.weight != 0
    return model, X


@pytest.fixture(scope="module")
def one_cutoff(fitted):
    """The rows of the last cutoff."""
    model, X = fitted
    return model, X[X.index.get_level_values("cutoff") == CUTOFFS[-1]]


def by_hand(model, X):
    """Parts by feature."""
    return pd.DataFrame(shap_values(model, X).values, index=X.index, columns=list(X))


def risk_of(model, X):
    return model.predict_proba(X)[:, 1]


class TestParts:
    def test_add_up_exactly_from_one_base(self, fitted):
        model, X = fitted
        parts = Parts.of(model, X)
        assert X["silence_probability"].isna().any()
        assert parts.base + parts.values.sum(axis=1) == pytest.approx(logit(risk_of(model, X)), abs=1e-9)
        assert parts.values.sum(axis=1) == pytest.approx(parts.shares.sum(axis=1), abs=1e-12)

    def test_only_a_missing_second_opinion_moves_a_part(self, fitted):
        """Its column takes the difference of the base values; all else is as SHAP says."""
        model, X = fitted
        parts, explained = Parts.of(model, X), shap_values(model, X)
        moved = parts.shares - explained.values
        column = NAMES.index("silence_probability")
        known = X["silence_probability"].notna().to_numpy()
        assert np.delete(moved, column, axis=1) == pytest.approx(0, abs=0)
        assert moved[known, column] == pytest.approx(0, abs=0)
        assert moved[~known, column] == pytest.approx(explained.base_values[~known] - parts.base, abs=1e-12)
        assert np.abs(moved[~known, column]).min() > 1e-4

    def test_names_themes_and_what_can_be_acted_upon(self, fitted):
        model, X = fitted
        named = Parts.of(model, X).drivers.set_index("driver")
        assert named["theme"].to_dict() == {
            "silence": "rhythm",
            "spend": "value",
            "open complaints": "service",
            "complaints": "service",
            "season": "season",
            "shoe_size": "other",
        }
        assert named.index[~named["actionable"]].tolist() == ["season", "shoe_size"]


class TestMeanInterval:
    def test_is_that_of_student(self):
        values = np.array([[1.0], [2.0], [4.0], [9.0]])
        mean, lower, upper = mean_interval(values, np.arange(4))
        half = t.ppf(0.975, 3) * values.std(ddof=1) / 2
        assert (mean[0], lower[0], upper[0]) == pytest.approx((4, 4 - half, 4 + half))

    @given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), times=st.integers(1, 4))
    def test_a_client_told_of_twice_is_no_more_evidence(self, values, times):
        column, ids = np.array(values)[:, None], np.arange(len(values))
        once, again = mean_interval(column, ids), mean_interval(np.tile(column, (times, 1)), np.tile(ids, times))
        assert np.ravel(again) == pytest.approx(np.ravel(once), abs=1e-9)

    def test_holds_the_truth_as_often_as_it_says(self):
        """Clients with an effect of their own and three rows each; 95 % of 1,000 worlds, within three errors."""
        rng = np.random.default_rng(0)
        ids, held = np.repeat(np.arange(40), 3), 0
        for _ in range(1_000):
            rows = rng.normal(size=40)[ids] + rng.normal(size=120)
            _, lower, upper = mean_interval(rows[:, None], ids)
            held += lower[0] <= 0 <= upper[0]
        assert 0.929 < held / 1_000 < 0.971

    def test_one_client_has_no_bounds(self):
        mean, lower, upper = mean_interval(np.array([[1.0], [3.0]]), np.zeros(2, dtype=int))
        assert mean[0] == 2
        assert np.isnan([lower[0], upper[0]]).all()


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
        assert len(table) == 6  # silence, money and season are one driver each
        assert table["feature"].tolist()[:2] == ["days_since_last", "amount_sum_90d"]
        assert table["direction"].tolist()[:2] == [1, -1]
        assert table["mean_abs_shap"].is_monotonic_decreasing
        assert table["share"].sum() == pytest.approx(1)
        assert table["clients"].tolist() == [150] * 6
        for figure, unit in (("mean_abs_shap", "shap"), ("effect_pp", "pp")):
            assert (table[f"lower_{unit}"] < table[figure]).all()
            assert (table[figure] < table[f"upper_{unit}"]).all()
        complaints = table.set_index("driver").loc["complaints", "mean_abs_shap"]
        assert complaints == pytest.approx(by_hand(model, X)["complaints_count_90d"].abs().mean())
        money = table.set_index("feature").loc["amount_sum_90d"]
        assert money["direction"] == -1
        assert money["mean_abs_shap"] == pytest.approx(by_hand(model, X)[MONEY].sum(axis=1).abs().mean())
        assert ((table["effect_pp"] > 0) & (table["effect_pp"] < 100)).all()

    def test_does_not_depend_on_the_order_of_rows(self, fitted):
        model, X = fitted
        shuffled = X.sample(frac=1.0, random_state=0)
        for table in (driver_table, theme_table, action_table):
            assert_frame_equal(table(model, shuffled), table(model, X), rtol=1e-9)

    def test_does_not_depend_on_how_often_rows_stand(self, fitted):
        model, X = fitted
        for table in (driver_table, theme_table, action_table):
            assert_frame_equal(table(model, pd.concat([X, X])), table(model, X), rtol=1e-9)

    def test_leaves_its_input_alone(self, fitted):
        model, X = fitted
        before = X.copy()
        driver_table(model, X)
        assert_frame_equal(X, before)

    def test_of_a_category_the_level_of_the_highest_risk(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"plan": rng.choice(["month", "year", "two"], 600), "fee": rng.random(600)})
        X.loc[:20, "plan"] = None
        left = rng.random(600) < X["plan"].map({"month": 0.8, "year": 0.3, "two": 0.1}).fillna(0.5)
        model = ChurnModel(n_estimators=30).fit(X, left)
        table = driver_table(model, X).set_index("driver")
        assert table.loc["plan", ["level", "direction", "theme", "actionable"]].tolist() == ["month", 0, "other", False]
        assert table.loc["fee", "level"] is None
        # Among those on the two quieter plans, it is the riskier of them; a level the model does not know is none.
        quiet = X[X["plan"] != "month"].assign(plan=lambda X: X["plan"].where(X.index != 25, "bespoke"))
        with pytest.warns(UserWarning, match="bespoke"):
            assert driver_table(model, quiet).set_index("driver").loc["plan", "level"] == "year"

    def test_a_model_that_says_nothing(self):
        X = pd.DataFrame({"T": np.ones(60), "recency": np.ones(60)})
        model = ChurnModel(n_estimators=2).fit(X, np.arange(60) % 2)
        for table in (driver_table(model, X), theme_table(model, X)):
            assert (table[["mean_abs_shap", "effect_pp", "upper_pp"]] == 0).all(axis=None)
            assert table["share"].isna().all()


class TestThemes:
    def test_parts_are_added_by_client_before_their_size_is_taken(self, fitted):
        model, X = fitted
        parts, log_odds = by_hand(model, X), logit(risk_of(model, X))
        table = theme_table(model, X).set_index("theme")
        assert set(table.index) == {"rhythm", "value", "service", "season", "other"}
        service = parts[SERVICE].sum(axis=1)
        assert table.loc["service", "mean_abs_shap"] == pytest.approx(service.abs().mean())
        wanted = 100 * np.abs(expit(log_odds) - expit(log_odds - service)).mean()
        assert table.loc["service", "effect_pp"] == pytest.approx(wanted)
        assert table.loc["service", ["drivers", "strongest"]].tolist() == [2, "open complaints"]
        assert table["actionable_share"].drop("rhythm").to_dict() == {"value": 1, "service": 1, "season": 0, "other": 0}
        assert table["mean_abs_shap"].is_monotonic_decreasing
        assert table["share"].sum() == pytest.approx(1)

    def test_no_theme_is_stronger_than_its_drivers_together(self, fitted):
        model, X = fitted
        together = driver_table(model, X).groupby("theme")["mean_abs_shap"].sum()
        themes = theme_table(model, X).set_index("theme")["mean_abs_shap"]
        assert (themes <= together[themes.index] + 1e-12).all()

    def test_what_can_be_acted_upon(self, fitted):
        model, X = fitted
        table, parts = action_table(model, X), pd.DataFrame(Parts.of(model, X).shares, index=X.index, columns=list(X))
        assert table["actionable"].tolist() == [True, False]
        assert table["drivers"].tolist() == [4, 2]
        assert table["strongest"].tolist() == ["silence", "season"]
        can = ["days_since_last", "silence_probability", *MONEY, *SERVICE]
        assert table["mean_abs_shap"][0] == pytest.approx(parts[can].sum(axis=1).abs().mean())

    def test_where_nothing_can_be(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"T": rng.random(200)})
        table = action_table(ChurnModel(n_estimators=5).fit(X, X["T"] > 0.5), X)
        assert table["drivers"].tolist() == [0, 1]
        assert table["strongest"].tolist() == [None, "age"]
        assert table["mean_abs_shap"][0] == table["upper_shap"][0] == 0

    def test_a_planted_driver_is_found_and_noise_is_not(self):
        """A world in which open complaints alone drive clients away, and promotions and spend are noise."""
        rng = np.random.default_rng(0)
        noise = ["offers_count_90d", "discount_share_365d", "amount_sum_365d", "days_since_last"]
        X = pd.DataFrame({name: rng.random(3_000) for name in [*noise, "complaint_open_days_max"]})
        left = rng.random(3_000) < expit(4 * X["complaint_open_days_max"] - 2)
        seen, others = X[:2_000], X[2_000:]
        table = theme_table(ChurnModel().fit(seen, left[:2_000]), others).set_index("theme")
        assert "promotion" in table.index
        assert table.index[0] == "service"
        assert table["share"].iloc[0] > 0.8
        assert table.loc["promotion", "upper_pp"] < 0.1 * table.loc["service", "lower_pp"]
        # Without that part the risk is flat: the mean effect is the mean distance of the truth from its middle.
        truth = 100 * np.abs(expit(4 * others["complaint_open_days_max"] - 2) - 0.5).mean()
        assert table.loc["service", "effect_pp"] == pytest.approx(truth, rel=0.15)


class TestSegments:
    @pytest.fixture
    def segment(self, fitted):
        _, X = fitted
        number = X.index.get_level_values("client_id").str.removeprefix("client-").astype(int)
        names = np.select([number < 10, number < 60], ["tiny", "small"], "large")
        return pd.Series(pd.Categorical(names, categories=["small", "large", "tiny"]), index=X.index)

    def test_each_is_as_if_asked_about_alone(self, fitted, segment):
        model, X = fitted
        for table in (driver_table, theme_table, action_table):
            whole = table(model, X, by=segment)
            assert whole["segment"].drop_duplicates().tolist() == ["small", "large", "tiny"]
            for name in ("small", "large"):
                rows = whole[whole["segment"] == name].drop(columns="segment").reset_index(drop=True)
                assert_frame_equal(rows, table(model, X[segment == name]), rtol=1e-9)

    def test_segments_weighted_by_rows_make_the_whole(self, fitted, segment):
        model, X = fitted
        large = segment.where(segment != "tiny", "small")
        here = driver_table(model, X, by=large).set_index(["segment", "driver"])
        whole, weight = driver_table(model, X).set_index("driver"), large.value_counts(normalize=True)
        for figure in ("mean_abs_shap", "effect_pp"):
            mean = sum(weight[name] * here.loc[name, figure] for name in ("small", "large"))
            assert mean[whole.index].tolist() == pytest.approx(whole[figure].tolist())

    def test_of_a_few_clients_nothing_is_told(self, fitted, segment):
        model, X = fitted
        tables = [table(model, X, by=segment) for table in (driver_table, theme_table, action_table)]
        for table in tables:
            few = table[table["segment"] == "tiny"]
            assert len(few) == len(table) / 3
            assert (few["clients"] == 10).all()  # of 30 rows: clients are counted
            assert few[FIGURES].isna().all(axis=None)
        drivers, themes, actions = tables
        assert drivers.query("segment == 'tiny'")["direction"].eq(0).all()
        assert themes.query("segment == 'tiny'")[["strongest", "actionable_share"]].isna().all(axis=None)
        assert actions.query("segment == 'tiny'")["strongest"].isna().all()

    def test_thirty_are_enough(self, one_cutoff):
        model, X = one_cutoff
        for clients, told in ((29, False), (30, True)):
            by = pd.Series(np.where(np.arange(len(X)) < clients, "a", "b"), index=X.index)
            table = theme_table(model, X, by=by)
            assert table[table["segment"] == "a"]["mean_abs_shap"].notna().all() == told

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (lambda by: by.reset_index(drop=True), "must be a Series with the index of `X`.*with another index"),
            (lambda by: by[::-1], "Use `by.loc\\[X.index\\]`"),
            (lambda by: by[:-1], r"\(450 rows\); got a Series of 449 rows"),
            (lambda by: by.to_numpy(), "got Categorical|got ndarray"),
            (
                lambda by: by.where(by.index.get_level_values(0) != "client-7"),
                "must name a segment for every row.*client-7",
            ),
        ],
    )
    def test_bad_segments_are_refused(self, fitted, segment, wrong, message):
        model, X = fitted
        for table in (driver_table, theme_table, action_table):
            with pytest.raises(ValueError, match=message):
                table(model, X, by=wrong(segment))

    def test_nobody_is_refused(self, fitted):
        model, X = fitted
        with pytest.raises(ValueError, match="`X` has no rows"):
            driver_table(model, X[:0])


class TestSample:
    def test_is_the_same_whatever_the_order(self):
        X = made_up(200, CUTOFFS[:1], 0)
        chosen = sample_clients(X, 50)
        assert len(chosen) == 50
        assert sample_clients(X[::-1], 50)[::-1].index.equals(chosen.index)
        assert sample_clients(X[[]].assign(more=1), 50).index.equals(chosen.index)
        assert sample_clients(chosen, 20).index.equals(sample_clients(X, 20).index)  # the few are among the many

    def test_takes_clients_with_all_their_rows(self):
        X = made_up(20, CUTOFFS, 0)
        chosen = sample_clients(X, 5)
        assert len(chosen) == 15
        assert chosen.index.get_level_values("client_id").nunique() == 5
        assert sample_clients(X, 20) is X

    def test_ids_may_be_numbers(self):
        X = pd.DataFrame({"T": range(100)}, index=pd.Index(range(100), name="client_id"))
        chosen = sample_clients(X, 10)
        assert len(chosen) == 10
        assert chosen.index.max() > 20  # not the first ten


class TestOverTime:
    def table(self, sizes, spread=0.0):
        rows = pd.DataFrame({"driver": list(sizes), "mean_abs_shap": list(sizes.values())})
        rows["lower_shap"], rows["upper_shap"] = rows["mean_abs_shap"] - spread, rows["mean_abs_shap"] + spread
        return rows.assign(share=rows["mean_abs_shap"] / rows["mean_abs_shap"].sum())

    def test_ranks_and_those_it_could_have(self):
        early, late = pd.Timestamp("2024-01-01"), pd.Timestamp("2024-04-01")
        sizes = {"a": 0.5, "b": 0.45, "c": 0.3, "d": 0.1}
        told = drivers_over_time({late: self.table({"c": 1.0}), early: self.table(sizes, spread=0.08)})
        assert told["cutoff"].tolist() == [early] * 4 + [late]
        assert told["driver"].tolist() == ["a", "b", "c", "d", "c"]
        assert told["rank"].tolist() == [1, 2, 3, 4, 1]
        # .42 to .58, .37 to .53, .22 to .38 and .02 to .18: b overlaps with a and with c.
        assert told["best_rank"].tolist() == [1, 1, 2, 4, 1]
        assert told["worst_rank"].tolist() == [2, 3, 3, 4, 1]

    def test_arithmetic_of_stability(self):
        first, second, third = CUTOFFS
        sizes = {"a": 0.5, "b": 0.3, "c": 0.2, "noise": 0.004}
        tables = {
            first: self.table(sizes),
            second: self.table({"noise": 0.009, "c": 0.4, "b": 0.6, "a": 1.0}),
            third: self.table({"a": 0.1, "b": 0.3, "d": 0.6}),
        }
        told = driver_stability(drivers_over_time(tables))
        assert told["cutoff"].tolist() == [second, third]
        assert told["previous"].tolist() == [first, second]
        # Noise is below 1 % at both. Then a, b, c, d go from ranks 4, 3, 2, 1 to 2, 3, 1, 4: 1 - 6 * 14 / 60.
        assert told["drivers"].tolist() == [3, 4]
        assert told["rank_correlation"].tolist() == pytest.approx([1.0, -0.4])
        assert told["stability"].tolist() == ["steady", "unsteady"]  # .992 and .249 in common
        shares = np.array([1.0, 0.6, 0.4, 0.0, 0.009]) / 2.009, np.array([0.1, 0.3, 0.0, 0.6, 0.0])
        assert told["common_share"][1] == pytest.approx(np.minimum(*shares).sum())

    @given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8))
    def test_the_same_twice_has_all_in_common(self, sizes):
        table = self.table({f"driver {i}": size for i, size in enumerate(sizes)})
        (told,) = driver_stability(drivers_over_time(dict.fromkeys(CUTOFFS[:2], table))).to_dict("records")
        assert told["common_share"] == pytest.approx(1)
        kept = {size for size in sizes if size >= 0.01 * sum(sizes)}
        assert told["rank_correlation"] == pytest.approx(1) or len(kept) == 1 or told["drivers"] < 3

    @pytest.mark.parametrize(
        ("now", "word"), [(0.7, "steady"), (0.71, "shifting"), (0.9, "shifting"), (0.91, "unsteady"), (0.1, "shifting")]
    )
    def test_the_word_is_that_of_the_share_that_is_told(self, now, word):
        """Of two drivers that were even, as much as the other lost went to the first."""
        tables = {
            CUTOFFS[0]: self.table({"a": 0.5, "b": 0.5}), CUTOFFS[1]: self.table({"a": now, "b": 1 - now})
        }  # fmt: skip
        (told,) = driver_stability(drivers_over_time(tables)).to_dict("records")
        assert told["common_share"] == pytest.approx(1 - abs(now - 0.5))
        assert told["stability"] == word

    def test_too_few_to_rank(self):
        tables = {cutoff: self.table({"a": 0.5, "b": 0.3}) for cutoff in CUTOFFS[:2]}
        (told,) = driver_stability(drivers_over_time(tables)).to_dict("records")
        assert np.isnan(told["rank_correlation"])
        assert told["stability"] == "steady"
        assert driver_stability(drivers_over_time({CUTOFFS[0]: tables[CUTOFFS[0]]})).empty

    def test_faults(self, one_cutoff):
        model, X = one_cutoff
        with pytest.raises(ValueError, match="`tables` is empty"):
            drivers_over_time({})
        halves = pd.Series(np.arange(len(X)) % 2, index=X.index)
        with pytest.raises(ValueError, match="2024-05-01 names a driver twice"):
            drivers_over_time({CUTOFFS[-1]: driver_table(model, X, by=halves)})


class TestChanges:
    @settings(max_examples=25)
    @given(seed=st.integers(0, 10_000), clients=st.integers(1, 12), gone=st.integers(0, 5), new=st.integers(0, 5))
    def test_add_up_exactly_in_both_units(self, fitted, seed, clients, gone, new):
        """With missing values, a second opinion that comes or goes, and clients of one cutoff alone."""
        model, _ = fitted
        before = made_up(clients + gone, CUTOFFS[:1], seed).droplevel("cutoff")
        after = made_up(clients + new, CUTOFFS[1:2], seed + 1).droplevel("cutoff").sample(frac=1, random_state=seed)
        before = before.rename(lambda name: name if int(name[7:]) < clients else f"gone {name}")
        told = risk_changes(model, before, after)
        both = after.index[after.index.isin(before.index)]
        assert told["client_id"].drop_duplicates().tolist() == both.tolist()
        assert len(told) == 6 * clients
        sums = told.groupby("client_id")[["change_shap", "change_pp"]].sum().loc[both]
        then, now = risk_of(model, before.loc[both]), risk_of(model, after.loc[both])
        assert sums["change_shap"].tolist() == pytest.approx((logit(now) - logit(then)).tolist(), abs=1e-9)
        assert sums["change_pp"].tolist() == pytest.approx((100 * (now - then)).tolist(), abs=1e-7)
        assert (told["after_shap"] - told["before_shap"]).tolist() == pytest.approx(told["change_shap"].tolist())
        assert (np.sign(told["change_shap"]) == np.sign(told["change_pp"])).all()
        means = 1 / clients * told.groupby("theme")[["change_shap", "change_pp"]].sum()
        for of in ("theme", "driver"):
            table = portfolio_changes(model, before, after, of=of)
            assert table["change_shap"].sum() == pytest.approx((logit(now) - logit(then)).mean(), abs=1e-9)
            assert table["change_pp"].sum() == pytest.approx(100 * (now - then).mean(), abs=1e-7)
            assert (table["clients"] == clients).all()
            themes = table.groupby("theme")[["change_shap", "change_pp"]].sum()
            assert_frame_equal(themes, means.loc[themes.index], atol=1e-9)

    def test_the_feature_is_the_one_that_changed(self, one_cutoff):
        model, X = one_cutoff
        before = X.dropna()[:20].droplevel("cutoff")
        after = before.assign(days_since_last=before["days_since_last"] + 100)
        told = risk_changes(model, before, after, top=1)
        assert (told["feature"] == "days_since_last").all()
        assert (told["after_value"] - told["before_value"]).tolist() == pytest.approx([100.0] * len(before))
        assert (told["change_shap"] >= 0).mean() > 0.9
        same = risk_changes(model, before, before)
        assert (same[["change_shap", "change_pp"]] == 0).all(axis=None)

    def test_top_keeps_the_largest(self, one_cutoff):
        model, X = one_cutoff
        before, after = X[:40].droplevel("cutoff"), X[40:80].droplevel("cutoff").set_axis(X.index[:40].droplevel(1))
        whole = risk_changes(model, before, after)
        sizes = whole["change_shap"].abs().groupby(whole["client_id"], sort=False)
        assert sizes.apply(lambda size: size.is_monotonic_decreasing).all()
        wanted = whole.groupby("client_id", sort=False).head(3).reset_index(drop=True)
        assert_frame_equal(risk_changes(model, before, after, top=3), wanted)
        assert_frame_equal(risk_changes(model, before, after, top=99), whole)

    def test_one_by_one_as_together_and_in_any_order(self, fitted):
        model, X = fitted
        before, after = (X[X.index.get_level_values("cutoff") == cutoff] for cutoff in CUTOFFS[:2])
        whole = risk_changes(model, before, after)
        alone = risk_changes(model, before, after[7:8])
        assert_frame_equal(alone, whole[42:48].reset_index(drop=True), rtol=1e-9)
        assert_frame_equal(risk_changes(model, before[::-1], after), whole, rtol=1e-9)
        for of in ("theme", "driver"):
            told = portfolio_changes(model, before[::-1], after.sample(frac=1, random_state=0), of=of)
            assert_frame_equal(told, portfolio_changes(model, before, after, of=of), rtol=1e-7, atol=1e-12)

    def test_of_a_planted_month(self, one_cutoff):
        """Everybody waited 30 days longer, and nothing else happened: the rhythm rose, and all else is exactly 0."""
        model, X = one_cutoff
        before = X.fillna({"days_since_last": 30.0})
        after = before.assign(days_since_last=before["days_since_last"] + 30)
        model = ChurnModel(n_estimators=40).fit(X[["days_since_last", "amount_sum_90d"]], X["days_since_last"] > 60)
        table = portfolio_changes(model, before, after).set_index("theme")
        assert table.index[0] == "rhythm"
        assert table.loc["rhythm", "lower_shap"] > 0
        assert table.loc["rhythm", "lower_pp"] > 0
        risk = [risk_of(model, rows[["days_since_last", "amount_sum_90d"]]).mean() for rows in (before, after)]
        assert table["change_pp"].sum() == pytest.approx(100 * (risk[1] - risk[0]))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda X: {"before": X, "top": None}, "`before` must have one row per client; 'client-0' stands twice"),
            (lambda X: {"after": X, "top": None}, "`after` must have one row per client"),
            (
                lambda X: {"after": X[:1].rename(str.upper, level=0)},
                r"no client stands in both `before` \(150 clients\)",
            ),
            (lambda X: {"top": 0}, "`top` must be at least 1, or None for all drivers; got 0"),
        ],
    )
    def test_faults(self, fitted, one_cutoff, change, message):
        model, X = fitted
        asked = {"before": one_cutoff[1], "after": one_cutoff[1]} | change(X)
        with pytest.raises(ValueError, match=message):
            risk_changes(model, **asked)
        with pytest.raises(ValueError, match="`of` must be 'theme' or 'driver'; got 'client'"):
            portfolio_changes(model, one_cutoff[1], one_cutoff[1], of="client")


class TestComposition:
    risks = st.dictionaries(st.integers(0, 12), st.floats(0, 1), min_size=1)

    @given(before=risks, after=risks)
    def test_effects_add_up(self, before, after):
        before, after = (pd.Series(risk).rename_axis("client_id") for risk in ({**before, 99: 0.5}, {**after, 99: 0.1}))
        told = composition_changes(before, after).set_index("standing")
        assert told.index.tolist() == ["both", "new", "gone", "all"]
        assert told["clients"].iloc[:3].sum() == told.loc["all", "clients"] == len(set(before.index) | set(after.index))
        change = 100 * (after.mean() - before.mean())
        assert told.loc["all", "effect_pp"] == pytest.approx(change, abs=1e-9)
        assert told["effect_pp"].iloc[:3].sum() == pytest.approx(change, abs=1e-9)
        both = sorted(set(before.index) & set(after.index))
        assert told.loc["both", "effect_pp"] == pytest.approx(100 * (after[both] - before[both]).mean(), abs=1e-9)
        assert told.loc[["new", "gone"], "clients"].tolist() == [
            len(set(after.index) - set(both)),
            len(set(before.index) - set(both)),
        ]

    def test_faults(self):
        ann, bob = pd.Series({"ann": 0.2}), pd.Series({"bob": 0.2})
        with pytest.raises(ValueError, match="no client stands in both"):
            composition_changes(ann, bob)
        with pytest.raises(ValueError, match=r"`after` must hold probabilities from 0 to 1; got .*20\.0.* for 'ann'"):
            composition_changes(ann, 100 * ann)
        with pytest.raises(ValueError, match="`before` must hold probabilities"):
            composition_changes(ann * np.nan, ann)
        with pytest.raises(ValueError, match="'bob' stands twice"):
            composition_changes(bob, pd.concat([bob, bob]))


class TestSummary:
    def test_is_what_the_functions_say_in_plain_json(self, fitted):
        model, X = fitted
        before, now = (X[X.index.get_level_values("cutoff") == cutoff] for cutoff in CUTOFFS[1:])
        before, now = before[10:], now[:-20]
        segment = pd.Series(np.where(np.arange(len(now)) < 8, "few", "many"), index=now.index)
        table, told = summarise(model, now, before=before, segment=segment)
        told |= summarise_cutoffs({CUTOFFS[0]: driver_table(model, before), CUTOFFS[-1]: table})
        assert_frame_equal(table, driver_table(model, now), rtol=1e-9)
        plain = json.loads(json.dumps(told, allow_nan=False))
        wanted = [
            (plain["drivers"], driver_table(model, now)),
            (plain["themes"], theme_table(model, now)),
            (plain["actionable"], action_table(model, now)),
            (plain["changed"]["themes"], portfolio_changes(model, before, now)),
            (plain["changed"]["drivers"], portfolio_changes(model, before, now, of="driver")),
        ]
        for rows, frame in wanted:
            assert_frame_equal(pd.DataFrame(rows)[list(frame)], frame, check_dtype=False, rtol=1e-7, atol=1e-9)
        risks = [pd.Series(risk_of(model, rows), index=rows.index) for rows in (before, now)]
        assert_frame_equal(pd.DataFrame(plain["changed"]["composition"]), composition_changes(*risks), rtol=1e-9)
        meaning = CATALOGUE["days_since_last"].meaning
        (driver,) = (row for row in plain["drivers"] if row["feature"] == "days_since_last")
        assert (driver["meaning_en"], driver["meaning_ko"]) == (meaning["en"], meaning["ko"])
        assert [row["segment"] for row in plain["drivers_by_segment"]] == ["many"] * 5  # not of the few
        assert {row["cutoff"] for row in plain["drivers_over_time"]} == {"2024-01-01", "2024-05-01"}
        read = Metrics.model_validate(
            {"horizon_days": 90, "score_cutoff": "2024-05-01", **plain}
            | {"changed": {"since": "2024-04-01", "days": 30, **plain["changed"]}}
        )
        assert read.drivers[0].upper_pp == table["upper_pp"][0]
        assert read.changed.composition[-1].effect_pp == plain["changed"]["composition"][-1]["effect_pp"]
        assert len(read.drivers_over_time) == 12
        assert read.driver_stability[0].rank_correlation == plain["driver_stability"][0]["rank_correlation"]

    def test_nobody_before(self, one_cutoff):
        model, X = one_cutoff
        segment = pd.Series("all", index=X.index)
        for before in (X[:0], X.rename(str.upper, level=0)):
            assert summarise(model, X, before=before, segment=segment)[1]["changed"] is None
