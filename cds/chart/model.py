"""House records of one chart. Days are proleptic ordinals; `None` is "not recorded", never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from cds.dates import Day
from cds.drugs.dose import DoseStep
from cds.drugs.model import Medication
from cds.fhir.reading import SearchState
from cds.findings import BadResource

Setting = Literal["outpatient", "discharge", "inpatient"]
Progress = Literal["current", "paused", "ended", "stopped", "cancelled"]
CountedIn = Literal["unit", "mL"]
OrderRole = Literal["chart", "draft", "discharge"]


@dataclass(frozen=True, slots=True)
class Order:
    """A MedicationRequest: of the chart, or a draft of the hook's context.

    start: latest of authoredOn, validity start and bounds start (a "do not fill until" script starts then).
    end: an explicit end (bounds period), or the day a stop was recorded. end_is_last_update: the end is only the day
    the record last changed, the latest it can have been. days_per_fill: as stated, or quantity over units a day; None
    when neither can be had. quantity_unit: None for a quantity that counts neither pieces nor mL.
    ended_by_call: a stop of the same call, or a draft of the call that names this order as its prior one.
    replaced_by: the order, charted or draft, that names this one as its prior one.
    unknown_reason: it states a reason that the condition table does not know.
    valid_from: start of the validity period ("do not fill until"), which a draft's start does not take in (10.5).
    """

    ref: str
    medication: Medication
    role: OrderRole
    progress: Progress
    setting: Setting
    authored: Day | None
    start: Day | None
    end: Day | None
    end_is_last_update: bool
    steps: tuple[DoseStep, ...]
    days_per_fill: int | None
    quantity: Decimal | None
    quantity_unit: CountedIn | None
    refills: int
    requester: str | None
    prior: str | None
    encounter: str | None
    reasons: frozenset[str]
    stop_reasons: frozenset[str]
    emergency: bool
    last_updated: Day | None
    ended_by_call: bool = False
    replaced_by: str | None = None
    unknown_reason: bool = False
    valid_from: Day | None = None

    @property
    def authorised_days(self) -> int | None:
        """Days per fill times fills; None when the days of a fill are not known."""
        return None if self.days_per_fill is None else self.days_per_fill * (1 + self.refills)

    @property
    def open(self) -> bool:
        """In force, and neither stopped nor replaced by the call or by a later order."""
        return self.progress == "current" and not self.ended_by_call and self.replaced_by is None


@dataclass(frozen=True, slots=True)
class Fill:
    """A MedicationDispense that reached the patient.

    request: the order that it names, if any. prescription: the number of a prescription that is named without its
    order; pharmacy: who handed it over, by reference. The two tell prescriptions apart where no order is named (10.21).
    """

    ref: str
    medication: Medication
    start: Day
    days: int | None
    steps: tuple[DoseStep, ...]
    request: str | None
    setting: Setting = "outpatient"
    quantity: Decimal | None = None
    quantity_unit: CountedIn | None = None
    prescription: str | None = None
    pharmacy: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A MedicationStatement. taken False: the patient says that it is not taken.

    dated: start comes from an effectivePeriod, not from a single dateTime. mentioned: latest day, not after today, on
    which it speaks of the drug.
    """

    ref: str
    medication: Medication
    taken: bool
    current: bool
    start: Day | None
    end: Day | None
    steps: tuple[DoseStep, ...]
    dated: bool = True
    mentioned: Day | None = None
    stop_reasons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Administration:
    """A dose that staff gave, on each day from start to end. steps: what was given on one of these days."""

    ref: str
    medication: Medication
    start: Day
    end: Day
    steps: tuple[DoseStep, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """An Encounter. kind "contact": in person, by video, at home or by telephone, with a clinician if any is named.

    prescriber: somebody who may prescribe took part. mental_health: specialty, place or diagnosis is of mental health.
    principal: kind of the principal diagnosis; destination: where the patient went; both of stays and emergency visits.
    disposition: where the patient went from it, as a code of HL7's discharge-disposition ("home", "other-hcf").
    """

    ref: str
    kind: Literal["contact", "emergency", "inpatient", "other"]
    start: Day
    end: Day | None
    in_progress: bool
    prescriber: bool | None = None
    mental_health: bool | None = None
    principal: Literal["mental-disorder", "self-harm", "other"] | None = None
    destination: Literal["home", "facility", "hospice", "died"] | None = None
    disposition: str | None = None


@dataclass(frozen=True, slots=True)
class Care:
    """Hospice or palliative care, named by an encounter (type, reason, discharge) or ordered. day: its last day."""

    ref: str
    name: Literal["hospice", "palliative"]
    day: Day


@dataclass(frozen=True, slots=True)
class Booking:
    """A future visit: an Appointment, a planned Encounter, or a follow-up request. day None: undated.

    mental_health: of mental health by specialty, clinician or reason; None where the record does not say.
    """

    ref: str
    day: Day | None
    encounter: str | None
    created: Day | None
    mental_health: bool | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A Condition that counts (1.8). groups: keys of the condition table. day: onset, else recorded."""

    ref: str
    groups: frozenset[str]
    day: Day | None
    active: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A scored scale or laboratory value: `name` as in the observation table ("phq9", "phq9-item9", "cssrs").

    high: above the reference range, as the laboratory flagged it or by the range it stated; None: neither is there.
    """

    ref: str
    name: str
    value: Decimal
    day: Day
    high: bool | None = None


@dataclass(frozen=True, slots=True)
class Intolerance:
    """An allergy or adverse event that names a drug."""

    ref: str
    ingredients: frozenset[str]
    moieties: frozenset[str]


@dataclass(frozen=True, slots=True)
class Memory:
    """What an earlier call said, or a clinician answered: a card that was shown, or overridden for a reason.

    spec: "B-02". key: what the card was about (class group or ingredient). reason: code of an override reason.
    """

    spec: str
    key: str
    kind: Literal["shown", "override"]
    reason: str | None
    day: Day


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the rules may know of one patient on one day.

    searches: state of the search for each FHIR type, "absent" when nobody looked; a type that was read whole is
    "complete". earliest, latest: first and last day up to today on which anything was recorded here; what a patient
    reports of earlier years (an onset, a drug "since 2015") is not. drugs: how many medications were identified, and
    how not. sex: as the record has it. memory: what earlier calls showed, and what was answered.
    """

    patient: str
    today: Day
    birth: str | None
    deceased: bool
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    statements: tuple[Statement, ...] = ()
    administrations: tuple[Administration, ...] = ()
    visits: tuple[Visit, ...] = ()
    care: tuple[Care, ...] = ()
    bookings: tuple[Booking, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    results: tuple[Result, ...] = ()
    intolerances: tuple[Intolerance, ...] = ()
    reviews: tuple[Day, ...] = ()
    encounter: str | None = None
    discharge_list_known: bool = True
    searches: Mapping[str, SearchState] = field(default_factory=dict)
    earliest: Day | None = None
    unidentified: tuple[str, ...] = ()
    drugs: Mapping[str, int] = field(default_factory=dict)
    unusable: tuple[BadResource, ...] = ()
    memory: tuple[Memory, ...] = ()
    sex: str | None = None
    latest: Day | None = None

    def searched(self, resource_type: str) -> bool:
        """True when absence of this type is evidence: the search succeeded and was read to its end."""
        return self.searches.get(resource_type) == "complete"
