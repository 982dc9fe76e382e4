"""The config of an experiment: a TOML file, checked to the last key before any data is read."""

import glob
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from loyalty.histories import TABLES, Histories, Join, OutcomeKind
from loyalty.histories.expressions import nearest
from loyalty.timeline import ROWS_AT_MOST, Outcome, as_cutoffs, as_duration, as_instant

__all__ = ["Config", "ConfigError", "config_text", "read_config", "read_histories"]


class ConfigError(ValueError):
    """Everything that is wrong with a config, in one error."""


def _date(value: Any) -> str:
    """Write a date or time in one way; the error names its key."""
    try:
        instant = as_instant(value, name="")
    except ValueError as error:
        raise ValueError(str(error).removeprefix("`` ")) from error
    return f"{instant:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")


def _duration(value: object) -> str:
    """Write a length of time in days; the error names its key."""
    if not isinstance(value, str):  # a bare number would be nanoseconds
        raise ValueError(f"must be a number of days or weeks such as '90d' or '13w'; got {value!r}.")
    try:
        return f"{as_duration(value, name='').days}d"
    except ValueError as error:
        raise ValueError(str(error).removeprefix("`` ")) from error


def _sections(value: object) -> object:
    """Tell that sections of one name stand in double brackets; the error names their key."""
    if not isinstance(value, list) or not all(isinstance(item, Mapping | BaseModel) for item in value):
        raise ValueError(f"must be sections, each with its name in double brackets above it; got {value!r}.")
    return value


Date = Annotated[str, BeforeValidator(_date)]
Length = Annotated[str, BeforeValidator(_duration)]
#: A whole number; not a flag or a text that could be read as one.
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True)]
#: LightGBM's seeds have 31 bits.
_LARGEST_SEED = 2**31 - 1


class _Section(BaseModel):
    """A part of the config; a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JoinConfig(_Section):
    """Where a file is whose columns stand beside those of a table, and what the rows of both have in common."""

    path: str
    on: str
    key: str | None = None


class TableConfig(_Section):
    """Where one table is, and how it says what we ask."""

    path: str
    where: str | None = None
    join: Annotated[list[JoinConfig], BeforeValidator(_sections)] = Field(default_factory=list)
    columns: dict[str, str] = Field(default_factory=dict)


class DataConfig(_Section):
    """The tables of the histories, and up to when they were recorded (the midnight after the last purchase if None)."""

    observed_until: Date | None = None
    purchases: TableConfig
    clients: TableConfig | None = None
    contacts: TableConfig | None = None
    offers: TableConfig | None = None
    rewards: TableConfig | None = None
    contracts: TableConfig | None = None
    events: TableConfig | None = None

    def tables(self) -> dict[str, TableConfig]:
        """Name the tables that are given."""
        named = {name: getattr(self, name) for name in TABLES}
        return {name: table for name, table in named.items() if table is not None}


class OutcomeConfig(_Section):
    """What is predicted, and for whom."""

    kind: OutcomeKind = "non-contractual"
    horizon: Length
    gap: Length = "0d"
    active: Length | None = None


class CutoffsConfig(_Section):
    """Where we stand: to test, to score, and to learn."""

    test: list[Date]
    score: Date
    every: Length = "30d"
    first: Date | None = None
    at_most: Whole = Field(default=24, ge=1)
    rows_at_most: Whole = Field(default=ROWS_AT_MOST, ge=1)


class TreesConfig(_Section):
    """The trees of a model; what is not given is as `ChurnModel` and `ValueModel` have it."""

    num_leaves: Whole | None = Field(default=None, ge=2, le=131_072)
    n_estimators: Whole | None = Field(default=None, ge=1)
    learning_rate: Real | None = Field(default=None, gt=0, le=1)
    min_child_samples: Whole | None = Field(default=None, ge=1)

    def given(self) -> dict[str, Any]:
        """Return what is given, by the names that the models use."""
        return self.model_dump(exclude_none=True)


class ValueConfig(TreesConfig):
    """The trees of spend, and its law."""

    law: Literal["gamma", "lognormal", "tweedie"] | None = None


class LongRunConfig(_Section):
    """For how long value is counted, and what waiting costs; what is not given is as `LongRunTerms` has it."""

    years: Real | None = Field(default=None, gt=0, le=20)
    discount_rate: Real | None = Field(default=None, ge=0, allow_inf_nan=False)
    margin: Real | None = Field(default=None, gt=0, le=1)

    def given(self) -> dict[str, Any]:
        """Return what is given, by the names of the terms."""
        return self.model_dump(exclude_none=True)


class TuneConfig(_Section):
    """Where `loyalty tune` stands; the latest origins before the test cutoffs if None."""

    cutoffs: list[Date] | None = None


class CardConfig(_Section):
    """For which attributes of clients, columns of the table clients, the model card tells how the models do."""

    attributes: list[str] = Field(default_factory=list)


class ReportConfig(_Section):
    """What of the run its page shows."""

    quotes: bool = Field(default=True, strict=True)


class Config(_Section):
    """One experiment.

    Attributes
    ----------
    question : str
        What the company wants to know; it heads the report.
    seed : int
        Of everything random.
    currency : str or None
        Sign or code to show with money, as ``"£"`` or ``"KRW"``.
    language : {"en", "ko"}
        Of the report.
    features : list of str or None
        Names of the catalogue to use; all that the data allow if None.
    feature_modules : list of str
        Python files (a relative path counts from the config's folder) or modules with features of your own. The
        command line runs them, so that they join the catalogue; from Python, import yours yourself.
    data, outcome, cutoffs, churn, value, long_run, tune, card, report
        The sections.
    """

    question: str
    seed: Whole = Field(default=0, ge=0, le=_LARGEST_SEED)
    currency: str | None = None
    language: Literal["en", "ko"] = "en"
    features: list[str] | None = Field(default=None, min_length=1)
    feature_modules: list[str] = Field(default_factory=list)
    data: DataConfig
    outcome: OutcomeConfig
    cutoffs: CutoffsConfig
    churn: TreesConfig = TreesConfig()
    value: ValueConfig = ValueConfig()
    long_run: LongRunConfig = LongRunConfig()
    tune: TuneConfig = TuneConfig()
    card: CardConfig = CardConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        Outcome.of(horizon=self.outcome.horizon, gap=self.outcome.gap)
        as_cutoffs(self.cutoffs.test, name="cutoffs.test")
        if self.tune.cutoffs is not None:
            as_cutoffs(self.tune.cutoffs, name="tune.cutoffs")
        days = [f"{cutoff:%Y-%m-%d}" for cutoff in self.test_cutoffs]
        twice = [day for day in days if days.count(day) > 1]
        if twice:
            raise ValueError(f"[cutoffs] test: two cutoffs are on {twice[0]}; a run tells cutoffs apart by their day.")
        late = [cutoff for cutoff in self.cutoffs.test if as_instant(cutoff, name="test") > self.score_cutoff]
        if late:
            raise ValueError(f"[cutoffs] test: {late[0]} lies after the score cutoff {self.cutoffs.score}.")
        if self.outcome.kind == "contractual" and self.data.contracts is None:
            raise ValueError("[outcome] kind: 'contractual' needs the table [data.contracts].")
        if self.card.attributes and self.data.clients is None:
            raise ValueError("[card] attributes: they are columns of the table [data.clients], which is not given.")
        return self

    @property
    def score_cutoff(self) -> pd.Timestamp:
        """The cutoff that clients are scored at."""
        return as_instant(self.cutoffs.score, name="cutoffs.score")

    @property
    def test_cutoffs(self) -> tuple[pd.Timestamp, ...]:
        """The cutoffs of the backtest, in order."""
        return as_cutoffs(self.cutoffs.test, name="cutoffs.test")


def read_config(path: str | Path) -> Config:
    r"""Read and check a config.

    Raises
    ------
    ConfigError
        If there is no such file, it is not TOML, or keys are unknown, missing or of the wrong kind: all at once.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "shop.toml"
    ...     text = '[data.purchases]\npath = "p.csv"\n[outcome]\nhorizn = "90d"\n'
    ...     _ = file.write_text('question = "Who leaves?"\n' + text + '[cutoffs]\ntest = []\nscore = 2024-01-01\n')
    ...     read_config(file)
    Traceback (most recent call last):
    ...
    loyalty.config.ConfigError: shop.toml cannot be used:
      1. [outcome]: unknown key 'horizn'. Did you mean 'horizon'?
    """
    path = Path(path)
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"there is no config {str(path)!r}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not TOML: {error}.") from error
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        listed = "\n".join(f"  {number}. {said}" for number, said in enumerate(_say_all(error), 1))
        raise ConfigError(f"{path.name} cannot be used:\n{listed}") from error


def _say_all(error: ValidationError) -> list[str]:
    """Put pydantic's findings in words; a key that was misspelt is not missing as well."""
    found = error.errors(include_url=False)
    said = {problem["loc"]: _say(problem) for problem in found if problem["type"] != "missing"}
    for *section, key in (problem["loc"] for problem in found if problem["type"] == "missing"):
        misspelt = any(loc[:-1] == tuple(section) and f"mean {key!r}?" in text for loc, text in said.items())
        if not misspelt:
            said[(*section, key)] = f"{_section_name(section)} lacks the key {key!r}."
    return list(said.values())


def _say(problem: Any) -> str:
    *section, key = problem["loc"] or ("",)
    if problem["type"] == "extra_forbidden":
        return f"{_section_name(section)}: unknown key {key!r}. {nearest(key, list(_section_at(section).model_fields))}"
    if problem["type"] == "model_type":
        return f"{'.'.join(problem['loc'])} must be a section, [{'.'.join(problem['loc'])}]; got {problem['input']!r}."
    place = ".".join(str(part) for part in problem["loc"])
    rule = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{place}: {rule}" if place else rule
    return f"{place}: {rule}; got {problem['input']!r}."


def _section_name(section: Sequence[object]) -> str:
    """Name a section as TOML does; of sections in a list, which one, counted from 1."""
    if not section:
        return "the config"
    if isinstance(section[-1], int):
        return f"[[{'.'.join(str(part) for part in section[:-1])}]] {section[-1] + 1}"
    return f"[{'.'.join(str(part) for part in section)}]"


def _section_at(names: Sequence[str | int]) -> type[_Section]:
    """Find the section that stands under these names; those of a list are all of one kind."""
    section: type[_Section] = Config
    for name in names:
        if isinstance(name, int):
            continue
        annotation = section.model_fields[name].annotation
        kinds = (annotation, *get_args(annotation))
        section = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, _Section))
    return section


def config_text(config: Config) -> str:
    r"""Write a config as TOML, which `read_config` reads back as the same; what was never given is left out.

    Examples
    --------
    A path of Windows stands as it was:

    >>> config = Config.model_validate(
    ...     {
    ...         "question": "Who leaves?",
    ...         "data": {"purchases": {"path": "C:\\bills.csv"}},
    ...         "outcome": {"horizon": "90d"},
    ...         "cutoffs": {"test": ["2024-01-01"], "score": "2024-06-01"},
    ...     }
    ... )
    >>> Config.model_validate(tomllib.loads(config_text(config))) == config
    True
    """
    given = config.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    return "\n".join(_lines(given)) + "\n"


def _lines(section: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """Write the keys of a section, then the sections within it."""
    yield from (f"{_key(key)} = {_value(value)}" for key, value in section.items() if not isinstance(value, Mapping))
    for key, value in section.items():
        if isinstance(value, Mapping):
            below = f"{name}.{_key(key)}".removeprefix(".")
            yield from ("", f"[{below}]")
            yield from _lines(value, below)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    """Write a text, a number, a flag, or a list of texts or sections; JSON differs only in the character DEL."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        sections = [", ".join(f"{_key(key)} = {_value(item)}" for key, item in section.items()) for section in value]
        return f"[{', '.join(f'{{ {section} }}' for section in sections)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _located(data: str | Path, path: str) -> str:
    """Join the folder and a table's path; only the path may be a pattern."""
    return str(Path(glob.escape(str(data)) if glob.has_magic(path) else data) / path)


def _tomorrow() -> pd.Timestamp:
    """Tell from when on nothing can have happened yet, in whatever zone it was written down."""
    return pd.Timestamp.now(tz="UTC").tz_localize(None).normalize() + pd.Timedelta(days=2)


def read_histories(
    config: Config, data: str | Path, *, last_cutoff: pd.Timestamp | None = None, memory: str | None = None
) -> Histories:
    """Read the histories of a config.

    Rows dated after today and beyond the last cutoff's horizon are refused as future-dated. Where one stands in the
    past, the histories may go on.

    Parameters
    ----------
    config : Config
        Says where the tables are and how to map them.
    data : str or Path
        The folder that relative paths count from.
    last_cutoff : Timestamp, optional
        The last cutoff they are read for; by default the config's score cutoff.
    memory : str, optional
        As for `Histories`.

    Raises
    ------
    HistoriesError
        Listing every problem of every table.
    """
    tables = config.data.tables()
    reach = Outcome.of(horizon=config.outcome.horizon, gap=config.outcome.gap).reach
    return Histories(
        **{name: _located(data, table.path) for name, table in tables.items()},
        columns={name: table.columns for name, table in tables.items()},
        where={name: table.where for name, table in tables.items() if table.where is not None},
        join={
            name: [Join(_located(data, join.path), on=join.on, key=join.key) for join in table.join]
            for name, table in tables.items()
        },
        observed_until=config.data.observed_until,
        memory=memory,
        future_from=max(_tomorrow(), max(config.score_cutoff, last_cutoff or config.score_cutoff) + reach),
    )
