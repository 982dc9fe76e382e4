"""Intervals of spend: the coverage that is promised, of clients and of portfolios, in time and in every tenth."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import binom, norm, t
from sklearn.utils.estimator_checks import parametrize_with_checks

from loyalty.models._spend_law import LEVELS, SpendLaw
from loyalty.models.holding_out import HeldOut, held_out_forecast, hold_out
from loyalty.models.intervals import SpendIntervals, conformal_level, coverage_table
from loyalty.models.portfolio import PortfolioErrors, _excess_of_tenths, portfolio_interval
from loyalty.models.trees import feature_names
from loyalty.models.value import ValueModel

ADDRESS = "ann.smith@example.org"
DAYS = ("2024-01-01", "2024-01-31", "2024-03-01", "2024-03-31")


@parametrize_with_checks([SpendIntervals(n_estimators=5)])
@pytest.mark.filterwarnings("ignore")
def test_obeys_scikit_learn(estimator, check):
    check(estimator)


def clients(number=3000, seed=0, growth=1.0):
    """Most buy nothing, and a few a lot."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"days_since_last": rng.integers(1, 200, number).astype(float), "level": rng.normal(0, 1, number)})
    buys = rng.random(number) < expit((60 - X["days_since_last"]) / 20)
    spend = np.where(buys, growth * 50 * np.exp(X["level"] + rng.normal(0, 0.7, number)), 0.0)
    return X.mask(rng.random(X.shape) < 0.05), spend


def panel(number=150, cutoffs=DAYS, seed=0, growth=1.0, reach=30):
    """Such clients at several cutoffs, spending `growth` times as much from one to the next."""
    parts, spends = [], []
    for k, cutoff in enumerate(cutoffs):
        X, spend = clients(number, seed=100 * seed + k, growth=growth**k)
        names = [ADDRESS, *(f"client-{i}" for i in range(1, number))]
        X.index = pd.MultiIndex.from_product([names, [pd.Timestamp(cutoff)]], names=["client_id", "cutoff"])
        parts, spends = [*parts, X], [*spends, spend]
    X = pd.concat(parts)
    X.attrs["reach_days"] = reach
    return X, pd.Series(np.concatenate(spends), index=X.index)


def small(**changes):
    return SpendIntervals(**{"n_estimators": 15, **changes})


class TestConformalLevel:
    @given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
    def test_promises_the_next_of_any_order(self, scores, coverage):
        """Each of n + 1 exchangeable scores is as likely to be the next: count how many reach the level of the rest."""
        reached = 0
        for k, score in enumerate(scores):
            reached += score >= conformal_level(np.array(scores[:k] + scores[k + 1 :], dtype=float), coverage)
        assert reached >= coverage * len(scores) - 1e-9

    @given(st.integers(1, 60), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
    def test_promises_no_more_than_it_must(self, n, coverage):
        """Without ties the share that reaches it is less than 1 / (n + 1) above the coverage."""
        scores = np.arange(1.0, n + 2)
        reached = sum(s >= conformal_level(np.delete(scores, k), coverage) for k, s in enumerate(scores))
        assert coverage - 1e-9 <= reached / (n + 1) < coverage + 1 / (n + 1) - 1e-9

    @pytest.mark.parametrize(("rows", "level"), [(8, 0.0), (9, 0.0), (18, 0.0), (19, 1.0), (28, 1.0), (29, 2.0)])
    def test_counts_one_row_more_than_there_are(self, rows, level):
        """0.1 (19 + 1) = 2, so the second smallest of 0, 1, …; 0.1 (8 + 1) is less than one and leaves no row."""
        assert conformal_level(np.arange(rows)[::-1].astype(float), 0.9) == level


@st.composite
def laws(draw, number=6):
    sizes = np.sort(draw(arrays(float, (number, len(LEVELS)), elements=st.floats(0, 4))), axis=1)
    refunds = draw(st.sampled_from([0.0, 0.02, 0.2]))
    return SpendLaw(
        nothing=np.maximum(draw(arrays(float, number, elements=st.floats(0, 1))), refunds),
        sizes=sizes + 1e-3 * np.arange(len(LEVELS)),
        refund_share=refunds,
        refund_sizes=np.array([0.1, 0.2, 0.5, 0.7, 1.0]),
    )


rates = st.floats(1e-4, 1.0)


class TestSpendLaw:
    @given(laws(), rates, arrays(float, 6, elements=st.one_of(st.just(0.0), st.floats(-4, 60))))
    def test_the_score_is_the_last_interval_that_holds_the_spend(self, law, rate, spend):
        scores = law.score(spend)
        assume((np.abs(scores - rate) > 1e-6).all())
        lower, upper = law.interval(np.full(6, rate)).T
        # An amount at the very end may fall on either side by rounding.
        held = (spend >= lower - 1e-9) & (spend <= upper + 1e-9)
        inside = (spend >= lower + 1e-9) & (spend <= upper - 1e-9)
        assert held[scores > rate].all()
        assert not inside[(scores < rate) & (lower < upper)].any()

    @given(laws(), st.floats(0.001, 0.999))
    def test_quantiles_lie_where_the_law_says(self, law, level):
        assume((np.abs(law.nothing - level) > 1e-6).all())
        for i, amount in enumerate(law.quantiles(np.array([level]))[:, 0]):
            if level > law.nothing[i] and amount > 0:
                assert law.refund_share + self._probability(law, i, 0.0, amount) == pytest.approx(level, abs=1e-6)
            elif level > law.nothing[i]:  # the line beyond the lowest quantile ends at nothing
                assert law.refund_share + self._probability(law, i, 0.0, 1e-12) >= level - 1e-6
            else:
                assert amount == 0.0 if level >= law.refund_share else amount <= 0.0

    @given(laws(), rates)
    def test_an_interval_begins_at_the_quantile_of_half_its_misses(self, law, rate):
        lower, upper = law.interval(np.full(6, rate)).T
        assert np.minimum(law.quantiles(np.array([rate / 2]))[:, 0], upper) == pytest.approx(lower)

    @given(laws(), rates, rates)
    def test_fewer_misses_need_a_wider_interval(self, law, one, other):
        narrow, wide = (law.interval(np.full(6, rate)) for rate in sorted((one, other), reverse=True))
        assert (narrow[:, 0] <= narrow[:, 1]).all()
        assert (wide[:, 0] <= narrow[:, 0] + 1e-9).all()
        assert (wide[:, 1] >= narrow[:, 1] - 1e-9).all()

    @given(laws(), rates)
    def test_the_law_gives_the_interval_its_probability(self, law, rate):
        lower, upper = law.interval(np.full(6, rate)).T
        mass = [self._probability(law, i, lower[i], upper[i]) for i in range(6)]
        assert (np.array(mass) >= 1 - rate - 1e-3).all()

    @staticmethod
    def _probability(law, i, lower, upper):
        """Add up the law by hand: the mass at nothing, refunds within it, and what buyers spend."""
        slopes = np.diff(law.sizes[i]) / np.diff(norm.ppf(LEVELS))

        def below(amount):
            k = int(np.clip(np.searchsorted(law.sizes[i], np.log1p(amount)) - 1, 0, 3))
            return norm.cdf(norm.ppf(LEVELS[k]) + (np.log1p(amount) - law.sizes[i][k]) / slopes[k])

        bought = (1 - law.nothing[i]) * (below(upper) - (below(lower) if lower > 0 else 0.0))
        nothing = law.nothing[i] - law.refund_share if lower <= 0 else 0.0
        refunds = 0.0
        if lower < 0:
            refund_slopes = np.diff(law.refund_sizes) / np.diff(norm.ppf(LEVELS))
            k = int(np.clip(np.searchsorted(law.refund_sizes, np.log1p(-lower)) - 1, 0, 3))
            place = norm.ppf(LEVELS[k]) + (np.log1p(-lower) - law.refund_sizes[k]) / refund_slopes[k]
            refunds = law.refund_share * norm.cdf(place)
        return bought + nothing + refunds

    @pytest.mark.parametrize(
        ("nothing", "above"), [(0.0, 0.05), (0.05, 0.05), (0.07, 0.07), (0.1, 0.1), (0.5, 0.1), (0.9, 0.1)]
    )
    def test_what_is_left_above(self, nothing, above):
        sizes = np.log1p(np.exp(norm.ppf(LEVELS)))[None]
        law = SpendLaw(np.array([nothing]), sizes, 0.0, np.zeros(5))
        upper = law.interval(np.array([0.1]))[0, 1]
        if nothing < 0.9:
            just_below, just_above = (law.score(np.array([upper * by]))[0] for by in (1 - 1e-9, 1 + 1e-9))
            assert just_above < 0.1 + 1e-6
            assert just_below > 0.1 - 1e-6
            assert (1 - nothing) * norm.sf(self._place(upper, sizes[0])) == pytest.approx(above)
        else:
            assert upper == 0

    @staticmethod
    def _place(amount, sizes):
        slope = (sizes[-1] - sizes[-2]) / (norm.ppf(LEVELS[-1]) - norm.ppf(LEVELS[-2]))
        inside = np.interp(np.log1p(amount), sizes, norm.ppf(LEVELS))
        return inside if np.log1p(amount) <= sizes[-1] else norm.ppf(0.95) + (np.log1p(amount) - sizes[-1]) / slope

    @given(
        laws(),
        arrays(float, 6, elements=st.one_of(st.floats(0, 1), st.just(np.nan))),
        arrays(float, 6, elements=st.one_of(st.floats(0, 1e4), st.just(np.nan))),
    )
    def test_a_law_that_is_moved_has_the_mean_and_the_chance_foretold(self, law, chance, expected):
        moved = law.moved(chance, expected)
        told = np.where(np.isnan(chance), law.nothing, np.maximum(1 - chance, law.refund_share))
        assert moved.nothing.tolist() == told.tolist()
        of_buyers = law.mean() / np.where(law.nothing < 1, 1 - law.nothing, 1)
        for i in range(6):
            if np.isnan(expected[i]) or told[i] == 1 or law.nothing[i] == 1 or of_buyers[i] < 1e-6:
                continue
            # But for what keeps quantiles apart.
            assert moved.mean()[i] == pytest.approx(expected[i], rel=1e-4, abs=1e-4)
        assert (np.diff(moved.sizes, axis=1) > 0).all()
        unknown = np.isnan(expected)
        assert moved.sizes[unknown].tolist() == law.sizes[unknown].tolist()

    def test_a_refund_that_is_missed_below_is_not_missed_above(self):
        """Half buy nothing, a fifth returns; 0.3 buy more than 0.3 / 0.5 of the buyers: 0.5 - 0.2 may be above."""
        sizes = np.log1p(np.exp(norm.ppf(LEVELS)))[None]
        law = SpendLaw(np.array([0.5]), sizes, 0.2, np.arange(1.0, 6))
        amount = law.interval(np.array([0.5]))[0, 1]
        assert 0.5 * norm.sf(self._place(amount, sizes[0])) == pytest.approx(0.3)
        assert law.score(np.array([amount]))[0] == pytest.approx(0.5)

    def test_a_tiny_amount_is_more_than_nothing(self):
        """Where half buy, and all of them far more, rounding must not make an interval of [0, 0] hold a cent."""
        law = SpendLaw(np.array([0.5]), 1 + 0.001 * np.arange(5.0)[None], 0.0, np.zeros(5))
        assert law.interval(np.array([0.5])).tolist() == [[0.0, 0.0]]
        assert law.score(np.array([0.01]))[0] <= 0.5

    def test_refunds_reach_below_nothing_only_if_half_the_rate_is_below_their_share(self):
        law = SpendLaw(np.full(3, 0.5), np.tile(np.arange(1.0, 6), (3, 1)), 0.02, np.arange(1.0, 6))
        lower = law.interval(np.array([0.039, 0.04, 0.041]))[:, 0]
        assert lower[0] < 0
        assert lower[1:].tolist() == [0.0, 0.0]

    def test_no_misses_at_all_need_the_whole_line(self):
        law = SpendLaw(np.array([0.5]), np.arange(1.0, 6)[None], 0.0, np.zeros(5))
        assert law.interval(np.zeros(1)).tolist() == [[-np.inf, np.inf]]

    def test_the_mean_is_that_of_a_log_normal_but_for_its_far_tail(self):
        sizes = np.log1p(np.exp(0.3 * norm.ppf(LEVELS)))[None]
        law = SpendLaw(np.array([0.25]), sizes, 0.0, np.zeros(5))
        mean = 0.75 * quad(lambda z: np.exp(0.3 * z) * norm.pdf(z), -8, 8)[0]
        assert law.mean()[0] == pytest.approx(mean, rel=0.05)


class TestCoverage:
    @pytest.mark.parametrize("coverage", [0.8, 0.9])
    def test_holds_for_clients_that_can_be_exchanged(self, coverage):
        X, spend = clients(4000)
        fresh, truth = clients(6000, seed=1)
        low, high = SpendIntervals(coverage=coverage).fit(X, spend).predict(fresh).T
        reached = ((truth >= low) & (truth <= high)).mean()
        # Both the rows that set the levels and those that judge them are drawn by chance.
        spread = np.sqrt(coverage * (1 - coverage) * (1 / 4000 + 1 / 6000))
        # Where more than the coverage buy nothing, it cannot be less than their share.
        value = ValueModel(law="gamma", n_estimators=100).fit(X, spend).predict(fresh)
        nothing = pd.Series(truth == 0).groupby(pd.qcut(pd.Series(value).rank(method="first"), 10, labels=False)).mean()
        highest = np.maximum(coverage, nothing).mean()
        assert coverage - 3.3 * spread <= reached <= highest + 3.3 * spread

    def test_holds_in_every_tenth_of_the_predicted_value(self):
        X, spend = clients(6000)
        fresh, truth = clients(10000, seed=1)
        model = SpendIntervals().fit(X, spend)
        low, high = model.predict(fresh).T
        value = ValueModel(law="gamma", n_estimators=100).fit(X, spend).predict(fresh)
        table = coverage_table(truth, low, high, by=value, bins=10)
        # 600 rows set the level of a tenth and 1,000 judge it.
        lowest = 0.9 - 3.5 * np.sqrt(0.09 * (1 / 600 + 1 / 1000))
        assert (table["coverage"] > lowest).all()
        nothing = pd.Series(truth == 0).groupby(pd.qcut(pd.Series(value).rank(method="first"), 10, labels=False)).mean()
        assert (table["coverage"] < np.maximum(0.9, nothing.to_numpy()) + 0.9 - lowest).all()

    def test_holds_at_the_next_cutoff_where_nothing_changes(self):
        days = pd.date_range("2024-01-01", periods=7, freq="30D")
        X, spend = panel(800, cutoffs=days)
        past = X.index.get_level_values("cutoff") < days[-1]
        model = SpendIntervals().fit(X[past], spend[past])
        assert model.held_out_ == "cutoffs"
        assert list(model.held_out_coverage_) == list(days[3:6])
        low, high = model.predict(X[~past]).T
        reached = int(((spend[~past] >= low) & (spend[~past] <= high)).sum())
        assert binom.ppf(0.0005, 800, 0.9) <= reached <= binom.ppf(0.9995, 800, 0.92)

    def test_widens_where_spend_grows_from_cutoff_to_cutoff(self):
        """Trees see amounts of two cutoffs ago at best; a part of what they miss when held out widens the next."""
        days = pd.date_range("2024-01-01", periods=7, freq="30D")
        X, spend = panel(800, cutoffs=days, growth=1.4, reach=60)
        past = X.index.get_level_values("cutoff") <= days[4]
        model = SpendIntervals().fit(X[past], spend[past])
        assert (model.levels_ < 0.1).mean() > 0.5
        now = X.index.get_level_values("cutoff") == days[6]
        reached = coverage_table(spend[now], *model.predict(X[now]).T)["coverage"].iloc[0]
        model.levels_ = np.full_like(model.levels_, 0.1)  # what the trees say by themselves
        alone = coverage_table(spend[now], *model.predict(X[now]).T)["coverage"].iloc[0]
        assert alone < 0.81
        assert alone + 0.05 < reached < 0.9

    @pytest.mark.parametrize("level", [0.02, 0.1, 0.3])
    def test_cutoffs_are_believed_in_part(self, level):
        pairs = [(np.zeros(1, int), np.zeros(1, int))] * 3
        cutoffs = HeldOut(pairs, "cutoffs", None)
        people = HeldOut(pairs, "clients", None, stretch=2.0)
        rows = HeldOut(pairs, "rows", None)
        assert rows.trusted(level, 0.1) == pytest.approx(level)
        # 0.3 is a factor of 3: three cutoffs are believed 3/7 of it, one cutoff 1/5. Of people held out at one cutoff,
        # a need to widen is believed, and stretched.
        share = (level / 0.1) ** (3 / 7)
        expected = (0.1 * share, {0.02: 0.1 / 5**2, 0.1: 0.1, 0.3: 0.1 * 3 ** (1 / 5)}[level])
        assert (cutoffs.trusted(level, 0.1), people.trusted(level, 0.1)) == pytest.approx(expected)


class TestHoldOut:
    def test_clients_are_held_out_at_the_latest_cutoff_from_others_at_the_first_half(self):
        X, _ = panel(30, reach=365)
        held_out = hold_out(X, embargo=None)
        assert held_out.through == "clients"
        cutoff, client = (X.index.get_level_values(level) for level in ("cutoff", "client_id"))
        for seen, held in held_out.pairs:
            assert set(cutoff[seen]) == {pd.Timestamp(DAYS[0])}
            assert set(cutoff[held]) == {pd.Timestamp(DAYS[3])}
            assert not set(client[seen]) & set(client[held])
        assert sorted(np.concatenate([held for _, held in held_out.pairs])) == list(range(90, 120))
        assert held_out.stretch == pytest.approx(np.sqrt(365 / 90))

    def test_many_cutoffs_are_thinned_from_the_latest_decided_back(self):
        days = pd.date_range("2024-01-01", periods=16, freq="30D")
        X, _ = panel(3, cutoffs=days)
        cutoff = X.index.get_level_values("cutoff")
        told = [(cutoff[held], cutoff[seen]) for seen, held in hold_out(X, embargo="60d").pairs]
        assert [held.unique().tolist() for held, _ in told] == [[day] for day in days[-3:]]
        assert [list(seen.unique()) for _, seen in told] == [list(days[1:12:2]), list(days[0:13:3]), list(days[1:14:3])]
        assert all(len(seen) == 3 * seen.nunique() for _, seen in told)  # of each cutoff every client

    def test_one_cutoff_knows_of_no_drift(self):
        X, _ = panel(30, cutoffs=DAYS[:1])
        held_out = hold_out(X, embargo=None)
        assert (held_out.through, held_out.stretch, len(held_out.pairs)) == ("clients", 1.0, 3)

    def test_clients_are_dealt_by_name_and_not_by_row(self):
        X, _ = panel(30, reach=365)
        mixed = X.sample(frac=1.0, random_state=1)
        one, other = (
            [set(frame.index[held]) for _, held in hold_out(frame, embargo=None).pairs] for frame in (X, mixed)
        )
        assert one == other

    def test_rows_without_cutoff(self):
        held_out = hold_out(np.zeros((10, 2)), embargo=None)
        assert held_out.through == "rows"
        assert sorted(np.concatenate([held for _, held in held_out.pairs])) == list(range(10))
        assert all(not set(seen) & set(held) for seen, held in held_out.pairs)

    def test_cutoffs_without_an_embargo_are_told(self):
        X, spend = panel(30)
        X.attrs.clear()
        with pytest.warns(UserWarning, match="`embargo` is not known"):
            small().fit(X, spend)

    def test_forecasts_held_out_come_from_models_that_never_saw_the_cutoff(self):
        X, spend = panel(60, reach=60)
        told = held_out_forecast(ValueModel(n_estimators=3), X, spend)
        cutoff = X.index.get_level_values("cutoff")
        assert told[cutoff < pd.Timestamp(DAYS[2])].isna().all(axis=None)
        seen, now = cutoff == pd.Timestamp(DAYS[0]), cutoff == pd.Timestamp(DAYS[2])
        assert told[now].equals(ValueModel(n_estimators=3).fit(X[seen], spend[seen]).forecast(X[now]))


class TestSpendIntervals:
    def test_trees_that_set_the_levels_never_see_a_later_outcome(self, monkeypatch):
        X, spend = panel()
        day = X.index.get_level_values("cutoff").dayofyear.to_numpy(dtype=float)
        grown = []
        grow = SpendIntervals._grow
        monkeypatch.setattr(
            SpendIntervals, "_grow", lambda s, v, y: grown.append(sorted(set(v[:, 0]))) or grow(s, v, y)
        )
        model = small(embargo="60d").fit(X.assign(days_since_last=day), spend)
        assert sorted(grown, key=len) == [[1.0], [1.0, 31.0], [1.0, 31.0, 61.0, 91.0]]
        assert list(model.held_out_coverage_) == [pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-31")]

    def test_outcomes_inside_the_embargo_do_not_reach_the_levels(self):
        X, spend = panel(cutoffs=("2024-01-01", "2024-03-01", "2024-03-31"))
        changed = spend.where(X.index.get_level_values("cutoff") != pd.Timestamp("2024-03-01"), spend.max() - spend)
        changed *= spend[spend > 0].mean() / changed[changed > 0].mean()  # the unit of money is that of all rows
        changed = changed.where(X.index.get_level_values("cutoff") == pd.Timestamp("2024-03-01"), spend)
        one, other = (small(embargo="90d").fit(X, y) for y in (spend, changed))
        assert list(one.held_out_coverage_) == [pd.Timestamp("2024-03-31")]
        assert one.levels_ == pytest.approx(other.levels_, rel=0.2)

    @pytest.mark.parametrize("reach", [30, 365], ids=["cutoffs", "clients"])
    def test_intervals_are_nested_in_the_coverage(self, reach):
        X, spend = panel(400, reach=reach)
        ends = [small(coverage=c).fit(X, spend).predict(X) for c in (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)]
        assert all((end[:, 0] <= end[:, 1]).all() for end in ends)
        for inner, outer in pairwise(ends):
            assert (outer[:, 0] <= inner[:, 0] + 1e-9).all()
            assert (outer[:, 1] >= inner[:, 1] - 1e-9).all()
        assert (ends[-1][:, 1] > ends[0][:, 1]).any()

    def test_who_almost_certainly_buys_nothing_has_a_point(self):
        X, spend = clients(5000)
        low, high = (
            SpendIntervals().fit(X, spend).predict(pd.DataFrame({"days_since_last": [190.0, 5], "level": 0.0})).T
        )
        assert (low[0], high[0]) == (0.0, 0.0)
        assert 50 < high[1] < 400

    def test_what_is_known_lies_within_a_sane_distance(self):
        """Of log-normal spend that everybody makes, the ends are its 5 % and 95 % quantiles."""
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"level": rng.normal(size=8000)})
        spend = 100 * np.exp(rng.normal(0, 0.5, 8000))
        low, high = SpendIntervals(n_estimators=30).fit(X, spend).predict(pd.DataFrame({"level": [-0.5, 0.0, 0.5]})).T
        assert low == pytest.approx(100 * np.exp(0.5 * norm.ppf(0.05)), rel=0.15)
        assert high == pytest.approx(100 * np.exp(0.5 * norm.ppf(0.95)), rel=0.15)

    def test_a_group_that_nobody_is_in_is_none(self):
        """One yes or no makes two means, between and above which there is no held-out row."""
        rng = np.random.default_rng(0)
        index = pd.MultiIndex.from_product([range(400), pd.date_range("2024-01-01", periods=4, freq="30D")])
        index.names = ["client_id", "cutoff"]
        silent, level = rng.integers(1, 200, 1600), rng.normal(size=1600)
        spend = np.where(rng.random(1600) < silent / 250, 0.0, 50 * np.exp(level / 2))
        X = pd.DataFrame({"member": (silent > 100) * 1.0}, index=index)
        model = SpendIntervals(n_estimators=5, embargo="30d").fit(X, spend)
        assert np.isfinite(model.predict(X)).all()
        assert (model.levels_ > 0).all()
        assert len(model.levels_) == len(model.edges_) + 1

    def test_a_forecast_moves_the_laws(self):
        """Trees learned from a good year; a forecast knows that one in two buys as before, and at half the price."""
        X, spend = clients(4000)
        fresh, truth = clients(4000, seed=1)
        now = np.where(np.random.default_rng(2).random(4000) < 0.5, truth / 2, 0.0)
        before = ValueModel(n_estimators=60).fit(X, spend)
        moved = small(n_estimators=60).fit(X, spend, forecast=before.forecast(X))
        share = {
            word: coverage_table(now, *moved.predict(fresh, forecast=before.forecast(fresh) * by).T)["coverage"].iloc[0]
            for word, by in {"as it was": [1, 1], "less often": [0.5, 0.5], "less often and less": [0.5, 0.25]}.items()
        }
        assert share["as it was"] > share["less often"] > share["less often and less"]
        assert share["as it was"] > 0.96
        assert share["less often and less"] == pytest.approx(0.91, abs=0.015)

    def test_a_forecast_is_given_to_both_or_to_neither(self):
        X, spend = panel(100)
        told = ValueModel(n_estimators=3).fit(X, spend).forecast(X)
        with_one, without = small().fit(X, spend, forecast=told), small().fit(X, spend)
        with pytest.raises(ValueError, match=r"`forecast` must be given to both.*fitted with one"):
            with_one.predict(X)
        with pytest.raises(ValueError, match=r"`forecast` must be given to both.*fitted without one"):
            without.predict(X, forecast=told)
        with pytest.raises(ValueError, match="`forecast` must have one entry a row; got 2"):
            with_one.predict(X, forecast=told.head(2))
        with pytest.raises(ValueError, match="`forecast` must have the rows of `X` in their order"):
            with_one.predict(X, forecast=told[::-1])
        for wrong in (told[["expected_value"]], told["expected_value"], told.to_numpy()):
            with pytest.raises(ValueError, match="DataFrame with `purchase_probability` and `expected_value`"):
                small().fit(X, spend, forecast=wrong)

    def test_where_no_forecast_is_known_the_trees_stand(self):
        X, spend = panel(100)
        nothing = pd.DataFrame(np.nan, index=X.index, columns=["purchase_probability", "expected_value"])
        alone = small().fit(X, spend)
        unmoved = small().fit(X, spend, forecast=nothing)
        assert unmoved.predict(X, forecast=nothing).tolist() == alone.predict(X).tolist()
        # Of rows that are not held out it is never asked.
        told = held_out_forecast(ValueModel(n_estimators=3), X, spend)
        first = X.index.get_level_values("cutoff") == pd.Timestamp(DAYS[0])
        assert told[first].isna().all(axis=None)
        assert told[~first].notna().all(axis=None)
        levels = [small().fit(X, spend, forecast=each).levels_.tolist() for each in (told, told.fillna(7.0))]
        assert levels[0] == levels[1]

    def test_refunds_are_reached_if_they_are_more_than_half_the_misses(self):
        X, spend = clients(4000)
        refunded = np.where(
            np.arange(4000) % 10 == 0, -20.0 * np.exp(np.random.default_rng(0).normal(size=4000)), spend
        )
        model = small(coverage=0.9).fit(X, refunded)
        assert model.refund_share_ == pytest.approx(0.1)
        low, high = model.predict(X).T
        assert (low < 0).any()
        assert coverage_table(refunded, low, high)["coverage"].iloc[0] == pytest.approx(0.9, abs=0.03)

    def test_a_few_refunds_are_not_kept(self, tmp_path):
        X, spend = panel(100)
        spend.iloc[:19] = -77.125
        model = small().fit(X, spend)
        assert model.refund_share_ == 0
        model.save(tmp_path)
        assert "77.125" not in (tmp_path / "intervals.json").read_text(encoding="utf-8")
        spend.iloc[:20] = -77.125
        assert small().fit(X, spend).refund_share_ == 20 / 400

    @pytest.mark.parametrize("factor", [1000.0, 1e-4, 1e9])
    def test_the_currency_does_not_matter(self, factor):
        X, spend = panel()
        plain, scaled = (small().fit(X, by * spend).predict(X) for by in (1.0, factor))
        assert scaled == pytest.approx(factor * plain, rel=1e-3, abs=1e-6 * factor)

    @pytest.mark.parametrize("spend", [0.0, -3.0], ids=["nobody spent anything", "refunds only"])
    def test_nothing_spent_is_nothing_promised(self, spend, capfd):
        X, _ = panel()
        low, high = small().fit(X, np.full(len(X), spend)).predict(X).T
        assert (high == 0).all()
        assert (low <= spend).all() if spend else (low == 0).all()
        assert capfd.readouterr() == ("", "")

    def test_same_bits_whatever_the_threads_and_another_seed_matters(self):
        X, spend = panel(80)
        one, two, again = (small(n_jobs=n, n_estimators=4).fit(X, spend).predict(X) for n in (1, 2, 1))
        assert np.array_equal(one, two)
        assert np.array_equal(one, again)
        assert not np.array_equal(one, small(random_state=1, n_estimators=4).fit(X, spend).predict(X))

    def test_missing_values_are_taken_as_they_are_and_infinite_ones_refused(self):
        X, spend = panel()
        model = small().fit(X.assign(never=np.nan), spend)
        assert np.isfinite(model.predict(X.head(1).assign(never=np.nan) * np.nan)).all()
        with pytest.raises(ValueError, match="infinity"):
            model.predict(X.assign(never=np.inf))

    def test_quantiles_are_those_of_the_trees_and_in_money(self):
        X, spend = clients()
        model = small(n_estimators=60).fit(X, spend)
        low, median, high = model.predict_quantiles(X, [0.1, 0.5, 0.9]).T
        assert (low <= median).all()
        assert (median <= high).all()
        # Where it is 0, more than the level may spend nothing.
        assert np.mean(spend[high > 0] <= high[high > 0]) == pytest.approx(0.9, abs=0.02)
        assert (median[X["days_since_last"] > 120] == 0).all()
        with pytest.raises(ValueError, match="`levels` must lie strictly between 0 and 1"):
            model.predict_quantiles(X, [0.5, 1.0])

    def test_input_is_not_changed(self):
        X, spend = panel(40)
        before, spent = X.copy(deep=True), spend.copy()
        small().fit(X, spend).predict(X)
        pd.testing.assert_frame_equal(X, before)
        pd.testing.assert_series_equal(spend, spent)

    @pytest.mark.parametrize(
        "wrong",
        [lambda X: X[X.columns[::-1]], lambda X: X.drop(columns="level"), lambda X: X.assign(further=1.0)],
        ids=["reordered", "missing", "further"],
    )
    def test_other_columns_are_refused(self, wrong):
        X, spend = panel(40)
        with pytest.raises(ValueError, match="feature names should match"):
            small().fit(X, spend).predict(wrong(X))

    @pytest.mark.parametrize("coverage", [0.0, 1.0, 90])
    def test_coverage_out_of_range_is_refused(self, coverage):
        X, spend = panel(5)
        with pytest.raises(ValueError, match="`coverage` must lie strictly between 0 and 1"):
            small(coverage=coverage).fit(X, spend)

    @pytest.mark.parametrize("reach", [30, 365])
    def test_comes_back_from_disk_the_same_to_the_last_bit(self, reach, tmp_path):
        X, spend = panel(reach=reach)
        spend.iloc[::10] = -5.0
        model = small(embargo=pd.Timedelta(days=reach)).fit(X, spend)
        model.save(tmp_path)
        files = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
        assert sorted(files) == ["intervals.json", "intervals.txt"]
        json.loads(files["intervals.json"], parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        assert not any(ADDRESS in text or "client-1" in text for text in files.values())
        ranges = [line for line in files["intervals.txt"].splitlines() if line.startswith("feature_infos=")]
        assert ranges == ["feature_infos=[-inf:inf] [-inf:inf]"] * 6  # the extremes are values of single clients
        back = SpendIntervals.load(tmp_path)
        assert np.array_equal(back.predict(X), model.predict(X))
        assert back.embargo == f"{reach}d"
        assert back.held_out_coverage_ == model.held_out_coverage_
        assert (back.held_out_, back.notes(), feature_names(back)) == (model.held_out_, model.notes(), [*X.columns])
        (tmp_path / "again").mkdir()
        back.save(tmp_path / "again")
        again = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "again").iterdir()}
        assert again == files

    def test_what_was_fitted_on_an_array_cannot_be_saved(self, tmp_path):
        X, spend = panel(40)
        model = small().fit(X.to_numpy(), spend.to_numpy())
        with pytest.raises(ValueError, match="Fit it on a DataFrame"):
            model.save(tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("number", "bounded"), [(8, False), (9, True)])
    def test_too_few_rows_promise_the_whole_line_and_say_so(self, number, bounded):
        """One of ten rows may miss, and there must be a row for it: nine held out, and the next."""
        X, spend = panel(number, cutoffs=DAYS[:2])
        model = small().fit(X, spend)
        assert np.isfinite(model.predict(X)).all() == bounded
        assert ("Too few rows" in " ".join(model.notes())) != bounded

    def test_notes_say_what_could_not_be_held_out(self):
        X, spend = panel(60)
        assert small().fit(X, spend).notes() == []
        assert "No training cutoff was decided by another" in small(embargo="365d").fit(X, spend).notes()[0]
        assert "no cutoff" in small().fit(X.reset_index(drop=True), spend.to_numpy()).notes()[0]


class TestCoverageTable:
    def test_both_ends_belong_to_the_interval(self):
        table = coverage_table([1, 2, 3, 4], [2, 2, 2, 2], [3, 3, 3, 2])
        assert table.loc[0].tolist() == [4, 0.5, 0.25, 0.25, 0.75, 0.25]

    def test_groups_of_equal_size_part_ties_in_row_order(self):
        table = coverage_table([0] * 50 + [1] * 50, [0] * 100, [0] * 100, by=np.tile([5.0, 5.0], 50), bins=2)
        assert table["coverage"].tolist() == [1.0, 0.0]
        assert table.index.tolist() == [0, 1]

    @given(st.integers(1, 60), st.integers(1, 12))
    def test_no_client_is_lost(self, number, bins):
        values = np.random.default_rng(number).normal(size=number)
        table = coverage_table(values, values - 1, values + 1, by=values, bins=bins)
        assert table["clients"].sum() == number
        assert table["clients"].max() - table["clients"].min() <= 1

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"lower": [2.0, 0.0]}, "`lower` not above `upper`"),
            ({"value": [np.nan, 0.0]}, "must be known"),
            ({"upper": [1.0]}, "`upper` must have one entry a row; got 1 for 2 rows"),
            ({"by": ["a"]}, "`by` must have one entry a row; got 1 for 2 rows"),
            ({"bins": 3}, "`bins` must be 1 or more and needs `by`"),
            ({"bins": 0, "by": [1, 2]}, "`bins` must be 1 or more"),
        ],
    )
    def test_what_cannot_be_counted_is_refused(self, changes, message):
        given_ = {"value": [0.0, 0.0], "lower": [0.0, 0.0], "upper": [1.0, 1.0], **changes}
        with pytest.raises(ValueError, match=message):
            coverage_table(**given_)


def simulated(errors, number=2000, seed=0, dispersion=4.0):
    """Portfolios at cutoffs a quarter apart, off by these relative errors; spend varies as dispersion · mean^1.5."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2020-01-01", periods=len(errors), freq="91D")
    expected = np.tile(rng.gamma(2.0, 50.0, number) + 20, len(errors))
    mean = expected * np.repeat(1 + np.asarray(errors), number)
    variance = dispersion * mean**1.5
    return rng.gamma(mean**2 / variance, variance / mean), expected, days.repeat(number)


class TestPortfolio:
    def test_finds_what_was_off_and_what_is_chance(self):
        rng = np.random.default_rng(0)
        off = rng.normal(0, 0.3, 60)
        value, expected, cutoff = simulated(np.clip(off, -0.9, None), number=400)
        errors = PortfolioErrors.learn(value, expected, cutoff=cutoff, reach="91d")
        assert errors.cutoffs == 60
        assert errors.common == pytest.approx(0.3, rel=0.15)
        assert errors.own < 0.06
        assert errors.dispersion == pytest.approx(4.0, rel=0.15)

    def test_chance_is_not_taken_for_an_error(self):
        """By chance alone a total of 50 clients is off by 9 %, and a tenth of them by 30 %."""
        value, expected, cutoff = simulated(np.zeros(300), number=50)
        errors = PortfolioErrors.learn(value, expected, cutoff=cutoff, reach="91d")
        assert errors.common < 0.04
        assert errors.own < 0.07
        rows = pd.DataFrame({"value": value, "expected": expected, "cutoff": cutoff, "spread": expected**1.5})
        sums = rows.groupby("cutoff")[["value", "expected"]].sum()
        rows["error"] = rows["cutoff"].map(sums["value"] / sums["expected"] - 1)
        # A tenth is part of its total, and is off from it by so much less.
        assert _excess_of_tenths(rows, 4.0) == pytest.approx(0.0, abs=0.004)

    def test_few_cutoffs_are_drawn_to_the_prior(self):
        value, expected, cutoff = simulated([0.0, 0.0])
        errors = PortfolioErrors.learn(value, expected, cutoff=cutoff, reach="91d")
        assert errors.common == pytest.approx(0.2 * np.sqrt(0.5), rel=0.05)

    def test_cutoffs_that_overlap_count_as_the_time_they_span(self):
        value, expected, cutoff = simulated([0.0] * 3)
        counts = [PortfolioErrors.learn(value, expected, cutoff=cutoff, reach=r).cutoffs for r in ("91d", "182d", "1d")]
        assert counts == [3.0, 2.0, 3.0]

    def test_intervals_of_totals_keep_their_coverage(self):
        """Learn from six cutoffs, judge the seventh, of which common errors are 25 %."""
        rng = np.random.default_rng(1)
        within = []
        for seed in range(80):
            value, expected, cutoff = simulated(np.clip(rng.normal(0, 0.25, 7), -0.9, None), number=100, seed=seed)
            past = cutoff < cutoff.max()
            errors = PortfolioErrors.learn(value[past], expected[past], cutoff=cutoff[past], reach="91d")
            row = portfolio_interval(expected[~past], errors=errors).iloc[0]
            within.append(row["lower"] <= value[~past].sum() <= row["upper"])
        assert binom.ppf(0.001, 80, 0.88) <= sum(within) <= binom.ppf(0.999, 80, 0.96)

    def test_the_arithmetic(self):
        """A segment of four clients of 25 among 200 in all: chance 0.8 · 4 · 125 / 100² = 0.04."""
        errors = PortfolioErrors(common=0.3, own=0.2, dispersion=0.8, cutoffs=4.0)
        table = portfolio_interval([25.0] * 4 + [100.0], errors=errors, by=["b"] * 4 + ["a"]).set_index("segment")
        assert table.index.tolist() == ["all", "a", "b"]
        assert table["clients"].tolist() == [5, 1, 4]
        reach = t.ppf(0.95, 6) * np.sqrt(np.log(1 + 0.09 + 0.04 / 2 + 0.04))
        assert table.loc["b", ["lower", "upper"]].tolist() == pytest.approx([100 * np.exp(-reach), 100 * np.exp(reach)])

    @given(st.floats(0.5, 0.98), st.floats(0.5, 0.98))
    def test_intervals_are_nested_in_the_coverage(self, one, other):
        errors = PortfolioErrors(common=0.1, own=0.1, dispersion=1.0, cutoffs=2.0)
        inner, outer = (portfolio_interval([10.0, 5.0], errors=errors, coverage=c) for c in sorted((one, other)))
        assert (outer["lower"] <= inner["lower"]).all()
        assert (outer["upper"] >= inner["upper"]).all()

    def test_chance_evens_out_and_the_common_error_does_not(self):
        errors = PortfolioErrors(common=0.1, own=0.0, dispersion=2.0, cutoffs=3.0)
        tables = [portfolio_interval(np.full(n, 50.0), errors=errors).iloc[0] for n in (1, 100, 10**6)]
        relative = [np.log(row["upper"] / row["expected"]) for row in tables]
        assert relative[0] > relative[1] > relative[2]
        assert relative[2] == pytest.approx(t.ppf(0.95, 5) * np.sqrt(np.log1p(0.01)), rel=1e-3)

    def test_four_numbers_come_back_from_json(self):
        errors = PortfolioErrors(common=0.1, own=0.2, dispersion=2.0, cutoffs=3.0)
        assert PortfolioErrors(**json.loads(json.dumps(errors.to_dict()))) == errors

    def test_nothing_expected_is_nothing(self):
        errors = PortfolioErrors(common=0.1, own=0.2, dispersion=2.0, cutoffs=3.0)
        table = portfolio_interval([0.0, 3.0], errors=errors, by=[1, 2])
        assert table.loc[table["segment"] == 1, ["expected", "lower", "upper"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]]

    @pytest.mark.parametrize(
        ("given_", "message"),
        [
            ({"expected_value": [2.0, -1.0]}, r"not negative; got -1.0 in row 1 \(1 such rows\)"),
            ({"expected_value": [2.0, np.nan, np.nan]}, r"must be known, .* got nan in row 1 \(2 such rows\)"),
            ({"expected_value": [np.inf]}, "must be known, finite .* got inf in row 0"),
            ({"coverage": 1.0}, "`coverage` must lie strictly"),
            ({"by": ["a", "b"]}, "`by` must have one entry a row"),
            ({"expected_value": [1.0, 2.0, 3.0], "by": ["a", None, "b"]}, "`by` must be known .* in row 1"),
            ({"expected_value": [1.0, 2.0], "by": ["a", np.nan]}, "`by` must be known .* got nan in row 1"),
            ({"expected_value": [1.0, 2.0], "by": [np.nan, 7]}, "`by` must be known .* got nan in row 0"),
            ({"expected_value": [1.0, 2.0], "by": pd.Categorical(["a", None])}, "`by` must be known .* in row 1"),
        ],
    )
    def test_what_cannot_be_bounded_is_refused(self, given_, message):
        errors = PortfolioErrors(common=0.1, own=0.2, dispersion=2.0, cutoffs=3.0)
        with pytest.raises(ValueError, match=message):
            portfolio_interval(**{"expected_value": [1.0], "errors": errors, **given_})

    @pytest.mark.parametrize("name", ["value", "expected_value"])
    @pytest.mark.parametrize("infinite", [np.inf, -np.inf])
    def test_what_is_infinite_is_not_learned_from(self, name, infinite):
        given_ = {"value": [1.0, 2.0, 3.0], "expected_value": [1.0, 2.0, 3.0], name: [1.0, np.nan, infinite]}
        cutoff = pd.to_datetime(["2024-01-01"] * 3)
        with pytest.raises(ValueError, match=rf"`{name}` must be finite, .* got {infinite} in row 2"):
            PortfolioErrors.learn(**given_, cutoff=cutoff, reach="30d")

    def test_rows_without_both_are_left_out(self):
        value, expected, cutoff = simulated([0.1, -0.2], number=50)
        known = PortfolioErrors.learn(value, expected, cutoff=cutoff, reach="91d")
        more = {"value": [*value, np.nan, 7.0], "expected_value": [*expected, 5.0, np.nan]}
        assert PortfolioErrors.learn(**more, cutoff=cutoff.append(cutoff[:2]), reach="91d") == known

    @pytest.mark.parametrize("expected", [[np.nan, np.nan], [0.0, 0.0]])
    def test_nothing_to_learn_from_is_refused(self, expected):
        with pytest.raises(ValueError, match="must be known for some rows"):
            PortfolioErrors.learn([1.0, 2.0], expected, cutoff=pd.to_datetime(["2024-01-01"] * 2), reach="30d")
