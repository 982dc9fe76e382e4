"""What all tests share: the real data beside the clone, where it is there, and one small run of the whole road."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Connect Ibis to a small Spark, started once."""
    from backends import spark_connection

    with spark_connection(tmp_path_factory.mktemp("spark")) as connection:
        yield connection


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """Connect Ibis to the PostgreSQL server that LOYALTY_POSTGRES names."""
    from backends import postgres_connection

    with postgres_connection() as connection:
        yield connection


@pytest.fixture(scope="session")
def duckdb() -> Iterator[Any]:
    """Connect Ibis to a DuckDB in memory."""
    import ibis

    connection = ibis.duckdb.connect()
    yield connection
    connection.disconnect()


@pytest.fixture(params=["duckdb", "spark", "postgres"])
def connection(request: pytest.FixtureRequest) -> Any:
    """Connect Ibis to each engine in turn."""
    return request.getfixturevalue(request.param)
