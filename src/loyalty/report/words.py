"""Every word of the managers' page, in English and in Korean."""

# Key → (English, Korean). A key ending in "@contractual" takes its place for contracts; "[이/가]" and its like become
# the particle that fits the word before.
WORDS: dict[str, tuple[str, str]] = {
    "title": ("Client retention and value", "고객 유지와 가치 보고서"),
    "facts.cutoff": ("Cutoff {date}", "기준일 {date}"),
    "facts.clients": ("{clients}", "대상 고객 {clients}"),
    "facts.horizon": ("horizon {days}", "예측 기간 {days}"),
    "facts.gap": ("gap {days}", "유예 기간 {days}"),
    "definition": (
        "A client counts as leaving when no purchase is made from {first} to {last}.",
        "{first}부터 {last}까지 구매가 없으면 이탈로 봅니다.",
    ),
    "definition@contractual": (
        "A client counts as leaving when the contract ends between {first} and {last}.",
        "{first}부터 {last} 사이에 계약이 종료되면 이탈로 봅니다.",
    ),
    "definition.active": (
        "Covered are clients who bought in the {days} before the cutoff.",
        "기준일 이전 {days} 안에 구매한 고객을 대상으로 합니다.",
    ),
    "definition.active@contractual": (
        "Covered are clients with a contract in force who were active in the {days} before the cutoff.",
        "기준일 이전 {days} 안에 활동이 있고 계약이 유효한 고객을 대상으로 합니다.",
    ),
    "definition.value": (
        "Value at risk is a client's churn probability times the spend of the past 365 days.",
        "위험 금액은 고객별 이탈 확률에 최근 365일 구매액을 곱한 값입니다.",
    ),
    "tile.churn": ("Expected churn", "예상 이탈률"),
    "tile.churn.sub": (
        "about {leavers} of {clients} with no purchase in the next {days}",
        "{clients} 중 약 {leavers}명, 향후 {days}간 구매 없음",
    ),
    "tile.churn.sub@contractual": (
        "about {leavers} of {clients} whose contract ends in the next {days}",
        "{clients} 중 약 {leavers}명, 향후 {days} 안에 계약 종료",
    ),
    "tile.value": ("Value at risk", "위험 금액"),
    "tile.value.sub": (
        "sum of risk × spend of the past 365 days, {share} of that spend",
        "이탈 확률 × 최근 365일 구매액의 합계, 구매액의 {share}",
    ),
    "tile.value.none": ("nobody spent anything in the past 365 days", "최근 365일간 구매액이 없습니다"),
    "tile.found": ("Found in top {share}", "상위 {share} 적중"),
    "tile.found.sub": ("of all leavers: {lift}× better than chance", "전체 이탈 고객 중, 무작위의 {lift}배"),
    "tile.found.sub.weak": ("of all leavers: no better than chance", "전체 이탈 고객 중, 무작위와 다르지 않음"),
    "tile.model": ("Model", "모형"),
    "tile.model.value": ("AUC {auc}", "AUC {auc}"),
    "tile.model.sub": ("LightGBM, calibrated; mean of {backtests}", "LightGBM, 보정 완료, {backtests} 평균"),
    "unmeasured": ("not measured in this run", "이번 실행에서 측정하지 않음"),
    "section.where": ("Where to look", "어디를 볼 것인가"),
    "section.why": ("What goes with risk", "위험과 함께 나타나는 특징"),
    "section.who": ("Whom to call first", "누구에게 먼저 연락할 것인가"),
    "section.trust": ("Can this be trusted?", "믿을 수 있는가"),
    "section.run": ("About this run", "이 보고서에 대하여"),
    "gain.headline": (
        "Calling the riskiest {share} reaches {found} of leavers",
        "위험 상위 {share}에 연락하면 이탈 고객의 {found}[을/를] 찾습니다",
    ),
    "gain.headline.none": ("No back-test was run", "백테스트가 없습니다"),
    "gain.sub": (
        "Share of leavers found when clients are contacted from highest to lowest risk. Band: spread over {backtests}.",
        "위험이 높은 순서로 연락할 때 찾아낸 이탈 고객의 누적 비율. 띠는 {backtests}의 범위.",
    ),
    "gain.sub.single": (
        "Share of leavers found when clients are contacted from highest to lowest risk. One back-test, so no band.",
        "위험이 높은 순서로 연락할 때 찾아낸 이탈 고객의 누적 비율. 백테스트가 1회여서 띠가 없습니다.",
    ),
    "gain.x": ("Clients contacted", "연락한 고객"),
    "gain.y": ("Leavers found", "찾은 이탈 고객"),
    "gain.model": ("model", "모형"),
    "gain.chance": ("by chance", "무작위"),
    "gain.low": ("Lowest", "최저"),
    "gain.high": ("Highest", "최고"),
    "gain.alt": (
        "Curve of leavers found against clients contacted: {points}.",
        "연락한 고객 비율에 따른 이탈 고객 발견 비율 곡선: {points}.",
    ),
    "gain.alt.point": ("{found} of leavers at {contacted} of clients", "고객 {contacted}에서 이탈 고객 {found}"),
    "matrix.x": ("Churn risk", "이탈 위험"),
    "matrix.alt": ("Grid of clients by spend and churn risk: {cells}.", "구매액과 이탈 위험별 고객 수 표: {cells}."),
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
    "drivers.name": ("Column", "열 이름"),
    "drivers.effect": ("Effect, pp", "효과(%p)"),
    "drivers.shap": ("Mean |SHAP|, log-odds", "평균 |SHAP|(로그 오즈)"),
    "drivers.direction": ("High value", "값이 클 때"),
    "drivers.alt": (
        "Bars of the features that move the predicted risk: {bars}.",
        "예측 위험을 움직이는 특징 막대: {bars}.",
    ),
    "segments.headline.none": ("There is no value at risk", "위험 금액이 없습니다"),
    "segments.segment": ("Segment", "구간"),
    "segments.clients": ("Clients", "고객 수"),
    "segments.risk": ("Mean risk", "평균 위험"),
    "segments.value": ("Value at risk", "위험 금액"),
    "segments.share": ("Share", "비중"),
    "segments.advice": ("Service deserved", "알맞은 서비스"),
    "top.headline": (
        "These {clients} hold {share} of all value at risk: {money}",
        "아래 고객 {clients}[이/가] 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "top.headline.one": (
        "This client holds {share} of all value at risk: {money}",
        "아래 고객 1명이 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "top.headline.none": ("No client holds value at risk", "위험 금액이 있는 고객이 없습니다"),
    "top.sub": (
        "Reasons are what the model saw in each client's history. They go with higher (▲) or lower (▼) risk; they need "
        "not be its cause.",
        "이유는 모형이 고객 이력에서 본 내용입니다. 높은(▲) 위험 또는 낮은(▼) 위험과 함께 나타나며, "
        "반드시 원인은 아닙니다.",
    ),
    "top.client": ("Client", "고객"),
    "top.risk": ("Churn risk", "이탈 위험"),
    "top.spend": ("12-month spend", "12개월 구매액"),
    "top.value": ("Value at risk", "위험 금액"),
    "top.expected": ("Expected in {days}", "{days} 예상 구매액"),
    "top.reasons": ("What goes with it", "함께 나타난 특징"),
    "reason.up": ("goes with higher risk", "높은 위험과 함께 나타남"),
    "reason.down": ("goes with lower risk", "낮은 위험과 함께 나타남"),
    "reason.none": ("no reason recorded", "기록된 이유 없음"),
    "calibration.headline": (
        "Predicted and actual churn differ by {points} on average",
        "예측 위험과 실제 이탈률의 차이는 평균 {points}입니다",
    ),
    "calibration.headline.none": ("Calibration was not measured", "보정 정도를 측정하지 않았습니다"),
    "calibration.sub": (
        "Clients of all back-tests grouped by predicted risk. On the dashed line, what was predicted is what happened. "
        "Bars: range that chance alone explains (95%); larger points hold more clients.",
        "모든 백테스트의 고객을 예측 위험별로 묶었습니다. 점선 위에 있으면 예측대로 된 것입니다. 세로선은 우연으로 "
        "설명되는 범위(95%)이며, 점이 클수록 고객이 많습니다.",
    ),
    "calibration.x": ("Predicted churn", "예측 이탈률"),
    "calibration.y": ("Actual churn", "실제 이탈률"),
    "calibration.ideal": ("as predicted", "예측대로"),
    "calibration.clients": ("Clients", "고객 수"),
    "calibration.range": ("95% range", "95% 범위"),
    "calibration.alt": (
        "Actual against predicted churn in {groups} groups of clients, {smallest} to {largest} each: {points}.",
        "고객 {groups}개 집단({smallest}~{largest})의 예측 이탈률과 실제 이탈률: {points}.",
    ),
    "calibration.alt.point": ("{predicted} predicted, {observed} actual", "예측 {predicted}, 실제 {observed}"),
    "models.headline.better": (
        "LightGBM ranks leavers better than {baseline}: AUC {auc} against {other}",
        "LightGBM이 {baseline}보다 이탈 고객을 잘 가려냅니다: AUC {auc} 대 {other}",
    ),
    "models.headline.equal": (
        "LightGBM ranks leavers as well as {baseline}: AUC {auc}",
        "LightGBM은 {baseline}[과/와] 비슷하게 이탈 고객을 가려냅니다: AUC {auc}",
    ),
    "models.headline.worse": (
        "LightGBM ranks leavers worse than {baseline}: AUC {auc} against {other}",
        "LightGBM은 {baseline}보다 이탈 고객을 가려내지 못합니다: AUC {auc} 대 {other}",
    ),
    "models.headline.none": ("No model was compared", "비교한 모형이 없습니다"),
    "models.sub": (
        "Mean over {backtests}. Every prediction came from a model that had seen only earlier outcomes. Best in bold.",
        "{backtests} 평균. 모든 예측은 그 이전 결과만 학습한 모형으로 계산했습니다. 가장 좋은 값은 굵게 표시합니다.",
    ),
    "models.measure": ("Measure", "지표"),
    "models.best": ("best", "최고"),
    "model.naive": ("Naive", "단순 기준"),
    "model.btyd": ("BTYD", "BTYD"),
    "model.lightgbm": ("LightGBM", "LightGBM"),
    "metric.auc": ("AUC: a leaver is ranked above a stayer", "AUC: 이탈 고객을 유지 고객보다 위에 둘 확률"),
    "metric.found_top_20": ("Leavers among the riskiest 20%", "위험 상위 20%에서 찾은 이탈 고객"),
    "metric.lift_top_20": ("Times better than chance there", "무작위 대비 배수"),
    "metric.log_loss": ("Log loss of the probability", "확률의 로그 손실"),
    "metric.brier": ("Brier score of the probability", "확률의 브라이어 점수"),
    "metric.mean_error": ("Predicted minus actual churn", "예측 이탈률 − 실제 이탈률"),
    "metric.mae": ("Spend per client: mean error", "고객당 구매액: 평균 오차"),
    "metric.spearman": ("Spend per client: rank correlation", "고객당 구매액: 순위 상관"),
    "metric.gini": ("Spend found by ranking (Gini)", "순위로 찾은 구매액(지니)"),
    "metric.decile_mape": ("Spend by tenths: mean error", "구매액 십분위: 평균 오차"),
    "metric.total_error": ("Total spend: error", "총구매액: 오차"),
    "better.up": ("higher is better", "클수록 좋음"),
    "better.down": ("lower is better", "작을수록 좋음"),
    "better.zero": ("nearer to 0 is better", "0에 가까울수록 좋음"),
    "cutoffs.title": ("Back-test by back-test", "백테스트별 결과"),
    "cutoffs.cutoff": ("Cutoff", "기준일"),
    "cutoffs.clients": ("Clients", "고객 수"),
    "cutoffs.predicted": ("Predicted churn", "예측 이탈률"),
    "cutoffs.observed": ("Actual churn", "실제 이탈률"),
    "cutoffs.auc": ("AUC", "AUC"),
    "cutoffs.found": ("Found in top 20%", "상위 20% 적중"),
    "table.summary": ("Same numbers as a table", "같은 숫자를 표로 보기"),
    "notes.title": ("Notes on the data", "데이터 참고 사항"),
    "notes.none": ("The run left no remarks.", "실행 중 남은 참고 사항이 없습니다."),
    "notes.more": ("{number} further notes stand in metrics.json.", "나머지 {number}건은 metrics.json에 있습니다."),
    "notes.language": ("", "참고 사항은 실행 기록 원문(영어)입니다."),
    "run.title": ("How this page was made", "이 보고서를 만든 방법"),
    "run.data": ("Data fingerprint", "데이터 지문"),
    "run.labels": ("Label fingerprint", "라벨 지문"),
    "run.seed": ("Seed", "난수 시드"),
    "run.cutoffs": ("Test cutoffs", "백테스트 기준일"),
    "run.versions": ("Versions", "버전"),
    "run.btyd": ("BTYD parameters", "BTYD 모수"),
    "run.again": (
        "To make it again: run the same configuration with the same data and versions. Equal fingerprints mean "
        "equal inputs.",
        "다시 만들려면 같은 설정을 같은 데이터와 버전으로 실행하세요. 지문이 같으면 입력도 같습니다.",
    ),
    "run.privacy": (
        "This page names clients: share it only with those who may see them.",
        "이 보고서에는 고객 식별자가 있습니다. 열람 권한이 있는 사람에게만 공유하세요.",
    ),
    "run.privacy.none": (
        "This page names no client, and groups of fewer than {number} are hidden or merged.",
        "이 보고서에는 고객 식별자가 없으며, {number}명 미만의 집단은 숨기거나 합쳤습니다.",
    ),
    "hidden": ("hidden", "비공개"),
    "notes.withheld": (
        "Notes on the data may name or count single clients; they are in the page with clients.",
        "데이터 참고 사항에는 개별 고객이 드러날 수 있어, 고객이 표시된 보고서에만 싣습니다.",
    ),
    "tile.value.range": (
        "{coverage} range {lower} to {upper}; {share} of the spend of the past 365 days",
        "{coverage} 범위 {lower}~{upper}, 최근 365일 구매액의 {share}",
    ),
    "remark.spend": (
        "Together they are expected to spend {expected} in the next {days}; {coverage} range {lower} to {upper}.",
        "대상 고객의 향후 {days} 예상 구매액은 모두 {expected}입니다({coverage} 범위 {lower}~{upper}).",
    ),
    "remark.spend.bare": (
        "Together they are expected to spend {expected} in the next {days}.",
        "대상 고객의 향후 {days} 예상 구매액은 모두 {expected}입니다.",
    ),
    "remark.years": ("{years} years", "{years}년"),
    "remark.years.one": ("year", "1년"),
    "remark.long_run": (
        "Over the next {years} these clients will be worth {value} at today's pace, net spend discounted at {rate} a "
        "year; new clients are not in it.",
        "현재 추세가 이어질 때 이 고객들의 향후 {years} 가치는 {value}입니다"
        "(순구매액, 연 {rate} 할인, 신규 고객 제외).",
    ),
    "remark.long_run.margin": (
        "Over the next {years} these clients will be worth {value} at today's pace, {margin} of net spend discounted "
        "at {rate} a year; new clients are not in it.",
        "현재 추세가 이어질 때 이 고객들의 향후 {years} 가치는 {value}입니다"
        "(순구매액의 {margin}, 연 {rate} 할인, 신규 고객 제외).",
    ),
    "remark.staying": (
        "{share} of the contracts are expected to be in force {days} from now.",
        "{days} 뒤에도 계약의 {share}[이/가] 유효할 것으로 예상됩니다.",
    ),
    "remark.little": (
        "Of {clients} ({share}) too little is known for numbers of their own: they bought on fewer than two days. "
        "Their scores are those of clients like them.",
        "고객 {clients}({share})[은/는] 구매일이 이틀 미만이어서 개별 예측을 내기에 이력이 부족합니다. 이들의 점수는 "
        "비슷한 고객의 평균으로 보아야 합니다.",
    ),
    "remark.little@contractual": (
        "Of {clients} ({share}) too little is known for numbers of their own: they were first recorded less than "
        "{days} before the cutoff. Their scores are those of clients like them.",
        "고객 {clients}({share})[은/는] 기록이 기준일 전 {days}보다 짧아 개별 예측을 내기에 이력이 부족합니다. 이들의 "
        "점수는 비슷한 고객의 평균으로 보아야 합니다.",
    ),
    "range": ("{lower} to {upper}", "{lower}~{upper}"),
    "range.high": ("over {low}", "{low} 초과"),
    "range.low": ("to {high}", "{high} 이하"),
    "matrix.headline": ("{number} top clients are about to leave", "최상위 고객 {number}명의 이탈이 임박했습니다"),
    "matrix.headline.one": ("1 top client is about to leave", "최상위 고객 1명의 이탈이 임박했습니다"),
    "matrix.headline.none": ("No top client is about to leave", "이탈이 임박한 최상위 고객은 없습니다"),
    "matrix.headline.hidden": (
        "Clients by risk and value; small groups are hidden",
        "위험과 금액으로 나눈 고객(소수 집단은 비공개)",
    ),
    "matrix.sub": (
        "Clients by churn risk and by what each would spend in the next {days} if it stays. The cut points are kept "
        "with the models, so that later scores compare. Below each count: value at risk. The stronger the colour, the "
        "more.",
        "이탈 위험과 고객이 남을 경우의 향후 {days} 예상 구매액으로 나눈 고객 수. 구간 경계는 모형과 함께 고정되어 "
        "이후 점수와 비교할 수 있습니다. 아래 숫자는 위험 금액이며, 색이 강할수록 큽니다.",
    ),
    "matrix.y": ("Expected spend if staying", "유지 시 예상 구매액"),
    "tier.2": ("Top", "최상위"),
    "tier.1": ("Solid", "중간"),
    "tier.0": ("Small", "소액"),
    "risk.2": ("About to leave", "이탈 임박"),
    "risk.1": ("Wavering", "주의"),
    "risk.0": ("Safe", "안정"),
    "segments.headline": (
        "{share} of the value at risk lies with one segment: {segment}",
        "위험 금액의 {share}[이/가] 한 구간에 있습니다: {segment}",
    ),
    "segments.headline.hidden": (
        "Of the segments shown, one holds the most: {share} of the value at risk lies with {segment}",
        "공개된 구간 중 위험 금액이 가장 큰 곳은 전체의 {share}인 {segment}입니다",
    ),
    "segments.headline.few": ("Every segment is too small to be shown", "구간이 모두 작아 공개하지 않습니다"),
    "segments.sub": (
        "The service is a rule of thumb, not a measured effect: try it on part of a segment and compare with the rest. "
        "Below the value at risk: its {coverage} range. The ranges of segments do not add up to that of all.",
        "서비스는 효과가 측정된 것이 아닌 일반적인 지침입니다. 일부 고객에게 먼저 시행해 나머지와 비교하세요. "
        "위험 금액 아래는 {coverage} 범위이며, 구간별 범위의 합은 전체 범위와 다릅니다.",
    ),
    "segments.sub.bare": (
        "The service is a rule of thumb, not a measured effect: try it on part of a segment and compare with the rest.",
        "서비스는 효과가 측정된 것이 아닌 일반적인 지침입니다. 일부 고객에게 먼저 시행해 나머지와 비교하세요.",
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
        "Clients of each segment on {since} and on {date}, by the same models and cut points. New clients come in, and "
        "those who fell silent too long go out.",
        "같은 모형과 구간 경계로 본 {since}과 {date}의 구간별 고객 수. 신규 고객은 유입에, 오랫동안 구매가 없어 "
        "대상에서 빠진 고객은 유출에 들어갑니다.",
    ),
    "movement.before": ("Before", "이전"),
    "movement.now": ("Now", "현재"),
    "movement.came": ("Came in", "유입"),
    "movement.left": ("Went out", "유출"),
    "movement.change": ("Change", "증감"),
    "movement.largest": ("Largest moves, by value at risk", "위험 금액이 큰 이동"),
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
        "The mean of the named parts, each from 0 to 100, by fixed curves: a score moves only when the client does. "
        "On {since}: {score}.",
        "0~100점의 항목별 점수를 고정된 기준으로 평균한 값으로, 고객의 행동이 바뀔 때만 움직입니다. {since} 평균은 "
        "{score}점입니다.",
    ),
    "loyalty.sub.bare": (
        "The mean of the named parts, each from 0 to 100, by fixed curves: a score moves only when the client does.",
        "0~100점의 항목별 점수를 고정된 기준으로 평균한 값으로, 고객의 행동이 바뀔 때만 움직입니다.",
    ),
    "loyalty.sub@contractual": (
        "The mean of the named parts, each from 0 to 100, by fixed curves; staying is the model's probability. "
        "On {since}: {score}.",
        "0~100점의 항목별 점수를 고정된 기준으로 평균한 값이며, 유지 가능성은 모형의 확률입니다. {since} 평균은 "
        "{score}점입니다.",
    ),
    "loyalty.sub.bare@contractual": (
        "The mean of the named parts, each from 0 to 100, by fixed curves; staying is the model's probability.",
        "0~100점의 항목별 점수를 고정된 기준으로 평균한 값이며, 유지 가능성은 모형의 확률입니다.",
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
    "intervals.headline": (
        "{share} of clients spent what their {coverage} range said",
        "고객의 {share}[이/가] {coverage} 범위 안에서 구매했습니다",
    ),
    "intervals.sub": (
        "Back-tests: how many clients' spend came out within their own range, and the spend of all together.",
        "백테스트에서 실제 구매액이 개별 범위 안에 든 고객의 비중과, 전체 구매액의 예측 범위와 실제.",
    ),
    "intervals.coverage": ("Clients within", "범위 안 고객"),
    "intervals.expected": ("Total predicted", "총액 예측"),
    "intervals.range": ("{coverage} range", "{coverage} 범위"),
    "intervals.value": ("Total actual", "총액 실제"),
}
