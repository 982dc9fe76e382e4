"""Joins: what another source tells stands beside each row, no row comes or goes, and a guess is never made."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import Histories, HistoriesError, HistoriesWarning, Join

GOODS = pd.DataFrame({"sku": ["a7", "b1", "c2"], "department": ["garden", "toys", None], "price": [9.0, 5.0, 1.0]})


def bills(**changed):
    """Make four bills, the third of which names no product that there is."""
    columns = {
        "client_id": [1, 1, 2, 3], "event_time": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "amount": [1.0, 2.0, 3.0, 4.0], "sku": ["b1", "a7", "zz", "b1"],
    }  # fmt: skip
    return pd.DataFrame(columns | changed)


def joined(*joins, purchases=None, columns=None, where=None):
    return Histories(
        bills() if purchases is None else purchases,
        columns={"purchases": {"category": "department"} if columns is None else columns},
        where={} if where is None else {"purchases": where},
        join={"purchases": joins},
    )


def told(histories, *columns):
    return [tuple(row.values()) for row in histories.rows_of("purchases", columns).to_pylist()]


def problem(*joins, **options):
    """The one problem that is found."""
    with pytest.raises(HistoriesError) as caught:
        joined(*joins, **options)
    (found,) = caught.value.problems
    assert (found.table, found.column) == ("purchases", "join")
    return f"{found.found}. {found.remedy}"


class TestWhatStandsBesideARow:
    def test_columns_of_the_other_source(self):
        histories = joined(Join(GOODS, on="sku"))
        assert told(histories, "amount", "category") == [(1, "toys"), (2, "garden"), (3, None), (4, "toys")]
        assert histories.notes == (
            "purchases: 1 row finds no sku, such as 'zz' in the DataFrame; what it would tell of them is not known.",
        )

    def test_expressions_over_both(self):
        columns = {"amount": "amount * price", "category": "upper(department)"}
        histories = joined(Join(GOODS, on="sku"), columns=columns, where="price > 1")
        assert told(histories, "amount", "category") == [(5, "TOYS"), (18, "GARDEN"), (20, "TOYS")]
        assert histories.notes == ()  # the row that finds nothing is not taken

    def test_a_key_by_another_name_and_by_an_expression(self):
        goods = GOODS.assign(sku=["A7", "B1", "C2"]).rename(columns={"sku": "code"})
        histories = joined(Join(goods, on="upper(sku)", key="code"))
        assert told(histories, "category") == [("toys",), ("garden",), (None,), ("toys",)]

    def test_a_later_join_may_be_on_what_an_earlier_one_brought(self):
        managers = pd.DataFrame({"department": ["toys", "garden"], "manager": ["Kim", "Ann"]})
        joins = Join(GOODS, on="sku"), Join(managers, on="department")
        assert told(joined(*joins, columns={"category": "manager"}), "category") == [
            ("Kim",),
            ("Ann",),
            (None,),
            ("Kim",),
        ]

    def test_of_a_name_that_both_have_the_tables_own_stands(self):
        goods = GOODS.assign(Amount=[70.0, 80.0, 90.0])
        assert told(joined(Join(goods, on="sku")), "amount") == [(1,), (2,), (3,), (4,)]

    def test_a_row_without_a_key_finds_nothing(self):
        goods = pd.concat([GOODS, pd.DataFrame({"sku": [None, None], "department": ["lost", "found"]})])
        histories = joined(Join(goods, on="sku"), purchases=bills(sku=["b1", None, None, "b1"]))
        assert told(histories, "category") == [("toys",), (None,), (None,), ("toys",)]
        assert histories.notes == (
            "purchases: 2 rows find no sku in the DataFrame; what it would tell of them is not known.",
        )

    def test_attributes_of_clients(self):
        clients = pd.DataFrame({"client_id": [1, 2], "joined_at": "2024-01-01", "town": ["Seoul", "Ulm"]})
        towns = pd.DataFrame({"town": ["Ulm", "Seoul"], "country": ["Germany", "Korea"]})
        histories = Histories(bills(), clients=clients, join={"clients": [Join(towns, on="town")]})
        assert histories.rows_of("clients", ["client_id", "country"]).to_pylist() == [
            {"client_id": 1, "country": "Korea"},
            {"client_id": 2, "country": "Germany"},
        ]

    @pytest.mark.parametrize(
        "name", ["on", "key", "on_", "ours", "theirs", "told", "lost", "place", "loyalty_row", "a \"b'"]
    )
    def test_columns_may_have_any_name(self, name):
        goods = GOODS.assign(**{name: [1.0, 2.0, 3.0]})
        purchases = bills().assign(**{name.upper(): [5.0, 6.0, 7.0, 8.0]})
        histories = joined(Join(goods, on="sku"), columns={"quantity": f'"{name.replace(chr(34), 2 * chr(34))}"'})
        assert told(histories, "quantity") == [(2,), (1,), (None,), (2,)]
        histories = joined(Join(goods, on="sku"), purchases=purchases)
        assert told(histories, "category") == [("toys",), ("garden",), (None,), ("toys",)]

    def test_files(self, tmp_path):
        bills(sku=["07", "08", "09", "07"]).to_csv(tmp_path / "bills.csv", index=False)
        GOODS.assign(sku=["07", "08", "10"]).to_csv(tmp_path / "goods.csv", index=False)
        GOODS.assign(sku=["07", "08", "10"]).to_parquet(tmp_path / "goods.parquet")
        for goods in ("goods.csv", "goods.parquet"):
            histories = joined(Join(tmp_path / goods, on="sku"), purchases=tmp_path / "bills.csv")
            assert told(histories, "category") == [("garden",), ("toys",), (None,), ("garden",)]
            assert f"such as '09' in '{goods}'" in histories.notes[0]

    def test_other_tables_and_databases(self):
        import ibis

        table = ibis.memtable(GOODS)
        assert told(joined(Join(table, on="sku")), "category") == told(joined(Join(GOODS, on="sku")), "category")

    @given(
        keys=st.lists(st.none() | st.integers(-3, 9), min_size=1, max_size=40),
        known=st.lists(st.none() | st.integers(-3, 9), unique=True, min_size=1, max_size=9),
    )
    def test_as_pandas_merges(self, keys, known):
        found = set(keys) & set(known) - {None}
        purchases = pd.DataFrame({"client_id": range(len(keys)), "event_time": "2024-01-01", "amount": 1.0})
        purchases["sku"] = pd.array(keys, "Int64")
        goods = pd.DataFrame({"sku": pd.array(known, "Int64"), "department": [f"d{key}" for key in known]})
        if not found:
            assert problem(Join(goods, on="sku"), purchases=purchases).endswith("Check `on` and `key`.")
            return
        merged = purchases.merge(goods[goods["sku"].notna()], on="sku", how="left", validate="m:1")
        expected = [None if pd.isna(department) else department for department in merged["department"]]
        histories = joined(Join(goods, on="sku"), purchases=purchases)
        assert told(histories, "client_id", "category") == list(enumerate(expected))

    def test_real_products(self, shared_data):
        folder = shared_data / "complete_journey"
        mapping = {"client_id": "household_id", "event_time": "transaction_timestamp", "amount": "sales_value"}
        with pytest.warns(HistoriesWarning, match="5 rows repeat"):
            histories = Histories(
                folder / "transactions.parquet",
                columns={"purchases": mapping | {"category": "department"}},
                join={"purchases": [Join(folder / "products.parquet", on="product_id")]},
            )
        sales = pd.read_parquet(folder / "transactions.parquet", columns=["household_id", "product_id"])
        goods = pd.read_parquet(folder / "products.parquet", columns=["product_id", "department"])
        merged = sales.merge(goods, on="product_id", how="left", validate="m:1")
        ours = histories.rows_of("purchases", ["client_id", "category"]).to_pandas()
        counted = merged[["household_id", "department"]].value_counts()
        assert len(ours) == len(merged)
        assert ours.astype({"category": object}).value_counts().to_dict() == counted.to_dict()


class TestWhatIsRefused:
    def test_a_key_that_is_there_twice(self):
        goods = GOODS.assign(sku=["a7", "b1", "b1"])
        assert problem(Join(goods, on="sku")) == (
            "sku 'b1' is in rows 2 and 3 of the DataFrame. Leave one row to each, or join on more columns together."
        )
        goods = pd.concat([GOODS, GOODS])
        assert problem(Join(goods, on="sku")).startswith(
            "sku 'a7' is in rows 1 and 4 of the DataFrame; so are 2 others."
        )

        goods = pd.concat([GOODS, GOODS[:2]])
        assert "of the DataFrame; so is another. Leave" in problem(Join(goods, on="sku"))

    def test_the_remedy_for_such_a_key_works(self):
        prices = pd.DataFrame({"sku": ["b1", "b1", "a7"], "shop": [1, 2, 1], "department": ["x", "y", "z"]})
        both = "concat(sku, ' ', shop)"
        histories = joined(Join(prices, on=both), purchases=bills(shop=[2, 1, 1, 1]))
        assert told(histories, "category") == [("y",), ("z",), (None,), ("x",)]

    def test_keys_of_different_kinds(self):
        goods = GOODS.assign(sku=[7, 8, 9])
        assert problem(Join(goods, on="sku")) == (
            "`on` 'sku' is text, and `key` 'sku' of the DataFrame is a number. "
            'Write both alike, e.g. on = "cast(sku as varchar)", key = "cast(sku as varchar)".'
        )

    def test_the_remedy_for_such_keys_works(self):
        goods, alike = GOODS.assign(sku=[7, 8, 9]), "cast(sku as varchar)"
        histories = joined(Join(goods, on=alike, key=alike), purchases=bills(sku=["8", "7", "x", "9"]))
        assert told(histories, "category") == [("toys",), ("garden",), (None,), (None,)]

    def test_whole_and_other_numbers_compare(self):
        goods = GOODS.assign(sku=[7, 8, 9])
        histories = joined(Join(goods, on="sku"), purchases=bills(sku=[8.0, None, 7.5, 7.0]))
        assert told(histories, "category") == [("toys",), (None,), (None,), ("garden",)]

    def test_that_nothing_is_found_at_all(self):
        found = problem(Join(GOODS, on="sku"), purchases=bills(sku=["x", "y", "z", "w"]))
        assert found == "4 rows find no sku, such as 'x' in the DataFrame. Check `on` and `key`."

    @pytest.mark.parametrize(
        ("on", "key", "said"),
        [
            ("skuu", "sku", "`on`: there is no column 'skuu'. Did you mean 'sku'?"),
            ("sku", "skuu", "`key`: there is no column 'skuu'. Did you mean 'sku'?"),
            (
                "department",
                None,
                "`on`: there is no column 'department'. There is: client_id, event_time, amount, sku.",
            ),
            ("(select 1)", "sku", "`on`: '(select 1)' uses `subquery`, which is not allowed. "),
            ("sku", "read_text('/etc/passwd')", "`key`: \"read_text('/etc/passwd')\" uses `read_text`"),
        ],
    )
    def test_a_wrong_expression(self, on, key, said):
        assert problem(Join(GOODS, on=on, key=key)).startswith(said)

    def test_an_expression_that_fails(self):
        found = problem(Join(GOODS, on="cast(amount as integer)", key="cast(sku as integer)"))
        assert found.startswith("the DataFrame cannot be joined: Conversion Error: Could not convert string 'a7'")

    def test_a_file_that_is_not_there(self, tmp_path):
        found = problem(Join(tmp_path / "goods.csv", on="sku"))
        assert found.startswith(f"there is no file {str(tmp_path / 'goods.csv')!r}.")

    def test_a_row_is_told_by_its_place_in_the_table(self):
        purchases = bills(amount=["1", "2", "three", "4"])
        with pytest.raises(HistoriesError, match="1 row is text, first 'three' in row 3"):
            joined(Join(GOODS.iloc[::-1], on="sku"), purchases=purchases)

    def test_a_table_not_given(self):
        with pytest.raises(ValueError, match=r"`join` names 'purchase', .* Did you mean 'purchases'\?"):
            Histories(bills(), join={"purchase": [Join(GOODS, on="sku")]})


def test_sources_are_left_as_they_were():
    purchases, goods = bills(), GOODS.copy()
    joined(Join(goods, on="sku"), purchases=purchases)
    pd.testing.assert_frame_equal(purchases, bills())
    pd.testing.assert_frame_equal(goods, GOODS)


def test_tables_larger_than_memory_are_joined_alike():
    rows = 200_000
    purchases = pd.DataFrame({"client_id": range(rows), "event_time": "2024-01-01", "amount": 1.0})
    purchases["sku"] = [f"sku {row % 50_000}" for row in range(rows)]
    goods = pd.DataFrame({"sku": [f"sku {row}" for row in range(40_000)], "department": "toys"})
    small, large = (
        Histories(
            purchases,
            columns={"purchases": {"category": "department"}},
            join={"purchases": [Join(goods, on="sku")]},
            memory=memory,
        )
        for memory in ("32MB", "2GB")
    )
    assert small.notes == large.notes
    assert small.fingerprint() == large.fingerprint()
