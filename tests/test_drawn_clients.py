"""Clients drawn to learn from: about as many rows as allowed, the same clients always, and all of them predicted."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from loyalty.backtesting import backtest, run_backtest
from loyalty.datasets.synthetic import synthetic_tables
from loyalty.features import CATALOGUE, build_panel, feature, measure_market
from loyalty.fitting import Lesson, fit_models
from loyalty.histories import Histories
from loyalty.labels import build_durations, build_labels
from loyalty.models.outlook import LongRunTerms
from loyalty.panels import Panels, draw
from loyalty.setting import Setting

CUTOFF = pd.Timestamp("2025-06-01")
UNTIL = "2026-01-01"
#: The last of them sets a client beside all others, drawn or not.
FEW = ["days_since_last", "purchase_days_count_90d", "amount_sum_90d", "category_headroom_share_365d"]


@pytest.fixture(scope="module")
def tables():
    return dict(synthetic_tables(400, seed=3).tables)


@pytest.fixture(scope="module")
def histories(tables):
    return Histories(tables["purchases"], observed_until=UNTIL)


def setting(rows_at_most=300_000, **options):
    options = {"active": "365d", "every": "60d", "at_most": 6} | options
    return Setting.of(horizon="60d", rows_at_most=rows_at_most, **options)


def lesson(histories, *, features=FEW, **options):
    panels = Panels(histories, setting(**options), features)
    (split,) = panels.setting.splits(histories, [CUTOFF])
    return panels, Lesson.of(panels, split)


class TestDraw:
    def test_is_pinned(self):
        """Bundles of another day, and other machines, learn from the same clients."""
        numbers, texts = np.arange(20), np.array([f"client {number}" for number in range(20)], dtype=object)
        assert np.flatnonzero(draw(numbers, 0.3)).tolist() == [0, 3, 7, 10, 11, 12, 14, 15, 17]
        assert np.flatnonzero(draw(texts, 0.3)).tolist() == [7]

    @pytest.mark.parametrize("kind", ["whole numbers", "text"])
    def test_is_even_and_nested(self, kind):
        ids = np.arange(20_000) if kind == "whole numbers" else np.arange(20_000).astype(str).astype(object)
        shares = [0.0, 0.01, 0.3, 0.9, 1.0]
        drawn = [draw(ids, share) for share in shares]
        assert [mask.mean() for mask in drawn] == pytest.approx(shares, abs=0.01)
        assert drawn[0].sum() == 0
        assert drawn[-1].all()
        assert all((fewer <= more).all() for fewer, more in itertools.pairwise(drawn))

    def test_does_not_depend_on_who_else_is_there(self):
        ids = np.random.default_rng(0).permutation(1000)
        assert np.array_equal(draw(ids, 0.4)[:100], draw(ids[:100], 0.4))


class TestLesson:
    def test_learns_from_about_as_many_rows_as_allowed(self, histories):
        _, whole = lesson(histories)
        assert whole.share == 1
        rows = len(whole.X)
        for most in (rows // 2, rows // 5):
            _, drawn = lesson(histories, rows_at_most=most)
            assert drawn.share == pytest.approx(most / rows)
            assert len(drawn.X) == pytest.approx(most, rel=0.2)

    def test_one_row_too_many_draws_and_none_too_many_does_not(self, histories):
        _, whole = lesson(histories)
        rows = len(whole.X)
        assert lesson(histories, rows_at_most=rows)[1].share == 1
        assert lesson(histories, rows_at_most=rows - 1)[1].share == (rows - 1) / rows

    def test_a_limit_that_leaves_outcomes_that_are_alike(self, histories):
        said = r"are alike: .* or raise `rows_at_most` \(1\.75% of the clients were drawn\)"
        with pytest.raises(ValueError, match=said):
            lesson(histories, rows_at_most=4, at_most=1)

    def test_a_limit_that_leaves_nobody(self, histories):
        with pytest.raises(ValueError, match=r"no client is among the 0\.\d\d% drawn\. Raise `rows_at_most`"):
            lesson(histories, rows_at_most=1)

    @pytest.mark.parametrize("text", [False, True])
    def test_rows_are_those_of_all_clients(self, tables, text):
        """To the last bit, with what is said of all together; whole clients are drawn; everybody is predicted."""
        bills = tables["purchases"]
        numbers = bills.assign(client_id=bills["client_id"].str[1:].astype(int))
        known = Histories(bills if text else numbers, observed_until=UNTIL)
        _, whole = lesson(known)
        panels, drawn = lesson(known, rows_at_most=len(whole.X) // 3)
        kept = panels.drawn(drawn.share)
        chosen = whole.X.index.get_level_values("client_id").isin(kept)
        assert 0.1 < chosen.mean() < 0.6
        assert_frame_equal(drawn.X, whole.X[chosen], check_exact=True)
        assert_frame_equal(drawn.labels, whole.labels[chosen], check_exact=True)
        assert_series_equal(drawn.past_spend, whole.past_spend[chosen], check_exact=True)
        assert_frame_equal(drawn.latest, whole.latest, check_exact=True)

    def test_in_parts_the_same(self, histories, monkeypatch):
        _, whole = lesson(histories, rows_at_most=500)
        monkeypatch.setattr("loyalty.features.panel._PART_ROWS", 300)
        _, in_parts = lesson(histories, rows_at_most=500)
        assert_frame_equal(in_parts.X, whole.X, check_exact=True)

    def test_who_comes_later_changes_nobody_drawn(self, tables, histories):
        bills = tables["purchases"]
        later = bills[bills["event_time"] > CUTOFF].assign(client_id=lambda t: t["client_id"] + " later")
        more = Histories(pd.concat([bills, later]), observed_until=UNTIL)
        drawn, again = (lesson(known, rows_at_most=500)[1] for known in (histories, more))
        assert again.share == drawn.share
        assert_frame_equal(again.X, drawn.X, check_exact=True)

    def test_a_cutoff_is_tested_on_all_where_another_learned_from_some(self, histories):
        panels = Panels(histories, setting(rows_at_most=300), FEW)
        sooner, later = panels.setting.splits(histories, [CUTOFF - pd.Timedelta(days=60), CUTOFF])
        assert sooner.test in later.train
        assert len(Lesson.of(panels, later).X) < 600
        everybody = panels.setting.count(histories, sooner.test)
        assert len(Lesson.of(panels, sooner).latest) == everybody > 150

    def test_features_that_ask_models_are_drawn_too(self, histories):
        names = [*FEW, "silence_probability", "amount_expected_if_buying"]
        _, drawn = lesson(histories, features=names, rows_at_most=500)
        assert list(drawn.X) == names
        assert drawn.X["silence_probability"].notna().all()
        _, whole = lesson(histories, features=names)
        assert_frame_equal(drawn.X, whole.X.loc[drawn.X.index], check_exact=True)
        assert len(drawn.X) < 800

    def test_nothing_is_computed_of_who_is_not_drawn(self, histories, monkeypatch):
        """But at the test cutoff; and what one test cutoff learned from is not kept for the next."""
        asked = []

        def spy(*args, **options):
            asked.extend((cutoff, options["clients"] is None) for cutoff in options["cutoffs"])
            return build_panel(*args, **options)

        monkeypatch.setattr("loyalty.panels.build_panel", spy)
        panels = Panels(histories, setting(rows_at_most=500), [*FEW, "silence_probability"])
        splits = panels.setting.splits(histories, [CUTOFF - pd.Timedelta(days=45), CUTOFF])
        lessons = [Lesson.of(panels, split) for split in splits]
        assert {cutoff for cutoff, everybody in asked if everybody} == {split.test for split in splits}
        assert {cutoff for cutoff, everybody in asked if not everybody} == {*splits[0].train, *splits[1].train}
        assert {share for share, *_ in panels._snapshots} == {1.0, lessons[1].share}
        again = Lesson.of(panels, splits[1])
        assert_frame_equal(again.X, lessons[1].X, check_exact=True)

    def test_a_backtest_computes_everybody_at_its_cutoffs_alone(self, histories, monkeypatch):
        """And counts beforehand how often it tells of its work."""
        asked, measured, told = [], [], []

        def spy(*args, **options):
            asked.extend(cutoff for cutoff in options["cutoffs"] if options["clients"] is None)
            return build_panel(*args, **options)

        def measure(*args, **options):
            measured.extend(options["cutoffs"])
            return measure_market(*args, **options)

        monkeypatch.setattr("loyalty.panels.build_panel", spy)
        monkeypatch.setattr("loyalty.panels.measure_market", measure)
        cutoffs = [CUTOFF - pd.Timedelta(days=45), CUTOFF, CUTOFF + pd.Timedelta(days=60)]
        panels = Panels(histories, setting(rows_at_most=500), FEW, on_step=told.append)
        splits = panels.setting.splits(histories, cutoffs)
        foretold = panels.count_steps(splits, cutoffs[0])
        run_backtest(panels, cutoffs, draws=10)
        assert sorted(asked) == cutoffs
        assert sorted(measured) == sorted({cutoff for split in splits for cutoff in split.train})
        assert len(told) == foretold == 3 + sum(len(split.train) for split in splits)

    @pytest.mark.parametrize(("rows_at_most", "part"), [(300_000, 10_000), (300_000, 2_000), (500, 2_000)])
    def test_steps_are_counted_by_share_and_part(self, histories, monkeypatch, rows_at_most, part):
        monkeypatch.setattr("loyalty.features.panel._PART_ROWS", part)
        told = []
        panels = Panels(histories, setting(rows_at_most=rows_at_most), FEW, on_step=told.append)
        splits = panels.setting.splits(histories, [CUTOFF, CUTOFF + pd.Timedelta(days=60)])
        run_backtest(panels, [split.test for split in splits], draws=10)
        assert len(told) == panels.count_steps(splits)
        assert any("part 2 of" in said for said in told) is (part < 10_000)


class TestFitted:
    def test_tells_of_whom_it_learned(self, histories):
        panels = Panels(histories, setting(rows_at_most=700), FEW)
        (split,) = panels.setting.splits(histories, [CUTOFF])
        fitted = fit_models(panels, split)
        assert fitted.rows == len(fitted.labels) < 1000
        clients = fitted.labels.index.get_level_values("client_id").nunique()
        (note,) = (note for note in fitted.notes() if "rows_at_most" in note)
        said = (
            f"The models for 2025-06-01 learned from {clients:,} clients, {fitted.share:.1%} of all, drawn by their ids"
        )
        assert note.startswith(said)
        whole = fit_models(Panels(histories, setting(), FEW), split)
        assert not any("rows_at_most" in note for note in whole.notes())
        few = fit_models(Panels(histories, setting(rows_at_most=150), FEW), split)
        assert any("clients drawn as `rows_at_most` allows to learn from" in note for note in few.notes())

    def test_contracts_are_followed_of_those_drawn_alone(self, tables, monkeypatch):
        asked = []
        monkeypatch.setattr(
            "loyalty.panels.build_panel", lambda *args, **options: asked.append(1) or build_panel(*args, **options)
        )
        known = Histories(tables["purchases"], contracts=tables["contracts"], observed_until=UNTIL)
        panels = Panels(known, setting(rows_at_most=80, kind="contractual", active=None), FEW)
        (split,) = panels.setting.splits(known, [CUTOFF])
        drawn = Lesson.of(panels, split)
        assert drawn.share < 1
        computed = len(asked)
        outlook = drawn.fit_outlook(panels, LongRunTerms(years=1))
        assert len(asked) == computed  # the panel that was learned from serves again
        assert outlook.leaving is not None, outlook.missing
        assert np.isfinite(outlook.leaving.survival.predict_survival(drawn.latest)).all()

    def test_who_holds_a_contract_and_never_bought_counts(self, tables):
        bills = tables["purchases"].iloc[:1]
        known = Histories(bills, contracts=tables["contracts"], observed_until=UNTIL)
        contractual = setting(kind="contractual", active=None)
        assert set(contractual.ever(known).execute()["client_id"]) == set(tables["contracts"]["client_id"])
        some = dataclasses.replace(contractual, rows_at_most=contractual.count(known, CUTOFF) // 2)
        assert some.share(known, [CUTOFF]) == some.rows_at_most / contractual.count(known, CUTOFF)

    def test_a_backtest_hands_it_on(self, histories):
        options = {"cutoffs": CUTOFF, "horizon": "60d", "active": "365d", "every": "60d", "at_most": 3, "draws": 10}
        few, all_of_them = backtest(histories, rows_at_most=200, **options), backtest(histories, **options)
        assert any("rows_at_most" in note for note in few.notes)
        assert not any("rows_at_most" in note for note in all_of_them.notes)
        counts = [len(result.predictions.query("model == 'lightgbm'")) for result in (few, all_of_them)]
        assert counts[0] == counts[1] > 150


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many"])
def test_a_limit_that_is_none(wrong):
    with pytest.raises(ValueError, match="`rows_at_most` must be a whole number of at least 1; got"):
        setting(rows_at_most=wrong)


@pytest.mark.parametrize(
    ("clients", "said"),
    [
        ([1, None], r"`clients\[1\]` must be a client id, which is a whole number of 64 bits here; got None"),
        (
            [2**63],
            r"`clients\[0\]` must be a client id, which is a whole number of 64 bits here; got 9223372036854775808",
        ),
        ([1.0], r"`clients\[0\]` must be"),
        ([True], r"`clients\[0\]` must be"),
        (np.array([1.0, 2.0]), r"`clients\[0\]` must be"),
        ("12", r"`clients` must be a list of client ids, even of one alone; got '12'\."),
        (b"12", r"`clients` must be a list of client ids, even of one alone; got b'12'\."),
        (bytearray(b"12"), r"`clients` must be a list of client ids"),
        (12, r"`clients` must be a list of client ids, even of one alone; got 12\."),
        (np.array(3), r"`clients` must be a list of client ids"),
        (np.array([[1, 2]]), r"`clients\[0\]` must be"),
    ],
)
def test_ids_that_are_none(clients, said):
    numbers = Histories(pd.DataFrame({"client_id": [1, 2, 3], "event_time": "2024-01-01", "amount": 5.0}))
    with pytest.raises(ValueError, match=said):
        numbers.client_ids(clients)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Index, lambda ids: np.array(ids, dtype="uint8")])
def test_ids_of_any_kind_of_list(kind):
    numbers = Histories(pd.DataFrame({"client_id": [1, 2, 3], "event_time": "2024-01-01", "amount": 5.0}))
    ids = numbers.client_ids(kind([3, 1]))
    assert ids.dtype == np.int64
    assert ids.tolist() == [3, 1]
    mine = np.array([3, 1])
    numbers.client_ids(mine)[0] = 2
    assert mine.tolist() == [3, 1]
    assert numbers.client_ids([-(2**63), 2**63 - 1]).tolist() == [-(2**63), 2**63 - 1]


def test_contracts_that_are_asked_for_and_not_there(histories):
    with pytest.raises(ValueError, match="`kind` 'contractual' needs the table `contracts`"):
        lesson(histories, kind="contractual")


def test_clients_of_another_kind_are_refused(histories):
    with pytest.raises(ValueError, match=r"`clients\[1\]` must be a client id, which is text here; got 7"):
        build_panel(histories, cutoffs=CUTOFF, horizon="60d", clients=["C000001", 7])
    with pytest.raises(ValueError, match=r"`clients\[0\]` must be a client id, which is text here; got 7"):
        build_labels(histories, cutoffs=CUTOFF, horizon="60d", clients=[7])
    assert build_panel(histories, cutoffs=CUTOFF, horizon="60d", clients=[]).empty


def test_what_is_written_in_ibis_stays_with_its_clients(histories):
    @feature(theme="value", unit="money", en="largest line", ko="최대 금액", table="purchases")
    def line_largest_of_drawn(t):
        return t.amount.max()

    try:
        asked = {"cutoffs": CUTOFF, "horizon": "60d", "features": [line_largest_of_drawn]}
        whole = build_panel(histories, **asked)
        some = whole.index.get_level_values("client_id")[1::3]
        assert_frame_equal(build_panel(histories, clients=some, **asked), whole.iloc[1::3], check_exact=True)
    finally:
        CATALOGUE.remove("line_largest_of_drawn")


def test_labels_and_durations_of_some_are_those_of_all(tables):
    known = Histories(tables["purchases"], contracts=tables["contracts"], observed_until=UNTIL)
    cutoffs, some = ["2024-06-01", "2024-09-01"], sorted(tables["contracts"]["client_id"].unique())[::3]
    ways = [
        (build_labels, {"horizon": "60d", "active": "365d"}),
        (build_labels, {"horizon": "60d", "gap": "30d", "kind": "contractual"}),
        (build_durations, {"period": "60d", "periods": 4, "kind": "contractual"}),
        (build_durations, {"period": "30d", "periods": 3, "silence": "60d"}),
    ]
    for build, options in ways:
        whole = build(known, cutoffs=cutoffs, **options)
        chosen = whole[whole.index.get_level_values("client_id").isin(some)]
        assert 0 < len(chosen) < len(whole)
        assert_frame_equal(build(known, cutoffs=cutoffs, clients=some, **options), chosen, check_exact=True)
        assert build(known, cutoffs=cutoffs, clients=[], **options).empty
