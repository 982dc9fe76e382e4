"""Segments: cut points that stay, cells that each client falls into by itself, and movement that loses nobody."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from loyalty.config import read_config, read_histories
from loyalty.features import build_panel, choose_features
from loyalty.segments import (
    RFM_SEGMENTS,
    VALUE_RISK_SEGMENTS,
    RfmCuts,
    ValueRiskCuts,
    pays_by_bill,
    rfm_segments,
    segment_movement,
    value_risk_segments,
)

ROOT = Path(__file__).parents[1]
FEATURES = ["days_since_last", "purchase_days_count_365d", "amount_sum_365d"]
CUTS = RfmCuts(recency=(10, 20, 30, 40), frequency=(1, 2, 4, 8), monetary=(50, 100, 200, 400))
LIMITS = ValueRiskCuts(value=(100, 500), risk=(0.2, 0.6))

clients = st.tuples(st.floats(0, 60), st.integers(0, 12), st.floats(-50, 600))
panels = st.lists(clients, min_size=1, max_size=12).map(lambda rows: panel_of(*rows))
scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2000)), min_size=1, max_size=12).map(
    lambda rows: scores_of(*rows)
)


def panel_of(*rows):
    index = pd.RangeIndex(len(rows), name="client_id")
    return pd.DataFrame(rows, columns=FEATURES, index=index, dtype="float64")


def scores_of(*rows):
    index = pd.RangeIndex(len(rows), name="client_id")
    return pd.DataFrame(rows, columns=["churn_probability", "expected_value"], index=index, dtype="float64")


# RFM


def bills(late, of, *, gap=30.0, silence=45.0):
    """`of` clients who pay every `gap` days; `late` of them are silent for longer than one and a half of it."""
    days = np.where(np.arange(of) < late, np.nextafter(silence, np.inf), silence)
    return pd.DataFrame({"days_since_last": days, "gap_days_median": gap})


def test_a_silence_of_one_and_a_half_usual_gaps_is_none_yet():
    assert pays_by_bill(bills(0, of=40))


def test_one_in_twenty_who_are_silent_is_a_shop():
    assert pays_by_bill(bills(1, of=21))
    assert not pays_by_bill(bills(1, of=20))


def test_of_fewer_than_twenty_none_need_be_silent_by_chance():
    once = pd.DataFrame({"days_since_last": [400.0], "gap_days_median": [np.nan]})
    assert pays_by_bill(pd.concat([bills(0, of=20), *[once] * 30]))
    assert not pays_by_bill(pd.concat([bills(0, of=19), *[once] * 30]))


def test_who_could_not_be_seen_silent_says_nothing():
    """Of a gap of 30 days 46 would be silence; whoever was silent for longer than 45 is left out of such a panel."""
    assert not pays_by_bill(bills(0, of=40), active=pd.Timedelta(days=45))
    assert pays_by_bill(bills(0, of=40), active=pd.Timedelta(days=46))
    both = pd.concat([bills(0, of=19), bills(21, of=21, gap=20.0)])  # the latter are, and could be, silent
    assert not pays_by_bill(both, active=pd.Timedelta(days=45))


def test_without_a_usual_gap_measured_clients_do_not_pay_by_bill():
    assert not pays_by_bill(bills(0, of=40)[["days_since_last"]])
    assert not pays_by_bill(bills(0, of=40)[["gap_days_median"]])


def test_a_value_at_a_cut_point_counts_as_below_it():
    panel = panel_of((10, 1, 50), (10.01, 2, 50.01), (40, 8, 400), (40.01, 9, 400.01))
    found = rfm_segments(panel, cuts=CUTS)
    assert found["recency_score"].tolist() == [5, 4, 2, 1]
    assert found["frequency_score"].tolist() == [1, 2, 4, 5]
    assert found["monetary_score"].tolist() == [1, 2, 4, 5]


@given(panels, st.data())
def test_rfm_scores_are_whole_numbers_from_1_to_5_of_the_row_alone(panel, data):
    before, found = panel.copy(), rfm_segments(panel, cuts=CUTS)
    assert_frame_equal(panel, before)
    points = found[["recency_score", "frequency_score", "monetary_score"]]
    assert points.isin(range(1, 6)).all(axis=None)
    some = data.draw(st.lists(st.sampled_from(range(len(panel))), min_size=1, unique=True))
    assert_frame_equal(rfm_segments(panel.iloc[some], cuts=CUTS), found.iloc[some])


@given(clients, clients)
def test_who_buys_later_more_often_and_for_more_is_never_in_a_worse_segment(one, other):
    worse = (max(one[0], other[0]), min(one[1], other[1]), min(one[2], other[2]))
    better = (min(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2]))
    found = rfm_segments(panel_of(worse, better), cuts=CUTS)
    points = found[["recency_score", "frequency_score", "monetary_score"]].to_numpy()
    assert (points[1] >= points[0]).all()
    assert found["segment"].cat.codes[1] <= found["segment"].cat.codes[0]


def test_each_segment_is_where_its_name_says():
    recent, cooling, quiet = 5, 25, 50
    strong, average, weak = (9, 500), (3, 150), (1, 10)
    rows = [(days, *habit) for days in (recent, cooling, quiet) for habit in (strong, average, weak)]
    found = rfm_segments(panel_of(*rows), cuts=CUTS)["segment"]
    assert found.tolist() == [words["en"] for words in RFM_SEGMENTS.values()]
    assert found.cat.ordered
    assert found.cat.categories.tolist() == found.tolist()
    in_korean = rfm_segments(panel_of(*rows), cuts=CUTS, language="ko")["segment"]
    assert in_korean.tolist() == [words["ko"] for words in RFM_SEGMENTS.values()]


def test_often_makes_up_for_little_and_the_other_way_round():
    often, much, both = rfm_segments(panel_of((5, 9, 10), (5, 1, 500), (5, 8, 400)), cuts=CUTS)["segment"]
    assert often == much == RFM_SEGMENTS[2, 1]["en"]
    assert both == RFM_SEGMENTS[2, 2]["en"]


def test_who_never_bought_scores_1_throughout():
    found = rfm_segments(panel_of((math.nan, 0, -5), (math.nan, math.nan, math.nan)), cuts=CUTS)
    assert (found[["recency_score", "frequency_score", "monetary_score"]] == 1).all(axis=None)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "int64[pyarrow]", object])
def test_the_type_of_the_numbers_does_not_matter(kind):
    rows = panel_of((5, 3, 80), (25, 1, 20), (35, 9, 500), (math.nan, math.nan, math.nan))
    typed = rows.astype("Int64").astype(kind)
    assert RfmCuts.fit(typed.iloc[:3]) == RfmCuts.fit(rows.iloc[:3])
    assert_frame_equal(rfm_segments(typed, cuts=CUTS), rfm_segments(rows, cuts=CUTS))


def test_cuts_are_fifths_of_those_who_ever_bought():
    rows = [(day, day % 7, day * 10) for day in range(1, 11)]
    cuts = RfmCuts.fit(panel_of(*rows, (math.nan, 0, -1000)))
    # of 1 to 10, the values with 20, 40, 60 and 80 % of the way from the first to the tenth behind them: 2.8 → 2, ...
    assert cuts.recency == (2, 4, 6, 8)
    assert cuts.monetary == (20, 40, 60, 80)
    # 0 1 1 2 2 3 3 4 5 6
    assert cuts.frequency == (1, 2, 3, 4)


def test_cuts_stay_when_the_clients_change():
    rows = [(day, day, day * 10.0) for day in range(1, 51)]
    cuts = RfmCuts.fit(panel_of(*rows))
    worse = panel_of(*[(day + 100, 1, 1.0) for day, *_ in rows])
    assert (rfm_segments(worse, cuts=cuts)[["recency_score", "frequency_score"]] == 1).all(axis=None)
    assert rfm_segments(panel_of(*rows), cuts=cuts)["recency_score"].value_counts().between(8, 12).all()


def test_cuts_that_cannot_be_learned_are_refused():
    with pytest.raises(ValueError, match="no client who ever bought"):
        RfmCuts.fit(panel_of((math.nan, 0, 0)))
    with pytest.raises(ValueError, match=r"`panel` lacks the column 'amount_sum_365d'\. Build it with features="):
        RfmCuts.fit(panel_of((1, 1, 1)).drop(columns="amount_sum_365d"))
    panel = panel_of((1, 1, 1), (2, 2, 2)).set_axis(
        pd.MultiIndex.from_arrays([[1, 1], pd.to_datetime(["2024-01-01", "2024-02-01"])], names=["client_id", "cutoff"])
    )
    with pytest.raises(ValueError, match="`panel` must be of one cutoff; got 2"):
        RfmCuts.fit(panel)


@pytest.mark.parametrize("edges", [(1, 2, 3), (1, 2, 3, 2), (1, 2, 3, math.nan), (1, 2, 3, math.inf)])
def test_cuts_must_ascend(edges):
    with pytest.raises(ValueError, match="`frequency` must be 4 finite numbers, none below the one before"):
        RfmCuts(recency=(1, 2, 3, 4), frequency=edges, monetary=(1, 2, 3, 4))


def test_other_languages_are_refused():
    with pytest.raises(ValueError, match="`language` must be 'en' or 'ko'; got 'fr'"):
        rfm_segments(panel_of((1, 1, 1)), cuts=CUTS, language="fr")


# Value and risk


def test_each_cell_is_where_its_name_says_and_has_a_service():
    value, risk = {2: 900, 1: 300, 0: 50}, {0: 0.1, 1: 0.4, 2: 0.9}
    rows = [(risk[level], value[tier] * (1 - risk[level])) for tier, level in VALUE_RISK_SEGMENTS]
    for language, script in (("en", "[a-z]"), ("ko", "[가-힣]")):
        found = value_risk_segments(scores_of(*rows), cuts=LIMITS, language=language)
        assert list(zip(found["value_tier"], found["risk_level"], strict=True)) == list(VALUE_RISK_SEGMENTS)
        assert found["segment"].tolist() == [cell.name[language] for cell in VALUE_RISK_SEGMENTS.values()]
        assert found["service"].tolist() == [cell.service[language] for cell in VALUE_RISK_SEGMENTS.values()]
        assert found["service"].is_unique
        assert found["service"].str.contains(script).all()


@given(st.floats(0, 0.95), st.floats(0, 0.95), st.sampled_from([10.0, 99.0, 101.0, 499.0, 501.0, 5000.0]))
def test_risk_does_not_lower_the_tier(one, other, worth):
    found = value_risk_segments(scores_of((one, worth * (1 - one)), (other, worth * (1 - other))), cuts=LIMITS)
    assert found["value_tier"][0] == found["value_tier"][1]
    assert found["value"].tolist() == pytest.approx([worth, worth])
    if one < other:
        assert found["risk_level"][0] <= found["risk_level"][1]


def test_a_client_all_but_lost_is_not_worth_any_amount():
    found = value_risk_segments(scores_of((1.0, 3.0), (0.999999, 3.0), (0.95, 3.0)), cuts=LIMITS)
    assert found["value"].tolist() == pytest.approx([60, 60, 60])


def test_cuts_of_value_and_risk_are_the_half_and_the_top_fifth():
    rows = [(0.0, float(value)) for value in range(11)]
    assert ValueRiskCuts.fit(scores_of(*rows)).value == (5, 8)
    assert ValueRiskCuts.fit(scores_of(*[(p / 20, 0.0) for p in range(11)])).risk == (0.25, 0.4)


@given(scores, st.data())
def test_a_client_falls_into_its_cell_by_itself(table, data):
    found = value_risk_segments(table, cuts=LIMITS)
    some = data.draw(st.lists(st.sampled_from(range(len(table))), min_size=1, unique=True))
    assert_frame_equal(value_risk_segments(table.iloc[some], cuts=LIMITS), found.iloc[some])


def test_scores_that_are_none_are_refused():
    with pytest.raises(ValueError, match="`scores` lacks the column 'expected_value'"):
        value_risk_segments(scores_of((0.1, 1)).drop(columns="expected_value"), cuts=LIMITS)
    for probability in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"`churn_probability` must lie within \[0, 1\]"):
            value_risk_segments(scores_of((0.1, 1), (probability, 1)), cuts=LIMITS)
    with pytest.raises(ValueError, match="`expected_value` must be finite; got inf"):
        value_risk_segments(scores_of((0.1, math.inf)), cuts=LIMITS)
    with pytest.raises(ValueError, match="holds no client"):
        ValueRiskCuts.fit(scores_of((0.1, 1.0)).iloc[:0])


def test_no_two_names_are_alike():
    for language in ("en", "ko"):
        names = [words[language] for words in RFM_SEGMENTS.values()]
        names += [cell.name[language] for cell in VALUE_RISK_SEGMENTS.values()]
        assert len(set(names)) == 18
        assert set(RFM_SEGMENTS) == set(VALUE_RISK_SEGMENTS) == set(itertools.product(range(3), repeat=2))


# Movement

bases = st.dictionaries(
    st.integers(0, 15), st.tuples(st.sampled_from(["top", "solid", "small"]), st.integers(-5, 90)), max_size=12
)


def base_of(clients):
    rows = [*clients.values()]
    frame = pd.DataFrame(rows, columns=["segment", "value"], index=pd.Index(list(clients), name="client_id"))
    return frame.astype({"segment": object, "value": "float64"})


@given(bases, bases)
def test_movement_counts_every_client_once(before, after):
    table = segment_movement(base_of(before), base_of(after))
    assert list(table) == ["from", "to", "clients", "share", "value_before", "value_after"]
    assert table["clients"].sum() == len(set(before) | set(after))
    assert (table["clients"] > 0).all()
    assert table["value_before"].sum() == sum(value for _, value in before.values())
    assert table["value_after"].sum() == sum(value for _, value in after.values())
    assert not table.duplicated(["from", "to"]).any()
    for origin, group in table.groupby("from"):
        assert group["share"].sum() == pytest.approx(1)
        there = len(set(after) - set(before)) if origin == "new" else [s for s, _ in before.values()].count(origin)
        assert group["clients"].sum() == there
    expected = {}
    for client in set(before) | set(after):
        pair = (before.get(client, ["new"])[0], after.get(client, ["gone"])[0])
        expected[pair] = expected.get(pair, 0) + 1
    assert dict(zip(zip(table["from"], table["to"], strict=True), table["clients"], strict=True)) == expected


@settings(max_examples=40)
@given(bases, bases)
def test_movement_back_is_the_movement_turned_round(before, after):
    there, back = segment_movement(base_of(before), base_of(after)), segment_movement(base_of(after), base_of(before))
    turned = back.rename(
        columns={"from": "to", "to": "from", "value_before": "value_after", "value_after": "value_before"}
    )
    turned["from"], turned["to"] = turned["from"].replace("gone", "new"), turned["to"].replace("new", "gone")
    keys = ["from", "to", "clients", "value_before", "value_after"]
    assert_frame_equal(
        there[keys].sort_values(["from", "to"], ignore_index=True),
        turned[keys].sort_values(["from", "to"], ignore_index=True),
    )


@given(panels)
def test_nobody_moves_from_a_cutoff_to_itself(panel):
    found = rfm_segments(panel, cuts=CUTS)
    table = segment_movement(found, found)
    assert (table["from"] == table["to"]).all()
    assert (table["share"] == 1).all()
    worth = {words["en"]: place for place, words in enumerate(RFM_SEGMENTS.values())}
    assert table["from"].map(worth).is_monotonic_increasing


def test_new_and_gone_come_last_and_in_the_language():
    before, after = base_of({1: ("top", 1), 2: ("solid", 2)}), base_of({1: ("top", 3), 3: ("top", 5)})
    table = segment_movement(before, after, language="ko")
    assert table[["from", "to"]].values.tolist() == [["solid", "이탈"], ["top", "top"], ["신규", "top"]]


def test_snapshots_with_their_cutoffs_are_taken_by_client():
    dates = pd.to_datetime(["2024-01-01", "2024-02-01"])
    before, after = (
        base_of({1: ("top", 1)}).set_axis(pd.MultiIndex.from_arrays([[1], [at]], names=["client_id", "cutoff"]))
        for at in dates
    )
    assert segment_movement(before, after)[["from", "to", "clients"]].values.tolist() == [["top", "top", 1]]
    both = pd.concat([before, after])
    with pytest.raises(ValueError, match=r"`after` must have one row per client; 1 stands twice\."):
        segment_movement(before, both)


def test_tables_that_cannot_be_compared_are_refused():
    base = base_of({1: ("top", 1)})
    with pytest.raises(ValueError, match="`before` lacks the column 'value'"):
        segment_movement(base[["segment"]], base)
    with pytest.raises(ValueError, match="`after` has a segment named 'gone'"):
        segment_movement(base, base.assign(segment="gone"))
    with pytest.raises(ValueError, match="`after` has no segment for the client 1"):
        segment_movement(base, base.assign(segment=None))


# Real data


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
def test_segments_tell_who_stays_on_real_data_and_movement_loses_nobody(shared_data):
    config = read_config(ROOT / "experiments" / "online_retail_2.toml")
    histories = read_histories(config, shared_data)
    features = choose_features(histories, FEATURES)
    cutoffs = ["2010-09-01", "2010-12-01"]
    first, second = (
        build_panel(histories, cutoffs=at, horizon="90d", active="365d", features=features) for at in cutoffs
    )
    cuts = RfmCuts.fit(first)
    before, after = rfm_segments(first, cuts=cuts), rfm_segments(second, cuts=cuts)
    table = segment_movement(before, after)
    everyone = set(first.index.get_level_values("client_id")) | set(second.index.get_level_values("client_id"))
    assert table["clients"].sum() == len(everyone)
    assert table["value_after"].sum() == pytest.approx(np.nansum(second["amount_sum_365d"]))
    days = second.droplevel("cutoff")["days_since_last"].reindex(first.index.get_level_values("client_id"))
    stayed = pd.Series((days < 91).to_numpy(), index=first.index).groupby(before["segment"], observed=True).mean()
    assert stayed["champions"] > 2 * stayed["occasional clients gone quiet"]
    assert stayed["champions"] == stayed.max()
    assert re.search("champions", table["from"].iloc[0])
