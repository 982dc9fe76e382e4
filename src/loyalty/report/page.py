"""From a run's tables to the page: its head, its five chapters in order and its foot, then the template."""

from collections.abc import Mapping
from typing import Any

from loyalty.report import action, stake, trust, who, why
from loyalty.report.document import fill_page
from loyalty.report.pieces import Meanings, Section
from loyalty.report.run_folder import Metrics, RunFolder
from loyalty.report.small_cells import SMALLEST
from loyalty.report.text import Speech
from loyalty.wording import Language, shown

LONGEST_QUESTION = 400


def render_page(run: RunFolder, *, language: Language, meanings: Meanings) -> str:
    """Write the page of a run.

    Parameters
    ----------
    run : RunFolder
        What the run left behind.
    language : {"en", "ko"}
        Language of the page.
    meanings : mapping
        Feature name → what it measures as a noun phrase per language (``en``,
        ``ko``) and its ``unit``; a feature not in it goes by its name.

    Returns
    -------
    str
        The HTML document.
    """
    speech = Speech(language, kind=run.metrics.kind, currency=run.metrics.currency)
    chapters = {
        "stake": _stake(run, speech),
        "who": _who(run, speech),
        "why": _why(run, speech, meanings),
        "action": _action(run, speech),
        "trust": _trust(run, speech),
    }
    return fill_page(
        t=speech,
        header=_header(run, speech),
        contents=[{"id": name, "title": speech(f"chapter.{name}")} for name in chapters],
        footer=_footer(run.metrics, speech),
        privacy=speech("run.privacy") if run.clients else speech("run.privacy.none", number=SMALLEST),
        **chapters,
    )


# -- The chapters, in the order of the page --------------------------------------------------------------------------


def _stake(run: RunFolder, speech: Speech) -> Section:
    return {
        "tiles": stake.tiles_of(run, speech),
        "remarks": stake.remarks_of(run, speech),
        "definition": stake.definition_of(run, speech),
    }


def _who(run: RunFolder, speech: Speech) -> Section:
    return {
        "matrix": who.matrix_section(run, speech),
        "segments": who.segments_section(run, speech),
        "movement": who.movement_section(run, speech),
        "top": who.top_section(run, speech) if run.clients else None,
        "rfm": who.rfm_section(run, speech),
        "loyalty": who.loyalty_section(run, speech),
    }


def _why(run: RunFolder, speech: Speech, meanings: Meanings) -> Section:
    return {
        "themes": why.themes_section(run.metrics, speech, meanings),
        "drivers": why.drivers_section(run.metrics, speech, meanings),
        "differs": why.differs_section(run.metrics, speech, meanings),
        "changed": why.changed_section(run, speech),
        "voice": why.voice_section(run, speech),
    }


def _action(run: RunFolder, speech: Speech) -> Section:
    return {
        "alerts": action.alerts_section(run, speech),
        "calls": action.calls_section(run, speech),
        "returns": action.return_section(run, speech),
        "service": action.service_section(run, speech),
    }


def _trust(run: RunFolder, speech: Speech) -> Section:
    return {
        "intervals": trust.intervals_section(run, speech),
        "gain": trust.gain_section(run.metrics, speech),
        "calibration": trust.calibration_section(run, speech),
        "models": trust.models_section(run.metrics, speech),
        "comparison": trust.comparison_section(run.metrics, speech),
        "hindsight": trust.hindsight_section(run, speech),
        "groups": trust.groups_section(run, speech),
        "cutoffs": trust.cutoffs_section(run, speech),
        "notes": trust.notes_section(run, speech),
        "data": trust.data_section(run, speech),
    }


# -- Head and foot ---------------------------------------------------------------------------------------------------


def _header(run: RunFolder, speech: Speech) -> Section:
    metrics = run.metrics
    facts = [
        speech("facts.cutoff", date=speech.date(metrics.score_cutoff)),
        speech("facts.clients", clients=speech.clients(len(run.scores))),
        speech("facts.horizon", days=speech.days(metrics.horizon_days)),
    ]
    if metrics.gap_days:
        facts.append(speech("facts.gap", days=speech.days(metrics.gap_days)))
    return {
        "question": shown(metrics.question, longest=LONGEST_QUESTION),
        "facts": facts,
        "lead": stake.lead_of(run, speech),
    }


def _footer(metrics: Metrics, speech: Speech) -> list[tuple[str, str]]:
    facts = [
        (speech("run.data"), shown(metrics.data_fingerprint)),
        (speech("run.labels"), shown(metrics.label_fingerprint)),
        (speech("run.seed"), "" if metrics.seed is None else str(metrics.seed)),
        (speech("run.cutoffs"), " · ".join(speech.date(cutoff) for cutoff in metrics.test_cutoffs)),
        (speech("run.versions"), " · ".join(shown(f"{name} {version}") for name, version in metrics.versions.items())),
        (speech("run.btyd"), " · ".join(_flat(metrics.btyd or {}))),
    ]
    return [(name, value) for name, value in facts if value]


def _flat(parameters: Mapping[str, Any], *, under: str = "") -> list[str]:
    """Numbers of nested parameters, one `name value` each."""
    flat = []
    for name, value in parameters.items():
        path = f"{under}.{name}" if under else str(name)
        if isinstance(value, Mapping):
            flat += _flat(value, under=path)
        elif isinstance(value, int | float | str):
            flat.append(shown(f"{path} {value:.4g}" if isinstance(value, float) else f"{path} {value}"))
    return flat[:40]
