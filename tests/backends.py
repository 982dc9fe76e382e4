"""The engines beside DuckDB: a small Spark, a PostgreSQL server, and how one set of tables gets onto each of them."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

NO_SPARK = "Spark is not installed; pip install -c constraints.txt -e '.[spark]'"
NO_JAVA = "Spark needs Java; install Java 17, or set JAVA_HOME"
NO_POSTGRES = (
    "set LOYALTY_POSTGRES to postgresql://user:password@host:port/database; .ci/run and .ci/postgres start one"
)


@contextmanager
def spark_connection(folder: Path) -> Iterator[Any]:
    """Connect Ibis to a quiet Spark on two cores that keeps its files in `folder`; skip where there is none."""
    pytest.importorskip("pyspark", reason=NO_SPARK)
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        pytest.skip(NO_JAVA)
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # A test runs each plan once or twice: compiling it well costs twice what it saves.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    # Else its workers run the first python3 of the path, and do not find the stand-ins for fitted models.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    session = SparkSession.builder.master("local[2]").appName("loyalty-tests").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield ibis.pyspark.connect(session)
    finally:
        session.stop()


@contextmanager
def postgres_connection() -> Iterator[Any]:
    """Connect Ibis to the server that LOYALTY_POSTGRES names; skip where it names none."""
    address = os.environ.get("LOYALTY_POSTGRES")
    if not address:
        pytest.skip(NO_POSTGRES)
    connection = ibis.connect(address)
    try:
        yield connection
    finally:
        connection.disconnect()


def canonical(table: pd.DataFrame | pa.Table) -> pa.Table:
    """Write a table as every engine stores it: UTC microseconds without a zone, and null for NaN."""
    arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    columns = {}
    for field in arrow.schema:
        column = arrow[field.name]
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.timestamp("us"))
        elif pa.types.is_floating(field.type):
            column = pc.if_else(pc.is_nan(column), None, column).cast(pa.float64())
        elif pa.types.is_integer(field.type):
            column = column.cast(pa.int64())
        elif not pa.types.is_boolean(field.type):
            column = column.cast(pa.string())
        columns[field.name] = column
    return pa.table(columns)


def upload(connection: Any, tables: Mapping[str, pd.DataFrame | pa.Table]) -> dict[str, ibis.Table]:
    """Put tables on an engine, under names of their own that last as long as the connection."""
    put = {"duckdb": _put_duckdb, "postgres": _put_postgres, "pyspark": _put_spark}[connection.name]
    return {name: put(connection, ibis.util.gen_name(name), canonical(table)) for name, table in tables.items()}


def _put_duckdb(connection: Any, name: str, table: pa.Table) -> ibis.Table:
    return connection.create_table(name, table)


def _put_postgres(connection: Any, name: str, table: pa.Table) -> ibis.Table:
    stored = connection.create_table(name, schema=ibis.schema(table.schema), temp=True)
    with connection.con.cursor() as cursor:
        with cursor.copy(f'COPY "{name}" FROM STDIN') as copy:
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                copy.write_row(row)
        cursor.execute(f'ANALYZE "{name}"')  # nothing does so by itself with a temporary table
    return stored


def _put_spark(connection: Any, name: str, table: pa.Table) -> ibis.Table:
    # As Spark's usual TIMESTAMP, an instant, which Ibis reads in UTC and without a zone.
    zoned = [pa.timestamp("us", "UTC") if pa.types.is_timestamp(field.type) else field.type for field in table.schema]
    table = table.cast(pa.schema(list(zip(table.column_names, zoned, strict=True))))
    [folder] = connection.raw_sql("SET spark.sql.warehouse.dir").toPandas()["value"]
    path = Path(folder.removeprefix("file:")) / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return connection.read_parquet(path, table_name=name)
