"""The engines beside DuckDB hold the same tables and give the same answers."""

from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from backends import canonical, upload
from loyalty.datasets import synthetic_tables
from loyalty.features import CATALOGUE, build_panel, lay_panel
from loyalty.histories import Histories, at_instant
from oracles import LEARNED
from worlds import MIDDAY, edge_cases, histories_of

INSTANTS = ["1969-12-31T23:59:59.999999", "2024-02-29T00:00:00", "2024-02-29T00:00:00.000001", None]


def sample(ids: list[object]) -> pd.DataFrame:
    """Make a table with what is easily lost: microseconds, nulls of every kind, Korean text."""
    return pd.DataFrame(
        {
            "client_id": ids,
            "event_time": pd.to_datetime(pd.Series(INSTANTS), format="ISO8601"),
            "amount": [0.1, -1e-300, np.nan, 12345678901.25],
            "treated": pd.array([True, False, None, True], dtype="boolean"),
            "text": ["가나다\n\t,\\N'\"", "", None, "ÀÉ 😀"],
        }
    )


@pytest.mark.parametrize("ids", [[-1, 2, 2**53 + 1, 2**62], ["001", "가", "a'b", ""]], ids=["numbers", "text"])
def test_tables_come_back_as_they_went(connection: Any, ids: list[object]) -> None:
    table = upload(connection, {"purchases": sample(ids)})["purchases"]
    back = canonical(connection.to_pyarrow(table))
    key = [("client_id", "ascending")]
    assert back.sort_by(key).equals(canonical(sample(ids)).sort_by(key))


EVENTS = pd.DataFrame(
    {
        "client_id": [1, 1, 1, 2, 2, 3],
        "event_time": pd.to_datetime(
            pd.Series(
                [
                    "2024-01-31T12:00:00",
                    "2024-02-28T23:59:59.999999",
                    "2024-02-28T23:59:59.999999",
                    "1999-12-31T23:59:59.999999",
                    "2024-02-29T00:00:00",
                    "2024-03-01T00:00:00",
                ]
            ),
            format="ISO8601",
        ),
        "amount": [1.0, -4.0, 3.0, np.nan, np.nan, 7.0],
        "note": ["가나다", None, "abc", "", "ㄱ!", None],
    }
)


def test_microseconds_ties_and_nulls_mean_the_same(connection: Any) -> None:
    """The forms that the compiler of features builds upon, against figures worked out by hand."""
    events = upload(connection, {"events": EVENTS})["events"]
    cutoff = at_instant(pd.Timestamp("2024-03-01"))
    known = events.filter(events.event_time < cutoff)
    known = known.mutate(
        age=known.event_time.delta(cutoff, unit="microsecond").cast("float64") / -86_400e6,
        latest=known.event_time.max().over(ibis.window(group_by="client_id")),
    )
    bought = (known.amount > 0).fill_null(False)
    answer = known.group_by("client_id").aggregate(
        youngest=known.age.min(),
        inside=known.count(where=known.age <= 1.0),
        bought=known.count(where=bought),
        paid=known.amount.sum(where=bought).fill_null(0.0),
        middle=known.amount.quantile(0.5, where=known.age < 20),
        spread=known.amount.std(how="sample"),
        last=known.amount.max(where=known.event_time == known.latest),
        per_event=known.count().cast("float64") / known.count(where=bought).cast("float64").nullif(0),
        letters=known.note.length().sum(),
        korean=known.count(where=known.note.re_search("[가-힣]").fill_null(False)),
    )
    got = connection.execute(answer).set_index("client_id").sort_index().astype("float64")
    microsecond = 1 / 86_400e6
    expected = pd.DataFrame(
        {
            "youngest": [1 + microsecond, 1.0],
            "inside": [0.0, 1.0],
            "bought": [2.0, 0.0],
            "paid": [4.0, 0.0],
            "middle": [-0.5, np.nan],
            "spread": [np.sqrt(13.0), np.nan],
            "last": [3.0, np.nan],
            "per_event": [1.5, np.nan],
            "letters": [6.0, 2.0],
            "korean": [1.0, 0.0],
        },
        index=pd.Index([1, 2], name="client_id"),
    )
    pd.testing.assert_frame_equal(got, expected, check_exact=False, rtol=1e-14, atol=0.0)


def test_time_of_day_and_gaps_mean_the_same(connection: Any) -> None:
    events = upload(connection, {"events": EVENTS})["events"]
    by_client = ibis.window(group_by="client_id", order_by=["event_time", "amount"])
    rows = events.mutate(day=events.event_time.truncate("D"), before=events.event_time.lag().over(by_client))
    rows = rows.select(
        "client_id",
        "event_time",
        "amount",
        hour=rows.event_time.hour(),
        weekday=rows.event_time.day_of_week.index(),
        day_of_year=rows.event_time.day_of_year(),
        day=rows.day.delta(at_instant(pd.Timestamp("2024-01-01")), unit="day"),
        gap=rows.event_time.delta(rows.before, unit="microsecond").cast("float64") / 86_400e6,
    )
    got = connection.execute(rows).sort_values(["client_id", "event_time", "amount"])
    times = got["event_time"]
    assert got["hour"].tolist() == times.dt.hour.tolist()
    assert got["weekday"].tolist() == times.dt.weekday.tolist()
    assert got["day_of_year"].tolist() == times.dt.dayofyear.tolist()
    assert got["day"].tolist() == (times.dt.normalize() - pd.Timestamp("2024-01-01")).dt.days.tolist()
    gaps = times.groupby(got["client_id"]).diff() / pd.Timedelta("1D")
    np.testing.assert_array_equal(got["gap"].to_numpy("float64"), gaps.to_numpy())


# Every feature, on every engine


def shop(clients: int) -> tuple[Histories, str]:
    return Histories(**synthetic_tables(clients=clients, seed=5).tables), "2025-06-01"


def retail(folder: Path) -> tuple[Histories, str]:
    """Take some clients of the real wholesaler, many of them with refunds and several lines at one instant."""
    rows = pd.read_parquet(folder / "online_retail_2.parquet")
    rows = rows[~rows["overlap"] & rows["customer_id"].notna() & (rows["unit_price"] > 0)]
    clients = np.random.default_rng(0).choice(rows["customer_id"].unique(), 120, replace=False)
    columns = {
        "client_id": "customer_id",
        "event_time": "invoice_date",
        "amount": "quantity * unit_price",
        "order_id": "invoice",
        "product_id": "stock_code",
    }
    return Histories(rows[rows["customer_id"].isin(clients)], columns={"purchases": columns}), "2011-06-01"


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.parametrize("which", ["edge cases", "made-up shop", "real shop"])
def test_every_feature_is_the_same_everywhere(connection: Any, which: str, request: pytest.FixtureRequest) -> None:
    if which == "edge cases":
        histories, cutoff = histories_of(edge_cases()), str(MIDDAY)
    elif which == "made-up shop":
        histories, cutoff = shop(100)
    else:
        histories, cutoff = retail(request.getfixturevalue("shared_data"))
    learned = {} if connection.name == "postgres" else LEARNED  # it does not call Python
    asked: dict[str, Any] = {"cutoffs": cutoff, "horizon": "45d", "gap": "3d", "active": "500d", "learned": learned}
    panel = build_panel(histories, **asked)
    tables = upload(connection, {name: table.to_pyarrow() for name, table in histories.tables.items()})
    laid = connection.execute(lay_panel(tables, **asked)).set_index("client_id").sort_index()
    assert list(laid.columns) == ["cutoff", *panel.columns]
    assert laid.index.tolist() == panel.index.get_level_values("client_id").tolist()
    assert len(laid) > 50
    assert (laid["cutoff"] == pd.Timestamp(cutoff)).all()
    here, there = panel.to_numpy(), laid[list(panel.columns)].to_numpy(dtype="float64")
    differs = ~np.isclose(there, here, rtol=1e-9, atol=1e-9, equal_nan=True)
    wrong = [
        f"{panel.columns[k]}: {laid.index[i]!r} has {here[i, k]!r} here and {there[i, k]!r} there"
        for k in np.flatnonzero(differs.any(axis=0))
        for i in [int(differs[:, k].argmax())]
    ]
    assert not wrong, "\n".join(wrong)


def test_an_engine_that_does_not_call_python_says_so(postgres: Any) -> None:
    tables = upload(postgres, {"purchases": EVENTS})
    with pytest.raises(ValueError, match="cannot be computed on postgres, which does not call Python"):
        lay_panel(
            tables,
            cutoffs="2024-02-01",
            horizon="30d",
            features=[CATALOGUE["alive_probability"]],
            learned=LEARNED,
        )


def test_a_warehouse_table_becomes_histories(postgres: Any) -> None:
    histories, cutoff = shop(30)
    tables = upload(postgres, {name: table.to_pyarrow() for name, table in histories.tables.items()})
    copied = Histories(**tables)
    asked: dict[str, Any] = {"cutoffs": cutoff, "horizon": "45d"}
    pd.testing.assert_frame_equal(build_panel(copied, **asked), build_panel(histories, **asked), check_exact=True)


def test_tables_that_cannot_be_laid_are_refused_by_name(duckdb: Any) -> None:
    tables = upload(duckdb, {"purchases": EVENTS.drop(columns="amount")})
    asked: dict[str, Any] = {"cutoffs": "2024-02-01", "horizon": "30d"}
    with pytest.raises(ValueError, match=r"purchases lacks the column 'amount'\. Rename yours"):
        lay_panel(tables, **asked)
    with pytest.raises(ValueError, match="names 'sales', which is none of purchases"):
        lay_panel({"sales": tables["purchases"]}, **asked)
    whole = upload(duckdb, {"purchases": EVENTS})
    with pytest.raises(ValueError, match="needs the table `contracts`"):
        lay_panel(whole, **asked, kind="contractual")
    with pytest.raises(ValueError, match="`kind` must be"):
        lay_panel(whole, **asked, kind="else")
    two = lay_panel(whole, cutoffs=["2000-01-01", "2024-02-29"], horizon="30d").execute()
    assert sorted(zip(two["client_id"], two["cutoff"].dt.year, strict=True)) == [(1, 2024), (2, 2000), (2, 2024)]
