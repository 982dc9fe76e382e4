"""Rows are sorted as a plain sort of their keys sorts them, whatever the ids, and repeated rows are counted."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loyalty.histories import sorting

LATEST = 2**62
IDS = {
    "close": st.integers(-5, 5),
    "far apart": st.integers(-(2**63), 2**63 - 1),
    "text": st.text(max_size=3),
}


def rows_of(ids):
    """Draw rows with few times and ties, so that many are alike; the number tells where each came from."""
    row = st.tuples(
        ids, st.integers(-2, 2), st.integers(0, 2**64 - 1) | st.integers(0, 1), st.none() | st.integers(0, 2)
    )
    return st.lists(row, max_size=80)


def key(row):
    client, time, tie, later = row
    return (client.encode() if isinstance(client, str) else client), time, tie, LATEST if later is None else later


@pytest.mark.parametrize("ids", IDS)
@given(data=st.data())
def test_rows_are_sorted_by_all_their_keys(ids, data):
    rows = data.draw(rows_of(IDS[ids]))
    check(rows, pa.string() if ids == "text" else pa.int64())


@example(rows=[(1, 40 - number % 41, 0, None) for number in range(300)])  # long enough to be merged several times
@example(rows=[(1, 0, number * 7919 % 97, number % 3) for number in range(500)])
@given(rows=rows_of(st.just(1)))
def test_one_client_with_many_rows(rows):
    check(rows * 7, pa.int64())


def check(rows, kind):
    clients, times, ties, later = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    table = pa.table({
        "client": pa.array(clients, kind), "time": pa.array(times, pa.timestamp("us")),
        "tie": pa.array(ties, pa.uint64()), "later": pa.array(later, pa.timestamp("us")),
        "number": pa.array(np.arange(len(rows))),
    })  # fmt: skip
    ordered, repeated = sorting.sort_rows(table, client="client", time="time", tie="tie", later=["later"])
    expected = sorted(range(len(rows)), key=lambda at: key(rows[at]))  # stable, as is the merge sort
    assert ordered.column_names == ["client", "time", "later", "number"]
    assert ordered.column("number").to_pylist() == expected
    assert ordered.column("client").to_pylist() == [rows[at][0] for at in expected]
    assert ordered.column("later").cast(pa.int64()).to_pylist() == [rows[at][3] for at in expected]
    keys = [key(rows[at]) for at in expected]
    assert repeated == sum(one == other for one, other in pairwise(keys))
