"""Everything that was sent about one patient, read once: Bundles, single resources, wrappers, nulls.

Records of another patient are dropped and counted; one bad resource never costs the others; the order of entries never
changes the result. `entered-in-error` is kept: what counts is for the chart to say.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec

from cds.errors import HookRequestError
from cds.fhir import envelope
from cds.fhir.decode import UNREADABLE, Ignored, Raw, Repaired, patient_element, read_resource, type_name, type_of
from cds.fhir.envelope import Bundle, NestedBundle, NoResource, OperationOutcome, SearchState, Unread, worst
from cds.fhir.records import RESOURCE_TYPES, Appointment, MedicationRequest, NotOfOnePatient, Patient, Record, Resource
from cds.fhir.references import id_of, normalize_reference
from cds.findings import BadResource

__all__ = ["Reading", "SearchState", "Source", "normalize_reference"]

Source = Literal["prefetch", "context", "chart"]
_R = TypeVar("_R", bound=Record)

MAX_ENTRIES: Final = 100_000
_MAX_DEPTH: Final = 4

_any_json: Final = msgspec.json.Decoder(float_hook=str)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a resource stood. raw: its bytes, read only where they are needed."""

    where: str
    source: Source
    full_url: str | None
    raw: Callable[[], Raw | None]


class Reading:
    """The records of one patient, collected from as many parts as were sent; add prefetch before context.

    patient_id: with or without "Patient/". None: the first Patient read defines it, and without any Patient the one
    subject all records share.

    bad: resources that could not be read; bad_types: of which types, as far as they say. noted: elements left out of
    resources that were used. ignored: resources of types no rule reads. no_subject: resources used although they do not
    say whose they are. raws: the bytes of each MedicationRequest of the context, by "MedicationRequest/id".
    """

    def __init__(self, patient_id: str | None) -> None:
        self.patient_id: str | None = None
        self.raws: dict[str, bytes] = {}
        self.bad: list[BadResource] = []
        self.bad_types: set[str] = set()
        self.noted: list[BadResource] = []
        self.ignored: Counter[str] = Counter()
        self.no_subject = 0
        self._kept: defaultdict[type[Resource], dict[str, Resource]] = defaultdict(dict)
        self._nameless: list[Resource] = []
        self._of_context: set[tuple[type[Resource], str]] = set()
        self._urls: dict[str, str] = {}  # urn:uuid: of an entry -> Type/id
        self._mine: set[str] = set()  # texts known to mean this patient
        self._strangers: list[tuple[Resource, list[str], _Place]] = []
        self._other_patients = 0
        self._records: dict[str, list[Resource]] | None = None
        if patient_id:
            self._define(id_of(patient_id, "Patient"))

    def add(self, raw: Raw, where: str, *, source: Source) -> SearchState:
        """Read one prefetch value, one context element or one chart file.

        Takes a Bundle (typed or not, entries wrapped or not), a single resource, null, an OperationOutcome, a
        `{"resource", "response"}` wrapper, or a JSON array of any of these. Returns "damaged" at best when something in
        it could not be read: its absence is no evidence then. Raises HookRequestError 400 for a Patient or a draft of
        another patient in a request, and nothing else.
        """
        self._records = None
        if envelope.is_crowded(raw):
            self.bad.append(BadResource(where, "too many values"))
            return "failed"
        known_bad = len(self.bad)
        state = self._add(raw, where, source, depth=0)
        self._settle(source)
        return worst(state, "damaged") if len(self.bad) > known_bad else state

    def add_resource(self, raw: Raw, where: str, *, source: Source = "chart") -> None:
        """Read one resource that stands by itself, such as a line of an export: `add` without the wrappings."""
        self._records = None
        found = read_resource(raw, where)
        if isinstance(found, Record) and source != "context" and self._is_plain(found):
            return
        self._take(found, _Place(where, source, None, lambda: raw))
        self._settle(source)

    def add_record(self, record: Resource, where: str) -> None:
        """Take a record of a chart that was decoded before, such as a row of an audit."""
        self._records = None
        if not self._is_plain(record):
            self._sort_in(record, _Place(where, "chart", None, lambda: None))
            self._settle("chart")

    def _is_plain(self, record: Resource) -> bool:
        """Keep the common case, as in _add_bundle: of this patient, new, and known by nothing but its id."""
        subject, own = record.subject, record.id
        is_mine = subject is not None and subject.reference in self._mine
        return bool(is_mine and own and "/" not in own and self._kept[type(record)].setdefault(own, record) is record)

    @property
    def records(self) -> dict[str, list[Resource]]:
        """The records by resource type, sorted by id; types without a record are absent."""
        if self._records is None:
            self._adopt_only_subject()
            found: dict[str, list[Resource]] = {}
            for cls in sorted(self._kept, key=lambda cls: cls.__name__):
                if kept := self._kept[cls]:
                    found[cls.__name__] = [kept[own] for own in sorted(kept)]
            for record in sorted(self._nameless, key=msgspec.json.encode):
                found.setdefault(type(record).__name__, []).append(record)
            self._records = found
        return self._records

    def of(self, cls: type[_R]) -> list[_R]:
        """The records of one type: `reading.of(Encounter)`."""
        return self.records.get(cls.__name__, [])  # type: ignore[return-value]

    def with_records(self, records: Mapping[str, Sequence[Resource]]) -> Reading:
        """The same reading with these records in place of its own, by resource type: the chart at another time.

        References are located as here. What was counted on the way (bad, ignored ...) is shared; nothing is to be
        added to either reading afterwards.
        """
        other = copy.copy(self)
        other._records = {name: list(found) for name, found in records.items()}
        return other

    @property
    def other_patient(self) -> int:
        """How many resources were dropped because they are about somebody else."""
        self._adopt_only_subject()
        return len(self._strangers) + self._other_patients

    def locate(self, reference: str) -> str:
        """Return `Type/id` for any reference to a record held here, `urn:uuid:` included; else as normalized."""
        text = normalize_reference(reference)
        if not text.startswith("urn:"):
            return text
        if text not in self._urls:
            own = text.removeprefix("urn:uuid:")
            self._urls[text] = next((f"{c.__name__}/{own}" for c, kept in self._kept.items() if own in kept), text)
        return self._urls[text]

    # Taking apart ---------------------------------------------------------------------------------------------------

    def _add(self, raw: Raw, where: str, source: Source, *, depth: int, full_url: str | None = None) -> SearchState:
        first = envelope.starts_with(raw)
        if not first:
            return "absent"
        if envelope.is_null(raw):
            return "complete"
        try:
            if depth > _MAX_DEPTH:
                raise RecursionError
            if first == b"[":
                items = envelope.items_of(raw)
                state = self._too_many(len(items), where)
                for index, item in enumerate(items[:MAX_ENTRIES]):
                    state = worst(state, self._add(item, f"{where}[{index}]", source, depth=depth + 1))
                return state
            # Drafts are read entry by entry: their bytes are kept.
            if source != "context" and (bundle := _bundle(raw)) is not None:
                return self._add_bundle(bundle, raw, where, source, depth=depth)
            return self._add_object(raw, where, source, depth=depth, full_url=full_url)
        except UNREADABLE as error:
            deep = isinstance(error, RecursionError)
            self.bad.append(BadResource(where, "nested too deeply" if deep else "not readable as JSON"))
            return "failed"

    def _add_bundle(self, bundle: Bundle, raw: Raw, where: str, source: Source, *, depth: int) -> SearchState:
        """The fast way: every entry decoded already, most of them of this patient and new."""
        mine, kept = self._mine, self._kept
        raws = _RawEntries(raw)
        others = 0
        state = self._too_many(len(bundle.entry), where)
        for index, entry in enumerate(bundle.entry[:MAX_ENTRIES]):
            record: Any = entry.resource  # Resource or Unread; the types are told apart where it matters
            subject = record.subject
            search = entry.search
            if search is not None and search.mode in envelope.NOT_MATCHES:
                others += 1
            if entry.response is not None:
                state = worst(state, envelope.response_state(entry.response))
            url = entry.full_url
            # The common case, kept short: of this patient, new, and known by nothing but its id.
            if subject is not None and subject.reference in mine and (url is None or url[:1] == "h"):
                own = record.id
                if own and "/" not in own and kept[record.__class__].setdefault(own, record) is record:
                    continue
            place = _Place(f"{where}.entry[{index}]", source, url, lambda index=index: raws.resource(index))  # type: ignore[misc]
            state = worst(state, self._add_odd(record, place, raws, index, depth))
        has_next = any(link.relation == "next" for link in bundle.link)
        return worst(state, envelope.page_state(bundle.total, len(bundle.entry) - others, has_next=has_next))

    def _add_odd(
        self, record: Resource | Unread, place: _Place, raws: _RawEntries, index: int, depth: int
    ) -> SearchState:
        if not isinstance(record, Unread):
            self._sort_in(record, place)
        elif isinstance(record, OperationOutcome):
            return envelope.outcome_state(record, alone=False)
        elif isinstance(record, NoResource | NestedBundle):
            return self._add_entry(raws.entry(index), place.where, place.source, depth=depth)[0]
        else:
            self.ignored[record.resource_type] += 1
        return "complete"

    def _add_object(self, raw: Raw, where: str, source: Source, *, depth: int, full_url: str | None) -> SearchState:
        parts = envelope.parts_of(raw)
        resource_type = envelope.text_of(parts.get("resourceType"))
        if resource_type == "OperationOutcome":
            return envelope.outcome_state(envelope.read_outcome(raw), alone=True)
        if resource_type == "Bundle":
            return self._add_entries(parts, where, source, depth=depth)
        if resource_type is None and parts.keys() & {"resource", "response", "entry"}:
            state: SearchState = "complete"
            if "entry" in parts:
                state = self._add_entries(parts, where, source, depth=depth)
            return worst(state, self._add_wrapped(parts, where, source, depth=depth))
        self._take(read_resource(raw, where), _Place(where, source, full_url, lambda: raw))
        return "complete"

    def _add_entries(self, parts: dict[str, msgspec.Raw], where: str, source: Source, *, depth: int) -> SearchState:
        """The slow way, for a Bundle in which something does not fit: each entry by itself."""
        entries = envelope.items_of(parts["entry"]) if "entry" in parts else []
        state = self._too_many(len(entries), where)
        matches = 0
        for index, raw in enumerate(entries[:MAX_ENTRIES]):
            found, is_match = self._add_entry(raw, f"{where}.entry[{index}]", source, depth=depth)
            state = worst(state, found)
            matches += is_match
        return worst(state, envelope.read_page_state(parts, matches))

    def _add_entry(self, raw: Raw, where: str, source: Source, *, depth: int) -> tuple[SearchState, bool]:
        if envelope.is_null(raw):
            return "complete", False
        try:
            parts = envelope.parts_of(raw)
        except UNREADABLE:
            self.bad.append(BadResource(where, "the entry is not an object"))
            return "complete", False
        if "resource" not in parts and "resourceType" in parts:  # the resource stands unwrapped in `entry`
            return self._add(raw, where, source, depth=depth + 1), True
        state = self._add_wrapped(parts, where, source, depth=depth)
        return state, envelope.is_match(envelope.read_mode(parts.get("search")))

    def _add_wrapped(self, parts: dict[str, msgspec.Raw], where: str, source: Source, *, depth: int) -> SearchState:
        state = envelope.response_state(envelope.read_response(parts.get("response")))
        resource = parts.get("resource")
        if resource is None:
            return state
        kind = envelope.starts_with(resource)
        if kind == b"{" and envelope.text_of(envelope.parts_of(resource).get("resourceType")) == "OperationOutcome":
            return worst(state, envelope.outcome_state(envelope.read_outcome(resource), alone=False))
        url = envelope.text_of(parts.get("fullUrl"))
        return worst(state, self._add(resource, where, source, depth=depth + 1, full_url=url))

    def _too_many(self, count: int, where: str) -> SearchState:
        if count <= MAX_ENTRIES:
            return "complete"
        self.bad.append(BadResource(where, f"more than {MAX_ENTRIES} entries"))
        return "truncated"

    # Sorting in -----------------------------------------------------------------------------------------------------

    def _take(self, found: Resource | Repaired | Ignored | BadResource, place: _Place) -> None:
        if isinstance(found, BadResource):
            self.bad.append(found)
            if (name := _type_of(place)) is not None:
                self.bad_types.add(name)
        elif isinstance(found, Ignored):
            self.ignored[type_name(found.resource_type)] += 1
        elif isinstance(found, Repaired):
            self.noted += (BadResource(place.where, f"left out {reason}") for reason in found.dropped)
            self._sort_in(found.record, place)
        else:
            self._sort_in(found, place)

    def _sort_in(self, record: Resource, place: _Place) -> None:
        """Decide whose the record is, then keep it."""
        own_type = type(record).__name__
        if record.id and record.id.startswith(own_type + "/"):
            record = msgspec.structs.replace(record, id=id_of(record.id, own_type))
        if isinstance(record, Patient):
            self._sort_in_patient(record, place)
            return
        if isinstance(record, NotOfOnePatient):
            self._keep(record, place)
            return
        subjects = record.patients if isinstance(record, Appointment) else [record.subject]
        references = [subject.reference for subject in subjects if subject is not None and subject.reference]
        if not references:
            raw = place.raw()
            references = [own] if raw is not None and (own := patient_element(raw)) else []
        if not references:
            self.no_subject += 1
            self._keep(record, place)
        elif any(map(self._is_mine, references)):
            self._keep(record, place)
        else:
            self._strangers.append((record, references, place))

    def _sort_in_patient(self, record: Patient, place: _Place) -> None:
        if record.id and self.patient_id is None:
            self._define(record.id)
        if record.id and record.id != self.patient_id:
            if place.source != "chart":
                raise HookRequestError(400, "the request holds a Patient other than context.patientId")
            self._other_patients += 1
            return
        if place.full_url:
            self._mine.add(place.full_url)
        self._keep(record, place)

    def _define(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self._mine.update((f"Patient/{patient_id}", patient_id, f"urn:uuid:{patient_id}"))

    def _is_mine(self, reference: str) -> bool:
        if reference in self._mine:
            return True
        if normalize_reference(reference) in self._mine:
            self._mine.add(reference)
            return True
        return False

    def _settle(self, source: Source) -> None:
        """Look again at the records of nobody known: the Patient may have come after them, under another name."""
        waiting, self._strangers = self._strangers, []
        for record, references, place in waiting:
            if any(map(self._is_mine, references)):
                self._keep(record, place)
            elif place.source == source == "context" and self.patient_id is not None:
                raise HookRequestError(400, "the context holds a resource of a patient other than context.patientId")
            else:
                self._strangers.append((record, references, place))

    def _adopt_only_subject(self) -> None:
        if self.patient_id is not None or not self._strangers:
            return
        subjects = set[str].intersection(*({normalize_reference(r) for r in of} for _, of, _ in self._strangers))
        if len(subjects) == 1:
            self._define(id_of(subjects.pop(), "Patient"))
            self._settle("chart")

    def _keep(self, record: Resource, place: _Place) -> None:
        """Keep the record, or the better one of two with the same id: the context's, else the one changed last."""
        if place.full_url and place.full_url.startswith("urn:") and record.id:
            self._urls[place.full_url] = f"{type(record).__name__}/{record.id}"
        if not record.id:
            self._nameless.append(record)
            return
        key = (type(record), record.id)
        of_context = place.source == "context"
        old = self._kept[key[0]].get(key[1])
        if old is not None:
            if key in self._of_context and not of_context:
                return
            if (key in self._of_context) == of_context and _age(record) <= _age(old):
                return
        self._kept[key[0]][key[1]] = record
        if of_context:
            self._of_context.add(key)
            self._keep_bytes(record, place)

    def _keep_bytes(self, record: Resource, place: _Place) -> None:
        raw = place.raw()
        if raw is None or not isinstance(record, MedicationRequest):
            return
        reference = f"MedicationRequest/{record.id}"
        self.raws.pop(reference, None)
        try:
            _any_json.decode(raw)  # an update echoes the whole draft: also what no rule reads must be sound
        except UNREADABLE:
            return
        self.raws[reference] = bytes(raw)


class _RawEntries:
    """The bytes behind a decoded Bundle, split only when an entry asks for them."""

    def __init__(self, bundle: Raw) -> None:
        self._bundle = bundle
        self._entries: list[msgspec.Raw] | None = None

    def entry(self, index: int) -> Raw:
        if self._entries is None:
            self._entries = envelope.items_of(envelope.parts_of(self._bundle)["entry"])
        return self._entries[index]

    def resource(self, index: int) -> Raw | None:
        return envelope.parts_of(self.entry(index)).get("resource")


def _type_of(place: _Place) -> str | None:
    raw = place.raw()
    try:
        name = type_of(raw) if raw is not None else None
    except UNREADABLE:
        return None
    return name if name in RESOURCE_TYPES else None


def _bundle(raw: Raw) -> Bundle | None:
    try:
        found = envelope.bundle_decoder.decode(raw)
    except UNREADABLE:
        return None
    return found if isinstance(found, Bundle) else None


def _age(record: Resource) -> tuple[float, bytes]:
    """Order of two versions: by lastUpdated; without one, by content, so that the order sent does not matter."""
    text = record.meta.last_updated if record.meta is not None else None
    try:
        moment = dt.datetime.fromisoformat(text) if text else None
        changed = moment.timestamp() if moment is not None and moment.tzinfo is not None else 0.0
    except (ValueError, OverflowError):
        changed = 0.0
    return changed, msgspec.json.encode(record)
