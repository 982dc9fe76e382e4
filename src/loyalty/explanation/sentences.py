"""How a reason is said: the client's own number, what it is compared with, and what it goes with."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from loyalty.features import CATALOGUE, Feature, Phrase
from loyalty.features.algebra import Statistic
from loyalty.wording import NBSP, Language, Writing, fit_number, fit_particles, shown

__all__ = ["Earlier", "Teller", "earlier_of", "said_alike"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: How long a name or a level of the user's own may be in a sentence.
_LONGEST = 60
_GOES_WITH: Mapping[Language, Mapping[bool, str]] = {
    "en": {True: ". Goes with a higher risk.", False: ". Goes with a lower risk."},
    "ko": {True: ". 높은 이탈 위험과 함께 나타납니다.", False: ". 낮은 이탈 위험과 함께 나타납니다."},
}
#: Korean counters, by the end of the meaning.
_COUNTERS = {
    "종류 수": "종", "구매일 수": "일", "횟수": "회", "건수": "건", "제안 수": "건", "글 수": "건", "채널 수": "개",
    "카테고리 수": "개", "수량": "개", "글자 수": "자", "점수": "점", "평균 시간": "시간",
}  # fmt: skip
#: How what is the same begins.
_ALIKE = ("like ", "as in ", "the commonest ")
#: As shares of the larger, how far apart two numbers are that tell a reader the same, and those that may be written
#: the same; and how far apart, by unit, others that may be.
_NEAR, _NEARLY = 0.03, 0.12
_STEPS = {"days": 0.1, "money": 0.01, "share": 0.001}
_COUNTER = re.compile(r"\{value\}(일|회|건|종|개|번|점|배|시간|자)")


@dataclass(frozen=True)
class Earlier:
    """The same statistic over a wider window, which tells what it was in the time before.

    Attributes
    ----------
    wider : str
        The feature over the wider window.
    days, wider_days : int
        Lengths of the two.
    """

    wider: str
    days: int
    wider_days: int

    @property
    def share(self) -> float:
        """The window as a share of the time before it: 1 where both are equally long."""
        return self.days / (self.wider_days - self.days)


def earlier_of(name: str) -> Earlier | None:
    """Find the next wider window of a count or a sum: what is in it beyond the narrower one came before.

    Examples
    --------
    >>> earlier_of("amount_sum_90d")
    Earlier(wider='amount_sum_180d', days=90, wider_days=180)
    >>> earlier_of("amount_sum_365d")
    """
    formula = CATALOGUE[name].formula if name in CATALOGUE else None
    if not _adds_up(formula) or formula.within is None:
        return None
    windows = {
        other.formula.within: other.name
        for other in CATALOGUE.values()
        if _adds_up(other.formula) and replace(other.formula, within=formula.within) == formula
    }
    wider = sorted(days for days in windows if days is not None and days > formula.within)
    return Earlier(windows[wider[0]], int(formula.within), int(wider[0])) if wider else None


def _adds_up(formula: object) -> TypeGuard[Statistic]:
    return isinstance(formula, Statistic) and formula.kind in ("count", "sum") and formula.beyond == 0


def said_alike(values: Floats, others: Floats, unit: str) -> Flags:
    """Tell which numbers tell a reader the same as those beside them: written the same, or within three hundredths.

    It goes by the number as it is written in English without a currency, so that no reason depends on the language.

    Parameters
    ----------
    values, others : ndarray of shape (n,)
        NaN, where a number is missing, is like nothing.
    unit : str
        Of the feature.

    Returns
    -------
    ndarray of bool, shape (n,)
        Whether the two of a pair are alike.

    Examples
    --------
    >>> said_alike(np.array([2.67, 10.4, 2.0]), np.array([2.65, 10.0, 3.0]), "days").tolist()
    [True, True, False]
    """
    apart, larger = np.abs(values - others), np.maximum(np.abs(values), np.abs(others))
    alike = np.asarray(apart <= _NEAR * larger)
    plain = Writing("en")
    for at in np.flatnonzero(~alike & ((apart <= _NEARLY * larger) | (apart < _STEPS.get(unit, 0.0)))):
        alike[at] = plain.value(float(values[at]), unit) == plain.value(float(others[at]), unit)
    return alike


class Teller:
    """Says the values of one feature in one language.

    A value stands beside the client's own usual where there is one: the feature that `Feature.usual` names, or the
    time before the window. The median over all clients, or the commonest level of a category, stands in its place or,
    where the two lie on different sides of the value or the usual is like the value, beside it.

    Parameters
    ----------
    name : str
        Of the feature; one that is not in the catalogue goes by its name.
    writing : Writing
        Language and currency.

    Examples
    --------
    >>> told = Teller("days_since_last", Writing("en"))
    >>> told(63.0, usual=18.0, typical=50.0, raises=True)
    '63 days since the last purchase; usually buys every 18 days. Goes with a higher risk.'
    >>> Teller("days_since_last", Writing("ko"))(63.0, usual=18.0, typical=50.0, raises=True)
    '마지막 구매 후 63일이 지났습니다(평소 구매 간격 18일). 높은 이탈 위험과 함께 나타납니다.'
    """

    def __init__(self, name: str, writing: Writing) -> None:
        self.writing, self.feature = writing, CATALOGUE.get(name)
        self.phrase = _phrase(self.feature, name, writing.language)
        self.earlier = earlier_of(name)
        self.unit = self.feature.unit if self.feature else ""
        # In Korean, what follows the number in the phrase counts the usual as well: 5일, 3건, 2배.
        counter = _COUNTER.search(self.phrase.known) if writing.language == "ko" else None
        self.counter = counter.group(1) if counter else ""

    def __call__(self, value: float | str, *, usual: float, typical: float | str, raises: bool) -> str:
        """Say one value, a number, NaN where it is missing, or a level of a category, and what it goes with."""
        return self.fact(value, usual=usual, typical=typical) + _GOES_WITH[self.writing.language][raises]

    def fact(self, value: float | str, *, usual: float, typical: float | str) -> str:
        """Say one value and what it is compared with, without full stop."""
        said = self._said(value)
        beside = [] if said == self.phrase.unknown else self._beside(value, usual, typical)
        if self.writing.language == "ko":
            return said + (f"({', '.join(beside)})" if beside else "")
        said = said[:1].upper() + said[1:] if self.feature else said
        return said + "".join(f"{', ' if one.startswith(_ALIKE) else '; '}{one}" for one in beside)

    def _said(self, value: float | str) -> str:
        phrase = self.phrase
        if isinstance(value, str):
            return phrase.known.replace("{value}", shown(value, longest=_LONGEST))
        if math.isnan(value):
            return phrase.unknown
        if value == 0 and phrase.zero:
            return phrase.zero
        below = value < 0 and bool(phrase.below)
        written = self._written(-value if below else value)
        said = (phrase.below if below else phrase.known).replace("{value}", written)
        if self.feature is None or "[" not in said:  # a name of one's own is told as it is
            return said
        return fit_particles(said) if self.writing.language == "ko" else fit_number(said, written)

    def _beside(self, value: float | str, usual: float, typical: float | str) -> list[str]:
        """Say what the value is compared with."""
        if isinstance(value, str) or isinstance(typical, str):
            return [] if not isinstance(typical, str) else [self._commonest(str(value), typical)]
        signed = bool(self.phrase.below)
        own = bool(self.earlier or self.phrase.usual) and not math.isnan(usual) and not (signed and value < 0)
        beside = [self._own(value, usual)] if own else []
        told = own and (value - usual) * (value - typical) > 0 and not self._alike(value, usual)
        if not told and not math.isnan(typical) and not (signed and min(value, typical) < 0):
            beside.append(self._peers(value, typical))
        return beside

    def _alike(self, value: float, other: float) -> bool:
        return bool(said_alike(np.array([value]), np.array([other]), self.unit)[0])

    def _own(self, value: float, usual: float) -> str:
        written = self._counted(usual)
        if self.earlier is None:
            return self.phrase.usual.replace("{value}", written)
        days, even = self.earlier.days, self.earlier.share == 1
        same = written == self._counted(value)
        if self.writing.language == "ko":
            before = f"직전 {days}일" if even else f"그 전 {days}일당"
            return f"{before}과 같음" if same and even else f"{before} {written}"
        if same and even:
            return f"as in the {days} days before"
        return f"{written} {'in the' if even else 'per'} {days} days before{'' if even else ' that'}"

    def _peers(self, value: float, typical: float) -> str:
        written = self._counted(typical)
        same = written == self._counted(value)
        if self.writing.language == "ko":
            return "보통 고객과 같음" if same else f"보통 고객 {written}"
        return "like a typical client" if same else f"a typical client: {written}"

    def _commonest(self, value: str, typical: str) -> str:
        if self.writing.language == "ko":
            return "가장 흔한 값" if value == typical else f"가장 흔한 값: {shown(typical, longest=_LONGEST)}"
        return "the commonest of all" if value == typical else f"the commonest: {shown(typical, longest=_LONGEST)}"

    def _written(self, value: float) -> str:
        return self.writing.value(value, self.unit).replace(NBSP, " ")

    def _counted(self, value: float) -> str:
        return self._written(value) + self.counter


def _phrase(feature: Feature | None, name: str, language: Language) -> Phrase:
    """Complete what a feature declares by what follows from its unit and meaning."""
    missing = {"en": "not known", "ko": "알 수 없음"}[language]
    if feature is None:
        plain = shown(name, longest=_LONGEST)
        return Phrase(f"{plain}: {{value}}", unknown=f"{plain}: {missing}")
    meaning = feature.meaning[language]
    declared = feature.phrases.get(language)
    if declared is None:
        declared = Phrase(_default(feature, language))
    ko = language == "ko"
    return replace(
        declared,
        unknown=declared.unknown
        or (fit_particles(f"{meaning}[은/는] 알 수 없습니다") if ko else f"{meaning}: {missing}"),
        usual=declared.usual or (("평소 {value}" if ko else "usually {value}") if feature.usual else ""),
    )


def _default(feature: Feature, language: Language) -> str:
    meaning = feature.meaning[language]
    if language == "ko":
        bare = feature.unit not in ("days", "money", "share", "ratio")
        counter = next((c for ending, c in _COUNTERS.items() if bare and meaning.endswith(ending)), "")
        return fit_particles(f"{meaning}[은/는] {{value}}") + f"{counter}입니다"
    if feature.unit == "days" and meaning.startswith("days "):
        return f"{{value}} {meaning.removeprefix('days ')}"
    return f"{meaning}: {{value}}"
