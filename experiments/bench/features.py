"""What the feature engine costs, beside what an expert would write by hand in SQL, run in turn on the same events.

    python experiments/bench/features.py EVENTS.parquet --yardstick hand_sql.py --rounds 3
    python experiments/bench/features.py EVENTS.parquet --memory 2GB          # without a yardstick
    python experiments/bench/features.py EVENTS.parquet --variants FOLDER     # text ids and shuffled rows as well
    python experiments/bench/features.py EVENTS.parquet --only panel          # or single: one of the two alone
    python experiments/bench/features.py --one                                # a client from a frame of its events

EVENTS holds purchases: client_id, event_time, amount, and as many of quantity, category, channel and discount as there
are. Every run is a process of its own, from the file to the panel in Parquet, imports included; CPU seconds are those
of user and system together, memory is the peak of the process. Compare ratios within one run: machines are shared.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CUTOFFS = [f"{2024 + month // 12}-{month % 12 + 1:02d}-01" for month in range(1, 13)]
YARDSTICKS = {"single": "single", "panel": "wide"}


def build(events: str, out: str, what: str, memory: str | None) -> None:
    """Build one panel: at the last cutoff, or at all twelve."""
    from loyalty import Histories
    from loyalty.features import choose_features, write_panel

    histories = Histories(events, memory=memory)
    features = choose_features(histories)
    cutoffs = CUTOFFS[-1:] if what == "single" else CUTOFFS
    write_panel(histories, out, cutoffs=cutoffs, horizon="90d", features=features)
    print(f"{len(features)} features")


def build_one() -> None:
    """Say how long it takes to read one client's frame of events, and to compute its features."""
    from loyalty import Histories
    from loyalty.datasets import synthetic_tables
    from loyalty.features import build_panel, measure_market

    purchases = synthetic_tables(clients=300, seed=0).tables["purchases"]
    market = measure_market(Histories(purchases), cutoffs="2026-01-01")
    clients = purchases["client_id"].value_counts()
    client = clients.index[len(clients) // 4]
    events = purchases[purchases["client_id"] == client]
    times = []
    for _ in range(21):
        start = time.perf_counter()
        histories = Histories(events)
        read = time.perf_counter()
        panel = build_panel(histories, cutoffs="2026-01-01", horizon="90d", market=market)
        times.append((read - start, time.perf_counter() - read))
    reading, computing = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"one client, {len(events)} events, {panel.shape[1]} features: reading {reading:.0f} ms, "
        f"computing {computing:.0f} ms, together {reading + computing:.0f} ms (medians of {len(times)})"
    )


def measure(command: list[str]) -> tuple[float, float, str]:
    """Run a command; return its CPU seconds, its peak memory in GiB, and what it said last."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said)  # noqa: S603 - our own command
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        told = said.read().strip().splitlines()
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20, told[-1] if told else ""


def make_variants(events: Path, folder: Path) -> dict[str, Path]:
    """Write the same purchases with clients named by text, and in no order."""
    import duckdb

    made = {"text ids": folder / "text.parquet", "shuffled": folder / "shuffled.parquet"}
    con = duckdb.connect()
    con.execute("set preserve_insertion_order = false")
    source = "read_parquet(?)"
    text = f"select * replace ('C' || lpad(client_id::varchar, 9, '0') as client_id) from {source}"
    for name, query in (("text ids", text), ("shuffled", f"select * from {source} order by hash(event_time, amount)")):
        if not made[name].exists():
            con.execute(f"copy ({query}) to '{made[name]}' (format parquet, compression zstd)", [str(events)])
    return made


def compare(events: Path, name: str, options: argparse.Namespace, scratch: Path) -> None:
    """Run yardstick and package in turn, and say the medians and their ratio."""
    for what, yardstick in YARDSTICKS.items():
        if options.only not in (None, what):
            continue
        ours, theirs, peak, said = [], [], 0.0, ""
        for _ in range(options.rounds):
            shutil.rmtree(scratch / "ours", ignore_errors=True)
            memory = ["--memory", options.memory] if options.memory else []
            command = [sys.executable, __file__, "build", str(events), str(scratch / "ours"), what, *memory]
            seconds, gigabytes, said = measure(command)
            ours.append(seconds)
            peak = max(peak, gigabytes)
            if options.yardstick:
                theirs.append(
                    measure([sys.executable, str(options.yardstick), str(events), str(scratch / "theirs"), yardstick])[
                        0
                    ]
                )
        line = f"{name:10} {what:6} {said}: {statistics.median(ours):.1f} CPU-s, peak {peak:.2f} GiB"
        if theirs:
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            line += f"; yardstick {yardstick} {statistics.median(theirs):.1f} CPU-s; ratio {ratio:.2f}"
        print(line, flush=True)


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["build"]:
        parser = argparse.ArgumentParser()
        for argument in ("build", "events", "out", "what"):
            parser.add_argument(argument)
        parser.add_argument("--memory")
        given = parser.parse_args()
        build(given.events, given.out, given.what, given.memory)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path, nargs="?")
    parser.add_argument("--one", action="store_true", help="how long one client takes")
    parser.add_argument("--only", choices=list(YARDSTICKS), help="one cutoff, or twelve")
    parser.add_argument("--yardstick", type=Path, help="a script that takes EVENTS OUT single|wide")
    parser.add_argument("--variants", type=Path, help="a folder for the same events with text ids and shuffled")
    parser.add_argument("--memory", help="as of Histories")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    if options.one:
        build_one()
        return
    if options.events is None:
        parser.error("name the file of EVENTS, or ask for --one")
    with tempfile.TemporaryDirectory() as scratch:
        compare(options.events, "as given", options, Path(scratch))
        if options.variants:
            for name, path in make_variants(options.events, options.variants).items():
                compare(path, name, options, Path(scratch))


if __name__ == "__main__":
    main()
