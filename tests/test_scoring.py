"""The served bundle: the same scores from a run, from a folder and from a file; and the file is safe to open."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import loyalty
from corner_shop import corner_shop
from loyalty.datasets.synthetic import synthetic_tables
from loyalty.fitting import fit_models
from loyalty.histories import Histories, HistoriesError, HistoriesWarning
from loyalty.models.outlook import LongRunTerms
from loyalty.models.portfolio import portfolio_interval
from loyalty.panels import Panels
from loyalty.scoring import Bundle, load, measurable, score_file
from loyalty.segments import RFM_SEGMENTS, VALUE_RISK_SEGMENTS, value_risk_segments
from loyalty.setting import Setting
from sealing import seal

COLUMNS = ["client_id", "cutoff", "churn_probability", "expected_value", "value_lower", "value_upper"]
COLUMNS += ["long_run_value", "alive_probability", "median_remaining_days"]
COLUMNS += ["too_little_history", "amount_sum_365d", "value_at_risk", "segment", "rfm_segment", "loyalty_score"]
COLUMNS += [f"loyalty_{part}" for part in ("staying", "regularity", "spend", "price_independence")]
COLUMNS += ["loyalty_engagement", "loyalty_satisfaction"]
ENDINGS = ("", "_value", "_usual", "_typical", "_shap", "_text")
COLUMNS += [f"reason_{rank}{ending}" for rank in (1, 2, 3) for ending in ENDINGS]
CUTOFF = "2024-10-01"


def fitted_bundle(histories, features=None):
    setting = Setting.of(horizon="60d", active="365d", every="30d", at_most=12)
    return bundle_for(histories, setting, CUTOFF, features, {"question": "Who leaves?"})


def bundle_for(histories, setting, cutoff, features=None, about=None):
    panels = Panels(histories, setting, features, also=measurable(histories))
    (split,) = setting.splits(histories, [cutoff])
    fitted = fit_models(panels, split, long_run=LongRunTerms())
    return Bundle.of(fitted, panels.at(split.test, learned=fitted.learned), setting, about or {})


@pytest.fixture(scope="module")
def histories():
    return Histories(corner_shop(), observed_until=CUTOFF)


@pytest.fixture(scope="module")
def bundle(histories):
    return fitted_bundle(histories)


@pytest.fixture(scope="module")
def scores(bundle, histories):
    return bundle.score(histories, cutoff=CUTOFF)


class TestScore:
    def test_golden_file(self, scores, request):
        """Regenerate with `pytest tests/test_scoring.py --regenerate-golden`, and read the difference."""
        path = request.path.parent / "golden" / "scores.csv"
        if request.config.getoption("--regenerate-golden"):
            path.parent.mkdir(exist_ok=True)
            scores.to_csv(path, index=False, float_format="%.9g", lineterminator="\n")
        golden = pd.read_csv(path, parse_dates=["cutoff"])
        assert len(golden) == 12
        words = [name for name in COLUMNS if re.fullmatch(r"client_id|(rfm_)?segment|reason_\d(_text)?", name)]
        for name in COLUMNS:
            ours, theirs = scores[name], golden[name]
            if name in words:
                assert ours.fillna("").tolist() == theirs.fillna("").tolist(), name
            elif name == "cutoff":
                assert ours.tolist() == theirs.tolist()
            else:  # another minor version of LightGBM may add up in another order
                assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=1e-4, abs=1e-4, nan_ok=True), name

    def test_columns(self, scores):
        assert list(scores) == COLUMNS
        assert scores["client_id"].tolist() == [f"client-{client:02}" for client in range(12)]
        assert (scores["cutoff"] == pd.Timestamp(CUTOFF)).all()
        assert scores["churn_probability"].between(0, 1).all()
        assert (scores["expected_value"] >= 0).all()

    def test_value_at_risk(self, scores, histories):
        panel = loyalty.build_panel(histories, cutoffs=CUTOFF, horizon="60d", active="365d")
        assert scores["amount_sum_365d"].tolist() == panel["amount_sum_365d"].tolist()
        lost = scores["churn_probability"] * scores["amount_sum_365d"].clip(lower=0)
        assert scores["value_at_risk"].tolist() == lost.tolist()

    def test_refunds_put_nothing_at_risk(self, bundle):
        bills = pd.concat(
            [
                corner_shop(),
                pd.DataFrame({"client_id": "client-00", "event_time": ["2024-09-20"], "amount": -1e6}).astype(
                    {"event_time": "datetime64[us]"}
                ),
            ]
        )
        first = bundle.score(Histories(bills, observed_until=CUTOFF), cutoff=CUTOFF).iloc[0]
        assert first["amount_sum_365d"] < 0
        assert first["value_at_risk"] == 0

    def test_blind_to_what_comes_after(self, bundle, scores):
        bills = corner_shop()
        later = bills.assign(event_time=pd.Timestamp(CUTOFF), amount=1e6 + np.arange(len(bills)))
        assert_frame_equal(bundle.score(Histories(pd.concat([bills, later])), cutoff=CUTOFF), scores, check_exact=True)

    def test_reasons_in_korean(self, bundle, histories, scores):
        korean = bundle.score(histories, cutoff=CUTOFF, language="ko")
        assert korean["reason_1"].tolist() == scores["reason_1"].tolist()
        assert korean["reason_1_text"].str.contains(r"\. (?:높은|낮은) 이탈 위험과 함께 나타납니다\.$").all()

    def test_nobody_there(self, bundle, histories):
        with pytest.raises(ValueError, match="`cutoff`: no client stands at 2020-01-01; the first purchase is of 2023"):
            bundle.score(histories, cutoff="2020-01-01")

    def test_a_column_the_models_learned_from_is_missed(self):
        bills = corner_shop().assign(product_id="x")
        learned = fitted_bundle(Histories(bills, observed_until=CUTOFF), ["T", "products_count_90d"])
        poorer = Histories(bills.drop(columns="product_id"), observed_until=CUTOFF)
        with pytest.raises(ValueError, match=r"'products_count_90d' needs the column purchases\.product_id"):
            learned.score(poorer, cutoff=CUTOFF)

    def test_few_features_leave_reasons_empty_but_there(self, histories, tmp_path):
        few = fitted_bundle(histories, ["days_since_last"]).score(histories, cutoff=CUTOFF)
        assert list(few) == COLUMNS
        assert few[["reason_2", "reason_3", "reason_3_text", "reason_3_shap"]].isna().all(axis=None)
        few.to_parquet(tmp_path / "few.parquet")
        assert_frame_equal(pd.read_parquet(tmp_path / "few.parquet"), few)


NEW = COLUMNS[4:10] + COLUMNS[12:21]  # intervals, outlook, history, segments, loyalty


class TestWhatIsMeasuredBesideTheModels:
    def test_one_client_alone_is_scored_as_among_all(self, bundle, scores):
        """No column depends on the other clients: cut points, curves and models are kept in the bundle."""
        for client in ("client-00", "client-03", "client-11"):
            bills = corner_shop().query("client_id == @client")
            alone = bundle.score(Histories(bills, observed_until=CUTOFF), cutoff=CUTOFF)
            among = scores[scores["client_id"] == client].reset_index(drop=True)
            assert_frame_equal(alone[NEW], among[NEW], check_exact=True)

    def test_the_order_of_clients_makes_no_difference(self, bundle, scores):
        shuffled = corner_shop().sample(frac=1.0, random_state=3)
        again = bundle.score(Histories(shuffled, observed_until=CUTOFF), cutoff=CUTOFF)
        assert_frame_equal(again, scores, check_exact=True)

    def test_intervals_of_spend(self, bundle, scores, histories):
        panel = Panels(histories, bundle.setting, list(bundle.churn.feature_names_in_)).at(pd.Timestamp(CUTOFF))
        X = panel[list(bundle.churn.feature_names_in_)]
        ends = bundle.uncertainty.intervals.predict(X, forecast=bundle.value.forecast(X))
        assert scores[["value_lower", "value_upper"]].to_numpy().tolist() == ends.tolist()
        assert (scores["value_lower"] <= scores["value_upper"]).all()

    def test_the_total_lies_within_its_interval(self, asking, talkative):
        scores = asking.score(talkative, cutoff="2025-12-01")
        assert set(asking.uncertainty.totals) == {"expected_value", "value_at_risk"}
        for name, errors in asking.uncertainty.totals.items():
            table = portfolio_interval(scores[name], errors=errors, by=scores["segment"])
            whole, parts = table.iloc[0], table.iloc[1:]
            assert whole["lower"] < scores[name].sum() < whole["upper"]
            assert parts["expected"].sum() == pytest.approx(scores[name].sum())
            assert (parts["lower"].sum() < whole["lower"]) & (whole["upper"] < parts["upper"].sum())

    def test_the_outlook_goes_on_from_the_expected_value(self, asking, talkative, bundle, scores):
        told = asking.score(talkative, cutoff="2025-12-01")
        panel = loyalty.build_panel(talkative, cutoffs="2025-12-01", horizon="60d", active="365d")
        again = asking.outlook.predict(panel, told["expected_value"], told["churn_probability"])
        assert told["long_run_value"].tolist() == again["long_run_value"].tolist()
        assert told["alive_probability"].between(0, 1).all()
        assert (told["long_run_value"] > told["expected_value"])[told["expected_value"] > 0].all()
        # Of twelve clients nothing is learned, and nothing is made up.
        assert scores[["long_run_value", "alive_probability", "median_remaining_days"]].isna().all(axis=None)
        assert "Only 12 clients had bought" in bundle.outlook.missing

    def test_segments_are_those_of_the_cut_points_kept(self, bundle, scores):
        again = value_risk_segments(scores, cuts=bundle.yardsticks.value_risk)
        assert scores["segment"].tolist() == again["segment"].tolist()
        bills = corner_shop().groupby("client_id").tail(5)
        few = bundle.score(Histories(bills, observed_until=CUTOFF), cutoff=CUTOFF)
        again = value_risk_segments(few, cuts=bundle.yardsticks.value_risk)
        assert few["segment"].tolist() == again["segment"].tolist()

    def test_segments_in_korean(self, bundle, histories, scores):
        korean = bundle.score(histories, cutoff=CUTOFF, language="ko")
        for column, cells in (
            ("segment", [cell.name for cell in VALUE_RISK_SEGMENTS.values()]),
            ("rfm_segment", list(RFM_SEGMENTS.values())),
        ):
            words = {names["en"]: names["ko"] for names in cells}
            assert korean[column].tolist() == scores[column].map(words).tolist()

    def test_loyalty_is_read_from_what_clients_do(self, scores, histories):
        panel = loyalty.build_panel(histories, cutoffs=CUTOFF, horizon="60d", active="365d")
        score = loyalty.loyalty_score(panel)
        ours = scores[[name for name in COLUMNS if name.startswith("loyalty_")]]
        assert ours.to_numpy() == pytest.approx(score.to_numpy(), nan_ok=True, abs=0)
        assert ours["loyalty_engagement"].isna().all()  # no visits, no community, no referrals in these bills

    def test_a_part_that_becomes_known_later_does_not_move_the_score(self, bundle, scores):
        """The discounts of a later export are not asked for: this bundle has never heard of them."""
        assert "discount_share_365d" not in bundle.yardsticks.features
        richer = Histories(corner_shop().assign(discount=1.0), observed_until=CUTOFF)
        assert_frame_equal(bundle.score(richer, cutoff=CUTOFF), scores, check_exact=True)

    def test_a_part_that_is_not_known_any_more_is_missed(self):
        bills = corner_shop().assign(discount=1.0)
        rich = fitted_bundle(Histories(bills, observed_until=CUTOFF), ["days_since_last"])
        poorer = Histories(bills.drop(columns="discount"), observed_until=CUTOFF)
        with pytest.raises(ValueError, match=r"'discount_share_365d' needs the column purchases\.discount"):
            rich.score(poorer, cutoff=CUTOFF)

    def test_too_little_history(self, bundle, scores):
        assert not scores["too_little_history"].any()
        bills = corner_shop()
        once = pd.DataFrame({"client_id": "new", "event_time": [pd.Timestamp("2024-09-30")], "amount": 5.0})
        twice = pd.DataFrame({"client_id": "newer", "event_time": bills["event_time"].iloc[[0, 5]], "amount": 5.0})
        twice["event_time"] += pd.Timedelta(days=560)
        more = Histories(pd.concat([bills, once, twice]))
        marked = bundle.score(more, cutoff=CUTOFF).set_index("client_id")["too_little_history"]
        assert marked[marked].index.tolist() == ["new"]
        assert not marked["newer"]

    def test_contracts_have_it_all_too(self):
        """Where leaving is not silence, staying is the model's, and history is measured by time."""
        setting = Setting.of(horizon="60d", kind="contractual", every="30d", at_most=3)
        tables = synthetic_tables(200, seed=0).tables
        contracts = Histories(tables["purchases"], contracts=tables["contracts"])
        served = bundle_for(contracts, setting, "2025-10-01", ["days_since_last", "T", "amount_sum_365d"])
        scores = served.score(contracts, cutoff="2025-10-01")
        assert list(scores) == COLUMNS
        assert scores["loyalty_staying"].to_numpy() == pytest.approx(100 * (1 - scores["churn_probability"].to_numpy()))
        assert scores[["value_lower", "value_upper", "loyalty_score", "long_run_value"]].notna().all(axis=None)
        assert scores["alive_probability"].isna().all()

    def test_contracts_without_any_spend(self):
        setting = Setting.of(horizon="60d", kind="contractual", every="60d", at_most=2)
        tables = synthetic_tables(200, seed=0).tables
        free = Histories(tables["purchases"].assign(amount=0.0), contracts=tables["contracts"])
        served = bundle_for(free, setting, "2025-10-01", ["days_since_last", "T"])
        scores = served.score(free, cutoff="2025-10-01")
        assert served.uncertainty.totals == {}
        assert (scores[["expected_value", "value_lower", "value_upper", "value_at_risk"]] == 0).all(axis=None)
        assert set(scores["segment"]) <= {f"small clients, {risk}" for risk in ("low risk", "medium risk", "high risk")}

    def test_nobody_ever_bought(self, bundle, histories):
        """Without a purchase there is no recency to cut, and no such segment."""
        none = replace(bundle, yardsticks=replace(bundle.yardsticks, rfm=None))
        scores = none.score(histories, cutoff=CUTOFF)
        assert list(scores) == COLUMNS
        assert scores["rfm_segment"].isna().all()


class TestFolder:
    def test_comes_back_the_same(self, bundle, histories, scores, tmp_path):
        assert bundle.save(tmp_path / "deep" / "model") == tmp_path / "deep" / "model"
        names = {path.name for path in (tmp_path / "deep" / "model").iterdir()}
        models = {f"{name}.{kind}" for name in ("churn", "value", "intervals") for kind in ("json", "txt")}
        assert names == {"bundle.json", "totals.json", "outlook.json", "value_whole.txt"} | models
        for folder in (tmp_path / "deep" / "model", tmp_path / "deep"):  # the run's folder will do as well
            back = load(folder)
            assert back.setting == bundle.setting
            assert back.about == bundle.about
            assert back.yardsticks == bundle.yardsticks
            assert back.uncertainty.totals == bundle.uncertainty.totals
            assert_frame_equal(back.score(histories, cutoff=CUTOFF), scores, check_exact=True)

    def test_a_bundle_without_recency_segments_comes_back(self, bundle, tmp_path):
        kept = replace(bundle.yardsticks, rfm=None)
        replace(bundle, yardsticks=kept).save(tmp_path)
        assert load(tmp_path).yardsticks == kept

    def test_saved_again_it_is_the_same_to_the_last_byte(self, bundle, tmp_path):
        bundle.save(tmp_path / "one")
        load(tmp_path / "one").save(tmp_path / "two")
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name

    def test_every_setting_comes_back(self, bundle, tmp_path):
        setting = Setting.of(
            horizon="90d",
            gap="7d",
            kind="contractual",
            active=None,
            every="13d",
            first="2024-01-01T12:00",
            at_most=7,
            rows_at_most=1234,
        )
        replace(bundle, setting=setting).save(tmp_path)
        assert load(tmp_path).setting == setting

    def test_holds_no_client(self, bundle, tmp_path):
        bundle.save(tmp_path)
        for path in tmp_path.iterdir():
            assert "client-0" not in path.read_text(encoding="utf-8")

    def test_a_bundle_half_written_is_none(self, bundle, tmp_path, monkeypatch):
        bundle.save(tmp_path)

        def fail(self, folder, **options):
            raise OSError("no space left")

        monkeypatch.setattr(type(bundle.value), "save", fail)
        with pytest.raises(OSError, match="no space"):
            bundle.save(tmp_path)
        with pytest.raises(ValueError, match="there is no bundle"):
            load(tmp_path)

    def test_no_bundle(self, tmp_path):
        with pytest.raises(
            ValueError, match=r"there is no bundle in .*Give the folder of a run, or its folder `model`"
        ):
            load(tmp_path / "nowhere")

    @pytest.mark.parametrize(
        ("change", "remedy"),
        [
            ({"format": 17}, "Update loyalty, or run the experiment again."),
            ({"format": 15}, "Run the experiment again."),
            ({"format": None}, "Run the experiment again."),
            (None, "Run the experiment again."),
        ],
        ids=["later", "earlier", "none", "something else"],
    )
    def test_a_format_not_known_here(self, bundle, tmp_path, change, remedy):
        bundle.save(tmp_path)
        path = tmp_path / "bundle.json"
        kept = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(kept | change if change else {"a": 1}), encoding="utf-8")
        with pytest.raises(ValueError, match=f"this version reads format 16. {remedy}$"):
            load(tmp_path)

    def test_a_damaged_file_is_named(self, bundle, tmp_path):
        """LightGBM ends the whole process over trees that are cut short."""
        bundle.save(tmp_path)
        names = sorted(path.name for path in tmp_path.iterdir() if path.name != "bundle.json")
        models = {"churn.txt", "churn.json", "value.txt", "value_whole.txt", "value.json"}
        assert models | {"intervals.txt", "totals.json"} < set(names)
        for name in names:
            whole = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(whole[:-1] if whole else b"tree")  # so few rows have no trees of all clients
            with pytest.raises(
                ValueError, match=rf"^{name} of the bundle in .* is not as it was saved\. Copy the folder"
            ):
                load(tmp_path)
            (tmp_path / name).unlink()
            with pytest.raises(ValueError, match=rf"^{name} of the bundle in .* is missing\. Copy the folder whole"):
                load(tmp_path)
            (tmp_path / name).write_bytes(whole)
        (tmp_path / "notes.txt").write_text("What else lies in the folder does not matter.")
        assert load(tmp_path).about == bundle.about
        manifest = tmp_path / "bundle.json"
        whole = manifest.read_text(encoding="utf-8")
        manifest.write_text(whole.replace('"every": "', '"every": "1'), encoding="utf-8")
        with pytest.raises(ValueError, match=r"^bundle\.json of the bundle in .* is not as it was saved\."):
            load(tmp_path)
        manifest.write_text(whole, encoding="utf-8")
        manifest.write_bytes(manifest.read_bytes()[:100])
        with pytest.raises(
            ValueError, match=r"^bundle\.json of the bundle in .* is damaged: .* run the experiment again"
        ):
            load(tmp_path)

    def test_a_feature_not_known_here(self, bundle, tmp_path):
        bundle.save(tmp_path)
        path = tmp_path / "churn.json"
        path.write_text(path.read_text(encoding="utf-8").replace("days_since_last", "days_of_thunder"))
        seal(tmp_path)
        with pytest.raises(
            ValueError, match=r"use the feature 'days_of_thunder', which is not in the catalogue.*--module"
        ):
            load(tmp_path)


@pytest.fixture(scope="module")
def talkative():
    tables = synthetic_tables(150, seed=0).tables
    return Histories(tables["purchases"], contacts=tables["contacts"])


@pytest.fixture(scope="module")
def asking(talkative):
    setting = Setting.of(horizon="60d", active="365d", every="60d", at_most=2)
    return bundle_for(talkative, setting, "2025-12-01", ["days_since_last", "alive_probability", "mood_last"])


class TestLearned:
    """A bundle keeps the models that its features ask, and nothing of them where no feature does."""

    def test_comes_back_the_same(self, asking, talkative, tmp_path):
        assert list(asking.learned) == ["btyd", "feedback"]
        assert list(asking.churn.feature_names_in_) == ["days_since_last", "alive_probability", "mood_last"]
        back = load(asking.save(tmp_path))
        assert back.learned.to_text() == asking.learned.to_text()
        ours = asking.score(talkative, cutoff="2025-12-01")
        assert_frame_equal(back.score(talkative, cutoff="2025-12-01"), ours, check_exact=True)

    def test_is_not_there_where_no_feature_asks(self, asking, histories, tmp_path):
        asking.save(tmp_path)
        assert (tmp_path / "learned.json").exists()
        silent = fitted_bundle(histories, ["days_since_last"])
        silent.save(tmp_path)  # in the place of the other
        assert not (tmp_path / "learned.json").exists()
        assert silent.learned is load(tmp_path).learned is None

    def test_is_not_there_where_nothing_could_be_learned(self, bundle, tmp_path):
        """Of twelve clients: their bundle has all features but those that ask."""
        bundle.save(tmp_path)
        assert not (tmp_path / "learned.json").exists()
        assert bundle.learned is None
        assert "alive_probability" not in bundle.churn.feature_names_in_

    def test_a_folder_that_lost_it_is_refused(self, asking, tmp_path):
        asking.save(tmp_path)
        (tmp_path / "learned.json").unlink()
        with pytest.raises(ValueError, match=r"learned\.json of the bundle in .* is missing\. Copy the folder whole"):
            load(tmp_path)


#: Client ids, the first eight of which a spreadsheet would run.
HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "plain", "a=b", "민수", "'quoted"]


class TestScoreFile:
    @pytest.fixture
    def place(self, bundle, tmp_path):
        """A folder with hostile client ids, and a bundle whose config reads it."""
        corner_shop(lambda client: HOSTILE[client]).to_parquet(tmp_path / "bills.parquet", index=False)
        config = {
            "question": "Who leaves?",
            "data": {"purchases": {"path": "bills.parquet"}},
            "outcome": {"horizon": "60d", "active": "365d"},
            "cutoffs": {"test": ["2024-06-01"], "score": CUTOFF},
        }
        return replace(bundle, about={"config": config}), tmp_path

    def test_parquet_holds_what_is_returned(self, place):
        bundle, folder = place
        scores = score_file(bundle, data=folder, cutoff=CUTOFF, out=folder / "new" / "scores.parquet")
        assert_frame_equal(pd.read_parquet(folder / "new" / "scores.parquet"), scores)
        assert set(scores["client_id"]) == set(HOSTILE)
        assert list(scores) == COLUMNS

    def test_csv_cannot_be_taken_for_formulas(self, place):
        bundle, folder = place
        scores = score_file(bundle, data=folder, cutoff=CUTOFF, out=folder / "scores.csv")
        assert set(scores["client_id"]) == set(HOSTILE)  # what is returned is what is there
        written = pd.read_csv(folder / "scores.csv", keep_default_na=False)
        assert len(written) == 12
        ids = written["client_id"].tolist()
        harmless = ["plain", "a=b", "민수", "'quoted"]
        assert sorted(i for i in ids if i in harmless) == sorted(harmless)
        assert sorted(i for i in ids if i not in harmless) == sorted(f"'{i}" for i in HOSTILE[:8])
        assert not any(re.match(r"[=+\-@]", cell) for cell in ids + written["reason_1_text"].tolist())
        assert written["churn_probability"].to_numpy() == pytest.approx(scores["churn_probability"].to_numpy())

    def test_alerts_go_to_a_file_of_their_own(self, place):
        bundle, folder = place
        options = {"data": folder, "cutoff": CUTOFF, "out": folder / "scores.csv"}
        with pytest.warns(UserWarning, match="Alerts of .* need"):
            score_file(bundle, **options, alerts=folder / "alerts.parquet")
        assert pd.read_parquet(folder / "alerts.parquet").empty  # nobody noted contacts, nor offers
        contacts = pd.DataFrame({"client_id": HOSTILE[:2], "event_time": "2024-01-01", "kind": "feedback"})
        contacts.assign(replied_at=pd.NaT).to_parquet(folder / "contacts.parquet", index=False)
        config = bundle.about["config"] | {
            "data": bundle.about["config"]["data"] | {"contacts": {"path": "contacts.parquet"}}
        }
        with pytest.warns(UserWarning, match="promotions"):  # of complaints there are some, of offers none
            score_file(replace(bundle, about={"config": config}), **options, alerts=folder / "alerts.csv")
        assert sorted(pd.read_csv(folder / "alerts.csv")["client_id"]) == ["'+1", "'=1+1"]

    def test_other_endings_are_refused_before_any_work(self, place):
        bundle, folder = place
        with pytest.raises(ValueError, match=r"`out` must end in \.parquet or \.csv; got 'scores\.xlsx'"):
            score_file(bundle, data="nowhere", cutoff=CUTOFF, out=folder / "scores.xlsx")
        with pytest.raises(ValueError, match=r"`alerts` must end in \.parquet or \.csv; got 'alerts'"):
            score_file(bundle, data="nowhere", cutoff=CUTOFF, out=folder / "scores.csv", alerts=folder / "alerts")
        with pytest.raises(ValueError, match="`alerts` would take the place of `out`"):
            score_file(
                bundle, data="nowhere", cutoff=CUTOFF, out=folder / "a.csv", alerts=folder / "x" / ".." / "a.csv"
            )

    def test_data_that_are_not_there(self, place):
        bundle, folder = place
        with pytest.raises(HistoriesError, match="purchases: there is no file"):
            score_file(bundle, data=folder / "nowhere", cutoff=CUTOFF, out=folder / "scores.csv")
        assert not (folder / "scores.csv").exists()

    def test_a_cutoff_that_is_none(self, place):
        bundle, folder = place
        with pytest.raises(ValueError, match="`cutoff` must be a date"):
            score_file(bundle, data=folder, cutoff="soon", out=folder / "scores.csv")

    def test_stale_data_are_refused_unless_they_are_meant(self, place):
        """Beyond twice the longest time without a purchase."""
        bundle, folder = place
        out, days = folder / "scores.parquet", corner_shop()["event_time"].drop_duplicates().sort_values()
        longest_gap = days.diff().max()
        assert longest_gap > pd.Timedelta(days=4)
        late, too_late = (days.max() + 2 * longest_gap + pd.Timedelta(days=more) for more in (0, 1))
        score_file(bundle, data=folder, cutoff=late, out=out)
        with pytest.raises(ValueError, match=r"days before: everybody looks like a leaver\. .*--stale"):
            score_file(bundle, data=folder, cutoff=too_late, out=out)
        assert len(score_file(bundle, data=folder, cutoff=too_late, out=out, stale=True)) == 12

    def test_who_scores_soon_after_the_shop_was_closed_is_told(self, place):
        bundle, folder = place
        bills = corner_shop()
        closed = bills["event_time"].between("2024-07-25", "2024-09-01")
        bills[~closed].to_parquet(folder / "bills.parquet", index=False)
        with (
            pytest.warns(HistoriesWarning, match="there is none between 2024-07-22 and 2024-09-02"),
            pytest.warns(UserWarning, match="at 2024-09-10 whoever has not bought since has been silent"),
        ):
            score_file(bundle, data=folder, cutoff="2024-09-10", out=folder / "scores.csv")

    def test_a_later_cutoff_than_that_of_the_config(self, place):
        """A month on there are new bills, dated after everything the config foresaw; none is refused."""
        bundle, folder = place
        bills = corner_shop()
        later = bills.groupby("client_id").tail(1).assign(event_time=pd.Timestamp("2025-01-15"))
        pd.concat([bills, later]).to_parquet(folder / "bills.parquet", index=False)
        with pytest.warns(HistoriesWarning, match="stands|comes"), pytest.warns(UserWarning, match="whoever has not"):
            scores = score_file(bundle, data=folder, cutoff="2025-02-01", out=folder / "scores.parquet")
        assert (scores["cutoff"] == pd.Timestamp("2025-02-01")).all()
        assert np.isfinite(scores["churn_probability"]).all()
