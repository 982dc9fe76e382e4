"""The config: everything wrong with it is said at once, with the way out, before any data is read."""

import re
from dataclasses import asdict
from typing import get_args

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import config as config_module
from loyalty.config import Config, ConfigError, config_text, read_config, read_histories
from loyalty.experiment import setting_of
from loyalty.histories import HistoriesError
from loyalty.models.outlook import LongRunTerms
from loyalty.models.parameters import ModelParameters
from loyalty.models.value import Law

GOOD = """\
question = "Who leaves?"
[data.purchases]
path = "purchases.csv"
[outcome]
horizon = "90d"
[cutoffs]
test = ["2024-03-01", "2024-01-01"]
score = "2024-06-01"
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "shop.toml"
        path.write_text(text, encoding="utf-8")
        return read_config(path)

    return read


@pytest.fixture
def complaints(read):
    """What is said of a config, line by line."""

    def complaints(text):
        with pytest.raises(ConfigError) as caught:
            read(text)
        head, *lines = str(caught.value).splitlines()
        assert head == "shop.toml cannot be used:"
        assert [line.split(".")[0].strip() for line in lines] == [str(n) for n in range(1, len(lines) + 1)]
        return [re.sub(r"^  \d+\. ", "", line) for line in lines]

    return complaints


class TestWhatIsRead:
    def test_defaults(self, read):
        config = read(GOOD)
        assert (config.seed, config.language, config.currency, config.features) == (0, "en", None, None)
        assert config.feature_modules == []
        assert (config.outcome.kind, config.outcome.gap, config.outcome.active) == ("non-contractual", "0d", None)
        assert (config.cutoffs.every, config.cutoffs.first, config.cutoffs.at_most) == ("30d", None, 24)
        assert config.test_cutoffs == (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-03-01"))
        assert config.score_cutoff == pd.Timestamp("2024-06-01")
        assert list(config.data.tables()) == ["purchases"]

    def test_dates_of_toml_itself(self, read):
        native = GOOD.replace('["2024-03-01", "2024-01-01"]', "[2024-03-01, 2024-01-01T00:00:00]")
        native = native.replace('"2024-06-01"', "2024-06-01T09:00:00+09:00")
        assert read(native) == read(GOOD)  # 9 o'clock in Seoul is midnight UTC

    def test_times_of_day_are_kept(self, read):
        assert read(GOOD.replace('"2024-06-01"', '"2024-06-01 12:30"')).score_cutoff == pd.Timestamp("2024-06-01 12:30")

    def test_weeks_are_days(self, read):
        assert read(GOOD.replace('"90d"', '"13w"\ngap = "1w"')).outcome.model_dump() == {
            "kind": "non-contractual",
            "horizon": "91d",
            "gap": "7d",
            "active": None,
        }

    def test_comes_back_from_json_the_same(self, read):
        config = read('features = ["T", "recency"]\nfeature_modules = ["own.py", "shop.own"]\nseed = 5\n' + GOOD)
        assert config.feature_modules == ["own.py", "shop.own"]
        assert Config.model_validate(config.model_dump(mode="json")) == config

    def test_a_test_cutoff_may_be_the_score_cutoff(self, read):
        assert read(GOOD.replace("2024-06-01", "2024-03-01")).score_cutoff == pd.Timestamp("2024-03-01")

    def test_cannot_be_changed(self, read):
        with pytest.raises(ValueError, match="frozen"):
            read(GOOD).seed = 3

    def test_experiments_of_the_repository(self, request):
        files = sorted((request.config.rootpath / "experiments").glob("*.toml"))
        assert len(files) >= 3
        for file in files:
            assert read_config(file).question.endswith("?")

    def test_months_and_cards_of_the_airline(self, request, shared_data):
        config = read_config(request.config.rootpath / "experiments" / "airline.toml")
        histories = read_histories(config, shared_data)
        setting = setting_of(config)
        assert setting.unevenness(histories, setting.splits(histories, config.test_cutoffs)) == ""
        population = histories.population(cutoff="2018-06-01", kind="contractual")
        ids = set(population.client_id.execute())
        members = pd.read_parquet(shared_data / "airline_loyalty" / "loyalty_history.parquet")
        joined = members["enrollment_year"] * 12 + members["enrollment_month"] < 2018 * 12 + 6
        gone = members["cancellation_year"] * 12 + members["cancellation_month"] < 2018 * 12 + 6
        assert ids == set(members.loc[joined & ~gone.fillna(value=False).astype(bool), "loyalty_number"])


class TestKeys:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("sed = 1\n" + GOOD, "the config: unknown key 'sed'. Did you mean 'seed'?"),
            (GOOD + 'scor = "2024-06-01"', "[cutoffs]: unknown key 'scor'. Did you mean 'score'?"),
            (GOOD.replace("horizon", "horizn"), "[outcome]: unknown key 'horizn'. Did you mean 'horizon'?"),
            (GOOD.replace(".purchases", ".purchase"), "[data]: unknown key 'purchase'. Did you mean 'purchases'?"),
            (
                GOOD.replace("path", "file"),
                "[data.purchases]: unknown key 'file'. There is: path, where, join, columns.",
            ),
            (GOOD + '[data.offers]\npaths = ""', "[data.offers]: unknown key 'paths'. Did you mean 'path'?"),
            (GOOD + "[churn]\nnum_leafs = 5", "[churn]: unknown key 'num_leafs'. Did you mean 'num_leaves'?"),
            (
                GOOD + '[churn]\nlaw = "gamma"',
                "[churn]: unknown key 'law'. There is: num_leaves, n_estimators, learning_rate, min_child_samples.",
            ),
            (GOOD + "[tune]\ncutoff = []", "[tune]: unknown key 'cutoff'. Did you mean 'cutoffs'?"),
            (
                GOOD + '[[data.purchases.join]]\npath = "a"\non = "b"\n[[data.purchases.join]]\npth = "a"\non = "b"',
                "[[data.purchases.join]] 2: unknown key 'pth'. Did you mean 'path'?",
            ),
        ],
    )
    def test_an_unknown_key_is_refused_with_the_nearest(self, complaints, text, said):
        assert said in complaints(text)

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('question = "Who leaves?"\n', "the config lacks the key 'question'."),
            ('path = "purchases.csv"\n', "[data.purchases] lacks the key 'path'."),
            ('horizon = "90d"\n', "[outcome] lacks the key 'horizon'."),
            ('score = "2024-06-01"\n', "[cutoffs] lacks the key 'score'."),
            ('[outcome]\nhorizon = "90d"\n', "the config lacks the key 'outcome'."),
        ],
    )
    def test_a_missing_key_is_named(self, complaints, line, said):
        assert line in GOOD
        assert complaints(GOOD.replace(line, "")) == [said]

    def test_a_missing_key_of_a_list_is_named_with_its_place(self, complaints):
        text = GOOD + '[[data.purchases.join]]\npath = "goods.csv"'
        assert complaints(text) == ["[[data.purchases.join]] 1 lacks the key 'on'."]

    def test_all_at_once(self, complaints):
        text = "sed = 1\n" + GOOD.replace("horizon", "horizn").replace("score", "scor").replace('"Who leaves?"', "7")
        text = text.replace('path = "purchases.csv"\n', "").replace('"2024-03-01"', '"in March"')
        assert sorted(complaints(text)) == sorted(
            [
                "the config: unknown key 'sed'. Did you mean 'seed'?",
                "[outcome]: unknown key 'horizn'. Did you mean 'horizon'?",  # and not that 'horizon' is missing as well
                "[cutoffs]: unknown key 'scor'. Did you mean 'score'?",
                "question: Input should be a valid string; got 7.",
                "[data.purchases] lacks the key 'path'.",
                "cutoffs.test.0: must be a date such as '2024-03-01'; got 'in March'.",
            ]
        )

    def test_an_empty_config(self, complaints):
        keys = ("question", "data", "outcome", "cutoffs")
        assert complaints("") == [f"the config lacks the key {key!r}." for key in keys]


class TestValues:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('"90d"', "90", "outcome.horizon: must be a number of days or weeks such as '90d' or '13w'; got 90."),
            ('"90d"', '"3 months"', "outcome.horizon: must be a number of days or weeks.*; got '3 months'"),
            ('"90d"', '"90d"\nactive = "-1d"', "outcome.active: must be .*; got '-1d'"),
            ('"90d"', '"90d"\nkind = "contract"', "outcome.kind: .*'non-contractual' or 'contractual'; got 'contract'"),
            ('"90d"', '"0d"', "`horizon` must be at least one day; got '0d'"),
            ('"2024-06-01"', "20240601", "cutoffs.score: must be a date such as '2024-03-01'; got 20240601"),
            ('"2024-06-01"', '"now"', "cutoffs.score: must be a date .*; got 'now'"),
            ('"2024-06-01"', '"2024-02-30"', "cutoffs.score: must be a date .*; got '2024-02-30'"),
            ('"2024-06-01"', "09:00:00", "cutoffs.score: must be a date"),
            ('"2024-06-01"', "true", "cutoffs.score: must be a date .*; got True"),
            ('["2024-03-01", "2024-01-01"]', '"2024-03-01"', "cutoffs.test: .*valid list; got '2024-03-01'"),
            ('["2024-03-01", "2024-01-01"]', "[]", "`cutoffs.test` must hold at least one date"),
            ('"2024-01-01"]', '"2024-03-01 00:00"]', "`cutoffs.test` holds 2024-03-01 twice"),
            ("2024-01-01", "2024-06-02", r"\[cutoffs\] test: 2024-06-02 lies after the score cutoff 2024-06-01"),
            ("[data", "seed = true\n[data", "seed: .*integer; got True"),
            ("[data", 'seed = "1"\n[data', "seed: .*integer; got '1'"),
            ("[data", "seed = -1\n[data", "seed: .*greater than or equal to 0; got -1"),
            ("[data", "seed = 2147483648\n[data", "seed: .*less than or equal to 2147483647"),
            ("[data", 'language = "fr"\n[data', "language: .*'en' or 'ko'; got 'fr'"),
            ("[data", "features = []\n[data", "features: .*at least 1"),
            ("[data", 'feature_modules = "own.py"\n[data', "feature_modules: .*valid list; got 'own.py'"),
            ("[data", "feature_modules = [1]\n[data", "feature_modules.0: .*valid string; got 1"),
            ("[cut", "[extra]\n[cut", "unknown key 'extra'"),
            ("score", "at_most = 0\nscore", "cutoffs.at_most: .*greater than or equal to 1; got 0"),
            ('[data.purchases]\npath = "purchases.csv"', "[data]\npurchases = 3", "data.purchases must be a section"),
            ("[outcome]", '[data.purchases.join]\npath = "a"\n[outcome]', "purchases.join: must be .* double brackets"),
            ("[outcome]", 'join = ["goods.csv"]\n[outcome]', r"join: must be sections, .*; got \['goods.csv'\]"),
            ('"90d"', '"90d"\nkind = "contractual"', r"\[outcome\] kind: 'contractual' needs .* \[data.contracts\]"),
            ('"90d"', '"90d"\n[card]\nattributes = ["town"]', r"\[card\] attributes: .* table \[data.clients\]"),
        ],
    )  # fmt: skip
    def test_a_wrong_value_is_named_with_its_place(self, complaints, old, new, said):
        assert old in GOOD
        (complaint,) = complaints(GOOD.replace(old, new, 1))
        assert re.search(said, complaint)


class TestFile:
    def test_no_such_file(self, tmp_path):
        with pytest.raises(ConfigError, match=r"there is no config '.*none\.toml': No such file"):
            read_config(tmp_path / "none.toml")

    def test_a_folder(self, tmp_path):
        with pytest.raises(ConfigError, match="there is no config"):
            read_config(tmp_path)

    @pytest.mark.parametrize("content", [b"question = ", b"a = 1\na = 2", b"\xff\xfe"], ids=["half", "twice", "bytes"])
    def test_no_toml(self, tmp_path, content):
        (tmp_path / "shop.toml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"shop\.toml is not TOML: "):
            read_config(tmp_path / "shop.toml")


class TestReadHistories:
    BILLS = "customer,day,price,pieces\n1,2024-01-05,2.5,4\n2,2024-05-31,1.0,-1\n3,2024-03-01,9.0,0\n"

    def text(self, path="purchases.csv"):
        mapping = 'client_id = "customer"\nevent_time = "day"\namount = "price * pieces"\n'
        table = f'path = "{path}"\nwhere = "pieces <> 0"\n[data.purchases.columns]\n{mapping}'
        return GOOD.replace('path = "purchases.csv"\n', table)

    def test_maps_and_filters_relative_to_the_folder(self, read, tmp_path, monkeypatch):
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "purchases.csv").write_text(self.BILLS)
        monkeypatch.chdir(tmp_path.parent)
        histories = read_histories(read(self.text()), tmp_path / "there")
        assert histories.purchases.amount.execute().tolist() == [10.0, -1.0]

    def test_absolute_paths_stand(self, read, tmp_path):
        (tmp_path / "purchases.csv").write_text(self.BILLS)
        config = read(self.text((tmp_path / "purchases.csv").as_posix()))
        assert read_histories(config, "elsewhere").purchases.count().execute() == 2

    def test_other_tables_are_read_as_well(self, read, tmp_path):
        (tmp_path / "purchases.csv").write_text(self.BILLS)
        (tmp_path / "visits.csv").write_text("client_id,event_time,what\n1,2024-01-01,visit\n")
        text = self.text() + '[data.events]\npath = "visits.csv"\ncolumns = { kind = "what" }\n'
        histories = read_histories(read(text), tmp_path)
        assert histories.tables["events"].kind.execute().tolist() == ["visit"]

    @pytest.mark.parametrize(("day", "refused"), [("2024-08-29", False), ("2024-08-30", True)])
    def test_dates_beyond_the_last_horizon_are_refused(self, read, tmp_path, day, refused, monkeypatch):
        """90 days from 1 June 2024 end at the midnight before 30 August; so far nobody can have looked."""
        monkeypatch.setattr(config_module, "_tomorrow", lambda: pd.Timestamp("2024-06-03"))
        (tmp_path / "purchases.csv").write_text(self.BILLS + f"4,{day},1.0,1\n")
        config = read(self.text())
        if not refused:
            for last in (None, pd.Timestamp("2024-01-02")):  # an earlier cutoff than the config's changes nothing
                assert read_histories(config, tmp_path, last_cutoff=last).purchases.count().execute() == 3
            return
        with pytest.raises(HistoriesError, match=r"purchases\.event_time: .*2024-08-30"):
            read_histories(config, tmp_path)
        later = read_histories(config, tmp_path, last_cutoff=pd.Timestamp("2024-06-02"))
        assert later.purchases.count().execute() == 3

    def test_where_one_stands_in_the_past_histories_may_go_on_until_today(self, read, tmp_path):
        config, today = read(self.text()), pd.Timestamp.now(tz="UTC")
        for days, refused in ((0, False), (1, False), (3, True)):
            (tmp_path / "purchases.csv").write_text(
                self.BILLS + f"4,{today + pd.Timedelta(days=days):%Y-%m-%d},1.0,1\n"
            )
            if refused:
                with pytest.raises(HistoriesError, match="1 row is dated at or after"):
                    read_histories(config, tmp_path)
            else:
                assert read_histories(config, tmp_path).purchases.count().execute() == 3

    @pytest.mark.parametrize(("last", "days"), [("2024-08-29", None), ("2024-08-30", 91)])
    def test_a_score_cutoff_in_the_past_is_noted(self, read, tmp_path, last, days):
        """90 days from 1 June 2024 are over at the end of 29 August."""
        (tmp_path / "purchases.csv").write_text(self.BILLS + f"4,{last},1.0,1\n")
        config = read(self.text())
        said = setting_of(config).goes_on(read_histories(config, tmp_path), config.score_cutoff)
        assert said == (
            f"The score cutoff 2024-06-01 lies {days} days before the end of what was recorded: clients are scored as "
            "they stood then." if days else ""
        )  # fmt: skip

    def test_what_is_joined_is_relative_to_the_folder_too(self, read, tmp_path):
        (tmp_path / "purchases.csv").write_text(self.BILLS)
        (tmp_path / "customers.csv").write_text("number,name,plan\n1,Kim,a\n2,Ann,b\n")
        (tmp_path / "plans.csv").write_text("plan,web\na,web\nb,shop\n")
        join = '[[data.purchases.join]]\npath = "customers.csv"\non = "customer"\nkey = "number"\n'
        join += '[[data.purchases.join]]\npath = "plans.csv"\non = "plan"\n[data.purchases.columns]\nchannel = "web"\n'
        config = read(self.text().replace("[data.purchases.columns]\n", join))
        histories = read_histories(config, tmp_path)
        assert histories.rows_of("purchases", ["channel"]).to_pylist() == [{"channel": "web"}, {"channel": "shop"}]
        assert histories.notes == ()

    def test_a_missing_file_is_a_problem_of_its_table(self, read, tmp_path):
        with pytest.raises(HistoriesError, match="purchases: there is no file"):
            read_histories(read(self.text()), tmp_path)


def test_words_for_a_section_in_an_optional_table():
    assert config_module._section_at(["data", "offers"]) is config_module.TableConfig
    assert config_module._section_at([]) is Config


class TestParametersOfTheModels:
    def test_what_is_not_given_is_left_to_the_models(self, read):
        assert (read(GOOD).churn.given(), read(GOOD).value.given()) == ({}, {})
        config = read(GOOD + '[churn]\nlearning_rate = 0.05\n[value]\nlaw = "tweedie"\nnum_leaves = 5\n')
        assert config.churn.given() == {"learning_rate": 0.05}
        assert config.value.given() == {"law": "tweedie", "num_leaves": 5}

    def test_the_laws_and_names_are_those_of_the_models(self):
        laws = config_module.ValueConfig.model_fields["law"].annotation
        assert set(get_args(get_args(laws)[0])) == set(get_args(Law))
        complete = ModelParameters().complete()
        assert set(config_module.TreesConfig.model_fields) == set(complete.churn)
        assert set(config_module.ValueConfig.model_fields) == set(complete.value)
        assert config_module.ValueConfig(**complete.value).given() == complete.value

    @pytest.mark.parametrize(
        "line",
        [
            "num_leaves = 1",
            "num_leaves = 7.0",
            "n_estimators = 0",
            "learning_rate = 0",
            "learning_rate = nan",
            'learning_rate = "0.1"',
            "min_child_samples = true",
        ],
    )
    def test_senseless_ones_are_refused(self, complaints, line):
        (said,) = complaints(GOOD + f"[churn]\n{line}\n")
        assert said.startswith(f"churn.{line.split(' ')[0]}: ")

    def test_an_unknown_law_is_refused(self, complaints):
        (said,) = complaints(GOOD + '[value]\nlaw = "normal"')
        assert "'gamma', 'lognormal' or 'tweedie'" in said

    def test_terms_of_the_long_run_are_those_of_the_outlook(self, read):
        assert read(GOOD).long_run.given() == {}
        config = read(GOOD + "[long_run]\nyears = 5\ndiscount_rate = 0.08\nmargin = 0.3\n")
        assert config.long_run.given() == {"years": 5.0, "discount_rate": 0.08, "margin": 0.3}
        assert asdict(LongRunTerms(**config.long_run.given())) == config.long_run.given()
        assert set(config_module.LongRunConfig.model_fields) == set(asdict(LongRunTerms()))

    @pytest.mark.parametrize(
        "line",
        [
            "years = 0",
            "years = 21",
            "years = nan",
            'years = "3"',
            "discount_rate = -0.1",
            "discount_rate = inf",
            "margin = 0",
            "margin = 1.01",
            "margin = true",
        ],
    )
    def test_senseless_terms_are_refused(self, complaints, line):
        (said,) = complaints(GOOD + f"[long_run]\n{line}\n")
        assert said.startswith(f"long_run.{line.split(' ')[0]}: ")

    def test_quotes_are_shown_unless_told_otherwise(self, complaints, read):
        assert read(GOOD).report.quotes
        assert not read(GOOD + "[report]\nquotes = false").report.quotes
        (said,) = complaints(GOOD + "[report]\nquotes = 0")
        assert said.startswith("report.quotes: ")
        assert "valid boolean" in said

    def test_cutoffs_to_tune_at_are_dates_each_once(self, complaints, read):
        assert read(GOOD + "[tune]\ncutoffs = [2023-06-01]").tune.cutoffs == ["2023-06-01"]
        assert complaints(GOOD + '[tune]\ncutoffs = ["2023-06-01", "2023-06-01"]') == [
            "`tune.cutoffs` holds 2023-06-01 twice."
        ]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    question=texts,
    path=texts,
    columns=st.dictionaries(texts, texts, max_size=3),
    features=st.none() | st.lists(texts, min_size=1, max_size=3),
    seed=st.integers(0, 2**31 - 1),
    rate=st.none() | st.floats(0, 1, exclude_min=True),
    joins=st.lists(st.fixed_dictionaries({"path": texts, "on": texts}, optional={"key": texts}), max_size=2),
)
def test_a_config_written_is_read_back_the_same(tmp_path_factory, question, path, columns, features, seed, rate, joins):
    given_ = {"question": question, "seed": seed, "features": features, "churn": {"learning_rate": rate}}
    given_ |= {"data": {"purchases": {"path": path, "columns": columns, "join": joins}}, "outcome": {"horizon": "90d"}}
    config = Config.model_validate(given_ | {"cutoffs": {"test": ["2024-01-01"], "score": "2024-06-01"}})
    file = tmp_path_factory.mktemp("config") / "written.toml"
    file.write_text(config_text(config), encoding="utf-8")
    assert read_config(file) == config
