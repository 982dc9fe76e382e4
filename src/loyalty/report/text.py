"""The words of the managers' page, said in English and in Korean."""

from dataclasses import dataclass

from loyalty.report.run_folder import Kind
from loyalty.report.words import WORDS
from loyalty.wording import LANGUAGES, MINUS, Writing, fit_particles


@dataclass(frozen=True)
class Speech(Writing):
    """Words, numbers, money and dates of one page, all in one language.

    Parameters
    ----------
    language, currency
        As of `Writing`.
    kind : {"non-contractual", "contractual"}
        What leaving means: no purchase, or the end of a contract.
    """

    kind: Kind = "non-contractual"

    def __call__(self, key: str, /, **values: object) -> str:
        """Say the words of a key, with `values` filled in and particles fitted."""
        pair = WORDS.get(f"{key}@{self.kind}") or WORDS[key]
        return fit_particles(pair[LANGUAGES.index(self.language)].format(**values))

    def has(self, key: str) -> bool:
        """Whether there are words for a key."""
        return key in WORDS

    def span(self, lower: str, upper: str) -> str:
        """Say a range between two ends as they are written.

        Examples
        --------
        Beside a sign the Korean tilde stands free, or it would be read with the sign:

        >>> korean = Speech("ko")
        >>> korean.span("2만", "5만"), korean.span("−5만", "−2만")
        ('2만~5만', '−5만 ~ −2만')
        """
        signed = any(end.startswith((MINUS, "+")) for end in (lower, upper))
        return self("range.signed" if signed else "range", lower=lower, upper=upper)

    def backtests(self, count: int) -> str:
        """Write a number of back-tests."""
        if self.language == "ko":
            return f"백테스트 {count}회"
        return f"{count} {'back-test' if count == 1 else 'back-tests'}"


def plural(count: int) -> str:
    """Name the ending of a key whose words depend on a count: none, one or several."""
    return ".none" if count == 0 else ".one" if count == 1 else ""
