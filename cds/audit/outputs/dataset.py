"""The datasets of an audit as DuckDB sees them: `Run` is what every output is computed from.

Views `findings`, `not_evaluated`, `patients`, `problems`. A question is one row of `patients`: a patient on a day, in a
replay one of the patient's orders. `unit` is the question's, so that who is counted and out of how many are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cds.errors import CdsError

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_BATCH_ROWS = 10_000
_COLUMNS: dict[str, dict[str, str]] = {
    "findings": {
        "patient": "VARCHAR", "day": "DATE", "hook": "VARCHAR", "order": "VARCHAR", "spec": "VARCHAR",
        "rule": "VARCHAR", "version": "VARCHAR", "level": "VARCHAR", "indicator": "VARCHAR", "disposition": "VARCHAR",
        "summary": "VARCHAR", "detail": "VARCHAR", "evidence": "VARCHAR[]", "implicated": "VARCHAR[]",
        "about": "VARCHAR", "subject": "VARCHAR", "unit": "VARCHAR", "prescriber": "VARCHAR", "missing": "VARCHAR[]",
        "since": "DATE", "canonical": "VARCHAR",
    },
    "not_evaluated": {
        "patient": "VARCHAR", "day": "DATE", "hook": "VARCHAR", "order": "VARCHAR", "spec": "VARCHAR",
        "reason": "VARCHAR", "unit": "VARCHAR",
    },
    "patients": {
        "patient": "VARCHAR", "day": "DATE", "hook": "VARCHAR", "order": "VARCHAR", "unit": "VARCHAR",
        "evaluated": "VARCHAR[]", "in_scope": "VARCHAR[]", "resources": "INTEGER", "bad": "INTEGER",
        "ignored": "INTEGER", "drugs_identified": "INTEGER", "drugs_unidentified": "INTEGER",
        "drugs_not_listed": "INTEGER", "drugs_conflict": "INTEGER", "has_psychotropic": "BOOLEAN",
        "psychotropic_orders": "INTEGER", "missing_dates": "INTEGER", "unidentified": "VARCHAR[]",
    },
    "problems": {"file": "VARCHAR", "line": "BIGINT", "kind": "VARCHAR", "resource_type": "VARCHAR"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """An audit's folder, what its evaluation said of itself (`run.json`), and a connection to its datasets."""

    out: Path
    told: dict[str, Any]
    connection: duckdb.DuckDBPyConnection

    @property
    def is_replay(self) -> bool:
        """Whether each order was asked about on its own day, and not each patient once."""
        return bool(self.told.get("as") == "replay")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """A result that is small: counts, never one row a patient."""
        return self.connection.execute(sql, list(parameters)).fetchall()

    def reader(self, sql: str) -> pyarrow.RecordBatchReader:
        """A result of any length, in order, a batch at a time."""
        return self.connection.sql(sql).to_arrow_reader(_BATCH_ROWS)


@contextmanager
def open_run(out: Path, *, memory: int) -> Iterator[Run]:
    """The audit in folder `out`. memory: bytes DuckDB may hold; beyond them it writes to a folder in `out`.

    Raises CdsError for a folder that holds no finished audit.
    """
    told = _told(out)
    connection = _connect(out, memory)
    try:
        for name, columns in _COLUMNS.items():
            _view(connection, out / name, name, columns)
        yield Run(out, told, connection)
    finally:
        connection.close()


def _told(out: Path) -> dict[str, Any]:
    path = out / "run.json"
    try:
        told = orjson.loads(path.read_bytes())
    except OSError:
        raise CdsError(f"{out}: no finished audit here: run.json is missing (run psychmed audit first)") from None
    except orjson.JSONDecodeError:
        raise CdsError(f"{path}: not JSON (run psychmed audit again)") from None
    if not isinstance(told, dict) or not isinstance(told.get("rules"), list):
        raise CdsError(f"{path}: names no rules (run psychmed audit again)")
    return told


def _connect(out: Path, memory: int) -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        raise CdsError("audits need the extra [audit] (pip install 'psychmed-cds[audit]')") from None

    config = {
        "memory_limit": f"{max(memory, 64 * 1024 * 1024)}B",
        # One thread: rows and files come out alike on every machine. The datasets are small beside what was read.
        "threads": 1,
        "temp_directory": str(out / "work" / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(":memory:", config=config)


def _view(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, columns: dict[str, str]) -> None:
    """A view of the dataset's parts; of none, an empty one."""
    chosen = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in columns.items())
    parts = sorted(str(path) for path in folder.glob("part-*.parquet"))
    if parts:
        listed = ", ".join("'" + part.replace("'", "''") + "'" for part in parts)
        source = f"read_parquet([{listed}])"
    else:
        nothing = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in columns.items())
        source = f"(SELECT {nothing} WHERE false)"
    try:
        connection.execute(f'CREATE VIEW "{name}" AS SELECT {chosen} FROM {source}')
    except Exception as error:
        raise CdsError(f"{folder}: cannot be read as a dataset of this version ({type(error).__name__})") from None
