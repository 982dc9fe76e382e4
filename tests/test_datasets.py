"""The synthetic world keeps its promises."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from loyalty.datasets import SyntheticHistories, World, synthetic_tables
from loyalty.datasets._shelf import draw_lines, draw_shelf
from loyalty.histories import Histories
from loyalty.histories.schema import TABLES

END = pd.Timestamp("2026-01-01")


@pytest.fixture(scope="module")
def made() -> SyntheticHistories:
    return synthetic_tables(3000, seed=5)


@pytest.fixture(scope="module")
def bought(made):
    """Lines that were bought, with the truth about their clients."""
    purchases = made.tables["purchases"]
    return purchases[purchases["amount"] > 0].merge(made.truth, on="client_id")


# The form of the tables


def test_tables_have_the_canonical_columns_and_nothing_else(made):
    assert list(made.tables) == list(TABLES)
    for name, table in made.tables.items():
        spec = TABLES[name]
        assert {column.name for column in spec.columns if column.required} <= set(table)
        if not spec.attributes:
            assert [column for column in spec.names if column in set(table)] == list(table)
            assert set(spec.names) - set(table) <= {"known_at"}
        assert not table.duplicated().any()
        assert not table[[column.name for column in spec.columns if column.required]].isna().any(axis=None)


def test_every_client_is_one_row_of_truth(made):
    assert made.truth["client_id"].tolist() == made.tables["clients"]["client_id"].tolist()
    assert made.truth["client_id"].is_unique
    assert made.truth["client_id"].str.fullmatch(r"C\d{6}").all()
    for table in made.tables.values():
        assert table["client_id"].isin(made.truth["client_id"]).all()


def test_ids_are_unique_and_one_order_belongs_to_one_client_and_time(made):
    purchases = made.tables["purchases"]
    sales = purchases[purchases["amount"] > 0]
    orders = sales[["order_id", "client_id", "event_time", "known_at", "channel"]].drop_duplicates()
    assert orders["order_id"].is_unique
    assert made.tables["offers"]["offer_id"].is_unique
    assert made.tables["contracts"]["contract_id"].is_unique


def test_the_border_takes_the_tables_without_a_warning(made):
    histories = Histories(**made.tables)
    assert set(histories.tables) == set(TABLES)


# Time


def test_no_later_fact_precedes_its_event_and_nothing_is_known_after_the_end(made):
    for name, table in made.tables.items():
        for column in TABLES[name].columns:
            if column.kind != "time" or column.name not in table:
                continue
            assert (table[column.name].dropna() < END).all() != column.planned, (name, column.name)
            assert (table[column.name].dropna() >= pd.Timestamp("2023-01-01")).all(), (name, column.name)
            if column.after:
                both = table[[column.name, column.after]].dropna()
                assert (both[column.name] >= both[column.after]).all(), (name, column.name)
    contacts = made.tables["contacts"]
    assert not (contacts["replied_at"] < contacts["known_at"]).any()  # nobody answers what they do not know of
    assert not (contacts["resolved_at"] < contacts["replied_at"]).any()
    assert not (contacts["resolved_at"].notna() & contacts["replied_at"].isna()).any()


def test_clients_do_nothing_before_they_join_or_after_they_leave(made, bought):
    joined = made.tables["clients"].set_index("client_id")["joined_at"]
    left = made.truth.set_index("client_id")["left_at"]
    contacts, events, rewards = (made.tables[name] for name in ("contacts", "events", "rewards"))
    for table in (bought, contacts, events, rewards[rewards["kind"] != "expired"]):
        assert (table["event_time"] >= table["client_id"].map(joined)).all()
        assert not (table["event_time"] > table["client_id"].map(left)).any()
    contracts = made.tables["contracts"]
    running = contracts["end"].isna()
    assert (contracts["start"] > contracts["client_id"].map(joined)).all()
    assert contracts.loc[running, "client_id"].map(left).isna().all()
    assert not (contracts["end"] > contracts["client_id"].map(left)).any()
    assert (left.dropna() > joined[left.notna()]).all()


def test_a_share_of_rows_is_reported_late(made):
    for name, least, most in (("purchases", 0.04, 0.12), ("contacts", 0.03, 0.08), ("events", 0.02, 0.04)):
        table = made.tables[name]
        assert least < (table["known_at"] > table["event_time"]).mean() < most
    prompt = synthetic_tables(300, seed=5, world=World(late_share=0.0)).tables
    sales = prompt["purchases"].query("amount > 0")
    assert (sales["known_at"] == sales["event_time"]).all()


def test_refunds_come_later_and_never_exceed_the_purchase(made):
    purchases = made.tables["purchases"]
    refunds = purchases[purchases["amount"] < 0]
    sales = purchases[purchases["amount"] > 0].groupby(["order_id", "product_id"])
    assert 0.03 < len(refunds) / len(purchases) < 0.15
    assert (refunds["known_at"] > refunds["event_time"]).all()
    assert (refunds["quantity"] < 0).all()
    sold = sales.agg(known=("known_at", "max"), quantity=("quantity", "sum"))
    met = refunds.merge(sold, left_on=["order_id", "product_id"], right_index=True, how="left")
    assert (met["event_time"] > met["known"]).all()
    net = purchases.groupby(["order_id", "product_id"])[["amount", "quantity"]].sum()
    assert (net["amount"] > -0.005).all()
    assert (net["quantity"] >= 0).all()


def _points_by_hand(rows: pd.DataFrame) -> list[tuple[pd.Timestamp, float, str]]:
    """Keep one client's points in a purse, oldest first; return each movement's time, points and tier."""
    purse: list[list] = []  # points left, points earned, when they lapse
    earned: list[tuple[pd.Timestamp, float]] = []
    moves: list[tuple[pd.Timestamp, float, str]] = []

    def tier(now: pd.Timestamp) -> str:
        in_date = sum(points for until, points in earned if until > now)
        return "gold" if in_date >= 1000 else "silver" if in_date >= 300 else "basic"

    def lapse(now: pd.Timestamp) -> None:
        while purse and purse[0][1] <= now:
            midnight = purse[0][1]
            lapsed = sum(left for left, until in purse if until == midnight)
            purse[:] = [batch for batch in purse if batch[1] != midnight]
            if lapsed:
                moves.append((midnight, -lapsed, tier(midnight)))

    for row in rows.itertuples():
        lapse(row.event_time)
        if row.kind == "earned":
            until = row.event_time.normalize() + pd.Timedelta("365D")
            assert row.expires_at == until
            purse.append([row.points, until])
            earned.append((until, row.points))
        else:
            assert pd.isna(row.expires_at)
            wanted = -row.points
            assert wanted % 200 == 0
            assert wanted <= sum(left for left, _ in purse), "more handed in than there was"
            for batch in purse:
                taken = min(batch[0], wanted)
                batch[0], wanted = batch[0] - taken, wanted - taken
        moves.append((row.event_time, row.points, tier(row.event_time)))
    lapse(END - pd.Timedelta(1, "us"))
    return moves


def test_points_lapse_after_a_year_and_the_oldest_are_handed_in_first(made):
    rewards = made.tables["rewards"]
    assert set(rewards["kind"]) == {"earned", "redeemed", "expired"}
    assert ((rewards["points"] > 0) == (rewards["kind"] == "earned")).all()
    expired = rewards[rewards["kind"] == "expired"]
    assert (expired["event_time"] == expired["known_at"]).all()
    for client, rows in rewards[rewards["client_id"] < "C000600"].groupby("client_id"):
        seen = list(rows[["event_time", "points", "tier"]].itertuples(index=False, name=None))
        assert _points_by_hand(rows[rows["kind"] != "expired"]) == seen, client
    rank = rewards["tier"].map({"basic": 0, "silver": 1, "gold": 2})
    moves = rank.groupby(rewards["client_id"]).diff()
    assert (moves > 0).sum() > 1000
    assert (moves < 0).sum() > 300


def test_points_are_earned_on_the_list_price(made, bought):
    earned = made.tables["rewards"].query("kind == 'earned'")
    price = bought.assign(price=bought["amount"] + bought["discount"]).groupby(["client_id", "event_time"])["price"]
    met = earned.merge(price.sum().reset_index(), on=["client_id", "event_time"])
    assert len(met) == len(earned)
    assert (met["points"] == np.floor(met["price"] + 1e-6)).all()


def test_a_product_has_one_list_price_a_day_which_never_falls_and_now_and_then_rises(made, bought):
    price = ((bought["amount"] + bought["discount"]) / bought["quantity"]).round(6)
    assert np.allclose(price, price.round(2), atol=1e-6)
    daily = price.groupby([bought["product_id"], bought["event_time"].dt.normalize()]).agg(["min", "max"])
    assert (daily["min"] == daily["max"]).all()
    change = daily["min"].groupby("product_id").pct_change().dropna()
    assert (change >= 0).all()
    alone = change[(change > 0) & (change < 0.105)]  # two rises between two sales may be more
    assert (alone > 0.02).all()
    a_year = daily["min"].groupby("product_id").last() / daily["min"].groupby("product_id").first()
    assert np.log(a_year[daily.groupby("product_id").size() > 300]).mean() / 3 == pytest.approx(0.062, abs=0.015)
    priced = bought.assign(price=price).sort_values("event_time")
    risen = priced.groupby(["client_id", "product_id"])["price"].shift() < priced["price"]
    assert priced.loc[risen, "client_id"].nunique() > 0.25 * len(made.truth)  # so that a reaction can be seen


def test_clients_spend_as_much_when_prices_have_risen(bought):
    orders = bought.groupby("order_id").agg(
        amount=("amount", "sum"),
        discount=("discount", "sum"),
        spend=("mean_spend", "first"),
        time=("event_time", "min"),
    )
    yearly = ((orders["amount"] + orders["discount"]) / orders["spend"]).groupby(orders["time"].dt.year).mean()
    assert (yearly - 1).abs().max() < 0.03
    assert bought.groupby("product_id").size().ge(20).sum() > 150  # the whole shelf is bought


def test_lines_of_one_product_are_one_line_with_all_their_pieces():
    rng, eight = np.random.default_rng(0), np.zeros(8, dtype=np.int64)
    shelf = draw_shelf(rng, days=60)
    (nothing_off,), dear = np.zeros((1, 1)), np.array([1e9])  # nothing on the shelf is so dear
    lines = draw_lines(rng, shelf, eight, eight, np.array([7]), dear, nothing_off)
    assert len(lines.order) == 1
    assert lines.quantity[0] >= 8
    assert lines.full_price[0] == lines.amount[0] == round(lines.quantity[0] * round(shelf.prices[7, 39], 2), 2)


def test_costs_are_a_share_of_the_list_price_and_go_back_with_goods_that_can_be_sold_again(made, bought):
    share = bought["cost"] / (bought["amount"] + bought["discount"])
    dear = bought["amount"] > 5  # where cents do not matter
    by_category = share[dear].groupby(bought["category"]).agg(["min", "max", "mean"])
    assert (by_category["max"] - by_category["min"] < 0.12).all()
    assert by_category["mean"].idxmin() == "beauty"
    assert by_category["mean"].idxmax() == "food"
    assert by_category["mean"].max() - by_category["mean"].min() > 0.3
    refunds = made.tables["purchases"].query("amount < 0")
    sold = bought.set_index(["order_id", "product_id"])[["cost", "quantity"]]
    met = refunds.merge(sold, left_on=["order_id", "product_id"], right_index=True, suffixes=("", "_sold"))
    assert len(met) == len(refunds)
    back = -met["cost_sold"] * met["quantity"] / met["quantity_sold"]
    lost = met["cost"] == 0
    assert np.allclose(met["cost"][~lost], -back[~lost], atol=0.0051)
    assert 0.2 < lost.mean() < 0.8


def test_what_went_wrong_cannot_be_sold_again():
    smooth = synthetic_tables(500, world=World(problem_share=0.0)).tables["purchases"].query("amount < -1")
    rough = synthetic_tables(500, world=World(problem_share=1.0)).tables["purchases"].query("amount < -1")
    assert (smooth["cost"] < 0).all()
    assert (rough["cost"] == 0).mean() > 0.8  # the rest are other lines than the main one


def test_a_redeemed_offer_was_really_sent_and_is_a_discounted_order(made, bought):
    offers = made.tables["offers"]
    redeemed = offers.dropna(subset="redeemed_at")
    assert redeemed["treated"].all()
    assert (redeemed["redeemed_at"] - redeemed["sent"] <= pd.Timedelta("15D")).all()
    orders = bought.groupby(["client_id", "event_time"])[["amount", "discount"]].sum()
    met = redeemed.merge(orders, left_on=["client_id", "redeemed_at"], right_index=True, suffixes=("", "_taken"))
    assert len(met) == len(redeemed)
    taken = met["discount_taken"] / (met["discount_taken"] + met["amount"])
    assert np.allclose(taken, met["discount"], atol=0.02)
    assert (offers.loc[~offers["treated"], "cost"] == 0).all()


# What is true by design


def test_the_base_hazard_explains_the_leavers_when_nothing_pushes():
    calm = World(ignored_complaint=0.0, silence=0.0, fatigue=0.0)
    made = synthetic_tables(4000, seed=11, world=calm)
    first = made.tables["purchases"].groupby("client_id")["event_time"].min()
    truth = made.truth.set_index("client_id").join(first.rename("first"))
    exposure = (truth["left_at"].fillna(END) - truth["first"]) / pd.Timedelta(days=365.25)
    expected, seen = (exposure * truth["leaving_rate"]).sum(), truth["left_at"].notna().sum()
    assert abs(seen - expected) < 4 * np.sqrt(expected)  # compensator of a counting process
    assert set(truth["left_because"].dropna()) == {"natural"}
    assert not truth.filter(like="pushed_by").any(axis=None)


def _left_soon(made: SyntheticHistories) -> pd.Series:
    """Share of complainers gone 3 to 150 days after a complaint, by whether it was answered within 3 days or never."""
    contacts = made.tables["contacts"]
    complaints = contacts[(contacts["kind"] == "complaint") & (contacts["event_time"] < END - pd.Timedelta("150D"))]
    gone = complaints["client_id"].map(made.truth.set_index("client_id")["left_at"]) - complaints["event_time"]
    still = ~(gone < pd.Timedelta("10D"))
    prompt = complaints["replied_at"] - complaints["known_at"] < pd.Timedelta("3D")
    fate = complaints["replied_at"].isna().map({True: "never", False: None}).mask(prompt, "prompt")
    return (gone < pd.Timedelta("150D"))[still].groupby(fate[still]).mean()


def test_unanswered_complainers_leave_faster_because_nobody_answered(made):
    real = _left_soon(made)
    assert real["never"] > real["prompt"] + 0.2
    harmless = _left_soon(synthetic_tables(3000, seed=5, world=World(ignored_complaint=0.0)))
    assert abs(harmless["never"] - harmless["prompt"]) < 0.1


def test_each_push_wins_some_clients_whom_it_really_pushed(made):
    truth = made.truth
    gone = truth[truth["left_at"].notna()]
    assert truth["left_because"].isna().equals(truth["left_at"].isna())
    for cause in ("ignored_complaint", "silence", "offers"):
        won = gone["left_because"] == cause
        assert won.sum() >= 40
        assert gone.loc[won, f"pushed_by_{cause}"].all()
        without = synthetic_tables(300, world=World(**{"fatigue" if cause == "offers" else cause: 0.0})).truth
        assert not without[f"pushed_by_{cause}"].any()


def test_silence_after_a_problem_is_a_refund_without_a_contact(made):
    purchases, contacts = made.tables["purchases"], made.tables["contacts"]
    spoken = contacts[contacts["kind"].isin(["complaint", "follow_up"])]["client_id"]
    refunds = purchases[purchases["amount"] < 0]["client_id"]
    truth = made.truth[made.truth["client_id"].isin(refunds)]
    quiet = ~truth["client_id"].isin(spoken)
    assert truth["pushed_by_silence"][quiet].mean() > truth["pushed_by_silence"][~quiet].mean() + 0.1


def test_treatment_is_random(made):
    offers = made.tables["offers"].merge(made.truth, on="client_id")
    assert abs(offers["treated"].mean() - 0.7) < 4 * np.sqrt(0.21 / len(offers))
    error = np.sqrt(1 / offers["treated"].sum() + 1 / (~offers["treated"]).sum())
    for trait in (
        "purchase_rate",
        "mean_spend",
        "discount_dependence",
        "leaving_rate",
        "offer_uplift",
        "offer_fatigue",
    ):
        means = offers.groupby("treated")[trait].mean()
        assert abs(means[True] - means[False]) / offers[trait].std() < 4.5 * error, trait


def test_treated_offers_lift_orders_by_the_true_uplift(made, bought):
    offers = made.tables["offers"].merge(made.truth, on="client_id")
    until = offers["sent"] + pd.Timedelta("14D")
    offers = offers[(until < END - pd.Timedelta("3D")) & ~(offers["left_at"] < until)]
    orders = bought.drop_duplicates("order_id")[["client_id", "event_time"]]
    pairs = offers[["offer_id", "client_id", "sent"]].merge(orders, on="client_id")
    after = pairs["event_time"] - pairs["sent"]
    within = (after > pd.Timedelta(0)) & (after < pd.Timedelta("14D"))
    count = offers["offer_id"].map(pairs[within].groupby("offer_id").size()).fillna(0)
    for chosen in (offers["segment"] == "bargain", offers["segment"] != "bargain"):
        mean = count[chosen].groupby(offers["treated"]).mean()
        spread = count[chosen].std() * np.sqrt((1 / offers[chosen].groupby("treated").size()).sum())
        assert abs(mean[True] - mean[False] - offers.loc[chosen, "offer_uplift"].mean()) < 4 * spread
    assert made.truth.groupby("segment")["offer_uplift"].mean().idxmax() == "bargain"


def test_true_rate_spend_and_dependence_are_those_of_the_orders(made, bought):
    orders = bought.groupby(["client_id", "order_id"]).agg(
        amount=("amount", "sum"), discount=("discount", "sum"), spend=("mean_spend", "first")
    )
    assert ((orders["amount"] + orders["discount"]) / orders["spend"]).mean() == pytest.approx(1, abs=0.02)
    truth = made.truth.set_index("client_id")
    joined = made.tables["clients"].set_index("client_id")["joined_at"]
    years = (truth["left_at"].fillna(END) - joined) / pd.Timedelta(days=365.25)
    ordered = orders.groupby("client_id").size().reindex(truth.index, fill_value=0)
    regular = truth["segment"] == "regular"  # offers cause few orders here; the first order and December add some
    assert (ordered[regular].sum() - regular.sum()) / (years * truth["purchase_rate"])[regular].sum() == pytest.approx(
        1.06, abs=0.08
    )
    seen = (orders["discount"] > 0).groupby("client_id").mean()[ordered >= 10]
    assert seen.corr(truth["discount_dependence"]) > 0.6


def test_regular_clients_keep_their_gaps_more_evenly(bought):
    orders = bought.drop_duplicates("order_id").sort_values(["client_id", "event_time"])
    gaps = orders.groupby("client_id")["event_time"].diff().dt.total_seconds()
    by_client = gaps.groupby(orders["client_id"])
    variation = (by_client.std() / by_client.mean())[by_client.size() >= 10]
    segment = orders.drop_duplicates("client_id").set_index("client_id")["segment"]
    means = variation.groupby(segment).mean()
    assert means["regular"] < means["occasional"] - 0.2


def _december(made: SyntheticHistories) -> float:
    """Orders a day in December over those in October and the following February, which growth cancels from."""
    purchases = made.tables["purchases"].query("amount > 0").drop_duplicates("order_id")
    daily = purchases["event_time"].dt.to_period("M").value_counts()
    ratios = []
    for year in (2023, 2024):
        december, october, february = (
            daily[month] / month.days_in_month
            for month in map(pd.Period, (f"{year}-12", f"{year}-10", f"{year + 1}-02"))
        )
        ratios.append(december / np.sqrt(october * february))
    return float(np.mean(ratios))


def test_december_is_busy_and_only_because_of_the_season(made):
    assert 1.5 < _december(made) < 2.6
    assert 0.85 < _december(synthetic_tables(3000, seed=5, world=World(season=0.0))) < 1.15
    sales = made.tables["purchases"].query("amount > 0")
    gifts = (sales["category"] == "gifts").groupby(sales["event_time"].dt.month).mean()
    garden = (sales["category"] == "garden").groupby(sales["event_time"].dt.month).mean()
    assert gifts[12] > 1.8 * gifts[7]
    assert garden[5] > 1.8 * garden[11]


def test_arrivals_grow_at_the_rate_of_the_world(made):
    yearly = made.tables["clients"]["joined_at"].dt.year.value_counts().sort_index()
    assert np.log(yearly[2025] / yearly[2023]) / 2 == pytest.approx(0.35, abs=0.1)
    flat = synthetic_tables(3000, seed=5, world=World(growth=0.0)).tables["clients"]["joined_at"].dt.year.value_counts()
    assert flat.max() / flat.min() < 1.2


def test_clients_look_around_less_before_they_leave(made):
    visits = made.tables["events"].query("kind == 'visit'").merge(made.truth, on="client_id")
    before = (visits["left_at"] - visits["event_time"]) / pd.Timedelta(days=28)
    assert (before < 1).sum() < 0.5 * ((before >= 1) & (before < 2)).sum()


def test_subscriptions_are_agreed_for_a_year_renewed_switched_and_now_and_then_paused(made):
    contracts = made.tables["contracts"].sort_values(["client_id", "start"])
    assert (contracts["renews_at"] - contracts["start"] == pd.Timedelta("365D")).all()
    assert not (contracts["end"] > contracts["renews_at"]).any()
    assert (contracts.loc[contracts["end"].isna(), "renews_at"] >= END).all()
    before = contracts.groupby("client_id").shift()
    later = before["start"].notna()
    pause = (contracts["start"] - before["end"])[later]
    assert (pause >= pd.Timedelta(0)).all()
    paused = pause > pd.Timedelta(0)
    renewed = before["end"][later] == before["renews_at"][later]
    assert renewed[paused].all()
    assert 0.05 < paused.sum() / renewed.sum() < 0.2
    assert pause[paused].between(pd.Timedelta("15D"), pd.Timedelta("120D")).all()
    switched = (contracts["plan"] != before["plan"])[later]
    assert (switched == ~renewed)[~paused].all()  # a plan changes on the way, or after a pause
    fees = contracts.groupby(["plan", contracts["start"].dt.year])["fee"].mean()
    assert (fees.groupby("plan").pct_change().dropna() > 0.04).all()
    at_once = contracts[contracts["end"].isna()].groupby("plan")["fee"].nunique()
    assert (at_once > 1).all()  # who began earlier pays less than the others on the plan


def test_topics_are_those_of_the_texts(made):
    contacts = made.tables["contacts"]
    assert contacts["topic"].isin(["product", "delivery", "billing", "rewards", "service"]).all()
    for words, topic in (
        ("twice for|두 번 결제", "billing"),
        ("address|배송지", "delivery"),
        ("points|포인트", "rewards"),
    ):
        about = contacts["text"].str.contains(words, na=False)
        assert about.any()
        assert (contacts.loc[about, "topic"] == topic).all()
    again = contacts["text"].str.contains("weeks ago|second message|Still no|몇 주 전|두 번째 연락|여전히", na=False)
    assert (contacts.loc[again, "kind"] == "complaint").all()
    first = contacts[(contacts["kind"] == "complaint") & ~again]
    pairs = contacts[again].reset_index().merge(first, on=["client_id", "topic"], suffixes=("", "_first"))
    waited = pairs["event_time"] - pairs["event_time_first"]
    unanswered = ~(pairs["replied_at_first"] <= pairs["event_time"])
    of_it = waited.between(pd.Timedelta("7D"), pd.Timedelta("31D")) & unanswered
    assert set(pairs.loc[of_it, "index"]) == set(contacts.index[again])
    assert again.sum() > 100


def test_mood_can_be_learned_from_what_five_hundred_clients_write():
    contacts = synthetic_tables(500).tables["contacts"]
    written = contacts[(contacts["known_at"] < pd.Timestamp("2025-01-01")) & contacts["text"].notna()]
    stars = written["satisfaction"].value_counts()
    assert set(stars.index) == {1, 2, 3, 4, 5}
    assert stars.min() >= 20
    assert min(stars[[1, 2]].sum(), stars[[4, 5]].sum()) >= 50
    low, middle, high = (
        set(written.loc[written["satisfaction"].between(*stars), "text"]) for stars in ((1, 2), (3, 3), (4, 5))
    )
    assert low.isdisjoint(middle | high)
    assert high.isdisjoint(middle)


def test_the_company_speaks_first_after_problems_and_answers_feedback_by_chance(made):
    contacts = made.tables["contacts"]
    calls = contacts[contacts["kind"] == "follow_up"].reset_index()
    settled = contacts.dropna(subset="resolved_at").query("kind == 'complaint'")
    pairs = calls.merge(settled, on=["client_id", "topic"], suffixes=("", "_settled"))
    after = pairs["event_time"] - pairs["resolved_at_settled"]
    back = pairs.loc[after.between(pd.Timedelta("22h"), pd.Timedelta("6D14h")), "index"].nunique()
    assert back > 100
    assert len(calls) - back > 100  # the others had said nothing
    feedback = contacts[contacts["kind"] == "feedback"]
    answered = feedback["replied_at"].notna()
    assert answered.mean() == pytest.approx(0.35, abs=0.04)
    by_stars = answered.groupby(feedback["satisfaction"] > 3).agg(["mean", "size"])
    error = np.sqrt(0.35 * 0.65 * (1 / by_stars["size"]).sum())
    assert abs(by_stars["mean"].diff().iloc[-1]) < 4 * error


def test_clients_write_in_their_language_and_mood(made):
    contacts = made.tables["contacts"].merge(made.tables["clients"], on="client_id")
    written = contacts.dropna(subset="text")
    assert (written["text"].str.contains("[가-힣]") == (written["language"] == "ko")).all()
    assert set(contacts["kind"]) == {"complaint", "question", "feedback", "follow_up"}
    assert (contacts["direction"] == "outbound").equals(contacts["kind"] == "follow_up")
    stars = contacts.groupby("kind")["satisfaction"].agg(["min", "max", "count"])
    assert stars.loc["feedback", ["min", "max"]].tolist() == [1, 5]
    assert stars.loc["complaint", "max"] <= 2
    assert stars.loc["question", "count"] == 0


# Seeds, sizes, arguments


def test_the_seed_decides_everything_and_global_state_nothing():
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = synthetic_tables(200, seed=3), synthetic_tables(200, seed=3), synthetic_tables(200, seed=4)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    for name in TABLES:
        assert_frame_equal(first.tables[name], again.tables[name])
        assert not first.tables[name].equals(other.tables[name])
    assert_frame_equal(first.truth, again.truth)


@pytest.mark.parametrize("clients", [1, 2, 50])
def test_small_worlds_have_all_tables(clients):
    made = synthetic_tables(clients, seed=2, start="2024-01-01", end="2024-03-31")
    assert list(made.tables) == list(TABLES)
    assert len(made.truth) == len(made.tables["clients"]) == clients
    assert made.tables["purchases"]["known_at"].max() < pd.Timestamp("2024-04-01")


def test_histories_grow_with_the_clients(made):
    fewer = synthetic_tables(750, seed=5)
    for name in TABLES:
        assert 3 < len(made.tables[name]) / len(fewer.tables[name]) < 5.3, name


def test_a_world_without_something_has_none_of_it():
    bare = World(problem_share=0.0, offers_per_year=0.0, contract_share=0.0)
    made = synthetic_tables(200, world=bare)
    assert made.tables["offers"].empty
    assert made.tables["contracts"].empty
    assert not made.tables["contacts"]["kind"].isin(["complaint", "follow_up"]).any()
    assert not made.truth.filter(like="pushed_by").any(axis=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clients": 0}, "`clients` must be a whole number of at least 1; got 0"),
        ({"clients": 10.5}, "`clients` must be a whole number"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0; got -1"),
        ({"start": "2024-01-01", "end": "2024-02-01"}, "`end` must be at least 60 days after `start`"),
        ({"start": "soon"}, "`start` must be a date"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic_tables(**({"clients": 5} | arguments))


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ({"treated_share": 1.2}, "`world.treated_share` is a share and must be at most 1; got 1.2"),
        ({"silence": -1.0}, "`world.silence` must be finite and not negative; got -1.0"),
        ({"growth": float("nan")}, "`world.growth` must be finite; got nan"),
    ],
)
def test_impossible_worlds_are_refused(law, message):
    with pytest.raises(ValueError, match=message):
        World(**law)
