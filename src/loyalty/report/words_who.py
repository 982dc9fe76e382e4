"""Words of the chapter on who, in English and in Korean; see `loyalty.report.words`."""

WORDS: dict[str, tuple[str, str]] = {
    "matrix.x": ("Churn risk", "이탈 위험"),
    "matrix.alt": ("Grid of clients by spend and churn risk: {cells}.", "구매액과 이탈 위험별 고객 수 표: {cells}."),
    "segments.headline.none": ("There is no money at risk", "위험 금액이 없습니다"),
    "segments.segment": ("Segment", "구간"),
    "segments.clients": ("Clients", "고객 수"),
    "segments.risk": ("Mean risk", "평균 위험"),
    "segments.value": ("Money at risk", "위험 금액"),
    "segments.share": ("Share", "비중"),
    "segments.advice": ("Service deserved", "알맞은 서비스"),
    "top.headline": (
        "These {clients} hold {share} of all money at risk: {money}",
        "아래 고객 {clients}[이/가] 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "top.headline.one": (
        "This client holds {share} of all money at risk: {money}",
        "아래 고객 1명이 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "top.headline.none": ("No client holds money at risk", "위험 금액이 있는 고객이 없습니다"),
    "top.sub": (
        "Reasons are what the model saw in each client's history. They go with higher (▲) or lower (▼) risk; they need "
        "not be its cause. Expected is the mean; below it, what nine of ten such clients spend: 0 to 0 where almost "
        "all buy nothing.",
        "이유는 모형이 고객 이력에서 본 내용입니다. 높은(▲) 위험 또는 낮은(▼) 위험과 함께 나타나며, 반드시 원인은 "
        "아닙니다. 예상 구매액은 평균이며, 아래는 이런 고객 10명 중 9명의 구매액 범위입니다. 0~0은 대부분 구매하지 "
        "않는다는 뜻입니다.",
    ),
    "top.client": ("Client", "고객"),
    "top.risk": ("Churn risk", "이탈 위험"),
    "top.spend": ("12-month spend", "12개월 구매액"),
    "top.value": ("Money at risk", "위험 금액"),
    "top.expected": ("Expected in {days}", "{days} 예상 구매액"),
    "top.reasons": ("What goes with it", "함께 나타난 특징"),
    "reason.up": ("goes with higher risk", "높은 위험과 함께 나타남"),
    "reason.down": ("goes with lower risk", "낮은 위험과 함께 나타남"),
    "reason.none": ("no reason recorded", "기록된 이유 없음"),
    "matrix.headline": (
        "{number} top clients are in the highest band of risk; about {leavers} of them are expected to leave",
        "최상위 고객 {number}명이 위험 상위 구간에 속하며, 그중 약 {leavers}명이 이탈할 것으로 예상됩니다",
    ),
    "matrix.headline.one": (
        "1 top client is in the highest band of risk",
        "최상위 고객 1명이 위험 상위 구간에 속합니다",
    ),
    "matrix.headline.none": (
        "No top client is in the highest band of risk",
        "위험 상위 구간에 속하는 최상위 고객은 없습니다",
    ),
    "matrix.headline.hidden": (
        "Clients by risk and value; small groups are hidden",
        "위험과 금액으로 나눈 고객(소수 집단은 비공개)",
    ),
    "matrix.sub": (
        "Clients by churn risk and by what each would spend in the next {days} if they stay. The names are relative: "
        "when the models were made, half of the clients lay below the first cut point of risk and a fifth above the "
        "second, and later scores are cut there too. Below each count: money at risk. The stronger the colour, the "
        "more.",
        "이탈 위험과 고객이 남을 경우의 향후 {days} 예상 구매액으로 나눈 고객 수. 구간 경계는 모형과 함께 고정되어 "
        "이후 점수와 비교할 수 있습니다. 이름은 상대적입니다: 경계를 정할 때 고객의 절반은 첫 경계 이하, 20%는 둘째 "
        "경계 초과였습니다. 아래 숫자는 위험 금액이며, 색이 강할수록 큽니다.",
    ),
    "matrix.y": ("Expected spend if staying", "유지 시 예상 구매액"),
    "tier.2": ("Top", "최상위"),
    "tier.1": ("Solid", "중간"),
    "tier.0": ("Small", "소액"),
    "risk.2": ("High", "높음"),
    "risk.1": ("Medium", "중간"),
    "risk.0": ("Low", "낮음"),
    "segments.headline": (
        "{share} of the money at risk lies with one segment: {segment}",
        "위험 금액의 {share}[이/가] 한 구간에 있습니다: {segment}",
    ),
    "segments.headline.hidden": (
        "Of the segments shown, one holds the most: {share} of the money at risk lies with {segment}",
        "공개된 구간 중 위험 금액이 가장 큰 곳은 전체의 {share}인 {segment}입니다",
    ),
    "segments.headline.few": ("Every segment is too small to be shown", "구간이 모두 작아 공개하지 않습니다"),
    "segments.sub": (
        "Below the money at risk: its {coverage} range. The ranges of segments do not add up to that of all.",
        "위험 금액 아래는 {coverage} 범위이며, 구간별 범위의 합은 전체 범위와 다릅니다.",
    ),
    "segments.sub.bare": (
        "Clients by value and risk, the segment with most money at risk first.",
        "가치와 위험으로 나눈 구간을 위험 금액이 큰 순서로 보입니다.",
    ),
    "segments.all": ("All clients", "전체 고객"),
    "movement.headline": (
        "Of the top clients {slid} slid to a higher risk in {days}; {back} moved to a lower one",
        "최근 {days} 동안 최상위 고객 중 {slid}명의 위험이 높아졌고 {back}명은 낮아졌습니다",
    ),
    "movement.headline.none": ("No earlier segments to compare with", "비교할 이전 구간이 없습니다"),
    "movement.headline.hidden": (
        "How clients moved between segments in {days}; small groups are hidden",
        "최근 {days} 동안의 구간 이동(소수 집단은 비공개)",
    ),
    "movement.sub": (
        "Clients of each segment on {since} and on {date}, by the same models and cut points. Clients come in "
        "from other segments or are new; they go to others, or fell silent too long.",
        "같은 모형과 구간 경계로 본 {since}과 {date}의 구간별 고객 수. 다른 구간에서 옮겨 온 고객과 신규 고객은 "
        "유입에, 다른 구간으로 옮긴 고객과 오랫동안 구매가 없어 대상에서 빠진 고객은 유출에 들어갑니다.",
    ),
    "movement.sub@contractual": (
        "Clients of each segment on {since} and on {date}, by the same models and cut points. Clients come in "
        "from other segments or are new; they go to others, or their contract has ended.",
        "같은 모형과 구간 경계로 본 {since}과 {date}의 구간별 고객 수. 다른 구간에서 옮겨 온 고객과 신규 고객은 "
        "유입에, 다른 구간으로 옮긴 고객과 계약이 끝난 고객은 유출에 들어갑니다.",
    ),
    "movement.before": ("Before", "이전"),
    "movement.now": ("Now", "현재"),
    "movement.came": ("Came in", "유입"),
    "movement.left": ("Went out", "유출"),
    "movement.change": ("Change", "증감"),
    "movement.largest": ("Largest moves, by money at risk", "위험 금액이 큰 이동"),
    "movement.from": ("From", "이전 구간"),
    "movement.to": ("To", "현재 구간"),
    "movement.new": ("new", "신규"),
    "movement.gone": ("gone", "이탈"),
    "rfm.headline": (
        "{number} strong clients are cooling off or have gone quiet",
        "우수 고객 {number}명이 뜸해졌거나 구매가 끊겼습니다",
    ),
    "rfm.headline.one": (
        "1 strong client is cooling off or has gone quiet",
        "우수 고객 1명이 뜸해졌거나 구매가 끊겼습니다",
    ),
    "rfm.headline.none": ("No strong client is cooling off", "뜸해진 우수 고객은 없습니다"),
    "rfm.headline.hidden": (
        "Clients by how they bought in the past year; small groups are hidden",
        "최근 1년 구매 방식으로 나눈 고객(소수 집단은 비공개)",
    ),
    "rfm.sub": (
        "Segments by how recently, how often and for how much clients bought in the past year; no model is asked.",
        "모형과 무관하게 최근 1년의 구매 시점, 횟수, 금액으로 나눈 구간.",
    ),
    "rfm.value": ("12-month spend", "12개월 구매액"),
    "loyalty.headline": (
        "The loyalty score is {score} of 100 on average; {share} of clients score 70 or more",
        "충성도 점수는 평균 100점 만점에 {score}점이며, 70점 이상 고객은 {share}입니다",
    ),
    "loyalty.headline.bare": (
        "The loyalty score is {score} of 100 on average",
        "충성도 점수는 평균 100점 만점에 {score}점입니다",
    ),
    "loyalty.sub": (
        "The weighted mean of the named parts, each from 0 to 100, by fixed curves: a score moves only when the client "
        "does. Staying is read from the client's own pace and is not the model's probability. On {since}: {score}.",
        "0~100점의 항목별 점수를 고정된 기준과 가중치로 평균한 값으로, 고객의 행동이 바뀔 때만 움직입니다. 유지 "
        "가능성은 고객 자신의 구매 속도로 본 값이며 모형의 확률이 아닙니다. {since} 평균은 {score}점입니다.",
    ),
    "loyalty.sub.bare": (
        "The weighted mean of the named parts, each from 0 to 100, by fixed curves: a score moves only when the client "
        "does. Staying is read from the client's own pace and is not the model's probability.",
        "0~100점의 항목별 점수를 고정된 기준과 가중치로 평균한 값으로, 고객의 행동이 바뀔 때만 움직입니다. 유지 "
        "가능성은 고객 자신의 구매 속도로 "
        "본 값이며 모형의 확률이 아닙니다.",
    ),
    "loyalty.sub@contractual": (
        "The weighted mean of the named parts, each from 0 to 100, by fixed curves; staying is the model's "
        "probability. On {since}: {score}.",
        "0~100점의 항목별 점수를 고정된 기준과 가중치로 평균한 값이며, 유지 가능성은 모형의 확률입니다. {since} 평균은 "
        "{score}점입니다.",
    ),
    "loyalty.sub.bare@contractual": (
        "The weighted mean of the named parts, each from 0 to 100, by fixed curves; staying is the model's "
        "probability.",
        "0~100점의 항목별 점수를 고정된 기준과 가중치로 평균한 값이며, 유지 가능성은 모형의 확률입니다.",
    ),
    "loyalty.scores": ("Share of clients by score", "점수대별 고객 비중"),
    "loyalty.parts": ("Mean of each part", "항목별 평균"),
    "loyalty.part": ("Part", "항목"),
    "loyalty.mean": ("Mean", "평균"),
    "loyalty.known": ("Clients it is known of", "값이 있는 고객"),
    "loyalty.score": ("Score", "점수"),
    "loyalty.share": ("Share", "비중"),
    "loyalty.unknown": (
        "Not known in these data, and left out of the score: {parts}.",
        "이 데이터에서 알 수 없어 점수에서 제외한 항목: {parts}.",
    ),
    "loyalty.band": ("{low} to {high}", "{low}~{high}점"),
    "loyalty.alt.scores": (
        "Bars of the share of clients by loyalty score: {bars}.",
        "충성도 점수대별 고객 비중 막대: {bars}.",
    ),
    "loyalty.alt.parts": (
        "Bars of the mean of each part of the loyalty score: {bars}.",
        "충성도 항목별 평균 막대: {bars}.",
    ),
    "top.little": ("little history", "이력 부족"),
}
