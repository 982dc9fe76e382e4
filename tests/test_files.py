"""A file is there in full or not at all."""

import errno
import os
import re
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import loyalty.files
from loyalty.files import UnwritableError, check_writable, replace_file, undisturbed, write_table


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


def test_only_the_one_writer_that_makes_cells_harmless_writes_csv():
    source = Path(loyalty.files.__file__).parent
    writes = re.compile(r"\.to_csv\(|csv\.(?:writer|DictWriter)\(|\.write_csv\(|\.to_excel\(|FORMAT CSV")
    found = {path.name for path in source.rglob("*.py") if writes.search(path.read_text(encoding="utf-8"))}
    assert found == {"files.py"}


def test_a_table_comes_back_from_parquet_as_it_was(tmp_path):
    table = pd.DataFrame({"client_id": ["=1", "a"], "age": [1.5, None]})
    pd.testing.assert_frame_equal(pd.read_parquet(write_table(table, tmp_path / "a.parquet")), table)


def test_no_text_in_csv_is_a_formula_or_breaks_a_row(tmp_path):
    hostile = ["=1", "+1", "-1", "@a", "\t=1", " =1", "＝1", "a\n=1", 'b",=1', "plain"]
    written = pd.read_csv(write_table(pd.DataFrame({"text": hostile, "n": -1.5}), tmp_path / "a.csv"))
    assert written["text"].tolist() == [f"'{text}" for text in hostile[:7]] + hostile[7:]
    assert (written["n"] == -1.5).all()


def test_a_table_of_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.parquet or \.csv; got 'a.xlsx'"):
        write_table(pd.DataFrame(), tmp_path / "a.xlsx")


def test_categories_headers_and_numbers_among_text_are_safe_and_whole(tmp_path):
    table = pd.DataFrame({"=plan": pd.Categorical(["=1+1", "b", None]), "mixed": ["=x", -1.5, None]})
    written = (write_table(table, tmp_path / "a.csv")).read_text(encoding="utf-8")
    assert written.splitlines() == ['"\'=plan","mixed"', '"\'=1+1","\'=x"', '"b",-1.5', '"",""']


@pytest.fixture
def read_only():
    """A folder in which nobody but its owner may write, entered as another."""
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name), os.geteuid() == 0
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


class TestUnwritable:
    @pytest.mark.parametrize("within", ["", "new", "new/and/newer"])
    def test_a_folder_without_permission(self, read_only, within):
        with pytest.raises(UnwritableError) as caught:
            check_writable(read_only / within)
        assert str(caught.value) == f"cannot write in the folder {str(read_only)!r}: no permission."
        assert caught.value.folder == read_only

    def test_writing_says_so_too_and_names_no_hidden_file(self, read_only):
        for write in (
            lambda: write_table(pd.DataFrame({"a": [1]}), read_only / "a.csv"),
            lambda: write_table(pd.DataFrame({"a": [1]}), read_only / "a.parquet"),
            lambda: replace_file(read_only / "a.txt", lambda path: path.write_text("a")),
        ):
            with pytest.raises(UnwritableError) as caught:
                write()
            assert str(caught.value) == f"cannot write in the folder {str(read_only)!r}: no permission."
            assert caught.value.errno == errno.EACCES

    def test_a_folder_that_can_be_written_or_made_stays_as_it_is(self, tmp_path):
        check_writable(tmp_path)
        check_writable(tmp_path / "new" / "and" / "newer")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(UnwritableError, match="file': it is no folder"):
            check_writable(tmp_path / "file" / "out")

    def test_no_folder(self, tmp_path):
        with pytest.raises(UnwritableError, match="none': there is no such folder"):
            replace_file(tmp_path / "none" / "a.txt", lambda path: path.write_text("a"))

    def test_no_room(self, tmp_path):
        def write(_):
            raise OSError(errno.ENOSPC, "Error writing bytes to file")

        with pytest.raises(UnwritableError, match="it is full"):
            replace_file(tmp_path / "a.txt", write)

    def test_what_a_writer_cannot_read_keeps_its_words(self, tmp_path):
        def write(_):
            raise PermissionError(errno.EACCES, "Permission denied", "sales.csv")

        with pytest.raises(PermissionError, match=r"sales\.csv"):
            replace_file(tmp_path / "a.txt", write)


class TestUndisturbed:
    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_waits_and_then_does_what_it_did(self, sign, tmp_path):
        told = []
        before = signal.signal(sign, lambda *_: told.append(sorted(path.name for path in tmp_path.iterdir())))
        try:
            with undisturbed():
                (tmp_path / "a").touch()
                signal.raise_signal(sign)
                (tmp_path / "b").touch()
            assert told == [["a", "b"]]
            signal.raise_signal(sign)
            assert len(told) == 2
        finally:
            signal.signal(sign, before)

    def test_an_error_within_is_raised_and_signals_are_as_before(self):
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(OSError, match="full"), undisturbed():
            raise OSError("full")
        assert signal.getsignal(signal.SIGINT) is before

    def test_other_threads_know_no_signals(self):
        def work():
            with undisturbed():
                return "done"

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(work).result() == "done"
