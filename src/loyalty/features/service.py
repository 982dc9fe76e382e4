"""Service: problems and how they were met; feedback nobody answered, and silence after a problem."""

from loyalty.features.algebra import CONTACTS, PURCHASES, Between, Since
from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.feature import Feature, Phrase

KIND, TOPIC, SATISFACTION = CONTACTS["kind"], CONTACTS["topic"], CONTACTS["satisfaction"]
REPLIED, RESOLVED = CONTACTS["replied_at"], CONTACTS["resolved_at"]
INBOUND, OUTBOUND = CONTACTS["direction"].is_any("inbound"), CONTACTS["direction"].is_any("outbound")
#: False throughout where nobody noted who began a contact.
BY_COMPANY = CONTACTS.optional("direction").is_any("outbound")

COMPLAINT = KIND.is_any("complaint")
OPEN = COMPLAINT & ~RESOLVED.is_there()
UNANSWERED = KIND.is_any("feedback", "complaint") & ~BY_COMPANY & ~REPLIED.is_there()
REFUNDED = PURCHASES["amount"] < 0

LAST_COMPLAINT = CONTACTS.age.min(COMPLAINT)
LAST_REFUND = PURCHASES.age.min(REFUNDED)
# A word of the company's: a contact it began, or a reply to one that it did not begin.
WORDS_SINCE_COMPLAINT = CONTACTS.count(
    (BY_COMPANY & (CONTACTS.age <= LAST_COMPLAINT)) | (~BY_COMPANY & (Since(REPLIED) <= LAST_COMPLAINT))
)

# Between ages of two tables, 14 or 180 days are as exact as fractions of a day: half a microsecond, which no two times
# are apart, keeps rounding from moving a row across the edge.
_HALF_MICROSECOND = 0.5 / 86_400e6
WORDS_ABOUT_REFUND = CONTACTS.count((COMPLAINT | OUTBOUND) & (CONTACTS.age < LAST_REFUND + (14 + _HALF_MICROSECOND)))
SPAN = LAST_COMPLAINT.at_most(180 - _HALF_MICROSECOND)
BOUGHT_AFTER = DAYS.count((DAYS.age < LAST_COMPLAINT) & (DAYS.age >= LAST_COMPLAINT - SPAN))
BOUGHT_BEFORE = DAYS.count((DAYS.age >= LAST_COMPLAINT) & (DAYS.age < LAST_COMPLAINT + SPAN))

FEATURES = (
    *(
        Feature(
            name=f"complaints_count_{days}d",
            theme="service",
            unit="count",
            meaning={"en": f"complaints in the last {days} days", "ko": f"최근 {days}일 불만 접수 건수"},
            topic="complaints",
            phrases={
                "en": Phrase(
                    f"{{value}} [complaint/complaints] in the last {days} days",
                    zero=f"no complaint in the last {days} days",
                ),
                "ko": Phrase(
                    f"최근 {days}일 불만 접수는 {{value}}건입니다", zero=f"최근 {days}일 동안 접수된 불만이 없습니다"
                ),
            },
            formula=CONTACTS.count(COMPLAINT, within=days),
            actionable=True,
        )
        for days in (90, 365)
    ),
    Feature(
        name="complaints_open_count",
        theme="service",
        unit="count",
        meaning={"en": "complaints still open", "ko": "미해결 불만 건수"},
        topic="open complaints",
        phrases={
            "en": Phrase("{value} [complaint/complaints] still open", zero="no complaint open"),
            "ko": Phrase("해결되지 않은 불만이 {value}건 있습니다", zero="해결되지 않은 불만이 없습니다"),
        },
        formula=CONTACTS.count(OPEN),
        actionable=True,
        monotone=1,
    ),
    Feature(
        name="complaints_late_count",
        theme="service",
        unit="count",
        meaning={"en": "complaints open for more than 7 days", "ko": "7일 넘게 해결되지 않은 불만 건수"},
        topic="open complaints",
        phrases={
            "en": Phrase(
                "{value} [complaint/complaints] open for more than 7 days",
                zero="no complaint open for more than 7 days",
            ),
            "ko": Phrase(
                "7일 넘게 해결되지 않은 불만이 {value}건 있습니다", zero="7일 넘게 해결되지 않은 불만이 없습니다"
            ),
        },
        formula=CONTACTS.count(OPEN & (CONTACTS.age > 7)),
        actionable=True,
    ),
    Feature(
        name="complaint_open_days_max",
        theme="service",
        unit="days",
        meaning={"en": "days since the oldest complaint still open", "ko": "가장 오래된 미해결 불만의 경과 일수"},
        topic="open complaints",
        phrases={
            "en": Phrase("a complaint has been open for {value}", unknown="no complaint open"),
            "ko": Phrase("{value} 동안 해결되지 않은 불만이 있습니다", unknown="해결되지 않은 불만이 없습니다"),
        },
        formula=CONTACTS.age.max(OPEN),
        actionable=True,
        monotone=1,
    ),
    Feature(
        name="days_since_last_complaint",
        theme="service",
        unit="days",
        meaning={"en": "days since the last complaint", "ko": "마지막 불만 접수 후 경과 일수"},
        topic="complaints",
        phrases={
            "en": Phrase("{value} since the last complaint", unknown="no complaint so far"),
            "ko": Phrase("마지막 불만 접수 후 {value}[이/가] 지났습니다", unknown="접수된 불만이 없습니다"),
        },
        formula=LAST_COMPLAINT,
    ),
    Feature(
        name="complaint_reply_hours_mean",
        theme="service",
        unit="hours",
        meaning={
            "en": "average hours from a complaint to its first reply",
            "ko": "불만 접수부터 첫 답변까지 걸린 평균 시간",
        },
        topic="answers",
        phrases={
            "en": Phrase(
                "{value} hours from a complaint to its first reply on average", unknown="no complaint answered so far"
            ),
            "ko": Phrase("불만 접수부터 첫 답변까지 평균 {value}시간이 걸렸습니다", unknown="답변받은 불만이 없습니다"),
        },
        formula=(Between(CONTACTS.time, REPLIED) * 24).mean(COMPLAINT),
        actionable=True,
    ),
    Feature(
        name="complaints_answered_share_365d",
        theme="service",
        unit="share",
        meaning={
            "en": "share of complaints in the last 365 days that were answered",
            "ko": "최근 365일 불만 중 답변받은 비율",
        },
        topic="answers",
        phrases={
            "en": Phrase(
                "{value} of the complaints of the last 365 days answered",
                zero="none of the complaints of the last 365 days answered",
                unknown="no complaint in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 불만의 {value}[이/가] 답변을 받았습니다",
                zero="최근 365일 불만이 하나도 답변을 받지 못했습니다",
                unknown="최근 365일 동안 접수된 불만이 없습니다",
            ),
        },
        formula=CONTACTS.share(REPLIED.is_there(), where=COMPLAINT, within=365),
        actionable=True,
    ),
    Feature(
        name="complaints_resolved_share_365d",
        theme="service",
        unit="share",
        meaning={
            "en": "share of complaints in the last 365 days that were resolved",
            "ko": "최근 365일 불만 중 해결된 비율",
        },
        topic="answers",
        phrases={
            "en": Phrase(
                "{value} of the complaints of the last 365 days resolved",
                zero="none of the complaints of the last 365 days resolved",
                unknown="no complaint in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 불만의 {value}[이/가] 해결되었습니다",
                zero="최근 365일 불만이 하나도 해결되지 않았습니다",
                unknown="최근 365일 동안 접수된 불만이 없습니다",
            ),
        },
        formula=CONTACTS.share(RESOLVED.is_there(), where=COMPLAINT, within=365),
        actionable=True,
    ),
    Feature(
        name="complaint_resolution_days_mean",
        theme="service",
        unit="days",
        meaning={
            "en": "average days from a complaint to its resolution",
            "ko": "불만 접수부터 해결까지 걸린 평균 일수",
        },
        topic="answers",
        phrases={
            "en": Phrase(
                "{value} from a complaint to its resolution on average", unknown="no complaint resolved so far"
            ),
            "ko": Phrase("불만 접수부터 해결까지 평균 {value}[이/가] 걸렸습니다", unknown="해결된 불만이 없습니다"),
        },
        formula=Between(CONTACTS.time, RESOLVED).mean(COMPLAINT),
        actionable=True,
    ),
    Feature(
        name="complaint_follow_up_days_last",
        theme="service",
        unit="days",
        meaning={
            "en": "days from the last complaint to the next contact begun by the company",
            "ko": "마지막 불만 접수 후 회사가 먼저 연락하기까지 걸린 일수",
        },
        topic="answers",
        phrases={
            "en": Phrase(
                "{value} from the last complaint until the company made contact",
                unknown="no contact by the company after a complaint",
            ),
            "ko": Phrase(
                "마지막 불만 접수 후 회사가 연락하기까지 {value}[이/가] 걸렸습니다",
                unknown="불만 접수 후 회사가 연락한 적이 없습니다",
            ),
        },
        formula=LAST_COMPLAINT - CONTACTS.age.max(OUTBOUND & (CONTACTS.age <= LAST_COMPLAINT)),
        actionable=True,
    ),
    Feature(
        name="complaint_silence_days",
        theme="service",
        unit="days",
        meaning={
            "en": "days since the last complaint if the company has neither replied nor made contact since, else 0",
            "ko": "마지막 불만 이후 회사가 답변도 연락도 하지 않은 일수(답변이나 연락이 있었거나 불만이 없으면 0)",
        },
        topic="answers",
        phrases={
            "en": Phrase(
                "{value} since the last complaint without a word from the company",
                zero="no complaint left without a word from the company",
            ),
            "ko": Phrase(
                "마지막 불만 이후 {value} 동안 회사의 답변도 연락도 없습니다",
                zero="답변이나 연락 없이 남은 불만이 없습니다",
            ),
        },
        formula=LAST_COMPLAINT.given(WORDS_SINCE_COMPLAINT < 1).otherwise(0),
        actionable=True,
    ),
    Feature(
        name="refund_silence_days",
        theme="service",
        unit="days",
        meaning={
            "en": "days since the last refund if from 14 days before it until now there was no complaint "
            "and no contact begun by the company, else 0",
            "ko": "마지막 환불 14일 전부터 지금까지 불만 접수도 회사의 연락도 없었을 때 환불 후 경과 일수"
            "(있었거나 환불이 없으면 0)",
        },
        phrases={
            "en": Phrase(
                "{value} since the last refund without a complaint or a word from the company",
                zero="no refund left without a word",
            ),
            "ko": Phrase(
                "마지막 환불 이후 {value} 동안 불만 접수도 회사의 연락도 없습니다",
                zero="연락 없이 남은 환불이 없습니다",
            ),
        },
        formula=LAST_REFUND.given(WORDS_ABOUT_REFUND < 1).otherwise(0),
        actionable=True,
    ),
    Feature(
        name="complaints_same_topic_count_365d",
        theme="service",
        unit="count",
        meaning={
            "en": "complaints in the last 365 days about a topic already complained about in that time",
            "ko": "최근 365일 같은 주제로 반복된 불만 건수",
        },
        topic="complaints",
        phrases={
            "en": Phrase(
                "{value} [complaint/complaints] in the last 365 days about a topic complained about before",
                zero="no topic complained about twice in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 같은 주제로 반복된 불만은 {value}건입니다",
                zero="최근 365일 동안 같은 주제로 반복된 불만이 없습니다",
            ),
        },
        formula=TOPIC.count(COMPLAINT, within=365) - TOPIC.nunique(COMPLAINT, within=365),
        actionable=True,
    ),
    Feature(
        name="purchase_days_complaint_trend_180d",
        theme="service",
        unit="purchases",
        meaning={
            "en": "purchase days after the last complaint (180 days at most) less those in as long before it",
            "ko": "마지막 불만 이후(최대 180일) 구매일 수에서 같은 길이의 불만 이전 기간 구매일 수를 뺀 값",
        },
        phrases={
            "en": Phrase(
                "{value} more purchase [day/days] after the last complaint than in as long before it",
                zero="as many purchase days after the last complaint as in as long before it",
                below="{value} fewer purchase [day/days] after the last complaint than in as long before it",
                unknown="no complaint so far",
            ),
            "ko": Phrase(
                "마지막 불만 이후 구매일이 같은 길이의 이전 기간보다 {value}일 많습니다",
                zero="마지막 불만 이후 구매일 수가 같은 길이의 이전 기간과 같습니다",
                below="마지막 불만 이후 구매일이 같은 길이의 이전 기간보다 {value}일 적습니다",
                unknown="접수된 불만이 없습니다",
            ),
        },
        formula=(BOUGHT_AFTER - BOUGHT_BEFORE).given(LAST_COMPLAINT.is_there()),
        actionable=True,
    ),
    Feature(
        name="feedback_unanswered_count_365d",
        theme="service",
        unit="count",
        meaning={
            "en": "feedback and complaints in the last 365 days that have had no reply",
            "ko": "최근 365일 답변받지 못한 의견·불만 건수",
        },
        topic="unanswered",
        phrases={
            "en": Phrase(
                "{value} [message/messages] of feedback or complaint of the last 365 days without a reply",
                zero="no feedback of the last 365 days without a reply",
            ),
            "ko": Phrase(
                "최근 365일 의견·불만 중 답변받지 못한 것이 {value}건 있습니다",
                zero="최근 365일 의견·불만 중 답변받지 못한 것이 없습니다",
            ),
        },
        formula=CONTACTS.count(UNANSWERED, within=365),
        actionable=True,
        monotone=1,
    ),
    Feature(
        name="feedback_unanswered_days_max_365d",
        theme="service",
        unit="days",
        meaning={
            "en": "days since the oldest feedback or complaint in the last 365 days that has had no reply",
            "ko": "최근 365일 답변받지 못한 의견·불만 중 가장 오래된 것의 경과 일수",
        },
        topic="unanswered",
        phrases={
            "en": Phrase(
                "feedback or a complaint has been without a reply for {value}",
                unknown="no feedback of the last 365 days without a reply",
            ),
            "ko": Phrase(
                "{value} 동안 답변받지 못한 의견·불만이 있습니다", unknown="답변받지 못한 의견·불만이 없습니다"
            ),
        },
        formula=CONTACTS.age.max(UNANSWERED, within=365),
        actionable=True,
        monotone=1,
    ),
    Feature(
        name="returns_count_90d",
        theme="service",
        unit="count",
        meaning={"en": "returned lines (refunds) in the last 90 days", "ko": "최근 90일 반품(환불) 건수"},
        topic="refunds",
        phrases={
            "en": Phrase(
                "{value} returned [line/lines] in the last 90 days", zero="nothing returned in the last 90 days"
            ),
            "ko": Phrase("최근 90일 반품(환불)은 {value}건입니다", zero="최근 90일 동안 반품(환불)이 없습니다"),
        },
        formula=PURCHASES.count(REFUNDED, within=90),
        actionable=True,
    ),
    Feature(
        name="inbound_since_purchase_count",
        theme="service",
        unit="count",
        meaning={
            "en": "contacts begun by the client since its last purchase day",
            "ko": "마지막 구매일 이후 고객이 먼저 한 연락 건수",
        },
        topic="inbound",
        phrases={
            "en": Phrase(
                "{value} [contact/contacts] by the client since the last purchase day",
                zero="no contact by the client since the last purchase day",
            ),
            "ko": Phrase(
                "마지막 구매일 이후 고객이 먼저 {value}번 연락했습니다",
                zero="마지막 구매일 이후 고객이 먼저 연락한 적이 없습니다",
            ),
        },
        formula=CONTACTS.count(INBOUND & (CONTACTS.age <= DAYS.age.min())),
    ),
    Feature(
        name="satisfaction_last",
        theme="service",
        unit="stars",
        meaning={"en": "latest satisfaction score", "ko": "가장 최근 만족도 점수"},
        topic="satisfaction",
        usual="satisfaction_mean",
        phrases={
            "en": Phrase(
                "latest satisfaction score: {value}", unknown="no satisfaction score given", usual="{value} on average"
            ),
            "ko": Phrase("가장 최근 만족도는 {value}점입니다", unknown="만족도 평가가 없습니다", usual="평균 {value}"),
        },
        formula=SATISFACTION.last(),
        actionable=True,
    ),
    Feature(
        name="satisfaction_mean",
        theme="service",
        unit="stars",
        meaning={"en": "average satisfaction score", "ko": "평균 만족도 점수"},
        topic="satisfaction",
        phrases={
            "en": Phrase("average satisfaction score: {value}", unknown="no satisfaction score given"),
            "ko": Phrase("평균 만족도는 {value}점입니다", unknown="만족도 평가가 없습니다"),
        },
        formula=SATISFACTION.mean(),
        actionable=True,
    ),
    Feature(
        name="satisfaction_min",
        theme="service",
        unit="stars",
        meaning={"en": "lowest satisfaction score", "ko": "최저 만족도 점수"},
        topic="satisfaction",
        phrases={
            "en": Phrase("lowest satisfaction score: {value}", unknown="no satisfaction score given"),
            "ko": Phrase("최저 만족도는 {value}점입니다", unknown="만족도 평가가 없습니다"),
        },
        formula=SATISFACTION.min(),
        actionable=True,
    ),
    Feature(
        name="satisfaction_trend_180d",
        theme="service",
        unit="stars",
        meaning={
            "en": "average satisfaction score in the last 180 days less that of the time before",
            "ko": "이전 기간 대비 최근 180일 평균 만족도 점수 증감",
        },
        topic="satisfaction",
        phrases={
            "en": Phrase(
                "satisfaction score of the last 180 days {value} higher than before",
                zero="satisfaction score of the last 180 days as before",
                below="satisfaction score of the last 180 days {value} lower than before",
                unknown="too few satisfaction scores to tell a change",
            ),
            "ko": Phrase(
                "최근 180일 만족도가 이전보다 {value}점 높습니다",
                zero="최근 180일 만족도가 이전과 같습니다",
                below="최근 180일 만족도가 이전보다 {value}점 낮습니다",
                unknown="만족도 평가가 적어 변화를 알 수 없습니다",
            ),
        },
        formula=SATISFACTION.mean(within=180) - SATISFACTION.mean(beyond=180),
        actionable=True,
    ),
)
