"""Which patients: the first of an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds.audit.inputs import BROKEN, InputFile, lines_of, open_input
from cds.fhir.reading import Reading
from cds.intake.lines import BOM, read_line

_LARGEST_CHART = 64 << 20


def first_patients(files: Sequence[InputFile], limit: int, among: frozenset[str] | None) -> frozenset[str]:
    """Ids of the first patients in the order of the export, its Patient files before the others.

    among: only of these, None for any.
    """
    found: dict[str, None] = {}
    for file in sorted(files, key=lambda f: "Patient" not in f.name):
        try:
            for patient in _patients(file):
                if among is None or patient in among:
                    found[patient] = None
                if len(found) >= limit:
                    return frozenset(found)
        except BROKEN:
            continue  # said where the file is extracted
    return frozenset(found)


def _patients(file: InputFile) -> Iterator[str]:
    if file.kind == "chart":
        with open_input(file) as stream:
            raw = stream.read(_LARGEST_CHART).removeprefix(BOM)
        reading = Reading(None)
        reading.add(raw, "bundle", source="chart")
        if reading.records and reading.patient_id:
            yield reading.patient_id
        return
    for text in lines_of(file, 0, None):
        if text is not None and not text.isspace():
            yield from read_line(text, file.name).patients
