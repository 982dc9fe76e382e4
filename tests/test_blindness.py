"""`prove_blind` finds what knows the future, and names it; on made-up histories every feature passes."""

import numpy as np
import pandas as pd
import pytest

from loyalty.datasets import synthetic_tables
from loyalty.features import CATALOGUE, IbisFormula, blindness, choose_features, feature, prove_blind
from loyalty.features import parts as engine
from loyalty.histories import Histories
from loyalty.timeline import LeakError

CUTOFFS = ["2024-06-01", "2025-03-01T11:30"]


@pytest.fixture(scope="module")
def histories() -> Histories:
    return Histories(**synthetic_tables(clients=120, seed=3).tables)


def test_every_feature_passes_on_every_table(histories):
    assert len(histories.tables) == 7
    prove_blind(histories, cutoffs=CUTOFFS, horizon="60d")
    prove_blind(histories, cutoffs=CUTOFFS[0], kind="contractual")


def test_who_looks_at_the_event_instead_of_when_it_was_known_is_found(histories, monkeypatch):
    def by_event(cls, block, cutoff):
        starts, ends = block.starts[:-1], block.starts[1:]
        return cls(block, starts, engine.kernels.first_at(block.time, starts, ends, cutoff), cutoff, whole=True)

    monkeypatch.setattr(engine.View, "of", classmethod(by_event))
    asked = choose_features(histories, ["amount_sum_30d", "T", "visits_count_90d"])
    with pytest.raises(LeakError, match=r"'amount_sum_30d': client '\w+' at 2025-03-01 11:30:00 has [\d.-]+, and"):
        prove_blind(histories, asked, cutoffs=CUTOFFS[1])


def test_who_sees_later_facts_too_early_is_found(histories, monkeypatch):
    column = type(CATALOGUE["amount_sum"].formula.value)
    monkeypatch.setattr(column, "later", property(lambda self: False))
    asked = choose_features(histories, ["complaints_count_365d", "offers_redeemed_share_365d"])
    with pytest.raises(LeakError) as caught:
        prove_blind(histories, asked, cutoffs=CUTOFFS[1])
    assert "'offers_redeemed_share_365d'" in str(caught.value)
    assert "'complaints_count_365d'" not in str(caught.value)


def test_a_feature_of_ones_own_gets_the_same_proof(histories):
    seen = []

    @feature(theme="value", unit="money", en="largest line", ko="최대 금액", table="purchases")
    def line_largest(t):
        return t.amount.max()

    @feature(theme="value", unit="money", en="largest line, and a guess", ko="최대 금액과 추측", table="purchases")
    def line_guessed(t):
        seen.append(t)
        return t.amount.max() + len(seen)  # something that is not in the known rows

    try:
        prove_blind(histories, [line_largest], cutoffs=CUTOFFS)
        with pytest.raises(LeakError, match="1 feature knows the future:\n  'line_guessed'"):
            prove_blind(histories, [line_largest, line_guessed], cutoffs=CUTOFFS)
    finally:
        CATALOGUE.remove("line_largest")
        CATALOGUE.remove("line_guessed")
    assert isinstance(line_largest.formula, IbisFormula)


def test_changes_keep_what_was_known_and_touch_all_that_was_not():
    cutoff = pd.Timestamp("2024-03-01")
    frame = pd.DataFrame({
        "client_id": [1, 1, 2],
        "event_time": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-01-01"]),
        "known_at": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-01-05"]),
        "kind": ["complaint", "complaint", "question"],
        "replied_at": pd.to_datetime(["2024-02-29", "2024-03-05", "2024-03-01"]),
        "satisfaction": [1.0, 2.0, 3.0],
    })  # fmt: skip
    rng = np.random.default_rng(0)
    deleted = blindness._deleted("contacts", frame, cutoff, rng)
    assert deleted["client_id"].tolist() == [1, 2]
    assert deleted["replied_at"].isna().tolist() == [False, True]
    altered = blindness._altered("contacts", frame, cutoff, rng)
    known = frame["known_at"] < cutoff
    same = ["client_id", "event_time", "known_at", "kind", "satisfaction"]
    pd.testing.assert_frame_equal(altered.loc[known, same], frame.loc[known, same])
    assert altered.loc[1, "kind"] == "altered"
    assert altered.loc[1, "satisfaction"] != 2.0
    assert altered["replied_at"][0] == frame["replied_at"][0]
    assert (altered["replied_at"][1:].dropna() >= cutoff).all()
    added = blindness._added("contacts", frame, cutoff, rng)
    pd.testing.assert_frame_equal(added.head(3), frame)
    assert (added["known_at"][3:] >= cutoff).all()
    assert (added["event_time"][3:] < cutoff).any()


def test_before_anybody_is_there_nothing_can_leak(histories):
    prove_blind(histories, cutoffs="1999-01-01")
