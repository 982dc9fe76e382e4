"""Every feature of the catalogue: blind to the future, indifferent to form, and equal to a slow oracle.

A panel holds all features at once, so a test draws one world and looks at every column; what fails is named.
The edge cases stand still and are told apart by feature.
"""

import os
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from loyalty.features import CATALOGUE, build_panel, choose_features, parts
from loyalty.features import panel as engine
from loyalty.features.algebra import PURCHASES, CutoffDay
from loyalty.features.catalogue import Catalogue, catalogue_page
from loyalty.features.feature import WINDOWS, Phrase
from loyalty.histories import Histories
from oracles import LEARNED, panel_by_client
from oracles.history import DAY, History, Purchase
from worlds import CUTOFFS, MIDDAY, MIDNIGHT, edge_cases, frames_of, histories_of, on_days, worlds

ROOT = Path(__file__).parents[1]
CDNOW = Path(os.environ.get("LOYALTY_DATA") or ROOT.parent / "shared" / "data") / "cdnow.parquet"

OUTCOME = {"horizon": "45d", "gap": "3d"}
OUTCOME_DAYS = {"horizon_days": 45, "gap_days": 3}

# Worlds may hold one line twice; that is what the warning is about.
pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def panel_of(history: History | list[Purchase], cutoff, **options) -> pd.DataFrame:
    history = history if isinstance(history, History) else History(history)
    return build_panel(histories_of(history), cutoffs=cutoff, **{**OUTCOME, "learned": LEARNED, **options})


def assert_equals_oracle(panel: pd.DataFrame, history: History, *, cutoff: datetime, **options) -> None:
    """Compare all features with the loop, and name those that differ with their first client."""
    told = panel_by_client(history, cutoff=cutoff, **{**OUTCOME_DAYS, **options})
    expected = pd.DataFrame.from_dict(told, orient="index", columns=list(CATALOGUE)).sort_index()
    assert panel.index.tolist() == [(client, pd.Timestamp(cutoff)) for client in expected.index]
    wrong = []
    for name in panel.columns:
        is_, should = panel[name].to_numpy(), expected[name].to_numpy(dtype="float64")
        # Sums of cents that cancel leave a residue of this size.
        differs = np.flatnonzero(~np.isclose(is_, should, rtol=1e-9, atol=1e-10, equal_nan=True))
        if len(differs):
            first = differs[0]
            wrong.append(f"{name}: {expected.index[first]!r} has {is_[first]!r}, the oracle says {should[first]!r}")
    assert not wrong, "\n".join(wrong)


def assert_identical(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert_frame_equal(one, other, check_exact=True)


def names_of(history: History) -> list[str]:
    """The features that the tables of a history allow."""
    return [feature.name for feature in choose_features(histories_of(history), models=LEARNED)]


# Drawn worlds


@settings(drawn, max_examples=25)
@given(worlds())
def test_equals_the_oracle(world):
    history, cutoff = world
    panel = panel_of(history, cutoff)
    assert list(panel.columns) == list(CATALOGUE)
    assert (panel.dtypes == "float64").all()
    assert not np.isinf(panel.to_numpy()).any()
    assert_equals_oracle(panel, history, cutoff=cutoff)


@settings(drawn, max_examples=15)
@given(worlds())
def test_blind_to_what_is_known_at_or_after_the_cutoff(world):
    # Later rows and later facts of whatever kind change nothing: so neither does adding, altering or deleting one.
    history, cutoff = world
    past = history.known_before(cutoff)
    assume(past.purchases)
    assume(len(past.rows()) < len(history.rows()))
    panel, other = panel_of(history, cutoff), panel_of(past, cutoff)
    assert set(other.columns) <= set(panel.columns)  # a table of which nothing was known yet is not there
    assert_identical(panel[other.columns], other)


@settings(drawn, max_examples=8)
@given(worlds(), st.randoms(use_true_random=False))
def test_ignores_row_order_and_leaves_its_input_alone(world, random):
    history, cutoff = world
    frames = frames_of(history)
    before = {name: frame.copy(deep=True) for name, frame in frames.items()}
    panel = build_panel(Histories(**frames), cutoffs=cutoff, learned=LEARNED, **OUTCOME)
    for name, frame in frames.items():
        assert_identical(frame, before[name])
    mixed = History(**{name: random.sample(rows, len(rows)) for name, rows in vars(history).items()})
    assert_identical(panel, panel_of(mixed, cutoff))


@settings(drawn, max_examples=5)
@given(worlds())
def test_client_ids_may_be_integers_or_text(world):
    # "10" stands before "2", so the rows come in another order.
    history, cutoff = world
    named = History(**{t: [replace(r, client_id=str(r.client_id)) for r in rows] for t, rows in vars(history).items()})
    panel, by_name = panel_of(history, cutoff), panel_of(named, cutoff)
    assert by_name.index.is_monotonic_increasing
    by_number = by_name.rename(index=int, level="client_id").sort_index()
    assert_identical(panel.reset_index(drop=True), by_number.reset_index(drop=True))


@pytest.mark.parametrize("seed", range(3))
def test_sums_over_all_clients_do_not_depend_on_their_order(seed):
    # "10" stands before "2"; all like tea best, and the last has no milk.
    rng, clients = np.random.default_rng(seed), np.arange(100)
    tea = pd.DataFrame({"client_id": np.append(clients, 100), "category": "tea", "amount": 7.0})
    milk = pd.DataFrame({"client_id": clients, "category": "milk", "amount": rng.uniform(0, 7, 100).round(2)})
    bills = pd.concat([tea, milk]).assign(event_time=pd.Timestamp("2024-01-01"))
    headroom = [CATALOGUE["category_headroom_share_365d"]]
    numbers, texts = (
        build_panel(Histories(given), cutoffs="2024-02-01", horizon="30d", features=headroom).iloc[:, 0]
        for given in (bills, bills.astype({"client_id": str}))
    )
    of_last = [panel.xs(client, level="client_id").item() for panel, client in ((numbers, 100), (texts, "100"))]
    assert of_last[0] == of_last[1] == pytest.approx(milk["amount"].sum() / bills["amount"].sum())


@settings(drawn, max_examples=5)
@given(worlds(), st.sampled_from(["Asia/Seoul", "America/New_York"]))
def test_time_zones_do_not_matter(world, zone):
    history, cutoff = world
    frames = frames_of(history)
    for name, frame in frames.items():
        times = {
            column: frame[column].dt.tz_localize("UTC").dt.tz_convert(zone)
            for column in frame.select_dtypes("datetime")
        }
        frames[name] = frame.assign(**times)
    elsewhere = build_panel(Histories(**frames), cutoffs=cutoff, learned=LEARNED, **OUTCOME)
    assert_identical(panel_of(history, cutoff), elsewhere)


@settings(drawn, max_examples=5)
@given(worlds(), st.sets(st.sampled_from([1, 2, 3, 10]), min_size=1))
def test_batches_and_parts_of_clients_do_not_matter(world, some):
    history, cutoff = world
    panel = panel_of(history, cutoff)
    batch = panel_of(history, cutoff, clients=sorted(some))
    assert_identical(batch, panel[panel.index.get_level_values("client_id").isin(some)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engine, "_PART_ROWS", 3)
        assert_identical(panel_of(history, cutoff), panel)


@settings(drawn, max_examples=10)
@given(st.lists(st.sampled_from(list(CATALOGUE)), min_size=1, max_size=8, unique=True))
def test_a_feature_does_not_depend_on_what_else_is_asked(edges, names):
    history, panels = edges
    histories = histories_of(history)
    chosen = choose_features(histories, names, models=LEARNED)
    alone = build_panel(histories, cutoffs=MIDDAY, features=chosen, learned=LEARNED, **OUTCOME)
    assert_identical(alone, panels[MIDDAY][names])


# Edge cases, one client each


@pytest.fixture(scope="module")
def edges() -> tuple[History, dict[datetime, pd.DataFrame]]:
    """All edge cases about three cutoffs, and their panel at each."""
    history = edge_cases()
    histories = histories_of(history)
    options = {"learned": LEARNED, **OUTCOME}
    return history, {cutoff: build_panel(histories, cutoffs=cutoff, **options) for cutoff in CUTOFFS}


@pytest.fixture(scope="module")
def expected(edges) -> dict[datetime, pd.DataFrame]:
    history, _ = edges
    told = {cutoff: panel_by_client(history, cutoff=cutoff, **OUTCOME_DAYS) for cutoff in CUTOFFS}
    return {cutoff: pd.DataFrame.from_dict(rows, orient="index").sort_index() for cutoff, rows in told.items()}


def test_oracle_and_catalogue_speak_of_the_same_features(expected):
    assert set(expected[MIDNIGHT].columns) == set(CATALOGUE)


@pytest.mark.parametrize("name", [name for name, feature in CATALOGUE.items() if feature.shared])
def test_what_all_clients_share_is_the_same_for_all(edges, name):
    _, panels = edges
    for cutoff in CUTOFFS:
        values = panels[cutoff][name].to_numpy()
        assert ((values == values[0]) | (np.isnan(values) & np.isnan(values[0]))).all()


@pytest.mark.parametrize("name", ["purchase_days_decayed_30d", "purchase_days_count_90d", "days_since_last"])
def test_what_counts_a_clients_rows_is_its_own(name):
    assert not CATALOGUE[name].shared


@pytest.mark.parametrize("name", CATALOGUE)
def test_edge_cases(edges, expected, name):
    _, panels = edges
    for cutoff in CUTOFFS:
        panel = panels[cutoff].droplevel("cutoff")[name]
        should = expected[cutoff][name].astype("float64")
        pd.testing.assert_series_equal(
            panel, should, rtol=1e-9, atol=1e-10, check_names=False, check_index_type=False, check_exact=False
        )


def test_several_cutoffs_are_each_alone(edges):
    history, panels = edges
    together = panel_of(history, [CUTOFFS[2], CUTOFFS[0], CUTOFFS[1]])
    assert together.index.names == ["client_id", "cutoff"]
    assert_identical(together, pd.concat([panels[cutoff] for cutoff in CUTOFFS]))


# Written out by hand: what the loop could have misunderstood with the package


def test_who_never_bought_has_no_rhythm_and_no_spend(edges):
    _, panels = edges
    row = panels[MIDNIGHT].loc[("only refunds", pd.Timestamp(MIDNIGHT))]
    assert row[["frequency", "recency", "T", "monetary", "days_since_last", "lines_day_mean_365d"]].isna().all()
    assert row["days_since_first_record"] == 50
    assert row["purchase_days_count_365d"] == row["products_count_90d"] == 0
    assert (row["amount_sum"], row["amount_sum_30d"], row["refunds_count_365d"]) == (-16, -8, 2)
    assert np.isnan(row["refund_share_365d"])


def test_four_purchases_by_hand():
    at = pd.Timestamp(MIDNIGHT)
    purchases = [
        *on_days("ann", MIDNIGHT, 100, 40, 40, 30, amount=10.0),
        *on_days("ann", MIDNIGHT, 20, amount=-6.0),
        Purchase("ann", MIDNIGHT - 9.5 * DAY, 44.0, product_id="x", discount=11.0),
    ]
    row = panel_of(purchases, MIDNIGHT).loc[("ann", at)]
    by_hand = {
        "days_since_last": 10,  # from the midnight before
        "frequency": 3,
        "recency": 90,
        "T": 100,
        "gap_days_mean": 30,  # 60, 10, 20
        "gap_days_median": 20,
        "gap_days_cv": np.sqrt((30**2 + 20**2 + 10**2) / 2) / 30,
        "gap_days_last": 20,
        "gap_days_max": 60,
        "overdue_ratio": 1 / 3,
        "pause_ratio": 1 / 6,
        "purchase_days_count_30d": 2,
        "purchase_days_trend_90d": 2,
        "amount_sum_30d": 48,
        "amount_sum": 78,
        "amount_trend_90d": 58,
        "monetary": 74 / 3,  # 20, 10, 44
        "amount_day_mean_365d": 21,
        "amount_day_max": 44,
        "amount_day_last": 44,
        "refund_share_365d": 6 / 84,
        "lines_day_mean_365d": 1.25,
        "products_count_90d": 1,
        "discount_share_365d": 0.2,
        "discount_only_days_share_365d": 1,  # of the day of the one line whose discount is known
    }
    assert row[list(by_hand)].to_dict() == pytest.approx(by_hand)


def test_season_is_that_of_the_horizon_and_nothing_else_is():
    purchases = on_days("ann", MIDNIGHT, 100, 40)
    autumn = panel_of(purchases, MIDNIGHT, horizon="184d", gap="0d")  # about 1 October
    summer = panel_of(purchases, MIDNIGHT, horizon="2d", gap="0d")
    assert autumn[["season_sin", "season_cos"]].iloc[0].tolist() == pytest.approx([-1, 0], abs=0.03)
    assert summer[["season_sin", "season_cos"]].iloc[0].tolist() == pytest.approx([0, -1], abs=0.03)
    seasons = ["season_sin", "season_cos"]
    assert_identical(autumn.drop(columns=seasons), summer.drop(columns=seasons))


@given(st.integers(-86_400_000_000 * 40_000, 86_400_000_000 * 80_000))
@example(120_530 * 86_400_000_000)  # past what nanoseconds hold
def test_the_day_of_the_cutoff_is_the_same_number_on_one_machine_and_in_a_database(microseconds):
    on_one_machine = microseconds / parts.DAY  # as `arrays` divides
    assert CutoffDay().at(pd.Timestamp(microseconds, unit="us")) == on_one_machine


# Who has a row


@settings(drawn, max_examples=5)
@given(worlds(), st.sampled_from(WINDOWS))
def test_active_keeps_clients_seen_in_the_window_as_they_were(world, days):
    purchases, cutoff = world
    panel = panel_of(purchases, cutoff, active=f"{days}d")
    assert_equals_oracle(panel, purchases, cutoff=cutoff, active_days=days)


def test_nobody_is_there_before_the_first_purchase():
    cutoffs = [MIDNIGHT - 50 * DAY, MIDNIGHT]
    panel = panel_of(on_days("ann", MIDNIGHT, 50, 40), cutoffs)
    assert panel.index.tolist() == [("ann", pd.Timestamp(MIDNIGHT))]
    nobody = panel_of(on_days("ann", MIDNIGHT, 50, 40), cutoffs[0])
    assert nobody.empty
    assert list(nobody.columns) == list(panel.columns)
    assert nobody.index.names == ["client_id", "cutoff"]
    assert (nobody.dtypes == "float64").all()


def test_contract_holder_without_purchases_spent_nothing():
    contracts = pd.DataFrame({"client_id": ["ann", "bob"], "start": ["2024-01-01", "2024-02-01"]})
    histories = Histories(bills_of(*on_days("ann", MIDNIGHT, 50)), contracts=contracts)
    panel = build_panel(histories, cutoffs=MIDNIGHT, kind="contractual", **OUTCOME)
    assert panel.index.get_level_values("client_id").tolist() == ["ann", "bob"]
    bob = panel.xs("bob").iloc[0]
    nothing = {"amount_sum", "amount_sum_365d", "amount_decayed_30d", "amount_trend_90d", "purchase_days_count_90d"}
    assert (bob[list(nothing)] == 0).all()
    assert bob[["frequency", "recency", "T", "gap_days_mean", "overdue_ratio"]].isna().all()
    assert bob["days_since_contract_first"] == 151


def test_kinds_and_their_tables_are_checked():
    histories = histories_of(History(on_days("ann", MIDNIGHT, 50)))
    with pytest.raises(ValueError, match="needs the table `contracts`"):
        build_panel(histories, cutoffs=MIDNIGHT, kind="contractual", **OUTCOME)
    with pytest.raises(ValueError, match="`kind` must be"):
        build_panel(histories, cutoffs=MIDNIGHT, kind="else", **OUTCOME)


# What may be asked


def bills_of(*purchases: Purchase) -> pd.DataFrame:
    """Nothing but what must be there."""
    return frames_of(History(list(purchases)))["purchases"][["client_id", "event_time", "amount"]]


def test_features_follow_the_columns_there_are():
    frame = bills_of(*on_days("ann", MIDNIGHT, 50))
    panel = build_panel(Histories(frame), cutoffs=MIDNIGHT, **OUTCOME)
    plain = [name for name, one in CATALOGUE.items() if one.needs in ({"purchases": ()}, {}) and not one.models]
    assert list(panel.columns) == plain
    more = build_panel(Histories(frame.assign(channel="web")), cutoffs=MIDNIGHT, **OUTCOME)
    assert set(more.columns) - set(panel.columns) == {"channels_count_365d", "channel_top_share_365d"}


def test_what_cannot_be_computed_is_refused_with_its_name():
    histories = Histories(bills_of(*on_days("ann", MIDNIGHT, 50)))
    needy = CATALOGUE["products_count_90d"]
    with pytest.raises(ValueError, match=r"'products_count_90d' needs the column purchases\.product_id"):
        choose_features(histories, ["frequency", "products_count_90d"])
    with pytest.raises(ValueError, match=r"'products_count_90d' needs the column purchases\.product_id"):
        build_panel(histories, cutoffs=MIDNIGHT, features=[needy], **OUTCOME)
    with pytest.raises(ValueError, match="'visits_count_90d' needs the table events"):
        choose_features(histories, ["visits_count_90d"])
    with pytest.raises(ValueError, match="'alive_probability' asks the fitted model 'btyd', which is not there"):
        build_panel(histories, cutoffs=MIDNIGHT, features=[CATALOGUE["alive_probability"]], **OUTCOME)
    with pytest.raises(ValueError, match="'frequency' twice"):
        choose_features(histories, ["frequency", "recency", "frequency"])
    with pytest.raises(ValueError, match="Did you mean 'amount_sum_90d'"):
        choose_features(histories, ["amount_sum_90"])
    with pytest.raises(ValueError, match="at least one date; a cutoff never has a default"):
        build_panel(histories, cutoffs=[], **OUTCOME)


def test_each_step_is_told():
    told = []
    panel_of(on_days("ann", MIDNIGHT, 50), [MIDNIGHT, MIDNIGHT + DAY], on_step=told.append)
    assert told == ["features at 2024-07-01", "features at 2024-07-02"]


# The catalogue


@pytest.mark.parametrize("feature", CATALOGUE.values(), ids=list(CATALOGUE))
def test_catalogue_entry_says_what_the_name_says(feature):
    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*|T", feature.name)
    window = re.search(r"_(\d+)d$", feature.name)
    for language in ("en", "ko"):
        meaning = feature.meaning[language]
        assert window is None or window[1] in re.findall(r"\d+", meaning), meaning
        assert meaning == meaning.strip()
        assert not meaning.endswith(".")
        assert [other.name for other in CATALOGUE.values() if other.meaning[language] == meaning] == [feature.name]
    assert re.search("[가-힣]", feature.meaning["ko"])
    assert feature.meaning["en"].isascii()
    assert str(feature.formula)


def test_a_family_says_nearly_the_same():
    families = {name: feature.family for name, feature in CATALOGUE.items()}
    assert families["amount_sum"] == families["amount_sum_30d"] == families["amount_decayed_365d"]
    assert families["purchase_days_count_30d"] == families["purchase_days_decayed_365d"] == families["frequency"]
    assert families["days_since_last"] == families["overdue_ratio"] == families["silence_probability"]
    assert len({families[name] for name in ("amount_sum_90d", "amount_trend_90d", "amount_day_mean_365d")}) == 3
    # Without a topic, the name without statistic and window.
    assert families["points_expired_sum_365d"] == "points_expired"


def test_every_topic_has_a_feature_that_speaks():
    topics = {feature.family for feature in CATALOGUE.values()}
    assert {feature.family for feature in CATALOGUE.values() if feature.speaks} == topics


@pytest.mark.parametrize("feature", [f for f in CATALOGUE.values() if f.phrases], ids=lambda feature: feature.name)
def test_phrases_say_the_value_and_stand_for_the_same_cases_in_both_languages(feature):
    assert set(feature.phrases) == {"en", "ko"}
    english, korean = feature.phrases["en"], feature.phrases["ko"]
    for case in ("zero", "below", "unknown", "usual"):
        assert bool(getattr(english, case)) == bool(getattr(korean, case)), case
    for phrase in (english, korean):
        for case in ("known", "below", "usual"):
            assert not getattr(phrase, case) or getattr(phrase, case).count("{value}") == 1
        assert "{" not in phrase.zero + phrase.unknown
    assert english.known.isascii()
    assert re.search("[가-힣]", korean.known)
    if window := re.search(r"_(\d+)d$", feature.name):
        assert all(window[1] in phrase.known or window[1] in ("180", "365") for phrase in (english, korean))
    assert feature.usual is None or feature.usual in CATALOGUE


def test_a_name_stands_once_and_means_something():
    frequency = CATALOGUE["frequency"]
    with pytest.raises(ValueError, match="'frequency' stands twice"):
        Catalogue([frequency], [frequency])
    with pytest.raises(ValueError, match="'frequency' has no `meaning` in 'ko'"):
        replace(frequency, meaning={"en": "purchases", "ko": ""})
    with pytest.raises(ValueError, match=r"'frequency': `phrases` must be in 'en' and 'ko'; got \['en'\]"):
        replace(frequency, phrases={"en": Phrase("{value} more")})
    with pytest.raises(ValueError, match="`name` must be letters"):
        replace(frequency, name="amount sum")
    with pytest.raises(ValueError, match=r"`amount` has a value for each row of purchases; take a statistic"):
        replace(frequency, formula=PURCHASES["amount"])


def test_page_of_the_catalogue_is_current():
    page = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    assert page == catalogue_page(CATALOGUE.values()), "run: python -m loyalty.features > docs/features.md"


# Real histories


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    if not CDNOW.is_file():
        pytest.skip("cdnow.parquet is not at hand; set LOYALTY_DATA to its folder")
    return pd.read_parquet(CDNOW).rename(columns={"customer_id": "client_id", "date": "event_time"})


def test_cdnow_equals_the_oracle(cdnow):
    clients = np.random.default_rng(0).choice(cdnow["client_id"].unique(), 300, replace=False)
    rows = cdnow[cdnow["client_id"].isin(clients)]
    purchases = [
        Purchase(int(client), at.to_pydatetime(), amount)
        for client, at, amount in zip(rows["client_id"], rows["event_time"], rows["amount"], strict=True)
    ]
    cutoff = datetime.fromisoformat("1997-10-01")
    named = [name for name, one in CATALOGUE.items() if one.needs in ({"purchases": ()}, {}) and not one.models]
    panel = build_panel(Histories(rows[["client_id", "event_time", "amount"]]), cutoffs=cutoff, **OUTCOME)
    assert list(panel.columns) == named
    assert len(panel) == 300
    assert_equals_oracle(panel, History(purchases), cutoff=cutoff)


def test_cdnow_is_the_same_without_its_future(cdnow):
    columns = ["client_id", "event_time", "amount"]
    past = cdnow[cdnow["event_time"] < "1997-10-01"]
    assert len(past) < len(cdnow)
    whole, cut = (
        build_panel(Histories(frame[columns]), cutoffs="1997-10-01", active="365d", **OUTCOME)
        for frame in (cdnow, past)
    )
    assert len(whole) == 23_570
    assert_identical(whole, cut)
