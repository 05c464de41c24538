"""What resources come wrapped in: Bundles, batch responses, and what they say about the search.

Most Bundles are decoded in one pass with every resource in place. Types no rule reads are known by name and cost no
more than skipping their bytes; a Bundle that does not fit at the first attempt is taken apart entry by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, Union

import msgspec

from cds.fhir.decode import UNREADABLE, Raw
from cds.fhir.records import RESOURCE_TYPES, Resource

# damaged: the search was read to its end, but some of what it found could not be read.
# out-of-scope: nobody looked, because the token handed over does not reach that type.
SearchState = Literal["complete", "absent", "out-of-scope", "failed", "truncated", "damaged"]

_WORST_LAST: Final[tuple[SearchState, ...]] = (
    "absent", "out-of-scope", "complete", "damaged", "truncated", "failed",
)  # fmt: skip

# Issue types with which a server says that a search left something out, though it answered.
_LEFT_OUT: Final = frozenset({"incomplete", "timeout", "throttled", "too-costly", "transient"})
NOT_MATCHES: Final = frozenset({"include", "outcome"})

# Real charts have an object in about 35 bytes: half a million in the 16 MiB of the largest request.
_SMALL: Final = 4 << 20
_MAX_OBJECTS: Final = 1_000_000

_OLDER_TYPES: Final = "MedicationOrder DiagnosticOrder ProcedureRequest ReferralRequest"
_R4_TYPES: Final = """
Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary
BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest
CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement
DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest
EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization
ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List
Location Measure MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication
MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition
MessageHeader MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person
PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment
RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition
StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein
SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task
TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription
"""


class Unread(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType"):
    """A resource of a type no rule reads: nothing of it is kept."""

    @property
    def subject(self) -> None:
        return None

    @property
    def resource_type(self) -> str:
        return str(self.__struct_config__.tag)


class Issue(msgspec.Struct, frozen=True, gc=False):
    severity: str | None = None
    code: str | None = None


class OperationOutcome(Unread, frozen=True, gc=False, tag="OperationOutcome"):
    issue: tuple[Issue, ...] = ()


class NestedBundle(Unread, frozen=True, gc=False, tag="Bundle"):
    """A Bundle as an entry of a Bundle, as batch responses have it; read from its bytes."""


class NoResource(Unread, frozen=True, gc=False):
    """An entry without `resource`: a bare response, or a resource that stands unwrapped."""


_UNREAD: Final = tuple(
    msgspec.defstruct(name, (), bases=(Unread,), tag=name, tag_field="resourceType", frozen=True, gc=False)
    for name in f"{_R4_TYPES} {_OLDER_TYPES}".split()
    if name not in RESOURCE_TYPES and name not in ("Bundle", "OperationOutcome")
)

if TYPE_CHECKING:
    Entered: TypeAlias = Resource | Unread
else:
    Entered = Union[(*RESOURCE_TYPES.values(), OperationOutcome, NestedBundle, *_UNREAD)]


class Link(msgspec.Struct, frozen=True, gc=False):
    relation: str | None = None


class Search(msgspec.Struct, frozen=True, gc=False):
    mode: str | None = None


class Response(msgspec.Struct, frozen=True, gc=False):
    status: str | None = None
    outcome: OperationOutcome | None = None


class Entry(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    full_url: str | None = None
    resource: Entered = NoResource()
    search: Search | None = None
    response: Response | None = None


class Bundle(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType"):
    entry: tuple[Entry, ...] = ()
    link: tuple[Link, ...] = ()
    total: int | None = None


# A union, because a single Struct would also take an object without resourceType.
bundle_decoder: Final[msgspec.json.Decoder[Bundle | OperationOutcome]] = msgspec.json.Decoder(Bundle | OperationOutcome)
_parts: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items: Final = msgspec.json.Decoder(list[msgspec.Raw])


def starts_with(raw: Raw) -> bytes:
    """Return the first byte that is not white space: `{`, `[`, `n` for null, or nothing for an empty text."""
    return bytes(memoryview(raw)[:64]).lstrip()[:1] or bytes(raw).lstrip()[:1]


def is_null(raw: Raw) -> bool:
    return starts_with(raw) == b"n" and bytes(raw).strip() == b"null"


def is_crowded(raw: Raw) -> bool:
    """True for a text that would become far more Python objects than any chart of its size does."""
    if len(raw) <= _SMALL:
        return False
    text = bytes(raw)
    return text.count(b"{") > _MAX_OBJECTS or text.count(b",") > 4 * _MAX_OBJECTS


def parts_of(raw: Raw) -> dict[str, msgspec.Raw]:
    """Return the members of a JSON object undecoded; raises one of UNREADABLE."""
    return _parts.decode(raw)


def items_of(raw: Raw) -> list[msgspec.Raw]:
    """Return the members of a JSON array undecoded; a single object counts as a list of one, null as none."""
    if starts_with(raw) == b"[":
        return _items.decode(raw)
    return [msgspec.Raw(bytes(raw))] if starts_with(raw) == b"{" else []


def text_of(raw: Raw | None) -> str | None:
    """Return a JSON text, or None for anything else."""
    text: str | None = _lenient(raw, str)
    return text


def worst(*states: SearchState) -> SearchState:
    return max(states, key=_WORST_LAST.index, default="complete")


def outcome_state(outcome: OperationOutcome, *, alone: bool) -> SearchState:
    """Return what an OperationOutcome says of its search.

    alone: it stands in place of the answer, which then failed. Beside matches, a warning ("no results", "only what you
    may see") does not undo them, unless it says that something was left out.
    """
    if alone or not outcome.issue or any(issue.severity not in ("warning", "information") for issue in outcome.issue):
        return "failed"
    return "truncated" if any(issue.code in _LEFT_OUT for issue in outcome.issue) else "complete"


def response_state(response: Response | None) -> SearchState:
    """Return what `entry.response` says: failed from HTTP 400 on, else by its outcome."""
    if response is None:
        return "complete"
    if response.status is not None and response.status.strip()[:1] in ("4", "5"):
        return "failed"
    return outcome_state(response.outcome, alone=False) if response.outcome is not None else "complete"


def page_state(total: int | None, matches: int, *, has_next: bool) -> SearchState:
    return "truncated" if has_next or (total is not None and total > matches) else "complete"


def is_match(mode: str | None) -> bool:
    return mode not in NOT_MATCHES


def read_response(raw: Raw | None) -> Response | None:
    """Read `response` of an entry or wrapper, however odd."""
    found: Response | None = _lenient(raw, Response)
    if found is not None or raw is None:
        return found
    status = _lenient_parts(raw).get("status")
    return Response(
        status=text_of(status) or (bytes(status).decode("ascii", "replace") if status is not None else None)
    )


def read_mode(raw: Raw | None) -> str | None:
    found: Search | None = _lenient(raw, Search)
    return found.mode if found is not None else None


def read_outcome(raw: Raw) -> OperationOutcome:
    """Read an OperationOutcome; one that cannot be read has no issues, which counts as failed."""
    return _lenient(raw, OperationOutcome) or OperationOutcome()


def read_page_state(parts: dict[str, msgspec.Raw], matches: int) -> SearchState:
    """Return the page state of a Bundle taken apart; `total` may be text, `link` a single object."""
    total: int | None = _lenient(parts.get("total"), int, strict=False)
    links = items_of(parts["link"]) if "link" in parts else []
    has_next = any((_lenient(link, Link) or Link()).relation == "next" for link in links)
    return page_state(total, matches, has_next=has_next)


def _lenient_parts(raw: Raw) -> dict[str, msgspec.Raw]:
    try:
        return parts_of(raw)
    except UNREADABLE:
        return {}


def _lenient(raw: Raw | None, of: Any, *, strict: bool = True) -> Any:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=of, strict=strict)
    except UNREADABLE:
        return None
