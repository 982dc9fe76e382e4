"""The border: what the models take, checked once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loyalty.btyd._frozen import Floats

_MOST_OPPORTUNITIES = 1e6  # sums run over them


def check_numbers(name: str, values: ArrayLike) -> Floats:
    """Return one column of numbers, or raise ValueError."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must hold numbers only ({error}). Convert or drop what is not a number.") from None
    if numbers.ndim != 1:
        raise ValueError(f"`{name}` must have one dimension, one value a client; got shape {numbers.shape}.")
    return numbers


def check_columns(**columns: ArrayLike) -> list[Floats]:
    """Return columns of one table as numbers, or raise ValueError."""
    numbers = {name: check_numbers(name, values) for name, values in columns.items()}
    if len({len(values) for values in numbers.values()}) > 1:
        got = ", ".join(f"`{name}` {len(values)}" for name, values in numbers.items())
        raise ValueError(f"All columns must have one value per client; got lengths {got}. Take them from one table.")
    return list(numbers.values())


def refuse(name: str, values: Floats, wrong: NDArray[np.bool_], rule: str, remedy: str) -> None:
    """Raise ValueError where a value is `wrong`, naming the column, the rule, the first such row and the way out."""
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"`{name}` must be {rule}; got {values[row]:g} in row {row} ({int(wrong.sum())} such rows). {remedy}"
        )


def check_frequency(frequency: Floats) -> None:
    """Raise ValueError unless there are clients, with whole numbers of purchases."""
    if len(frequency) == 0:
        raise ValueError("`frequency` must hold at least 1 client; got none. Take an earlier start or a later cutoff.")
    refuse("frequency", frequency, ~np.isfinite(frequency), "finite", "Drop such clients.")
    refuse("frequency", frequency, frequency < 0, "0 or more", "Count the purchase days after the first.")
    whole = frequency == np.floor(frequency)
    refuse("frequency", frequency, ~whole, "a whole number", "Count the purchase days after the first.")


def check_history(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return frequency, recency and T, each of which can be one client's, or raise ValueError."""
    x, tx, t = check_columns(frequency=frequency, recency=recency, T=T)
    _check_ends(x, tx, t, end="T")
    return x, tx, t


def check_opportunities(
    frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Return frequency, recency and opportunities, each of which can be one client's, or raise ValueError."""
    x, tx, n = check_columns(frequency=frequency, recency=recency, opportunities=opportunities)
    _check_ends(x, tx, n, end="opportunities")
    for name, values in (("recency", tx), ("opportunities", n)):
        refuse(
            name, values, values != np.floor(values), "a whole number", "Count opportunities after the first purchase."
        )
    refuse("recency", tx, tx < x, "at least `frequency`", "Count at most one purchase an opportunity.")
    refuse(
        "opportunities", n, n > _MOST_OPPORTUNITIES, f"at most {_MOST_OPPORTUNITIES:.0g}", "Take a coarser time unit."
    )
    return x, tx, n


def check_contracts(renewals: ArrayLike, lost: ArrayLike, counts: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Return renewals, whether lost, and how many such clients there are, or raise ValueError."""
    given = check_columns(
        renewals=renewals, lost=lost, counts=np.ones(np.shape(renewals)) if counts is None else counts
    )
    m, gone, n = given
    check_periods("renewals", m)
    refuse("lost", gone, (gone != 0) & (gone != 1), "0 or 1", "Say 1 where the next renewal was not made, else 0.")
    refuse("counts", n, ~np.isfinite(n) | (n < 0), "finite and 0 or more", "Count the clients of each row.")
    if n.sum() == 0:
        raise ValueError(f"`renewals` must hold at least 1 client; got none in {len(n)} rows. Take a longer history.")
    return m, gone, n


def check_periods(name: str, periods: Floats) -> None:
    """Raise ValueError unless all are whole numbers of periods."""
    refuse(name, periods, ~np.isfinite(periods), "finite", "Drop such rows.")
    refuse(name, periods, (periods < 0) | (periods != np.floor(periods)), "a whole number, 0 or more", "Count periods.")
    refuse(name, periods, periods > _MOST_OPPORTUNITIES, f"at most {_MOST_OPPORTUNITIES:.0g}", "Take longer periods.")


def _check_ends(x: Floats, tx: Floats, t: Floats, *, end: str) -> None:
    check_frequency(x)
    for name, values in (("recency", tx), (end, t)):
        refuse(name, values, ~np.isfinite(values), "finite", "Drop such clients.")
        refuse(name, values, values < 0, "0 or more", "Count time from the client's first purchase.")
    refuse("recency", tx, tx > t, f"at most `{end}`", "Drop purchases at or after the cutoff.")
    refuse("recency", tx, (x == 0) & (tx > 0), "0 where `frequency` is 0", "Count time from first to last purchase.")
    once = (x > 0) & (tx == 0)
    refuse("recency", tx, once, "above 0 where `frequency` is above 0", "Count purchases of the same day once.")


def check_spend(frequency: ArrayLike, monetary: ArrayLike) -> tuple[Floats, Floats]:
    """Return frequency and monetary, with 0 spent where nothing was bought again, or raise ValueError."""
    x, z = check_columns(frequency=frequency, monetary=monetary)
    check_frequency(x)
    wrong = (x > 0) & ~np.isfinite(z)
    refuse("monetary", z, wrong, "finite where `frequency` is above 0", "Give the mean spend per repeat purchase day.")
    return x, np.where(x > 0, z, 0.0)


def check_rate(rate: float) -> float:
    """Return a discount rate, or raise ValueError."""
    if not (isinstance(rate, int | float | np.integer | np.floating) and 0.0 < rate < np.inf):
        raise ValueError(
            f"`rate` must be a finite number above 0, per time unit of the data; got {rate!r}. "
            "Turn a discount d a year into log(1 + d) / time units a year."
        )
    return float(rate)


def check_count(name: str, value: float) -> int:
    """Return a number of opportunities or periods, or raise ValueError."""
    whole = isinstance(value, int | float | np.integer | np.floating) and value == np.floor(value)
    if not (whole and 0 <= value <= _MOST_OPPORTUNITIES):
        raise ValueError(
            f"`{name}` must be a whole number from 0 to {_MOST_OPPORTUNITIES:.0g}; got {value!r}. "
            "Count opportunities, not time."
        )
    return int(value)
