"""Histories at the border: every source, every problem, and nothing changed on the way."""

import datetime as dt
import decimal
import functools
import gzip
import html
import random
import re
import warnings

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from loyalty.histories import TABLES, Histories, HistoriesError, HistoriesWarning
from loyalty.setting import Setting
from loyalty.timeline import Outcome

BILLS = {
    "client_id": ["bob", "ann", "ann", "Zoë"],
    "event_time": ["2024-01-09 08:30:00", "2024-02-01 00:00:00", "2024-01-05 23:59:59", "2024-03-01 12:00:00"],
    "amount": [12.5, -10.0, 30.0, 7.25],
    "order_id": ["0007", "b", None, "c"],
    "category": ["tea", "", "tea", None],
    "quantity": [1.0, -1.0, 3.0, None],
}
ROWS = [
    ("Zoë", "2024-03-01 12:00:00", 7.25, "c", None, None),
    ("ann", "2024-01-05 23:59:59", 30.0, None, "tea", 3.0),
    ("ann", "2024-02-01 00:00:00", -10.0, "b", "", -1.0),
    ("bob", "2024-01-09 08:30:00", 12.5, "0007", "tea", 1.0),
]


def bills(**changed):
    """Make the four bills as a frame, with columns changed, added, or left out when None."""
    return pd.DataFrame({name: values for name, values in {**BILLS, **changed}.items() if values is not None})


def dated(**columns):
    """Make bills of one client each, on 1 January 2024, for what is tested in another column."""
    size = max(len(values) for values in columns.values())
    given = {"client_id": list(range(1, size + 1)), "event_time": ["2024-01-01"] * size, "amount": [1.0] * size}
    return pd.DataFrame({**given, **columns})


def rows(histories, table="purchases"):
    frame = histories.tables[table].execute()
    return [tuple(None if pd.isna(value) else value for value in row) for row in frame.itertuples(index=False)]


def stored(histories, column, table="purchases"):
    return histories.tables[table].execute()[column].tolist()


def problems(purchases=None, **options):
    """List what is found wrong, as the error lists it."""
    with pytest.raises(HistoriesError) as caught:
        Histories(bills() if purchases is None else purchases, **options)
    found = [str(problem) for problem in caught.value.problems]
    message = str(caught.value).splitlines()
    assert message[0].startswith(f"{len(found)} problem{'s' if len(found) > 1 else ''} in the histories")
    assert [line.split(". ", 1)[1] for line in message[1:]] == found
    return found


def times(*written):
    return [pd.Timestamp(text) for text in written]


# Sources -------------------------------------------------------------------------------------------------------------


def typed():
    return bills().assign(event_time=lambda b: pd.to_datetime(b["event_time"]))


def from_pandas(_):
    return bills()


def from_typed_pandas(_):
    return typed()


def from_pandas_index(_):
    return typed().set_index(["client_id", "event_time"])


def from_object_pandas(_):
    return typed().astype(object)


def from_categorical_pandas(_):
    kinds = {"client_id": "category", "event_time": "category", "order_id": "category", "category": "category"}
    return bills().astype(kinds)


def from_nullable_pandas(_):
    return typed().convert_dtypes().astype({"amount": "Float64", "quantity": "Int64", "order_id": "string"})


def from_decimal_pandas(_):
    return bills().assign(amount=[decimal.Decimal(text) for text in ("12.5", "-10", "30.00", "7.250")])


def from_arrow(_):
    return pa.Table.from_pandas(typed(), preserve_index=False)


def from_arrow_views(_):
    table = pa.Table.from_pandas(bills(), preserve_index=False)
    kinds = {"client_id": pa.string_view(), "event_time": pa.large_string()}
    for name, kind in kinds.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table.set_column(4, "category", table["category"].dictionary_encode())


def from_arrow_batch(_):
    return pa.RecordBatch.from_pandas(typed(), preserve_index=False)


def from_arrow_reader(_):
    return pa.Table.from_pandas(typed(), preserve_index=False).to_reader(max_chunksize=2)


def from_polars(_):
    return pl.DataFrame(BILLS)


def from_typed_polars(_):
    return pl.DataFrame(BILLS).with_columns(
        pl.col("event_time").str.to_datetime(),
        pl.col("category").cast(pl.Categorical),
        pl.col("amount").cast(pl.Float32),
    )


def from_csv(folder):
    # An empty text and a missing one are told apart by quotes.
    lines = ["client_id,event_time,amount,order_id,category,quantity", "bob,2024-01-09 08:30:00,12.5,0007,tea,1"]
    lines += [
        'ann,2024-02-01 00:00:00,-10,b,"",-1',
        "ann,2024-01-05 23:59:59,30,,tea,3",
        "Zoë,2024-03-01 12:00:00,7.25,c,,",
    ]
    (folder / "bills.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "bills.csv"


def from_parquet(folder):
    typed().to_parquet(folder / "bills.parquet", index=False)
    return str(folder / "bills.parquet")


def from_parquet_glob(folder):
    typed().iloc[:1].to_parquet(folder / "part-1.parquet", index=False)
    typed().iloc[1:, ::-1].to_parquet(folder / "part-2.parquet", index=False)
    return folder / "part-*.parquet"


def from_ibis_memtable(_):
    return ibis.memtable(typed())


def from_ibis_duckdb(_):
    return ibis.duckdb.connect().create_table("bills", typed())


def from_ibis_expression(_):
    table = ibis.duckdb.connect().create_table("bills", typed().assign(amount=lambda b: b["amount"] * 2))
    return table.mutate(amount=table.amount / 2).order_by("amount")


def from_ibis_sqlite(_):
    return ibis.sqlite.connect().create_table("bills", bills())


@functools.cache
def usual_fingerprint():
    return Histories(bills()).fingerprint()


SOURCES = [value for name, value in dict(globals()).items() if name.startswith("from_")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__.removeprefix("from_"))
def test_every_source_gives_the_same_table(source, tmp_path):
    given = source(tmp_path)
    histories = Histories(given)
    if source is from_ibis_sqlite:
        given.get_backend().disconnect()  # SQLite connections left open are a warning from Python 3.13 on
    # DuckDB reads an empty text in a CSV as a missing one.
    blank = None if source is from_csv else ""
    expected = [
        (who, pd.Timestamp(at), pd.Timestamp(at), amount, order, blank if category == "" else category, quantity)
        for who, at, amount, order, category, quantity in ROWS
    ]
    assert histories.purchases.columns == (
        "client_id", "event_time", "known_at", "amount", "order_id", "category", "quantity"
    )  # fmt: skip
    kinds = [str(kind) for kind in histories.purchases.schema().types]
    assert kinds == ["string", "timestamp(6)", "timestamp(6)", "float64", "string", "string", "float64"]
    assert rows(histories) == expected
    if source is not from_csv:
        assert histories.fingerprint() == usual_fingerprint()
    assert histories.notes == ()


def test_a_frame_is_left_as_it_was():
    frame = typed().set_index("client_id")
    before = frame.copy(deep=True)
    Histories(frame, columns={"purchases": {"amount": "amount * 2"}}, where={"purchases": "amount > 0"})
    assert_frame_equal(frame, before)


def test_a_source_may_be_overwritten_or_deleted_afterwards(tmp_path):
    path, frame = from_parquet(tmp_path), bills()
    from_file, from_frame = Histories(path), Histories(frame)
    (tmp_path / "bills.parquet").unlink()
    frame.loc[:, "amount"] = 0.0
    assert stored(from_file, "amount") == stored(from_frame, "amount") == [7.25, 30.0, -10.0, 12.5]


def test_csv_files_of_a_glob_are_read_by_name_and_may_be_zipped(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"client_id,event_time,amount,channel\n1,2024-01-01,2.5,shop\n"))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"amount,client_id,event_time\n3.5,2,2024-01-02\n"))
    histories = Histories(tmp_path / "*.csv.gz")
    assert rows(histories) == [
        (1, *times("2024-01-01", "2024-01-01"), 2.5, "shop"),
        (2, *times("2024-01-02", "2024-01-02"), 3.5, None),
    ]


@pytest.mark.parametrize(("name", "mark"), [("bills.tsv", "\t"), ("bills.csv", ";"), ("bills.txt", "|")])
def test_a_csv_may_be_delimited_otherwise(tmp_path, name, mark):
    (tmp_path / name).write_text("client_id,event_time,amount\n7,2024-01-01,2.5\n".replace(",", mark), encoding="utf-8")
    assert rows(Histories(tmp_path / name)) == [(7, *times("2024-01-01", "2024-01-01"), 2.5)]


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        (["1", "20", "3"], [1, 3, 20]),
        (["001", "20", "3"], ["001", "20", "3"]),
        (["12345678901234567890", "20", "3"], ["12345678901234567890", "20", "3"]),
        (["1.0", "20", "3"], ["1.0", "20", "3"]),
        (["true", "false", "true"], ["false", "true", "true"]),
        (["2024-01-01", "2024-01-02", "2024-01-03"], ["2024-01-01", "2024-01-02", "2024-01-03"]),
        (["a", '"b,""c"', "'d"], ["'d", "a", 'b,"c']),
    ],
)
def test_ids_in_a_csv_keep_what_numbers_would_lose(tmp_path, ids, read):
    lines = "\n".join(f"{who},2024-01-01,{i}" for i, who in enumerate(ids))
    (tmp_path / "bills.csv").write_text(f"customer,day,paid\n{lines}\n", encoding="utf-8")
    mapping = {"client_id": "customer", "event_time": "day", "amount": "paid"}
    histories = Histories(tmp_path / "bills.csv", columns={"purchases": mapping})
    assert stored(histories, "client_id") == read
    within = Histories(tmp_path / "bills.csv", columns={"purchases": {**mapping, "client_id": "concat('#', customer)"}})
    assert stored(within, "client_id") == sorted(f"#{who}" for who in read)


@pytest.mark.parametrize("day", ["01/02/2024", "21/02/2024", "2/21/2024", "02-01-2024", "01/02/2024 10:30"])
def test_a_csv_date_that_could_be_misread_is_not_guessed(tmp_path, day):
    (tmp_path / "bills.csv").write_text(f"client_id,event_time,amount\n1,{day},2.5\n", encoding="utf-8")
    (found,) = problems(tmp_path / "bills.csv")
    assert found.startswith(f"purchases.event_time: 1 row is not a date, first '{day}' in row 1.")
    assert "strptime(event_time, '%d/%m/%Y')" in found


def test_the_remedy_for_such_a_date_works(tmp_path):
    (tmp_path / "bills.csv").write_text("client_id,event_time,amount\n1,01/02/2024,2.5\n", encoding="utf-8")
    mapping = {"purchases": {"event_time": "strptime(event_time, '%d/%m/%Y')"}}
    assert stored(Histories(tmp_path / "bills.csv", columns=mapping), "event_time") == times("2024-02-01")


@pytest.mark.parametrize(
    ("day", "expression"),
    [
        ("01/02/2024 10:30", "strptime(event_time, '%d/%m/%Y %H:%M')"),
        ("01/02/24", "strptime(event_time, '%d/%m/%y')"),
        ("20240201", "strptime(cast(event_time as varchar), '%Y%m%d')"),
    ],
)
def test_other_forms_are_read_as_the_remedy_says(tmp_path, day, expression):
    (tmp_path / "bills.csv").write_text(f"client_id,event_time,amount\n1,{day},2.5\n", encoding="utf-8")
    (read,) = stored(Histories(tmp_path / "bills.csv", columns={"purchases": {"event_time": expression}}), "event_time")
    assert pd.Timestamp(read).normalize() == pd.Timestamp("2024-02-01")


def test_the_remedy_for_commas_that_part_thousands_works(tmp_path):
    (tmp_path / "bills.csv").write_text('client_id,event_time,amount\n1,2024-02-01,"1,013.74"\n', encoding="utf-8")
    (found,) = problems(tmp_path / "bills.csv")
    expression = "cast(replace(amount, ',', '') as double)"
    assert expression in found
    mapping = {"purchases": {"amount": expression}}
    assert stored(Histories(tmp_path / "bills.csv", columns=mapping), "amount") == [1013.74]


WRITTEN = {
    "decimal comma": (["89,00", "1,5", "7"], [89.0, 1.5, 7.0]),
    "dots part thousands": (["1.234,56", "2.345.678", "3.000"], [1234.56, 2345678.0, 3000.0]),
    "only dots": (["2.345.678", "12"], [2345678.0, 12.0]),
    "commas part thousands": (["1,234", "2,345,678.50", "0.5"], [1234.0, 2345678.5, 0.5]),
    "taken for thousands": (["1,234", "-5,000"], [1234.0, -5000.0]),
    "decimal as others tell": (["1,234", "0,5"], [1.234, 0.5]),
    "less than one": (["0,125", "1234,567"], [0.125, 1234.567]),
    "comma or point": (["89,00", "12.50", "0.125"], [89.0, 12.5, 0.125]),
    "sign after": (["1.234,56 €", "-12,00 €", "3"], [1234.56, -12.0, 3.0]),
    "sign before": (["$1,234.56", "-$7"], [1234.56, -7.0]),
    "code": (["12.50 EUR", "EUR 3"], [12.5, 3.0]),
    "won": (["12,000원", "900원"], [12000.0, 900.0]),
    "no-break space": (["1\u202f234,5\u00a0€", "2,5\u00a0€"], [1234.5, 2.5]),
    "apostrophe": (["CHF 1'234.50"], [1234.5]),
}


@pytest.mark.parametrize(("amounts", "meant"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("name", ["amount", "Betrag brutto"])
def test_the_remedy_for_numbers_written_otherwise_works(amounts, meant, name):
    frame = dated(amount=amounts).rename(columns={"amount": name})
    (found,) = problems(frame, columns={"purchases": {"amount": name}})
    assert "where" not in found
    expression = re.search(r"map the column with (cast\(.* as double\))\.", found)[1]
    assert stored(Histories(frame, columns={"purchases": {"amount": expression}}), "amount") == meant


def test_what_is_no_number_even_so_is_told_and_may_be_left_out():
    frame = dated(amount=["89,00", "n/a", "12k", "ca. 5", "−7,00", "(3,00)", "8,00-", "-2,50"])
    (found,) = problems(frame)
    assert "They have a decimal comma: map the column with cast(" in found
    assert " 6 rows are text even so: correct them, or leave them out, if they are few, with where = " in found
    expression = re.search(r"map the column with (cast\(.* as double\))\.", found)[1]
    where = re.search(r'where = "(.*)"', found)[1]
    histories = Histories(frame, columns={"purchases": {"amount": expression}}, where={"purchases": where})
    assert stored(histories, "amount") == [89.0, -2.5]


def test_a_comma_that_may_be_either_is_told():
    (found,) = problems(dated(amount=["1,234"]))
    assert found.endswith("If the comma of '1,234' is decimal, replace it by '.' instead of ''.")
    assert "is decimal, replace it" not in problems(dated(amount=["1,234", "2,345.5"]))[0]


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        (["1.234,00", "12.50"], "with a decimal comma, such as '1.234,00', and with a decimal point, such as '12.50'"),
        (["9,5", "1,234.50"], "with a decimal comma, such as '9,5', and with a decimal point, such as '1,234.50'"),
        (["12 $", "12 €"], "of different currencies, such as '12 $' and '12 €'"),
    ],
)
def test_no_expression_is_offered_that_would_misread_some(amounts, said):
    (found,) = problems(dated(amount=amounts))
    assert f"There are numbers {said}: write all in one way at the source, or leave these rows out" in found
    assert "map the column" not in found


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n \r\n"])
@pytest.mark.parametrize("name", ["bills.csv", "bills.csv.gz"])
def test_an_empty_csv_is_told(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    needed = "Fill it: there is nothing to learn from without purchases."
    assert problems(path) == [f"purchases: the file {str(path)!r} is empty. {needed}"]
    assert problems(bills(), events=path) == [
        f"events: the file {str(path)!r} is empty. Leave the table out, or fill it."
    ]
    (tmp_path / f"more-{name}").write_bytes(path.read_bytes())
    assert problems(tmp_path / f"*{name}") == [f"purchases: the files are empty. {needed}"]


def test_a_csv_of_a_header_alone_is_an_empty_table(tmp_path):
    (tmp_path / "bills.csv").write_text("client_id,event_time,amount\n", encoding="utf-8")
    needed = "Fill it: there is nothing to learn from without purchases."
    assert problems(tmp_path / "bills.csv") == [f"purchases: the table is empty. {needed}"]


ROW = 'bob,2024-01-09,"a\nb",2.5\n'
RAGGED = {
    "cut off": (f"{ROW * 3000}bob,2024-0", 6002, "2 fields", "It is the last line: was the export cut off? Export it"),
    "too few": (f"{ROW * 50}bob,2024-01-09\n{ROW}", 102, "2 fields", "Correct the line; text that holds ',' must"),
    "too many": (f"{ROW * 50}\nbob,2024-01-09,x,2,5\n{ROW}", 103, "5 fields", "Correct the line; text that holds ','"),
    "one": (f"{ROW}bob\n", 4, "1 field", "It is the last line: was the export cut off? Export it"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line", "fields", "remedy"), RAGGED.values(), ids=RAGGED)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_line_of_a_csv_with_other_fields_than_the_header_is_told(tmp_path, content, line, fields, remedy, zipped):
    content = f"client_id,event_time,text,amount\n{content}".encode()
    path = tmp_path / ("bills.csv.gz" if zipped else "bills.csv")
    path.write_bytes(gzip.compress(content) if zipped else content)
    (found,) = problems(path)
    assert found.startswith(f"purchases: {str(path)!r}: line {line:,} has {fields}, and the header has 4. {remedy}")


def test_a_quotation_mark_that_is_not_closed_is_told(tmp_path):
    path = tmp_path / "bills.csv"
    path.write_text(f'client_id,event_time,text,amount\n{ROW * 50}bob,2024-01-09,"a\nb', encoding="utf-8")
    assert problems(path) == [
        f"purchases: {str(path)!r}: a quotation mark in line 102 is not closed before the file ends. "
        "Was the export cut off? Export it again, or close the quotation mark."
    ]


def test_a_bad_value_in_the_last_row_of_a_csv_is_told_with_its_row(tmp_path):
    lines = "1,2024-01-01,2.5\n2,2024-01-02,2.5\n" * 15_000
    (tmp_path / "bills.csv").write_text(f"client_id,event_time,amount\n{lines}3,2024-01-03,n/a\n", encoding="utf-8")
    (found,) = problems(tmp_path / "bills.csv")
    assert found.startswith("purchases.amount: 1 row is text, first 'n/a' in row 30,001.")


@pytest.mark.parametrize(
    "name", ["it's.csv", 'a "b".csv', "bills [1].csv", "what?.csv", "'); drop table x; --.csv", "장부.csv"]
)
def test_a_file_name_is_only_a_name(tmp_path, name):
    (tmp_path / name).write_text("client_id,event_time,amount\n1,2024-01-01,2.5\n", encoding="utf-8")
    (tmp_path / "bills 1.csv").write_text("client_id,event_time,amount\n2,2024-01-01,2.5\n", encoding="utf-8")
    assert stored(Histories(tmp_path / name), "client_id") == [1]


UNREADABLE = {
    "no file": (lambda folder: folder / "nowhere.csv", "there is no file"),
    "no match": (lambda folder: folder / "*.pq", "there is no file"),
    "a folder": (lambda folder: folder, "there is no file"),
    "another kind": (lambda folder: folder / "notes.md", "is neither CSV nor Parquet"),
    "not Parquet": (lambda folder: folder / "notes.parquet2.parquet", "is no Parquet file, whatever its name says"),
    "an empty file": (lambda folder: folder / "empty.parquet", "is no Parquet file, whatever its name says"),
    "cut short": (lambda folder: folder / "cut.parquet", "is cut short. Copy or write it again."),
    "damaged within": (lambda folder: folder / "hurt.parquet", "cannot be read: "),
    "one of several": (lambda folder: folder / "*cut*.parquet", "cut.parquet'"),
    "not zipped": (lambda folder: folder / "notes.csv.gz", "cannot be read: IO Error: Input is not a GZIP stream"),
    "not UTF-8": (lambda folder: folder / "latin.csv", "This file is not utf-8 encoded"),
    "ragged": (lambda folder: folder / "ragged.csv", "ragged.csv': line 3 has 4 fields, and the header has 3. Correct"),
    "no text": (lambda folder: folder / "notes.txt", "its lines do not part into fields as those of a CSV do. Check"),
    "the web": (lambda _: "https://localhost:1/bills.csv", "requires the extension httpfs"),
    "a bucket": (lambda _: "s3://bucket/bills.parquet", "requires the extension httpfs"),
    "a dict": (lambda _: BILLS, "a dict cannot be read"),
    "a Series": (lambda _: pd.Series([1]), "a Series cannot be read"),
    "no columns": (lambda _: pd.DataFrame(), "the table has no columns"),
    "an odd type": (lambda _: pa.table({"x": pa.array([1], pa.float16())}), "the Table cannot be read"),
    "a lost table": (lambda _: ibis.duckdb.connect().sql("select 1/0 as x, cast('a' as int) y"), "cannot be read"),
}


@pytest.mark.parametrize(("source", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_source_that_cannot_be_read_is_one_problem(tmp_path, source, said):
    (tmp_path / "notes.md").write_text("nothing", encoding="utf-8")
    (tmp_path / "notes.parquet2.parquet").write_text("nothing", encoding="utf-8")
    (tmp_path / "empty.parquet").touch()
    bills().to_parquet(tmp_path / "cut.parquet")
    whole = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-10])
    (tmp_path / "hurt.parquet").write_bytes(whole[:-40] + b"?" * 32 + whole[-8:])
    (tmp_path / "notes.csv.gz").write_text("nothing", encoding="utf-8")
    (tmp_path / "notes.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9)
    (tmp_path / "latin.csv").write_bytes("client_id,event_time,amount\nZoë,2024-01-01,1\n".encode("latin-1"))
    (tmp_path / "ragged.csv").write_text(
        "client_id,event_time,amount\n1,2024-01-01,1\n2,2024-01-01,1,5\n3\n", encoding="utf-8"
    )
    found = problems(bills(), events=source(tmp_path))
    assert len(found) == 1
    assert found[0].startswith("events: ")
    assert said in found[0]


def test_purchases_are_needed():
    assert problems(pd.DataFrame(), events=5)[0].startswith("purchases: the table has no columns")
    with pytest.raises(HistoriesError, match="purchases: a NoneType cannot be read"):
        Histories(None)


def test_a_table_of_another_database_that_has_gone_is_told():
    other = ibis.duckdb.connect()
    table = other.create_table("bills", typed())
    other.drop_table("bills")
    (found,) = problems(table)
    assert found.startswith("purchases: the Ibis table cannot be read: ")
    assert found.endswith("Check its connection.")


# Ids -----------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "이민수", "😀", "שלום", "مرحبا", "O'Brien", 'say "hi"', "a;drop table purchases", "--", " padded ", "\x1f",
    "\u00e9", "e\u0301",
]  # fmt: skip


def test_ids_may_hold_any_text():
    histories = Histories(dated(client_id=HOSTILE))
    assert sorted(stored(histories, "client_id")) == sorted(HOSTILE)
    assert stored(histories, "client_id") == sorted(HOSTILE, key=lambda text: text.encode()), "sorted by their bytes"


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        ([3, -1, 2], [-1, 2, 3]),
        (np.array([2, 3, 1], dtype="uint64"), [1, 2, 3]),
        (np.array([2, 3, 1], dtype="int8"), [1, 2, 3]),
        ([3.0, 1.0, 2.0], [1, 2, 3]),
        ([decimal.Decimal(3), decimal.Decimal(1), decimal.Decimal(2)], [1, 2, 3]),
        (pd.array([3, 1, 2], dtype="Int32"), [1, 2, 3]),
        (pd.Categorical([3, 1, 2]), [1, 2, 3]),
        (["10", "9", "08"], ["08", "10", "9"]),
        (pd.Series([1, "a", 2], dtype=object), ["1", "2", "a"]),
        (pd.Series([2**70, 1, 2], dtype=object), ["1", "1180591620717411303424", "2"]),
    ],
)
def test_ids_are_whole_numbers_or_text(ids, read):
    assert stored(Histories(dated(client_id=ids)), "client_id") == read


@pytest.mark.parametrize("ids", [[1.5, 2.0], np.array([2**63 + 5, 2], dtype="uint64")])
def test_an_id_that_is_no_whole_number_is_refused(ids):
    (found,) = problems(dated(client_id=ids))
    assert found.startswith("purchases.client_id: 1 row is not a whole number or text, first ")
    assert found.endswith("in row 1. Map it with a cast, e.g. cast(client_id as varchar).")


def test_ids_must_be_of_one_kind_in_all_tables():
    contacts = pd.DataFrame({"customer": ["1"], "event_time": ["2024-01-01"]})
    events = pd.DataFrame({"client_id": [1], "event_time": ["2024-01-01"], "kind": ["visit"]})
    mapping = {"contacts": {"client_id": "customer"}}
    assert problems(dated(client_id=[1]), contacts=contacts, events=events, columns=mapping) == [
        "contacts.client_id: it is text here and whole numbers in purchases. "
        'Map both alike, e.g. client_id = "cast(customer as varchar)".'
    ]


# Times ---------------------------------------------------------------------------------------------------------------


SEOUL_MORNING = pd.Timestamp("2024-03-01T09:00", tz="Asia/Seoul")


@pytest.mark.parametrize(
    ("written", "meant", "noted"),
    [
        (["2024-03-01", "2024-03-01 09:30:00.000001"], ["2024-03-01", "2024-03-01 09:30:00.000001"], False),
        (["2024-03-01T09:30", "2024/3/1"], ["2024-03-01 09:30", "2024-03-01"], False),
        ([" 2024-03-01 ", "2024-03-01 9:05:00"], ["2024-03-01", "2024-03-01 09:05"], False),
        (["2024-03-01T09:00:00+09:00", "2024-03-01"], ["2024-03-01", "2024-03-01"], True),
        (["2024-03-01T09:00+09:00", "2024-03-01 09:00Z"], ["2024-03-01 00:00", "2024-03-01 09:00"], True),
        (["2024-03-01 09:00:00 Asia/Seoul", "2024-03-01 00:00:00-05"], ["2024-03-01", "2024-03-01 05:00"], True),
        ([dt.date(2024, 3, 1), dt.date(2024, 3, 2)], ["2024-03-01", "2024-03-02"], False),
        (pd.to_datetime(["2024-03-01", "2024-03-02"]).as_unit("s"), ["2024-03-01", "2024-03-02"], False),
        (pd.to_datetime(["2024-03-01", "2024-03-02"]).as_unit("ns"), ["2024-03-01", "2024-03-02"], False),
        (pd.to_datetime(["2024-03-01 09:00", "2024-07-01 09:00"]).tz_localize("Europe/Berlin"),
         ["2024-03-01 08:00", "2024-07-01 07:00"], True),
        (pd.Categorical(["2024-03-01", "2024-03-02T09:00:00+09:00"]), ["2024-03-01", "2024-03-02"], True),
        (pd.Series([SEOUL_MORNING, SEOUL_MORNING + pd.Timedelta(hours=16)],
                   dtype=object), ["2024-03-01", "2024-03-01 16:00"], True),
    ],
)  # fmt: skip
def test_times_become_utc_and_that_is_said(written, meant, noted):
    histories = Histories(dated(event_time=written))
    assert stored(histories, "event_time") == times(*meant)
    assert histories.notes == (("purchases.event_time: zoned times were made UTC.",) if noted else ())


NO_DATES = [
    "yesterday",
    "now",
    "2024-02-30",
    "01/02/2024",
    "24-03-01",
    "20240301",
    "infinity",
    "epoch",
    "",
    "2024-03-01 25:00",
]


def test_what_is_not_a_date_is_refused():
    (found,) = problems(dated(event_time=["2024-01-01", *NO_DATES, "2024-01-02"]))
    assert found.startswith("purchases.event_time: 10 rows are not a date, first 'yesterday' in row 2. Write dates as ")


@pytest.mark.parametrize("written", [[20240301, 20240302], [1.5, 2.5], [dt.time(9), dt.time(10)]])
def test_numbers_are_no_dates(written):
    (found,) = problems(dated(event_time=written))
    assert "2 rows are not a date" in found


def test_an_infinite_timestamp_is_no_date(tmp_path):
    path = tmp_path / "bills.parquet"
    values = (
        "select 1 as client_id, 1.0 as amount, unnest([timestamp '2024-01-01', timestamp 'infinity']) as event_time"
    )
    duckdb.sql(values).write_parquet(str(path))
    assert problems(path)[0].startswith("purchases.event_time: 1 row is not a date, first 'infinity' in row 2.")


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amounts", [["1.5", " 2 "], [decimal.Decimal("1.50"), 2], pd.array([1.5, 2.0], dtype="Float32")]
)
def test_amounts_may_be_written_in_any_way_that_is_a_number(amounts):
    assert stored(Histories(dated(amount=amounts)), "amount") == [1.5, 2.0]


def test_refunds_stay():
    histories = Histories(bills())
    assert stored(histories, "amount") == [7.25, 30.0, -10.0, 12.5]
    assert histories.summary().loc["purchases", "refunds"] == 1


def test_flags_and_numbers_of_offers():
    offers = pd.DataFrame({
        "client_id": ["ann", "bob", "Zoë"], "sent": "2024-01-01", "treated": [True, False, None],
        "cost": [1, 2, None], "redeemed_at": ["2024-01-01", None, None],
    })  # fmt: skip
    histories = Histories(bills(), offers=offers)
    assert rows(histories, "offers") == [
        ("Zoë", *times("2024-01-01", "2024-01-01"), None, None, None),
        ("ann", *times("2024-01-01", "2024-01-01"), 1.0, True, times("2024-01-01")[0]),
        ("bob", *times("2024-01-01", "2024-01-01"), 2.0, False, None),
    ]


# Problems ------------------------------------------------------------------------------------------------------------


def test_a_missing_column_is_told_with_what_there_is():
    (found,) = problems(bills(amount=None, amont=[1, 2, 3, 4]))
    assert found.startswith("purchases.amount: the column is missing. ")
    assert "Did you mean 'amont'?" in found
    (found,) = problems(pd.DataFrame({"client_id": [1], "event_time": ["2024-01-01"], "paid": [1.0]}))
    assert found.endswith("There is: client_id, event_time, paid.")


def test_nulls_where_none_may_be_are_counted():
    frame = dated(client_id=["a", None, "", " ", None], amount=[1.0, 2.0, None, 3.0, 4.0])
    frame["event_time"] = ["2024-01-01"] * 4 + [None]
    ways_out = ["client_id is not null", "trim(client_id) <> ''", "event_time is not null", "amount is not null"]
    found = [
        "purchases.client_id: 2 rows are null, first row 2",
        "purchases.client_id: 2 rows are blank text, first row 3",
        "purchases.event_time: 1 row is null, first row 5",
        "purchases.amount: 1 row is null, first row 3",
    ]
    assert problems(frame) == [
        f'{said}. Fill them, or leave the rows out with where = "{way_out}".'
        for said, way_out in zip(found, ways_out, strict=True)
    ]


def test_an_event_needs_its_kind():
    events = pd.DataFrame({"client_id": ["ann", "ann"], "event_time": "2024-01-01", "kind": ["visit", None]})
    assert problems(bills(), events=events)[0].startswith("events.kind: 1 row is null, first row 2.")


def test_amounts_that_are_text_nan_or_infinite_are_counted_apart():
    frame = dated(amount=["1", "ten", "nan", "-inf", "1e999", "", "NaN"])
    found = problems(frame)
    assert len(found) == 2
    assert found[0].startswith("purchases.amount: 2 rows are text, first 'ten' in row 2. Correct them, ")
    assert found[1].startswith("purchases.amount: 4 rows are NaN or infinite, first 'nan' in row 3. Correct them, ")
    arrow = pa.table({"client_id": [1, 2], "event_time": ["2024-01-01"] * 2, "amount": [1.0, float("nan")]})
    assert problems(arrow)[0].startswith("purchases.amount: 1 row is NaN or infinite, first 'nan' in row 2.")


@pytest.mark.parametrize(
    "where", ["try_cast(amount as double) is not null and abs(try_cast(amount as double)) < 1e300"]
)
def test_the_remedies_for_amounts_work(where):
    histories = Histories(dated(amount=["1", "ten", "nan", "-inf", "", "2"]), where={"purchases": where})
    assert stored(histories, "amount") == [1.0, 2.0]


AFTER = [
    (table.name, column.name, column.after) for table in TABLES.values() for column in table.columns if column.after
]


def test_every_later_fact_is_held_against_its_event():
    assert {(table, column) for table, column, _ in AFTER} == {
        *((name, "known_at") for name in TABLES),
        ("contacts", "replied_at"), ("contacts", "resolved_at"), ("offers", "redeemed_at"), ("contracts", "end"),
        ("contracts", "renews_at"), ("rewards", "expires_at"),
    }  # fmt: skip


def test_later_facts_are_told_from_planned_dates():
    later = {(table.name, column.name) for table in TABLES.values() for column in table.columns if column.later}
    assert later == {
        ("contacts", "replied_at"), ("contacts", "resolved_at"), ("offers", "redeemed_at"), ("contracts", "end"),
    }  # fmt: skip


@pytest.mark.parametrize(("table", "column", "event"), AFTER)
def test_a_later_fact_may_not_precede_its_event(table, column, event):
    later = ["2024-01-02", "2024-01-01 12:00:00", None, "2024-01-01 11:59:59.999999", "2023-01-01"]
    frame = pd.DataFrame({
        "client_id": list("abcde"), event: "2024-01-01 12:00:00", "amount": 1.0, "kind": "visit", column: later,
    })  # fmt: skip
    given = {"purchases": frame} if table == "purchases" else {"purchases": bills(), table: frame}
    with pytest.raises(HistoriesError) as caught:
        Histories(**given)
    (problem,) = caught.value.problems
    assert (problem.table, problem.column) == (table, column)
    assert problem.found == (
        f"2 rows are before `{event}`, first '2024-01-01 11:59:59.999999 before 2024-01-01 12:00:00' in row 4"
    )
    given[table] = frame.iloc[:3]
    histories = Histories(**given)
    unknown = pd.Timestamp("2024-01-01 12:00:00") if column == "known_at" else pd.NaT
    expected = [*times("2024-01-02", "2024-01-01 12:00:00"), unknown]
    assert [str(value) for value in stored(histories, column, table)] == [str(value) for value in expected]


def test_future_rows_are_refused_from_the_day_on():
    frame = dated(event_time=["2024-01-31 23:59:59.999999", "2024-01-01", "2024-01-15"])
    assert len(rows(Histories(frame, future_from="2024-02-01"))) == 3
    frame = dated(event_time=["2024-01-31", "2024-02-01", "2024-02-02"])
    (found,) = problems(frame, future_from="2024-02-01")
    assert found.startswith("purchases.event_time: 2 rows are dated at or after 2024-02-01, ")
    assert "first '2024-02-01 00:00:00' in row 2" in found
    offers = pd.DataFrame({"client_id": [1], "sent": ["2024-02-01"]})
    (found,) = problems(dated(event_time=["2024-01-31"]), offers=offers, future_from="2024-02-01")
    assert found.startswith("offers.sent: 1 row is dated at or after 2024-02-01, ")


def test_an_empty_table_is_refused():
    needed = "Fill it: there is nothing to learn from without purchases."
    assert problems(bills().iloc[:0]) == [f"purchases: the table is empty. {needed}"]
    assert problems(pd.DataFrame()) == [f"purchases: the table has no columns. {needed}"]
    found = problems(bills(), events=pd.DataFrame({"client_id": [], "event_time": [], "kind": []}))
    assert found == ["events: the table is empty. Leave the table out, or fill it."]
    found = problems(bills(), where={"purchases": "amount > 1000"})
    assert found == ["purchases: `where` leaves none of its 4 rows. Check `where` and the source."]


def test_columns_of_the_same_name_are_refused():
    frame = pd.DataFrame([[1, "2024-01-01", 2.0, 3.0]], columns=["client_id", "event_time", "amount", "amount"])
    said = "have the same name, in upper or lower case. Rename all but one."
    assert problems(frame) == [f"purchases: columns 'amount', 'amount' {said}"]
    frame.columns = ["client_id", "event_time", "Amount", "amount"]
    assert problems(frame) == [f"purchases: columns 'Amount', 'amount' {said}"]
    assert problems(ibis.memtable(frame)) == [f"purchases: columns 'Amount', 'amount' {said}"]


def test_every_problem_of_every_table_is_in_one_error():
    purchases = pd.DataFrame({
        "client_id": [None, 1, 2], "event_tme": ["2024-01-01"] * 3, "amount": ["1", "ten", "inf"],
        "known_at": ["soon", "2024-01-01", "2024-01-01"],
    })  # fmt: skip
    contacts = pd.DataFrame({
        "client_id": [1, 2], "event_time": ["2024-01-05", "2024-01-06"], "replied_at": ["2024-01-04", "2024-01-06"],
        "resolved_at": ["2024-01-05", "2024-01-01"], "satisfaction": ["good", 3],
    })  # fmt: skip
    contracts = pd.DataFrame({"client_id": [1.5], "start": ["2030-01-01"], "end": ["2029-01-01"], "fee": [None]})
    found = problems(
        purchases,
        contacts=contacts,
        offers="nowhere.csv",
        rewards=pd.DataFrame(),
        contracts=contracts,
        columns={"contacts": {"kind": "tpye"}, "contracts": {"plans": "fee"}},
        future_from="2025-01-01",
    )
    assert [line.split(": ")[0] for line in found] == [
        "purchases.event_time", "purchases.client_id", "purchases.known_at", "purchases.amount", "purchases.amount",
        "contacts.kind", "contacts.replied_at", "contacts.resolved_at", "contacts.satisfaction",
        "offers", "rewards",
        "contracts.plans", "contracts.client_id", "contracts.end", "contracts.start",
    ]  # fmt: skip


def test_duplicates_are_kept_and_counted():
    twice = pd.concat([bills(), bills().iloc[[1, 1, 2]]])
    with pytest.warns(HistoriesWarning, match="purchases: 3 rows repeat an earlier row in every column") as caught:
        histories = Histories(twice)
    (told,) = [warning for warning in caught if warning.category is HistoriesWarning]
    assert told.filename == __file__
    assert len(rows(histories)) == 7
    assert histories.summary().loc["purchases", "duplicates"] == 3
    assert histories.notes == (str(told.message),)
    with pytest.warns(HistoriesWarning, match="purchases: 1 row repeats an earlier row"):
        Histories(pd.concat([bills(), bills().iloc[[0]]]))


def test_rows_that_differ_anywhere_are_no_duplicates():
    with warnings.catch_warnings():
        warnings.simplefilter("error", HistoriesWarning)
        Histories(dated(client_id=[1, 1, 1, 1], amount=[1, 1, 1, 2], category=["", None, "a", "a"]))
        clients = pd.DataFrame({"client_id": ["ann", "ann"], "joined_at": "2024-01-01", "segment": ["a", "b"]})
        Histories(bills(), clients=clients)
    # A column that is not read does not tell rows apart.
    with pytest.warns(HistoriesWarning, match="1 row repeats"):
        Histories(dated(client_id=[1, 1], line=[1, 2]))


# Mapping -------------------------------------------------------------------------------------------------------------


def test_columns_are_expressions_and_rows_are_chosen():
    frame = pd.DataFrame({
        "Customer No": ["a", "b", None, "c"], "day": ["01.02.2024", "03.02.2024", "04.02.2024", "31.12.2024"],
        "qty": [2, -1, 5, 0], "price": [1.5, 4.0, 1.0, 9.0],
    })  # fmt: skip
    histories = Histories(
        frame,
        columns={
            "purchases": {
                "client_id": 'upper("Customer No")',
                "event_time": "strptime(day, '%d.%m.%Y')",
                "amount": "qty * price",
                "quantity": "qty",
            }
        },
        where={"purchases": '"Customer No" is not null and qty <> 0'},
    )
    assert rows(histories) == [
        ("A", *times("2024-02-01", "2024-02-01"), 3.0, 2.0),
        ("B", *times("2024-02-03", "2024-02-03"), -4.0, -1.0),
    ]


def test_rows_are_counted_before_where():
    frame = dated(amount=["0", "1", "ten", "ten"], keep=[0, 1, 0, 1])
    assert "1 row is text, first 'ten' in row 4" in problems(frame, where={"purchases": "keep = 1"})[0]


def test_known_at_may_be_mapped_and_defaults_to_the_event():
    frame = dated(event_time=["2024-01-01", "2024-01-02"], seen=["2024-01-05", None])
    histories = Histories(frame, columns={"purchases": {"known_at": "seen"}})
    assert stored(histories, "known_at") == times("2024-01-05", "2024-01-02")


def test_a_wrong_mapping_is_told_with_the_nearest_name():
    found = problems(bills(), columns={"purchases": {"client": "client_id", "category": "categori", "channel": "zzz"}})
    assert found == [
        "purchases.client: there is no such column in this table. Did you mean 'client_id'?",
        "purchases.category: there is no column 'categori'. Did you mean 'category'?",
        "purchases.channel: there is no column 'zzz'. "
        "There is: client_id, event_time, amount, order_id, category, quantity.",
    ]
    found = problems(bills(), where={"purchases": "amout > 0"})
    assert found == ["purchases: `where`: there is no column 'amout'. Did you mean 'amount'?"]


def test_an_expression_that_ends_too_early_is_told_by_its_column():
    found = problems(columns={"purchases": {"amount": "2 * quantity *"}})
    assert found == ["purchases.amount: '2 * quantity *' ends too early. Write the rest of it."]


def test_an_expression_that_fails_is_told_by_its_column():
    found = problems(
        dated(amount=["1", "ten"], client_id=[1, None]),
        columns={"purchases": {"amount": "cast(amount as double)", "quantity": "amount * 2"}},
    )
    assert [line.split(": ")[0] for line in found] == ["purchases.amount", "purchases.quantity", "purchases.client_id"]
    assert found[0].startswith(
        "purchases.amount: 'cast(amount as double)' cannot be computed: Conversion Error: Could not"
    )
    assert "'ten'" in found[0]
    found = problems(dated(amount=["1", "ten"]), where={"purchases": "cast(amount as double) > 0"})
    assert len(found) == 1
    assert found[0].startswith(
        "purchases: `where` cannot be computed: Conversion Error: Could not convert string 'ten'"
    )


@pytest.mark.parametrize("option", ["columns", "where"])
def test_a_mapping_for_a_table_not_given_is_refused(option):
    value = {"purchase": {}} if option == "columns" else {"purchase": "true"}
    with pytest.raises(ValueError, match=rf"`{option}` names 'purchase', .* Did you mean 'purchases'\?"):
        Histories(bills(), **{option: value})
    value = {"events": {}} if option == "columns" else {"events": "true"}
    with pytest.raises(ValueError, match=rf"`{option}` names 'events', which is not a table given"):
        Histories(bills(), **{option: value})


ATTACKS = [
    "(select 1)", "1); drop table purchases; --", "read_text('/etc/passwd')", "getenv('HOME')",
    "(select content from read_text('/etc/passwd'))", "purchases.amount", "amount; attach 'x.duckdb'",
]  # fmt: skip


def test_no_statement_gets_through_a_mapping():
    optional = ["known_at", "order_id", "product_id", "category", "channel", "quantity", "discount"]
    found = problems(bills(), columns={"purchases": dict(zip(optional, ATTACKS, strict=True))})
    assert [line.split(": ")[0] for line in found] == [f"purchases.{name}" for name in optional]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_statement_gets_through_a_filter(attack):
    (found,) = problems(bills(), where={"purchases": attack})
    assert found.startswith("purchases: `where`: ")


WEIRD = [
    "source_row", "text_amount", "text_client_id", "loyalty_row", "loyalty__row", "LOYALTY_TEXT_AMOUNT", "a b", 'a "b"',
    "a'b", "이름", "select", "end", "x; drop table purchases", "1", "*", "--", "a.b", "한😀", "row number", "{x}", "%s",
    "stage_clients",
]  # fmt: skip


def test_columns_may_have_any_name():
    frame = dated(event_time=["2024-01-01", "2024-01-02"]).assign(**{name: [i, -i] for i, name in enumerate(WEIRD)})
    clients = frame.rename(columns={"event_time": "joined_at"}).drop(columns="amount")
    histories = Histories(frame, clients=clients, columns={"purchases": {"quantity": WEIRD[-1], "discount": WEIRD[7]}})
    assert rows(histories) == [
        (1, *times("2024-01-01", "2024-01-01"), 1.0, len(WEIRD) - 1, 7),
        (2, *times("2024-01-02", "2024-01-02"), 1.0, 1 - len(WEIRD), -7),
    ]
    assert histories.tables["clients"].columns == ("client_id", "joined_at", "known_at", *WEIRD)
    assert rows(histories, "clients") == [
        (1, *times("2024-01-01", "2024-01-01"), *range(len(WEIRD))),
        (2, *times("2024-01-02", "2024-01-02"), *(-i for i in range(len(WEIRD)))),
    ]


@pytest.mark.parametrize("name", ["source_row", "text_amount", "loyalty_row", "loyalty_text_joined_at", "Loyalty_Row"])
def test_no_name_comes_between_a_row_and_its_number(name):
    frame = dated(amount=["1", "ten"]).assign(**{name: [50, 60]})
    clients = pd.DataFrame({"client_id": [1, 2], "joined_at": ["2024-01-01", "soon"], name: [70, 80]})
    found = problems(frame, clients=clients)
    assert [line.split(". ")[0] for line in found] == [
        "purchases.amount: 1 row is text, first 'ten' in row 2",
        "clients.joined_at: 1 row is not a date, first 'soon' in row 2",
    ]


def test_clients_keep_their_attributes_as_they_are():
    clients = pd.DataFrame({
        "customer": ["ann", "bob"], "joined_at": "2024-01-01", "postcode": ["01234", None], "age": [30, 40],
        "segment": pd.Categorical(["b", "a"]),
    })  # fmt: skip
    mapping = {"clients": {"client_id": "customer", "decade": "age // 10"}}
    histories = Histories(bills(), clients=clients, columns=mapping)
    table = histories.tables["clients"]
    assert table.columns == ("client_id", "joined_at", "known_at", "postcode", "age", "segment", "decade")
    assert rows(histories, "clients") == [
        ("ann", *times("2024-01-01", "2024-01-01"), "01234", 30, "b", 3),
        ("bob", *times("2024-01-01", "2024-01-01"), None, 40, "a", 4),
    ]
    # Other tables keep what they know, and no more.
    assert "line" not in Histories(bills(line=[1, 2, 3, 4])).purchases.columns


# What is told of them ------------------------------------------------------------------------------------------------


def test_tables_are_sorted_by_client_and_time():
    shuffled = bills().sample(frac=1, random_state=3)
    histories = Histories(shuffled)
    found = histories.purchases.execute()
    assert_frame_equal(found, found.sort_values(["client_id", "event_time"], ignore_index=True))
    assert_frame_equal(found, Histories(bills()).purchases.execute())


def test_observed_until_is_the_midnight_after_the_last_purchase():
    assert Histories(bills()).observed_until == pd.Timestamp("2024-03-02")
    assert Histories(dated(event_time=["2024-01-01"])).observed_until == pd.Timestamp("2024-01-02")
    assert Histories(dated(event_time=["2024-01-01 23:59:59.999999"])).observed_until == pd.Timestamp("2024-01-02")
    offers = pd.DataFrame({"client_id": ["ann"], "sent": ["2024-05-01"], "redeemed_at": ["2025-01-01"]})
    assert Histories(bills(), offers=offers).observed_until == pd.Timestamp("2024-03-02")
    assert Histories(bills(), observed_until="2024-06-01T09:00+09:00").observed_until == pd.Timestamp("2024-06-01")
    with pytest.raises(ValueError, match="`observed_until` must be a date"):
        Histories(bills(), observed_until="soon")


def test_a_last_day_that_stands_alone_is_told():
    usual = pd.date_range("2024-01-01", periods=40, freq="3D")
    apart = [*usual, usual[-1] + pd.Timedelta(days=8)]  # more than a week, and than twice three days
    with pytest.warns(HistoriesWarning, match=r"the last day, 2024-05-05, comes 8 days after the one before"):
        assert "2024-05-05" in Histories(dated(event_time=apart)).notes[-1]
    assert Histories(dated(event_time=[*usual, usual[-1] + pd.Timedelta(days=7)])).notes == ()
    assert Histories(dated(event_time=apart), observed_until="2024-05-06").notes == ()


def test_a_first_day_ages_before_the_rest_is_told():
    usual = pd.date_range("2024-01-01", periods=40, freq="3D")
    with pytest.warns(HistoriesWarning, match=r"there is none between 1900-01-01 and 2024-01-01"):
        assert "look older" in Histories(dated(event_time=["1900-01-01", *usual])).notes[-1]
    with pytest.warns(HistoriesWarning, match=r"there is none between 1970-01-01 and 2024-01-01"):
        Histories(dated(event_time=["1970-01-01", *usual]))
    with pytest.warns(HistoriesWarning, match="the last day, 2034-01-01"):
        assert len(Histories(dated(event_time=[*usual, "2034-01-01"])).notes) == 1
    assert Histories(dated(event_time=["1900-01-01", *usual[:28], "2034-01-01"])).notes == ()  # 30 days tell no rhythm
    apart = ["1900-01-01", *usual, usual[-1] + pd.Timedelta(days=8)]
    with pytest.warns(HistoriesWarning) as told:
        assert len(Histories(dated(event_time=apart)).notes) == 2
    assert "the last day, 2024-05-05, comes 8 days" in str(told[0].message)


@pytest.mark.parametrize(
    ("every", "closed", "told"),
    [(1, 14, False), (1, 15, True), (4, 14, False), (4, 15, True), (6, 18, False), (6, 19, True)],
)
def test_a_time_without_any_purchase_is_told(every, closed, told):
    before = pd.date_range("2024-01-01", periods=20, freq=f"{every}D")
    after = pd.date_range(before[-1] + pd.Timedelta(days=closed), periods=20, freq=f"{every}D")
    with warnings.catch_warnings(record=True, action="always") as said:
        Histories(dated(event_time=[*before, *after]))
    assert [f"none between {before[-1]:%Y-%m-%d} and {after[0]:%Y-%m-%d}" in str(line.message) for line in said] == [
        True
    ] * told


def test_the_longest_time_without_a_purchase_is_found_as_it_was_known():
    before, after = (pd.date_range(day, periods=31, freq="5D") for day in ("2024-01-01", "2024-06-25"))
    late = dated(event_time=[*before, *after, "2024-06-14"], known_at=[*before, *after, "2024-09-01"])
    known = Histories(late, observed_until="2025-01-01")
    assert (
        known.closed("2024-09-01") == (before[-1], after[0]) == (pd.Timestamp("2024-05-30"), pd.Timestamp("2024-06-25"))
    )
    assert known.closed("2024-09-02") is None  # 15 days are no more than three times five
    assert known.closed("2024-06-25") is None  # not over yet
    fewer = Histories(dated(event_time=[*before[1:], *after]), observed_until="2025-01-01")
    assert fewer.closed("2024-09-01") is None  # 30 days before: the time of a trial, or a wrong date


def test_refunds_of_a_closed_shop_are_no_purchases():
    days = [*pd.date_range("2024-01-01", periods=40), "2024-02-25", *pd.date_range("2024-03-10", periods=40)]
    bills = dated(event_time=days).assign(amount=[1.0] * 40 + [-1.0] + [1.0] * 40)
    histories = Histories(bills, observed_until="2025-01-01")
    assert histories.closed("2024-09-01") == (pd.Timestamp("2024-02-09"), pd.Timestamp("2024-03-10"))


def test_a_wrong_date_long_ago_makes_no_silence_look_short():
    usual = [*pd.date_range("2024-01-01", periods=40, freq="5D"), "2024-08-01"]  # after 18 days
    for first in ([], ["1900-01-01"], ["2022-07-30"]):  # a day more than two years before the last
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HistoriesWarning)
            histories = Histories(dated(event_time=[*first, *usual]))
        assert histories.staleness("2024-09-06") == ""
        assert "37 days before: everybody looks like a leaver" in histories.staleness("2024-09-07")


def lumps(every, clients=40, days=300):
    """Make purchases of all clients on each of some days."""
    when = pd.date_range("2024-01-01", periods=days // every, freq=f"{every}D")
    return pd.DataFrame({"client_id": np.tile(range(clients), len(when)), "event_time": when.repeat(clients)}).assign(
        amount=1.0
    )


@pytest.mark.parametrize(
    ("every", "clients", "horizon", "said"),
    [
        (30, 40, "30d", ""),  # each holds one
        (30, 40, "45d", "Horizons of 45 days hold from 1 to 2 of the days with purchases: "),
        (30, 29, "45d", ""),  # few clients, each on days of its own, could look so
        (30, 30, "45d", "Horizons of 45 days hold from 1 to 2 of the days with purchases: "),
        (30, 40, "135d", ""),  # four or five
        (9, 40, "45d", ""),
        (9, 40, "40d", ""),
        (7, 40, "30d", ""),  # four or five
        (7, 40, "17d", "Horizons of 17 days hold from 2 to 3 of the days with purchases: "),
        (7, 40, "15d", "Horizons of 15 days hold from 2 to 3 of the days with purchases: "),
        (4, 40, "10d", ""),  # two or three, but these are days as in any shop
    ],
)
def test_lumps_that_fall_unevenly_into_horizons_are_told(every, clients, horizon, said):
    histories = Histories(lumps(every, clients))
    cutoffs = [f"2024-{month:02}-{day:02}" for month in range(2, 6) for day in range(1, 29)]
    assert histories.unevenness(cutoffs, outcome=Outcome.of(horizon=horizon)).startswith(said)
    assert bool(histories.unevenness(cutoffs, outcome=Outcome.of(horizon=horizon))) == bool(said)


def test_horizons_are_counted_after_the_gap_and_once_decided():
    """Days 0, 30, ... 270 have purchases, and records end with the last; horizons begin 20 days after the cutoffs."""
    histories, outcome = Histories(lumps(30)), Outcome.of(horizon="31d", gap="20d")
    day = [pd.Timestamp("2024-01-01") + pd.Timedelta(days=n) for n in range(300)]
    assert histories.unevenness([day[10], day[40]], outcome=outcome) == ""  # from days 30 and 60: two each
    assert histories.unevenness([day[10], day[11]], outcome=outcome)  # from 31: one
    assert histories.unevenness([day[11], day[220]], outcome=outcome)  # from 240 to the last: two
    assert histories.unevenness([day[10], day[221]], outcome=outcome) == ""  # from 241 one, but not decided
    assert histories.unevenness(day[221], outcome=outcome) == ""


def ending(days, each=20, others=0):
    """Histories of contracts that end on some days, and as many others as are told on any day."""
    ends = pd.Series(pd.to_datetime(days)).repeat(each).tolist()
    ends += pd.Series(pd.date_range("2022-01-01", "2024-12-30")).sample(others, replace=True, random_state=0).tolist()
    ends = pd.to_datetime([*ends, pd.NaT])  # one runs on
    contracts = pd.DataFrame({"client_id": range(len(ends)), "start": pd.Timestamp("2021-01-01"), "end": ends})
    visits = pd.date_range("2021-01-01", "2024-12-15")
    return Histories(pd.DataFrame({"client_id": 1, "event_time": visits, "amount": 1.0}), contracts=contracts)


MONTHS = pd.date_range("2022-01-31", "2024-11-30", freq="ME")
FIRSTS = ["2024-03-01", "2024-04-01", "2024-06-01", "2024-10-01"]
LUMPS = "Horizons of 30 days hold from 0 to 1 of the days on which most contracts end, the last of them 2024-11-30: "


@pytest.mark.parametrize(
    ("histories", "cutoffs", "horizon", "said"),
    [
        (ending(MONTHS), FIRSTS, "30d", LUMPS),
        (ending(MONTHS), FIRSTS, "31d", ""),  # one each: 31 days from the first of a month
        (ending(MONTHS), ["2021-10-01", *FIRSTS], "31d", ""),  # before the first, nobody's end is known
        (ending(MONTHS, 5), FIRSTS, "30d", LUMPS),
        (ending(MONTHS, 4), FIRSTS, "30d", ""),  # so few may have ended so by chance
        (ending(MONTHS, 20, others=690), FIRSTS, "30d", LUMPS),
        (ending(MONTHS, 20, others=900), FIRSTS, "30d", ""),  # most end on any day
        (ending(["2022-08-15", "2023-08-15", "2024-08-15"]), FIRSTS, "30d", ""),  # a season
        (ending(["2024-09-30", "2024-12-31"], 900), ["2024-10-01", "2024-11-10"], "30d", ""),  # not known yet
        (ending([]), FIRSTS, "30d", ""),
    ],
)
def test_ends_that_fall_unevenly_into_horizons_are_told(histories, cutoffs, horizon, said):
    outcome = Outcome.of(horizon=horizon)
    told = histories.unevenness(cutoffs, outcome=outcome, kind="contractual")
    assert told.startswith(said)
    assert bool(told) is bool(said)
    assert histories.unevenness(cutoffs, outcome=outcome) == ""
    with pytest.raises(ValueError, match=r"`kind` must be .*; got 'foo'"):
        histories.unevenness(cutoffs, outcome=outcome, kind="foo")


@pytest.mark.parametrize(
    ("cutoff", "horizon", "uneven"),
    [("2024-09-15", "30d", False), ("2024-09-15", "61d", False), ("2024-09-15", "91d", False),
     ("2024-08-30", "30d", True), ("2024-08-30", "91d", True)],
)  # fmt: skip
def test_the_way_out_of_ends_in_lumps_is_one(cutoff, horizon, uneven):
    """Half way between ends of months, training cutoffs 30 days apart hold as many for two years."""
    setting = Setting.of(horizon=horizon, kind="contractual", every="30d")
    histories = ending(MONTHS)
    assert bool(setting.unevenness(histories, setting.splits(histories, [cutoff]))) is uneven


def test_facts_known_far_in_the_future_are_told():
    bill = dated(event_time=["2024-01-01", "2024-01-02"], known_at=["2205-01-01", "2024-01-02"])
    with pytest.warns(HistoriesWarning, match=r"known_at: 1 row is dated at or after 2025-01-01, first '2205-01-01"):
        Histories(bill, future_from="2025-01-01")


def test_planned_dates_may_lie_in_the_future():
    contracts = pd.DataFrame({"client_id": [1], "start": ["2024-01-01"], "renews_at": ["2026-01-01"]})
    rewards = pd.DataFrame({"client_id": [1], "event_time": ["2024-01-01"], "expires_at": ["2026-01-01"]})
    bill = dated(event_time=["2024-01-01"])
    histories = Histories(bill, contracts=contracts, rewards=rewards, future_from="2025-01-01")
    assert histories.notes == ()
    assert stored(histories, "renews_at", "contracts") == stored(histories, "expires_at", "rewards")
    with pytest.warns(HistoriesWarning, match="contracts.end: 1 row is dated at or after 2025-01-01"):
        Histories(bill, contracts=contracts.rename(columns={"renews_at": "end"}), future_from="2025-01-01")


def test_the_first_event_is_the_first_purchase():
    clients = pd.DataFrame({"client_id": ["ann"], "joined_at": ["2020-01-01"]})
    assert Histories(bills(), clients=clients).first_event == pd.Timestamp("2024-01-05 23:59:59")


def test_the_summary_counts():
    frame = pd.DataFrame({
        "client_id": [1, 1, 2, 2, 3],
        "event_time": ["2024-01-01 08:00", "2024-01-01 20:00", "2024-01-05", "2024-01-20 23:00", "2024-01-22"],
        "amount": [5.0, -1.0, 0.0, -2.0, 3.0],
    })  # fmt: skip
    clients = pd.DataFrame({"client_id": [1], "joined_at": ["2023-01-01"]})
    found = Histories(frame, clients=clients).summary()
    assert found.index.tolist() == ["purchases", "clients"]
    assert found.loc["purchases"].to_dict() == {
        "rows": 5,
        "clients": 3,
        "first": pd.Timestamp("2024-01-01"),
        "last": pd.Timestamp("2024-01-22"),
        "refunds": 2,
        "duplicates": 0,
        "longest_gap_days": 14,  # 6 to 19 January
        "columns": "client_id, event_time, known_at, amount",
    }
    assert found.loc["clients", ["rows", "clients", "refunds", "longest_gap_days"]].tolist() == [1, 1, 0, 0]


def test_they_say_what_they_are():
    assert repr(Histories(bills())) == "<Histories: purchases 4; observed until 2024-03-02>"


def test_they_show_in_a_notebook_what_they_hold():
    columns = {"client_id": ["ann"], "joined_at": ["2023-01-01"], "<script>alert(1)</script>": [1], "a & b": [2]}
    twice = bills(event_time=["2024-01-09", "2024-02-01", "2024-02-01", "2024-03-01"])
    with pytest.warns(HistoriesWarning, match="1 row repeats"):
        histories = Histories(pd.concat([twice, twice.head(1)]), clients=pd.DataFrame(columns))
    page = histories._repr_html_()
    told = {
        row[0]: [html.unescape(cell) for cell in re.findall("<td[^>]*>(.*?)</td>", row[1])]
        for row in re.findall("<tr><th>([a-z]+)</th>(.*?)</tr>", page)
    }
    names = "client_id, joined_at, known_at, <script>alert(1)</script>, a & b"
    assert told["purchases"][:4] == ["5", "3", "2024-01-09", "2024-03-01"]
    assert told["clients"] == ["1", "1", "2023-01-01", "2023-01-01", names]
    assert "<script>" not in page
    assert "observed until 2024-03-02" in page
    assert "1 row repeats" in page


def test_the_fingerprint_does_not_see_the_order_of_rows_and_columns():
    clients = pd.DataFrame({"client_id": ["ann", "bob"], "joined_at": "2024-01-01", "x": [1, 2], "y": ["a", None]})
    expected = Histories(bills(), clients=clients).fingerprint()
    assert len(expected) == 32
    assert int(expected, 16) >= 0
    order = list(range(4))
    random.Random(5).shuffle(order)  # noqa: S311 - a fixed shuffle
    assert Histories(bills().iloc[order, ::-1], clients=clients.iloc[::-1, ::-1]).fingerprint() == expected


def test_the_fingerprint_sees_every_value():
    seen = {Histories(bills()).fingerprint(): "as given"}
    changes = {
        "client_id": "Bob", "event_time": "2024-01-09 08:30:00.000001", "amount": 12.500000000000002, "order_id": "007",
        "category": "teal", "quantity": 1.5,
    }  # fmt: skip
    for name, value in changes.items():
        frame = bills()
        frame.loc[0, name] = value
        assert seen.setdefault(Histories(frame).fingerprint(), name) == name
    for row, name in ((1, "category"), (3, "category"), (2, "order_id")):  # null for empty, empty for null
        frame = bills()
        frame.loc[row, name] = None if frame.loc[row, name] == "" else ""
        assert seen.setdefault(Histories(frame).fingerprint(), f"{name} {row}") == f"{name} {row}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"quantity": [5.0]}, {"discount": [5.0]}),
        ({"category": ["a"], "channel": ["b"]}, {"category": ["b"], "channel": ["a"]}),
        ({"category": ["a\x1fb"], "channel": ["c"]}, {"category": ["a"], "channel": ["b\x1fc"]}),
        ({"category": [None]}, {"category": ["\x00"]}),
        ({"category": ["a"]}, {"category": ["a"], "channel": ["b"]}),
        ({"order_id": ["a"]}, {"product_id": ["a"]}),
        ({"client_id": [1]}, {"client_id": [2]}),
        ({"known_at": ["2024-01-01"]}, {"known_at": ["2024-01-02"]}),
    ],
)
def test_the_fingerprint_tells_apart(one, other):
    assert Histories(dated(**one)).fingerprint() != Histories(dated(**other)).fingerprint()


def test_the_fingerprint_counts_repeated_rows():
    prints = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)
        for times_over in (1, 2, 3):
            prints.add(Histories(pd.concat([bills()] * times_over)).fingerprint())
    assert len(prints) == 3


def test_the_fingerprint_tells_tables_apart():
    frame = pd.DataFrame({"client_id": ["ann"], "event_time": "2024-01-01", "kind": ["visit"]})
    assert Histories(bills(), events=frame).fingerprint() != Histories(bills(), rewards=frame).fingerprint()


# Who stands at a cutoff ----------------------------------------------------------------------------------------------

DAY = pd.Timedelta(days=1)
TICK = pd.Timedelta(microseconds=1)
CUTOFF = pd.Timestamp("2024-06-01")


def stands(histories, **options):
    return sorted(histories.population(cutoff=CUTOFF, **options).execute()["client_id"])


def test_who_purchased_before_the_cutoff_stands():
    frame = pd.DataFrame(
        {"client_id": ["before", "at", "after"], "event_time": [CUTOFF - TICK, CUTOFF, CUTOFF + TICK], "amount": 1.0}
    )
    assert stands(Histories(frame)) == ["before"]


def test_what_was_not_known_at_the_cutoff_does_not_count():
    frame = pd.DataFrame({
        "client_id": ["told", "late", "later"], "event_time": CUTOFF - 9 * DAY, "amount": 1.0,
        "known_at": [CUTOFF - TICK, CUTOFF, CUTOFF + DAY],
    })  # fmt: skip
    assert stands(Histories(frame)) == ["told"]
    assert stands(Histories(frame), active="30d") == ["told"]


def test_active_counts_from_the_edge():
    frame = pd.DataFrame({
        "client_id": ["edge", "out", "twice", "twice"],
        "event_time": [CUTOFF - 30 * DAY, CUTOFF - 30 * DAY - TICK, CUTOFF - 90 * DAY, CUTOFF - DAY],
        "amount": [1.0, 1.0, 1.0, -1.0],
    })  # fmt: skip
    histories = Histories(frame)
    assert stands(histories, active="30d") == ["edge", "twice"]
    assert stands(histories, active="31d") == ["edge", "out", "twice"]
    assert stands(histories) == ["edge", "out", "twice"], "each client once"


def contract_holders():
    return pd.DataFrame({
        "client_id": ["runs", "ends at", "ended", "ends later", "starts at", "told late", *["renewed"] * 2, "no bill"],
        "start": [CUTOFF - 99 * DAY] * 4 + [CUTOFF] + [CUTOFF - 99 * DAY] * 2 + [CUTOFF - 9 * DAY, CUTOFF - 9 * DAY],
        "end": [pd.NaT, CUTOFF, CUTOFF - TICK, CUTOFF + DAY, pd.NaT, pd.NaT, CUTOFF - 9 * DAY, pd.NaT, pd.NaT],
        "known_at": [pd.NaT] * 5 + [CUTOFF] + [pd.NaT] * 3,
    })  # fmt: skip


def test_whose_contract_is_in_force_stands():
    contracts = contract_holders()
    buyers = pd.DataFrame(
        {"client_id": contracts["client_id"].unique()[:-1], "event_time": CUTOFF - DAY, "amount": 1.0}
    )
    buyers.loc[buyers["client_id"] == "runs", "event_time"] = CUTOFF - 31 * DAY
    histories = Histories(buyers, contracts=contracts)
    assert stands(histories, kind="contractual") == ["ends at", "ends later", "no bill", "renewed", "runs"]
    assert stands(histories, kind="contractual", active="30d") == ["ends at", "ends later", "renewed"]


def test_contracts_without_an_end_run():
    contracts = contract_holders().drop(columns="end")
    histories = Histories(bills(), contracts=contracts)
    assert stands(histories, kind="contractual") == ["ended", "ends at", "ends later", "no bill", "renewed", "runs"]


def test_the_kind_is_checked():
    with pytest.raises(ValueError, match="`kind` 'contractual' needs the table `contracts`"):
        stands(Histories(bills()), kind="contractual")
    with pytest.raises(ValueError, match="`kind` must be 'non-contractual' or 'contractual'; got 'contract'"):
        stands(Histories(bills()), kind="contract")
    with pytest.raises(ValueError, match="`cutoff` must be a date"):
        Histories(bills()).population(cutoff="soon")


def test_ids_that_are_written_otherwise_in_another_table_are_told_of():
    bills = pd.DataFrame({"client_id": [f"K{n:03}" for n in range(100)], "event_time": "2024-01-05", "amount": 5.0})
    talks = pd.DataFrame({"client_id": [f"XK{n:03}" for n in range(100)], "event_time": "2024-01-06"})

    def notes(contacts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HistoriesWarning)
            return [note for note in Histories(bills, contacts=contacts).notes if "written otherwise" in note]

    (note,) = notes(talks)
    assert note == (
        "contacts: of its 100 clients 0 are in purchases. If the ids are written otherwise there, such as 'XK000' here "
        "and 'K000' there, map `client_id` so that they are alike."
    )
    assert len(notes(talks.head(20))) == 1
    assert notes(talks.head(19)) == []
    for known, told in ((4, 1), (5, 0)):
        some = talks.assign(client_id=[f"K{n:03}" if n < known else f"XK{n:03}" for n in range(100)])
        assert len(notes(some)) == told
