"""A file is there in full or not at all."""

import os
import re
from pathlib import Path

import pytest

import loyalty.files
from loyalty.files import replace_file


def test_replaces_what_was_there(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    assert replace_file(path, lambda place: place.write_text("new")) == path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")

    def write(place):
        assert place.parent == tmp_path, "moving between file systems is not atomic"
        assert place != path
        place.write_text("half")
        assert path.read_text() == "old"
        place.write_text("whole")

    replace_file(path, write)
    assert path.read_text() == "whole"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_no_trace(tmp_path, error):
    path = tmp_path / "scores.csv"
    path.write_text("old")

    def write(place):
        place.write_text("half")
        raise error

    with pytest.raises(error):
        replace_file(path, write)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.csv"]  # noqa: PTH208 - hidden files as well


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "scores.csv", lambda place: None)
    assert list(tmp_path.iterdir()) == []


def test_every_csv_that_is_written_is_harmless_in_a_spreadsheet():
    """A cell that begins with = + - @ would run as a formula; `scoring._defused` puts an apostrophe before it."""
    source = Path(loyalty.files.__file__).parent
    writers = [
        line.strip()
        for path in sorted(source.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(
            r"\.to_csv\(|csv\.(?:writer|DictWriter)\(|\.write_csv\(|\.to_excel\(|to_csv\b.*COPY|FORMAT CSV", line
        )
    ]
    assert writers
    assert [line for line in writers if "_defused(" not in line] == []
