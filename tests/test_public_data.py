"""The public files are the ones meant, and their page lists them."""

import dataclasses
import hashlib
import os
from pathlib import Path

import duckdb
import pytest

from loyalty.datasets import PUBLIC, FileState, inventory, public, verify
from loyalty.histories.expressions import as_sql
from loyalty.histories.schema import TABLES

SHARED = Path(os.environ.get("LOYALTY_DATA") or Path(__file__).parents[2] / "shared" / "data")
README = Path(__file__).parents[1] / "data" / "README.md"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the public data are not at hand; set LOYALTY_DATA")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with small files in place of two data sets, whose checksums are then those expected."""
    stands_in = dict(PUBLIC)
    for name in ("cdnow", "airline_loyalty"):
        for file in PUBLIC[name].files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(file.encode())
        files = {file: hashlib.sha256(file.encode()).hexdigest() for file in PUBLIC[name].files}
        stands_in[name] = dataclasses.replace(PUBLIC[name], files=files)
    monkeypatch.setattr(public, "PUBLIC", stands_in)
    monkeypatch.delenv("LOYALTY_DATA", raising=False)
    return tmp_path


def test_an_unchanged_file_is_found_here_or_where_the_environment_says(folder, monkeypatch):
    assert verify("cdnow", folder) == folder / "cdnow.parquet"
    assert verify("airline_loyalty", str(folder)) == folder / "airline_loyalty"
    monkeypatch.setenv("LOYALTY_DATA", str(folder))
    assert verify("cdnow") == folder / "cdnow.parquet"


def test_a_tampered_file_is_refused_with_both_checksums(folder):
    changed = folder / "airline_loyalty" / "loyalty_history.parquet"
    expected = hashlib.sha256(changed.read_bytes()).hexdigest()
    changed.write_bytes(changed.read_bytes() + b"!")
    found = hashlib.sha256(changed.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"loyalty_history\.parquet in") as error:
        verify("airline_loyalty", folder)
    for part in (found, expected, str(folder), PUBLIC["airline_loyalty"].source):
        assert part in str(error.value)
    assert "flight_activity" not in str(error.value)


def test_a_missing_file_names_the_folder_and_where_to_get_it(folder):
    (folder / "airline_loyalty" / "flight_activity.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"flight_activity\.parquet is not in") as error:
        verify("airline_loyalty", folder)
    assert str(folder) in str(error.value)
    assert PUBLIC["airline_loyalty"].source in str(error.value)


def test_the_inventory_tells_ok_changed_and_missing_apart(folder):
    (folder / "airline_loyalty" / "flight_activity.parquet").write_bytes(b"else")
    states = inventory(folder)
    assert all(isinstance(state, FileState) for state in states)
    assert [state.file for state in states] == [file for entry in PUBLIC.values() for file in entry.files]
    status = {state.file: state.status for state in states}
    assert status.pop("cdnow.parquet") == "ok"
    assert status.pop("airline_loyalty/loyalty_history.parquet") == "ok"
    assert status.pop("airline_loyalty/flight_activity.parquet") == "changed"
    assert set(status.values()) == {"missing"}


def test_wrong_names_and_folders_are_named(folder):
    with pytest.raises(ValueError, match=r"got 'online_retail'\. Did you mean 'online_retail_2'\?"):
        verify("online_retail", folder)
    with pytest.raises(ValueError, match="`folder` must name where the data are; got none"):
        verify("cdnow")
    with pytest.raises(FileNotFoundError, match="`folder` must be an existing folder"):
        inventory(folder / "nowhere")


def test_entries_are_complete():
    for name, entry in PUBLIC.items():
        assert entry.name == name
        for text in (entry.title, entry.licence, entry.citation, entry.notes):
            assert text.strip()
        assert entry.source.startswith("https://")
        assert all(len(digest) == 64 for digest in entry.files.values())
        for table, mapping in entry.tables.items():
            assert mapping["path"] in entry.files
            assert set(mapping) - {"path", "where"} <= set(TABLES[table].names)


def test_the_readme_has_every_column_table_and_checksum():
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        section = (
            text.split(f"### `{name}`", maxsplit=1)[1].split("\n### ", maxsplit=1)[0].split("\n## ", maxsplit=1)[0]
        )
        for column in table.columns:
            row = next(line for line in section.splitlines() if line.startswith(f"| `{column.name}` |"))
            assert ("**needed**" in row) == column.required, row
    for entry in PUBLIC.values():
        assert f"`{entry.name}`" in text
        assert entry.source in text
        for file, digest in entry.files.items():
            assert f"| `{file}` | `{digest}` |" in text


@needs_data
def test_the_files_at_hand_are_the_ones_meant():
    assert {state.status for state in inventory(SHARED)} == {"ok"}


@needs_data
@pytest.mark.parametrize("name", [name for name, entry in PUBLIC.items() if entry.tables])
def test_the_mapping_hints_fill_the_canonical_tables(name):
    for table, mapping in PUBLIC[name].tables.items():
        with duckdb.connect() as connection:
            source = connection.read_parquet(str(SHARED / mapping["path"]))
            columns = {ours: theirs for ours, theirs in mapping.items() if ours not in ("path", "where")}
            wanted = ", ".join(f'{as_sql(theirs, source.columns)} as "{ours}"' for ours, theirs in columns.items())
            kept = source.filter(as_sql(mapping.get("where", "true"), source.columns))
            needed = [column.name for column in TABLES[table].columns if column.required]
            filled = " and ".join(f"count({column}) = count(*)" for column in needed)
            assert kept.project(wanted).aggregate(f"count(*) > 0 and {filled}").fetchone() == (True,), table


@needs_data
@pytest.mark.parametrize("name", list(PUBLIC))
def test_rows_clients_and_spans_are_as_listed(name):
    entry = PUBLIC[name]
    path = SHARED / next(iter(entry.files))
    source = f"from read_csv('{path}')" if path.suffix == ".csv" else f"from '{path}'"
    ids = {"complete_journey": "household_id", "airline_loyalty": "loyalty_number"}.get(name, "customer_id")
    dates = {
        "cdnow": "date",
        "online_retail_2": "invoice_date",
        "complete_journey": "transaction_timestamp",
        "nsmc": "date",
        "airline_loyalty": "last_day(make_date(year, month, 1))",
    }
    with duckdb.connect() as connection:
        assert connection.sql(f"select count(*) {source}").fetchone() == (entry.rows,)
        if entry.clients is not None:
            assert connection.sql(f"select count(distinct {ids}) {source}").fetchone() == (entry.clients,)
        if entry.span is not None:
            first = "make_date(min(year), 1, 1)" if name == "airline_loyalty" else f"min({dates[name]})::date"
            span = connection.sql(f"select {first}::varchar, max({dates[name]})::date::varchar {source}").fetchone()
            assert span == entry.span
