"""The loyalty score: within its range, monotone, blind to other clients and to time, and right by a slow oracle."""

import itertools
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal
from scipy.stats import spearmanr

from loyalty import loyalty_scores
from loyalty.config import read_config, read_histories
from loyalty.datasets import synthetic_tables
from loyalty.features import CATALOGUE, build_panel, choose_features
from loyalty.histories import Histories
from loyalty.labels import build_labels
from loyalty.loyalty_scores import LoyaltyWeights, document_loyalty, loyalty_parts, loyalty_score

ROOT = Path(__file__).parents[1]
PARTS = ["staying", "regularity", "spend", "price_independence", "engagement", "satisfaction"]
INGREDIENTS = {
    ingredient.name: (name, effect, ingredient)
    for name, part in loyalty_scores._PARTS.items()
    for effect, ingredient in part.curves()
}
FEATURES = list(dict.fromkeys(itertools.chain(*(ingredient.needs for *_, ingredient in INGREDIENTS.values()))))
#: Where more is worse, or where more is neither: it only changes what the client is measured against.
WORSE = {
    "days_since_last",
    "T",
    "discount_share_365d",
    "discount_only_days_share_365d",
    "complaints_count_365d",
    "complaints_open_count",
    "complaint_silence_days",
}
BETTER = set(FEATURES) - WORSE - {"days_since_first_record"}
#: What counts where a value is missing is said by meaning, here once more and not by the module.
LEFT_OUT = {
    "discount_share_365d",
    "discount_only_days_share_365d",
    "price_rise_reaction_90d",
    "visits_count_90d",
    "satisfaction_last",
    "satisfaction_mean",
}

RANGES = {"price_rise_reaction_90d": (-20, 20), "satisfaction_last": (1, 5), "satisfaction_mean": (1, 5)}
SHARES = {"discount_share_365d", "discount_only_days_share_365d", "regularity", "spend_share_90d"}


def values(name):
    low, high = (0, 1) if name in SHARES else RANGES.get(name, (0, 800))
    return st.floats(low, high) | st.integers(low, high).map(float)


rows = st.fixed_dictionaries({name: values(name) | st.just(math.nan) for name in FEATURES})
#: Panels that lack some of the features.
panels = st.tuples(st.lists(rows, min_size=1, max_size=6), st.sets(st.sampled_from(FEATURES), max_size=12)).map(
    lambda drawn: pd.DataFrame(drawn[0]).drop(columns=list(drawn[1]))
)
weightings = st.fixed_dictionaries({name: st.floats(0.1, 100) for name in PARTS}).map(lambda w: LoyaltyWeights(**w))


def panel_of(**columns):
    length = max(len(column) for column in columns.values())
    return pd.DataFrame(columns, index=pd.RangeIndex(length, name="client_id"), dtype="float64")


# The properties


@settings(max_examples=40)
@given(panels)
def test_all_points_lie_within_0_and_100(panel):
    scores = loyalty_score(panel)
    assert list(scores) == ["loyalty_score", *PARTS]
    assert scores.index.equals(panel.index)
    points = scores.to_numpy()
    assert ((points >= 0) & (points <= 100) | np.isnan(points)).all()


@settings(max_examples=40)
@given(panels, st.data())
def test_a_row_is_scored_by_itself(panel, data):
    before = panel.copy()
    some = data.draw(st.lists(st.sampled_from(range(len(panel))), min_size=1, unique=True))
    alone = loyalty_score(panel.iloc[some])
    assert_frame_equal(alone, loyalty_score(panel.assign(amount_sum_90d=1e6)).iloc[some], check_exact=True)
    assert_frame_equal(panel, before)


@pytest.mark.parametrize("name", sorted(BETTER | WORSE))
@settings(max_examples=25)
@given(row=rows, data=st.data())
def test_points_follow_each_feature(name, row, data):
    low, high = sorted([data.draw(values(name)), data.draw(values(name))])
    less, more = (loyalty_score(pd.DataFrame([row | {name: value}])).iloc[0] for value in (low, high))
    if name in WORSE:
        less, more = more, less
    assert (less.isna() == more.isna()).all()
    assert (more.dropna() >= less.dropna() - 1e-9).all()


@settings(max_examples=40)
@given(panels, weightings)
def test_the_score_is_the_weighted_mean_of_the_parts_that_are_known(panel, weights):
    scores = loyalty_score(panel, weights=weights)
    for _, row in scores.iterrows():
        known = {name: points for name, points in row[PARTS].items() if not math.isnan(points)}
        if not known:
            assert math.isnan(row["loyalty_score"])
            continue
        weight = {name: getattr(weights, name) for name in known}
        expected = sum(weight[name] * points for name, points in known.items()) / sum(weight.values())
        assert row["loyalty_score"] == pytest.approx(expected)


def slow_points(ingredient, row):
    """Read one curve for one row as one would by hand."""
    x = row.get(ingredient.name, math.nan)
    if ingredient.name == "still_buying":
        credit = 0.0
        points = [(0, 1.0), (30, 0.8), (90, 0.5), (180, 0.25), (365, 0.1), (730, 0.0)]
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            if x0 <= row["days_since_last"] < x1:
                credit = y0 + (y1 - y0) * (row["days_since_last"] - x0) / (x1 - x0)
        frequency = 0.0 if math.isnan(row["frequency"]) else row["frequency"]
        x = (1 - math.exp(-90 * (frequency + 0.5) / (row["T"] + 90))) * credit
        x = math.nan if math.isnan(row["days_since_last"]) else x
    if ingredient.name == "evenness":
        pairs = max(row["frequency"] - 1, 0) if not math.isnan(row["frequency"]) else math.nan
        x = row["regularity"] * pairs / (pairs + 2) if row["purchase_days_count_365d"] > 0 else math.nan
    if ingredient.name == "spend_pace":
        age = row["days_since_first_record"]
        x = math.nan if math.isnan(age) else row["spend_share_90d"] * min(max(age, 90), 365) / 90
    if math.isnan(x):
        return None if ingredient.name in LEFT_OUT else (50.0 if "neutral" in ingredient.meaning["en"] else 0.0)
    anchors = ingredient.anchors
    if x <= anchors[0][0]:
        return anchors[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(anchors):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return anchors[-1][1]


@given(rows)
def test_parts_equal_the_slow_oracle(row):
    got = loyalty_score(pd.DataFrame([row])).iloc[0]
    for name in PARTS:
        of_part = [(effect, i) for part, effect, i in INGREDIENTS.values() if part == name]
        read = [(effect, slow_points(i, row)) for effect, i in of_part]
        earned = [points for effect, points in read if effect == "earns" and points is not None]
        taken = sum(points for effect, points in read if effect == "takes off")
        if not earned:
            earned = [50.0] if name == "satisfaction" else [math.nan]
        expected = sum(earned) / len(earned) - taken
        assert got[name] == pytest.approx(expected if math.isnan(expected) else max(expected, 0), nan_ok=True, abs=1e-9)


# What missing means


def test_what_is_not_in_the_panel_is_left_out_and_its_weight_shared():
    panel = panel_of(purchase_days_count_365d=[52.0], discount_share_365d=[0.5])
    scores = loyalty_score(panel, weights=LoyaltyWeights(regularity=3, price_independence=1)).iloc[0]
    assert scores[["regularity", "price_independence"]].tolist() == [100, 0]
    assert scores[["staying", "spend", "engagement", "satisfaction"]].isna().all()
    assert scores["loyalty_score"] == 75


def test_an_unknown_discount_is_no_full_price():
    scores = loyalty_score(panel_of(purchase_days_count_365d=[4, 4], discount_share_365d=[math.nan, 0.0]))
    assert math.isnan(scores["price_independence"][0])
    assert scores["price_independence"][1] == 100
    assert scores["loyalty_score"][0] == scores["regularity"][0] == 50


def test_no_complaint_is_neutral_and_a_complaint_is_below():
    scores = loyalty_score(panel_of(complaints_count_365d=[0, 1, math.nan, 50], satisfaction_last=[math.nan] * 4))
    assert scores["satisfaction"].tolist() == [50, 40, 50, 0]


def test_complaints_count_whatever_the_stars():
    scores = loyalty_score(panel_of(satisfaction_last=[5, 5, 1, 1], complaints_open_count=[0, 1, 0, 1]))
    assert scores["satisfaction"].tolist() == [100, 85, 0, 0]


def test_who_never_posted_or_referred_is_neutral_but_who_never_came_is_not():
    panel = panel_of(visits_count_90d=[0, math.nan], community_posts_count_365d=[0, 0], referrals_count_365d=[0, 1])
    assert loyalty_score(panel)["engagement"].tolist() == pytest.approx([100 / 3, (50 + 85) / 2])


def test_who_never_bought_stays_at_nothing_and_is_still_scored():
    names = ["days_since_last", "frequency", "T", "regularity", "purchase_days_count_365d"]
    scores = loyalty_score(pd.DataFrame({name: [math.nan] for name in names}))
    assert scores.loc[0, ["loyalty_score", "staying", "regularity"]].tolist() == [0, 0, 0]


def test_a_rhythm_of_long_ago_counts_no_more():
    history = {"days_since_last": 366.0, "frequency": 20.0, "T": 800.0, "regularity": 1.0}
    gone = loyalty_score(pd.DataFrame([history | {"purchase_days_count_365d": 0.0}]))
    assert gone.loc[0, "regularity"] == 0


def test_a_new_client_spends_at_its_own_pace_by_definition():
    panel = panel_of(spend_share_90d=[1, 1, 90 / 365, 90 / 365], days_since_first_record=[3, 90, 365, 5000])
    assert loyalty_score(panel)["spend"].tolist() == pytest.approx([70, 70, 70, 70])


def test_missing_is_missing_in_whatever_way_it_is_written():
    rows = {"days_since_last": [3, None], "frequency": [2, None], "T": [90, None], "discount_share_365d": [0.1, None]}
    plain = pd.DataFrame(rows, dtype="float64")
    assert_frame_equal(loyalty_score(plain.convert_dtypes()), loyalty_score(plain))
    assert_frame_equal(loyalty_score(plain.astype(object).where(plain.notna(), pd.NA)), loyalty_score(plain))


# The probability


def test_the_probability_takes_the_place_of_the_silence():
    panel = panel_of(days_since_last=[1, 1, 1], frequency=[9, 9, 9], T=[90, 90, 90], complaints_count_365d=[0, 0, 0])
    scores = loyalty_score(panel, [0.0, 1.0, math.nan])
    assert scores["staying"].tolist() == pytest.approx([100, 0, math.nan], nan_ok=True)
    assert scores["loyalty_score"][2] == scores["satisfaction"][2] == 50


def test_the_probability_alone_is_a_score():
    assert loyalty_score(pd.DataFrame(index=["ann"]), [0.25]).loc["ann", "loyalty_score"] == 75


def test_probabilities_that_do_not_fit_are_refused():
    panel = panel_of(days_since_last=[1, 2])
    with pytest.raises(ValueError, match=r"one number for each of the 2 rows of `panel`; got shape \(3,\)"):
        loyalty_score(panel, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"within \[0, 1\]; got 1\.2"):
        loyalty_score(panel, [0.1, 1.2])
    with pytest.raises(ValueError, match="must have the index of `panel`"):
        loyalty_score(panel, pd.Series([0.1, 0.2], index=[1, 0]))


def test_a_panel_without_any_ingredient_is_refused():
    with pytest.raises(ValueError, match="`panel` has no feature that a part of the score is made from"):
        loyalty_score(panel_of(amount_sum_90d=[1, 2]))


# Weights


@settings(max_examples=40)
@given(panels, st.floats(0.01, 100))
def test_only_the_proportions_of_weights_count(panel, factor):
    scaled = LoyaltyWeights(**{name: weight * factor for name, weight in asdict(LoyaltyWeights()).items()})
    assert_frame_equal(loyalty_score(panel, weights=scaled), loyalty_score(panel))


def test_the_weights_add_up_to_100_so_that_they_read_as_shares():
    assert sum(asdict(LoyaltyWeights()).values()) == 100
    assert list(asdict(LoyaltyWeights())) == PARTS


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_weights_must_be_numbers_from_0(weight):
    with pytest.raises(ValueError, match="the weight `spend` must be a number of at least 0; got"):
        LoyaltyWeights(spend=weight)


def test_not_all_weights_may_be_0():
    with pytest.raises(ValueError, match="all weights are 0"):
        LoyaltyWeights(**dict.fromkeys(PARTS, 0))
    scores = loyalty_score(panel_of(discount_share_365d=[0.0]), weights=LoyaltyWeights(price_independence=0))
    assert scores["loyalty_score"].isna().all()


# The curves


def test_curves_are_monotone_and_within_their_range():
    for name, (_, effect, ingredient) in INGREDIENTS.items():
        at, points = zip(*ingredient.anchors, strict=True)
        assert list(at) == sorted(set(at)), name
        assert min(points) >= 0, name
        assert max(points) <= 100, name
        assert list(points) in (sorted(points), sorted(points, reverse=True)), name
        assert effect == "earns" or points[0] == 0, name


def test_curves_are_read_at_the_anchors_and_go_on_level():
    curve = INGREDIENTS["discount_share_365d"][2]
    panel = panel_of(discount_share_365d=[0.0, 0.05, 0.1, 0.35, 0.5, 0.9])
    # between 0 → 100 and 0.1 → 75, half way; between 0.2 → 50 and 0.5 → 0, half way
    assert curve.points(panel).tolist() == pytest.approx([100, 87.5, 75, 25, 0, 0])


def test_no_curve_reads_money_or_other_clients():
    for name in FEATURES:
        assert CATALOGUE[name].unit != "money"
        assert "of clients" not in str(CATALOGUE[name].formula)
        assert not CATALOGUE[name].models
    assert "of clients" in str(CATALOGUE["category_headroom_share_365d"].formula)


def test_the_list_has_every_curve_in_both_languages():
    listed = loyalty_parts()
    assert listed["part"].drop_duplicates().tolist() == PARTS
    assert listed["ingredient"].tolist() == list(INGREDIENTS)
    assert listed["ko"].str.contains("[가-힣]").all()
    assert not listed["en"].str.contains("[가-힣]").any()
    assert set(listed.query("effect == 'earns' and missing != missing").ingredient) == LEFT_OUT


def test_the_page_is_current():
    assert (ROOT / "docs" / "loyalty_score.md").read_text(encoding="utf-8") == document_loyalty()


# Histories


@pytest.fixture(scope="module")
def tables():
    return dict(synthetic_tables(clients=150, seed=4, start="2024-01-01", end="2025-03-31").tables)


def panel_at(histories, cutoff, **population):
    """Build the features of the score, those that these histories have."""
    features = [feature for feature in choose_features(histories) if feature.name in FEATURES]
    return build_panel(histories, cutoffs=cutoff, features=features, **population)


def scored(tables, cutoff):
    return loyalty_score(panel_at(Histories(**tables), cutoff, horizon="90d")).droplevel("cutoff")


def test_all_parts_are_known_where_all_tables_are(tables):
    scores = scored(tables, "2025-01-15")
    assert scores[PARTS].notna().mean().min() > 0.5
    assert scores[PARTS].std().min() > 3


def test_the_score_is_the_same_at_another_time_and_in_another_currency(tables):
    later = pd.Timedelta(days=217)
    moved = {}
    for name, table in tables.items():
        dates = table.select_dtypes("datetime").columns
        moved[name] = table.assign(**{column: table[column] + later for column in dates})
    # A power of two, so that not one bit is rounded otherwise.
    money = [name for name in ("amount", "discount", "cost") if name in moved["purchases"]]
    moved["purchases"] = moved["purchases"].assign(**{name: moved["purchases"][name] * 1024 for name in money})
    assert_frame_equal(scored(moved, pd.Timestamp("2025-01-15") + later), scored(tables, "2025-01-15"))


def test_other_clients_do_not_move_a_score(tables):
    everyone = scored(tables, "2025-01-15")
    some = everyone.index[::3]
    fewer = {name: table[table["client_id"].isin(some)] for name, table in tables.items()}
    assert_frame_equal(scored(fewer, "2025-01-15"), everyone.loc[some], check_exact=True)


def test_silence_lowers_the_score_from_cutoff_to_cutoff(tables):
    bought = tables["purchases"][tables["purchases"]["known_at"] < "2025-01-01"]
    one, two, three = (
        scored({"purchases": bought}, cutoff)["staying"] for cutoff in ("2025-01-01", "2025-02-01", "2025-03-01")
    )
    assert (one >= two).all()
    assert (two >= three).all()
    assert one.mean() > three.mean() + 3


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.parametrize("name", ["cdnow", "online_retail_2"])
def test_tenths_of_the_score_order_who_stays_and_what_is_spent_on_real_data(name, shared_data):
    config = read_config(ROOT / "experiments" / f"{name}.toml")
    histories = read_histories(config, shared_data)
    cutoff, horizon = {"cdnow": ("1997-10-01", "91d"), "online_retail_2": ("2010-12-01", "90d")}[name]
    active = config.outcome.active
    panel = panel_at(histories, cutoff, horizon=horizon, active=active)
    labels = build_labels(histories, cutoffs=cutoff, horizon=horizon, active=active)
    score = loyalty_score(panel)["loyalty_score"]
    tenth = np.ceil(score.rank(pct=True) * 10)
    by_tenth = labels.groupby(tenth)[["churned", "value"]].mean()
    assert len(by_tenth) >= 8
    assert spearmanr(by_tenth.index, by_tenth["churned"])[0] < -0.9
    assert spearmanr(by_tenth.index, by_tenth["value"])[0] > 0.8
    assert_series_equal(score, loyalty_score(panel.iloc[::-1])["loyalty_score"].iloc[::-1], check_exact=True)
