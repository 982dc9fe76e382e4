"""Public data sets: where each comes from, under which licence, and whether the file at hand is the one meant.

Nothing is downloaded. The checksums are those of Parquet copies (one list of ids is CSV) made from the publishers'
files. How the copies were written is not recorded; the files show that column names became lower case with
underscores, dates became timestamps, whole numbers integers, and blanks nulls. A copy of your own may thus hold the
same rows and have another checksum: compare rows, clients and span then, which stand here too.
"""

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

FOLDER_VARIABLE = "LOYALTY_DATA"


@dataclass(frozen=True, kw_only=True)
class PublicDataset:
    """One public data set.

    Attributes
    ----------
    name, title : str
        The key, and what it is called.
    files : mapping of str to str
        Path within the folder, and the SHA-256 of the copy meant.
    rows : int
        Rows of the main file, the first one.
    clients : int or None
        Distinct clients, if there is an id.
    span : tuple of str or None
        First and last day, if the rows are dated.
    licence, source, citation : str
        As the publisher says; `source` is the page where it is published.
    notes : str
        Quirks to know before use.
    tables : mapping of str to mapping
        Which canonical tables it can fill, and how: `path`, the file; `where`, the rows to keep; and ours = an
        expression over theirs. Empty if the rows are not dated histories.
    """

    name: str
    title: str
    files: Mapping[str, str]
    rows: int
    clients: int | None
    span: tuple[str, str] | None
    licence: str
    source: str
    citation: str
    notes: str
    tables: Mapping[str, Mapping[str, str]]

    @property
    def path(self) -> str:
        """The file, or the folder that holds them all, within the data folder."""
        names = list(self.files)
        return names[0] if len(names) == 1 else names[0].split("/", maxsplit=1)[0]


class FileState(NamedTuple):
    """Whether one file of one data set is at hand."""

    dataset: str
    file: str
    status: Literal["ok", "missing", "changed"]


def _within(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{file}": digest for file, digest in files.items()}


_SETS = (
    PublicDataset(
        name="cdnow",
        title="CDNOW purchases, full cohort",
        files={"cdnow.parquet": "08c8f55f27f185e3d71add2ce71dd12470833d70429bea074f93f97f48cd64cc"},
        rows=69_659,
        clients=23_570,
        span=("1997-01-01", "1998-06-30"),
        licence="none stated; published for research and teaching",
        source="https://www.brucehardie.com/datasets/",
        citation="Fader and Hardie (2001), Forecasting Repeat Sales at CDNOW: A Case Study, Interfaces 31(3).",
        notes="One cohort: everybody first buys by 1997-03-25. Dates without time. 255 duplicate lines, 2,068 repeats "
        "on the same day and 80 zero amounts stand in the original and stay.",
        tables={
            "purchases": {
                "path": "cdnow.parquet",
                "client_id": "customer_id",
                "event_time": "date",
                "amount": "amount",
                "quantity": "quantity",
            }
        },
    ),
    PublicDataset(
        name="cdnow_sample_ids",
        title="CDNOW, the clients of the 1/10 sample",
        files={"cdnow_sample_ids.csv": "337f9533c29281148a80fb04d48e7f62a54cfc0741024341f8d52231002549b4"},
        rows=2_357,
        clients=2_357,
        span=None,
        licence="none stated; published for research and teaching",
        source="https://www.brucehardie.com/datasets/",
        citation="Fader, Hardie and Lee (2005), Counting Your Customers the Easy Way, Marketing Science 24(2).",
        notes="Ids of `cdnow` on which the literature's buy-till-you-die parameters are published; one column, "
        "customer_id. Their purchases are 6,919 rows of `cdnow`.",
        tables={},
    ),
    PublicDataset(
        name="online_retail_2",
        title="Online Retail II, a British gift wholesaler",
        files={"online_retail_2.parquet": "d21e3230f04e57937a485b300b6cfdfb4c926cdd853bea44dd7e84245c817bdd"},
        rows=1_067_371,
        clients=5_942,
        span=("2009-12-01", "2011-12-09"),
        licence="CC BY 4.0",
        source="https://archive.ics.uci.edu/dataset/502/online+retail+ii",
        citation="Chen (2019), Online Retail II, UCI Machine Learning Repository, doi:10.24432/C5CG6D.",
        notes="Two sheets that overlap: `overlap` marks the 22,523 rows of the first that stand in the second too. "
        "243,007 rows without client; 19,494 cancellations (invoice C…, negative quantity); zero and 5 negative "
        "prices; postage, fees and test stock codes. Strong Christmas season. `sheet` and `overlap` were added in the "
        "copy.",
        tables={
            "purchases": {
                "path": "online_retail_2.parquet",
                "where": "not overlap and customer_id is not null and unit_price > 0",
                "client_id": "customer_id",
                "event_time": "invoice_date",
                "amount": "quantity * unit_price",
                "order_id": "invoice",
                "product_id": "stock_code",
                "quantity": "quantity",
            }
        },
    ),
    PublicDataset(
        name="complete_journey",
        title="The Complete Journey, grocery panel of 84.51°",
        files=_within(
            "complete_journey",
            {
                "transactions.parquet": "0bdefc0027c0c280d92024d746b5491c96124a990a432a1b1a286c2ab5fbbc24",
                "products.parquet": "bfdbaaed75a26570fbb4738454acbd28d3b7db0ba7fdf31305b388b03a03674f",
                "demographics.parquet": "333208c7e15c47477a8b6d291422b2c874e1068cde02ed77e7ee02a9f6a2a526",
                "campaigns.parquet": "b3ee5aab019567cd8d9e3dcd1204bd47de50c25680ae29c608684faac1aa5620",
                "campaign_descriptions.parquet": "8ae859e59d80741524b189eb128d1befff3c5457bf60cb5d8dfa5756e92e112a",
                "coupons.parquet": "e535336a87b4755f5369c903522e527edc1c897f99b963d0325bbc6c1d421feb",
                "coupon_redemptions.parquet": "bd766e83d4107fa0c0c9f00b5fc5e3d93f3c51676f6b29b5b184e07052b2bf10",
            },
        ),
        rows=1_469_307,
        clients=2_469,
        span=("2017-01-01", "2018-01-01"),
        licence="CC0 1.0 (as released in the R package completejourney)",
        source="https://www.8451.com/area51/",
        citation="84.51° (2019), The Complete Journey, retail transactions of frequent shoppers.",
        notes="Frequent shoppers only, so few leave. Campaigns were not randomised and reach beyond the purchases. The "
        "last timestamp is 2018-01-01 04:01; 8,869 rows have quantity 0; 801 households have demographics.",
        tables={
            "purchases": {
                "path": "complete_journey/transactions.parquet",
                "where": "quantity > 0",
                "client_id": "household_id",
                "event_time": "transaction_timestamp",
                "amount": "sales_value",
                "order_id": "basket_id",
                "product_id": "product_id",
                "quantity": "quantity",
                "discount": "retail_disc + coupon_disc + coupon_match_disc",
            }
        },
    ),
    PublicDataset(
        name="hillstrom",
        title="MineThatData e-mail challenge, a randomised experiment",
        files={"hillstrom.parquet": "3221984288f8de4bdabdf9718d32679fc4cc1f1ac57f0c5ad029746cf4e3c035"},
        rows=64_000,
        clients=None,
        span=None,
        licence="none stated; published as an open challenge",
        source="https://blog.minethatdata.com/2008/03/minethatdata-e-mail-analytics-and-data.html",
        citation="Hillstrom (2008), The MineThatData E-Mail Analytics and Data Mining Challenge.",
        notes="Three arms (men's e-mail, women's e-mail, none) in `segment`, one row per client and no id, so 6,562 "
        "rows repeat another. Outcomes within two weeks: visit .14678, conversion .00903, mean spend 1.05091.",
        tables={},
    ),
    PublicDataset(
        name="telco_ibm",
        title="Telco customer churn, IBM sample",
        files={"telco_ibm.parquet": "6a796d2a416a1e37765f2f90cb30a2535ab8d7ea46997d8d676a08c7147600c5"},
        rows=7_043,
        clients=7_043,
        span=None,
        licence="none stated; IBM sample data",
        source="https://community.ibm.com/community/user/businessanalytics/blogs/steven-macko/"
        "2019/07/11/telco-customer-churn-1113",
        citation="IBM (2019), Telco customer churn, Cognos Analytics base samples.",
        notes="Simulated, one undated row per client; 1,869 churned. 11 clients of tenure 0 have a blank "
        "total_charges, null here.",
        tables={},
    ),
    PublicDataset(
        name="iranian_churn",
        title="Iranian churn, a telecom operator",
        files={"iranian_churn.parquet": "8b4ead56641653419159c725dfd7465b57b9c84b939632827d9de7c9336e24d7"},
        rows=3_150,
        clients=None,
        span=None,
        licence="CC BY 4.0",
        source="https://archive.ics.uci.edu/dataset/563/iranian+churn+dataset",
        citation="Iranian Churn (2020), UCI Machine Learning Repository, doi:10.24432/C5JW3Z.",
        notes="Aggregated already: nine months of use, churn three months later; 495 churned. No id; 300 "
        "rows repeat another.",
        tables={},
    ),
    PublicDataset(
        name="airline_loyalty",
        title="Airline loyalty programme",
        files=_within(
            "airline_loyalty",
            {
                "flight_activity.parquet": "96732e885582dcc5beb7e95ed40dcd1803313d962d5af6a89cf97f84046a3153",
                "loyalty_history.parquet": "b851eb232e3e353a3f8c9d5eb67a9b356144ba1dd4f0d5e758fba8283f3cd1db",
            },
        ),
        rows=405_624,
        clients=16_737,
        span=("2017-01-01", "2018-12-31"),
        licence="listed as public domain in the publisher's playground (not checked again)",
        source="https://mavenanalytics.io/data-playground",
        citation="Maven Analytics, Airline Loyalty Program (fictional data).",
        notes="Fictional. One row per member and month; 2,067 of 16,737 members cancelled. 164 members are doubled; "
        "months after a cancellation are zero and so leak it; 64,168 flights precede the enrolment; 20 "
        "salaries are negative.",
        tables={
            "clients": {
                "path": "airline_loyalty/loyalty_history.parquet",
                "client_id": "loyalty_number",
                "joined_at": "strptime(enrollment_year || '-' || enrollment_month, '%Y-%m')",
            },
            "rewards": {
                "path": "airline_loyalty/flight_activity.parquet",
                "client_id": "loyalty_number",
                "event_time": "strptime(year || '-' || month, '%Y-%m') + interval 1 month",
                "points": "points_accumulated",
            },
            "contracts": {
                "path": "airline_loyalty/loyalty_history.parquet",
                "client_id": "loyalty_number",
                "start": "strptime(enrollment_year || '-' || enrollment_month, '%Y-%m')",
                "end": "strptime(cancellation_year || '-' || cancellation_month, '%Y-%m') + interval 1 month",
                "plan": "loyalty_card",
            },
        },
    ),
    PublicDataset(
        name="nsmc",
        title="Naver sentiment movie corpus, 50,000 reviews",
        files={"nsmc_reviews_50k.parquet": "583c2d893088bb9ab7d45b7046c1c8de57faef771d8355f04b330e4aca11bead"},
        rows=50_000,
        clients=None,
        span=("2003-11-21", "2015-08-27"),
        licence="CC0 1.0",
        source="https://github.com/e9t/nsmc",
        citation="Park (2016), Naver sentiment movie corpus v1.0.",
        notes="Korean text with ratings from 1 to 10, which at times contradict it; `nsmc_label` is null for the "
        "14,877 reviews rated 5 to 8. A selection: the original has more reviews. Text to learn mood from, "
        "not histories.",
        tables={},
    ),
)

PUBLIC: Mapping[str, PublicDataset] = MappingProxyType({entry.name: entry for entry in _SETS})


def verify(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Find a public data set and prove that it is the one meant.

    Parameters
    ----------
    name : str
        A key of `PUBLIC`.
    folder : path, optional
        Where the files are. Without it, the folder that the environment variable ``LOYALTY_DATA`` names.

    Returns
    -------
    Path
        The file, or the folder of its own that holds them if there are several.

    Raises
    ------
    ValueError
        If there is no such data set, no folder was named, or a file has another checksum.
    FileNotFoundError
        If the folder or a file is missing.

    Examples
    --------
    >>> verify("cdnow", "nowhere")
    Traceback (most recent call last):
    ...
    FileNotFoundError: `folder` must be an existing folder; got 'nowhere'. ...
    """
    if name not in PUBLIC:
        close = difflib.get_close_matches(str(name), PUBLIC, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(PUBLIC)}."
        raise ValueError(f"`name` must be one of the public data sets; got {name!r}. {hint}")
    entry, base = PUBLIC[name], _existing(folder)
    found = {file: _checksum(base / file) for file in entry.files}
    said = f"Get it from {entry.source} and convert it as data/README.md says."
    missing = [file for file, digest in found.items() if digest is None]
    if missing:
        raise FileNotFoundError(f"{entry.title} ({name}): {', '.join(missing)} is not in {str(base)!r}. {said}")
    changed = [
        f"{file} in {str(base)!r} has SHA-256 {digest}, expected {entry.files[file]}."
        for file, digest in found.items()
        if digest != entry.files[file]
    ]
    if changed:
        raise ValueError(f"{entry.title} ({name}) is not the file meant: {' '.join(changed)} {said}")
    return base / entry.path


def inventory(folder: str | os.PathLike[str] | None = None) -> list[FileState]:
    """Say of every public file whether it is in a folder, and unchanged.

    Parameters
    ----------
    folder : path, optional
        As for `verify`.

    Returns
    -------
    list of FileState
        `dataset`, `file` and `status`, which is ``"ok"``, ``"missing"`` or ``"changed"``, in the order of `PUBLIC`.

    Raises
    ------
    ValueError
        If no folder was named.
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     inventory(empty)[0]
    FileState(dataset='cdnow', file='cdnow.parquet', status='missing')
    """
    base = _existing(folder)
    return [
        FileState(entry.name, file, _status(_checksum(base / file), expected))
        for entry in PUBLIC.values()
        for file, expected in entry.files.items()
    ]


def _existing(folder: str | os.PathLike[str] | None) -> Path:
    named = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    if not named:
        raise ValueError(f"`folder` must name where the data are; got none. Pass it, or set {FOLDER_VARIABLE}.")
    base = Path(named)
    if not base.is_dir():
        raise FileNotFoundError(
            f"`folder` must be an existing folder; got {str(base)!r}. Make it, and put in it the files "
            "that data/README.md lists."
        )
    return base


def _checksum(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _status(found: str | None, expected: str) -> Literal["ok", "missing", "changed"]:
    if found is None:
        return "missing"
    return "ok" if found == expected else "changed"
