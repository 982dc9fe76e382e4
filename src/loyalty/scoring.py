"""Scoring: the served bundle, a folder of text and JSON that turns histories into scores, the same everywhere."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pandas as pd

from loyalty.alerts import alert_list, missing_alerts
from loyalty.config import Config, read_histories
from loyalty.explanation import reason_codes
from loyalty.features import CATALOGUE, Learned
from loyalty.features.catalogue import missing
from loyalty.files import replace_file, write_table
from loyalty.fitting import Fitted
from loyalty.histories import Histories
from loyalty.loyalty_scores import LOYALTY_FEATURES, loyalty_score
from loyalty.models.churn import ChurnModel
from loyalty.models.outlook import OUTLOOK_FILES, Outlook
from loyalty.models.uncertainty import HISTORY_FEATURES, Uncertainty, too_little_history, value_at_risk
from loyalty.models.value import ValueModel
from loyalty.panels import Panels
from loyalty.segments import (
    RFM_FEATURES,
    USUAL_GAP,
    RfmCuts,
    ValueRiskCuts,
    pays_by_bill,
    rfm_segments,
    value_risk_segments,
)
from loyalty.setting import Setting
from loyalty.timeline import Instant, as_instant
from loyalty.wording import Language

__all__ = ["Bundle", "Yardsticks", "load", "measurable", "score_file"]

_FORMAT = 16
#: Without it a folder is no bundle.
MANIFEST = "bundle.json"
#: What the features' own models learned; not there where no feature asks one.
LEARNED = "learned.json"
REASONS = 3
#: Plain text, as this pandas has it.
_TEXT = pd.Index([""]).dtype


def measurable(histories: Histories) -> list[str]:
    """Name the features of the loyalty score and the segments that the tables and columns of these histories allow."""
    wanted = dict.fromkeys((*HISTORY_FEATURES, *RFM_FEATURES, USUAL_GAP, *LOYALTY_FEATURES))
    return [name for name in wanted if not missing(histories, CATALOGUE[name])]


@dataclass(frozen=True)
class Yardsticks:
    """What clients are measured by beside the models, kept so that scores of different cutoffs compare.

    Attributes
    ----------
    features : tuple of str
        What the loyalty score and the segments are made from; a score asks for these and no others, since the loyalty
        score would move when a part of it becomes known.
    value_risk : ValueRiskCuts
        Between the segments of value and risk, in the money and of the horizon of the models.
    rfm : RfmCuts or None
        Between the segments of recency, frequency and monetary value; None where nobody had bought, what they are
        made from was not there, or clients pay by bill: there recency is nothing that a client does.
    """

    features: tuple[str, ...]
    value_risk: ValueRiskCuts
    rfm: RfmCuts | None

    @classmethod
    def at(cls, panel: pd.DataFrame, predicted: pd.DataFrame, *, active: pd.Timedelta | None) -> Self:
        """Cut the clients who stand at one cutoff, active for so long, in a panel and as the models predict them."""
        wanted = dict.fromkeys((*HISTORY_FEATURES, *RFM_FEATURES, *LOYALTY_FEATURES))
        features = tuple(name for name in wanted if name in panel)
        bought = set(RFM_FEATURES) <= set(features) and panel["days_since_last"].notna().any()
        rfm = RfmCuts.fit(panel) if bought and not pays_by_bill(panel, active=active) else None
        return cls(features, ValueRiskCuts.fit(predicted), rfm)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON, for `from_dict` to read."""
        return {
            "features": list(self.features),
            "value_risk": asdict(self.value_risk),
            "rfm": None if self.rfm is None else asdict(self.rfm),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned."""
        rfm = None if kept["rfm"] is None else RfmCuts(**{name: tuple(cuts) for name, cuts in kept["rfm"].items()})
        value_risk = ValueRiskCuts(**{name: tuple(cuts) for name, cuts in kept["value_risk"].items()})
        return cls(tuple(kept["features"]), value_risk, rfm)


@dataclass(frozen=True)
class Bundle:
    """The models, and all that is needed to use them on new histories; no client is in it.

    Attributes
    ----------
    churn, value : ChurnModel, ValueModel
        Fitted.
    uncertainty : Uncertainty
        How far they may be off.
    outlook : Outlook
        How what they expect goes on beyond the horizon.
    yardsticks : Yardsticks
        Where the segments are cut, and what the loyalty score is made from.
    setting : Setting
        Outcome and population the models were fitted for.
    learned : Learned or None
        The models that some features ask; None if none of them could be fitted.
    about : mapping
        Plain facts to keep with it: the question, the config, the fingerprints.

    See Also
    --------
    loyalty.load : Reads what `save` wrote.
    """

    churn: ChurnModel
    value: ValueModel
    uncertainty: Uncertainty
    outlook: Outlook
    yardsticks: Yardsticks
    setting: Setting
    learned: Learned | None
    about: Mapping[str, Any]

    @classmethod
    def of(cls, fitted: Fitted, panel: pd.DataFrame, setting: Setting, about: Mapping[str, Any]) -> Self:
        """Put fitted models and their setting together, and cut the segments.

        Parameters
        ----------
        fitted : Fitted
            The models, with an outlook.
        panel : DataFrame
            Who stands at the cutoff they are for, with the features of the models and what is `measurable`.
        setting : Setting
            What they were fitted for.
        about : mapping
            Plain facts to keep.

        Raises
        ------
        ValueError
            If the models have no outlook.
        """
        if fitted.outlook is None:
            raise ValueError("`fitted` must have an outlook. Fit the models with `long_run`, such as LongRunTerms().")
        yardsticks = Yardsticks.at(panel, fitted.predict(panel), active=setting.active)
        learned = fitted.learned or None
        return cls(fitted.churn, fitted.value, fitted.uncertainty, fitted.outlook, yardsticks, setting, learned, about)

    @property
    def learned_until(self) -> pd.Timestamp | None:
        """Up to when outcomes were learned from, where it is known; earlier scores are no test of the models."""
        said = self.about.get("learned_until")
        return None if said is None else as_instant(said, name="learned_until")

    def score(self, histories: Histories, *, cutoff: Instant, language: Language = "en") -> pd.DataFrame:
        """Score every client that stands at `cutoff`.

        Parameters
        ----------
        histories : Histories
            What is known.
        cutoff : str, date or Timestamp
            Where we stand; only what was known before is used.
        language : {"en", "ko"}
            Of the reasons and the names of segments.

        Returns
        -------
        DataFrame
            One row a client:

            - `client_id`, `cutoff`;
            - `churn_probability`; `expected_value`, net spend within the horizon; `value_lower` and `value_upper`,
              between which it will lie for 90 % of the clients (an expected value is a mean, and may lie outside);
            - `long_run_value`, net spend of the years to come (times the margin, if one was given) in money of today,
              on the terms of the run: see `loyalty.models.outlook.Outlook`; missing where it could not be learned;
            - `alive_probability`, that a client who may buy at any time has not left for good by now; missing in
              contracts, which are in force, and where nothing was ever bought;
            - `median_remaining_days`, by when half of such contracts have ended; missing where more than half outlast
              all that was ever seen, and without contracts, where nobody can see a client leave;
            - `too_little_history`: whether these are the numbers of clients like this one rather than its own, see
              `loyalty.models.uncertainty.too_little_history`;
            - `amount_sum_365d`, net spend of the past year; `value_at_risk`, churn probability times that spend, where
              positive;
            - `segment`, of value and risk, and `rfm_segment`, of recency, frequency and monetary value: see
              `loyalty.segments`; the latter is missing where nobody had bought;
            - `loyalty_score` and its parts, `loyalty_staying` to `loyalty_satisfaction`, 0 to 100, NaN where nothing
              is known: see `loyalty.loyalty_score`; `loyalty_staying` is read from the client's own pace and silence,
              in a contract it is the model's probability of staying;
            - the reasons of `loyalty.reason_codes`.

        Raises
        ------
        ValueError
            If nobody stands at the cutoff, or the histories lack a column that the models learned from.
        """
        instant = as_instant(cutoff, name="cutoff")
        names = list(self.churn.feature_names_in_)
        panels = Panels(histories, self.setting, names, also=self.yardsticks.features)
        panel = panels.at(instant, learned=self.learned)
        if panel.empty:
            raise ValueError(
                f"`cutoff`: no client stands at {instant:%Y-%m-%d}; the first purchase is of "
                f"{histories.first_event:%Y-%m-%d}."
            )
        return self.score_panel(panel, language=language)

    def score_panel(self, panel: pd.DataFrame, *, language: Language = "en") -> pd.DataFrame:
        """Score the rows of a panel that holds the models' features and those of the yardsticks."""
        X = panel[list(self.churn.feature_names_in_)]
        currency = self.about.get("config", {}).get("currency")
        reasons = reason_codes(self.churn, X, top=REASONS, language=language, currency=currency)
        return self.measure_panel(panel, language=language).join(reasons).reset_index()

    def measure_panel(self, panel: pd.DataFrame, *, language: Language = "en") -> pd.DataFrame:
        """Score the rows of a panel without the reasons, which take most of the time; indexed as the panel."""
        X = panel[list(self.churn.feature_names_in_)]
        risk, spend = self.churn.predict_proba(X)[:, 1], panel["amount_sum_365d"]
        reach = self.setting.outcome.reach
        forecast = self.value.forecast(X)
        told = pd.DataFrame({"churn_probability": risk, "expected_value": forecast["expected_value"]})
        told = (
            told.join(self.uncertainty.predict(X, forecast))
            .join(self.outlook.predict(panel, told["expected_value"], risk))
            .assign(
                too_little_history=too_little_history(panel, kind=self.setting.kind, reach=reach),
                amount_sum_365d=spend,
                value_at_risk=value_at_risk(risk, spend),
                segment=_words(
                    value_risk_segments(told, cuts=self.yardsticks.value_risk, language=language)["segment"]
                ),
                rfm_segment=self._rfm(panel, language),
            )
        )
        # From what clients do, so that it moves with them alone; of who stays in a contract, buying tells little.
        staying = risk if self.setting.kind == "contractual" else None
        loyal = loyalty_score(panel[list(self.yardsticks.features)], staying)
        return told.join(loyal.rename(columns=lambda name: f"loyalty_{name.removeprefix('loyalty_')}"))

    def _rfm(self, panel: pd.DataFrame, language: Language) -> pd.Series:
        if self.yardsticks.rfm is None:
            return pd.Series(None, index=panel.index, dtype=_TEXT)
        return _words(rfm_segments(panel, cuts=self.yardsticks.rfm, language=language)["segment"])

    def save(self, folder: str | Path) -> Path:
        """Write the bundle into `folder`: model text and JSON, no pickle.

        The manifest is written last: a folder without ``bundle.json`` is no bundle. It holds a checksum of every other
        text in the folder, so that `load` knows a damaged one.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        retire(folder)
        self.churn.save(folder)
        self.value.save(folder, beside=self.churn)
        self.uncertainty.save(folder)
        self.outlook.save(folder)
        if self.learned is not None:
            (folder / LEARNED).write_text(self.learned.to_text(), encoding="utf-8")
        outcome, first = self.setting.outcome, self.setting.first
        kept = {
            "format": _FORMAT,
            "loyalty": version("loyalty"),
            "setting": {
                "horizon": f"{outcome.horizon.days}d",
                "gap": f"{outcome.gap.days}d",
                "kind": self.setting.kind,
                "active": None if self.setting.active is None else f"{self.setting.active.days}d",
                "every": f"{self.setting.every.days}d",
                "first": None if first is None else first.isoformat(),
                "at_most": self.setting.at_most,
                "rows_at_most": self.setting.rows_at_most,
            },
            "yardsticks": self.yardsticks.to_dict(),
            "about": dict(self.about),
            "files": checksums(folder),
        }
        kept["checksum"] = manifest_checksum(kept)
        text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
        replace_file(folder / MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))
        return folder


def _words(segment: pd.Series) -> pd.Series:
    """Write the names of segments as plain text."""
    return segment.astype(_TEXT)


def checksums(folder: Path) -> dict[str, str]:
    """Tell the SHA-256 of each text of a bundle but its manifest."""
    texts = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".txt"} and path.name != MANIFEST)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in texts}


def manifest_checksum(kept: Mapping[str, Any]) -> str:
    """Tell the SHA-256 of what a manifest says, but for the checksum itself."""
    said = {name: value for name, value in kept.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def retire(folder: Path) -> None:
    """Make what is in a folder no bundle any more, and leave in it nothing that the next one may lack."""
    for name in (MANIFEST, LEARNED, *OUTLOOK_FILES):
        (folder / name).unlink(missing_ok=True)


def score_file(
    bundle: Bundle,
    *,
    data: str | Path,
    cutoff: Instant,
    out: str | Path,
    alerts: str | Path | None = None,
    language: Language = "en",
    stale: bool = False,
) -> pd.DataFrame:
    """Score the histories in a folder, read as the bundle's config says, into a Parquet or CSV file.

    Parameters
    ----------
    bundle : Bundle
        From `load`.
    data : str or Path
        The folder that the config's paths count from.
    cutoff : str, date or Timestamp
        Where we stand.
    out : str or Path
        The file; it is whole or not there.
    alerts : str or Path, optional
        Another such file, for the list of clients the company is failing: see `loyalty.alert_list`.
    language : {"en", "ko"}
        Of the reasons and the names of segments.
    stale : bool, default=False
        Score even if the purchases end long before the cutoff. A night's export that failed makes everybody look
        like a leaver, so this is refused beyond a week, or twice the longest time without a purchase.

    Returns
    -------
    DataFrame
        What was written.

    Raises
    ------
    HistoriesError
        Listing every problem of every table.
    ValueError
        If `out` or `alerts` is neither Parquet nor CSV, both are one file, nobody stands at the cutoff, or the
        purchases are stale.
    """
    wanted = {"out": Path(out)} | ({} if alerts is None else {"alerts": Path(alerts)})
    for name, path in wanted.items():
        if path.suffix not in {".parquet", ".csv"}:
            raise ValueError(f"`{name}` must end in .parquet or .csv; got {path.name!r}.")
    if len({path.resolve() for path in wanted.values()}) < len(wanted):
        raise ValueError(
            f"`alerts` would take the place of `out`: both are {wanted['out'].name!r}. Give it a file of its own."
        )
    config = Config.model_validate(bundle.about["config"])
    instant = as_instant(cutoff, name="cutoff")
    histories = read_histories(config, data, last_cutoff=instant)
    said = histories.staleness(instant, kind=bundle.setting.kind)
    if said and not stale:
        raise ValueError(
            f"{said} Bring newer data, choose an earlier cutoff, or say that it is meant: `stale` (--stale)."
        )
    for note in bundle.setting.reopened(histories, [instant]):
        warnings.warn(note, UserWarning, stacklevel=2)
    learned_until = bundle.learned_until
    if learned_until is not None and instant < learned_until:
        warnings.warn(
            f"the models learned from outcomes up to {learned_until:%Y-%m-%d}: at the cutoff {instant:%Y-%m-%d} they "
            "know what was to come, and look better than they are.",
            UserWarning,
            stacklevel=2,
        )
    buying = bundle.outlook.buying
    if buying is not None and buying.all_came_since(histories.first_event):
        warnings.warn(
            f"the histories begin on {histories.first_event:%Y-%m-%d}, and those that the models learned from began "
            "earlier: every client is taken for one who came since. If older purchases were left out, bring them, or "
            "run the experiment again on what there is.",
            UserWarning,
            stacklevel=2,
        )
    scores = bundle.score(histories, cutoff=instant, language=language)
    tables = {"out": scores}
    if alerts is not None:
        for note in missing_alerts(histories):
            warnings.warn(note, UserWarning, stacklevel=2)
        tables["alerts"] = alert_list(histories, scores, cutoff=instant, kind=bundle.setting.kind)
    for name, path in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(tables[name], path)
    return scores


def load(folder: str | Path) -> Bundle:
    """Read a bundle that a run saved.

    Parameters
    ----------
    folder : str or Path
        ``OUT/model`` of a run, or ``OUT`` itself.

    Raises
    ------
    ValueError
        If there is no bundle, or another version of loyalty wrote it, or a file of it is missing or damaged, or its
        features are not in the catalogue.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists() and (folder / "model" / MANIFEST).exists():
        folder = folder / "model"
    if not (folder / MANIFEST).exists():
        raise ValueError(f"there is no bundle in {str(folder)!r}. Give the folder of a run, or its folder `model`.")
    remedy = "Copy the folder whole, or run the experiment again."
    try:
        kept = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{MANIFEST} of the bundle in {str(folder)!r} is damaged: {error}. {remedy}") from error
    if (found_format := kept.get("format")) != _FORMAT:
        later = isinstance(found_format, int) and found_format > _FORMAT
        raise ValueError(
            f"the bundle in {str(folder)!r} has format {found_format}, of loyalty {kept.get('loyalty')}; this version "
            f"reads format {_FORMAT}. {'Update loyalty, or run' if later else 'Run'} the experiment again."
        )
    if kept.get("checksum") != manifest_checksum(kept):
        raise ValueError(f"{MANIFEST} of the bundle in {str(folder)!r} is not as it was saved. {remedy}")
    found = checksums(folder)
    for name, checksum in kept["files"].items():
        if found.get(name) != checksum:
            what = "is not as it was saved" if name in found else "is missing"
            raise ValueError(f"{name} of the bundle in {str(folder)!r} {what}. {remedy}")
    churn = ChurnModel.load(folder)
    value = ValueModel.load(folder, beside=churn)
    unknown = [name for name in churn.feature_names_in_ if name not in CATALOGUE]
    if unknown:
        raise ValueError(
            f"the models use the feature {unknown[0]!r}, which is not in the catalogue. If it is one of your own, run "
            "its module first: loyalty score ... --module FILE, or import it. Otherwise run the experiment again."
        )
    learned = None
    if (folder / LEARNED).exists():
        learned = Learned.from_text((folder / LEARNED).read_text(encoding="utf-8"))
    return Bundle(
        churn,
        value,
        Uncertainty.load(folder),
        Outlook.load(folder),
        Yardsticks.from_dict(kept["yardsticks"]),
        Setting.of(**kept["setting"]),
        learned,
        kept["about"],
    )
