"""Expressions: what they may compute, and that nothing else gets through."""

import datetime as dt

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.histories.expressions import ExpressionError, as_sql, columns_in, nearest

COLUMNS = (
    "quantity",
    "unit_price",
    "day",
    "who",
    "note",
    "Unit Price",
    'the "best" one',
    "이름",
    "end",
    "x; drop table t",
)


@pytest.fixture(scope="module")
def con():
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        """create table t as select 3 as quantity, 2.5::double as unit_price, timestamp '2024-03-01 09:30' as day,
        'Ann' as who, ' 1.234,50 EUR' as note, 7 as "Unit Price", 8 as "the ""best"" one", 9 as "이름", 10 as "end",
        11 as "x; drop table t" """
    )
    return connection


def compute(con, expression):
    return con.execute(f"select {as_sql(expression, COLUMNS)} from t").fetchone()[0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # names, in any case and with any characters
        ("quantity", 3),
        ("QUANTITY", 3),
        ("Unit Price", 7),
        ('"Unit Price" + 1', 8),
        ('the "best" one', 8),
        ('"the ""best"" one" * 2', 16),
        ("이름", 9),
        ("end", 10),
        ("x; drop table t", 11),
        # arithmetic and comparison
        ("quantity * unit_price", 7.5),
        ("quantity + 1 - 2 * (unit_price - 1)", 1.0),
        ("quantity / 2", 1.5),
        ("quantity // 2", 1),
        ("quantity % 2", 1),
        ("-quantity", -3),
        ("quantity between 3 and 4", True),
        ("quantity not in (1, 2)", True),
        ("quantity is not null and not quantity = 4 or false", True),
        ("quantity is distinct from null", True),
        ("quantity <> 3", False),
        ("case when quantity > 2 then 'many' else 'few' end", "many"),
        ("case quantity when 3 then 'three' end", "three"),
        ("if(quantity = 3, 1, 0)", 1),
        # types
        ("cast(quantity as varchar)", "3"),
        ("unit_price::integer", 2),
        ("try_cast(who as double)", None),
        ("day::date", dt.date(2024, 3, 1)),
        # numbers
        ("abs(-2)", 2),
        ("round(unit_price + 0.04, 1)", 2.5),
        ("floor(unit_price)", 2),
        ("ceil(unit_price)", 3),
        ("least(quantity, 2)", 2),
        ("greatest(quantity, 5)", 5),
        ("coalesce(null, quantity)", 3),
        ("nullif(quantity, 3)", None),
        # text
        ("who || '-' || note", "Ann- 1.234,50 EUR"),
        ("concat('c', quantity)", "c3"),
        ("lower(who)", "ann"),
        ("upper(who)", "ANN"),
        ("trim(note)", "1.234,50 EUR"),
        ("length(who)", 3),
        ("substring(who, 2, 1)", "n"),
        ("left(who, 1)", "A"),
        ("right(who, 2)", "nn"),
        ("cast(replace(replace(left(trim(note), 8), '.', ''), ',', '.') as double)", 1234.5),
        ("contains(who, 'nn')", True),
        ("starts_with(who, 'An')", True),
        ("suffix(who, 'nn')", True),
        ("who like 'A%'", True),
        ("who ilike 'a_n'", True),
        ("regexp_matches(who, '^A')", True),
        ("regexp_extract(note, '[0-9]+')", "1"),
        ("regexp_replace(who, 'n', 'm', 'g')", "Amm"),
        ("'it''s; -- not a comment'", "it's; -- not a comment"),
        # time
        ("strptime('31/12/2024', '%d/%m/%Y')", dt.datetime(2024, 12, 31)),  # noqa: DTZ001
        ("try_strptime('soon', '%d/%m/%Y')", None),
        ("date_trunc('month', day)", dt.datetime(2024, 3, 1)),  # noqa: DTZ001
        ("day + interval 1 day", dt.datetime(2024, 3, 2, 9, 30)),  # noqa: DTZ001
        ("day - interval '2 hours'", dt.datetime(2024, 3, 1, 7, 30)),  # noqa: DTZ001
        ("day >= timestamp '2024-03-01 09:30:00'", True),
        ("day < date '2024-03-01'", False),
        ("epoch_ms(1000)", dt.datetime(1970, 1, 1, 0, 0, 1)),  # noqa: DTZ001
        ("make_timestamp(2024, quantity, 5, 6, 7, 8.5)", dt.datetime(2024, 3, 5, 6, 7, 8, 500000)),  # noqa: DTZ001
        ("make_timestamp(1000000)", dt.datetime(1970, 1, 1, 0, 0, 1)),  # noqa: DTZ001
        ("cast(to_timestamp(60) as timestamp)", dt.datetime(1970, 1, 1, 0, 1)),  # noqa: DTZ001
        ("timezone('Asia/Seoul', day)::timestamp", dt.datetime(2024, 3, 1, 0, 30)),  # noqa: DTZ001
        # a comment is dropped, and what it says with it
        ("quantity -- ; drop table t", 3),
        ("quantity /* (select 1) */ + 1", 4),
    ],
)
def test_what_is_allowed_computes_what_it_says(con, expression, value):
    computed = compute(con, expression)
    assert computed == value
    assert type(computed) is type(value) or isinstance(value, int | float)


REFUSED = {
    "a subquery": "(select 1)",
    "a subquery in a list": "quantity in (select 1)",
    "a subquery in a call": "abs((select 1))",
    "a subquery in an interval": "day + interval (select 1) day",
    "exists": "exists(select 1)",
    "a select": "select 1",
    "a bare from": "from t",
    "a union": "quantity union select 1",
    "values": "values (1)",
    "read_csv": "read_csv('secret.csv')",
    "read_csv_auto": "read_csv_auto('secret.csv')",
    "read_parquet": "read_parquet('secret.parquet')",
    "read_json": "read_json('secret.json')",
    "read_text": "read_text('/etc/passwd')",
    "read_blob": "read_blob('/etc/passwd')",
    "glob": "glob('*')",
    "sniff_csv": "sniff_csv('secret.csv')",
    "getenv": "getenv('HOME')",
    "current_setting": "current_setting('home_directory')",
    "which_secret": "which_secret('s3://b', 's3')",
    "query": "query('select 1')",
    "query_table": "query_table('t')",
    "nextval": "nextval('s')",
    "error": "error('stop')",
    "now": "now()",
    "current_date": "current_date",
    "random": "random()",
    "a pragma": "pragma database_list",
    "set": "set memory_limit = '1MB'",
    "attach": "attach 'other.duckdb'",
    "install": "install httpfs",
    "load": "load httpfs",
    "copy": "copy t to 'out.csv'",
    "drop": "drop table t",
    "create": "create table u as select 1",
    "insert": "insert into t values (1)",
    "call": "call pragma_version()",
    "explain": "explain select 1",
    "two statements": "quantity; drop table t",
    "two expressions": "quantity; unit_price",
    "a window": "sum(quantity) over ()",
    "row_number": "row_number() over (order by day)",
    "an aggregate": "max(quantity)",
    "count": "count(*)",
    "a lambda": "list_transform([1], x -> x + 1)",
    "a python lambda": "lambda x: x",
    "a star": "*",
    "columns(*)": "columns(*)",
    "a star in a call": "coalesce(*)",
    "a list": "[1, 2]",
    "a subscript": "who[1]",
    "a struct": "{'a': 1}",
    "a struct type": "cast(quantity as struct(a integer))",
    "a row": "row(quantity)",
    "an alias": "quantity as q",
    "a prefix alias": "q: quantity",
    "a parameter": "$1",
    "a placeholder": "?",
    "a position": "#1",
    "a collation": "who collate nocase",
    "another table's column": "t.quantity",
    "another schema's column": "main.t.quantity",
    "a deep path": "a.b.c.d",
    "nothing": "",
    "blanks": "  ",
    "a comment": "-- quantity",
    "semicolons": ";;",
    "half an expression": "quantity *",
    "an open bracket": "(quantity",
    "an open quote": "'quantity",
}


@pytest.mark.parametrize("expression", REFUSED.values(), ids=REFUSED)
def test_what_does_more_than_compute_is_refused(expression, capfd):
    with pytest.raises(ExpressionError) as caught:
        as_sql(expression, COLUMNS)
    assert caught.value.found
    assert caught.value.remedy.endswith((".", "?"))
    assert str(caught.value) == f"{caught.value.found}. {caught.value.remedy}"
    assert capfd.readouterr() == ("", ""), "nothing is said but the error"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("(select 1)", "'(select 1)' uses `subquery`, which is not allowed"),
        ("read_text('/etc/passwd')", "uses `read_text`, which is not allowed"),
        ("getenv('HOME')", "uses `getenv`, which is not allowed"),
        ("sum(quantity) over ()", "uses `window`, which is not allowed"),
        ("quantity; unit_price", "is not one expression"),
        ("t.quantity", "names another table"),
        ("quantity *", "'quantity *' ends too early"),
        ("replace(quantity, ", "'replace(quantity, ' ends too early"),
        ("case when quantity > 1 then\n", "ends too early"),
        ("cast(quantity as", "ends too early"),
        ("(quantity + 1", "ends too early"),
        ("quantity = = 2", "'quantity = = 2' cannot be read: something is missing at '='"),
        ("quantity * )", "'quantity * )' cannot be read: something is missing at ')'"),
        ("quantity, quantity", "cannot be read"),
        (5, "an expression must be text; got 5"),
    ],
)
def test_a_refusal_says_what_it_met(expression, said):
    with pytest.raises(ExpressionError) as caught:
        as_sql(expression, COLUMNS)
    assert said in caught.value.found
    assert "<class" not in str(caught.value)


def test_an_unknown_column_is_answered_with_the_nearest_one():
    with pytest.raises(ExpressionError) as caught:
        as_sql("quantty * unit_prise", ["quantity", "unit_price"])
    assert caught.value.found == "there is no column 'quantty' or 'unit_prise'"
    assert caught.value.remedy == "Did you mean 'quantity' and 'unit_price'?"
    with pytest.raises(ExpressionError) as caught:
        as_sql("zzz", ["quantity", "unit_price"])
    assert caught.value.remedy == "There is: quantity, unit_price."
    with pytest.raises(ExpressionError) as caught:
        as_sql("unit prce", ["quantity", "Unit Price"])
    assert caught.value.remedy == "Did you mean 'Unit Price'?"


def test_the_nearest_name_is_told_as_it_is_spelt():
    assert nearest("CUSTMER_ID", ["Customer_ID", "amount"]) == "Did you mean 'Customer_ID'?"
    assert nearest("x", ["b", "a"]) == "There is: b, a."


def test_columns_in_an_expression():
    assert set(columns_in("concat('c', Quantity) || who", COLUMNS)) == {"quantity", "who"}
    assert columns_in("Unit Price", COLUMNS) == ("Unit Price",)
    assert columns_in("(select quantity)", COLUMNS) == ()
    assert columns_in("nothing_there", COLUMNS) == ()


@pytest.mark.parametrize("shape", ["({})", "abs({})", "not {}", "- {}", "case when true then {} end", "{} + 1", "{},"])
@pytest.mark.parametrize("depth", [50, 3000])
def test_deep_nesting_computes_or_is_refused_shortly(con, shape, depth):
    head, tail = shape.split("{}")
    expression = head * depth + "quantity" + tail * depth
    try:
        said = as_sql(expression, COLUMNS)
    except ExpressionError as error:
        said = str(error)
        assert len(said) < 1000, "an error does not repeat a long expression"
    assert "quantity" in said or "…" in said


def test_what_the_database_cannot_read_is_refused():
    with pytest.raises(ExpressionError, match="cannot be read"):
        as_sql(" + ".join(["quantity"] * 3000), COLUMNS)


HOSTILE = st.lists(
    st.sampled_from([
        "select", "quantity", "(", ")", "*", ",", ";", "'", '"', "--", "/*", "*/", "from", "read_csv", "in", "case",
        "when", "then", "end", "as", "::", "->", ":=", ":", "[", "]", "{", "}", ".", "$1", "?", "||", "not", "is",
        "null", "over", "interval", "1", "'a'", "pragma", "set", "attach", "values", "\\", "\x00", "한", "😀", "@",
        "#1",
    ]),
    max_size=14,
).map(" ".join)  # fmt: skip


@settings(max_examples=150)
@given(expression=st.one_of(st.text(max_size=40), HOSTILE))
def test_whatever_is_written_is_rewritten_or_refused(expression):
    try:
        sql = as_sql(expression, COLUMNS)
    except ExpressionError:
        return
    # What came through is one expression: it fits into a select, and adds nothing to it.
    statements = duckdb.extract_statements(f"select ({sql}) from t")
    assert [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
