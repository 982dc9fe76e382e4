"""Words of the chapter on what to do and what it would return, in English and in Korean; see `loyalty.report.words`."""

WORDS: dict[str, tuple[str, str]] = {
    "alerts.headline": (
        "{clients} wait for the company to act; {share} of the money at risk is theirs",
        "회사의 조치를 기다리는 고객은 {clients}이며, 위험 금액의 {share}[을/를] 차지합니다",
    ),
    "alerts.headline.none": (
        "No client waits for an answer, meets silence or is worn out by promotions",
        "답변을 기다리거나 문제 후 연락이 없거나 프로모션에 지친 고객은 없습니다",
    ),
    "alerts.headline.hidden": (
        "Clients who wait for the company to act; small groups are hidden",
        "회사의 조치를 기다리는 고객(소수 집단은 비공개)",
    ),
    "alerts.headline.none.some": (
        "As far as the data tell, no client waits for the company to act",
        "데이터로 알 수 있는 범위에서는 회사의 조치를 기다리는 고객이 없습니다",
    ),
    "alerts.headline.unknown": (
        "This run does not tell which clients wait for the company to act",
        "이번 실행으로는 회사의 조치를 기다리는 고객을 알 수 없습니다",
    ),
    "alerts.lack.contacts": (
        "The data hold no messages of clients (table contacts).",
        "고객 문의 기록이 없습니다(contacts 표).",
    ),
    "alerts.lack.contacts.kind": (
        "The messages do not say what kind they are (column contacts.kind).",
        "문의 기록에 문의 종류가 없습니다(contacts.kind 열).",
    ),
    "alerts.lack.contacts.replied_at": (
        "The messages do not say when they were answered (column contacts.replied_at).",
        "문의 기록에 답변 시점이 없습니다(contacts.replied_at 열).",
    ),
    "alerts.lack.offers": (
        "The data hold no offers (table offers).",
        "혜택 제안 기록이 없습니다(offers 표).",
    ),
    "alerts.lack.offers.redeemed_at": (
        "The offers do not say when they were taken (column offers.redeemed_at).",
        "혜택 제안 기록에 사용 시점이 없습니다(offers.redeemed_at 열).",
    ),
    "alerts.sub": (
        "A client can have several, so the three do not add up. Whether the step lowers the risk is not known; it is "
        "owed anyway.",
        "한 고객이 여러 항목에 들 수 있어 세 항목의 합은 전체와 다릅니다. 조치가 위험을 낮추는지는 알 수 없지만, 해야 "
        "할 일입니다.",
    ),
    "alerts.sub.list": (
        "A client can have several, so the three do not add up. The clients stand in alerts.csv. Whether the step "
        "lowers the risk is not known; it is owed anyway.",
        "한 고객이 여러 항목에 들 수 있어 세 항목의 합은 전체와 다릅니다. 고객 목록은 alerts.csv에 있습니다. 조치가 "
        "위험을 낮추는지는 알 수 없지만, 해야 할 일입니다.",
    ),
    "alerts.money": ("{money} at risk, {share} of all", "위험 금액 {money}, 전체의 {share}"),
    "alert.unanswered_feedback": ("Feedback without an answer", "답변받지 못한 의견"),
    "alert.silence_after_problem": ("Silence after a problem", "문제 발생 후 연락 없음"),
    "alert.promotion_fatigue": ("Too many promotions", "과도한 프로모션"),
    "alert.unanswered_feedback.rule": (
        "Wrote feedback or a complaint and got no reply within {reply}.",
        "의견이나 불만을 남겼지만 {reply} 안에 답변을 받지 못했습니다.",
    ),
    "alert.silence_after_problem.rule": (
        "Had a complaint or a refund, and for more than {reply} nobody got in touch.",
        "불만이나 환불 이후 {reply}이 넘도록 연락이 없었습니다.",
    ),
    "alert.promotion_fatigue.rule": (
        "Got {offers} offers or more in 30 days and took none.",
        "30일 동안 혜택 제안을 {offers}건 이상 받았지만 하나도 쓰지 않았습니다.",
    ),
    "alert.unanswered_feedback.age": (
        "Half of them have waited for {median} or more; the longest for {most}.",
        "절반은 {median} 이상, 가장 긴 고객은 {most} 기다렸습니다.",
    ),
    "alert.silence_after_problem.age": (
        "Half of them for {median} or more; the longest for {most}.",
        "절반은 {median} 이상, 가장 긴 고객은 {most} 동안 연락이 없었습니다.",
    ),
    "alert.promotion_fatigue.age": (
        "Half of them have taken none for {median} or more; the longest for {most}.",
        "절반은 {median} 이상, 가장 긴 고객은 {most} 동안 쓰지 않았습니다.",
    ),
    "alert.unanswered_feedback.median": (
        "Half of them have waited for {median} or more.",
        "절반은 {median} 이상 기다렸습니다.",
    ),
    "alert.silence_after_problem.median": (
        "Half of them for {median} or more.",
        "절반은 {median} 이상 연락이 없었습니다.",
    ),
    "alert.promotion_fatigue.median": (
        "Half of them have taken none for {median} or more.",
        "절반은 {median} 이상 쓰지 않았습니다.",
    ),
    "alert.unanswered_feedback.step": (
        "Answer, the oldest first, by a person who can decide.",
        "오래된 것부터, 결정할 수 있는 담당자가 답하세요.",
    ),
    "alert.silence_after_problem.step": (
        "Call, ask whether the matter is settled, and say what was done.",
        "전화로 문제가 해결되었는지 묻고, 처리한 내용을 알려 주세요.",
    ),
    "alert.promotion_fatigue.step": (
        "Pause promotions, and ask what the client would like to hear about.",
        "프로모션을 멈추고, 어떤 소식을 원하는지 물어보세요.",
    ),
    "alert.step": ("What to do", "할 일"),
    "service.title": ("The service that each segment deserves", "구간별로 알맞은 서비스"),
    "service.sub": (
        "The service is a rule of thumb, not a measured effect: try it on part of a segment, chosen by chance, and "
        "compare with the rest.",
        "서비스는 효과가 측정된 것이 아닌 일반적인 지침입니다. 무작위로 고른 일부 고객에게 먼저 시행해 나머지와 "
        "비교하세요.",
    ),
    "calls.headline": (
        "The first {number} clients by money at risk hold {share} of it: {money}",
        "위험 금액이 큰 순서로 처음 {number}명이 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "calls.headline.none": ("There is no money at risk to call for", "연락으로 지킬 위험 금액이 없습니다"),
    "calls.headline.few": (
        "There are too few clients to tell of the first of them",
        "고객이 적어 우선순위별 합계를 공개하지 않습니다",
    ),
    "calls.sub": (
        "Whom to call first when not all can be called. Expected leavers are the risks of these clients added up.",
        "모두에게 연락할 수 없을 때 누구부터 연락할지 보여 줍니다. 예상 이탈 고객은 이들의 위험을 더한 값입니다.",
    ),
    "calls.first": ("Contacts", "연락 규모"),
    "calls.number": ("First {number}", "처음 {number}명"),
    "calls.share": ("First {share} ({number})", "상위 {share}({number}명)"),
    "calls.money": ("Money at risk", "위험 금액"),
    "calls.part": ("Share of all", "전체 중 비중"),
    "calls.leavers": ("Leavers expected", "예상 이탈 고객"),
    "calls.alt": (
        "Bars of the share of all money at risk that the first clients hold: {bars}.",
        "처음 연락하는 고객이 차지하는 위험 금액 비중 막대: {bars}.",
    ),
    "return.headline": (
        "If a contact keeps one in twenty of those who would leave, calling the first {number} keeps {money}; a "
        "contact pays while it costs less than {cost}",
        "연락으로 이탈할 고객 20명 중 1명을 지킨다면 처음 {number}명에서 {money}[을/를] 지키며, 연락 1회 비용이 "
        "{cost}보다 적으면 이익입니다",
    ),
    "return.sub": (
        "One in twenty is an assumption and not measured in this run; so are the others in the table. Measure it: "
        "leave a part of the list, chosen by chance, without a contact, and compare who stays. Money is spend of a "
        "year, before costs; the cost is the mean over the list, and clients further down bring less than it.",
        "20명 중 1명은 이번 실행에서 측정한 값이 아니라 가정이며, 표의 다른 값도 그렇습니다. 목록의 일부를 무작위로 "
        "골라 연락하지 않고 남은 비율을 비교해 측정하세요. 금액은 비용을 빼기 전 1년 구매액입니다. 기준 비용은 목록 "
        "전체의 평균이며, 뒤로 갈수록 지키는 금액은 그보다 작습니다.",
    ),
    "return.sub.margin": (
        "One in twenty is an assumption and not measured in this run; so are the others in the table. Measure it: "
        "leave a part of the list, chosen by chance, without a contact, and compare who stays. Money is the margin, "
        "{margin} of the spend of a year; the cost is the mean over the list, and clients further down "
        "bring less than it.",
        "20명 중 1명은 이번 실행에서 측정한 값이 아니라 가정이며, 표의 다른 값도 그렇습니다. 목록의 일부를 무작위로 "
        "골라 연락하지 않고 남은 비율을 비교해 측정하세요. 금액은 1년 구매액의 {margin}인 이익입니다. 기준 비용은 목록 "
        "전체의 평균이며, 뒤로 갈수록 지키는 금액은 그보다 작습니다.",
    ),
    "return.caption": (
        "A contact pays while it costs less than this, if it keeps so many of those who would leave:",
        "연락이 이탈할 고객을 다음 비율로 지킬 때, 연락 1회 비용이 아래보다 적으면 이익입니다.",
    ),
    "return.kept": ("1 in {number}", "{number}명 중 1명"),
}
