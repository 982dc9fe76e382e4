"""Compiled loops work where nothing can be kept."""

import subprocess
import sys

import pytest

# As if neither the package's folder nor the user's cache could be written, whoever runs the tests.
NOWHERE = """
from numba.core import caching

def refuse(self):
    raise PermissionError(13, "Permission denied")

caching._CacheLocator.ensure_cache_path = refuse
"""
FULL = """
from numba.core import caching

def refuse(self, *_):
    raise OSError(28, "No space left on device")

caching.CacheImpl.reduce = refuse
"""
OWN = """
import numba
from loyalty.compiled import compiled, compiled_when_called

@compiled(numba.types.float64, numba.types.float64)
def share(part, whole):
    return part / whole

@compiled_when_called
def twice(part, whole):
    return 2 * share(part, whole)

print(share(1.0, 4.0), share(1.0, 0.0), SECOND)
"""


def run(folder, *code):
    """Run it as a file of its own, for numba keeps only what comes from one."""
    script = folder / "script.py"
    script.write_text("\n".join(code), encoding="utf-8")
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.parametrize("hindered", ["", NOWHERE], ids=["free", "nowhere"])
def test_loops_are_compiled_wherever_they_can_be_kept_or_not(tmp_path, hindered):
    done = run(tmp_path, hindered, OWN.replace("SECOND", "twice(1.0, 4.0)"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0.25", "inf", "0.5"]
    assert (tmp_path / "__pycache__").exists() is not bool(hindered)


def test_loops_are_compiled_when_there_is_no_room_to_keep_them(tmp_path):
    done = run(tmp_path, FULL, OWN.replace("SECOND", "'whole'"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0.25", "inf", "whole"]
