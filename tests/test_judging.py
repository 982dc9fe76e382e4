"""Intervals, comparisons and frames of a backtest: against repeated rows, known truth and arithmetic written out."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.stats import norm

from loyalty.evaluation import churn_metrics, interval_metrics, share_interval, value_metrics
from loyalty.evaluation._resampled import Resampled
from loyalty.judging import (
    BETTER,
    METRICS,
    as_html,
    calibration_frame,
    count_frame,
    coverage_frame,
    gain_frame,
    judge,
    value_frame,
)
from made_up_predictions import CUTOFFS, rows_of


@pytest.fixture(scope="module")
def predictions():
    """A noisy model, one without intervals, and a good one that has them."""
    parts = [rows_of("naive", noise=0.5), rows_of("btyd", noise=0.3), rows_of("lightgbm", noise=0.05, intervals=True)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def judgement(predictions):
    return judge(predictions, draws=200, seed=1)


client = st.tuples(
    st.integers(0, 1),  # churned
    st.integers(0, 6).map(lambda sixths: sixths / 6),  # probability, often tied
    st.integers(-2, 5),  # value
    st.integers(0, 4),  # expected value
    st.integers(0, 3),  # how often drawn
)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(client, min_size=1, max_size=45))
def test_a_weight_is_a_row_repeated(rows):
    churned, probability, value, expected, times = map(np.ascontiguousarray, np.array(rows, dtype=float).T)
    lower, upper = expected - 1, expected + 1
    resampled = Resampled(churned, probability, value, expected, lower, upper)
    ours = dict(zip(resampled.names, resampled.figures(times).tolist(), strict=True))
    assert tuple(ours) == METRICS
    many = times.astype(int)
    if not many.any():
        assert ours["clients"] == 0
        assert all(math.isnan(figure) for name, figure in ours.items() if name != "clients")
        return
    repeated = [np.repeat(column, many) for column in (churned, probability, value, expected, lower, upper)]
    plain = churn_metrics(*repeated[:2]) | value_metrics(*repeated[2:4]) | interval_metrics(repeated[2], *repeated[4:])
    assert ours == pytest.approx(plain, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("clients", [1, 9, 10, 11, 101, 1003])
@pytest.mark.parametrize("seed", range(3))
def test_draws_of_many_clients_are_rows_repeated(clients, seed):
    rng = np.random.default_rng(seed)
    probability, expected = rng.random(clients), rng.lognormal(2, 1, clients).round(seed)
    churned, value = (
        (rng.random(clients) < probability) * 1.0,
        rng.lognormal(2, 2, clients) * rng.integers(0, 2, clients),
    )
    times = np.bincount(rng.integers(clients, size=clients), minlength=clients)
    nothing = np.full(clients, np.nan)
    resampled = Resampled(churned, probability, value, expected, nothing, nothing)
    left, chance, spent, predicted = (np.repeat(column, times) for column in (churned, probability, value, expected))
    plain = churn_metrics(left, chance) | value_metrics(spent, predicted)
    ours = dict(zip(resampled.names, resampled.figures(times.astype(float)).tolist(), strict=True))
    assert ours == pytest.approx(plain, rel=1e-9, abs=1e-12, nan_ok=True)


class TestByCutoff:
    def test_values_are_those_of_the_evaluation(self, judgement, predictions):
        table = judgement.by_cutoff()
        assert list(table) == ["model", "cutoff", "metric", "value", "lower", "upper"]
        for (model, cutoff), rows in predictions.groupby(["model", "cutoff"]):
            plain = churn_metrics(rows["churned"], rows["churn_probability"])
            plain |= value_metrics(rows["value"], rows["expected_value"])
            if model == "lightgbm":
                plain |= interval_metrics(rows["value"], rows["value_lower"], rows["value_upper"])
            ours = table[(table["model"] == model) & (table["cutoff"] == cutoff)].set_index("metric")["value"]
            assert ours.to_dict() == pytest.approx(plain, abs=0)

    def test_intervals_are_quantiles_over_clients_drawn_with_all_their_rows(self, judgement, predictions):
        """An oracle that copies rows, of the mean over cutoffs too."""
        rng, drawn = np.random.default_rng(1), []
        rows = predictions[predictions["model"] == "btyd"]
        by_cutoff = {cutoff: group.set_index("client_id") for cutoff, group in rows.groupby("cutoff")}
        for _ in range(200):
            ids = rng.integers(120, size=120)
            picked = [group.loc[ids] for group in by_cutoff.values()]
            drawn.append([churn_metrics(one["churned"], one["churn_probability"])["auc"] for one in picked])
        told = judgement.by_cutoff().query("model == 'btyd' and metric == 'auc'")
        lower, upper = np.quantile(drawn, [0.025, 0.975], axis=0)
        assert told["lower"].tolist() == pytest.approx(lower)
        assert told["upper"].tolist() == pytest.approx(upper)
        mean = judgement.means().query("model == 'btyd' and metric == 'auc'")
        assert mean["value"].item() == pytest.approx(told["value"].mean())
        wanted = np.quantile(np.mean(drawn, axis=1), [0.025, 0.975])
        assert mean[["lower", "upper"]].to_numpy()[0] == pytest.approx(wanted)

    def test_a_count_has_no_interval_and_every_other_figure_has(self, judgement):
        table = judgement.by_cutoff()
        count = table["metric"] == "clients"
        assert table.loc[count, ["lower", "upper"]].isna().all(axis=None)
        assert table[~count].notna().all(axis=None)
        assert (table[~count]["lower"] <= table[~count]["upper"]).all()

    def test_a_smaller_level_is_narrower(self, judgement):
        wide, narrow = judgement.by_cutoff(level=0.99), judgement.by_cutoff(level=0.5)
        there = wide["lower"].notna()
        assert (narrow["lower"] >= wide["lower"])[there].all()
        assert (narrow["upper"] - narrow["lower"] < wide["upper"] - wide["lower"])[there].all()

    def test_the_same_seed_gives_the_same_bytes_in_any_order_of_rows(self, judgement, predictions):
        again = judge(predictions, draws=200, seed=1)
        assert again.draws.tobytes() == judgement.draws.tobytes()
        models, cutoffs = predictions["model"].map(judgement.models.index), predictions["cutoff"]
        mixed = predictions.sample(frac=1, random_state=0)
        mixed = mixed.assign(m=models, c=cutoffs).sort_values(["c", "m"], kind="stable").drop(columns=["m", "c"])
        assert judge(mixed, draws=200, seed=1).draws == pytest.approx(judgement.draws, nan_ok=True)
        assert judge(predictions, draws=200, seed=2).draws.tobytes() != judgement.draws.tobytes()

    def test_names_of_clients_do_not_matter_while_their_order_stays(self, judgement, predictions):
        named = predictions.assign(client_id="c" + predictions["client_id"].astype(str).str.zfill(4))
        assert judge(named, draws=200, seed=1).draws.tobytes() == judgement.draws.tobytes()

    def test_inputs_are_left_alone(self, predictions):
        kept = predictions.copy()
        judge(predictions, draws=2)
        for frame in (gain_frame, calibration_frame, count_frame, value_frame, coverage_frame):
            frame(predictions)
        assert_frame_equal(predictions, kept)

    def test_cutoffs_without_outcome_are_left_out(self, judgement, predictions):
        later = predictions[predictions["cutoff"] == CUTOFFS[2]]
        later = later.assign(cutoff=pd.Timestamp("2025-10-01"), churned=np.nan, value=np.nan)
        both = pd.concat([predictions, later.assign(client_id=later["client_id"] + 10_000)])
        assert_frame_equal(judge(both, draws=200, seed=1).by_cutoff(), judgement.by_cutoff())

    def test_no_outcome_at_all(self, predictions):
        nothing = judge(predictions.assign(churned=np.nan), draws=3)
        assert nothing.by_cutoff().empty
        assert nothing.means().empty
        assert "nothing is judged" in as_html(nothing)
        with pytest.raises(ValueError, match="no outcome is known"):
            nothing.compare("lightgbm")

    @pytest.mark.parametrize("outcome", [0.0, 1.0])
    def test_one_class_has_no_order_and_no_interval_of_it(self, predictions, outcome):
        rows = predictions[predictions["cutoff"] == CUTOFFS[0]].assign(churned=outcome)
        table = judge(rows, draws=20).by_cutoff().set_index(["metric", "model"])
        assert table.loc["auc", ["value", "lower", "upper"]].isna().all(axis=None)
        assert table.loc["log_loss"].notna().all(axis=None)

    def test_draws_in_which_a_figure_means_nothing_are_passed_over(self):
        """One leaver of four: in a third of the draws nobody left."""
        rows = rows_of("naive", clients=4, cutoffs=CUTOFFS[:1]).assign(churned=[1.0, 0, 0, 0])
        judged = judge(rows, draws=300)
        drawn = judged.draws[0, 0, METRICS.index("auc")]
        assert np.isnan(drawn).mean() == pytest.approx(0.75**4, abs=0.1)
        told = judged.by_cutoff().set_index("metric").loc["auc"]
        assert [told["lower"], told["upper"]] == pytest.approx(np.nanquantile(drawn, [0.025, 0.975]))

    @pytest.mark.parametrize("draws", [0, 2.5, True])
    def test_draws_must_be_a_count(self, predictions, draws):
        with pytest.raises(ValueError, match="`draws` must be a whole number, at least 1"):
            judge(predictions, draws=draws)

    def test_level_must_be_a_share(self, judgement):
        with pytest.raises(ValueError, match=r"`level` must lie between 0 and 1.*got 95"):
            judgement.by_cutoff(level=95)


def test_intervals_hold_a_known_truth_about_as_often_as_they_say():
    """Scores of leavers lie one standard deviation higher: the area is Φ(1/√2). Of 120 samples 95 % hold it, ± 6 %."""
    truth, held, rng = float(norm.cdf(1 / math.sqrt(2))), 0, np.random.default_rng(5)
    for sample in range(120):
        churned = np.repeat([0.0, 1.0], 60)
        score = norm.cdf(rng.normal(size=120) + churned)
        rows = pd.DataFrame({"model": "m", "client_id": range(120), "cutoff": CUTOFFS[0], "churned": churned})
        rows = rows.assign(churn_probability=score, expected_value=1.0, value=np.arange(120.0))
        told = judge(rows, draws=100, seed=sample).by_cutoff().set_index("metric").loc["auc"]
        held += told["lower"] <= truth <= told["upper"]
    assert 0.89 <= held / 120 <= 0.995


def test_clients_who_repeat_make_the_interval_of_the_mean_no_narrower_than_one_cutoff():
    """The same rows at three cutoffs say no more than at one; taken for other clients they would seem to."""
    one = rows_of("m", cutoffs=CUTOFFS[:1])
    copies = [one.assign(cutoff=cutoff) for cutoff in CUTOFFS]
    strangers = [copy.assign(client_id=copy["client_id"] + 1000 * n) for n, copy in enumerate(copies)]
    width = {}
    for name, rows in {"one": one, "copies": pd.concat(copies), "strangers": pd.concat(strangers)}.items():
        told = judge(rows, draws=400).means().set_index("metric").loc["auc"]
        width[name] = told["upper"] - told["lower"]
    assert width["copies"] == pytest.approx(width["one"])
    assert width["strangers"] == pytest.approx(width["one"] / math.sqrt(3), rel=0.25)


class TestCompare:
    def test_every_baseline_metric_and_cutoff_and_the_mean(self, judgement):
        table = judgement.compare("lightgbm")
        there = table.fillna({"cutoff": pd.Timestamp(0)})
        keys = [(b, m, c) for b in ("naive", "btyd") for m in BETTER for c in (*CUTOFFS, pd.Timestamp(0))]
        assert list(zip(there["baseline"], there["metric"], there["cutoff"], strict=True)) == keys

    def test_is_paired(self, judgement):
        """The difference in each draw is that of two figures on the same clients."""
        m, b, k = (judgement.models.index("lightgbm"), judgement.models.index("btyd"), METRICS.index("brier"))
        drawn = judgement.draws[m, :, k] - judgement.draws[b, :, k]
        rows = judgement.compare("lightgbm", "btyd").query("metric == 'brier'")
        assert rows["lower"].tolist()[:3] == pytest.approx(np.quantile(drawn, 0.025, axis=1))
        assert rows["upper"].tolist()[3] == pytest.approx(np.quantile(drawn.mean(axis=0), 0.975))
        assert rows["share_better"].tolist()[:3] == pytest.approx((drawn < 0).mean(axis=1))
        assert rows["difference"].tolist()[3] == pytest.approx(rows["difference"].iloc[:3].mean())
        alone = judgement.means().query("metric == 'brier'").set_index("model")
        apart = np.hypot(*(alone["upper"] - alone["lower"])[["lightgbm", "btyd"]])
        assert rows["upper"].iloc[3] - rows["lower"].iloc[3] < apart

    def test_the_better_model_is_better_whichever_way_it_is_asked(self, judgement):
        """In any figure: the mirror has the opposite difference and the rest of the draws."""
        forth, back = judgement.compare("lightgbm", ["naive"]), judgement.compare("naive", ["lightgbm"])
        assert back["difference"].tolist() == pytest.approx((-forth["difference"]).tolist())
        assert back["lower"].tolist() == pytest.approx((-forth["upper"]).tolist())
        assert back["share_better"].tolist() == pytest.approx((1 - forth["share_better"]).tolist())
        mean = forth[forth["cutoff"].isna()].set_index("metric")
        assert (mean.loc[["auc", "log_loss", "brier", "lift_top_20"], "share_better"] > 0.95).all()
        assert (mean["better"] == pd.Series(BETTER)).all()

    def test_errors_are_compared_without_their_sign(self):
        """Totals 20 % too high against 50 % too low: 0.2 - 0.5, although 0.2 lies above -0.5."""
        rows = rows_of("over", noise=0.0)
        over, under = rows.assign(expected_value=rows["value"] * 1.2), rows.assign(expected_value=rows["value"] * 0.5)
        table = judge(pd.concat([over, under.assign(model="under")]), draws=20).compare("over", "under")
        told = table[table["metric"] == "total_error"]
        assert told["difference"].tolist() == pytest.approx([-0.3] * 4)
        assert told["share_better"].tolist() == [1.0] * 4
        assert set(told["better"]) == {"nearer 0"}

    def test_a_model_beside_its_copy_is_better_in_half_the_draws(self, predictions):
        twin = predictions[predictions["model"] == "btyd"]
        table = judge(pd.concat([twin, twin.assign(model="twin")]), draws=10).compare("btyd")
        assert (table[["difference", "lower", "upper"]] == 0).all(axis=None)
        assert (table["share_better"] == 0.5).all()

    def test_only_cutoffs_of_both(self, predictions):
        """Buy till you die could not be fitted at the first cutoff: its mean is compared over the other two."""
        rows = predictions[(predictions["model"] != "btyd") | (predictions["cutoff"] > CUTOFFS[0])]
        judged = judge(rows, draws=20)
        auc = judged.compare("lightgbm", "btyd").query("metric == 'auc'")
        assert auc["cutoff"].tolist()[:2] == list(CUTOFFS[1:])
        assert auc["difference"].iloc[2] == pytest.approx(auc["difference"].iloc[:2].mean())
        assert len(auc) == 3

    def test_unknown_models_are_refused(self, judgement):
        with pytest.raises(ValueError, match=r"got 'lgbm'\. There is 'naive', 'btyd', 'lightgbm'"):
            judgement.compare("lgbm")
        with pytest.raises(ValueError, match="got 'coin'"):
            judgement.compare("lightgbm", ["naive", "coin"])


class TestFrames:
    def test_gain_by_hand(self):
        """Of four the riskiest left; of the other cutoff's four the second riskiest and the safest."""
        rows = rows_of("m", clients=4, cutoffs=CUTOFFS[:2])
        rows = rows.assign(churn_probability=[0.9, 0.7, 0.5, 0.3] * 2, churned=[1.0, 0, 0, 0, 0, 1, 0, 1])
        frame = gain_frame(rows).set_index("contacted").loc[[0.0, 0.25, 0.5, 1.0]]
        assert frame["found"].tolist() == pytest.approx([0, 1 / 2, 3 / 4, 1])
        assert frame["lowest"].tolist() == pytest.approx([0, 0, 1 / 2, 1])
        assert frame["highest"].tolist() == pytest.approx([0, 1, 1, 1])
        assert frame["best"].tolist() == pytest.approx([0, 3 / 4, 1, 1])  # rates 1/4 and 1/2
        assert frame["lift"].tolist() == pytest.approx([math.nan, 2, 3 / 2, 1], nan_ok=True)

    def test_gain_leaves_out_cutoffs_where_nobody_left(self, predictions):
        nobody = predictions.assign(churned=predictions["churned"].where(predictions["cutoff"] > CUTOFFS[0], 0.0))
        assert_frame_equal(gain_frame(nobody), gain_frame(predictions[predictions["cutoff"] > CUTOFFS[0]]))
        assert gain_frame(predictions.assign(churned=0.0)).empty

    def test_counts_lie_in_their_bins(self, predictions):
        rows = predictions[predictions["model"] == "naive"].assign(churn_probability=[0.0, 0.05, 1.0] * 120)
        frame = count_frame(rows).set_index("from")["clients"]
        assert (frame[0.0], frame[0.05], frame.iloc[-1], frame.sum()) == (120, 120, 120, 360)

    def test_calibration_has_every_model(self, predictions):
        frame = calibration_frame(predictions, bins=4)
        assert list(frame["model"].unique()) == ["naive", "btyd", "lightgbm"]
        assert (frame.groupby("model")["clients"].sum() == 360).all()
        assert (frame["lower"] <= frame["observed"]).all()
        assert (frame["observed"] <= frame["upper"]).all()

    def test_value_by_hand(self):
        rows = rows_of("m", clients=20, cutoffs=CUTOFFS[:1])
        rows = rows.assign(expected_value=np.arange(20.0), value=np.arange(20.0) * 2)
        frame = value_frame(rows, draws=300)
        assert frame["decile"].tolist() == list(range(1, 11))
        assert frame["clients"].tolist() == [2] * 10
        assert frame["predicted"].tolist() == [0.5 + 2 * k for k in range(10)]
        assert frame["realised"].tolist() == [1.0 + 4 * k for k in range(10)]
        # two clients who spent 0 and 2: drawn alone, each is a bound
        assert frame[["lower", "upper"]].iloc[0].tolist() == [0.0, 2.0]

    def test_equal_predictions_are_never_parted(self):
        rows = rows_of("m", clients=20, cutoffs=CUTOFFS[:1]).assign(expected_value=[0.0] * 12 + list(range(1, 9)))
        frame = value_frame(rows, draws=5)
        assert frame["clients"].tolist() == [12, 2, 2, 2, 2]
        assert frame["decile"].tolist() == [4, 7, 8, 9, 10]
        mixed = value_frame(rows.sample(frac=1, random_state=0), draws=5)
        assert_frame_equal(frame, mixed)

    def test_coverage_by_hand(self):
        rows = rows_of("m", clients=20, cutoffs=CUTOFFS[:1])
        rows = rows.assign(expected_value=np.arange(20.0), value=1.0, value_lower=0.0, value_upper=[1.0, 0.99] * 10)
        frame = coverage_frame(pd.concat([rows_of("other", cutoffs=CUTOFFS[:1]), rows]))
        assert frame["model"].unique().tolist() == ["m"]
        assert frame["coverage"].tolist() == [0.5] * 10
        lower, upper = share_interval([1], [2])
        assert frame[["lower", "upper"]].iloc[3].tolist() == pytest.approx([lower[0], upper[0]])

    def test_nobody_has_intervals(self, predictions):
        plain = predictions.drop(columns=["value_lower", "value_upper"])
        assert coverage_frame(plain).empty
        assert not set(judge(plain, draws=2).by_cutoff()["metric"]) & {"coverage", "interval_width"}


class TestHtml:
    def test_the_best_is_bold(self, judgement):
        page = as_html(judgement)
        means = judgement.means().query("metric == 'auc'").set_index("model")["value"]
        assert f"<b>{means['lightgbm']:.3f}</b>" in page
        assert f"<b>{means['naive']:.3f}</b>" not in page
        assert page.count("<b>") == 7  # one a figure
        assert "2025-01-01, 2025-04-01, 2025-07-01" in page

    def test_names_are_text(self, predictions):
        hostile = predictions.assign(model="<script>" + predictions["model"])
        page = as_html(judge(hostile, draws=2))
        assert "<script>" not in page
        assert "&lt;script&gt;lightgbm" in page
