"""The tree models: scikit-learn's rules, calibration through time, files that come back the same."""

import json
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.utils.estimator_checks import parametrize_with_checks

from loyalty.models.calibration import share_to_come
from loyalty.models.churn import ChurnModel
from loyalty.models.intervals import SpendIntervals
from loyalty.models.line import Line
from loyalty.models.trees import TREE_PARAMETERS, feature_names, held_out_in_time, leaf_size, row_settings, threads
from loyalty.models.value import ValueModel

ADDRESS = "ann.smith@example.org"


@parametrize_with_checks([ChurnModel(), ChurnModel(n_estimators=60, learning_rate=0.1), ValueModel(n_estimators=30)])
@pytest.mark.filterwarnings("ignore")
def test_obeys_scikit_learn(estimator, check):
    check(estimator)


def panel(clients=120, cutoffs=("2024-01-01", "2024-01-31", "2024-03-01", "2024-03-31"), seed=0):
    """A panel with missing values, who left, and what was spent."""
    rng = np.random.default_rng(seed)
    clients_ = [ADDRESS, *(f"client-{i}" for i in range(1, clients))]
    index = pd.MultiIndex.from_product([pd.to_datetime(list(cutoffs)), clients_], names=["cutoff", "client_id"])
    index = index.swaplevel()
    X = pd.DataFrame(
        {
            "days_since_last": rng.integers(1, 200, len(index)).astype(float),
            "gap_days_mean": rng.gamma(2.0, 15.0, len(index)),
            "amount_sum_90d": rng.gamma(2.0, 50.0, len(index)),
        },
        index=index,
    ).mask(rng.random((len(index), 3)) < 0.1)
    X.attrs["reach_days"] = 30  # as `build_panel` notes it
    left = expit((X["days_since_last"].fillna(100) - 100) / 30) > rng.random(len(index))
    spend = (1 - left) * X["amount_sum_90d"].fillna(60) * rng.gamma(2.0, 0.5, len(index))
    return X, left.astype(int), spend


def anchored_panel():
    """The same with a second opinion of who leaves, which is missing of some."""
    X, left, spend = panel()
    rng = np.random.default_rng(1)
    silence = expit((X["days_since_last"] - 100) / 40 + rng.normal(0, 0.5, len(X)))
    return X.assign(silence=silence), left, spend


def text_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}


class TestHeldOutInTime:
    days = pd.DatetimeIndex(pd.to_datetime(["2024-01-01", "2024-01-31", "2024-03-01", "2024-03-31"])).repeat(2)

    def test_an_outcome_decided_at_the_held_out_cutoff_itself_may_be_learned_from(self):
        pairs = held_out_in_time(self.days, embargo=pd.Timedelta(days=60))
        assert [(seen.tolist(), held.tolist()) for seen, held in pairs] == [
            ([0, 1], [4, 5]),  # 1 January + 60 days is 1 March
            ([0, 1, 2, 3], [6, 7]),
        ]

    def test_one_day_more_and_it_may_not(self):
        pairs = held_out_in_time(self.days, embargo=pd.Timedelta(days=61))
        assert [(seen.tolist(), held.tolist()) for seen, held in pairs] == [([0, 1], [6, 7])]

    def test_without_embargo_a_cutoff_never_learns_from_itself(self):
        pairs = held_out_in_time(self.days, embargo=pd.Timedelta(0))
        assert [held.tolist() for _, held in pairs] == [[2, 3], [4, 5], [6, 7]]
        assert all(seen.max() < held.min() for seen, held in pairs)

    def test_the_order_of_rows_does_not_matter(self):
        mixed = np.random.default_rng(0).permutation(len(self.days))
        straight = held_out_in_time(self.days, embargo=pd.Timedelta(days=60))
        shuffled = held_out_in_time(self.days[mixed], embargo=pd.Timedelta(days=60))
        for (seen, held), (seen_, held_) in zip(straight, shuffled, strict=True):
            assert sorted(mixed[seen_]) == seen.tolist()
            assert sorted(mixed[held_]) == held.tolist()


class TestChurnModel:
    def test_trees_that_calibrate_never_see_a_later_outcome(self, monkeypatch):
        """Every row carries its cutoff in a feature, so what each set of trees saw can be read off."""
        X, left, _ = panel()
        day = X.index.get_level_values("cutoff").dayofyear.to_numpy(dtype=float)
        grown, asked = [], []
        grow, margin = ChurnModel._grow, ChurnModel._margin
        monkeypatch.setattr(ChurnModel, "_grow", lambda s, v, c: grown.append(v[:, 0]) or grow(s, v, c))
        monkeypatch.setattr(ChurnModel, "_margin", lambda s, *t: asked.append(t[-1][:, 0]) or margin(s, *t))
        model = ChurnModel(n_estimators=3, embargo="60d").fit(X.assign(days_since_last=day), left)
        # They grow side by side, in any order.
        assert sorted(map(sorted, map(set, grown))) == [[1.0], [1.0, 31.0], [1.0, 31.0, 61.0, 91.0]]
        assert [set(days) for days in asked] == [{61.0}, {91.0}]
        assert model.calibration_cutoffs_ == (pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-31"))

    def test_outcomes_inside_the_embargo_do_not_reach_the_calibrator(self):
        """Turn the outcomes of a cutoff that calibrates nothing and was not decided: the calibrator must not move."""
        X, left, _ = panel(cutoffs=("2024-01-01", "2024-03-01", "2024-03-31"))
        turned = left.where(X.index.get_level_values("cutoff") != pd.Timestamp("2024-03-01"), 1 - left)
        fitted = [ChurnModel(n_estimators=20, embargo="90d").fit(X, y) for y in (left, turned)]
        assert [m.calibration_cutoffs_ for m in fitted] == [(pd.Timestamp("2024-03-31"),)] * 2
        assert fitted[0].calibration_ == fitted[1].calibration_
        assert fitted[0].booster_.model_to_string() != fitted[1].booster_.model_to_string()

    def test_calibrates_on_the_last_three_cutoffs(self):
        X, left, _ = panel(cutoffs=pd.date_range("2024-01-01", periods=6, freq="30D"))
        model = ChurnModel(n_estimators=3, embargo="30d").fit(X, left)
        assert model.calibration_cutoffs_ == tuple(pd.to_datetime(["2024-03-31", "2024-04-30", "2024-05-30"]))

    def test_learns_nothing_from_held_out_trees_grown_on_one_class(self):
        X, left, _ = panel(cutoffs=("2024-01-01", "2024-03-01"))
        left = left.where(X.index.get_level_values("cutoff") != pd.Timestamp("2024-01-01"), 0)
        model = ChurnModel(n_estimators=20, embargo="30d").fit(X, left)
        assert model.calibration_cutoffs_ == ()
        assert (model.calibration_.slope, model.calibration_.level) == (1.0, 0.0)

    def test_without_room_for_an_embargo_log_odds_stand(self):
        X, left, _ = panel()
        model = ChurnModel(n_estimators=20, embargo="365d").fit(X, left)
        assert model.calibration_cutoffs_ == ()
        assert model.predict_proba(X)[:, 1] == pytest.approx(expit(model.predict_margin(X)), abs=0)

    def test_probability_is_the_calibrated_margin(self):
        X, left, _ = panel()
        model = ChurnModel(n_estimators=40, embargo="30d").fit(X, left)
        slope, level = model.calibration_.slope, model.calibration_.level
        assert (slope, level) != (1.0, 0.0)
        raw = model.booster_.predict(X.to_numpy(), raw_score=True)
        assert model.predict_proba(X)[:, 1] == pytest.approx(expit(level + slope * raw), rel=1e-12)
        assert model.predict_proba(X).sum(axis=1) == pytest.approx(1.0)
        assert (model.predict(X) == (model.predict_proba(X)[:, 1] > 0.5)).all()

    def test_is_calibrated_out_of_time(self):
        """Where a quarter leaves by chance alone, no probability of the next cutoff strays far from a quarter."""
        rng = np.random.default_rng(5)
        X, _, _ = panel(clients=1500)
        left = (rng.random(len(X)) < 0.25).astype(int)
        model = ChurnModel(embargo="30d").fit(X, left)
        fresh = panel(clients=1500, cutoffs=("2024-04-30",), seed=9)[0]
        assert model.predict_proba(fresh)[:, 1].mean() == pytest.approx(0.25, abs=0.02)
        assert model.calibration_.slope < 1  # the trees were too sure of what is chance
        spread = [np.std(p) for p in (model.predict_proba(fresh)[:, 1], expit(model.predict_margin(fresh)))]
        assert spread[0] < spread[1]

    def test_embargo_is_that_of_the_panel(self):
        X, left, _ = panel()
        X.attrs["reach_days"] = 60
        carried, given = ChurnModel(n_estimators=3).fit(X, left), ChurnModel(n_estimators=3, embargo="60d").fit(X, left)
        assert carried.calibration_ == given.calibration_
        assert (
            carried.calibration_cutoffs_
            == given.calibration_cutoffs_
            == (*pd.to_datetime(["2024-03-01", "2024-03-31"]),)
        )

    def test_cutoffs_without_an_embargo_are_told(self):
        X, left, _ = panel()
        X.attrs.clear()
        with pytest.warns(UserWarning, match="`embargo` is not known"):
            ChurnModel(n_estimators=3).fit(X, left)

    def test_typical_is_the_median_of_what_is_known(self):
        X, left, _ = panel()
        X = X.assign(never=np.nan)
        model = ChurnModel(n_estimators=2).fit(X, left)
        assert model.typical_[:3] == pytest.approx(X.iloc[:, :3].median().to_numpy())
        assert np.isnan(model.typical_[3])


MODELS = {
    "churn": (ChurnModel(n_estimators=25, embargo="30d"), 1),
    "value": (ValueModel(n_estimators=25), 2),
}


@pytest.mark.parametrize("name", MODELS)
class TestBothModels:
    @staticmethod
    def predictions(model, X):
        return model.predict_proba(X)[:, 1] if isinstance(model, ChurnModel) else model.predict(X)

    def fitted(self, name, **changes):
        model, target = MODELS[name]
        data = panel()
        model = type(model)(**{**model.get_params(), **changes})
        return model.fit(data[0], data[target]), data[0]

    def test_same_bits_whatever_the_threads(self, name):
        (one, X), (two, _), (again, _) = (self.fitted(name, n_jobs=n) for n in (1, 2, 1))
        reference = self.predictions(one, X)
        assert np.array_equal(reference, self.predictions(two, X))
        assert np.array_equal(reference, self.predictions(again, X))

    def test_the_seed_matters(self, name):
        (one, X), (other, _) = (self.fitted(name, random_state=seed) for seed in (0, 1))
        assert not np.array_equal(self.predictions(one, X), self.predictions(other, X))

    def test_missing_values_are_taken_as_they_are(self, name):
        model, X = self.fitted(name)
        nothing = X.head(1) * np.nan
        assert np.isfinite(self.predictions(model, nothing)).all()
        known = X.head(1).fillna(1.0)
        assert not np.array_equal(self.predictions(model, nothing), self.predictions(model, known))

    def test_infinite_values_are_refused(self, name):
        model, X = self.fitted(name)
        with pytest.raises(ValueError, match="infinity"):
            self.predictions(model, X.assign(days_since_last=np.inf))

    def test_input_is_not_changed(self, name):
        X, left, spend = panel()
        before = X.copy(deep=True)
        model = MODELS[name][0]
        self.predictions(type(model)(n_estimators=2).fit(X, (left, spend)[MODELS[name][1] - 1]), X)
        pd.testing.assert_frame_equal(X, before)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda X: X[X.columns[::-1]],
            lambda X: X.drop(columns="gap_days_mean"),
            lambda X: X.rename(columns={"gap_days_mean": "gap_days_max"}),
            lambda X: X.assign(further=1.0),
        ],
        ids=["reordered", "missing", "renamed", "further"],
    )
    def test_other_columns_are_refused(self, name, wrong):
        model, X = self.fitted(name)
        with pytest.raises(ValueError, match="feature names should match"):
            self.predictions(model, wrong(X))

    def test_comes_back_from_disk_the_same_to_the_last_bit(self, name, tmp_path):
        model, X = self.fitted(name)
        model.save(tmp_path)
        files = text_of(tmp_path)  # readable as text at all
        own = {"value": ["purchase.json", "purchase.txt", "value_whole.txt"]}.get(name, [])
        assert sorted(files) == sorted([*own, f"{name}.json", f"{name}.txt"])
        json.loads(files[f"{name}.json"], parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        assert not any(ADDRESS in text or "client-1" in text for text in files.values())
        back = type(model).load(tmp_path)
        assert np.array_equal(self.predictions(back, X), self.predictions(model, X))
        assert {k: str(v) for k, v in back.get_params().items()} == {k: str(v) for k, v in model.get_params().items()}
        with pytest.raises(ValueError, match="feature names should match"):
            self.predictions(back, X[X.columns[::-1]])
        (tmp_path / "again").mkdir()
        back.save(tmp_path / "again")
        assert text_of(tmp_path / "again") == files

    def test_what_was_fitted_on_an_array_cannot_be_saved(self, name, tmp_path):
        model, target = MODELS[name]
        data = panel()
        model = type(model)(n_estimators=2).fit(data[0].to_numpy(), data[target].to_numpy())
        with pytest.raises(ValueError, match="Fit it on a DataFrame"):
            model.save(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_works_on_a_handful_of_rows(self, name):
        data = panel(clients=2)
        y = pd.Series([0, 1] * 4, index=data[0].index)
        assert np.isfinite(self.predictions(type(MODELS[name][0])(n_estimators=3).fit(data[0], y), data[0])).all()


class TestChurnModelFiles:
    def test_everything_learned_comes_back(self, tmp_path):
        X, left, _ = panel()
        model = ChurnModel(n_estimators=5, embargo=pd.Timedelta(days=30), n_jobs=1).fit(X.assign(never=np.nan), left)
        model.save(tmp_path)
        back = ChurnModel.load(tmp_path)
        assert back.embargo == "30d"
        assert back.calibration_ == model.calibration_
        assert back.calibration_cutoffs_ == model.calibration_cutoffs_
        assert np.array_equal(back.typical_, model.typical_, equal_nan=True)
        assert back.classes_.tolist() == [0, 1]
        assert np.array_equal(back.contributions(X.assign(never=1.0)), model.contributions(X.assign(never=1.0)))
        assert feature_names(back) == [*X.columns, "never"]

    def test_cutoffs_keep_their_zone(self, tmp_path):
        X, left, _ = panel()
        X.index = X.index.set_levels(X.index.levels[1].tz_localize("Asia/Seoul"), level="cutoff")
        model = ChurnModel(n_estimators=5).fit(X, left)
        model.save(tmp_path)
        back = ChurnModel.load(tmp_path)
        assert back.calibration_cutoffs_ == model.calibration_cutoffs_
        assert back.calibration_cutoffs_[-1] == pd.Timestamp("2024-03-31", tz="Asia/Seoul")

    def test_cutoffs_without_zone_are_written_as_ever(self, tmp_path):
        X, left, _ = panel()
        ChurnModel(n_estimators=5).fit(X, left).save(tmp_path)
        kept = json.loads((tmp_path / "churn.json").read_text(encoding="utf-8"))["calibration_cutoffs"]
        assert kept == ["2024-01-31 00:00:00", "2024-03-01 00:00:00", "2024-03-31 00:00:00"]

    def test_outcomes_may_have_names(self, tmp_path):
        X, left, _ = panel()
        named = left.map({0: "stayed", 1: "went"})  # churn is the class that sorts last
        ChurnModel(n_estimators=5).fit(X, named).save(tmp_path)
        back = ChurnModel.load(tmp_path)
        assert set(back.predict(X)) == {"stayed", "went"}
        assert back.classes_.tolist() == ["stayed", "went"]

    @pytest.mark.parametrize("outcome", [0, 1])
    def test_one_class_is_refused(self, outcome):
        X, left, _ = panel()
        with pytest.raises(ValueError, match=r"exactly two outcomes; got 1 class\."):
            ChurnModel(n_estimators=2).fit(X, 0 * left + outcome)

    def test_three_classes_are_refused(self):
        X, left, _ = panel()
        with pytest.raises(ValueError, match="exactly two outcomes; got 3 classes"):
            ChurnModel(n_estimators=2).fit(X, np.arange(len(left)) % 3)

    def test_an_anchor_is_weighed_with_the_trees(self, tmp_path):
        X, left, _ = anchored_panel()
        model = ChurnModel(anchor="silence", n_estimators=40).fit(X, left)
        found = model.calibration_
        assert 0 < found.weight < found.slope
        told = model.predict_proba(X)[:, 1]
        margin, missing = model.predict_margin(X), X["silence"].isna().to_numpy()
        second = np.where(missing, margin, logit(X["silence"].clip(1e-4, 1 - 1e-4)))
        assert told == pytest.approx(expit(found.level + found.slope * margin + found.weight * second))
        parts = model.contributions(X)
        assert expit(parts.sum(axis=1)) == pytest.approx(told, rel=1e-9)
        assert 0 < missing.sum() < len(X)
        assert np.array_equal(model.predict_proba(X.iloc[[5]])[0], model.predict_proba(X)[5])
        model.save(tmp_path)
        assert np.array_equal(ChurnModel.load(tmp_path).contributions(X), parts)

    def test_what_the_anchor_adds_is_its_own(self):
        X, left, _ = anchored_panel()
        model = ChurnModel(anchor="silence", n_estimators=40).fit(X, left)
        row = X[X["silence"].between(0.3, 0.4)].iloc[:1]
        safer = row.assign(silence=row["silence"] - 1e-9)  # too little for any tree to notice
        moved = model.contributions(row) - model.contributions(safer)
        by = logit(row["silence"].iloc[0]) - logit(safer["silence"].iloc[0])
        assert moved[0, list(X).index("silence")] == pytest.approx(model.calibration_.weight * by, rel=1e-4)
        assert np.delete(moved[0], list(X).index("silence")) == pytest.approx(0)

    def test_the_level_is_half_way_between_trees_and_anchor(self):
        X, left, _ = anchored_panel()
        X["silence"] = 0.9 - 0.001 * X["silence"].fillna(0.5)  # says of everybody that they leave
        model = ChurnModel(anchor="silence", n_estimators=40).fit(X, left)
        alone = ChurnModel(n_estimators=40).fit(X, left)
        latest = X.xs(X.index.get_level_values("cutoff").max(), level="cutoff", drop_level=False)
        halfway = (alone.predict_proba(latest)[:, 1].mean() + latest["silence"].mean()) / 2
        assert model.predict_proba(latest)[:, 1].mean() == pytest.approx(halfway, abs=0.01)

    def test_the_level_is_half_way_between_trees_and_past_shares(self, tmp_path):
        X, left, _ = panel()
        alone, model = (
            ChurnModel(n_estimators=40).fit(X, left),
            ChurnModel(past_shares=True, n_estimators=40).fit(X, left),
        )
        cutoffs = pd.DatetimeIndex(X.index.get_level_values("cutoff"))
        latest = X[cutoffs == cutoffs.max()]
        share, sure = share_to_come(left.to_numpy(), cutoffs, now=cutoffs.max())
        assert sure == 0  # of half a year
        halfway = (alone.predict_proba(latest)[:, 1].mean() + share) / 2
        assert model.predict_proba(latest)[:, 1].mean() == pytest.approx(halfway, rel=1e-9)
        assert abs(share - halfway) > 0.001
        assert (model.calibration_.slope, model.calibration_.weight) == (alone.calibration_.slope, 0)
        parts = model.contributions(X)
        assert expit(parts.sum(axis=1)) == pytest.approx(model.predict_proba(X)[:, 1], rel=1e-9)
        model.save(tmp_path)
        loaded = ChurnModel.load(tmp_path)
        assert loaded.past_shares
        assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))

    def test_past_shares_are_those_of_the_clients_who_stand_now(self):
        X, left, _ = panel()
        latest = X.iloc[::7].rename(index=lambda day: day + pd.Timedelta(days=365), level="cutoff")
        model = ChurnModel(past_shares=True, n_estimators=40).fit(X, left, latest=latest)
        alone = ChurnModel(n_estimators=40).fit(X, left)
        cutoffs = pd.DatetimeIndex(X.index.get_level_values("cutoff"))
        now = latest.index.get_level_values("cutoff").max()
        share, sure = share_to_come(left.to_numpy(), cutoffs, now=now)
        own = alone.predict_proba(latest)[:, 1].mean()
        assert sure > 0
        nearer = (own + share) / 2 + sure * (share - own) / 2
        assert model.predict_proba(latest)[:, 1].mean() == pytest.approx(nearer, rel=1e-9)

    def test_past_shares_are_of_a_panel_and_no_anchor_stands_beside_them(self):
        X, left, _ = anchored_panel()
        with pytest.raises(ValueError, match="`past_shares` needs a panel with cutoffs"):
            ChurnModel(past_shares=True).fit(X.reset_index(drop=True), left)
        with pytest.raises(ValueError, match="`past_shares` is no second opinion beside the `anchor` 'silence'"):
            ChurnModel(past_shares=True, anchor="silence").fit(X, left)

    def test_an_anchor_is_a_probability(self):
        X, left, _ = anchored_panel()
        X["silence"] = X["silence"].where(X.index != X.index[7], 1.25)
        with pytest.raises(ValueError, match=r"`anchor` must hold probabilities .*; 'silence' goes .* to 1\.25\."):
            ChurnModel(anchor="silence").fit(X, left)

    def test_a_column_named_twice_goes_on_once(self):
        X, left, _ = anchored_panel()
        once, twice = (ChurnModel(n_estimators=5, extrapolate=["silence"] * n).fit(X, left) for n in (1, 2))
        assert twice.line_ == once.line_
        margin = logit(twice.predict_proba(X)[:, 1])
        assert twice.contributions(X).sum(axis=1) == pytest.approx(margin)

    def test_an_anchor_is_a_column_of_a_panel(self):
        X, left, _ = anchored_panel()
        for table, anchor in ((X, "silences"), (X.reset_index(drop=True), "silence"), (X.to_numpy(), "silence")):
            with pytest.raises(ValueError, match=f"`anchor` names '{anchor}', which is not a column of numbers"):
                ChurnModel(anchor=anchor).fit(table, left)

    def test_a_line_goes_on_where_the_trees_have_seen_nobody(self, tmp_path):
        X, left, _ = anchored_panel()
        X["silent"] = np.random.default_rng(3).integers(1, 180, len(X))
        left = (np.random.default_rng(4).random(len(X)) < expit(np.log(X["silent"]) - 4)).astype(int)
        named = {"anchor": "silence", "monotone": {"silent": 1}, "n_estimators": 40}
        standing = ChurnModel(**named).fit(X, left)
        model = ChurnModel(**named, extrapolate=["silent"]).fit(X, left)
        (slope,) = model.line_.slopes
        assert slope == pytest.approx(0.5, abs=0.1)  # half of what it is
        grown = ChurnModel(**named | {"n_estimators": 300}, extrapolate=["silent"]).fit(X, left)
        found = np.polyfit(np.log1p(X["silent"]), grown.predict_margin(X), 1)[0]
        assert found == pytest.approx(1, abs=0.2)  # the trees tell the other half, and no more
        later = X.iloc[[0, 0, 0]].assign(silent=[180, 360, 720])
        assert np.ptp(standing.predict_margin(later)) == 0
        assert np.diff(model.predict_margin(later)) == pytest.approx(slope * np.log([361 / 181, 721 / 361]))
        assert (np.diff(model.predict_proba(later)[:, 1]) > 0).all()
        # What goes on is that column's, among features and pairs alike.
        parts, column = model.contributions(later), list(X).index("silent")
        assert expit(parts.sum(axis=1)) == pytest.approx(model.predict_proba(later)[:, 1], rel=1e-9)
        moved = np.diff(parts, axis=0)
        assert moved[:, column] == pytest.approx(model.calibration_.slope * np.diff(model.predict_margin(later)))
        assert np.delete(moved, column, axis=1) == pytest.approx(0)
        assert model.interactions(later).sum(axis=2) == pytest.approx(parts[:, :-1])
        model.save(tmp_path)
        assert np.array_equal(ChurnModel.load(tmp_path).contributions(later), parts)

    def test_without_columns_to_go_on_nothing_changes(self):
        X, left, _ = anchored_panel()
        plain = ChurnModel(anchor="silence", n_estimators=5).fit(X, left)
        empty = ChurnModel(anchor="silence", n_estimators=5, extrapolate=[]).fit(X, left)
        assert empty.line_ == Line()
        assert np.array_equal(empty.predict_proba(X), plain.predict_proba(X))

    def test_what_goes_on_is_a_column_of_a_panel(self):
        X, left, _ = anchored_panel()
        X["plan"] = pd.Categorical(np.where(left, "free", "paid"))
        for table, name in ((X, "silences"), (X, "plan"), (X.reset_index(drop=True), "silence")):
            with pytest.raises(ValueError, match=f"`extrapolate` names '{name}', which is not a column of numbers"):
                ChurnModel(extrapolate=["silence", name]).fit(table, left)

    def test_contributions_add_up_to_the_calibrated_log_odds(self):
        X, left, _ = panel()
        model = ChurnModel(n_estimators=40, embargo="30d").fit(X, left)
        parts = model.contributions(X)
        assert parts.shape == (len(X), 4)
        assert expit(parts.sum(axis=1)) == pytest.approx(model.predict_proba(X)[:, 1], rel=1e-9)


class TestValueModel:
    def test_predicted_and_realised_totals_agree(self):
        X, _, spend = panel()
        refunded = spend.mask(np.arange(len(spend)) % 10 == 0, -30.0)
        for target in (spend, refunded):
            tweedie = ValueModel(law="tweedie", n_estimators=25).fit(X, target)
            assert tweedie.predict(X).sum() == pytest.approx(target.sum(), rel=1e-9)
            for law in ("gamma", "lognormal"):
                # As well as the probabilities do: a calibration through time is not exact on the rows learned from.
                assert ValueModel(law=law).fit(X, target).predict(X).sum() == pytest.approx(target.sum(), rel=0.1)
        assert (ValueModel(n_estimators=25).fit(X, refunded).predict(X) >= 0).all()

    @pytest.mark.parametrize("law", ["gamma", "lognormal"])
    def test_spend_is_the_chance_to_spend_times_what_is_spent_then(self, law, monkeypatch):
        X, left, spend = panel()
        spend = spend.where(left == 0, 0.0)
        churn = ChurnModel().fit(X, left)
        model = ValueModel(law=law).fit(X, spend, purchase=churn)
        assert model.purchase_ is churn
        if_buying = model.predict(X) / churn.predict_proba(X)[:, 0]
        assert if_buying[left == 0].sum() == pytest.approx(spend.sum(), rel=1e-9)
        monkeypatch.setattr("loyalty.models.value._WHOLE_WEIGHT", 0.0)  # what is left was grown on buyers alone
        sure = ValueModel(law=law).fit(X[left == 0], spend[left == 0])
        if_buying = ValueModel(law=law).fit(X, spend, purchase=churn).predict(X) / churn.predict_proba(X)[:, 0]
        assert sure.purchase_ is None
        assert if_buying == pytest.approx(sure.predict(X))

    @pytest.mark.parametrize("anchor", [None, "visits"])
    def test_trees_of_all_are_grown_upon_the_chance_to_buy_and_weigh_four_tenths(self, anchor, monkeypatch):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"visits": rng.integers(1, 9, 2000).astype(float), "other": rng.random(2000)})
        spend = X["visits"].to_numpy() * rng.gamma(2.0, 1.0, 2000) * (rng.random(2000) < X["visits"] / 9)
        spend[::50] = -1.0  # a refund beyond purchases is no spend
        model = ValueModel(n_estimators=30, anchor=anchor).fit(X, spend)
        positive = np.clip(spend, 0, None)
        target = positive / positive[spend > 0].mean()
        chance = model.purchase_.predict_proba(X)[:, 0]
        start = np.log(chance * target.sum() / chance.sum())
        settings = TREE_PARAMETERS | {"min_data_in_leaf": 20, "num_leaves": 14, "learning_rate": 0.03, "seed": 0}
        settings |= {"objective": "tweedie", "tweedie_variance_power": 1.3, "extra_trees": False}
        oracle = lgb.train(settings, lgb.Dataset(X.to_numpy(), target, init_score=start), 20)
        told = model.whole_.predict(X.to_numpy(), raw_score=True)
        assert model.whole_.num_trees() == 20
        assert told == pytest.approx(oracle.predict(X.to_numpy(), raw_score=True), rel=1e-9)
        mixed = model.predict(X)
        monkeypatch.setattr("loyalty.models.value._WHOLE_WEIGHT", 0.0)
        apart = mixed / model.predict(X)  # what the anchor says of a client, and the level, are the same in both
        if anchor is None:
            assert mixed.sum() == pytest.approx(model.predict(X).sum() / model.whole_scale_)
        buyers = model.booster_.predict(X.to_numpy(), raw_score=True)
        if anchor:
            buyers += model.power_ * np.log(X[anchor] / model.unit_).to_numpy()
        rest = np.log(apart) - (0.4 if anchor is None else 0.28) * (told - buyers)
        assert rest == pytest.approx(rest[0], abs=1e-9)

    def test_trees_of_all_see_who_buys_less_often_than_is_said(self, monkeypatch):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"seldom": np.tile([0.0, 1.0], 3000)})
        bought = rng.random(6000) < np.where(X["seldom"] > 0, 0.1, 0.5)
        blind = ChurnModel(n_estimators=1, learning_rate=1e-6).fit(X, ~bought)
        model = ValueModel().fit(X, 100.0 * bought, purchase=blind)
        rows = pd.DataFrame({"seldom": [0.0, 1.0]})
        assert np.divide(*model.predict(rows)) == pytest.approx(5**0.4, rel=0.1)
        assert model.predict(X).sum() == pytest.approx(100.0 * bought.sum(), rel=0.01)
        monkeypatch.setattr("loyalty.models.value._WHOLE_WEIGHT", 0.0)
        assert np.divide(*model.predict(rows)) == pytest.approx(1.0, rel=0.05)

    @pytest.mark.parametrize("clients", [1999, 2000])
    def test_trees_of_all_are_grown_on_two_thousand_rows(self, clients):
        X = pd.DataFrame({"visits": np.arange(float(clients))})
        model = ValueModel(n_estimators=3).fit(X, np.tile([0.0, 10.0], clients)[:clients])
        assert (model.whole_ is not None) is (clients == 2000)

    def test_whoever_hardly_buys_is_told_what_that_is_worth(self):
        class Exact(ChurnModel):
            def predict_read(self, values):
                return 1 - values[:, 0]

        X = pd.DataFrame({"chance": np.repeat([0.05, 0.01, 0.002], 10_000)})
        bought = np.arange(30_000) % (1 / X["chance"]).round() == 0
        model = ValueModel(min_child_samples=500).fit(X, 100.0 * bought, purchase=Exact(n_estimators=2).fit(X, ~bought))
        told = model.predict(pd.DataFrame({"chance": [0.05, 0.01, 0.002, 0.0]}))
        assert told == pytest.approx([5.0, 1.0, 0.2, 0.0], rel=0.1)

    @pytest.mark.parametrize("odds", [1e-6, 1e-15])
    def test_one_who_bought_against_all_odds_does_not_outweigh_the_others(self, odds):
        class Sure(ChurnModel):
            def predict_read(self, values):
                return np.where(values[:, 0] == 0, 1 - odds, 0.5)

        X = pd.DataFrame({"visits": np.arange(2000.0)})
        spend = np.where(np.arange(2000) % 2, np.where(X["visits"] < 500, 50.0, 100.0), 0.0)
        churn = Sure(n_estimators=2).fit(X, spend == 0)
        plain = ValueModel(n_estimators=60).fit(X, spend, purchase=churn).predict(X)
        spend[0] = 50.0
        model = ValueModel(n_estimators=60).fit(X, spend, purchase=churn)
        assert model.whole_.num_trees() == 40  # LightGBM ends at the first tree where one row outweighs all
        assert model.predict(X)[1:] == pytest.approx(plain[1:], rel=0.1)

    @pytest.mark.parametrize("buyers", [1, 2])
    def test_one_buyer_is_enough(self, buyers):
        X = pd.DataFrame({"orders": np.arange(1000.0)})
        spend = np.zeros(1000)
        spend[[3, 700][:buyers]] = 50.0
        assert ValueModel(n_estimators=5).fit(X, spend).predict(X).sum() == pytest.approx(spend.sum(), rel=0.5)
        assert np.isfinite(SpendIntervals(n_estimators=5).fit(X, spend).predict(X)).all()

    def test_a_forecast_tells_both_parts(self):
        X, left, spend = panel()
        spend = spend.where(left == 0, 0.0)
        churn = ChurnModel(n_estimators=25).fit(X, left)
        told = ValueModel(n_estimators=25).fit(X, spend, purchase=churn).forecast(X)
        assert told.index.equals(X.index)
        assert told["purchase_probability"].tolist() == churn.predict_proba(X)[:, 0].tolist()
        stays = ValueModel(n_estimators=25).fit(X[left == 0], spend[left == 0]).forecast(X)
        assert (stays["purchase_probability"] == 1).all()
        none = ValueModel(n_estimators=25).fit(X, np.zeros(len(X))).forecast(X)
        assert (none == 0).all(axis=None)
        tweedie = ValueModel(law="tweedie", n_estimators=25).fit(X, spend)
        assert tweedie.forecast(X)["purchase_probability"].isna().all()
        assert tweedie.forecast(X)["expected_value"].tolist() == tweedie.predict(X).tolist()

    def test_a_second_opinion_weighs_three_tenths_of_a_client_and_sets_the_sum(self):
        X, _, spend = panel()
        other = np.where(np.arange(len(X)) % 3, 50.0, np.nan)
        other[::9] = 0.0  # no opinion that a logarithm could tell
        both = X.assign(other=other)
        alone = ValueModel().fit(both, spend)
        anchored = ValueModel(anchor="other").fit(both, spend, purchase=alone.purchase_)
        buys = alone.purchase_.predict_proba(both)[:, 0]
        told = other > 0
        expected = (alone.predict(both) / buys) ** 0.7 * np.where(told, other, 1.0) ** 0.3 * buys
        assert anchored.predict(both)[told] == pytest.approx(anchored.level_ * expected[told])
        assert anchored.predict(both)[~told] == pytest.approx(anchored.level_ * alone.predict(both)[~told])
        with pytest.raises(ValueError, match="`anchor` names 'another', which is not a column"):
            ValueModel(anchor="another").fit(both, spend)

    @pytest.mark.parametrize("law", ["lognormal", "gamma"])
    def test_what_a_client_spends_goes_on_with_the_second_opinion(self, law, tmp_path):
        rng = np.random.default_rng(0)
        opinion = rng.lognormal(3.0, 0.5, 3000)
        X = pd.DataFrame({"opinion": opinion})
        spend = opinion**1.2 * rng.lognormal(0.0, 0.3, 3000)
        model = ValueModel(law=law, anchor="opinion").fit(X, spend)
        assert model.power_ == pytest.approx(1.2 / 4, abs=0.02)
        more, most = (X.head(1).assign(opinion=size) for size in (opinion.max(), 10 * opinion.max()))
        # Trees stand still beyond the largest, those of all whatever it says; three tenths are the opinion's own.
        trees = 0.7 * (1.0 if law == "gamma" else 0.6)
        assert model.predict(most) / model.predict(more) == pytest.approx(10 ** (trees * model.power_ + 0.3))
        told = model.predict(X)
        # Within it the trees tell what the power leaves: 1.2 in all, of which the opinion's own part takes its share.
        assert np.polyfit(np.log(opinion), np.log(told), 1)[0] == pytest.approx(0.7 * 1.2 + 0.3, abs=0.05)
        model.save(tmp_path)
        assert ValueModel.load(tmp_path).predict(most).tolist() == model.predict(most).tolist()
        # A currency of smaller coins changes the figures, not what is said.
        coins = ValueModel(law=law, anchor="opinion").fit(1000 * X, 1000 * spend)
        assert coins.power_ == pytest.approx(model.power_)
        assert coins.predict(1000 * X) == pytest.approx(1000 * told, rel=1e-6)

    @pytest.mark.parametrize(
        ("opinion", "power"),
        [
            (lambda spend: 1 / spend, 0.0),  # the more it says, the less is spent
            (lambda spend: spend**0.25, 0.5),  # no faster than its square
            (lambda spend: np.full(len(spend), 7.0), 0.0),
            (lambda spend: 7.0 + 1e-9 * np.log(spend), 0.0),
            (lambda spend: np.full(len(spend), np.nan), 0.0),
            (lambda spend: -spend, 0.0),
        ],
        ids=["falling", "steep", "constant", "alike", "missing", "negative"],
    )
    def test_an_opinion_that_cannot_be_carried_on_is_not(self, opinion, power):
        spend = np.random.default_rng(0).lognormal(3.0, 1.0, 500)
        X = pd.DataFrame({"opinion": opinion(spend)})
        model = ValueModel(anchor="opinion", n_estimators=5).fit(X, spend)
        assert model.power_ == pytest.approx(power)
        assert np.isfinite(model.predict(X)).all()

    def test_the_sum_over_the_clients_as_they_stand_now_is_the_second_opinions(self):
        X, _, spend = panel()
        told = X.assign(other=50.0)
        now = told.iloc[:40].assign(other=20.0)
        plain = told.reset_index(drop=True)  # without cutoffs nothing is known of how its errors last
        model = ValueModel(anchor="other").fit(plain, spend.to_numpy(), latest=now.reset_index(drop=True))
        buys = model.purchase_.predict_proba(now)[:, 0]
        assert model.predict(now).sum() == pytest.approx((20.0 * buys).sum())

    def test_of_what_the_second_opinion_was_off_the_lasting_share_is_expected_again(self):
        X, _, spend = panel()
        told = X.assign(other=50.0)
        model = ValueModel(anchor="other", embargo="1000d").fit(
            told, spend
        )  # all outcomes overlap: barely more than one
        churn, cutoffs = model.purchase_, X.index.get_level_values("cutoff")
        opinion = pd.Series(50.0 * churn.predict_proba(told)[:, 0], index=cutoffs).groupby(level=0).sum()
        errors = np.log(spend.groupby(level="cutoff").sum() / opinion)
        years = (cutoffs.max() - cutoffs.min() + pd.Timedelta(days=1000)) / pd.Timedelta(days=365.25)
        latest = told[cutoffs == cutoffs.max()]
        wanted = opinion.iloc[-1] * np.exp(errors.mean() * years / (years + 4))
        assert model.predict(latest).sum() == pytest.approx(wanted)

    def test_of_a_giant_nothing_is_learned_and_the_second_opinion_alone_speaks(self, tmp_path):
        rng = np.random.default_rng(0)
        others = pd.DataFrame({"visits": rng.integers(1, 9, 1500).astype(float)}).assign(told=lambda t: 10 * t.visits)
        spend = others["told"] * rng.gamma(4.0, 0.25, 1500)
        giant = pd.DataFrame({"visits": 5.0, "told": [9000.0]})  # others: 67,000 in all
        plain = ValueModel(anchor="told", n_estimators=20).fit(others, spend)
        model = ValueModel(anchor="told", n_estimators=20).fit(pd.concat([others, giant]), [*spend, 12_000.0])
        assert model.predict(others) == pytest.approx(plain.predict(others), rel=1e-12)
        assert model.predict(giant) == pytest.approx([9000.0])
        model.save(tmp_path)
        loaded = ValueModel.load(tmp_path)
        assert (loaded.predict(pd.concat([others, giant])) == model.predict(pd.concat([others, giant]))).all()

    @pytest.mark.parametrize(
        ("clients", "share", "is_giant"),
        [(1000, 0.101, True), (1000, 0.099, False), (200, 0.24, False), (200, 0.26, True), (5000, 0.101, True)],
    )
    def test_a_giant_is_worth_a_tenth_of_all_and_fifty_of_the_mean(self, clients, share, is_giant):
        told = np.full(clients, (1 - share) / (clients - 1))
        told[0] = share
        X = pd.DataFrame({"told": 1e5 * told})
        model = ValueModel(anchor="told", n_estimators=2).fit(X, np.where(np.arange(clients) == 0, 9e9, 30.0))
        assert (model.predict(X.iloc[:1]) == pytest.approx(1e5 * share, rel=1e-9)) is is_giant

    def test_where_all_who_spent_would_be_giants_nobody_is_one(self):
        """A shop that has shrunk to a thousandth: learned from are only those of whom 10,000 was expected."""
        then = pd.DataFrame({"told": np.full(300, 10_000.0)})
        now = pd.DataFrame({"told": np.full(1000, 10.0)})
        model = ValueModel(anchor="told", n_estimators=2).fit(then, np.full(300, 8_000.0), latest=now)
        assert np.isinf(model.giant_)
        assert model.predict(now).sum() == pytest.approx(10_000.0)

    def test_what_the_anchor_of_all_others_was_always_off_by_is_expected_of_a_giant_too(self, tmp_path):
        index = pd.MultiIndex.from_product(
            [range(1001), pd.date_range("2022-01-01", periods=9, freq="91D")], names=["client_id", "cutoff"]
        )
        X = pd.DataFrame({"told": np.where(index.get_level_values(0) == 0, 9000.0, 10.0)}, index=index)
        spend = X["told"] * np.where(X["told"] > 10, 3.0, 0.5)  # what the giant itself was off by tells nothing
        model = ValueModel(anchor="told", n_estimators=2, embargo="91d").fit(X, spend)
        others, giant = model.predict(X.iloc[[-1]]), model.predict(X.iloc[[0]])
        assert giant / 9000 == pytest.approx(others / 10)
        assert 0.49 < float(giant[0]) / 9000 < 0.52
        model.save(tmp_path)
        assert ValueModel.load(tmp_path).predict(X.iloc[[0]]).tolist() == giant.tolist()

    def test_of_those_who_seldom_buy_the_spend_if_so_is_compared(self):
        """Nobody would spend a tenth of what all would, though all together are expected to spend a twentieth of it."""
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"told": rng.lognormal(3.0, 1.0, 1000)})
        assert X["told"].max() < 0.1 * X["told"].sum()
        model = ValueModel(anchor="told", n_estimators=2).fit(X, X["told"] * (rng.random(1000) < 0.05))
        assert not (X["told"] > model.giant_).any()
        assert model.giant_ == pytest.approx(0.1 * X["told"].sum())

    def test_without_an_opinion_of_those_who_stand_now_nobody_is_a_giant(self):
        X = pd.DataFrame({"told": np.tile([0.0, 30.0], 200)})
        now = X.assign(told=np.nan)
        assert np.isinf(ValueModel(anchor="told", n_estimators=2).fit(X, np.full(400, 30.0), latest=now).giant_)

    def test_refunds_lower_every_prediction(self):
        X, _, spend = panel()
        refunded = spend.mask(spend == 0, -5.0)
        clean = ValueModel(n_estimators=25).fit(X, spend)
        dirty = ValueModel(n_estimators=25).fit(X, refunded)
        assert dirty.predict(X) / clean.predict(X) == pytest.approx(refunded.sum() / spend.sum())
        assert refunded.sum() < spend.sum()

    @pytest.mark.parametrize("spend", [0.0, -3.0], ids=["nobody spent anything", "refunds only"])
    def test_nothing_spent_is_nothing_expected(self, spend, tmp_path, capfd):
        X, left, _ = panel()
        model = ValueModel(n_estimators=5).fit(X, 0.0 * left + spend)
        assert (model.predict(X) == 0).all()
        model.save(tmp_path)
        assert (ValueModel.load(tmp_path).predict(X) == 0).all()
        assert capfd.readouterr().out == ""

    def test_refunds_that_outweigh_all_spend_take_half_and_not_all(self):
        X, _, spend = panel()
        returned = spend.mask(spend < 200, -200.0)
        assert returned.sum() < 0
        predicted = ValueModel(law="tweedie", n_estimators=5).fit(X, returned).predict(X)
        assert predicted.sum() == pytest.approx(0.5 * returned.clip(lower=0).sum())

    @pytest.mark.parametrize("factor", [1000.0, 1e-4, 1e9])
    def test_the_currency_does_not_matter(self, factor):
        X, _, spend = panel()
        money = {"amount_sum_90d": factor * X["amount_sum_90d"]}
        plain = ValueModel(n_estimators=50).fit(X, spend).predict(X)
        scaled = ValueModel(n_estimators=50).fit(X.assign(**money), factor * spend).predict(X.assign(**money))
        assert scaled == pytest.approx(factor * plain, rel=1e-4)

    def test_of_two_with_the_same_logarithms_the_less_steady_one_spends_more(self, monkeypatch):
        rng = np.random.default_rng(0)
        steady = rng.random(8000) < 0.5
        X = pd.DataFrame({"steady": steady.astype(float)})
        spend = np.exp(3 + rng.normal(size=8000) * np.where(steady, 0.3, 1.2))
        mean = [float(spend[~steady].mean()), float(spend[steady].mean())]
        rows = pd.DataFrame({"steady": [0.0, 1.0]})
        assert mean[0] / mean[1] == pytest.approx(np.exp((1.2**2 - 0.3**2) / 2), rel=0.1)
        assert ValueModel(n_estimators=600).fit(X, spend).predict(rows) == pytest.approx(mean, rel=0.05)
        for trees in ("_MEAN_TREES_PER_LOG_TREE", "_WHOLE_WEIGHT"):
            monkeypatch.setattr(f"loyalty.models.value.{trees}", 0.0)
        alone = ValueModel(n_estimators=600).fit(X, spend).predict(rows)
        assert alone[0] == pytest.approx(alone[1], rel=0.05)

    @pytest.mark.parametrize("anchor", [None, "amount_sum_90d"])
    def test_trees_of_the_mean_start_from_those_of_logarithms(self, anchor, monkeypatch):
        monkeypatch.setattr("loyalty.models.value._WHOLE_WEIGHT", 0.0)
        X, _, spend = panel()
        X, spend = X[spend > 0], spend[spend > 0].to_numpy()
        model = ValueModel(n_estimators=30, anchor=anchor).fit(X, spend)
        target = spend / model.unit_
        if anchor:
            target /= (X[anchor] / model.unit_).fillna(1.0).to_numpy() ** model.power_
            assert abs(target.sum() / len(target) - 1) > 0.01  # what is left is not of mean one
        settings = TREE_PARAMETERS | row_settings(100, len(X)) | {"num_leaves": 7, "learning_rate": 0.03, "seed": 0}
        first = lgb.train(settings | {"objective": "regression"}, lgb.Dataset(X.to_numpy(), np.log(target)), 30)
        start = first.predict(X.to_numpy())
        scaled = target * np.exp(start).sum() / target.sum()
        then = lgb.train(settings | {"objective": "poisson"}, lgb.Dataset(X.to_numpy(), scaled, init_score=start), 10)
        assert model.booster_.num_trees() == 40
        told = model.booster_.predict(X.to_numpy(), raw_score=True)
        assert told == pytest.approx(start + then.predict(X.to_numpy(), raw_score=True), rel=1e-6)
        if anchor is None:
            assert model.predict(X) == pytest.approx(np.exp(told) * spend.sum() / np.exp(told).sum(), rel=1e-9)

    def test_one_enormous_order_leaves_everybody_finite_and_the_total_right(self):
        X, _, spend = panel()
        spend = spend.where(spend > 0, 1.0)
        spend.iloc[7] = 1e12
        told = ValueModel(n_estimators=50).fit(X, spend).predict(X)
        assert np.isfinite(told).all()
        assert (told > 0).all()
        assert told.sum() == pytest.approx(spend.sum(), rel=1e-9)

    def test_a_single_tree_is_of_logarithms(self):
        X, _, spend = panel()
        model = ValueModel(n_estimators=1).fit(X, spend)
        assert model.booster_.num_trees() == 1
        assert model.predict(X).sum() == pytest.approx(spend.sum(), rel=0.1)

    def test_who_spends_more_is_expected_to(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"amount_sum_90d": rng.gamma(2.0, 50.0, 2000)})
        model = ValueModel().fit(X, X["amount_sum_90d"] * rng.binomial(1, 0.5, 2000))
        low, high = model.predict(pd.DataFrame({"amount_sum_90d": [40.0, 200.0]}))
        assert low == pytest.approx(20, rel=0.25)
        assert high == pytest.approx(100, rel=0.25)

    def test_an_unknown_law_is_refused(self):
        X, _, spend = panel(clients=5)
        with pytest.raises(ValueError, match="`law` must be one of 'lognormal', 'gamma', 'tweedie'; got 'normal'"):
            ValueModel(law="normal").fit(X, spend)


@pytest.mark.parametrize(
    "model", [ChurnModel(n_estimators=5), ValueModel(n_estimators=5), SpendIntervals(n_estimators=5)]
)
def test_a_target_in_another_order_is_refused(model):
    X, left, _ = panel()
    with pytest.raises(ValueError, match="`y` must have the rows of `X` in their order"):
        model.fit(X, left[::-1])
    by_position = left[::-1].reset_index(drop=True)
    assert model.fit(X, by_position).feature_names_in_.tolist() == list(X)


def test_leaves_fit_small_tables():
    assert [leaf_size(100, rows) for rows in (1, 19, 40, 1999, 2000, 10**6)] == [1, 1, 2, 99, 100, 100]


def test_threads():
    assert [threads(None, 10**6), threads(None, 10**6 + 1), threads(3, 10**7), threads(2, 1)] == [1, 0, 3, 2]


def test_trees_are_silent(capfd):
    X, left, spend = panel(clients=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ChurnModel(n_estimators=2).fit(X, left)
        ValueModel(n_estimators=2).fit(X, spend)
    assert capfd.readouterr() == ("", "")
