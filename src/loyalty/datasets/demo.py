"""The demo: a made-up shop on disk, as a company would bring its own, with a config to learn from and to edit."""

from functools import partial
from pathlib import Path

from loyalty.datasets.synthetic import synthetic_tables
from loyalty.files import replace_file

_HEAD = """\
# A made-up shop. To use your own data, copy this file, change the paths, and map your columns:
#   [data.purchases.columns]
#   client_id = "customer_number"               # ours = an expression over theirs
#   amount = "quantity * unit_price"
# `loyalty check CONFIG --data FOLDER` lists whatever is wrong with it.
question = "Which clients stop buying in the next three months, and what will the others spend?"
seed = {seed}
currency = "€"
language = "en"                                 # of the report; or "ko"
"""
_TAIL = """
[outcome]
kind = "non-contractual"                        # leaving is no purchase within the horizon
horizon = "90d"
active = "365d"                                 # whom we ask about: a purchase within this long before the cutoff

[cutoffs]
# Where past predictions are held against what happened. Cutoffs that lie a multiple of 30 days apart share their
# training cutoffs, which are laid every 30 days, and so the work.
test = ["2025-04-06", "2025-07-05", "2025-10-03"]
score = "2026-01-01"                            # where the clients are scored
at_most = 14                                    # training cutoffs behind each: over a year, so a season is seen

[card]
attributes = ["region"]                         # for which clients the model card tells how right the models are
"""


def write_demo(out: str | Path, *, clients: int = 2000, seed: int = 0) -> Path:
    """Write made-up histories, what is true of each client, and a config that uses them.

    Parameters
    ----------
    out : str or Path
        Folder to write into; made if it is not there. The tables go into its folder ``data``.
    clients : int, default=2000
        How many clients to make up.
    seed : int, default=0
        Of everything random.

    Returns
    -------
    Path
        The config, ``OUT/demo.toml``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     config = write_demo(folder, clients=50)
    ...     print(config.name, len(list((config.parent / "data").glob("*.parquet"))))
    demo.toml 8
    """
    out = Path(out)
    (out / "data").mkdir(parents=True, exist_ok=True)
    made = synthetic_tables(clients, seed=seed)
    for name, table in {**made.tables, "truth": made.truth}.items():
        replace_file(out / "data" / f"{name}.parquet", partial(table.to_parquet, index=False))
    sections = "".join(f'\n[data.{name}]\npath = "{name}.parquet"\n' for name in made.tables)
    return replace_file(
        out / "demo.toml", lambda path: path.write_text(_HEAD.format(seed=seed) + sections + _TAIL, encoding="utf-8")
    )
