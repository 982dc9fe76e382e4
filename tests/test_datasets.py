"""The synthetic world keeps its promises, and the public files are the ones meant."""

import dataclasses
import hashlib
import os
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from loyalty.datasets import PUBLIC, FileState, SyntheticHistories, World, inventory, public, synthetic_tables, verify
from loyalty.histories import Histories
from loyalty.histories.expressions import as_sql
from loyalty.histories.schema import TABLES

END = pd.Timestamp("2026-01-01")
SHARED = Path(os.environ.get("LOYALTY_DATA") or Path(__file__).parents[2] / "shared" / "data")
README = Path(__file__).parents[1] / "data" / "README.md"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the public data are not at hand; set LOYALTY_DATA")


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
            assert set(spec.names) - set(table) <= {"known_at", "cost", "topic", "renews_at", "expires_at"}
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
            assert (table[column.name].dropna() < END).all(), (name, column.name)
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
    for table in (bought, contacts, events, rewards):
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


def test_points_handed_in_never_exceed_points_earned(made):
    rewards = made.tables["rewards"]
    balance = rewards.groupby("client_id")["points"].cumsum()
    assert (balance >= 0).all()
    assert set(rewards["kind"]) == {"earned", "redeemed"}
    assert ((rewards["points"] < 0) == (rewards["kind"] == "redeemed")).all()
    rank = rewards["tier"].map({"basic": 0, "silver": 1, "gold": 2})
    assert (rank.groupby(rewards["client_id"]).diff().dropna() >= 0).all()


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


# Public data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with small files in place of two data sets, whose checksums are then those expected."""
    stands_in = dict(PUBLIC)
    for name in ("cdnow", "airline_loyalty"):
        for file in PUBLIC[name].files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(file.encode())
        files = {file: hashlib.sha256(file.encode()).hexdigest() for file in PUBLIC[name].files}
        stands_in[name] = dataclasses.replace(PUBLIC[name], files=files)
    monkeypatch.setattr(public, "PUBLIC", stands_in)
    monkeypatch.delenv("LOYALTY_DATA", raising=False)
    return tmp_path


def test_an_unchanged_file_is_found_here_or_where_the_environment_says(folder, monkeypatch):
    assert verify("cdnow", folder) == folder / "cdnow.parquet"
    assert verify("airline_loyalty", str(folder)) == folder / "airline_loyalty"
    monkeypatch.setenv("LOYALTY_DATA", str(folder))
    assert verify("cdnow") == folder / "cdnow.parquet"


def test_a_tampered_file_is_refused_with_both_checksums(folder):
    changed = folder / "airline_loyalty" / "loyalty_history.parquet"
    expected = hashlib.sha256(changed.read_bytes()).hexdigest()
    changed.write_bytes(changed.read_bytes() + b"!")
    found = hashlib.sha256(changed.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"loyalty_history\.parquet in") as error:
        verify("airline_loyalty", folder)
    for part in (found, expected, str(folder), PUBLIC["airline_loyalty"].source):
        assert part in str(error.value)
    assert "flight_activity" not in str(error.value)


def test_a_missing_file_names_the_folder_and_where_to_get_it(folder):
    (folder / "airline_loyalty" / "flight_activity.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"flight_activity\.parquet is not in") as error:
        verify("airline_loyalty", folder)
    assert str(folder) in str(error.value)
    assert PUBLIC["airline_loyalty"].source in str(error.value)


def test_the_inventory_tells_ok_changed_and_missing_apart(folder):
    (folder / "airline_loyalty" / "flight_activity.parquet").write_bytes(b"else")
    states = inventory(folder)
    assert all(isinstance(state, FileState) for state in states)
    assert [state.file for state in states] == [file for entry in PUBLIC.values() for file in entry.files]
    status = {state.file: state.status for state in states}
    assert status.pop("cdnow.parquet") == "ok"
    assert status.pop("airline_loyalty/loyalty_history.parquet") == "ok"
    assert status.pop("airline_loyalty/flight_activity.parquet") == "changed"
    assert set(status.values()) == {"missing"}


def test_wrong_names_and_folders_are_named(folder):
    with pytest.raises(ValueError, match=r"got 'online_retail'\. Did you mean 'online_retail_2'\?"):
        verify("online_retail", folder)
    with pytest.raises(ValueError, match="`folder` must name where the data are; got none"):
        verify("cdnow")
    with pytest.raises(FileNotFoundError, match="`folder` must be an existing folder"):
        inventory(folder / "nowhere")


def test_entries_are_complete():
    for name, entry in PUBLIC.items():
        assert entry.name == name
        for text in (entry.title, entry.licence, entry.citation, entry.notes):
            assert text.strip()
        assert entry.source.startswith("https://")
        assert all(len(digest) == 64 for digest in entry.files.values())
        for table, mapping in entry.tables.items():
            assert mapping["path"] in entry.files
            assert set(mapping) - {"path", "where"} <= set(TABLES[table].names)


def test_the_readme_has_every_column_table_and_checksum():
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        section = (
            text.split(f"### `{name}`", maxsplit=1)[1].split("\n### ", maxsplit=1)[0].split("\n## ", maxsplit=1)[0]
        )
        for column in table.columns:
            row = next(line for line in section.splitlines() if line.startswith(f"| `{column.name}` |"))
            assert ("**needed**" in row) == column.required, row
    for entry in PUBLIC.values():
        assert f"`{entry.name}`" in text
        assert entry.source in text
        for file, digest in entry.files.items():
            assert f"| `{file}` | `{digest}` |" in text


@needs_data
def test_the_files_at_hand_are_the_ones_meant():
    assert {state.status for state in inventory(SHARED)} == {"ok"}


@needs_data
@pytest.mark.parametrize("name", [name for name, entry in PUBLIC.items() if entry.tables])
def test_the_mapping_hints_fill_the_canonical_tables(name):
    for table, mapping in PUBLIC[name].tables.items():
        with duckdb.connect() as connection:
            source = connection.read_parquet(str(SHARED / mapping["path"]))
            columns = {ours: theirs for ours, theirs in mapping.items() if ours not in ("path", "where")}
            wanted = ", ".join(f'{as_sql(theirs, source.columns)} as "{ours}"' for ours, theirs in columns.items())
            kept = source.filter(as_sql(mapping.get("where", "true"), source.columns))
            needed = [column.name for column in TABLES[table].columns if column.required]
            filled = " and ".join(f"count({column}) = count(*)" for column in needed)
            assert kept.project(wanted).aggregate(f"count(*) > 0 and {filled}").fetchone() == (True,), table


@needs_data
@pytest.mark.parametrize("name", list(PUBLIC))
def test_rows_clients_and_spans_are_as_listed(name):
    entry = PUBLIC[name]
    path = SHARED / next(iter(entry.files))
    source = f"from read_csv('{path}')" if path.suffix == ".csv" else f"from '{path}'"
    ids = {"complete_journey": "household_id", "airline_loyalty": "loyalty_number"}.get(name, "customer_id")
    dates = {
        "cdnow": "date",
        "online_retail_2": "invoice_date",
        "complete_journey": "transaction_timestamp",
        "nsmc": "date",
        "airline_loyalty": "last_day(make_date(year, month, 1))",
    }
    with duckdb.connect() as connection:
        assert connection.sql(f"select count(*) {source}").fetchone() == (entry.rows,)
        if entry.clients is not None:
            assert connection.sql(f"select count(distinct {ids}) {source}").fetchone() == (entry.clients,)
        if entry.span is not None:
            first = "make_date(min(year), 1, 1)" if name == "airline_loyalty" else f"min({dates[name]})::date"
            span = connection.sql(f"select {first}::varchar, max({dates[name]})::date::varchar {source}").fetchone()
            assert span == entry.span
