"""The engines beside DuckDB hold the same tables and give the same answers."""

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from backends import canonical, upload
from loyalty.histories import at_instant

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
