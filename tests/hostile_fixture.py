"""A run whose data mean harm: every text that may come from outside is markup, a trick, or far too long."""

from pathlib import Path
from typing import Any

import pandas as pd

from report_fixture import make_run_folder

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><script>alert(1)</script>",
    "' onmouseover='alert(1)' autofocus onfocus='alert(1)",
    "<svg onload=alert(1)><a href=javascript:alert(1)>",
    "<base href=http://127.0.0.1:9/><link rel=stylesheet href=//127.0.0.1:9/x>",
    "}</style>*{background:url(http://127.0.0.1:9/x)}",
    "javascript:alert(1)",
    "<!-- <details open ontoggle=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "gpj.\u202eevil",
    "x" * 10_000,
    "이름" * 5_000,
    "👩‍👩‍👧 가나다",
    "{{ 7 * 7 }}{% raw %}",
    "a\x00b",
    "=1+1",
    "",
]


def make_hostile_folder(out: Path, **metrics: Any) -> Path:
    """Write the three files of a run in which every text that comes from outside is hostile."""
    drivers = [
        {"feature": name, "meaning_en": name, "meaning_ko": name}
        | {"effect_pp": 1.0, "direction": 1, "mean_abs_shap": 0.1}
        for name in HOSTILE
    ]
    clients = 3 * len(HOSTILE)
    amount = {"effect_pp": 1.0, "lower_pp": 0.5, "upper_pp": 2.0, "mean_abs_shap": 0.1}
    heard = {"texts": 20, "clients": 20, "share": 0.1, "value_at_risk": 5.0}
    said = {
        "question": " ".join(HOSTILE),
        "notes": HOSTILE * 20,
        "drivers": drivers,
        "currency": HOSTILE[1],
        "data_fingerprint": HOSTILE[1],
        "label_fingerprint": HOSTILE[11],
        "versions": {name: name for name in HOSTILE},
        "btyd": {HOSTILE[0]: {HOSTILE[1]: 1.5, HOSTILE[11]: HOSTILE[12]}},
        "gain": None,
        "calibration": [],
        "themes": [amount | {"theme": name, "drivers": 1, "strongest": name} for name in HOSTILE],
        "actionable": [amount | {"actionable": True, "drivers": 1, "strongest": HOSTILE[0], "share": 0.5}],
        "drivers_by_segment": [
            amount
            | {"segment": "top clients, low risk", "driver": HOSTILE[1], "feature": HOSTILE[1], "meaning_en": name}
            for name in HOSTILE
        ],
        "voice": {
            "since": "2011-06-13",
            "days": 180,
            "themes": [
                heard | {"theme": place, "words": [name, HOSTILE[0]], "quotes": [name, HOSTILE[11]]}
                for place, name in enumerate(HOSTILE)
            ],
        },
        "groups": [
            {"grouping": name, "group": name, "metric": "mean_error", "value": 0.1, "lower": 0.05, "upper": 0.15}
            for name in HOSTILE
        ],
        "comparison": [
            {"baseline": name, "metric": "auc", "cutoff": None, "better": "higher"}
            | {"difference": 0.1, "lower": 0.0, "upper": 0.2}
            for name in HOSTILE[:2]
        ],
        "data": [
            {"table": name, "rows": 5, "clients": 5, "first": name, "last": name, "columns": name} for name in HOSTILE
        ],
    }
    make_run_folder(out, clients=clients, **(said | metrics))
    scores = out / "scores.parquet"
    texts = 3 * HOSTILE
    told = {f"reason_{place}": texts for place in (1, 2, 3)} | {f"reason_{place}_text": texts for place in (1, 2, 3)}
    ids = [f"{name}{place // len(HOSTILE) or ''}" for place, name in enumerate(texts)]
    pd.read_parquet(scores).assign(client_id=ids, value_at_risk=1.0, **told).to_parquet(scores, index=False)
    return out
