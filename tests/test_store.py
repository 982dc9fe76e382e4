"""How histories are kept: sorted whatever the order given, in memory or in a file; and read in parts of clients."""

import gc
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from loyalty.histories import Histories, HistoriesWarning, sorting, store

TEA = np.array(["tea", "Tea", "", "차", "z", None], dtype=object)


def made(rows=40_000, clients=3_000, seed=4, name=lambda client: client):
    """Make purchases in no order; many of one client stand at one time."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, clients, rows)
    return pd.DataFrame({
        "client_id": [name(client) for client in which.tolist()],
        "event_time": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 40, rows), unit="D"),
        "amount": rng.normal(20, 9, rows).round(1),
        "category": TEA[rng.integers(0, len(TEA), rows)],
        "channel": np.array(["web", "tea"], dtype=object)[rng.integers(0, 2, rows)],
        "order_id": [f"order {number}" for number in range(rows)],
    })  # fmt: skip


def long_name(client):
    """Write a client's id so that it begins as all of them do, and is not in the order of the numbers."""
    return f"customer-{client}"


def stored(histories, table="purchases"):
    return histories.tables[table].execute()


def read(histories, table="purchases", **options):
    return histories.rows_of(table, histories.tables[table].columns, **options)


def parts(histories, rows, table="purchases"):
    bounds = histories.client_bounds(rows)
    edges = zip([None, *bounds[:-1]], bounds, strict=True)
    return [read(histories, table, above=above, up_to=up_to) for above, up_to in edges]


def keep_in(place, patch):
    """Let tables be kept in memory, in a file, or in as many files as there may be."""
    if place != "memory":
        patch.setattr(store, "_IN_MEMORY", 0.0)
    if place == "files":
        patch.setattr(store, "_A_FILE", 1e-7)


@pytest.fixture(params=["memory", "a file", "files"])
def place(request, monkeypatch):
    """Keep tables in all ways."""
    keep_in(request.param, monkeypatch)
    return request.param


def kept_in(histories, table="purchases"):
    """Say where the runs of a table are."""
    return ["memory" if isinstance(run.kept, pa.Table) else "a file" for run in histories._store.tables[table].runs]


# Order ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [int, long_name])
def test_the_order_of_rows_does_not_depend_on_the_order_given(name, place):
    frame = made(rows=300_000, name=name)  # several row groups of DuckDB, and several threads to sort them
    first = stored(Histories(frame))
    keys = first[["client_id", "event_time"]]
    assert keys.equals(keys.sort_values(["client_id", "event_time"], kind="stable"))
    assert keys.duplicated().sum() > 100_000
    again = Histories(frame.sample(frac=1, random_state=1))
    assert_frame_equal(stored(again), first)


def test_text_beyond_two_gigabytes_keeps_every_row(place, monkeypatch):
    frame = made(rows=3_000, name=long_name)
    expected = read(Histories(frame)).to_pylist()
    monkeypatch.setattr(sorting, "_LONGEST_TEXT", 150)  # of order ids in a file, and of those in memory
    found = read(Histories(frame))
    assert found.schema.field("order_id").type == pa.large_string()
    assert found.to_pylist() == expected


def test_where_a_table_is_kept_changes_nothing(monkeypatch):
    frame = pd.concat([made(name=long_name), made(rows=100, name=long_name)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)
        in_memory = Histories(frame)
        assert kept_in(in_memory) == ["memory"]
        for place, files in (("a file", 1), ("files", 256)):
            keep_in(place, monkeypatch)
            in_files, again = Histories(frame), Histories(frame.sample(frac=1, random_state=1))
            assert kept_in(in_files) == ["a file"] * files
            assert_frame_equal(stored(in_memory), stored(in_files))
            assert in_memory.fingerprint() == in_files.fingerprint()
            assert in_files._stamp() == again._stamp()
            assert read(in_memory).to_pylist() == read(in_files).to_pylist()
            assert in_memory.client_bounds(777) == in_files.client_bounds(777)
            assert_frame_equal(in_memory.summary(), in_files.summary())


def test_the_order_within_an_instant_does_not_depend_on_other_rows():
    # Else a sum's last bit would tell of rows that nobody knew yet.
    purchases = made(rows=6_000, clients=300)
    late = purchases.tail(50).assign(known_at=pd.Timestamp("2030-01-01"), category="a category of its own")
    columns = ["client_id", "event_time", "amount", "order_id"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)
        alone = Histories(purchases.head(5_950)).rows_of("purchases", columns).to_pandas()
        beside = Histories(pd.concat([late, purchases.head(5_950)])).rows_of("purchases", [*columns, "known_at"])
    before = beside.to_pandas().query("known_at < '2030-01-01'").reset_index(drop=True)
    assert_frame_equal(alone, before[columns])


def test_the_order_within_an_instant_does_not_depend_on_later_facts():
    rng, rows = np.random.default_rng(3), 2_000
    contacts = pd.DataFrame({
        "client_id": np.arange(rows) // 20, "event_time": pd.Timestamp("2024-01-01"),
        "satisfaction": rng.random(rows), "replied_at": pd.Timestamp("2024-01-02"),
    })  # fmt: skip
    answered = contacts.assign(replied_at=pd.Timestamp("2024-01-02") + pd.to_timedelta(np.arange(rows), unit="D"))
    order = [
        Histories(made(rows=9), contacts=given).rows_of("contacts", ["satisfaction"])["satisfaction"].to_pylist()
        for given in (contacts, answered, answered.iloc[::-1])
    ]
    assert order[0] == order[1] == order[2]
    twins = answered.assign(satisfaction=1.0)  # told apart by the later fact alone
    assert stored(Histories(made(rows=9), contacts=twins.sample(frac=1, random_state=1)), "contacts").equals(
        stored(Histories(made(rows=9), contacts=twins), "contacts")
    )


def test_repeated_rows_are_counted_wherever_they_stand():
    frame = made(rows=200_000)
    twice = pd.concat([frame, frame.iloc[::50], frame.iloc[::100]]).sample(frac=1, random_state=2)
    with pytest.warns(HistoriesWarning, match="6,000 rows repeat an earlier row in every column"):
        histories = Histories(twice)
    assert histories.summary().loc["purchases", "duplicates"] == 6_000


def test_what_became_known_at_once_is_not_stored_twice():
    frame = made(rows=100)
    histories, told = Histories(frame), Histories(frame.assign(known_at=frame["event_time"]))
    assert_frame_equal(stored(histories), stored(told))
    assert read(histories).equals(read(told))
    columns = [h._store.tables["purchases"].runs[0].table().num_columns for h in (histories, told)]
    assert columns == [6, 7]


def test_sums_are_made_on_one_thread():
    histories = Histories(made())
    assert histories._store.con.execute("select current_setting('threads')").fetchone() == (1,)


def test_a_column_of_any_name_is_not_taken_for_one_of_ours(place):
    own = {"rowid": 7, "c0": 1, "tie": 2, "Wrong": True, "wrong_": True, "range": 3}
    clients = pd.DataFrame({"client_id": ["a", "b", "c"], "joined_at": "2024-01-01", **own})
    histories = Histories(made(rows=9, clients=3, name=str), clients=clients)
    found = histories.rows_of("clients", ["client_id", *own], above="a", up_to="b")
    assert found.to_pylist() == [{"client_id": "b", **own}]


# Text of few values --------------------------------------------------------------------------------------------------


def test_text_of_few_values_is_stored_as_codes():
    frame = made(rows=1_000)
    frame["category"] = [f"kind {row % 100}" for row in range(1_000)]  # 10 rows to a value
    kinds = dict(zip(*[read(Histories(frame)).schema.names, read(Histories(frame)).schema.types], strict=True))
    assert pa.types.is_dictionary(kinds["category"])
    assert pa.types.is_dictionary(kinds["channel"])
    assert kinds["order_id"] == pa.string()
    frame.loc[0, "category"] = "a kind of its own"  # fewer than 10 rows to a value
    kinds = read(Histories(frame)).schema
    assert kinds.field("category").type == pa.string()
    assert pa.types.is_dictionary(kinds.field("channel").type)
    few = read(Histories(made(rows=999))).schema  # not worth the while
    assert few.field("category").type == few.field("channel").type == pa.string()


def test_codes_hold_many_values_but_not_too_many():
    rows = 120_000
    frame = made(rows=rows).assign(
        order_id=[f"o{i % 10_000}" for i in range(rows)],
        product_id=[f"p{i % 10_001}" for i in range(rows)],
        category=[f"c{max(i - 109_999, 0)}" for i in range(rows)],  # the same, until the last 10,000
        channel=[f"c{max(i - 110_000, 0)}" for i in range(rows)],
    )
    histories = Histories(frame)
    coded = {field.name for field in read(histories).schema if pa.types.is_dictionary(field.type)}
    assert coded == {"order_id", "channel"}
    assert histories.purchases.order_id.nunique().execute() == 10_000


def test_ids_of_clients_that_are_text_are_codes_in_their_order(place):
    clients = read(Histories(made(rows=1_000, clients=900, name=long_name)))["client_id"]
    for part in clients.chunks:
        assert np.all(np.diff(part.indices.to_numpy()) >= 0)
        assert part.dictionary.to_pylist() == sorted(part.dictionary.to_pylist(), key=str.encode)
    assert str(Histories(made(rows=99, name=long_name)).purchases.client_id.type()) == "string"


def test_ibis_reads_codes_as_text():
    frame = made()
    channels = frame.rename(columns={"channel": "kind"})[["client_id", "event_time", "kind"]].drop_duplicates()
    histories = Histories(frame, events=channels)
    table, events = histories.purchases, histories.tables["events"]
    text = frame["category"].dropna()
    assert str(table.category.type()) == str(events.kind.type()) == "string"
    assert stored(histories)["category"].dropna().sort_values().tolist() == sorted(text, key=str.encode)
    assert table.category.nunique().execute() == 5
    for chosen in (["tea"], ["tea", "nowhere"], ["nowhere"]):
        assert table.filter(table.category.isin(chosen)).count().execute() == text.isin(chosen).sum()
    for other in ("tea", "", "nowhere"):
        assert (table.category == other).sum().execute() == (text == other).sum()
        assert (table.category < other).sum().execute() == (text < other).sum()
    counted = table.group_by("category").aggregate(rows=table.count()).execute().set_index("category")["rows"]
    assert counted.dropna().loc[text.unique()].to_dict() == text.value_counts().to_dict()
    assert (table.category.min().execute(), table.category.max().execute()) == (text.min(), text.max())
    assert table.category.upper().isin(["TEA"]).sum().execute() == text.str.upper().eq("TEA").sum()
    assert table.category.fill_null("none").isin(["none"]).sum().execute() == frame["category"].isna().sum()
    # Columns of other codes: compared, joined and put one under the other by what they stand for.
    assert (table.category == table.channel).sum().execute() == (frame["category"] == frame["channel"]).sum()
    both = table.select(word="category").union(table.select(word="channel")).union(events.select(word="kind"))
    assert both.word.nunique().execute() == 6
    joined = table.select(word="category").distinct().semi_join(events.select(word="kind"), "word")
    assert joined.execute()["word"].tolist() == ["tea"]
    first = table.group_by("client_id").aggregate(word=table.category.first(order_by=table.order_id)).execute()
    assert set(first["word"].dropna()) == set(text)


def test_problems_in_text_of_few_values_are_told_all_the_same():
    frame = made(rows=60).rename(columns={"channel": "kind"})
    frame.loc[[3, 5], "kind"] = [None, " "]
    with pytest.raises(
        ValueError, match=r"events.kind: 1 row is null, first row 4(.|\n)*1 row is blank text, first row 6"
    ):
        Histories(made(rows=60), events=frame)


# The door ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [int, str, long_name, lambda client: f"{'같은 이름 ' * 3}{client}"])
def test_parts_hold_every_row_once_and_whole_clients(name, place):
    histories = Histories(made(name=name))
    for rows in (1_000, 9_000, 50_000):
        found = parts(histories, rows)
        joined, expected = pa.concat_tables(found).to_pandas(), stored(histories)
        assert_frame_equal(joined.astype(expected.dtypes), expected)
        clients = [set(part["client_id"].to_pylist()) for part in found]
        assert sum(map(len, clients)) == len(set().union(*clients))
        sizes = [part.num_rows for part in found]
        assert all(rows - 40 <= size <= rows + 40 for size in sizes[:-1])
        assert len(sizes) == -(-40_000 // rows)


@settings(max_examples=50)
@given(
    rows=st.lists(st.integers(0, 9), min_size=1, max_size=60),
    events=st.lists(st.integers(-3, 12), min_size=1, max_size=30),
    size=st.integers(1, 70),
    text=st.booleans(),
)
def test_parts_of_all_tables_are_cut_at_the_same_clients(rows, events, size, text):
    def write(clients):
        return [f"c{client:+03d}" for client in clients] if text else clients

    bills = pd.DataFrame({"client_id": write(rows), "event_time": "2024-01-01", "amount": np.arange(len(rows))})
    seen = pd.DataFrame({"client_id": write(events), "event_time": "2024-01-01", "kind": "visit"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)
        histories = Histories(bills, events=seen.assign(value=np.arange(len(events))))
    bounds = histories.client_bounds(size)
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == max(write(rows) + write(events))
    for table in histories.tables:
        assert pa.concat_tables(parts(histories, size, table)).equals(pa.concat_tables([read(histories, table)]))


@settings(max_examples=60)
@given(
    clients=st.lists(st.text(max_size=12).filter(lambda text: text.strip(" ")), min_size=1, max_size=40),
    edges=st.tuples(st.none() | st.text(max_size=3), st.none() | st.text(max_size=3)),
    size=st.integers(1, 50),
    place=st.sampled_from(["memory", "a file", "files"]),
)
@example(
    clients=["a\x00", "a", "a\x00b", "\U0001f600", "\uffff", "é", "\x7f"], edges=("a", "\uffff"), size=2, place="files"
)
@example(clients=["it's", "its", "it''s", '"', "\\"], edges=("it", None), size=1, place="files")
def test_any_text_is_an_id(clients, edges, size, place):
    bills = pd.DataFrame({"client_id": clients, "event_time": "2024-01-01", "amount": np.arange(len(clients))})
    with pytest.MonkeyPatch.context() as patch:
        keep_in(place, patch)
        histories = Histories(bills)
        assert pa.concat_tables(parts(histories, size)).equals(pa.concat_tables([read(histories)]))
        above, up_to = edges
        expected = sorted(
            (c for c in clients if (above is None or c > above) and (up_to is None or c <= up_to)), key=str.encode
        )
        assert read(histories, above=above, up_to=up_to)["client_id"].to_pylist() == expected


def test_a_range_is_open_below_and_closed_above():
    histories = Histories(made())
    clients = stored(histories)["client_id"]
    for above, up_to in ((7, 9), (7, 7), (-5, 0), (2_999, 10**9), (9, 7)):
        found = histories.rows_of("purchases", ["client_id"], above=above, up_to=up_to)["client_id"].to_pylist()
        assert found == clients[(clients > above) & (clients <= up_to)].tolist()
    assert histories.rows_of("purchases", ["client_id"], above=np.int64(2_990)).num_rows == (clients > 2_990).sum()
    named = Histories(made(name=long_name))
    clients = stored(named)["client_id"]
    for above, up_to in (
        ("customer-2", "customer-21"),
        ("customer-20x", "customer-3"),
        ("", "b"),
        ("d", "é"),
        ("", "é"),
    ):
        found = named.rows_of("purchases", ["client_id"], above=above, up_to=up_to)["client_id"].to_pylist()
        assert found == clients[(clients > above) & (clients <= up_to)].tolist()


def test_what_the_door_gives_has_the_types_of_the_tables():
    frame = made(rows=100).assign(quantity=1, known_at=lambda f: f["event_time"].dt.tz_localize("Asia/Seoul"))
    frame["event_time"] -= pd.Timedelta(days=1)
    offers = pd.DataFrame({"client_id": [1], "sent": ["2024-01-01"], "treated": [True]})
    histories = Histories(frame, offers=offers)
    table = histories.rows_of("purchases", ["quantity", "known_at", "client_id", "event_time", "amount"])
    assert table.schema.names == ["quantity", "known_at", "client_id", "event_time", "amount"]
    times, number = pa.timestamp("us"), pa.float64()
    assert table.schema.types == [number, times, pa.int64(), times, number]
    assert histories.rows_of("offers", ["treated"]).schema.types == [pa.bool_()]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "purchase"}, r"`table` names 'purchase', which is not there\. Did you mean 'purchases'\?"),
        ({"columns": ["amont"]}, r"`columns` names 'amont', which purchases does not have\. Did you mean 'amount'\?"),
        ({"columns": ["rowid"]}, "`columns` names 'rowid', which purchases does not have"),
        ({"above": "1"}, "`above` must be a client id, which is a whole number of 64 bits here; got '1'"),
        ({"up_to": True}, "`up_to` must be a client id, which is a whole number of 64 bits here; got True"),
    ],
)
def test_the_door_says_what_it_cannot_give(options, said):
    histories = Histories(made(rows=20))
    with pytest.raises(ValueError, match=said):
        histories.rows_of(**{"table": "purchases", "columns": ["amount"], **options})
    with pytest.raises(ValueError, match="`above` must be a client id, which is text here; got 1"):
        Histories(made(rows=20, name=str)).rows_of("purchases", ["amount"], above=1)


@pytest.mark.parametrize("rows", [0, -1, 2.5, True, "9"])
def test_a_part_has_rows(rows):
    with pytest.raises(ValueError, match="`rows` must be a whole number of at least 1; got"):
        Histories(made(rows=20)).client_bounds(rows)


# The stamp -----------------------------------------------------------------------------------------------------------


def test_the_stamp_sees_every_value_and_no_order():
    frame = made(rows=200)
    expected = Histories(frame)._stamp()
    assert Histories(frame.sample(frac=1, random_state=1).iloc[:, ::-1])._stamp() == expected
    seen = {expected}
    changes = {
        "client_id": 9_999, "event_time": pd.Timestamp("2024-01-01 00:00:00.000001"), "amount": 12.3,
        "category": "teal", "channel": "shop", "order_id": "order", "known_at": pd.Timestamp("2025-01-01"),
    }  # fmt: skip
    for name, value in changes.items():
        changed = frame.assign(known_at=frame["event_time"]) if name == "known_at" else frame.copy()
        changed.loc[0, name] = value
        seen.add(Histories(changed)._stamp())
    # Other words for the same codes, another name for the same values, one row less, one more table.
    seen.add(Histories(frame.assign(channel=frame["channel"].replace("web", "www")))._stamp())
    seen.add(Histories(frame.rename(columns={"order_id": "product_id"}))._stamp())
    seen.add(Histories(frame.iloc[1:])._stamp())
    seen.add(Histories(frame, clients=pd.DataFrame({"client_id": [1], "joined_at": ["2024-01-01"]}))._stamp())
    assert len(seen) == 1 + len(changes) + 4


# Memory --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Put temporary files where they can be watched."""
    gc.collect()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_large_table_is_kept_in_a_private_file_until_nobody_needs_it(folder, monkeypatch):
    monkeypatch.setattr(store, "_IN_MEMORY", 0.0)
    histories = Histories(made(rows=200_000, name=long_name))
    (private,) = folder.iterdir()
    assert sum(file.stat().st_size for file in private.glob("*.arrow")) > 1e6
    assert not list(private.glob("*.gathered"))
    assert not (private / "large.duckdb").exists()
    if os.name == "posix":
        assert private.stat().st_mode & 0o077 == 0
    table = histories.purchases
    assert (private / "large.duckdb").stat().st_size > 1e6
    amounts, unread = table.amount.sum().execute(), table.select("amount").to_pyarrow_batches(chunk_size=2048)
    del histories, table
    gc.collect()
    assert sum(batch["amount"].to_numpy().sum() for batch in unread) == pytest.approx(amounts)
    del unread
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_table_that_does_not_fit_beside_the_others_goes_to_the_file(monkeypatch):
    monkeypatch.setattr(store, "_IN_MEMORY", 2.5e6 / 1e9)
    events = made().assign(kind="visit", value=range(40_000))
    clients = pd.DataFrame({"client_id": range(3_000), "joined_at": "2024-01-01"})
    histories = Histories(made(), clients=clients, events=events, memory="1GB")  # of 60, 16 and 26 bytes a row
    kept = {name: kept_in(histories, name) for name in histories.tables}
    assert kept == {"purchases": ["memory"], "clients": ["memory"], "events": ["a file"]}


def test_what_does_not_fit_goes_to_the_private_folder_and_not_to_the_working_one(folder, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("working")
    monkeypatch.chdir(elsewhere)
    histories = Histories(made(rows=300_000, name=long_name), memory="30MB")
    ordered = histories.purchases.order_by("order_id").mutate(n=ibis.row_number())
    assert ordered.n.max().execute() == 299_999
    (private,) = folder.iterdir()
    assert (private / "spilled").exists()
    assert list(elsewhere.iterdir()) == []
    assert histories._store.con.execute("select current_setting('memory_limit')").fetchone() == ("29.0 MiB",)


def test_the_folder_goes_when_the_process_ends(tmp_path):
    program = (
        "import pandas as pd, os\nfrom loyalty.histories import Histories, store\nstore._IN_MEMORY = 0.0\n"
        "bills = pd.DataFrame({'client_id': range(9000), 'event_time': '2024-01-01', 'amount': 1.0})\n"
        "histories = Histories(bills)\nprint(os.listdir(histories._store._folder))\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    assert "purchases-000.arrow" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_fork_leaves_the_folder_alone(tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    store._remove(str(private), os.getpid() + 1)
    assert private.exists()
    store._remove(str(private), os.getpid())
    assert not private.exists()


@pytest.mark.parametrize(("memory", "threads"), [("100MB", 1), ("300MB", 2), ("9GB", 4)])
def test_reading_has_as_many_threads_as_the_memory_affords(memory, threads, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    kept = Histories(made(rows=20), memory=memory)._store
    with kept.more_threads():
        assert kept.con.execute("select current_setting('threads')").fetchone() == (threads,)


def test_too_little_memory_is_told_with_the_way_out():
    with pytest.raises(
        ValueError, match=r"purchases: its rows need more memory than allowed: .*Allow more with `memory`"
    ):
        Histories(made(rows=100_000, name=lambda client: "x" * 2_000 + str(client)), memory="3MB")


@pytest.mark.parametrize("memory", ["lots", "2", "2 XB", "-1GB", "0GB", "1GB'; drop table x; --", 2, ""])
def test_memory_is_a_size(memory):
    with pytest.raises(ValueError, match="`memory` must be a size such as '2GB'; got"):
        Histories(made(rows=20), memory=memory)


def test_memory_has_a_measure_by_default():
    (limit,) = Histories(made(rows=20))._store.con.execute("select current_setting('memory_limit')").fetchone()
    assert Histories(made(rows=20))._store._memory >= 2**30
    assert limit.endswith("GiB")


# Reading once --------------------------------------------------------------------------------------------------------


def test_an_expression_is_tried_even_where_nothing_is_checked():
    frame = made(rows=50).assign(word=["1"] * 49 + ["one"])
    clients = pd.DataFrame({"client_id": [1, 2], "joined_at": "2024-01-01", "size": ["4", "four"]})
    frame["amount"] = ["ten"] * 50  # nothing will be stored
    mapping = {"purchases": {"category": "cast(word as int)"}, "clients": {"width": "cast(size as int)"}}
    with pytest.raises(
        ValueError, match=r"3 problems(.|\n)*purchases\.category: 'cast\(word(.|\n)*clients\.width: 'width' cannot"
    ):
        Histories(frame, clients=clients, columns=mapping)


def test_a_csv_is_not_kept_after_it_was_read(tmp_path):
    made(rows=200).to_csv(tmp_path / "bills.csv", index=False)
    histories = Histories(tmp_path / "bills.csv")
    asked = "select table_name from duckdb_tables()"
    assert histories._store.con.execute(asked).fetchall() == []
    assert len(stored(histories)) == 200


def test_the_default_folder_is_among_the_temporary_files():
    assert Path(Histories(made(rows=20))._store._folder).parent == Path(tempfile.gettempdir())
