"""The model card of a run, for the data scientist: what was learned from, how right it is and for whom, and its limits.

The headings follow Mitchell et al. (2019), "Model Cards for Model Reporting", FAccT.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from loyalty.report.run_folder import GroupFigure, Metrics
from loyalty.wording import NONE, Writing, shown

__all__ = ["render_card"]

_MODEL = "lightgbm"
#: The figures of the models and the baselines, and how many digits they are written with.
_FIGURES = (
    ("auc", 3), ("log_loss", 4), ("brier", 4), ("mean_error", 3), ("mae", 1), ("spearman", 3), ("gini", 3),
    ("total_error", 3), ("coverage", 3),
)  # fmt: skip
_OF_GROUPS = (
    ("churn_rate", 2), ("mean_error", 3), ("auc", 2), ("log_loss", 3), ("mae", 1), ("total_error", 2), ("coverage", 2),
)  # fmt: skip
_REACHED = (("contacted", 2), ("leavers_contacted", 2), ("contacted_left", 2))
_WAYS = {
    "history": "How much is known of a client (`little`: see `too_little_history`)",
    "purchase_days": "Purchase days on record",
    "predicted_value": "Predicted spend, in thirds at each cutoff",
}
_WRITING = Writing("en")
_ARROWS = {1: "↑", 0: "", -1: "↓"}
#: Signs that Markdown or HTML could take for more than text.
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"} | {sign: f"\\{sign}" for sign in "\\|`*_[]$~"}
#: What begins an address that some readers make a link of.
_ADDRESSES = ("://", ":&#47;/"), ("www.", "www&#46;")


def render_card(metrics: Metrics) -> str:
    """Write the model card of a run.

    Parameters
    ----------
    metrics : Metrics
        ``metrics.json`` of the run.

    Returns
    -------
    str
        Markdown. Nothing of the data can be anything but text in it.
    """
    parts = (
        _head(metrics), _data(metrics), _population(metrics), _model(metrics), _figures(metrics), _comparison(metrics),
        _groups(metrics), _reached(metrics), _drivers(metrics), _limits(metrics), _again(metrics),
    )  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(metrics: Metrics) -> str:
    left = "the contract ends" if metrics.kind == "contractual" else "no purchase"
    return (
        f"# Model card: {_text(metrics.question)}\n\n"
        f"Two models for clients at {_day(metrics.score_cutoff)}: the probability of leaving ({left} within "
        f"{metrics.horizon_days} days{_gap(metrics)}), and the net spend expected in that time. They are for choosing "
        "whom to look after and for planning; not for decisions about a person that the law reserves to people, and "
        "not for saying what an offer would change: what goes with leaving need not cause it."
    )


def _data(metrics: Metrics) -> str:
    rows = [
        [_text(table.table), f"{table.rows:,}", f"{table.clients:,}", table.first, table.last, f"{table.duplicates:,}",
         f"{table.longest_gap_days:,}", _text(table.columns)]
        for table in metrics.data
    ]  # fmt: skip
    if not rows:
        return ""
    head = ("table", "rows", "clients", "first", "last", "duplicates", "longest gap, days", "columns")
    notes = "".join(f"\n- {_text(note['en'] if isinstance(note, dict) else note)}" for note in metrics.notes)
    return f"## Data\n\n{_table(head, rows)}" + (f"\n\nNotes of the run:\n{notes}" if notes else "")


def _population(metrics: Metrics) -> str:
    who = (
        "clients whose contract runs"
        if metrics.kind == "contractual"
        else "all clients ever seen"
        if metrics.active_days is None
        else f"clients with a purchase in the {metrics.active_days} days before the cutoff"
    )
    tested = ", ".join(map(_day, metrics.test_cutoffs)) or "none"
    end = metrics.score_cutoff + timedelta(days=metrics.gap_days + metrics.horizon_days)
    return (
        "## Population, label and cutoffs\n\n"
        f"- Population: {who}, at each cutoff.\n"
        f"- Features: from what was known before the cutoff. Label: {metrics.horizon_days} days from the cutoff"
        f"{_gap(metrics)}.\n"
        f"- Test cutoffs: {tested}. At each, all models were fitted anew on what had been decided by then.\n"
        f"{_came_back(metrics)}"
        f"- Scored at {_day(metrics.score_cutoff)}; what happened will be known on {_day(end)}."
    )


def _came_back(metrics: Metrics) -> str:
    back = metrics.came_back
    if back is None:
        return ""
    again = "had a contract again a year later" if metrics.kind == "contractual" else "bought again within the year"
    last = _day(back.since + timedelta(days=metrics.horizon_days - 1))
    return f"- Of {back.left:,} who left in this sense from {_day(back.since)} to {last}, {back.share:.0%} {again}.\n"


def _model(metrics: Metrics) -> str:
    model = metrics.model
    if model is None:
        return ""
    train, calibration = model.training_cutoffs, model.calibration
    features = ", ".join(f"{theme} {count}" for theme, count in model.features.items())
    bound = ", ".join(f"{name} {_ARROWS[sign]}" for name, sign in (model.monotone or {}).items())
    lines = [
        f"Learned from {model.training_rows:,} outcomes at {len(train)} cutoffs, {_day(train[0])} to "
        f"{_day(train[-1])}.",
        f"{sum(model.features.values())} features by theme: {features}.",
        f"Calibration: slope {calibration['slope']:.2f}, level {calibration['level']:.2f}, weight of the second "
        f"opinion {calibration['weight']:.2f}, on {calibration['held_out_cutoffs']:.0f} held-out cutoffs.",
        f"Risk can only rise (↑) or fall (↓) with: {bound}." if bound else "No feature is bound to one direction.",
        f"Parameters of churn: {_parameters(model.churn)}.",
        f"Parameters of value: {_parameters(model.value)}.",
    ]
    return "## Models\n\n" + "\n".join(f"- {line}" for line in lines)


def _figures(metrics: Metrics) -> str:
    judged = [one for one in metrics.backtest if one.model in {"naive", "btyd", _MODEL}]
    if not judged:
        return "## Figures\n\nNo outcome is known at a test cutoff yet: the models are not judged."
    places = sorted(
        {(one.cutoff, one.model) for one in judged}, key=lambda place: (place[0], place[1] == _MODEL, place[1])
    )
    by = {(one.cutoff, one.model, one.metric): one for one in judged}
    rows = []
    for cutoff, model in places:
        cells = [by.get((cutoff, model, name)) for name, _ in _FIGURES]
        written = [
            NONE if one is None else _interval(one.value, one.lower, one.upper, digits)
            for one, (_, digits) in zip(cells, _FIGURES, strict=True)
        ]
        rows.append([_day(cutoff), model, *written])
    said = (
        "In brackets 95 % intervals over clients drawn with replacement; another season is not in them. `mean_error` "
        "is the mean probability less the share that left; `total_error` predicted over real total, less 1; "
        "`coverage` the share of clients whose spend lay within its 90 % interval."
    )
    return f"## Figures at the test cutoffs\n\n{said}\n\n{_table(('cutoff', 'model', *(n for n, _ in _FIGURES)), rows)}"


def _comparison(metrics: Metrics) -> str:
    digits = dict(_FIGURES)
    rows = [
        [one.baseline, one.metric, one.better, _interval(one.difference, one.lower, one.upper, digits[one.metric])]
        for one in metrics.comparison
        if one.cutoff is None and one.metric in digits
    ]
    if not rows:
        return ""
    said = "The models' figure less the baseline's, mean over the test cutoffs, on the same draws of clients."
    return f"## Against the baselines\n\n{said}\n\n{_table(('baseline', 'metric', 'better', 'difference'), rows)}"


def _groups(metrics: Metrics) -> str:
    if not metrics.groups:
        return ""
    said = (
        "The same figures within groups of clients, over all test cutoffs. Where the interval of `mean_error` does not "
        "hold 0, risk is told too high (above 0) or too low for the group. Of a group that is too small "
        "only its rows are told."
    )
    tables = [_group_table(metrics.groups, way, _OF_GROUPS) for way in _ways(metrics.groups)]
    off = _off(metrics.groups)
    return "\n\n".join(("## By group", said, *tables, off))


def _reached(metrics: Metrics) -> str:
    chosen = [way for way in _ways(metrics.groups) if way not in _WAYS]
    if not chosen:
        return (
            "## Fairness\n\nNo attribute was chosen. Name columns of the table clients in the config, "
            '`[card] attributes = ["region"]`, and run again.'
        )
    said = (
        "If the riskiest fifth of each cutoff were contacted: `contacted`, the share of a group that is; "
        "`leavers_contacted`, the share of its leavers, which is where a group is passed over if it differs; "
        "`contacted_left`, the share of those contacted who left. The attributes are not told to the models unless a "
        "feature reads them; what goes with them may be."
    )
    return "\n\n".join(("## Fairness", said, *(_group_table(metrics.groups, way, _REACHED) for way in chosen)))


def _off(groups: Sequence[GroupFigure]) -> str:
    judged = [one for one in groups if one.metric == "mean_error" and one.lower is not None and one.upper is not None]
    wrong = [one for one in judged if (one.lower or 0) > 0 or (one.upper or 0) < 0]
    if not wrong:
        return f"In none of {len(judged)} groups is the mean risk off by more than its interval."
    named = "; ".join(f"{_text(one.grouping)} = {_text(one.group)} ({_number(one.value, 3)})" for one in wrong)
    return (
        f"Mean risk is off by more than its interval in {len(wrong)} of {len(judged)} groups, where chance alone would "
        f"make it one in twenty: {named}."
    )


def _drivers(metrics: Metrics) -> str:
    rows = [
        [_text(one.feature), _number(one.mean_abs_shap, 3), _number(one.effect_pp, 1), _ARROWS[one.direction]]
        for one in metrics.drivers
    ]  # fmt: skip
    if not rows:
        return ""
    said = "Mean over clients of what each driver moves: log-odds, percentage points, and which way risk goes with it."
    return f"## Drivers\n\n{said}\n\n{_table(('driver', 'log-odds', 'points', 'direction'), rows)}"


def _limits(metrics: Metrics) -> str:
    limits = [
        "The models tell what goes with leaving. What a call, an offer or a repair would change is not in them: test "
        "it with a control group.",
        "Their level follows past seasons; what never happened before (a new competitor, a stop of deliveries) is in "
        "no interval.",
    ]
    if len(metrics.test_cutoffs) < 3:
        limits.append(f"Judged at {len(metrics.test_cutoffs)} cutoff(s) only: one season is no proof for another.")
    errors = [one.value for one in metrics.backtest if one.model == _MODEL and one.metric == "total_error"]
    known = [error for error in errors if error is not None]
    if known:
        off = [_WRITING.signed(100 * error) for error in (min(known), max(known))]
        limits.append(f"At the test cutoffs the predicted total was off by {off[0]}% to {off[1]}%.")
    little = [
        one for one in metrics.groups if (one.grouping, one.group, one.metric) == ("history", "little", "clients")
    ]
    every = sum(one.value or 0 for one in metrics.groups if (one.grouping, one.metric) == ("history", "clients"))
    if little and every:
        limits.append(
            f"Of {(little[0].value or 0) / every:.0%} of the predictions at the test cutoffs so little was known of "
            "the client that they were those of clients like it."
        )
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _again(metrics: Metrics) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in metrics.versions.items())
    return (
        "## To make it again\n\n"
        f"- Seed {metrics.seed}; versions: {versions}.\n"
        f"- Fingerprint of the data `{metrics.data_fingerprint}`, of the labels `{metrics.label_fingerprint}`."
    )


def _ways(groups: Iterable[GroupFigure]) -> list[str]:
    return list(dict.fromkeys(one.grouping for one in groups))


def _group_table(groups: Sequence[GroupFigure], way: str, columns: Sequence[tuple[str, int]]) -> str:
    own = [one for one in groups if one.grouping == way]
    by = {(one.group, one.metric): one for one in own}
    rows = []
    for group in dict.fromkeys(one.group for one in own):
        cells = [by.get((group, name)) for name, _ in columns]
        written = [
            NONE if one is None else _interval(one.value, one.lower, one.upper, digits)
            for one, (_, digits) in zip(cells, columns, strict=True)
        ]
        clients = by[group, "clients"].value or 0
        rows.append([_text(group), f"{clients:,.0f}", *written])
    title = _WAYS.get(way, _text(way))
    return f"**{title}**\n\n{_table(('group', 'rows', *(name for name, _ in columns)), rows)}"


def _gap(metrics: Metrics) -> str:
    return f", after a gap of {metrics.gap_days}" if metrics.gap_days else ""


def _parameters(given: dict[str, object]) -> str:
    return ", ".join(f"{name} {_text(str(value))}" for name, value in given.items() if value is not None)


def _interval(value: float | None, lower: float | None, upper: float | None, digits: int) -> str:
    if lower is None or upper is None:
        return _number(value, digits)
    return f"{_number(value, digits)} ({_number(lower, digits)}, {_number(upper, digits)})"


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else _WRITING.number(value, digits=digits)


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _text(words: str) -> str:
    """Write text of the data as plain text: no cell, line, link, tag or picture can begin in it."""
    plain = "".join(_MARKUP.get(sign, sign) for sign in shown(words, longest=600))
    for address, said in _ADDRESSES:
        plain = plain.replace(address, said)
    return plain
