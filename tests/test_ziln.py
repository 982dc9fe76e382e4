"""The zero-inflated log-normal: slopes against finite differences, scores against integrals, laws that are known."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit, roots_hermitenorm
from scipy.stats import bernoulli, lognorm, norm
from sklearn.utils.estimator_checks import parametrize_with_checks

from loyalty.models._zero_inflated import FARTHEST_MEAN, NARROWEST, WIDEST, ZeroInflatedLaw, bounded, slopes
from loyalty.models.ziln import ZeroInflatedLogNormal

ADDRESS = "ann.smith@example.org"


@parametrize_with_checks([ZeroInflatedLogNormal(n_estimators=30)])
@pytest.mark.filterwarnings("ignore")
def test_obeys_scikit_learn(estimator, check):
    check(estimator)


def loss(scores, spends, size):
    """Negative log-likelihood of one row, by laws of SciPy."""
    chance, mean, sd = expit(scores[0]), scores[1], np.exp(scores[2])
    return -bernoulli.logpmf(int(spends), chance) - (norm.logpdf(size, mean, sd) if spends else 0.0)


def slopes_of_one(scores, spends, size):
    gradient, hessian = slopes(np.array([scores], dtype=float), np.array([spends]), np.array([size]))
    return gradient[0], hessian[0]


#: A hair within the bounds, so that a difference does not reach over them.
points = st.tuples(
    st.floats(-8, 8),
    st.floats(-FARTHEST_MEAN + 0.01, FARTHEST_MEAN - 0.01),
    st.floats(np.log(NARROWEST) + 0.01, np.log(WIDEST) - 0.01),
)
sizes = st.floats(-6, 6)


class TestSlopes:
    @given(points, st.booleans(), sizes)
    def test_the_gradient_is_that_of_the_loss(self, scores, spends, size):
        gradient, _ = slopes_of_one(scores, spends, size)
        for k, step in enumerate(1e-4 * np.eye(3)):
            up, down = loss(scores + step, spends, size), loss(scores - step, spends, size)
            slope = (up - down) / 2e-4
            # The third derivatives reach some r² / σ, times step² / 6.
            assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-5)

    @given(points, st.booleans(), sizes)
    def test_the_hessian_is_that_of_the_loss_and_for_the_sd_half_the_expected_one(self, scores, spends, size):
        _, hessian = slopes_of_one(scores, spends, size)
        exact = np.empty(3)
        for k, step in enumerate(1e-5 * np.eye(3)):
            up, down = (slopes_of_one(np.add(scores, sign * step), spends, size)[0][k] for sign in (1, -1))
            exact[k] = (up - down) / 2e-5
        expected = np.array([exact[0], exact[1], 2.0 * spends])  # E[2 r²] = 2
        assert hessian == pytest.approx((exact + expected) / 2, rel=1e-6, abs=1e-6)

    def test_the_expected_second_derivative_by_the_sd_is_2(self):
        """The mean of the exact one, 2 r², over the law itself; and so of what is used, 1 + r²."""
        nodes, weights = roots_hermitenorm(20)
        mean, log_sd = 0.7, -0.4
        scores = np.tile([0.0, mean, log_sd], (20, 1))
        _, hessian = slopes(scores, np.ones(20, bool), mean + np.exp(log_sd) * nodes)
        assert hessian[:, 2] @ weights / weights.sum() == pytest.approx(2.0)

    @given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(-2.0, -0.01))
    def test_a_step_of_the_sd_never_goes_beyond_the_minimum(self, distances, log_sd):
        size = np.array(distances)
        scores = np.tile([0.0, 0.0, log_sd], (len(size), 1))
        gradient, hessian = slopes(scores, np.ones(len(size), bool), size)
        step = -gradient[:, 2].sum() / hessian[:, 2].sum()
        with np.errstate(divide="ignore"):
            best = np.log(np.mean(size**2)) / 2 - log_sd  # where the mean of r² is 1
        assert step == pytest.approx(np.tanh(best), abs=1e-9)
        assert abs(step) <= abs(best) + 1e-9

    @given(st.tuples(*[st.floats(-1e6, 1e6)] * 3), st.booleans(), st.floats(-1e4, 1e4))
    def test_no_score_however_far_overflows(self, scores, spends, size):
        gradient, hessian = slopes_of_one(scores, spends, size)
        assert np.isfinite(gradient).all()
        assert (hessian >= 0).all()
        assert (hessian[1:] > 0).all() == spends
        assert np.isfinite(hessian).all()

    def test_who_spends_nothing_says_nothing_of_the_size(self):
        gradient, hessian = slopes_of_one((2.0, 1.0, 0.0), False, np.nan)
        assert gradient[1:].tolist() == hessian[1:].tolist() == [0.0, 0.0]

    def test_the_bounds_are_those_that_are_told(self):
        told = ZeroInflatedLogNormal.__doc__
        assert (FARTHEST_MEAN, NARROWEST, WIDEST) == (4.0, 0.1, 1.0)
        assert "within 4 of the middle" in told
        assert "between 0.1 and 1;" in told
        _, mean, log_sd = bounded(np.array([[0.0, 99.0, 99.0], [0.0, -99.0, -99.0]]))
        assert mean.tolist() == [4.0, -4.0]
        assert np.exp(log_sd) == pytest.approx([1.0, 0.1])


laws = st.builds(
    lambda chance, mean, sd: ZeroInflatedLaw(np.array([chance]), np.array([mean]), np.array([sd])),
    st.floats(0.01, 1.0),
    st.floats(-2, 3),
    st.floats(0.05, 1.2),
)


class TestLaw:
    @staticmethod
    def below(law, amount):
        """Probability of spending no more than that."""
        if amount < 0:
            return 0.0
        return 1 - law.chance[0] * lognorm.sf(amount, s=law.log_sd[0], scale=np.exp(law.log_mean[0]))

    @given(laws, st.one_of(st.just(0.0), st.floats(-20, 100)))
    def test_the_score_is_the_squared_distance_of_two_distribution_functions(self, law, spend):
        spend = float(spend)
        end = float(law.quantiles([1 - 1e-9])[0, 0]) + abs(spend)
        far = 0.1 ** np.arange(2, 9)  # or a narrow law's tail is missed between the points of a long stretch
        levels = np.sort([*np.arange(1, 20) / 20, *far, *(1 - far)])
        edges = np.unique(np.clip([0.0, spend, *law.quantiles(levels)[0], end], min(spend, 0), end))
        area = sum(
            quad(lambda x: (self.below(law, x) - (x >= spend)) ** 2, a, b, limit=200, epsabs=1e-10)[0]
            for a, b in pairwise(edges)
        )
        assert law.crps([spend])[0] == pytest.approx(area, rel=1e-5, abs=1e-6)

    @given(laws, st.floats(0.001, 0.999))
    def test_quantiles_turn_the_distribution_function_round(self, law, level):
        amount = float(law.quantiles([level])[0, 0])
        if level <= 1 - law.chance[0]:
            assert amount == 0.0
        else:
            assert self.below(law, amount) == pytest.approx(level, abs=1e-9)

    @given(laws)
    def test_the_mean_is_that_of_the_quantiles(self, law):
        chance, scale = law.chance[0], np.exp(law.log_mean[0])
        assert law.mean()[0] == pytest.approx(chance * lognorm.mean(s=law.log_sd[0], scale=scale))

    def test_certainty_costs_its_absolute_error(self):
        nothing = ZeroInflatedLaw(np.zeros(3), np.zeros(3), np.ones(3))
        assert nothing.crps([0.0, 12.0, -5.0]).tolist() == [0.0, 12.0, 5.0]

    @pytest.mark.parametrize("level", [0.0, 1.0, -0.1, np.nan])
    def test_levels_outside_are_refused(self, level):
        with pytest.raises(ValueError, match="`levels` must lie strictly between 0 and 1"):
            ZeroInflatedLaw(np.ones(1), np.zeros(1), np.ones(1)).quantiles([0.5, level])

    def test_a_law_too_wide_for_numbers_stays_finite(self):
        wide = ZeroInflatedLaw(np.ones(1), np.array([600.0]), np.array([600.0]))
        assert np.isfinite(wide.mean()).all()
        assert np.isfinite(wide.quantiles([0.999])).all()


def known(number=8000, seed=0):
    """Three features, each of which tells one part of the law; and that law."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.integers(0, 2, (number, 3)).astype(float), columns=["buys", "much", "unsure"])
    chance, mean, sd = 0.2 + 0.5 * X["buys"], 2.0 + 1.5 * X["much"], 0.3 + 0.6 * X["unsure"]
    spend = np.where(rng.random(number) < chance, np.exp(rng.normal(mean, sd)), 0.0)
    return X, spend


def panel(number=400, seed=0):
    X, spend = known(number, seed)
    names = [ADDRESS, *(f"client-{i}" for i in range(1, number))]
    X.index = pd.MultiIndex.from_product([names, [pd.Timestamp("2024-01-01")]], names=["client_id", "cutoff"])
    return X.mask(np.random.default_rng(1).random(X.shape) < 0.1), spend


def small(**changes):
    return ZeroInflatedLogNormal(**{"n_estimators": 25, "learning_rate": 0.1, **changes})


class TestEstimator:
    def test_finds_each_part_of_a_law_that_is_known(self):
        model = small(n_estimators=150).fit(*known())
        told = model.predict_law(
            pd.DataFrame([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], columns=known(1)[0].columns)
        )
        assert told.chance == pytest.approx([0.2, 0.7, 0.2, 0.2], abs=0.05)
        assert told.log_mean == pytest.approx([2.0, 2.0, 3.5, 2.0], abs=0.15)
        assert told.log_sd == pytest.approx([0.3, 0.3, 0.3, 0.9], abs=0.12)

    def test_what_is_told_fits_together(self):
        X, spend = panel()
        model = small().fit(X, spend)
        law = model.predict_law(X)
        assert np.array_equal(model.predict(X), model.scale_ * law.mean())
        assert np.array_equal(model.spend_probability(X), law.chance)
        assert np.array_equal(model.predict_quantiles(X, [0.5, 0.9]), law.quantiles([0.5, 0.9]))

    def test_predicted_and_realised_totals_agree(self):
        X, spend = panel()
        refunded = np.where(np.arange(len(spend)) % 10 == 0, -3.0, spend)
        for target in (spend, refunded):
            assert small().fit(X, target).predict(X).sum() == pytest.approx(target.sum(), rel=1e-9)

    def test_refunds_that_outweigh_all_spend_take_half_and_not_all(self):
        X, spend = panel()
        returned = np.where(spend < 20, -200.0, spend)
        assert returned.sum() < 0
        predicted = small().fit(X, returned).predict(X)
        assert predicted.sum() == pytest.approx(0.5 * returned.clip(min=0).sum())
        assert (predicted >= 0).all()

    @pytest.mark.parametrize("factor", [1000.0, 1e-4, 1e9])
    def test_the_currency_does_not_matter(self, factor):
        X, spend = panel()
        plain, scaled = small().fit(X, spend), small().fit(X, factor * spend)
        assert scaled.predict(X) == pytest.approx(factor * plain.predict(X), rel=1e-6)
        levels = [0.1, 0.5, 0.9]
        told = scaled.predict_quantiles(X, levels)
        assert told == pytest.approx(factor * plain.predict_quantiles(X, levels), rel=1e-6)

    @given(st.lists(st.one_of(st.just(0.0), st.floats(-1e300, 1e300)), min_size=2, max_size=40))
    def test_no_amounts_make_it_fail(self, spend):
        spend = np.array(spend) / 40  # so that their sum is finite
        X = pd.DataFrame({"orders_count_365d": np.arange(len(spend)) % 5.0})
        model = small(n_estimators=3).fit(X, spend)
        told = np.column_stack([model.predict(X), model.predict_quantiles(X, [0.05, 0.5, 0.95])])
        assert np.isfinite(told).all()
        assert (told >= 0).all()

    def test_one_enormous_amount_does_not_make_the_others_enormous(self):
        X, spend = known(2000)
        largest = spend.max()
        spend[0] = 1e6 * largest
        model = small(n_estimators=150).fit(X, spend)
        middle, spread = model.unit_, model.spread_
        bound = middle * np.exp(FARTHEST_MEAN * spread + (WIDEST * spread) ** 2 / 2)
        assert (model.predict_law(X).mean_if_spending() <= bound * (1 + 1e-9)).all()
        assert np.median(model.predict_quantiles(X, [0.9])) < largest

    def test_equal_amounts_are_expected_to_be_so(self):
        X, spend = panel()
        model = small().fit(X, np.where(spend > 0, 30.0, 0.0))
        law = model.predict_law(X)
        assert law.mean_if_spending() == pytest.approx(30.0, rel=1e-4)

    @pytest.mark.parametrize("spend", [0.0, -3.0], ids=["nobody spent anything", "refunds only"])
    def test_nothing_spent_is_nothing_expected(self, spend, tmp_path, capfd):
        X, _ = panel()
        model = small().fit(X, np.full(len(X), spend))
        model.save(tmp_path)
        for one in (model, ZeroInflatedLogNormal.load(tmp_path)):
            assert (one.predict(X) == 0).all()
            assert (one.predict_quantiles(X, [0.99]) == 0).all()
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("rare", [0, 3], ids=["constant", "rarer than a leaf"])
    def test_where_no_column_can_be_split_all_have_the_law_of_all(self, rare, tmp_path, capfd):
        X, spend = panel()
        X = X[["buys"]].assign(buys=(np.arange(len(X)) < rare).astype(float))
        model = small().fit(X, spend)
        assert model.booster_ is None
        model.save(tmp_path)
        spends = spend > 0
        for one in (model, ZeroInflatedLogNormal.load(tmp_path)):
            law = one.predict_law(X)
            assert law.chance == pytest.approx((spends.sum() + 1) / (len(spend) + 2))
            assert law.log_mean == pytest.approx(np.log(spend[spends]).mean())
            assert law.log_sd == pytest.approx(np.log(spend[spends]).std())
            assert one.predict(X) == pytest.approx(spend.mean())
            assert np.array_equal(one.predict_quantiles(X, [0.9]), model.predict_quantiles(X, [0.9]))
        assert capfd.readouterr() == ("", "")

    def test_everybody_may_spend(self):
        X, spend = panel()
        model = small().fit(X, spend + 1.0)
        assert (model.spend_probability(X) > 0.98).all()

    def test_same_bits_whatever_the_threads(self):
        X, spend = panel()
        one, two, other = small(n_jobs=1), small(n_jobs=2), small(random_state=1)
        told = [model.fit(X, spend).predict(X) for model in (one, two, other)]
        assert np.array_equal(told[0], told[1])
        assert not np.array_equal(told[0], told[2])

    def test_comes_back_from_disk_the_same_to_the_last_bit(self, tmp_path, capfd):
        X, spend = panel()
        model = small(n_jobs=1).fit(X, spend)
        model.save(tmp_path)
        files = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
        assert sorted(files) == ["ziln.json", "ziln.txt"]
        json.loads(files["ziln.json"], parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        assert not any(ADDRESS in text or "client-1" in text for text in files.values())
        assert "feature_infos=[-inf:inf] [-inf:inf] [-inf:inf]" in files["ziln.txt"]
        back = ZeroInflatedLogNormal.load(tmp_path)
        assert back.get_params() == model.get_params()
        assert np.array_equal(back.predict(X), model.predict(X))
        assert np.array_equal(back.predict_quantiles(X, [0.3, 0.9]), model.predict_quantiles(X, [0.3, 0.9]))
        with pytest.raises(ValueError, match="feature names should match"):
            back.predict(X[X.columns[::-1]])
        (tmp_path / "again").mkdir()
        back.save(tmp_path / "again")
        assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "again").iterdir()} == files
        assert capfd.readouterr() == ("", "")

    def test_no_amount_of_a_single_client_is_kept(self, tmp_path):
        X, spend = panel()
        spend[np.argmax(spend)] = 123_456.789
        small().fit(X, spend).save(tmp_path)
        kept = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
        assert "123456" not in kept
        assert f"{np.log(123_456.789):.5f}" not in kept

    def test_what_was_fitted_on_an_array_cannot_be_saved(self, tmp_path):
        X, spend = panel()
        with pytest.raises(ValueError, match="Fit it on a DataFrame"):
            small().fit(X.to_numpy(), spend).save(tmp_path)
        assert list(tmp_path.iterdir()) == []
