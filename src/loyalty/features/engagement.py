"""Communication and engagement: whether client and company talk with each other, and what a client does beside buying.

A two-way contact is one begun by the client, or one of the company's that was replied to.
"""

from loyalty.features.algebra import CONTACTS, EVENTS, Expression
from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.feature import Feature, Phrase

INBOUND, OUTBOUND = CONTACTS["direction"].is_any("inbound"), CONTACTS["direction"].is_any("outbound")
TWO_WAY = INBOUND | (OUTBOUND & CONTACTS.optional("replied_at").is_there())

KIND = EVENTS["kind"]
VISIT, POST, REFERRAL = KIND.is_any("visit"), KIND.is_any("community_post"), KIND.is_any("referral")


def _trend(condition: Expression) -> Expression:
    """Compare the last 90 days with the 90 days before."""
    return condition.count(within=90) - condition.count(within=180, beyond=90)


FEATURES = (
    Feature(
        name="contact_gap_days_mean",
        theme="engagement",
        unit="days",
        meaning={
            "en": "average days between two-way contacts (begun by the client, or by the company and replied to)",
            "ko": "쌍방 소통(고객이 먼저 했거나 고객이 답한 연락)의 평균 간격 일수",
        },
        topic="contacts",
        formula=(CONTACTS.age.max(TWO_WAY) - CONTACTS.age.min(TWO_WAY)) / (CONTACTS.count(TWO_WAY) - 1),
        actionable=True,
    ),
    Feature(
        name="days_since_last_contact",
        theme="engagement",
        unit="days",
        meaning={"en": "days since the last two-way contact", "ko": "마지막 쌍방 소통 후 경과 일수"},
        topic="contacts",
        usual="contact_gap_days_mean",
        phrases={
            "en": Phrase(
                "{value} since the last two-way contact",
                unknown="no two-way contact so far",
                usual="usually every {value}",
            ),
            "ko": Phrase(
                "마지막 쌍방 소통 후 {value}[이/가] 지났습니다",
                unknown="쌍방 소통이 없었습니다",
                usual="평소 간격 {value}",
            ),
        },
        formula=CONTACTS.age.min(TWO_WAY),
        actionable=True,
    ),
    Feature(
        name="contacts_trend_90d",
        theme="engagement",
        unit="count",
        meaning={
            "en": "two-way contacts in the last 90 days less those in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 쌍방 소통 건수 증감",
        },
        topic="contacts",
        phrases={
            "en": Phrase(
                "{value} more two-way [contact/contacts] in the last 90 days than in the 90 days before",
                zero="as many two-way contacts in the last 90 days as in the 90 days before",
                below="{value} fewer two-way [contact/contacts] in the last 90 days than in the 90 days before",
            ),
            "ko": Phrase(
                "최근 90일 쌍방 소통이 직전 90일보다 {value}건 많습니다",
                zero="최근 90일 쌍방 소통 건수가 직전 90일과 같습니다",
                below="최근 90일 쌍방 소통이 직전 90일보다 {value}건 적습니다",
            ),
        },
        formula=_trend(TWO_WAY),
        actionable=True,
    ),
    *(
        Feature(
            name=f"inbound_count_{days}d",
            theme="engagement",
            unit="count",
            meaning={
                "en": f"contacts begun by the client in the last {days} days",
                "ko": f"최근 {days}일 고객이 먼저 한 연락 건수",
            },
            topic="inbound",
            phrases={
                "en": Phrase(
                    f"{{value}} [contact/contacts] begun by the client in the last {days} days",
                    zero=f"no contact begun by the client in the last {days} days",
                ),
                "ko": Phrase(
                    f"최근 {days}일 동안 고객이 먼저 {{value}}번 연락했습니다",
                    zero=f"최근 {days}일 동안 고객이 먼저 연락한 적이 없습니다",
                ),
            },
            formula=INBOUND.count(within=days),
        )
        for days in (90, 365)
    ),
    *(
        Feature(
            name=f"outbound_count_{days}d",
            theme="engagement",
            unit="count",
            meaning={
                "en": f"contacts begun by the company in the last {days} days",
                "ko": f"최근 {days}일 회사가 먼저 한 연락 건수",
            },
            topic="outbound",
            phrases={
                "en": Phrase(
                    f"{{value}} [contact/contacts] begun by the company in the last {days} days",
                    zero=f"no contact begun by the company in the last {days} days",
                ),
                "ko": Phrase(
                    f"최근 {days}일 동안 회사가 먼저 {{value}}번 연락했습니다",
                    zero=f"최근 {days}일 동안 회사가 먼저 연락한 적이 없습니다",
                ),
            },
            formula=OUTBOUND.count(within=days),
            actionable=True,
        )
        for days in (90, 365)
    ),
    Feature(
        name="inbound_share_365d",
        theme="engagement",
        unit="share",
        meaning={
            "en": "share of contacts in the last 365 days that the client began",
            "ko": "최근 365일 연락 중 고객이 먼저 한 비율",
        },
        topic="inbound",
        formula=CONTACTS.share(INBOUND, where=INBOUND | OUTBOUND, within=365),
        actionable=True,
    ),
    *(
        Feature(
            name=f"visits_count_{days}d",
            theme="engagement",
            unit="count",
            meaning={"en": f"visits in the last {days} days", "ko": f"최근 {days}일 방문 횟수"},
            topic="visits",
            phrases={
                "en": Phrase(
                    f"{{value}} [visit/visits] in the last {days} days", zero=f"no visit in the last {days} days"
                ),
                "ko": Phrase(
                    f"최근 {days}일 동안 {{value}}번 방문했습니다", zero=f"최근 {days}일 동안 방문이 없습니다"
                ),
            },
            formula=VISIT.count(within=days),
            actionable=True,
        )
        for days in (90, 365)
    ),
    Feature(
        name="visits_trend_90d",
        theme="engagement",
        unit="count",
        meaning={
            "en": "visits in the last 90 days less those in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 방문 횟수 증감",
        },
        topic="visits",
        phrases={
            "en": Phrase(
                "{value} more [visit/visits] in the last 90 days than in the 90 days before",
                zero="as many visits in the last 90 days as in the 90 days before",
                below="{value} fewer [visit/visits] in the last 90 days than in the 90 days before",
            ),
            "ko": Phrase(
                "최근 90일 방문이 직전 90일보다 {value}번 많습니다",
                zero="최근 90일 방문 횟수가 직전 90일과 같습니다",
                below="최근 90일 방문이 직전 90일보다 {value}번 적습니다",
            ),
        },
        formula=_trend(VISIT),
        actionable=True,
    ),
    Feature(
        name="days_since_last_visit",
        theme="engagement",
        unit="days",
        meaning={"en": "days since the last visit", "ko": "마지막 방문 후 경과 일수"},
        topic="visits",
        phrases={
            "en": Phrase("{value} since the last visit", unknown="no visit so far"),
            "ko": Phrase("마지막 방문 후 {value}[이/가] 지났습니다", unknown="방문한 적이 없습니다"),
        },
        formula=EVENTS.age.min(VISIT),
        actionable=True,
    ),
    Feature(
        name="visits_per_purchase_day_365d",
        theme="engagement",
        unit="ratio",
        meaning={
            "en": "visits per purchase day in the last 365 days",
            "ko": "최근 365일 구매일 하루당 방문 횟수",
        },
        topic="visits",
        phrases={
            "en": Phrase(
                "{value} [visit/visits] per purchase day in the last 365 days",
                zero="no visit in the last 365 days",
                unknown="no purchase in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 구매일 하루당 {value}번 방문했습니다",
                zero="최근 365일 동안 방문이 없습니다",
                unknown="최근 365일 동안 구매가 없습니다",
            ),
        },
        formula=VISIT.count(within=365) / DAYS.count(within=365),
    ),
    Feature(
        name="community_posts_count_365d",
        theme="engagement",
        unit="count",
        meaning={"en": "community posts in the last 365 days", "ko": "최근 365일 커뮤니티 게시글 수"},
        topic="community",
        phrases={
            "en": Phrase(
                "{value} community [post/posts] in the last 365 days", zero="no community post in the last 365 days"
            ),
            "ko": Phrase(
                "최근 365일 커뮤니티 게시글은 {value}건입니다", zero="최근 365일 동안 커뮤니티 게시글이 없습니다"
            ),
        },
        formula=POST.count(within=365),
        actionable=True,
    ),
    Feature(
        name="community_posts_trend_90d",
        theme="engagement",
        unit="count",
        meaning={
            "en": "community posts in the last 90 days less those in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 커뮤니티 게시글 수 증감",
        },
        topic="community",
        phrases={
            "en": Phrase(
                "{value} more community [post/posts] in the last 90 days than in the 90 days before",
                zero="as many community posts in the last 90 days as in the 90 days before",
                below="{value} fewer community [post/posts] in the last 90 days than in the 90 days before",
            ),
            "ko": Phrase(
                "최근 90일 커뮤니티 게시글이 직전 90일보다 {value}건 많습니다",
                zero="최근 90일 커뮤니티 게시글 수가 직전 90일과 같습니다",
                below="최근 90일 커뮤니티 게시글이 직전 90일보다 {value}건 적습니다",
            ),
        },
        formula=_trend(POST),
        actionable=True,
    ),
    Feature(
        name="referrals_count_365d",
        theme="engagement",
        unit="count",
        meaning={"en": "referrals made in the last 365 days", "ko": "최근 365일 지인 추천 건수"},
        topic="referrals",
        phrases={
            "en": Phrase("{value} [referral/referrals] in the last 365 days", zero="no referral in the last 365 days"),
            "ko": Phrase("최근 365일 지인 추천은 {value}건입니다", zero="최근 365일 동안 지인 추천이 없습니다"),
        },
        formula=REFERRAL.count(within=365),
        actionable=True,
    ),
    Feature(
        name="referrals_trend_90d",
        theme="engagement",
        unit="count",
        meaning={
            "en": "referrals made in the last 90 days less those in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 지인 추천 건수 증감",
        },
        topic="referrals",
        phrases={
            "en": Phrase(
                "{value} more [referral/referrals] in the last 90 days than in the 90 days before",
                zero="as many referrals in the last 90 days as in the 90 days before",
                below="{value} fewer [referral/referrals] in the last 90 days than in the 90 days before",
            ),
            "ko": Phrase(
                "최근 90일 지인 추천이 직전 90일보다 {value}건 많습니다",
                zero="최근 90일 지인 추천 건수가 직전 90일과 같습니다",
                below="최근 90일 지인 추천이 직전 90일보다 {value}건 적습니다",
            ),
        },
        formula=_trend(REFERRAL),
        actionable=True,
    ),
    Feature(
        name="event_kinds_count_365d",
        theme="engagement",
        unit="count",
        meaning={
            "en": "different kinds of events in the last 365 days, such as visits and referrals",
            "ko": "최근 365일 활동 종류 수(방문, 추천 등)",
        },
        formula=KIND.nunique(within=365),
        actionable=True,
    ),
)
