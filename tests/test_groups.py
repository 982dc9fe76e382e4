"""How right the models are among groups of clients: what is known of them, and each figure against a plain count."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import Histories
from loyalty.evaluation import churn_metrics
from loyalty.groups import attributes_at, group_attributes, group_clients, judge_groups

CUTOFF = pd.Timestamp("2024-06-01")


def predictions(clients: int = 400, cutoffs: int = 2, seed: int = 0) -> pd.DataFrame:
    """One model at some cutoffs; how likely clients are to leave is told without error."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(cutoffs):
        risk = rng.uniform(0.1, 0.9, clients)
        left = rng.uniform(size=clients) < risk
        spend = np.where(left, 0.0, rng.gamma(2.0, 20.0, clients))
        frames.append(
            pd.DataFrame(
                {
                    "client_id": np.arange(clients),
                    "cutoff": CUTOFF + pd.Timedelta(days=90 * number),
                    "churn_probability": risk,
                    "expected_value": 40.0 * (1 - risk),
                    "value_lower": 0.0,
                    "value_upper": 100.0,
                    "churned": left.astype(float),
                    "value": spend,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def told(table: pd.DataFrame, group: str, metric: str) -> pd.Series:
    (row,) = table[(table["group"] == group) & (table["metric"] == metric)].index
    return table.loc[row, ["value", "lower", "upper"]].astype(float)


class TestAttributes:
    def lived(self, **more: object) -> Histories:
        bought = pd.DataFrame({"client_id": [1, 2], "event_time": ["2024-01-01", "2024-01-02"], "amount": 5.0})
        clients = pd.DataFrame({"client_id": [1, 1, 2], "joined_at": "2024-01-01", **more})
        return Histories(bought, clients=clients)

    def test_the_last_to_become_known_before_the_cutoff_stands(self) -> None:
        histories = self.lived(town=["Ulm", "Bonn", "Kiel"], known_at=["2024-01-01", "2024-06-01", "2024-03-01"])
        at = attributes_at(histories, ["town"], cutoff=CUTOFF)
        assert at["town"].to_dict() == {1: "Ulm", 2: "Kiel"}
        later = attributes_at(histories, ["town"], cutoff=CUTOFF + pd.Timedelta(microseconds=1))
        assert later["town"].to_dict() == {1: "Bonn", 2: "Kiel"}

    def test_a_column_that_is_not_there_is_named_with_those_that_are(self) -> None:
        histories = self.lived(town=["Ulm", "Bonn", "Kiel"])
        with pytest.raises(ValueError, match=r"\[card\] attributes: 'twon' is no column .* joined_at, known_at, town"):
            attributes_at(histories, ["twon"], cutoff=CUTOFF)

    def test_the_name_of_another_grouping_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"\[card\] attributes: 'history' is the name of another grouping"):
            attributes_at(self.lived(history=["a", "b", "c"]), ["history"], cutoff=CUTOFF)


class TestGroups:
    def test_edges_of_purchase_days_and_thirds(self) -> None:
        index = pd.MultiIndex.from_arrays([np.arange(12), [CUTOFF] * 12], names=["client_id", "cutoff"])
        panel = pd.DataFrame({"frequency": [0.0, 1, 2, 3, 4, 5, np.nan, 0, 0, 0, 0, 9]}, index=index)
        predicted = pd.DataFrame({"expected_value": np.arange(12.0)}, index=index)
        groups = group_clients(panel, predicted, little=panel["frequency"] < 1)
        assert groups["purchase_days"].tolist()[:7] == [
            "1",
            "2 to 4",
            "2 to 4",
            "2 to 4",
            "5 or more",
            "5 or more",
            "1",
        ]
        assert groups["predicted_value"].tolist() == ["lowest third"] * 4 + ["middle third"] * 4 + ["highest third"] * 4
        assert groups["history"].tolist()[:2] == ["little", "enough"]

    def levels(self, values: object) -> list[str]:
        return group_attributes(pd.DataFrame({"own": values}))["own"].tolist()

    def test_rare_levels_are_one_group_and_a_missing_one_is_its_own(self) -> None:
        levels = ["a", "a", "b", "b", "c", "d", "e", "f", "g", "h", "i", None]
        assert self.levels(levels) == [*levels[:10], "other", "not known"]

    def test_numbers_go_by_quarters_whose_edges_are_in_the_lower_one(self) -> None:
        told = self.levels([*range(1, 14), np.nan, np.inf])
        assert told == ["1 to 4"] * 4 + ["4 to 7"] * 3 + ["7 to 10"] * 3 + ["10 to 13"] * 3 + ["not known"] * 2

    def test_long_numbers_are_told_apart(self) -> None:
        assert len(set(self.levels([20_240_101.0 + day for day in range(30)]))) == 4

    def test_few_numbers_and_flags_are_levels(self) -> None:
        assert self.levels([1, 2, 2]) == ["1", "2", "2"]
        assert self.levels([True, False, True]) == ["True", "False", "True"]


class TestJudged:
    def test_a_group_has_the_figures_of_its_rows(self) -> None:
        rows = predictions(cutoffs=1)
        half = np.where(rows["client_id"] < 150, "first", "rest")
        table = judge_groups(rows, pd.DataFrame({"way": half}), draws=20)
        own = rows[half == "first"]
        expected = churn_metrics(own["churned"], own["churn_probability"])
        for name in ("auc", "log_loss", "mean_error", "churn_rate"):
            assert told(table, "first", name)["value"] == pytest.approx(expected[name])
        assert told(table, "rest", "clients")["value"] == 250

    def test_of_whom_a_campaign_would_reach(self) -> None:
        rows = predictions(clients=100, cutoffs=1)
        group = np.where(rows["client_id"] % 2, "odd", "even")
        table = judge_groups(rows, pd.DataFrame({"way": group}), draws=50)
        riskiest = set(rows.sort_values("churn_probability", ascending=False)["client_id"].iloc[:20])
        odd = rows[rows["client_id"] % 2 == 1]
        reached = odd["client_id"].isin(riskiest)
        left = odd["churned"] == 1
        assert told(table, "odd", "contacted")["value"] == pytest.approx(reached.mean())
        assert told(table, "odd", "leavers_contacted")["value"] == pytest.approx(reached[left].mean())
        assert told(table, "odd", "contacted_left")["value"] == pytest.approx(left[reached].mean())

    def test_a_group_told_too_high_shows_and_the_others_do_not(self) -> None:
        rows = predictions(clients=2000)
        wrong = rows["client_id"] < 600
        rows["churn_probability"] = np.where(wrong, rows["churn_probability"] * 0.5 + 0.5, rows["churn_probability"])
        table = judge_groups(rows, pd.DataFrame({"way": np.where(wrong, "wrong", "right")}), draws=100)
        assert told(table, "wrong", "mean_error")["lower"] > 0.1
        right = told(table, "right", "mean_error")
        assert right["lower"] < 0 < right["upper"]

    @pytest.mark.parametrize(
        ("clients", "left", "shown"), [(49, 20, False), (50, 20, True), (50, 4, False), (50, 5, True)]
    )
    def test_of_small_groups_only_the_size_is_told(self, clients: int, left: int, shown: bool) -> None:
        rows = predictions(clients=200, cutoffs=1)
        small = rows["client_id"] < clients
        rows.loc[small, "churned"] = (rows["client_id"][small] < left).astype(float)
        table = judge_groups(rows, pd.DataFrame({"way": np.where(small, "small", "rest")}), draws=5)
        assert ("auc" in set(table[table["group"] == "small"]["metric"])) is shown

    def test_rows_without_an_outcome_count_for_nothing(self) -> None:
        rows = predictions(cutoffs=1)
        more = pd.concat([rows, rows.assign(churned=np.nan, value=np.nan)], ignore_index=True)
        ways = pd.DataFrame({"way": np.where(more["client_id"] < 200, "first", "rest")})
        first = judge_groups(rows, ways.iloc[: len(rows)], draws=10)
        pd.testing.assert_frame_equal(judge_groups(more, ways, draws=10), first)

    def test_a_few_clients_at_many_cutoffs_are_few(self) -> None:
        rows = predictions(clients=200, cutoffs=4)
        ways = pd.DataFrame({"way": np.where(rows["client_id"] < 20, "few", "rest")})
        table = judge_groups(rows, ways, draws=5)
        assert set(table[table["group"] == "few"]["metric"]) == {"clients"}

    @pytest.mark.parametrize("names", [["19-24", "25-34", "5-9"], ["① 등급", "² x", "-1 to 2"], ["2 to 4", "10 to 12"]])
    def test_any_name_of_a_group_can_be_put_in_order(self, names: list[str]) -> None:
        rows = predictions(clients=60, cutoffs=1)
        ways = pd.DataFrame({"way": [names[client % len(names)] for client in rows["client_id"]]})
        table = judge_groups(rows, ways, draws=5)
        assert set(table["group"]) == set(names)
        if names[0] == "2 to 4":
            assert table["group"].drop_duplicates().tolist() == names

    def test_other_rows_are_refused(self) -> None:
        rows = predictions(cutoffs=1)
        with pytest.raises(ValueError, match="`groups` must have the rows of `predictions`"):
            judge_groups(rows, pd.DataFrame({"way": "x"}, index=rows.index[::-1]))

    @settings(max_examples=15, deadline=None)
    @given(st.randoms(use_true_random=False))
    def test_the_order_of_rows_does_not_matter(self, random: object) -> None:
        rows = predictions(clients=120)
        order = list(range(len(rows)))
        random.shuffle(order)  # type: ignore[attr-defined]
        ways = pd.DataFrame({"way": np.where(rows["client_id"] < 60, "first", "rest")})
        mixed = judge_groups(rows.iloc[order].reset_index(drop=True), ways.iloc[order].reset_index(drop=True), draws=10)
        pd.testing.assert_frame_equal(mixed, judge_groups(rows, ways, draws=10))
