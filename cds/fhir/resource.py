"""What every resource has in common."""

from __future__ import annotations

import msgspec

from cds.fhir.datatypes import Meta, Reference


class Record(
    msgspec.Struct, frozen=True, gc=False, rename="camel", tag_field="resourceType", omit_defaults=True, kw_only=True
):
    """Base of the resources; the tag `resourceType` is the class name."""

    id: str | None = None
    meta: Meta | None = None


class NotOfOnePatient(Record, frozen=True, gc=False):
    """Resources that belong to no patient, and Patient itself."""

    @property
    def subject(self) -> Reference | None:
        return None
