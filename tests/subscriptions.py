"""A gym whose members pay by the month, until they cancel."""

import numpy as np
import pandas as pd

UNTIL = pd.Timestamp("2025-01-01")


def gym(clients=500, *, seed=0):
    """Draw monthly fees and contracts of which one in twenty ends each month, since 2021."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2021-06-01") + pd.to_timedelta(rng.integers(0, 1000, clients), unit="D")
    end = start + pd.to_timedelta(30 * rng.geometric(0.05, clients) - 11, unit="D")
    contracts = pd.DataFrame({"client_id": np.arange(clients), "start": start, "end": end})
    fees = [pd.date_range(a, min(b, UNTIL), freq="30D") for a, b in zip(start, end, strict=True)]
    bills = pd.DataFrame({"client_id": contracts["client_id"], "event_time": fees, "amount": 10.0})
    bills = bills.explode("event_time").astype({"event_time": "datetime64[us]"})
    return bills[bills["event_time"] < UNTIL], contracts.assign(end=end.where(end < UNTIL))
