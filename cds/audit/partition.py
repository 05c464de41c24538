"""The function that both runners call: rows of patients, sorted by patient, to what was found of each.

One patient is in memory at a time. On a cluster:

    df.repartition(P, "patient").sortWithinPartitions("patient").mapInArrow(partial(audit_partition, asker=...), ...)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyarrow as pa

from cds.audit.asking import Asker, Outcome
from cds.audit.compact import gather
from cds.audit.schema import OUTCOMES, ROWS

_AT_ONCE: Final = 256  # patients in a batch of outcomes
_ROWS_AT_ONCE: Final = 4096
_BYTES_AT_ONCE: Final = 4 << 20


class OrderBrokenError(Exception):
    """Rows did not come sorted by patient: a patient would be evaluated on half a chart."""


def audit_partition(batches: Iterable[Any], *, asker: Asker) -> Iterator[Any]:
    """Evaluate the patients of a partition.

    batches: Arrow record batches of ROWS, sorted by patient (by code points) across all of them.
    Yields record batches of OUTCOMES, one row a patient. Raises OrderBrokenError.
    """
    outcomes: list[Outcome] = []
    for patient, rows in _patients(batches):
        outcomes.append(asker.ask(patient, gather(patient, rows)))
        if len(outcomes) >= _AT_ONCE:
            yield _batch(outcomes)
            outcomes = []
    if outcomes:
        yield _batch(outcomes)


def _patients(batches: Iterable[Any]) -> Iterator[tuple[str, list[bytes]]]:
    current: str | None = None
    rows: list[bytes] = []
    for batch in batches:
        for patient, record in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            if patient != current:
                if current is not None:
                    if patient < current:
                        raise OrderBrokenError("the rows of a partition are not sorted by patient")
                    yield current, rows
                current, rows = patient, []
            rows.append(record)
    if current is not None:
        yield current, rows


def _batch(outcomes: list[Outcome]) -> Any:
    columns = [
        pa.array([getattr(outcome, name) for outcome in outcomes], type=OUTCOMES.field(name).type)
        for name in (f.name for f in dataclasses.fields(Outcome))
    ]
    return pa.record_batch(columns, schema=OUTCOMES)


def row_batches(patients: Iterable[tuple[str, list[bytes]]]) -> Iterator[Any]:
    """Patients with their rows as record batches of ROWS."""
    names: list[str] = []
    records: list[bytes] = []
    held = 0
    for patient, rows in patients:
        for row in rows:
            names.append(patient)
            records.append(row)
            held += len(row)
            if len(names) >= _ROWS_AT_ONCE or held >= _BYTES_AT_ONCE:
                yield pa.record_batch([pa.array(names, pa.string()), pa.array(records, pa.binary())], schema=ROWS)
                names, records, held = [], [], 0
    if names:
        yield pa.record_batch([pa.array(names, pa.string()), pa.array(records, pa.binary())], schema=ROWS)
