"""The datasets of an audit as DuckDB sees them: `Run` is what every output is computed from.

Views `findings`, `not_evaluated`, `patients`, `problems`, and `questions`: rows of `patients`, one a patient, in a
replay one an order. `unit` is the question's, so that who is counted and out of how many are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
_KINDS = {"string": "VARCHAR", "date32[day]": "DATE", "int32": "INTEGER", "int64": "BIGINT", "bool": "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class Run:
    """An audit's folder, what its evaluation said of itself (`run.json`), and a connection to its datasets."""

    out: Path
    told: dict[str, Any]
    connection: duckdb.DuckDBPyConnection
    unit_names: Mapping[str, str]

    @property
    def is_replay(self) -> bool:
        """Whether each order was asked about on its own day, and not each patient once."""
        return bool(self.told.get("as") == "replay")

    def unit_name(self, unit: str) -> str:
        """The name of an organisation or place as the export has it, else its reference; "" for none recorded."""
        return self.unit_names.get(unit, unit)

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
    told = read_told(out)
    connection = _connect(out, memory)
    try:
        for name, columns in _columns().items():
            _view(connection, out / name, name, columns)
        connection.execute("CREATE TEMP TABLE unit_names (unit VARCHAR, clinic VARCHAR)")
        names = _unit_names(told.get("units") or {})
        if names:
            connection.execute(
                "INSERT INTO unit_names SELECT unnest(?), unnest(?)", [list(names.keys()), list(names.values())]
            )
        # In a replay a patient without orders has a row as well, and no question.
        asked = "WHERE \"order\" <> ''" if told.get("as") == "replay" else ""
        connection.execute(f"CREATE VIEW questions AS SELECT * FROM patients {asked}")
        _check_all_there(connection, out, told)
        yield Run(out, told, connection, names)
    finally:
        connection.close()


def read_told(out: Path) -> dict[str, Any]:
    """What the evaluation said of itself: run.json. Raises CdsError for a folder that holds no finished audit."""
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


def _check_all_there(connection: duckdb.DuckDBPyConnection, out: Path, told: Mapping[str, Any]) -> None:
    """A part file that was lost would make every count a little smaller, and nobody would see it."""
    row = connection.execute("SELECT count(DISTINCT patient) FROM patients").fetchone()
    found = row[0] if row is not None else 0
    if found != told.get("patients", found):
        text = f"the datasets hold {found} patients, run.json says {told['patients']}: a part file is missing"
        raise CdsError(f"{out}: {text} (begin the audit anew: psychmed audit with --restart)")


def _unit_names(told: Mapping[str, str]) -> dict[str, str]:
    """Names by reference; where several have one name, with the reference."""
    names = {unit: " ".join(name.split()) for unit, name in told.items() if name.strip()}
    often = Counter(names.values())
    return {unit: name if often[name] == 1 else f"{name} ({unit})" for unit, name in names.items()}


def _connect(out: Path, memory: int) -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        raise CdsError("audits need the extra [audit] (pip install 'psychmed-cds[audit]')") from None

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{max(memory, 64 * 1024 * 1024)}B",
        # One thread: rows and files come out alike on every machine. The datasets are small beside what was read.
        "threads": 1,
        "temp_directory": str(out / "work" / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(":memory:", config=config)


def _columns() -> dict[str, dict[str, str]]:
    """Column and type of each dataset, in DuckDB's words."""
    from cds.audit.schema import DATASETS

    def kind(arrow: Any) -> str:
        return f"{_KINDS[str(arrow.value_type)]}[]" if hasattr(arrow, "value_type") else _KINDS[str(arrow)]

    return {name: {field.name: kind(field.type) for field in schema} for name, schema in DATASETS.items()}


def _view(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, columns: dict[str, str]) -> None:
    """A view of the dataset's parts; of none, an empty one."""
    chosen = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in columns.items())
    parts = sorted(str(path) for path in folder.glob("[!.]*.parquet"))
    if parts:
        listed = ", ".join("'" + part.replace("'", "''") + "'" for part in parts)
        source = f"read_parquet([{listed}])"
    else:
        nothing = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in columns.items())
        source = f"(SELECT {nothing} WHERE false)"
    try:
        connection.execute(f'CREATE VIEW "{name}" AS SELECT {chosen} FROM {source}')
    except Exception as error:
        raise CdsError(
            f"{folder}: cannot be read as a dataset of this version ({type(error).__name__}): "
            "begin the audit anew (psychmed audit with --restart)"
        ) from None
