"""Peers: the market as it stood at the cutoff, the same for every client, so that a model knows season and growth.

What a year ago is compared with needs a recording that had begun by then: a period of which the recording may have
missed the beginning makes fewer clients active, and nearly all of those have bought lately. So nothing is said of a
period before which nobody had bought.
"""

from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.algebra import Expression, ShareOfClients
from loyalty.features.feature import Feature

YEAR = 365
#: A client is active who has bought within this many days.
ACTIVE = 365
_EVER = DAYS.count() > 0


def _bought(within: float | None = None, beyond: float = 0.0) -> Expression:
    return DAYS.count(within=within, beyond=beyond) > 0


def _recorded(days: float) -> Expression:
    """Whether anybody had bought before a period that began so many days ago."""
    return ShareOfClients(_bought(beyond=days), among=_EVER) > 0


def _buyers(days: float) -> Expression:
    """Of the clients active now, the share who bought in the last days."""
    return ShareOfClients(_bought(days), among=_bought(ACTIVE))


def _buyers_year_ago(days: float) -> Expression:
    share = ShareOfClients(_bought(YEAR + days, YEAR), among=_bought(YEAR + ACTIVE, YEAR))
    return share.given(_recorded(YEAR + ACTIVE))


def _all_buyers(within: float, beyond: float = 0.0) -> Expression:
    """Of all clients ever, the share who bought then: against another of these, a count of clients against one."""
    return ShareOfClients(_bought(within, beyond), among=_EVER)


FEATURES = (
    *(
        feature
        for days in (30, 90)
        for feature in (
            Feature(
                name=f"peers_bought_share_{days}d",
                theme="peers",
                unit="share",
                meaning={
                    "en": f"share of all clients active in the last 365 days who bought in the last {days} days",
                    "ko": f"최근 365일 활동 고객 전체 중 최근 {days}일 구매 고객 비율",
                },
                formula=_buyers(days),
            ),
            Feature(
                name=f"peers_bought_year_ago_share_{days}d",
                theme="peers",
                unit="share",
                meaning={
                    "en": f"share of the clients active a year ago who had bought in the {days} days up to then",
                    "ko": f"1년 전 활동 고객 중 당시 최근 {days}일 구매 고객 비율",
                },
                formula=_buyers_year_ago(days),
            ),
        )
    ),
    Feature(
        name="peers_bought_year_ratio_90d",
        theme="peers",
        unit="ratio",
        meaning={
            "en": "share of active clients who bought in the last 90 days, against the share a year ago",
            "ko": "1년 전 대비 활동 고객의 최근 90일 구매 비율 배수",
        },
        formula=_buyers(90) / _buyers_year_ago(90),
    ),
    # Of the buyers of 90 days, not of a year: a recording of 455 days is long enough to tell.
    Feature(
        name="peers_return_year_ago_share_90d",
        theme="peers",
        unit="share",
        meaning={
            "en": "share of a year ago's buyers of 90 days who bought again in the 90 days after",
            "ko": "1년 전 시점 직전 90일 구매 고객 중 이후 90일 내 재구매 고객 비율",
        },
        formula=ShareOfClients(_bought(YEAR, YEAR - 90), among=_bought(YEAR + 90, YEAR)).given(_recorded(YEAR + 90)),
    ),
    Feature(
        name="peers_season_ratio_90d",
        theme="peers",
        unit="ratio",
        meaning={
            "en": "buyers in the coming 90 days of the season a year ago, against the buyers in the 90 days before",
            "ko": "1년 전 같은 시기 직전 90일 대비 이후 90일 구매 고객 수 배수",
        },
        formula=(_all_buyers(YEAR, YEAR - 90) / _all_buyers(YEAR + 90, YEAR)).given(_recorded(YEAR + 90)),
    ),
    Feature(
        name="peers_growth_ratio_90d",
        theme="peers",
        unit="ratio",
        meaning={
            "en": "clients who bought in the last 90 days, against those of the same 90 days a year ago",
            "ko": "1년 전 같은 90일 대비 최근 90일 구매 고객 수 배수",
        },
        formula=(_all_buyers(90) / _all_buyers(YEAR + 90, YEAR)).given(_recorded(YEAR + 90)),
    ),
    Feature(
        name="peers_new_share_90d",
        theme="peers",
        unit="share",
        meaning={
            "en": "share of active clients whose first purchase was in the last 90 days",
            "ko": "활동 고객 중 최근 90일 첫 구매 고객 비율",
        },
        formula=ShareOfClients(DAYS.count(beyond=90) < 1, among=_bought(ACTIVE)),
    ),
)
