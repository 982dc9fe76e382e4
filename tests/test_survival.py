"""Time to churn: exact with lives cut short, calibrated through time, and against oracles and figures of others."""

import importlib.util
import json
import subprocess
import sys
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.special import expit
from scipy.stats import weibull_min
from sklearn.utils.estimator_checks import parametrize_with_checks
from sksurv.nonparametric import kaplan_meier_estimator

from loyalty.evaluation import survival_metrics
from loyalty.features import build_panel
from loyalty.histories import Histories
from loyalty.labels import CensoredHorizonWarning, build_durations
from loyalty.models import survival
from loyalty.models._survival_baselines import count_lives, weibull_loss
from loyalty.models.survival import KaplanMeier, PersonPeriods, SurvivalModel, WeibullModel
from loyalty.models.trees import TREE_PARAMETERS, leaf_size

ADDRESS = "ann.smith@example.org"
QUICK = {"n_estimators": 20, "learning_rate": 0.1}


class OfOneTarget:
    """Let scikit-learn's checks, which know of one target, fit lives: every other value is one cut short."""

    def fit(self, X, y):
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        codes = np.unique(np.asarray(y), return_inverse=True)[1]
        return super().fit(X, codes % 5 + 1, codes % 2 == 0)


class CheckedTrees(OfOneTarget, SurvivalModel):
    pass


class CheckedKaplanMeier(OfOneTarget, KaplanMeier):
    pass


class CheckedWeibull(OfOneTarget, WeibullModel):
    pass


@parametrize_with_checks([CheckedTrees(n_estimators=20), CheckedKaplanMeier(), CheckedWeibull()])
@pytest.mark.filterwarnings("ignore")
def test_obeys_scikit_learn(estimator, check):
    check(estimator)


def panel(clients=150, cutoffs=("2024-01-01", "2024-01-31", "2024-03-01", "2024-03-31"), seed=0, until="2024-07-29"):
    """A panel with missing values, lives of geometric length in periods of 30 days, and what is known of them."""
    rng = np.random.default_rng(seed)
    names = [ADDRESS, *(f"client-{i}" for i in range(1, clients))]
    index = pd.MultiIndex.from_product([pd.to_datetime(list(cutoffs)), names], names=["cutoff", "client_id"])
    index = index.swaplevel()
    X = pd.DataFrame(
        {
            "days_since_last": rng.integers(1, 200, len(index)).astype(float),
            "gap_days_mean": rng.gamma(2.0, 15.0, len(index)),
            "amount_sum_90d": rng.gamma(2.0, 50.0, len(index)),
        },
        index=index,
    ).mask(rng.random((len(index), 3)) < 0.1)
    life = rng.geometric(expit((X["days_since_last"].fillna(100) - 180) / 40))
    followed = np.asarray((pd.Timestamp(until) - index.get_level_values("cutoff")) // pd.Timedelta(days=30))
    lives = pd.DataFrame({"duration": np.minimum(life, followed), "churned": (life <= followed).astype(int)}, index)
    lives.attrs.update(period_days=30, silence_days=0)
    return X, lives["duration"], lives["churned"]


def expanded(values, duration, churned, changing=()):
    """The person-period table as a plain loop."""
    rows, target = [], []
    for i, life in enumerate(duration):
        for k in range(1, life + 1):
            rows.append([*values[i], k, *(column[i][k - 1] for column in changing)])
            target.append(1 if churned[i] and k == life else 0)
    return np.array(rows, dtype=float), np.array(target)


lives_drawn = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=12).map(
    lambda rows: [(life, left if life else 0) for life, left in rows]
)


class TestPersonPeriods:
    @settings(max_examples=60)
    @given(rows=lives_drawn, cut=st.tuples(st.integers(0, 60), st.integers(0, 60)), block=st.integers(1, 7))
    def test_is_the_table_of_a_loop_whatever_the_blocks(self, rows, cut, block):
        lives, left = np.array(rows).T
        values = np.arange(2.0 * len(lives)).reshape(-1, 2)
        moving = [np.arange(5.0 * len(lives)).reshape(-1, 5)]
        table = PersonPeriods(values, moving, np.arange(len(lives)), lives)
        whole, target = expanded(values, lives, left, moving)
        assert len(table) == len(whole)
        assert table.left(left).tolist() == target.tolist()
        if len(whole):
            parts = [table[start : start + block] for start in range(0, len(table), block)]
            assert np.array_equal(np.concatenate(parts), whole)
            assert np.array_equal(table[slice(*cut)], whole[slice(*cut)])
            assert all(np.array_equal(table[i], whole[i]) for i in [*range(len(whole)), 0, len(whole) // 2])

    def test_some_rows_only_and_in_their_order(self):
        values = np.array([[10.0], [20.0], [30.0]])
        table = PersonPeriods(values, [], np.array([2, 0]), np.array([1, 2]))
        assert table[0:3].tolist() == [[30, 1], [10, 1], [10, 2]]

    def test_trees_grown_on_it_are_those_of_the_whole_table(self):
        X, duration, churned = panel()
        model = SurvivalModel(**QUICK).fit(X, duration, churned)
        whole, target = expanded(X.to_numpy(), duration.to_numpy(), churned.to_numpy())
        parameters = {
            **TREE_PARAMETERS, "objective": "binary", "num_leaves": 7, "learning_rate": 0.1, "seed": 0,
            "num_threads": 1, "min_data_in_leaf": leaf_size(100, len(whole)),
        }  # fmt: skip
        oracle = lgb.train(parameters, lgb.Dataset(whole, target), 20)
        assert oracle.model_to_string() == model.booster_.model_to_string()


class TestSurvivalModel:
    def test_curves_are_the_calibrated_hazards_of_the_trees(self):
        X, duration, churned = panel()
        model = SurvivalModel(**QUICK).fit(X, duration, churned)
        slope, level = model.calibration_.slope, model.calibration_.level
        assert (slope, level) != (1.0, 0.0)
        hazard = model.predict_hazard(X)
        assert hazard.shape == (len(X), model.periods_) == (len(X), 7)
        stays = np.ones(len(X))
        for k in range(1, 8):
            raw = model.booster_.predict(np.column_stack([X, np.full(len(X), k)]), raw_score=True)
            assert hazard[:, k - 1] == pytest.approx(expit(level + slope * raw), rel=1e-12)
            stays = stays * (1 - hazard[:, k - 1])
            assert model.predict_survival(X)[:, k - 1] == pytest.approx(stays, rel=1e-12)
        assert np.array_equal(model.predict_survival(X, 3), model.predict_survival(X)[:, :3])

    def test_learns_who_leaves_and_when(self):
        """Hazards that rise with a feature and fall with time come back, though half of the lives are cut short."""
        rng = np.random.default_rng(1)
        silent = rng.integers(0, 2, 6000)
        true = np.array([[0.10, 0.04, 0.04], [0.40, 0.20, 0.20]])
        leaves = rng.random((6000, 3)) < true[silent]
        life = np.where(leaves.any(axis=1), leaves.argmax(axis=1) + 1, 4)
        seen = rng.integers(0, 4, 6000)  # a quarter is followed for no period at all
        X = pd.DataFrame({"silent": silent, "noise": rng.normal(size=6000)})
        model = SurvivalModel().fit(X, np.minimum(life, seen), life <= seen)
        found = model.predict_hazard(pd.DataFrame({"silent": [0, 1], "noise": [0.0, 0.0]}))
        # the cell with the fewest at risk holds 700: standard error .015
        assert found == pytest.approx(true, abs=0.05)

    def test_a_client_counts_in_the_periods_it_was_observed_for_and_no_further(self):
        """Clients followed for no period change nothing; were they taken as staying, or leaving, they would."""
        X, duration, churned = panel()
        more = pd.concat([X, X.iloc[:50]])
        fitted = [
            SurvivalModel(**QUICK, period="30d").fit(x, d.to_numpy(), c.to_numpy())
            for x, d, c in (
                (X, duration, churned),
                (more, pd.concat([duration, 0 * duration[:50]]), pd.concat([churned, 0 * churned[:50]])),
            )
        ]
        assert fitted[0].booster_.model_to_string() == fitted[1].booster_.model_to_string()
        assert fitted[0].calibration_ == fitted[1].calibration_

    def test_trees_that_calibrate_see_only_periods_decided_by_then(self, monkeypatch):
        """Every row carries its cutoff in a feature, so what each set of trees saw can be read off."""
        X, duration, churned = panel()
        day = X.index.get_level_values("cutoff").dayofyear.to_numpy(dtype=float)
        grown, asked = [], []
        grow, margin = SurvivalModel._grow, SurvivalModel._margin

        def seen_in(table):
            whole = table[0 : len(table)]
            return {d: int(whole[whole[:, 0] == d, 3].max()) for d in np.unique(whole[:, 0])}

        monkeypatch.setattr(
            SurvivalModel, "_grow", lambda s, t, c: grown.append((seen_in(t), t.left(c))) or grow(s, t, c)
        )
        monkeypatch.setattr(SurvivalModel, "_margin", lambda s, b, t: asked.append(seen_in(t)) or margin(s, b, t))
        X = X.assign(days_since_last=day)
        model = SurvivalModel(n_estimators=3).fit(X, duration, churned)
        # cutoffs on days 1, 31, 61, 91; a period is 30 days: on day 61 two periods of day 1 are over, one of day 31
        everything = {1: 7, 31: 6, 61: 5, 91: 4}
        assert [seen for seen, _ in grown] == [{1: 1}, {1: 2, 31: 1}, {1: 3, 31: 2, 61: 1}, everything]
        assert asked == [{31: 1}, {61: 2}, {91: 3}], "and no calibrator is fitted beyond what its trees saw"
        assert model.calibration_cutoffs_ == tuple(pd.to_datetime(["2024-01-31", "2024-03-01", "2024-03-31"]))
        first = X.index.get_level_values("cutoff") == pd.Timestamp("2024-01-01")
        assert grown[0][1].sum() == ((duration == 1) & (churned == 1) & first).sum()
        del grown[:], asked[:]
        SurvivalModel(n_estimators=3, silence="30d").fit(X, duration, churned)
        assert [seen for seen, _ in grown] == [{1: 1}, {1: 2, 31: 1}, everything], "each decided 30 days later"
        assert asked == [{61: 1}, {91: 2}]

    @pytest.mark.parametrize(("silence", "held_out"), [("30d", 2), ("31d", 1), ("60d", 1), ("90d", 0)])
    def test_a_period_is_decided_when_the_silence_after_it_is_over(self, silence, held_out):
        X, duration, churned = panel()
        model = SurvivalModel(n_estimators=3, silence=silence).fit(X, duration, churned)
        later = X.index.get_level_values("cutoff").unique()
        assert model.calibration_cutoffs_ == tuple(later[len(later) - held_out :])

    def test_what_is_decided_later_does_not_reach_the_calibrator(self):
        """Turn the outcomes of the second period: cutoffs 30 days apart calibrate on the first alone."""
        cutoffs = ("2024-01-01", "2024-01-31")
        X, duration, churned = panel(cutoffs=cutoffs, until="2024-03-31")
        turned = churned.where(duration != 2, 1 - churned)
        assert (turned != churned).sum() > 50
        fitted = [SurvivalModel(**QUICK).fit(X, duration, y) for y in (churned, turned)]
        assert fitted[0].calibration_ == fitted[1].calibration_
        assert fitted[0].calibration_cutoffs_ == (pd.Timestamp("2024-01-31"),)
        assert fitted[0].booster_.model_to_string() != fitted[1].booster_.model_to_string()

    def test_period_and_silence_are_those_of_the_durations(self):
        X, duration, churned = panel()
        duration.attrs.update(period_days=60, silence_days=30)
        carried = SurvivalModel(n_estimators=3).fit(X, duration, churned)
        plain = duration.to_numpy()
        given = SurvivalModel(n_estimators=3, period="60d", silence="30d").fit(X, plain, churned)
        assert carried.calibration_ == given.calibration_
        assert carried.calibration_cutoffs_ == given.calibration_cutoffs_ == (pd.Timestamp("2024-03-31"),)

    def test_a_panel_without_a_period_is_told_and_not_calibrated(self):
        X, duration, churned = panel()
        with pytest.warns(UserWarning, match="`period` is not known") as told:
            model = SurvivalModel(n_estimators=3).fit(X, duration.to_numpy(), churned)
        assert told[0].filename == __file__
        assert model.calibration_cutoffs_ == ()
        assert (model.calibration_.slope, model.calibration_.level) == (1.0, 0.0)

    def test_is_calibrated_out_of_time(self):
        """Where a tenth leaves in every period by chance alone, no curve of the next cutoff strays far from 0.9^k."""
        rng = np.random.default_rng(5)
        X, duration, _ = panel(clients=1500)
        followed = duration.groupby("cutoff").transform("max")
        life = rng.geometric(0.1, len(X))
        lives = np.minimum(life, followed)
        lives.attrs.update(period_days=30, silence_days=0)
        model = SurvivalModel().fit(X, lives, life <= followed)
        fresh = panel(clients=1500, cutoffs=("2024-04-30",), seed=9)[0]
        assert model.predict_survival(fresh).mean(axis=0) == pytest.approx(0.9 ** np.arange(1, 8), abs=0.02)
        assert model.calibration_.slope < 1  # the trees were too sure of what is chance

    def test_features_may_change_from_period_to_period(self, tmp_path):
        """Where all leave at the end of a contract, the months until then tell when."""
        rng = np.random.default_rng(2)
        due = rng.integers(1, 7, 3000)
        ends = (np.arange(1, 7) == due[:, None]).astype(float)
        life = np.where(rng.random(3000) < 0.8, due, 7)
        X = pd.DataFrame({"noise": rng.normal(size=3000)})
        lives = np.minimum(life, 6), life <= 6
        model = SurvivalModel(n_estimators=100, learning_rate=0.1).fit(X, *lives, changing={"ends": ends})
        curve = model.predict_survival(X.head(2), 5, changing={"ends": ends[[0, 1]] * 0 + np.eye(6)[[1, 3]]})
        assert curve == pytest.approx(np.array([[1, 0.2, 0.2, 0.2, 0.2], [1, 1, 1, 0.2, 0.2]]), abs=0.05)
        assert model.median_remaining_life(X.head(1), changing={"ends": np.eye(6)[[4]]}).tolist() == [5]
        mean = model.expected_remaining_life(X.head(1), 4, changing={"ends": np.eye(6)[[1]]})
        assert mean == pytest.approx([1 + 1 + 0.2 + 0.2], abs=0.1)
        model.save(tmp_path)
        back = SurvivalModel.load(tmp_path)
        assert np.array_equal(
            back.predict_hazard(X, changing={"ends": ends}), model.predict_hazard(X, changing={"ends": ends})
        )
        for wrong in (None, {}, {"end": ends}, {"ends": ends, "more": ends}):
            with pytest.raises(ValueError, match=r"`changing` must hold the features of the fit, \['ends'\]"):
                back.predict_survival(X, changing=wrong)
        for wrong in (ends[:, :5], ends[:-1], ends[:, 0]):
            with pytest.raises(ValueError, match=r"`changing` must have 3000 rows and at least 6 periods in 'ends'"):
                back.predict_survival(X, changing={"ends": wrong})
        with pytest.raises(ValueError, match="`changing` must not hold infinity in 'ends'"):
            back.predict_survival(X, changing={"ends": ends + np.inf})

    def test_the_order_in_which_changing_features_are_given_does_not_matter(self):
        X, duration, churned = panel()
        rng = np.random.default_rng(0)
        one, two = rng.normal(size=(2, len(X), 7))
        model = SurvivalModel(**QUICK).fit(X, duration, churned, changing={"one": one, "two": two})
        curves = [
            model.predict_survival(X, changing=given) for given in ({"one": one, "two": two}, {"two": two, "one": one})
        ]
        assert np.array_equal(*curves)

    def test_curves_do_not_depend_on_the_block(self, monkeypatch):
        X, duration, churned = panel()
        model = SurvivalModel(n_estimators=3).fit(X, duration, churned)
        whole = model.predict_survival(X)
        monkeypatch.setattr(survival, "_BLOCK_NUMBERS", 37)
        assert np.array_equal(model.predict_survival(X), whole)
        again = SurvivalModel(n_estimators=3).fit(X, duration, churned)
        assert again.booster_.model_to_string() == model.booster_.model_to_string()
        assert again.calibration_ == model.calibration_

    def test_nobody_left_and_nobody_stayed_are_refused(self):
        X, duration, churned = panel()
        with pytest.raises(ValueError, match="hold both leaving and staying; nobody left"):
            SurvivalModel().fit(X, duration, 0 * churned)
        with pytest.raises(ValueError, match="nobody stayed through any period"):
            SurvivalModel().fit(X, 0 * duration + 1, 0 * churned + 1)

    def test_works_on_a_handful_of_rows(self):
        X, _, _ = panel(clients=2)
        model = SurvivalModel(n_estimators=3, period="30d").fit(X, [1, 2] * 4, [0, 1] * 4)
        assert np.isfinite(model.predict_survival(X)).all()

    def test_is_silent(self, capfd):
        X, duration, churned = panel(clients=20)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SurvivalModel(n_estimators=2).fit(X, duration, churned).predict_survival(X)
        assert capfd.readouterr() == ("", "")


class TestFiles:
    def test_comes_back_from_disk_the_same_to_the_last_bit(self, tmp_path):
        X, duration, churned = panel()
        model = SurvivalModel(**QUICK, silence=pd.Timedelta(days=14), n_jobs=1).fit(X, duration, churned)
        model.save(tmp_path)
        files = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
        assert sorted(files) == ["survival.json", "survival.txt"]
        json.loads(files["survival.json"], parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        assert not any(ADDRESS in text or "client-1" in text for text in files.values())
        back = SurvivalModel.load(tmp_path)
        assert np.array_equal(back.predict_survival(X), model.predict_survival(X))
        assert (back.periods_, back.silence, back.period) == (7, "14d", None)
        assert back.calibration_ == model.calibration_
        assert back.calibration_cutoffs_ == model.calibration_cutoffs_
        with pytest.raises(ValueError, match="feature names should match"):
            back.predict_survival(X[X.columns[::-1]])
        (tmp_path / "again").mkdir()
        back.save(tmp_path / "again")
        assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "again").iterdir()} == files

    def test_cutoffs_keep_their_zone(self, tmp_path):
        X, duration, churned = panel(clients=30)
        model = SurvivalModel(n_estimators=5, period="30d").fit(X, duration, churned)
        model.save(tmp_path)
        kept = json.loads((tmp_path / "survival.json").read_text(encoding="utf-8"))["calibration_cutoffs"]
        assert kept == [f"{cutoff:%Y-%m-%d} 00:00:00" for cutoff in model.calibration_cutoffs_] != []
        X.index = X.index.set_levels(X.index.levels[1].tz_localize("Asia/Seoul"), level="cutoff")
        model = SurvivalModel(n_estimators=5, period="30d").fit(
            X, duration.set_axis(X.index), churned.set_axis(X.index)
        )
        model.save(tmp_path)
        assert SurvivalModel.load(tmp_path).calibration_cutoffs_ == model.calibration_cutoffs_

    def test_another_process_draws_the_same_curves(self, tmp_path):
        X, duration, churned = panel(clients=30)
        model = SurvivalModel(n_estimators=5).fit(X, duration, churned)
        model.save(tmp_path)
        X.to_parquet(tmp_path / "x.parquet")
        code = (
            "import sys, numpy as np, pandas as pd; from pathlib import Path\n"
            "from loyalty.models.survival import SurvivalModel\n"
            "folder = Path(sys.argv[1])\n"
            "curves = SurvivalModel.load(folder).predict_survival(pd.read_parquet(folder / 'x.parquet'))\n"
            "np.save(folder / 'curves.npy', curves)\n"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)  # noqa: S603
        assert np.array_equal(np.load(tmp_path / "curves.npy"), model.predict_survival(X))

    def test_what_was_fitted_on_an_array_cannot_be_saved(self, tmp_path):
        X, duration, churned = panel(clients=20)
        model = SurvivalModel(n_estimators=2).fit(X.to_numpy(), duration.to_numpy(), churned.to_numpy())
        with pytest.raises(ValueError, match="Fit it on a DataFrame"):
            model.save(tmp_path)
        assert list(tmp_path.iterdir()) == []


MODELS = {"trees": SurvivalModel(**QUICK), "kaplan-meier": KaplanMeier(), "weibull": WeibullModel()}


@pytest.mark.parametrize("name", MODELS)
class TestEveryModel:
    def fitted(self, name, **changes):
        X, duration, churned = panel()
        model = MODELS[name]
        return type(model)(**{**model.get_params(), **changes}).fit(X, duration, churned), X

    def test_curves_never_rise_and_are_probabilities(self, name):
        model, X = self.fitted(name)
        strange = pd.concat([X, X.head(1) * np.nan, X.head(1) * 0 + 1e9, X.head(1) * 0 - 1e9])
        curves = model.predict_survival(strange)
        assert ((curves >= 0) & (curves <= 1)).all()
        assert (np.diff(curves, axis=1) <= 0).all()
        before = np.column_stack([np.ones(len(curves)), curves[:, :-1]])
        with np.errstate(invalid="ignore"):
            assert model.predict_hazard(strange) == pytest.approx(1 - curves / before, abs=1e-12, nan_ok=True)

    def test_median_and_mean_are_those_of_a_loop(self, name):
        model, X = self.fitted(name)
        medians, means = model.median_remaining_life(X), model.expected_remaining_life(X, 5)
        for curve, median, mean in zip(model.predict_survival(X), medians, means, strict=True):
            assert median == next((k for k, stays in enumerate(curve, start=1) if stays <= 0.5), np.inf)
            leaves = -np.diff(np.array([1.0, *curve[:5]]))
            # leaves in period k and has lived k periods, or stays through five and is counted with five
            assert mean == pytest.approx(sum(k * p for k, p in enumerate(leaves, start=1)) + 5 * curve[4])

    def test_input_is_not_changed(self, name):
        X, duration, churned = panel()
        before = X.copy(deep=True), duration.copy(), churned.copy()
        type(MODELS[name])(**MODELS[name].get_params()).fit(X, duration, churned).predict_survival(X)
        pd.testing.assert_frame_equal(X, before[0])
        pd.testing.assert_series_equal(duration, before[1])
        pd.testing.assert_series_equal(churned, before[2])

    def test_same_bits_again(self, name):
        few = {"n_estimators": 3} if name == "trees" else {}
        one, X = self.fitted(name, **few)
        again, _ = self.fitted(name, **few, **({"n_jobs": 2} if name == "trees" else {}))
        assert np.array_equal(one.predict_survival(X), again.predict_survival(X))

    @pytest.mark.parametrize("wrong", [0, -1, 2.5, True], ids=str)
    def test_periods_are_whole(self, name, wrong):
        model, X = self.fitted(name)
        with pytest.raises(ValueError, match="`periods` must be a whole number of at least 1"):
            model.predict_survival(X, wrong)

    def test_only_a_law_of_known_form_goes_past_what_was_observed(self, name):
        model, X = self.fitted(name)
        if name == "weibull":
            assert model.predict_survival(X, 20).shape == (len(X), 20)
        else:
            with pytest.raises(
                ValueError, match="`periods` must be at most 7, the longest duration learned from; got 8"
            ):
                model.predict_survival(X, 8)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d, c: (d.to_numpy()[1:], c), "`duration` must have one entry for each of the 600 rows"),
            (lambda d, c: (d[::-1], c), "`duration` must have the rows of `X` in their order"),
            (lambda d, c: (d, c[::-1]), "`churned` must have the rows of `X` in their order"),
            (lambda d, c: (d + 0.5, c), r"`duration` must hold whole periods, 0 or more; got \d\.5 at position 0"),
            (lambda d, c: (d * np.nan, c), "`duration` must hold whole periods, 0 or more; got nan"),
            (lambda d, c: (-d - 1, c), "`duration` must hold whole periods, 0 or more; got -"),
            (lambda d, c: (d, c + 1), r"`churned` must be 1 \(left\) or 0"),
            (lambda d, c: (d * 0, c), "`duration` must be at least 1 where `churned` is 1"),
        ],
    )
    def test_lives_that_cannot_be_are_refused(self, name, change, message):
        X, duration, churned = panel()
        with pytest.raises(ValueError, match=message):
            type(MODELS[name])().fit(X, *change(duration, churned))


class TestKaplanMeier:
    def test_remission_times_of_the_textbook(self):
        """6-mercaptopurine, of Freireich and others (1963), as in Cox and Oakes (1984), Analysis of Survival Data."""
        weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
        relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
        table = KaplanMeier().fit(np.zeros((21, 1)), weeks, relapsed).interval()
        told = table.loc[table["left"] > 0]
        assert told.index.tolist() == [6, 7, 10, 13, 16, 22, 23]
        assert told["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
        assert told["survival"].round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
        assert told["standard_error"].round(4).tolist() == [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]

    def test_by_hand(self):
        table = KaplanMeier().fit(np.zeros((5, 1)), [1, 2, 2, 3, 0], [1, 0, 1, 1, 0]).interval(coverage=0.9)
        assert table["at_risk"].tolist() == [4, 3, 1]
        # 3/4; of the three then observed one leaves: 3/4 · 2/3; the last leaves
        assert table["survival"].tolist() == pytest.approx([3 / 4, 1 / 2, 0])
        # Greenwood: 1/(4·3) = 1/12; + 1/(3·2) = 1/4
        assert table["standard_error"].tolist()[:2] == pytest.approx([3 / 4 * np.sqrt(1 / 12), 1 / 2 * np.sqrt(1 / 4)])
        # log(-log(1/2)) ± 1.6449 · (1/2) / log 2
        wide = 1.6448536269514722 * 0.5 / np.log(2)
        assert table.loc[2, ["lower", "upper"]].tolist() == pytest.approx([0.5 ** np.exp(wide), 0.5 ** np.exp(-wide)])
        assert np.isnan(table.loc[3, ["standard_error", "lower", "upper"]]).all(), "nobody is left"

    @settings(max_examples=60)
    @given(rows=lives_drawn.filter(lambda rows: any(life for life, _ in rows)))
    def test_is_that_of_a_loop(self, rows):
        lives, left = np.array(rows).T
        model = KaplanMeier().fit(np.zeros((len(rows), 1)), lives, left)
        share = 1.0
        for k in range(1, max(lives) + 1):
            at_risk = [row for row in rows if row[0] >= k]
            share *= 1 - sum(life == k and out for life, out in rows) / len(at_risk)
            assert model.survival_[k - 1] == pytest.approx(share, abs=1e-12)
        at_risk, gone = count_lives(lives, left)
        assert at_risk.tolist() == [sum(life >= k for life in lives) for k in range(1, max(lives) + 1)]
        assert gone.sum() == left.sum()

    def test_half_is_the_median_and_a_longer_one_is_not_known(self):
        X = np.zeros((4, 1))
        lives = [1, 2, 3, 3]
        assert KaplanMeier().fit(X, lives, [0, 0, 1, 0]).median_remaining_life(X[:1]).tolist() == [3]  # exactly half
        assert KaplanMeier().fit(X, lives, [1, 0, 0, 0]).median_remaining_life(X[:1]).tolist() == [np.inf]

    def test_nobody_observed_is_refused(self):
        with pytest.raises(ValueError, match="nobody was observed for a period"):
            KaplanMeier().fit(np.zeros((2, 1)), [0, 0], [0, 0])

    @pytest.mark.parametrize("coverage", [0, 1, 95])
    def test_coverage_is_a_share(self, coverage):
        model = KaplanMeier().fit(np.zeros((2, 1)), [1, 2], [1, 0])
        with pytest.raises(ValueError, match="`coverage` must lie strictly between 0 and 1"):
            model.interval(coverage=coverage)

    def test_intervals_cover(self):
        """Of 400 intervals of 90 % each, 360 ± 6 should hold the truth."""
        rng = np.random.default_rng(0)
        covered = 0
        for _ in range(400):
            life, seen = rng.geometric(0.2, 60), rng.integers(1, 6, 60)
            table = KaplanMeier().fit(np.zeros((60, 1)), np.minimum(life, seen), life <= seen).interval(coverage=0.9)
            covered += table.loc[3, "lower"] <= 0.8**3 <= table.loc[3, "upper"]
        assert covered == pytest.approx(360, abs=20)

    def test_equals_scikit_survival(self):
        rng = np.random.default_rng(3)
        life, seen = rng.geometric(0.15, 300), rng.integers(1, 12, 300)
        lives, left = np.minimum(life, seen), life <= seen
        time, share, interval = kaplan_meier_estimator(left, lives.astype(float), conf_level=0.9, conf_type="log-log")
        table = KaplanMeier().fit(np.zeros((300, 1)), lives, left).interval(coverage=0.9)
        assert table.index.tolist() == time.tolist()
        assert table["survival"].to_numpy() == pytest.approx(share, rel=1e-12)
        np.testing.assert_allclose(table[["lower", "upper"]].to_numpy().T, interval, rtol=1e-9)


class TestWeibull:
    @staticmethod
    def drawn(rows, *, shape, seed=0):
        """Lives of Weibull law, in periods begun, of clients with two features, half of them cut short."""
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(rows, 2)) * [2.0, 5.0] + [10.0, 0.0]
        scale = np.exp(1.5 + 0.5 * (X[:, 0] - 10) / 2)
        life = np.ceil(scale * rng.weibull(shape, rows)).astype(int)
        seen = rng.integers(1, 15, rows)
        return X, np.minimum(life, seen), life <= seen

    @pytest.mark.parametrize("shape", [0.7, 1.0, 1.8])
    def test_recovers_the_law(self, shape):
        model = WeibullModel().fit(*self.drawn(20_000, shape=shape))
        assert model.shape_ == pytest.approx(shape, abs=0.03)
        assert model.intercept_ == pytest.approx(1.5, abs=0.03)
        assert model.coefficients_ == pytest.approx([0.5, 0], abs=0.03)

    def test_gradient_is_that_of_the_loss(self):
        X, lives, left = self.drawn(300, shape=1.3)
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
        lives = lives.astype(float)
        lives[:5], left[:5] = 0, False
        for at in ([0.0, 0.0, 1.0, 0.0], [0.5, -0.3, 1.5, 0.4], [-1.0, 2.0, 3.0, -1.0]):
            off = check_grad(
                lambda p: weibull_loss(p, scaled, lives, left, 2.0)[0],
                lambda p: weibull_loss(p, scaled, lives, left, 2.0)[1],
                np.array(at),
            )
            assert off / np.linalg.norm(weibull_loss(np.array(at), scaled, lives, left, 2.0)[1]) < 1e-5

    def test_loss_is_that_of_scipys_law(self):
        X, lives, left = self.drawn(50, shape=1.3)
        parameters = np.array([0.4, -0.2, 1.2, 0.3])
        total = 0.0
        for x, life, out in zip(X, lives, left, strict=True):
            law = weibull_min(np.exp(0.3), scale=np.exp(1.2 + x @ [0.4, -0.2]))
            total += np.log(law.sf(life - 1) - law.sf(life)) if out else law.logsf(life)
        expected = (-total + 0.5 * 3.0 * (0.4**2 + 0.2**2)) / 50
        assert weibull_loss(parameters, X, lives.astype(float), left, 3.0)[0] == pytest.approx(expected, rel=1e-9)

    def test_curves_are_those_of_scipys_law(self):
        X, lives, left = self.drawn(500, shape=1.3)
        model = WeibullModel().fit(X, lives, left)
        level = model.intercept_ + (X[:3] - X.mean(axis=0)) / X.std(axis=0) @ model.coefficients_
        expected = [weibull_min(model.shape_, scale=np.exp(one)).sf(np.arange(1, 31)) for one in level]
        assert model.predict_survival(X[:3], 30) == pytest.approx(np.array(expected), rel=1e-9)

    def test_units_and_constant_columns_do_not_matter(self):
        X, lives, left = self.drawn(500, shape=1.3)
        plain = WeibullModel().fit(X, lives, left).predict_survival(X)
        other = np.column_stack([X * [1000, 0.01] + [5, -3], np.full(500, 7.0), np.full(500, np.nan)])
        assert WeibullModel().fit(other, lives, left).predict_survival(other) == pytest.approx(plain, abs=1e-6)

    def test_what_is_missing_is_taken_as_the_median(self):
        X, lives, left = self.drawn(500, shape=1.3)
        model = WeibullModel().fit(X, lives, left)
        gone = np.array([[np.nan, 0.0], [np.median(X[:, 0]), 0.0]])
        assert np.array_equal(*model.predict_survival(gone))

    def test_a_ridge_draws_coefficients_to_nothing_and_leaves_the_level(self):
        data = self.drawn(2000, shape=1.3)
        free, held = WeibullModel(ridge=0).fit(*data), WeibullModel(ridge=1e7).fit(*data)
        assert np.abs(held.coefficients_).max() < 1e-3 < 0.3 < free.coefficients_[0]
        curve = KaplanMeier().fit(*data).predict_survival(data[0][:1], 8)
        assert held.predict_survival(data[0][:1], 8) == pytest.approx(curve, abs=0.05)
        with pytest.raises(ValueError, match="`ridge` must be 0 or more"):
            WeibullModel(ridge=-1).fit(*data)

    def test_everybody_leaving_at_once_is_no_accident(self):
        X = np.arange(20.0)[:, None]
        curves = WeibullModel().fit(X, np.ones(20), np.ones(20)).predict_survival(X)
        assert np.isfinite(curves).all()
        assert (curves < 0.01).all()


def test_from_histories_to_curves():
    """The whole road: of later cutoffs fewer periods are known; who has fallen silent is not expected to stay."""
    rng = np.random.default_rng(0)
    begin, day = pd.Timestamp("2024-01-01"), pd.Timedelta(days=1)
    rows = []
    for client in range(400):
        last = rng.exponential(150)
        times = np.cumsum(rng.exponential(8, 60))
        rows += [(client, begin + t * day, 10.0) for t in [0.0, *times[times < min(last, 300)]]]
    histories = Histories(
        pd.DataFrame(rows, columns=["client_id", "event_time", "amount"]), observed_until=begin + 300 * day
    )
    cutoffs = [begin + n * 30 * day for n in range(2, 8)]
    known = begin + 240 * day
    asked = {"period": "30d", "periods": 6, "silence": "60d"}
    with pytest.warns(CensoredHorizonWarning, match="of 2024-06-29, 2024-07-29 is decided"):
        lives = build_durations(histories, cutoffs=cutoffs, known_before=known, **asked)
    assert lives.groupby("cutoff")["duration"].max().tolist() == [4, 3, 2, 1]
    X = build_panel(histories, cutoffs=cutoffs[:4], horizon="30d").loc[lives.index]
    model = SurvivalModel(n_estimators=50).fit(X, lives["duration"], lives["churned"])
    # 60 days of silence after the first period of 1 March are over on 30 May, that is at the last cutoff alone
    assert model.calibration_cutoffs_ == (cutoffs[3],)
    fresh = build_panel(histories, cutoffs=known - 30 * day, horizon="30d", active="60d")
    curves = model.predict_survival(fresh)
    silent = (fresh["days_since_last"] > 40).to_numpy()
    assert curves[silent, 0].mean() < 0.3 < 0.5 < curves[~silent, 0].mean()


@pytest.fixture(scope="module")
def airline(shared_data):
    path = Path(__file__).parents[1] / "experiments" / "survival_airline.py"
    spec = importlib.util.spec_from_file_location("survival_airline", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, *module.read(shared_data / "airline_loyalty")


class TestAirline:
    def test_doubled_members_are_left_out(self, airline):
        _, members, flights = airline
        assert len(members) == 16_737 - 163  # one of them stands three times
        assert not flights.reset_index().duplicated(["loyalty_number", "at"]).any()

    def test_features_are_blind_to_the_cutoff_and_after(self, airline):
        """Months after a cancellation are zero; were they seen, they would tell it."""
        module, members, flights = airline
        later = flights.copy()
        numbers = ["total_flights", "distance", "points_accumulated", "points_redeemed", "flights_with_companions"]
        later.loc[later["at"] >= 12, numbers] = 99
        later = later[later["at"] != 15]
        plain, blind = (module.features_at(members, table, 12) for table in (flights, later))
        pd.testing.assert_frame_equal(plain, blind)
        seen = flights.copy()
        seen.loc[seen["at"] >= 11, "total_flights"] += 1
        assert not module.features_at(members, seen, 12).equals(plain)

    def test_lives_are_the_months_to_cancellation(self, airline):
        module, members, _ = airline
        lives = build_durations(
            module.as_histories(members), cutoffs=module.as_date(18), period="30d", periods=6, kind="contractual"
        )
        # without cards that were taken and cancelled in one month, of which nothing is known to be in force
        there = members[(members["enrollment"] < 18) & ~(members["cancellation"] < 18).fillna(value=False)]
        expected = (there["cancellation"] - 18 + 1).astype("float")
        assert lives.index.get_level_values("client_id").tolist() == sorted(there.index)
        lives = lives.droplevel("cutoff")
        assert lives["churned"].to_dict() == (expected <= 6).astype(int).to_dict()
        assert lives["duration"].to_dict() == expected.where(expected <= 6, 6).astype(int).to_dict()


def test_trees_beat_one_curve_for_all_on_the_telephone_company(shared_data):
    """Of IBM's simulated clients, by the kind of contract: the figures of a loop over a fifth of them."""
    clients = pd.read_parquet(shared_data / "telco_ibm.parquet").iloc[::3].reset_index(drop=True)
    X = pd.get_dummies(clients[["contract", "internet_service"]], dtype=float)
    lives, left = clients["tenure"], (clients["churn"] == "Yes").astype(int)
    held_out = np.arange(len(X)) % 5 == 0
    found = {}
    for model in (KaplanMeier(), WeibullModel(), SurvivalModel(**QUICK)):
        fitted = model.fit(X[~held_out], lives[~held_out], left[~held_out])
        curves = fitted.predict_survival(X[held_out], 48)
        found[type(model).__name__] = survival_metrics(lives[held_out], left[held_out], curves)
    brier = {name: metrics["integrated_brier"] for name, metrics in found.items()}
    assert brier["SurvivalModel"] < brier["WeibullModel"] < brier["KaplanMeier"]
    assert found["SurvivalModel"]["concordance_uno"] > 0.75
