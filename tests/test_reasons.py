"""Reasons: of the client's own side, one for a topic, told by what fits, and the same alone and in a batch."""

import dataclasses
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from loyalty.explanation import explain_client, reason_codes, shap_values
from loyalty.explanation.choosing import choose
from loyalty.features import CATALOGUE
from loyalty.models.churn import ChurnModel
from loyalty.wording import Writing

SPEND = ["amount_sum_90d", "amount_sum_180d", "amount_decayed_365d"]
NAMES = ["days_since_last", *SPEND, "gap_days_mean", "refund_share_365d", "season_sin", "season_cos"]
ENDINGS = ("", "_value", "_usual", "_typical", "_shap", "_text")


@pytest.fixture(scope="module")
def fitted():
    """A calibrated model on features of the catalogue, with missing values, and its rows."""
    rng = np.random.default_rng(0)
    cutoffs = pd.to_datetime(["2024-01-01", "2024-03-01", "2024-05-01"])
    index = pd.MultiIndex.from_product([cutoffs, [f"client-{i}" for i in range(150)]], names=["cutoff", "client_id"])
    year = 2 * np.pi * index.get_level_values("cutoff").dayofyear.to_numpy() / 365
    X = pd.DataFrame({name: rng.gamma(2.0, 30.0, len(index)) for name in NAMES}, index=index.swaplevel())
    X["refund_share_365d"] = rng.random(len(index)).round(2)
    X = X.mask(rng.random(X.shape) < 0.1).assign(season_sin=np.sin(year), season_cos=np.cos(year))
    drive = X["days_since_last"].fillna(60) - 0.5 * X["amount_sum_90d"].fillna(60) + 20 * X["season_sin"]
    left = (drive + rng.normal(0, 20, len(index)) > 30).astype(int)
    return ChurnModel(n_estimators=60, embargo="60d").fit(X, left), X


def says_the_same(value, typical, name):
    """Whether two numbers are written the same, or lie within three hundredths of each other."""
    unit = CATALOGUE[name].unit
    written = {Writing("en").value(number, unit) for number in (value, typical)}
    return bool(len(written) == 1 or abs(value - typical) <= 0.03 * max(abs(value), abs(typical)))


def told_by(parts, clients, *, typical=None, top=1):
    """Reasons of clients whose parts and typical values are given, by name of the feature."""
    rng = np.random.default_rng(0)
    names = list(clients)
    X = pd.DataFrame({name: rng.random(60) for name in names})
    model = ChurnModel(n_estimators=2).fit(X, X[names[0]] > 0.5)
    model.typical_ = np.array([5.0] * len(names) if typical is None else typical, dtype=float)
    shares = np.column_stack([np.asarray(parts, dtype=float), np.zeros(len(parts))])
    model.contributions = lambda rows: shares[: len(rows)]
    return reason_codes(model, pd.DataFrame(clients, dtype=float), top=top)


class TestReasonCodes:
    def test_columns_and_index(self, fitted):
        model, X = fitted
        reasons = reason_codes(model, X, top=2)
        assert list(reasons) == [f"reason_{rank}{ending}" for rank in (1, 2) for ending in ENDINGS]
        assert reasons.index.equals(X.index)

    def test_one_reason_a_topic_with_its_parts_added_the_season_left_out(self, fitted):
        """The whole table again, client by client, from the definition."""
        model, X = fitted
        reasons = reason_codes(model, X, top=3)
        shap = pd.DataFrame(shap_values(model, X).values, index=X.index, columns=NAMES)
        typical = dict(zip(NAMES, model.typical_, strict=True))
        spoken_for, left_out = 0, 0
        for place in range(0, len(X), 7):
            part, told = shap.iloc[place], reasons.iloc[place]
            topics = {name: part[name] for name in NAMES if name not in SPEND and "season" not in name}
            topics["spend"] = part[SPEND].sum()
            side = np.sign(sum(topics.values()))
            like = {name for name in NAMES[:-2] if says_the_same(X.iloc[place][name], typical[name], name)}
            pulling = {topic: [topic] for topic in topics} | {
                "spend": [name for name in SPEND if part[name] * topics["spend"] > 0]
            }
            wanted = [topic for topic in topics if side * topics[topic] > 0 and not set(pulling[topic]) <= like]
            wanted = sorted(wanted, key=lambda topic: -side * topics[topic])[:3]
            left_out += sum(side * topics[topic] > 0 for topic in topics) > len(wanted) < 3
            for rank, topic in enumerate(wanted, 1):
                feature = told[f"reason_{rank}"]
                assert feature == topic if topic != "spend" else feature in SPEND
                assert told[f"reason_{rank}_shap"] == pytest.approx(topics[topic], rel=1e-9)
                assert told[f"reason_{rank}_value"] == pytest.approx(X.iloc[place][feature], nan_ok=True, abs=0)
                assert told[f"reason_{rank}_typical"] == typical[feature]
                words = "higher" if topics[topic] > 0 else "lower"
                assert told[f"reason_{rank}_text"].endswith(f". Goes with a {words} risk.")
                plain = [name for name in pulling["spend"] if name in set(SPEND[:2]) - like] if topic == "spend" else []
                if plain:  # the strongest of the plain ones that pull that way
                    spoken_for += 1
                    assert feature == max(plain, key=lambda name: abs(part[name]))
            assert told.notna().filter(regex=r"^reason_\d$").sum() == len(wanted)
        assert spoken_for > 10
        assert left_out > 0

    def test_speak_for_the_side_of_the_client(self, fitted):
        model, X = fitted
        reasons = reason_codes(model, X)
        shap = pd.DataFrame(shap_values(model, X).values, index=X.index, columns=NAMES)
        own = shap.drop(columns=["season_sin", "season_cos"]).sum(axis=1)
        told = reasons[[f"reason_{rank}_shap" for rank in (1, 2, 3)]].mul(np.sign(own), axis=0)
        assert {True, False} == set(own > 0)
        assert (told.isna() | (told > 0)).all(axis=None)
        assert (told["reason_1_shap"].dropna() >= told["reason_2_shap"].reindex(told.index).fillna(0)).all()

    def test_fewer_reasons_when_no_more_point_that_way(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
        model = ChurnModel(n_estimators=30).fit(X, X["days_since_last"] - 10 * X["frequency"] > 60)
        high = reason_codes(model, pd.DataFrame({"days_since_last": [199], "frequency": [8]}), top=3)
        assert high["reason_1"].item() == "days_since_last"
        assert high["reason_1_shap"].item() > 0
        for rank in (2, 3):  # the other one lowers the risk, and there is no third: the columns are there and empty
            assert high[[f"reason_{rank}{ending}" for ending in ENDINGS]].isna().all(axis=None)
            assert high[f"reason_{rank}"].dtype == high["reason_1"].dtype
            assert high[f"reason_{rank}_value"].dtype == float

    def test_season_alone_gives_no_reason(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"season_sin": rng.random(100), "season_cos": rng.random(100)})
        reasons = reason_codes(ChurnModel(n_estimators=5).fit(X, X["season_sin"] > 0.5), X, top=2)
        assert reasons.isna().all(axis=None)
        assert reasons.shape == (100, 12)

    def test_a_client_alone_gets_what_it_gets_in_a_batch(self, fitted):
        model, X = fitted
        together = reason_codes(model, X)
        for place in (0, 17, len(X) - 1):
            pd.testing.assert_frame_equal(
                reason_codes(model, X.iloc[[place]]), together.iloc[[place]], check_exact=True
            )
        backwards = reason_codes(model, X.iloc[::-1])
        pd.testing.assert_frame_equal(backwards.iloc[::-1], together, check_exact=True)

    def test_of_equal_parts_the_first_column_comes_first(self):
        told = told_by([[0.5, 0.5, 0.5]], {"weekend_share": [9], "points_balance": [9], "amount_sum": [9]}, top=3)
        assert told[[f"reason_{rank}" for rank in (1, 2, 3)]].iloc[0].tolist() == [
            "weekend_share", "points_balance", "amount_sum",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("option", "message"),
        [({"top": 0}, "`top` must be at least 1; got 0"), ({"language": "fr"}, "must be 'en' or 'ko'; got 'fr'")],
    )
    def test_bad_options_are_refused(self, fitted, option, message):
        model, X = fitted
        with pytest.raises(ValueError, match=message):
            reason_codes(model, X, **option)
        with pytest.raises(ValueError, match=message):
            explain_client(model, X.iloc[[0]], **option)

    def test_an_array_has_no_names_to_give(self):
        X = np.random.default_rng(0).random((100, 2))
        with pytest.raises(ValueError, match="Fit it on a DataFrame"):
            reason_codes(ChurnModel(n_estimators=2).fit(X, X[:, 0] > 0.5), pd.DataFrame(X))


class TestWhoSpeaks:
    def test_the_strongest_of_what_is_unusual(self):
        told = told_by(
            [[0.1, 0.9, 0.2]] * 4,
            {
                "amount_sum_90d": [7, 5, 5, 6],
                "amount_sum_365d": [5, 5, 5, 7],
                "amount_sum_30d": [np.nan, np.nan, 3, 3],
            },
            typical=[5, 5, np.nan],
        )
        # Unusual in 90 days; in nothing, so what is compared with nothing; in 30 days; in everything, so the strongest.
        assert told["reason_1"].tolist() == ["amount_sum_90d", "amount_sum_30d", "amount_sum_30d", "amount_sum_365d"]

    def test_it_pulls_the_way_the_topic_does(self):
        told = told_by([[-0.4, 0.5, 0.1], [-0.4, 0.3, -0.1]], {
            "amount_sum_90d": [7, 7], "amount_sum_365d": [7, 7], "amount_sum_30d": [7, 7],
        })  # fmt: skip
        assert told["reason_1"].tolist() == ["amount_sum_365d", "amount_sum_90d"]
        assert told["reason_1_shap"].tolist() == pytest.approx([0.2, -0.2])

    def test_an_opinion_hands_over_to_the_fact_it_rests_on(self):
        # Silent for longer than usual (5) and at a higher risk; silent for less than that and at a lower one.
        told = told_by([[3.0, 0.01], [-3.0, -0.01]], {"silence_probability": [9, 1], "days_since_last": [90, 2]})
        assert told["reason_1"].tolist() == ["days_since_last"] * 2
        assert told["reason_1_shap"].tolist() == pytest.approx([3.01, -3.01])

    def test_an_opinion_is_told_as_what_it_is_where_the_fact_would_mislead(self):
        # Silent for 2 days only, and yet at a higher risk; and for longer, but the fact pulls the other way.
        told = told_by([[3.0, 0.01], [3.0, -0.01]], {"silence_probability": [9, 9], "days_since_last": [2, 90]})
        assert told["reason_1"].tolist() == ["silence_probability"] * 2

    def test_the_clients_own_habit_makes_a_fact_fit(self):
        """12 days are short beside the others' 50 and long beside its own 5, a habit from the third purchase on."""
        clients = {"days_since_last": [12, 12, 12], "gap_days_median": [5, 5, np.nan], "frequency": [2, 1, 0]}
        clients |= {"alive_probability": [0.1, 0.1, 0.1]}
        told = told_by([[0.1, 0, 0, 3.0]] * 3, clients, typical=[50, 20, 4, 0.9])
        assert told["reason_1"].tolist() == ["days_since_last", "alive_probability", "alive_probability"]
        assert told["reason_1_usual"].tolist() == pytest.approx([5, np.nan, np.nan], nan_ok=True)
        assert told["reason_1_text"][0] == (
            "12 days since the last purchase; usually buys every 5 days; a typical client: 50 days. "
            "Goes with a higher risk."
        )

    def test_decayed_sums_speak_only_where_no_plain_one_pulls_that_way(self):
        told = told_by([[0.1, 0.9], [-0.1, 0.9]], {"amount_sum_90d": [9, 9], "amount_decayed_365d": [9, 9]})
        assert told["reason_1"].tolist() == ["amount_sum_90d", "amount_decayed_365d"]

    def test_the_time_before_the_window_is_the_clients_own_usual(self):
        clients = {"amount_sum_90d": [10, 10, 10, 0.3], "amount_sum_180d": [40, 40, 40, 0.1 + 0.2]}
        clients |= {"T": [180, 179, np.nan, 500]}
        told = told_by([[-1, 0, 0]] * 4, clients)
        # Only of a client who was there 180 days ago; and no residue of a difference of floats.
        assert told["reason_1_usual"].tolist() == pytest.approx([30, np.nan, np.nan, 0], nan_ok=True, abs=0)

    def test_a_window_of_unequal_length_is_brought_to_the_same(self):
        clients = {"amount_sum_180d": [10], "amount_sum_365d": [195], "days_since_first_record": [365]}
        told = told_by([[-1, 0, 0]], clients)
        assert told["reason_1_usual"].item() == pytest.approx(185 * 180 / 185)


class TestAlike:
    """A number that a reader takes for the one beside it explains nothing."""

    @pytest.mark.parametrize(
        ("name", "value", "typical", "told"),
        [
            ("expected_purchases", 2.67, 2.65, False),
            ("purchase_days_trend_90d", 0, 0, False),
            ("purchase_days_trend_90d", -2, -2, True),  # fewer than before, whatever others did
            ("purchase_days_count_90d", 2, 3, True),
            ("gap_days_mean", 103, 100, False),
            ("gap_days_mean", 104, 100, True),
            ("gap_days_mean", 10.4, 9.9999, False),  # 10 days, both
            ("refund_share_365d", 0.0004, 0.0001, False),  # 0.0%, both
            ("refund_share_365d", 0.04, 0.01, True),
            ("days_since_last_refund", np.nan, 90, True),  # no refund so far
        ],
    )
    def test_the_next_reason_is_taken(self, name, value, typical, told):
        clients = {name: [value], "points_balance": [90]}
        reasons = told_by([[0.9, 0.1]], clients, typical=[typical, 5], top=2)
        names = [name, "points_balance"] if told else ["points_balance"]
        assert reasons[["reason_1", "reason_2"]].iloc[0].dropna().tolist() == names
        assert reasons["reason_1_shap"].item() == pytest.approx(0.9 if told else 0.1)

    def test_where_none_is_left_there_is_no_reason(self):
        """Nor is one of the other side given in its place."""
        reasons = told_by([[0.9, -0.1]], {"expected_purchases": [2.67], "points_balance": [90]}, typical=[2.65, 5])
        assert reasons.isna().all(axis=None)

    def test_another_feature_of_the_topic_speaks(self):
        clients = {"amount_sum_90d": [101], "amount_sum_365d": [400], "amount_decayed_365d": [300]}
        told = told_by([[0.5, 0.1, 0.2]], clients, typical=[100, 200, 200])
        assert told["reason_1"].item() == "amount_sum_365d"
        assert told["reason_1_shap"].item() == pytest.approx(0.8)
        told = told_by([[0.5, 0.1, 0.2]], clients, typical=[100, 401, 200])
        assert told["reason_1"].item() == "amount_decayed_365d"

    def test_beside_the_typical_client_the_clients_own_usual_may_differ(self):
        clients = {"amount_sum_90d": [100, 100], "amount_sum_180d": [300, 199], "T": [400, 400]}
        told = told_by([[0.5, 0, 0]] * 2, clients, typical=[100, 200, 400])
        assert told["reason_1_usual"].tolist() == pytest.approx([200, np.nan], nan_ok=True)


class TestMerging:
    def test_silence_is_told_once(self):
        """Nothing was bought in 90 days because the last purchase is 90 days old; at 89 days it was something else."""
        clients = {"days_since_last": [90, 89], "amount_sum_90d": [0, 0], "purchase_days_count_30d": [0, 0]}
        told = told_by([[0.5, 1.0, 0.2]] * 2, clients, top=3)
        assert told["reason_1"].tolist() == ["days_since_last", "amount_sum_90d"]
        assert told["reason_1_shap"].tolist() == pytest.approx([1.7, 1.0])
        assert told["reason_2"].fillna("").tolist() == ["", "days_since_last"]
        assert told["reason_2_shap"][1] == pytest.approx(0.7)

    def test_a_topic_with_more_to_say_keeps_its_own_reason(self):
        clients = {"days_since_last": [120], "amount_sum_90d": [0], "amount_sum_365d": [2]}
        told = told_by([[0.5, 1.0, 0.1]], clients, top=2)
        assert told[["reason_1", "reason_2"]].iloc[0].tolist() == ["amount_sum_365d", "days_since_last"]
        assert told["reason_1_shap"].item() == pytest.approx(1.1)

    def test_what_is_unknown_because_of_silence_says_silence(self):
        clients = {"days_since_last": [400, 10], "lines_day_mean_365d": [np.nan, np.nan]}
        told = told_by([[0.5, 0.2]] * 2, clients, top=2)
        assert told["reason_2"].fillna("").tolist() == ["", "lines_day_mean_365d"]

    def test_the_same_number_of_days_is_told_once(self):
        clients = {"days_since_last": [80, 80, 80], "T": [80, 81, 80]}
        told = told_by([[0.5, 0.2], [0.5, 0.2], [0.5, -0.2]], clients, top=2)
        assert told["reason_1_shap"].tolist() == pytest.approx([0.7, 0.5, 0.5])
        assert told["reason_2"].fillna("").tolist() == ["", "T", ""]

    def test_nothing_is_lost_and_nothing_added(self, fitted):
        model, X = fitted
        reasons = explain_client(model, X.iloc[[3]], top=99)
        own = shap_values(model, X.iloc[[3]]).values[0][: len(NAMES) - 2]
        unsaid = choose(model, X.iloc[[3]]).unsaid[0]
        assert unsaid != 0  # of a number like the typical one
        assert reasons.frame["shap"].sum() + unsaid == pytest.approx(own.sum())


@pytest.fixture(scope="module")
def plans():
    rng = np.random.default_rng(0)
    plan = rng.choice(["month", "year", "<b>=1+1</b>"], 600, p=[0.5, 0.3, 0.2])
    X = pd.DataFrame({"plan": pd.Categorical(plan), "tenure": rng.integers(1, 60, 600)})
    return ChurnModel(n_estimators=40).fit(X, (plan == "month") & (rng.random(600) < 0.9)), X


class TestCategories:
    def test_are_told_by_their_level_beside_the_commonest(self, plans):
        model, _ = plans
        X = pd.DataFrame({"plan": ["month", "year", None], "tenure": [30, 30, 30]})
        told = reason_codes(model, X, top=1)
        assert told["reason_1"].tolist() == ["plan"] * 3
        assert told["reason_1_value"].tolist()[:2] == ["month", "year"]
        assert told["reason_1_value"].isna().tolist() == [False, False, True]
        assert told["reason_1_typical"].tolist() == ["month"] * 3
        side = ["lower", "higher"][int(told["reason_1_shap"][2] > 0)]
        assert told["reason_1_text"].tolist() == [
            "plan: month, the commonest of all. Goes with a higher risk.",
            "plan: year; the commonest: month. Goes with a lower risk.",
            f"plan: not known. Goes with a {side} risk.",
        ]
        korean = reason_codes(model, X, top=1, language="ko")["reason_1_text"]
        assert korean[1] == "plan: year(가장 흔한 값: month). 낮은 이탈 위험과 함께 나타납니다."

    def test_a_level_that_is_not_known_keeps_its_name(self, plans):
        model, _ = plans
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            told = reason_codes(model, pd.DataFrame({"plan": ["decade"], "tenure": [30]}), top=1)
        assert told["reason_1_text"].item().startswith("plan: decade; the commonest: month. Goes with")

    def test_do_not_depend_on_the_batch(self, plans):
        model, X = plans
        together = reason_codes(model, X)
        for place in (0, 1, 2, 599):
            alone = reason_codes(model, X.iloc[[place]])
            # A client alone is explained by LightGBM, many by tables: the last bit of a part may differ, no word may.
            pd.testing.assert_frame_equal(alone, together.iloc[[place]], rtol=1e-12)

    def test_hostile_levels_are_text_in_the_picture(self, plans):
        model, X = plans
        hostile = explain_client(model, X[X["plan"] == "<b>=1+1</b>"].iloc[[0]])
        assert any("<b>=1+1</b>" in sentence for sentence in hostile)
        assert "<b>" not in hostile._repr_html_()
        assert "&lt;b&gt;=1+1&lt;/b&gt;" in hostile._repr_html_()


class Cells(HTMLParser):
    """The texts of a table's cells, row by row; complains about tags that are not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.rows[-1][-1] += data.strip()


class TestExplainClient:
    def test_both_sides_the_strongest_first_and_all_adds_up(self, fitted):
        model, X = fitted
        both = 0
        for place in range(0, 60, 5):
            reasons = explain_client(model, X.iloc[[place]], top=3)
            shap = reasons.frame["shap"]
            assert shap.abs().is_monotonic_decreasing
            both += set(np.sign(shap)) == {-1, 1}
            log_odds = shap.sum() + reasons.rest
            assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(reasons.churn_probability)
            assert reasons.churn_probability == pytest.approx(model.predict_proba(X.iloc[[place]])[0, 1])
            assert len(reasons) == len(list(reasons)) == len(reasons.frame) <= 3
            for sentence, part in zip(reasons, shap, strict=True):
                assert sentence.endswith("Goes with a higher risk." if part > 0 else "Goes with a lower risk.")
        assert both > 3

    def test_says_what_reason_codes_says(self, fitted):
        model, X = fitted
        one = X.iloc[[8]]
        told = reason_codes(model, one, top=9, language="ko", currency="KRW").iloc[0]
        codes = [told[f"reason_{rank}_text"] for rank in range(1, 10) if isinstance(told[f"reason_{rank}_text"], str)]
        assert set(codes) < set(explain_client(model, one, language="ko", currency="KRW"))

    @pytest.mark.parametrize(("language", "rest"), [("en", "the rest"), ("ko", "나머지")])
    def test_picture_holds_sentences_and_parts(self, fitted, language, rest):
        model, X = fitted
        reasons = explain_client(model, X.iloc[[0]], top=2, language=language)
        head, *rows = Cells(reasons._repr_html_()).rows
        assert f"{100 * reasons.churn_probability:.0f}%" in head[0]
        assert [row[0] for row in rows] == [*reasons, rest]
        for row, part in zip(rows, [*reasons.frame["shap"], reasons.rest], strict=True):
            number = f"{part:+.2f}".replace("-", "−")
            assert row[1:] == (["", number] if part > 0 else [number, ""])
        assert "script" not in reasons._repr_html_()

    def test_a_part_that_rounds_to_0_has_no_sign(self, fitted):
        model, X = fitted
        reasons = explain_client(model, X.iloc[[0]], top=1)
        for rest in (-0.001, 0.001):
            *_, last = Cells(dataclasses.replace(reasons, rest=rest)._repr_html_()).rows
            assert "".join(last[1:]) == "0.00"

    @pytest.mark.parametrize("rows", [0, 2])
    def test_one_client_only(self, fitted, rows):
        model, X = fitted
        with pytest.raises(ValueError, match=f"`client` must be one row; got {rows}. Use reason_codes"):
            explain_client(model, X.iloc[:rows])
