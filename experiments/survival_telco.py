"""Find out how long clients of a telephone company stay.

    python experiments/survival_telco.py DATA

DATA is the folder that holds the data; `telco_ibm.parquet` is read, IBM's simulated sample. Life begins with the first
month of the contract and is observed for `tenure` months; a client who has not left was seen to stay as long. Five
folds, for 60 months.

This ranks lives and does not forecast them: there are no dates, and the services and the kind of contract are those of
the day on which the table was written, which for who has left is the last one. The total charges are left out, being
the monthly ones times the life that is sought.
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.model_selection import StratifiedKFold
from survival_airline import compare, told

PERIODS = 60
NEVER = ["customer_id", "tenure", "total_charges", "churn"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    clients = pd.read_parquet(parser.parse_args().data / "telco_ibm.parquet")
    lives = pd.DataFrame({"duration": clients["tenure"], "churned": (clients["churn"] == "Yes").astype(int)})
    X = pd.get_dummies(clients.drop(columns=NEVER), drop_first=True, dtype=float)
    tables = []
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for learned, held_out in folds.split(X, lives["churned"]):
        parts = [table.iloc[rows] for rows in (learned, held_out) for table in (X, lives)]
        tables.append(compare(*parts, periods=PERIODS))
    print(f"Mean over five folds\n{told(tables)}")


if __name__ == "__main__":
    main()
