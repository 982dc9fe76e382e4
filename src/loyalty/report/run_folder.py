"""What a run left behind: metrics, back-test predictions and scores, checked once before anything is drawn."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loyalty.files import BACKTEST_FILE, METRICS_FILE, SCORES_FILE
from loyalty.wording import Language

Kind = Literal["non-contractual", "contractual"]

BACKTEST_COLUMNS = ("client_id", "cutoff", "churn_probability")
SCORES_COLUMNS = (
    "client_id", "churn_probability", "expected_value", "amount_sum_365d", "value_at_risk", "too_little_history",
    "segment", "loyalty_score",
)  # fmt: skip


class _Record(BaseModel):
    """A part of ``metrics.json``; parts this page does not know are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Measure(_Record):
    """One number by which one model was judged at one test cutoff."""

    model: str
    cutoff: datetime
    metric: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None


class Gain(_Record):
    """Share of leavers found against share of clients contacted, over the test cutoffs."""

    contacted: list[float]
    found_mean: list[float]
    found_low: list[float]
    found_high: list[float]


class CalibrationBin(_Record):
    """Clients of similar predicted risk, and how many of them left."""

    predicted: float
    observed: float
    clients: int


class Strength(_Record):
    """How far something moves the predicted risk on average, with bounds: log-odds, and percentage points."""

    mean_abs_shap: float | None = None
    lower_shap: float | None = None
    upper_shap: float | None = None
    effect_pp: float | None = None
    lower_pp: float | None = None
    upper_pp: float | None = None
    share: float | None = None
    clients: int | None = None


class Driver(Strength):
    """A feature, or the strongest of a family."""

    driver: str = ""
    feature: str
    theme: str = ""
    actionable: bool = False
    meaning_en: str | None = None
    meaning_ko: str | None = None
    direction: int = 0
    level: str | None = None


class SegmentDriver(Driver):
    """The same within one segment."""

    segment: str


class CutoffDriver(Driver):
    """The same at one cutoff, by that cutoff's own model."""

    cutoff: datetime
    rank: int
    best_rank: int
    worst_rank: int


class Theme(Strength):
    """The drivers of one theme together."""

    theme: str
    drivers: int
    strongest: str | None = None
    actionable_share: float | None = None


class Action(Strength):
    """What can be acted upon, or cannot, together."""

    actionable: bool
    drivers: int
    strongest: str | None = None


class Stability(_Record):
    """The drivers of a cutoff beside those of the one before."""

    cutoff: datetime
    previous: datetime
    drivers: int
    rank_correlation: float | None = None
    common_share: float | None = None
    stability: Literal["steady", "shifting", "unsteady"] | None = None


class Composition(_Record):
    """Mean risk in percent of those who stand at both cutoffs, came or went, and what it did to the mean of all."""

    standing: Literal["both", "new", "gone", "all"]
    clients: int
    before_pp: float | None = None
    after_pp: float | None = None
    effect_pp: float | None = None


class Change(_Record):
    """What a theme or driver did to the mean risk of those who stand at both cutoffs: log-odds, percentage points."""

    theme: str
    driver: str | None = None
    feature: str | None = None
    actionable: bool | None = None
    meaning_en: str | None = None
    meaning_ko: str | None = None
    change_shap: float
    lower_shap: float | None = None
    upper_shap: float | None = None
    change_pp: float
    lower_pp: float | None = None
    upper_pp: float | None = None
    raised_share: float
    clients: int


class Changed(_Record):
    """What changed in the risk since an earlier cutoff."""

    since: datetime
    days: int
    composition: list[Composition] = Field(default_factory=list)
    themes: list[Change] = Field(default_factory=list)
    drivers: list[Change] = Field(default_factory=list)


class Total(_Record):
    """What all clients, or those of a segment, come to together, and between which two amounts."""

    segment: str
    clients: int
    expected: float
    lower: float
    upper: float


class Staying(_Record):
    """Which share of the clients is expected to stay for so many days."""

    days: int
    share: float


class LongRun(_Record):
    """What the clients come to beyond the horizon, and on which terms; no value where it could not be learned."""

    years: float
    discount_rate: float
    margin: float
    value: float | None = None
    staying: list[Staying] = Field(default_factory=list)


class Kept(_Record):
    """How often spend lay within its interval at one test cutoff, and where the total came out."""

    cutoff: datetime
    coverage: float
    clients: int
    value: float
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None


class Hindsight(_Record):
    """What was told of so many days beyond a past cutoff, naively and by the models, and what came."""

    cutoff: datetime
    clients: int
    figure: Literal["value", "staying"]
    days: int
    told: float
    naive: float | None = None
    came: float


class CameBack(_Record):
    """How many left within a past horizon, from which day on, and which share of them came back within the year."""

    since: datetime
    left: int
    share: float


class Cuts(_Record):
    """Where the segments of value and risk are cut."""

    value: tuple[float, float]
    risk: tuple[float, float]


class Yardsticks(_Record):
    """What clients are measured by beside the models."""

    value_risk: Cuts


class Move(_Record):
    """Clients who were in one segment and are in another, or still in it."""

    start: str = Field(alias="from")
    to: str
    clients: int
    value_before: float = 0.0
    value_after: float = 0.0


class Movement(_Record):
    """Who moved between segments since an earlier cutoff."""

    since: datetime
    days: int
    loyalty_score: float | None = None
    segment: list[Move] = Field(default_factory=list)
    rfm_segment: list[Move] = Field(default_factory=list)


class TableFacts(_Record):
    """What one table of the histories held."""

    table: str
    rows: int
    clients: int
    first: str
    last: str
    refunds: int = 0
    duplicates: int = 0
    longest_gap_days: int = 0
    columns: str = ""


class ModelFacts(_Record):
    """What the models for scoring are made of."""

    training_rows: int
    training_cutoffs: list[datetime]
    features: dict[str, int]
    churn: dict[str, Any]
    monotone: dict[str, int] | None = None
    value: dict[str, Any]
    calibration: dict[str, float]


class GroupFigure(_Record):
    """One figure of the models in one group of clients, over the test cutoffs."""

    grouping: str
    group: str
    metric: str
    value: float | None
    lower: float | None = None
    upper: float | None = None


class Difference(_Record):
    """How much better the models are than a baseline, at one cutoff or, where there is none, in the mean."""

    baseline: str
    metric: str
    cutoff: datetime | None
    better: str
    difference: float | None
    lower: float | None
    upper: float | None


class VoiceTheme(_Record):
    """What some clients write about, and what goes with it; each text in `quotes` is masked."""

    theme: int
    words: list[str]
    texts: int
    clients: int
    share: float
    share_before: float | None = None
    change: float | None = None
    mood: float | None = None
    scored: int = 0
    churn_probability: float | None = None
    churn_probability_others: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    value_at_risk: float | None = None
    value_share: float | None = None
    quotes: list[str] = Field(default_factory=list)


class Voice(_Record):
    """What clients write about, in the days before the score cutoff."""

    since: datetime
    days: int
    themes: list[VoiceTheme] = Field(default_factory=list)


class AlertLimits(_Record):
    """From how many days, and how many offers in 30 days, a client is listed."""

    reply_days: float
    many_offers: int


class AlertKind(_Record):
    """The clients with one kind of alert; in the last one, ``any``, each counts once."""

    kind: str
    clients: int
    share: float | None = None
    value_at_risk: float = 0.0
    value_share: float | None = None
    age_days_max: float | None = None
    age_days_median: float | None = None


class Alerts(_Record):
    """Whom the company is failing: feedback unanswered, silence after a problem, too many promotions."""

    limits: AlertLimits
    kinds: list[AlertKind] = Field(default_factory=list)


class Metrics(_Record):
    """``metrics.json`` of a run; only what the page cannot do without is required."""

    question: str = ""
    kind: Kind = "non-contractual"
    horizon_days: int
    gap_days: int = 0
    active_days: int | None = None
    currency: str | None = None
    language: Language = "en"
    score_cutoff: datetime
    test_cutoffs: list[datetime] = Field(default_factory=list)
    seed: int | None = None
    backtest: list[Measure] = Field(default_factory=list)
    gain: Gain | None = None
    calibration: list[CalibrationBin] = Field(default_factory=list)
    drivers: list[Driver] = Field(default_factory=list)
    themes: list[Theme] = Field(default_factory=list)
    actionable: list[Action] = Field(default_factory=list)
    drivers_by_segment: list[SegmentDriver] = Field(default_factory=list)
    drivers_over_time: list[CutoffDriver] = Field(default_factory=list)
    driver_stability: list[Stability] = Field(default_factory=list)
    changed: Changed | None = None
    totals: dict[str, list[Total]] = Field(default_factory=dict)
    long_run: LongRun | None = None
    intervals: list[Kept] = Field(default_factory=list)
    hindsight: list[Hindsight] = Field(default_factory=list)
    came_back: CameBack | None = None
    yardsticks: Yardsticks | None = None
    movement: Movement | None = None
    comparison: list[Difference] = Field(default_factory=list)
    data: list[TableFacts] = Field(default_factory=list)
    model: ModelFacts | None = None
    groups: list[GroupFigure] = Field(default_factory=list)
    voice: Voice | None = None
    alerts: Alerts | None = None
    notes: list[str | dict[str, str]] = Field(default_factory=list)
    btyd: dict[str, Any] | None = None
    data_fingerprint: str = ""
    label_fingerprint: str = ""
    versions: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class RunFolder:
    """The three files of a run that the page is made from, and whether it may name clients and count few of them."""

    metrics: Metrics
    backtest: pd.DataFrame
    scores: pd.DataFrame
    clients: bool = True


def read_run_folder(out: str | Path) -> RunFolder:
    """Read and check what a run left in `out`.

    Parameters
    ----------
    out : str or Path
        Folder written by ``loyalty run`` or ``loyalty demo``.

    Returns
    -------
    RunFolder
        Metrics, back-test predictions and scores.

    Raises
    ------
    FileNotFoundError
        If one of the three files is missing.
    ValueError
        If a file cannot be read, lacks a column or holds a probability
        outside 0 to 1.
    """
    folder = Path(out)
    missing = [name for name in (METRICS_FILE, BACKTEST_FILE, SCORES_FILE) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"`out` must be the folder of a finished run; {str(folder)!r} lacks {', '.join(missing)}. "
            "Make one with `loyalty run CONFIG --data DIR --out OUT`."
        )
    return RunFolder(
        metrics=read_metrics(folder / METRICS_FILE),
        backtest=_read_table(folder / BACKTEST_FILE, columns=BACKTEST_COLUMNS),
        scores=_read_table(folder / SCORES_FILE, columns=SCORES_COLUMNS),
    )


def read_metrics(path: Path) -> Metrics:
    """Read and check ``metrics.json``.

    Raises
    ------
    ValueError
        If it is not JSON, or does not hold what it should.
    """
    try:
        return Metrics.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{path.name}: {where!r}: {first['msg']}; got {first['input']!r:.80}. Run `loyalty run` again."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path.name} must be JSON in UTF-8: {error}. Run `loyalty run` again.") from error


def _read_table(path: Path, *, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} must be a Parquet file: {error}. Run `loyalty run` again.") from error
    table = table.reset_index() if "client_id" in table.index.names else table
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise ValueError(
            f"{path.name} lacks {', '.join(lacking)}; it holds {', '.join(map(str, table.columns))}. "
            "Run `loyalty run` again."
        )
    wrong = ~table["churn_probability"].between(0.0, 1.0)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ValueError(
            f"{path.name}: `churn_probability` must lie between 0 and 1; row {row} holds "
            f"{table['churn_probability'].iloc[row]!r}. Run `loyalty run` again."
        )
    return table
