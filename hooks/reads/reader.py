"""The reads of one call: side by side, within one deadline, merged into what the request brought.

What could not be read becomes the state of its search, which rules and cards know already:
  complete      read to its end
  truncated     begun and not read to its end: pages, bytes or time ran out, or the token sees only a part
  failed        an error, a refusal (401, 403), nothing in time, or no searchset
  absent        the server has no such search (404, 405, 410, 501): as in an EHR without dispenses
  out-of-scope  the token does not reach the type; it was not asked for
"""

from __future__ import annotations

import concurrent.futures
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from cds.errors import HookRequestError
from cds.evaluate import HookCall
from cds.fhir import envelope
from cds.fhir.reading import Reading, SearchState
from cds.fhir.records import Patient
from cds.settings import FhirSettings
from hooks.reads.access import Access
from hooks.reads.client import Allowance, FhirClient, NoAnswer
from hooks.reads.guard import Guard, NotAllowed
from hooks.reads.pages import Page, is_whole, read_page
from hooks.reads.plan import Plan, Search, Unfinished, missing_medications, plan_reads
from hooks.version import FHIR_VERSION, records_are_other

log = logging.getLogger("psychmed.hooks.reads")

_NOT_OFFERED = frozenset({404, 405, 410, 501})


@dataclass(slots=True)
class _Found:
    """What a search has brought so far; its own thread fills it, and it is read when that thread or the time is over.

    problem: why it is not all there is; None once it is.
    """

    pages: list[Page] = field(default_factory=list)
    single: bytes | None = None
    problem: str | None = "not in time"
    status: int = 0


class Reader:
    """Reads for all calls of a worker process, with its threads and connections."""

    def __init__(self, settings: FhirSettings) -> None:
        self._settings = settings
        self._guard = Guard(settings.servers)
        self._client = FhirClient(self._guard, threads=settings.threads, ca_file=settings.ca_file)
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="fhir-read")

    def close(self) -> None:
        """Begin no more reads; what runs ends at its own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def plan(
        self, call: HookCall, access: Access | None, unfinished: Sequence[Unfinished], keys: Iterable[str]
    ) -> Plan | None:
        """What to read for this call; None when nothing is missing or nobody may be asked."""
        if access is None or call.undecidable is not None:
            return None
        try:
            base = self._guard.base(access.server)
        except NotAllowed as error:
            log.warning("FHIR reads refused: %s", error)
            return None
        return plan_reads(call, access, base, unfinished, keys)

    def read(self, call: HookCall, plan: Plan, *, deadline: float) -> HookCall:
        """Read what the plan names and return the call with it. Blocks until the deadline at most; never raises.

        deadline: on the monotonic clock. What arrives after it is not used, so that an answer can be given in time.
        """
        allowance = Allowance(deadline, self._settings.max_bytes)
        problems: Counter[str] = Counter()
        states: Mapping[str, SearchState] = call.searches
        try:
            # Medicines known by reference go with the searches: the drafts' must not wait for a search that is silent.
            founds = [_Found() for _ in plan.searches]
            searches = [
                self._threads.submit(self._run, search, plan, found, allowance)
                for search, found in zip(plan.searches, founds, strict=True)
            ]
            asked = missing_medications(call, plan.base)[: self._settings.medications] if plan.medications else ()
            medications = self._ask_medications(asked, plan, allowance)
            self._wait([*searches, *medications], allowance)
            states = _merge_searches(call, plan, founds, problems)
            _merge_medications(call, medications, problems)
            if plan.medications and "HTTP 401" not in problems:
                further = [own for own in missing_medications(call, plan.base) if own not in asked]
                most = self._settings.medications - len(asked)
                if len(further) > most:
                    problems["more Medication references than are read"] += 1
                medications = self._ask_medications(further[:most], plan, allowance)
                self._wait(medications, allowance)
                _merge_medications(call, medications, problems)
        except Exception as error:
            # Reading more is worth less than an answer from what was sent.
            problems[type(error).__name__] += 1
        finally:
            allowance.stop()
        if problems:
            # Kinds of failure and how often; neither addresses nor anything of the patient.
            log.warning("FHIR reads: %s", ", ".join(f"{why} x{n}" for why, n in sorted(problems.items())))
        bad = call.reading.bad_types
        states = {t: envelope.worst(s, "damaged") if t in bad else s for t, s in states.items()}
        return replace(
            call, searches=states, undecidable=FHIR_VERSION if records_are_other(call.reading.ignored) else None
        )

    def _run(self, search: Search, plan: Plan, found: _Found, allowance: Allowance) -> None:
        """One search with its pages, in a thread of its own."""
        url: str | None = search.url
        asked: set[str] = set()
        try:
            while url is not None and len(asked) < self._settings.pages:
                if search.begun is not None or asked:
                    url = self._guard.same_server(url, plan.base)
                if url in asked:
                    raise NoAnswer("pages that go in a circle")
                asked.add(url)
                body = self._client.get(url, plan.access.token, allowance)
                if search.is_one_resource:
                    found.single = body
                    found.problem = None
                    return
                page = read_page(body)
                if page is None:
                    raise NoAnswer("an answer that is no searchset")
                found.pages.append(page)
                url = page.next
            if url is not None:
                raise NoAnswer("more pages than are read")
            found.problem = None
        except NoAnswer as problem:
            found.status = problem.status
            found.problem = str(problem)
        except NotAllowed as refusal:
            found.problem = str(refusal)
        except Exception as error:
            found.problem = type(error).__name__

    def _ask_medications(self, references: Sequence[str], plan: Plan, allowance: Allowance) -> list[Future[bytes]]:
        return [
            self._threads.submit(self._client.get, f"{plan.base.url}/{reference}", plan.access.token, allowance)
            for reference in references
        ]

    def _wait(self, reads: Sequence[Future[Any]], allowance: Allowance) -> None:
        """Wait for the reads, or for the deadline; then end those that still run."""
        try:
            seconds = allowance.seconds()
        except NoAnswer:
            seconds = 0.0
        _, late = concurrent.futures.wait(reads, timeout=seconds)
        if late:
            for read in late:
                read.cancel()
            allowance.stop()


def _merge_searches(
    call: HookCall, plan: Plan, founds: Sequence[_Found], problems: Counter[str]
) -> dict[str, SearchState]:
    """Hand over what the searches found, in the order of the plan; return the states of all searches of the call."""
    states: dict[str, SearchState] = {**call.searches, **plan.states}
    for search, found in zip(plan.searches, founds, strict=True):
        problem = found.problem
        state = _merge(search, found, call.reading)
        if problem is not None or state == "failed":
            problems[problem or "an answer that says it failed"] += 1
        states[search.resource_type] = envelope.worst(states.get(search.resource_type, "absent"), state)
    return states


def _merge_medications(call: HookCall, reads: Sequence[Future[bytes]], problems: Counter[str]) -> None:
    """Hand over the medicines that were read; one that could not be read stays unidentified."""
    for read in reads:
        problem = _problem(read)
        if problem is not None:
            problems[problem] += 1
        else:
            _add(call.reading, read.result(), "read.medications")


def _problem(read: Future[bytes]) -> str | None:
    if not read.done() or read.cancelled():
        return "not in time"
    error = read.exception()
    return None if error is None else str(error) if isinstance(error, NoAnswer) else type(error).__name__


def _merge(search: Search, found: _Found, reading: Reading) -> SearchState:
    """Hand over what was found; return what became of the search."""
    if search.is_one_resource:
        if found.single is None:
            return "absent" if found.status in _NOT_OFFERED else "failed"
        state = _add(reading, found.single, f"read.{search.key}")
        return state if reading.of(Patient) else "failed"
    pages = tuple(found.pages)  # a thread that is late may still add one
    states = [_add(reading, page.body, f"read.{search.key}[{n}]") for n, page in enumerate(pages)]
    if search.begun is not None:
        states.append(search.begun.state)
        pages = (search.begun.page, *pages)
    if not pages:
        return "absent" if found.status in _NOT_OFFERED else "failed"
    state = envelope.worst("complete", *states)
    return state if is_whole(pages) and not search.partly else envelope.worst(state, "truncated")


def _add(reading: Reading, raw: bytes, where: str) -> SearchState:
    try:
        state = reading.add(raw, where, source="prefetch")
    except HookRequestError:
        # The server's mistake and not the client's: it answered with another patient.
        return "failed"
    return "failed" if state == "absent" else state
