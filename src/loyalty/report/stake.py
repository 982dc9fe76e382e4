"""Chapter 1 of the managers' page: what is at stake, and the sentence above all that says the whole."""

from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from loyalty.report.clients import first_calls, first_to_call
from loyalty.report.pieces import COVERAGE, Section, against, range_of
from loyalty.report.run_folder import Metrics, RunFolder, Total
from loyalty.report.small_cells import tellable
from loyalty.report.text import Speech

_YEAR = 366
#: From how many times the lower end on the upper end of a range says that little is known.
_WIDE = 10


@dataclass(frozen=True)
class Summary:
    """The few numbers that the head of the page is made of."""

    clients: int
    expected_churn: float
    value: float
    value_at_risk: float
    expected_value: float
    too_little: int

    @property
    def leavers(self) -> float:
        """How many clients are expected to leave."""
        return self.expected_churn * self.clients if self.clients else 0.0


def summarise(scores: pd.DataFrame) -> Summary:
    """Boil the scores down to the numbers of the head.

    Parameters
    ----------
    scores : DataFrame
        Of a run.

    Returns
    -------
    Summary
        Means and sums over the scored clients.
    """
    return Summary(
        clients=len(scores),
        expected_churn=float(scores["churn_probability"].mean()),
        value=float(scores["amount_sum_365d"].fillna(0.0).clip(lower=0.0).sum()),
        value_at_risk=float(scores["value_at_risk"].fillna(0.0).sum()),
        expected_value=float(scores["expected_value"].sum()),
        too_little=int(scores["too_little_history"].sum()),
    )


def total_of(metrics: Metrics, of: str) -> Total | None:
    """Total of all clients, where a run could bound it.

    Parameters
    ----------
    metrics : Metrics
        Of a run.
    of : {"expected_value", "value_at_risk"}
        What is added up.

    Returns
    -------
    Total or None
        The row of ``all``.
    """
    return next((one for one in metrics.totals.get(of, []) if one.segment == "all"), None)


def lead_of(run: RunFolder, speech: Speech) -> list[str]:
    """Say the whole in two sentences: what is at stake, and with whom to begin.

    The second sentence only where there is money at risk and more clients than can be called at once.
    """
    summary, ends = summarise(run.scores), _ends(total_of(run.metrics, "value_at_risk"), speech)
    words = {
        "leavers": speech.number(summary.leavers),
        "clients": speech.clients(summary.clients),
        "days": speech.days(run.metrics.horizon_days),
        "money": speech.money(summary.value_at_risk),
    }
    if summary.value_at_risk <= 0:
        return [speech("lead.none", **words)]
    said = speech("lead.range", range=ends, **words) if ends else speech("lead", **words)
    calls = first_calls(run.scores, hidden=not run.clients)
    if calls.empty:
        return [said]
    first = first_to_call(calls)
    return [
        said,
        speech("lead.first", number=speech.number(first["clients"]), share=speech.percent(first["share"])),
    ]


def tiles_of(run: RunFolder, speech: Speech) -> list[Section]:
    """Write the figures of the chapter: money at risk, expected spend, expected churn and value in the long run.

    The last only where the run learned it.
    """
    metrics, summary = run.metrics, summarise(run.scores)
    days = speech.days(metrics.horizon_days)
    tiles = [
        {"label": speech("tile.value"), "value": speech.money(summary.value_at_risk), "sub": _at_risk(run, speech)},
        {
            "label": speech("tile.spend"),
            "value": speech.money(summary.expected_value),
            "sub": _spend(total_of(metrics, "expected_value"), days, speech),
        },
        {
            "label": speech("tile.churn"),
            "value": speech.percent(summary.expected_churn, digits=1),
            "sub": speech(
                "tile.churn.sub",
                leavers=speech.number(summary.leavers),
                clients=speech.clients(summary.clients),
                days=days,
            ),
        },
    ]
    if metrics.long_run is not None and metrics.long_run.value is not None:
        tiles.append(
            {
                "label": speech("tile.long_run"),
                "value": speech.money(metrics.long_run.value),
                "sub": speech("tile.long_run.sub", years=_years(metrics.long_run.years, speech)),
            }
        )
    return tiles


def remarks_of(run: RunFolder, speech: Speech) -> list[str]:
    """Say on which terms the long run is valued, and of how many clients too little is known.

    None about what is not known.
    """
    metrics, summary = run.metrics, summarise(run.scores)
    remarks = _long_run(metrics, speech) + _held(run, speech)
    if summary.too_little and (run.clients or tellable(summary.too_little, of=summary.clients)):
        share = speech.percent(summary.too_little / summary.clients)
        reach = speech.days(metrics.horizon_days + metrics.gap_days)
        clients = speech.clients(summary.too_little)
        remarks.append(speech("remark.little", clients=clients, share=share, days=reach))
    return remarks


def definition_of(run: RunFolder, speech: Speech) -> str:
    """Say who counts as leaving, how many of them come back, who is covered, and what money at risk is."""
    metrics = run.metrics
    start = metrics.score_cutoff + timedelta(days=metrics.gap_days)
    last = start + timedelta(days=metrics.horizon_days - 1)
    said = [speech("definition", first=speech.date(start), last=speech.date(last))]
    back = metrics.came_back
    if back is not None and (run.clients or tellable(round(back.share * back.left), of=back.left)):
        until = back.since + timedelta(days=metrics.horizon_days - 1)
        dates = {"first": speech.date(back.since), "last": speech.date(until)}
        clients, share = speech.clients(back.left), speech.percent(back.share)
        said.append(speech("definition.back", left=clients, share=share, **dates))
    if metrics.active_days is not None:
        said.append(speech("definition.active", days=speech.days(metrics.active_days)))
    return " ".join([*said, speech("definition.value")])


def rate_of(share: float, speech: Speech) -> str:
    """Write a share that somebody chose: as it was chosen, so with a digit only if it has one.

    Parameters
    ----------
    share : float
        0 to 1.
    speech : Speech
        Language of the words.

    Returns
    -------
    str
        A percentage.

    Examples
    --------
    >>> rate_of(0.1, Speech("en")), rate_of(0.085, Speech("en"))
    ('10%', '8.5%')
    """
    return speech.percent(share, digits=0 if round(100 * share, 1) % 1 == 0 else 1)


def _ends(total: Total | None, speech: Speech) -> str:
    """Say between which two amounts a total lies; of ends that lie far apart two figures, and what that means."""
    if total is None:
        return ""
    if total.upper <= _WIDE * max(total.lower, 0.0):
        return range_of(total.lower, total.upper, speech)
    lower, upper = (float(f"{end:.2g}") for end in (total.lower, total.upper))
    said = range_of(lower, upper, speech)
    return speech("range.wide", range=said) if said else ""


def _at_risk(run: RunFolder, speech: Speech) -> str:
    summary, ends = summarise(run.scores), _ends(total_of(run.metrics, "value_at_risk"), speech)
    if summary.value <= 0:
        return speech("tile.value.none")
    share = speech.percent(summary.value_at_risk / summary.value)
    if not ends:
        return speech("tile.value.sub", share=share)
    return speech("tile.value.range", coverage=speech.percent(COVERAGE), share=share, range=ends)


def _spend(total: Total | None, days: str, speech: Speech) -> str:
    ends = _ends(total, speech)
    if not ends:
        return speech("tile.spend.sub", days=days)
    return speech("tile.spend.range", coverage=speech.percent(COVERAGE), days=days, range=ends)


def _held(run: RunFolder, speech: Speech) -> list[str]:
    """Say what a long-run value of the past came to, as far as it is over; nothing where there is none."""
    seen = [one for one in run.metrics.hindsight if one.figure == "value" and (run.clients or tellable(one.clients))]
    if not seen:
        return []
    last = max(seen, key=lambda one: one.days)
    total = against(expected=last.told, value=last.came, speech=speech)
    return [speech("remark.hindsight", days=speech.days(last.days), date=speech.date(last.cutoff), total=total)]


def _years(years: float, speech: Speech) -> str:
    digits = next((digits for digits in (0, 1) if round(years, digits) == years), 2)
    written = speech.number(years, digits=digits)
    return speech(f"remark.years{'.one' if written == '1' else ''}", years=written)


def _long_run(metrics: Metrics, speech: Speech) -> list[str]:
    """Say what the clients are worth in the long run, and how many contracts a year on; nothing that is not known."""
    long_run = metrics.long_run
    if long_run is None:
        return []
    remarks = []
    if long_run.value is not None:
        kept = "" if long_run.margin == 1 else ".margin"
        remarks.append(
            speech(
                f"remark.long_run{kept}",
                years=_years(long_run.years, speech),
                value=speech.money(long_run.value),
                rate=rate_of(long_run.discount_rate, speech),
                margin=rate_of(long_run.margin, speech),
            )
        )
    within = [one for one in long_run.staying if one.days <= _YEAR]
    if within:
        last = within[-1]
        remarks.append(speech("remark.staying", share=speech.percent(last.share), days=speech.days(last.days)))
    return remarks
