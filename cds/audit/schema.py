"""The rows an audit writes: the schemas of its Parquet files, and the one of the function that both runners call."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

_STRINGS: Final = pa.list_(pa.string())

# What goes in: rows of patients, sorted by patient. record: a row of `cds.audit.compact`.
ROWS: Final = pa.schema([("patient", pa.string()), ("record", pa.binary())])

FINDINGS: Final = pa.schema(
    [
        ("patient", pa.string()),
        ("day", pa.date32()),
        ("hook", pa.string()),
        ("order", pa.string()),
        ("spec", pa.string()),
        ("rule", pa.string()),
        ("version", pa.string()),
        ("level", pa.string()),
        ("indicator", pa.string()),
        ("disposition", pa.string()),
        ("summary", pa.string()),
        ("detail", pa.string()),
        ("evidence", _STRINGS),
        ("implicated", _STRINGS),
        ("about", pa.string()),
        ("subject", pa.string()),
        ("unit", pa.string()),
        ("prescriber", pa.string()),
        ("missing", _STRINGS),
        ("since", pa.date32()),
        ("canonical", pa.string()),
    ]
)
NOT_EVALUATED: Final = pa.schema(
    [
        ("patient", pa.string()),
        ("day", pa.date32()),
        ("hook", pa.string()),
        ("order", pa.string()),
        ("spec", pa.string()),
        ("reason", pa.string()),
        ("unit", pa.string()),
    ]
)
PATIENTS: Final = pa.schema(
    [
        ("patient", pa.string()),
        ("day", pa.date32()),
        ("hook", pa.string()),
        ("order", pa.string()),
        ("unit", pa.string()),
        ("evaluated", _STRINGS),
        ("in_scope", _STRINGS),
        *(
            (name, pa.int32())
            for name in (
                "resources", "bad", "ignored", "drugs_identified", "drugs_unidentified", "drugs_not_listed",
                "drugs_conflict",
            )
        ),
        ("has_psychotropic", pa.bool_()),
        ("psychotropic_orders", pa.int32()),
        ("missing_dates", pa.int32()),
        ("unidentified", _STRINGS),
    ]
)  # fmt: skip
PROBLEMS: Final = pa.schema(
    [("file", pa.string()), ("line", pa.int64()), ("kind", pa.string()), ("resource_type", pa.string())]
)
# Data sets of a run, by folder.
DATASETS: Final[dict[str, Any]] = {
    "findings": FINDINGS,
    "not_evaluated": NOT_EVALUATED,
    "patients": PATIENTS,
    "problems": PROBLEMS,
}

# What comes out: one row a patient, with that patient's rows of each data set; latest: last day of the chart, or null.
OUTCOMES: Final = pa.schema(
    [
        ("patient", pa.string()),
        ("latest", pa.date32()),
        *((name, pa.list_(pa.struct(list(schema)))) for name, schema in DATASETS.items()),
    ]
)
