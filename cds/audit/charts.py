"""Charts of some patients of a finished audit, from its shuffled records: for a picture of what a finding rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from cds.audit.compact import gather
from cds.audit.folder import RunFolder
from cds.audit.job import AuditError
from cds.audit.run import types_cut
from cds.audit.shuffle import Shuffled, part_of
from cds.evaluate import HookCall
from cds.intake.calls import call_of
from cds.intake.shared import with_shared
from cds.model import Hook

_AT_ONCE = 64 << 20


def charts_of(out: Path, patients: Sequence[str]) -> Iterator[tuple[str, HookCall]]:
    """(patient, call) of those of `patients` that were audited, as they were asked; reads only their partitions.

    In a replay the call is of the whole chart, at the hook `batch`. Raises AuditError where `out` holds no audit, or
    its records were removed (--clean).
    """
    folder = RunFolder(out)
    manifest = folder.read_manifest() if out.is_dir() else None
    if manifest is None:
        raise AuditError("there is no audit in this folder")
    if not (folder.work / "index.sqlite").exists():
        raise AuditError("the records of this audit were removed (--clean): run it again without")
    wanted: defaultdict[int, set[str]] = defaultdict(set)
    for patient in patients:
        wanted[part_of(patient, manifest.parts)].add(patient)
    cut = frozenset(types_cut(folder, manifest))
    rules = None if manifest.rules is None else tuple(manifest.rules)
    shuffled = Shuffled(folder.work)
    try:
        for part in sorted(wanted):
            for patient, rows in shuffled.patients(part, frozenset(wanted[part]), at_once=_AT_ONCE):
                gathered = gather(patient, rows)
                with_shared(gathered.reading, shuffled)
                hook = cast(Hook, manifest.hook)
                yield patient, call_of(gathered.reading, hook, read_whole=gathered.whole, cut=cut, families=rules)
    finally:
        shuffled.close()
