"""A shop so small that it can be looked through, and of which nothing was drawn by lot."""

import pandas as pd


def corner_shop(name="client-{:02}".format):
    """Twelve clients of a shop that no random number had a part in: every 8, 13, 18 … days, and half of them stop."""
    rows = []
    for client in range(12):
        stops = 640 - 45 * (client % 6) if client % 2 else 100_000
        days = [day for day in range(3 * client, 640, 8 + 5 * client) if day < stops]
        rows += [(name(client), day, 10.0 + 3 * client + day % 7) for day in days]
        rows += [(name(client), days[-1] + 2, -5.0)] if client % 5 == 0 else []
    bills = pd.DataFrame(rows, columns=["client_id", "day", "amount"])
    return bills.assign(event_time=pd.Timestamp("2023-01-01") + pd.to_timedelta(bills.pop("day"), unit="D"))
