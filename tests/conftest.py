"""What all tests share: the real data beside the clone, where it is there, and one small run of the whole road."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from demo_fixture import Demo

settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write tests/golden anew instead of comparing")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Find the folder of real data sets; a test that needs it is skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets (../shared/data) are not beside this clone")
    return folder


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> "Demo":
    """Run the whole road once."""
    from demo_fixture import run_small_demo  # heavy imports, only for the tests that ask for it

    return run_small_demo(tmp_path_factory.mktemp("demo"))
