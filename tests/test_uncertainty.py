"""Uncertainty: intervals of clients and of totals, learned from what copies of the models had not seen."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from loyalty.models import uncertainty
from loyalty.models.churn import ChurnModel
from loyalty.models.holding_out import further_back, hold_out
from loyalty.models.intervals import SpendIntervals
from loyalty.models.portfolio import PortfolioErrors
from loyalty.models.uncertainty import Uncertainty, too_little_history, value_at_risk
from loyalty.models.value import FORECAST, ValueModel

DAYS = pd.to_datetime(["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"])
REACH = "91d"


def make_panel(clients=300, seed=0):
    """Clients who leave the sooner the longer they were silent, and else spend what they spent."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(clients), DAYS], names=["client_id", "cutoff"])
    silent, spend = rng.integers(1, 200, len(index)).astype(float), rng.gamma(2.0, 50.0, len(index))
    left = rng.random(len(index)) < silent / 250
    X = pd.DataFrame({"days_since_last": silent, "amount_sum_365d": spend}, index=index)
    value = np.where(left, 0.0, spend * rng.gamma(4.0, 0.25, len(index)))
    return X, pd.DataFrame({"churned": left.astype(int), "value": value}, index=index)


def fit(X, labels, *, shared=True):
    small = {"n_estimators": 20, "embargo": REACH}
    churn = ChurnModel(**small).fit(X, labels["churned"])
    value = ValueModel(**small).fit(X, labels["value"], purchase=churn if shared else None)
    return churn, value


def learn(X, labels, churn, value):
    return Uncertainty.learn(X, labels, churn=churn, value=value, past_spend=X["amount_sum_365d"], reach=REACH)


@pytest.fixture(scope="module")
def shop():
    X, labels = make_panel()
    churn, value = fit(X, labels)
    return X, labels, churn, value, learn(X, labels, churn, value)


class TestLearn:
    def test_intervals_are_those_of_the_panel_moved_by_what_copies_foretold(self, shop):
        """By hand: each cutoff but the first is told by models fitted on all before it."""
        X, labels, _, value, unsure = shop
        cutoffs, parts = X.index.get_level_values("cutoff"), []
        for day in DAYS[1:]:
            earlier, now = cutoffs <= day - pd.Timedelta(days=91), cutoffs == day
            parts.append(fit(X[earlier], labels[earlier])[1].forecast(X[now]))
        forecast = pd.concat(parts).reindex(X.index)
        alone = SpendIntervals(embargo=REACH).fit(X, labels["value"], forecast=forecast)
        told = unsure.predict(X, value.forecast(X))
        assert list(told) == ["value_lower", "value_upper"]
        assert told.index.equals(X.index)
        assert told.to_numpy().tolist() == alone.predict(X, forecast=value.forecast(X)).tolist()

    @pytest.mark.parametrize("shared", [True, False], ids=["one churn model", "its own"])
    def test_totals_are_off_by_what_models_of_earlier_cutoffs_were_off(self, shared):
        """By hand: each cutoff but the first is predicted by models fitted on all before it."""
        X, labels = make_panel(150, seed=1)
        churn, value = fit(X, labels, shared=shared)
        cutoffs, parts = X.index.get_level_values("cutoff"), []
        for day in DAYS[1:]:
            earlier, now = cutoffs <= day - pd.Timedelta(days=91), cutoffs == day
            leaving, spending = fit(X[earlier], labels[earlier], shared=shared)
            risk = leaving.predict_proba(X[now])[:, 1]
            spend = X.loc[now, "amount_sum_365d"]
            parts.append(
                labels[now].assign(
                    expected=spending.predict(X[now]), at_risk=risk * spend, lost=labels.loc[now, "churned"] * spend
                )
            )
        rows = pd.concat(parts)
        days = rows.index.get_level_values("cutoff")
        wanted = {
            "expected_value": PortfolioErrors.learn(rows["value"], rows["expected"], cutoff=days, reach=REACH),
            "value_at_risk": PortfolioErrors.learn(rows["lost"], rows["at_risk"], cutoff=days, reach=REACH),
        }
        found = learn(X, labels, churn, value).totals
        assert set(found) == set(wanted)
        for name, errors in wanted.items():
            assert found[name].to_dict() == pytest.approx(errors.to_dict(), rel=1e-9), name
            assert found[name].cutoffs == 3.0

    def test_totals_are_looked_at_further_back_than_the_intervals(self):
        """Of seven quarters the last three are held out for all, and the one before them for the totals."""
        rng = np.random.default_rng(0)
        days = pd.date_range("2022-10-01", periods=7, freq="92D")
        index = pd.MultiIndex.from_product([range(200), days], names=["client_id", "cutoff"])
        X = pd.DataFrame({"amount_sum_365d": rng.gamma(2.0, 50.0, len(index))}, index=index)
        spend = X["amount_sum_365d"] * rng.binomial(1, 0.5, len(index)) * (1 + 0.1 * (np.arange(len(index)) % 7))
        labels = pd.DataFrame({"churned": (spend == 0).astype(int), "value": spend}, index=index)
        churn, value = fit(X, labels)
        unsure = learn(X, labels, churn, value)
        at, parts = index.get_level_values("cutoff"), []
        for day in days[3:]:
            earlier, now = at < day, at == day
            parts.append(fit(X[earlier], labels[earlier])[1].forecast(X[now]).join(labels))
        told = pd.concat(parts)
        wanted = PortfolioErrors.learn(
            told["value"], told["expected_value"], cutoff=told.index.get_level_values("cutoff"), reach=REACH
        )
        assert unsure.totals["expected_value"].to_dict() == pytest.approx(wanted.to_dict())
        assert wanted.cutoffs == 4
        alone = SpendIntervals(embargo=REACH).fit(X, labels["value"], forecast=told[list(FORECAST)].reindex(X.index))
        assert_frame_equal(
            unsure.predict(X, value.forecast(X)),
            pd.DataFrame(
                alone.predict(X, forecast=value.forecast(X)), columns=["value_lower", "value_upper"], index=X.index
            ),
        )

    def test_a_cutoff_further_back_of_which_nothing_was_expected_is_left_out(self):
        days = pd.date_range("2021-01-01", periods=8, freq="92D")
        index = pd.MultiIndex.from_product([range(200), days], names=["client_id", "cutoff"])
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"amount_sum_365d": rng.gamma(2.0, 50.0, len(index))}, index=index)
        billed = np.asarray(index.get_level_values("cutoff") >= days[3])  # nobody knew of any spend before the fourth
        labels = pd.DataFrame(
            {"churned": rng.integers(0, 2, len(index)), "value": np.where(billed, 50.0, 0.0)}, index=index
        )
        churn, value = fit(X, labels, shared=False)
        found = learn(X, labels, churn, value).totals
        assert {name: errors.cutoffs for name, errors in found.items()} == {"expected_value": 4.0, "value_at_risk": 5.0}

    @pytest.mark.parametrize(("months", "further"), [(3, 0), (8, 0), (9, 1), (16, 4), (17, 5), (40, 5)])
    def test_no_more_than_eight_cutoffs_are_looked_at_for_totals(self, months, further):
        """Outcomes take two months: the first of them needs three cutoffs two months before it."""
        days = pd.date_range("2020-01-01", periods=months, freq="30D")
        panel = pd.DataFrame(index=pd.MultiIndex.from_product([["ann"], days], names=["client_id", "cutoff"]))
        pairs = further_back(hold_out(panel, embargo="60d"), pd.Timedelta(days=60))
        held = [int(rows[0]) for _, rows in pairs]
        assert held == [months - 3 - 2 * back for back in range(further, 0, -1)]
        assert all(seen.max() == rows[0] - 2 for seen, rows in pairs)

    def test_clients_are_dealt_by_the_seed(self, monkeypatch):
        X, labels = make_panel(40)
        last = X.index.get_level_values("cutoff") == DAYS[0]
        churn, value = fit(X[last], labels[last])
        dealt = []

        def spy(*given, **named):
            dealt.append(hold_out(*given, **named))
            return dealt[-1]

        monkeypatch.setattr(uncertainty, "hold_out", spy)
        past = X.loc[last, "amount_sum_365d"]
        for seed in (0, 1):
            Uncertainty.learn(
                X[last], labels[last], churn=churn, value=value, past_spend=past, reach=REACH, random_state=seed
            )
        wanted = [hold_out(X[last], embargo=REACH, random_state=seed) for seed in (0, 1)]
        assert [one.pairs[0][1].tolist() for one in dealt] == [one.pairs[0][1].tolist() for one in wanted]
        assert wanted[0].pairs[0][1].tolist() != wanted[1].pairs[0][1].tolist()

    def test_nothing_of_the_models_is_changed(self, shop):
        X, _, churn, value, _ = shop
        again = fit(*make_panel())
        assert churn.predict_proba(X).tolist() == again[0].predict_proba(X).tolist()
        assert value.predict(X).tolist() == again[1].predict(X).tolist()

    def test_does_not_depend_on_the_order_of_threads(self, shop, monkeypatch):
        X, labels, churn, value, unsure = shop
        # As for the largest tables: one after the other.
        monkeypatch.setattr(uncertainty, "side_by_side", lambda work, rows: [piece() for piece in work])
        alone = learn(X, labels, churn, value)
        told = value.forecast(X)
        assert alone.totals == unsure.totals
        assert_frame_equal(alone.predict(X, told), unsure.predict(X, told), check_exact=True)

    def test_outcomes_all_alike_before_the_last_cutoff(self):
        """Nobody had left by then: copies learn nothing, and say nothing of totals."""
        X, labels = make_panel(60)
        labels.loc[labels.index.get_level_values("cutoff") < DAYS[-1], "churned"] = 0
        unsure = learn(X, labels, *fit(X, labels))
        assert unsure.totals == {}
        assert any(note.startswith("Totals of spend have no interval") for note in unsure.notes())

    def test_no_interval_of_what_nobody_lost(self, shop):
        """Without past spend nothing is at risk, and the spend to come has its interval all the same."""
        X, labels, churn, value, _ = shop
        unsure = Uncertainty.learn(X, labels, churn=churn, value=value, past_spend=np.zeros(len(X)), reach=REACH)
        assert set(unsure.totals) == {"expected_value"}
        assert unsure.notes() == []


class TestFolder:
    def test_comes_back_the_same(self, shop, tmp_path):
        X, *_, value, unsure = shop
        unsure.save(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["intervals.json", "intervals.txt", "totals.json"]
        back = Uncertainty.load(tmp_path)
        assert back.totals == unsure.totals
        told = value.forecast(X)
        assert_frame_equal(back.predict(X, told), unsure.predict(X, told), check_exact=True)
        (tmp_path / "again").mkdir()
        back.save(tmp_path / "again")
        for name in ("intervals.json", "intervals.txt", "totals.json"):
            assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()

    def test_totals_are_four_numbers(self, shop, tmp_path):
        shop[-1].save(tmp_path)
        kept = json.loads((tmp_path / "totals.json").read_text(encoding="utf-8"))
        assert {name: set(numbers) for name, numbers in kept.items()} == {
            name: {"common", "own", "dispersion", "cutoffs"} for name in ("expected_value", "value_at_risk")
        }
        assert all(math.isfinite(number) for numbers in kept.values() for number in numbers.values())


class TestTooLittleHistory:
    def test_the_second_purchase_day_is_the_border(self):
        panel = pd.DataFrame({"frequency": [np.nan, -1.0, 0.0, 1.0, 2.0], "days_since_first_record": 1.0})
        assert too_little_history(panel, kind="non-contractual", reach="90d").tolist() == [True] * 3 + [False] * 2

    def test_contracts_are_measured_by_time(self):
        panel = pd.DataFrame({"frequency": 0.0, "days_since_first_record": [np.nan, 0.0, 96.99, 97.0, 98.0]})
        assert too_little_history(panel, kind="contractual", reach="97d").tolist() == [True] * 3 + [False] * 2


def test_what_is_not_known_is_not_at_risk_but_unknown():
    assert np.isnan(value_at_risk([0.5], [np.nan])).all()
