"""Words of the chapter on why, in English and in Korean; see `loyalty.report.words`."""

WORDS: dict[str, tuple[str, str]] = {
    "drivers.headline": (
        "“{driver}” counts most: {effect} on average",
        "‘{driver}’[이/가] 예측을 가장 크게 움직입니다: 평균 {effect}",
    ),
    "drivers.headline.none": ("No drivers were recorded", "기록된 주요 특징이 없습니다"),
    "drivers.sub": (
        "How far each feature moves the predicted risk up or down on average, in percentage points; colour shows "
        "what a high value goes with. These are patterns in the data, not proof of cause.",
        "각 특징이 예측 위험을 평균적으로 얼마나 움직이는지(%p). 색은 값이 클 때의 방향입니다. 데이터에 나타난 "
        "경향이며 인과관계를 뜻하지 않습니다.",
    ),
    "drivers.raises": ("high value goes with higher risk", "값이 크면 위험이 높은 편"),
    "drivers.lowers": ("high value goes with lower risk", "값이 크면 위험이 낮은 편"),
    "drivers.neutral": ("no single direction", "일정한 방향 없음"),
    "drivers.feature": ("Feature", "특징"),
    "drivers.effect": ("Effect, pp", "효과(%p)"),
    "drivers.direction": ("High value", "값이 클 때"),
    "drivers.alt": (
        "Bars of the features that move the predicted risk: {bars}.",
        "예측 위험을 움직이는 특징 막대: {bars}.",
    ),
    "drivers.range": ("95% range", "95% 범위"),
    "drivers.can": ("Company can act on it", "회사가 바꿀 수 있음"),
    "drivers.can.yes": ("yes", "예"),
    "drivers.can.no": ("no", "아니요"),
    "theme.rhythm": ("Rhythm of buying", "구매 주기"),
    "theme.value": ("Spend", "구매 금액"),
    "theme.breadth": ("Breadth of what is bought", "구매 폭"),
    "theme.promotion": ("Promotions", "프로모션"),
    "theme.service": ("Service and complaints", "고객 서비스와 불만"),
    "theme.engagement": ("Visits and engagement", "방문과 참여"),
    "theme.contract": ("Contract", "계약"),
    "theme.text": ("What the client writes", "고객이 쓴 글"),
    "theme.peers": ("Clients nearby and alike", "비슷한 고객"),
    "theme.season": ("Season", "계절"),
    "theme.other": ("Other", "기타"),
    "themes.headline": (
        "“{theme}” goes with the risk most: it moves the prediction by {effect} on average",
        "위험과 가장 강하게 함께 나타나는 주제는 ‘{theme}’입니다: 예측을 평균 {effect} 움직입니다",
    ),
    "themes.sub": (
        "How far each theme moves the predicted risk up or down on average, in percentage points, with its 95% range "
        "(thin line). Themes go with the risk; they need not be its cause.",
        "각 주제가 예측 위험을 평균적으로 얼마나 움직이는지(%p)와 95% 범위(가는 선)입니다. 위험과 함께 나타나는 "
        "것이며 반드시 원인은 아닙니다.",
    ),
    "themes.act": (
        "{share} of what moves the prediction is of a kind that the company can act upon, first of all: {driver}. "
        "Whether acting on it lowers the risk is not measured.",
        "예측을 움직이는 것의 {share}[은/는] 회사가 손쓸 수 있는 종류이며, 그중 가장 큰 것은 ‘{driver}’입니다. 손썼을 "
        "때 위험이 낮아지는지는 측정하지 않았습니다.",
    ),
    "themes.act.bare": (
        "{share} of what moves the prediction is of a kind that the company can act upon. Whether acting on it lowers "
        "the risk is not measured.",
        "예측을 움직이는 것의 {share}[은/는] 회사가 손쓸 수 있는 종류입니다. 손썼을 때 위험이 낮아지는지는 측정하지 "
        "않았습니다.",
    ),
    "themes.can": ("the company can act on it", "회사가 바꿀 수 있는 부분"),
    "themes.cannot": ("the company cannot", "바꿀 수 없는 부분"),
    "themes.theme": ("Theme", "주제"),
    "themes.drivers": ("Drivers", "특징 수"),
    "themes.part": ("Part the company can act on", "회사가 바꿀 수 있는 부분"),
    "themes.alt": (
        "Bars of the themes that move the predicted risk: {bars}.",
        "예측 위험을 움직이는 주제 막대: {bars}.",
    ),
    "themes.alt.bar": ("{theme} {effect} points ({low} to {high})", "{theme} {effect}%p({low}~{high})"),
    "stability.steady": (
        "The drivers are steady: over {cutoffs} cutoffs, at least {share} of their strength stayed where it was.",
        "특징은 안정적입니다. 기준일 {cutoffs}개에 걸쳐 강도의 {share} 이상이 그대로였습니다.",
    ),
    "stability.shifting": (
        "The drivers shift: over {cutoffs} cutoffs, at times only {share} of their strength stayed where it was.",
        "특징이 바뀌는 편입니다. 기준일 {cutoffs}개에 걸쳐 강도의 {share}만 그대로인 때가 있었습니다.",
    ),
    "stability.unsteady": (
        "The drivers are unsteady: over {cutoffs} cutoffs, at times only {share} of their strength stayed where it "
        "was. Do not build on a single one.",
        "특징이 불안정합니다. 기준일 {cutoffs}개에 걸쳐 강도의 {share}만 그대로인 때가 있었습니다. 특징 하나에 "
        "의존하지 마세요.",
    ),
    "differs.headline": (
        "In {differing} of {segments} segments something else comes first",
        "구간 {segments}개 중 {differing}개에서는 다른 특징이 가장 큽니다",
    ),
    "differs.headline.none": (
        "In all segments told of, the same driver comes first: {driver}",
        "공개된 모든 구간에서 같은 특징이 가장 큽니다: {driver}",
    ),
    "differs.sub": (
        "The strongest drivers within these segments. Segments of fewer than 30 clients are left out.",
        "해당 구간에서 가장 큰 특징입니다. 30명 미만의 구간은 제외했습니다.",
    ),
    "differs.first": ("First", "첫째"),
    "differs.second": ("Second", "둘째"),
    "changed.headline.up": (
        "Since {since} the mean risk rose by {change}, from {before} to {after}",
        "{since} 이후 평균 위험이 {before}에서 {after}로 {change} 높아졌습니다",
    ),
    "changed.headline.down": (
        "Since {since} the mean risk fell by {change}, from {before} to {after}",
        "{since} 이후 평균 위험이 {before}에서 {after}로 {change} 낮아졌습니다",
    ),
    "changed.headline.same": (
        "Since {since} the mean risk has stayed at {after}",
        "{since} 이후 평균 위험은 {after}로 그대로입니다",
    ),
    "changed.headline.none": ("What moved the risk since {since}", "{since} 이후 위험을 움직인 것"),
    "changed.who": (
        "Clients who were here both times moved it by {both}, the {came} who came in by {new}, and the {left} who went "
        "out by {gone}.",
        "두 시점에 모두 있던 고객이 {both}, 고객 {came}의 유입이 {new}, 고객 {left}의 유출이 {gone}만큼 평균 위험을 "
        "움직였습니다.",
    ),
    "changed.who.came": (
        "Clients who were here both times moved it by {both}, and the {came} who came in by {new}.",
        "두 시점에 모두 있던 고객이 {both}, 고객 {came}의 유입이 {new}만큼 평균 위험을 움직였습니다.",
    ),
    "changed.who.left": (
        "Clients who were here both times moved it by {both}, and the {left} who went out by {gone}.",
        "두 시점에 모두 있던 고객이 {both}, 고객 {left}의 유출이 {gone}만큼 평균 위험을 움직였습니다.",
    ),
    "changed.sub": (
        "How far each theme moved the mean risk of the clients who were here both times, in percentage points. One "
        "model read both days, so what changed is the clients and the season.",
        "두 시점에 모두 있던 고객의 평균 위험을 각 주제가 얼마나 움직였는지(%p). 같은 모형으로 두 날을 보았으므로, "
        "바뀐 것은 고객과 계절입니다.",
    ),
    "changed.up": ("moved it up", "높인 주제"),
    "changed.down": ("moved it down", "낮춘 주제"),
    "changed.change": ("Change, pp", "변화(%p)"),
    "changed.alt": (
        "Bars of what each theme did to the mean risk: {bars}.",
        "각 주제가 평균 위험에 미친 변화 막대: {bars}.",
    ),
    "voice.headline": (
        "{clients} wrote about “{words}”; {money} is at risk with them",
        "‘{words}’에 대해 고객 {clients}[이/가] 글을 남겼고, 이들의 위험 금액은 {money}입니다",
    ),
    "voice.headline.bare": (
        "{clients} wrote about “{words}”",
        "‘{words}’에 대해 고객 {clients}[이/가] 글을 남겼습니다",
    ),
    "voice.headline.none": (
        "In {days}, no theme was written about by ten clients or more",
        "최근 {days} 동안 고객 10명 이상이 글을 남긴 주제가 없습니다",
    ),
    "voice.sub": (
        "What clients wrote about in the {days} before the cutoff, in words that they used. A client may write about "
        "several themes. The difference is to the clients who wrote about other things, with its 95% range; it goes "
        "with the theme and need not come from it. Mood: 0 is bad, 100 good.",
        "기준일 전 {days} 동안 고객이 남긴 글의 주제를 고객이 쓴 단어로 나타냈습니다. 한 고객이 여러 주제에 들 수 "
        "있습니다. 차이는 다른 내용을 쓴 고객과의 차이와 95% 범위이며, 주제와 함께 나타나는 것일 뿐입니다. "
        "기분은 0이 나쁨, 100이 좋음입니다.",
    ),
    "voice.theme": ("Written about", "글의 주제"),
    "voice.clients": ("Clients", "고객 수"),
    "voice.share": ("Share of writers", "작성 고객 중 비중"),
    "voice.change": ("Change", "변화"),
    "voice.mood": ("Mood, 0 to 100", "기분(0~100)"),
    "voice.risk": ("Mean risk", "평균 위험"),
    "voice.difference": ("Against others", "다른 고객 대비"),
    "voice.money": ("Money at risk", "위험 금액"),
    "voice.quotes": ("In their words", "고객의 말"),
    "voice.quotes.sub": (
        "Names, numbers and addresses were masked by rules that can miss some.",
        "이름, 번호, 주소는 규칙으로 가렸으며 일부 남아 있을 수 있습니다.",
    ),
}
