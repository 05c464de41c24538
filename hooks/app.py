"""The service as an ASGI application.

One request is decoded, evaluated and answered in one go in the worker's own thread: that takes a few milliseconds
of computing and waits for nothing, so a thread pool would only add latency. Only a request that has to be completed
from the client's FHIR server waits, in a thread of the pool.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cds.errors import HookRequestError
from cds.memory import InMemory, MemoryPort
from cds.settings import Settings
from hooks.address import base_url
from hooks.auth.replay import ReplayStores
from hooks.body import check_media_type, read_body
from hooks.cards import response_json
from hooks.clock import today_at
from hooks.discovery import BY_ID, SERVICES, discovery_document, keys_for
from hooks.education import HEADERS, index, page
from hooks.education import PATH as EDUCATION_PATH
from hooks.feedback import FeedbackDesk, KnownCards, read_feedback
from hooks.guard import Cors, LastResort
from hooks.kinds import KINDS
from hooks.metrics import Metrics
from hooks.observe import Observed, note, note_evaluation
from hooks.operations import Operations
from hooks.outcome import JSON, outcome
from hooks.reads.reader import Reader
from hooks.request import Received, read_request

if TYPE_CHECKING:
    from cds.evaluate import Evaluator, HookCall

log = logging.getLogger("psychmed.hooks")

_MESSAGES = {404: "there is no such address or service here", 405: "this method is not allowed here"}


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker keeps when its settings are reloaded: counters, cards of late, what was shown, used tokens."""

    metrics: Metrics = field(default_factory=Metrics)
    cards: KnownCards = field(default_factory=KnownCards)
    memory: MemoryPort = field(default_factory=InMemory)
    used_tokens: ReplayStores = field(default_factory=ReplayStores)


class Service:
    """The handlers, with what they share: settings and the evaluator."""

    def __init__(self, settings: Settings, evaluator: Evaluator, state: WorkerState) -> None:
        self.settings = settings
        self.evaluator = evaluator
        self.zone = settings.zone
        self.keys = {service.id: keys_for(service, evaluator.rules) for service in SERVICES}
        self.discovery = orjson.dumps(discovery_document(self.keys))
        self.metrics = state.metrics
        self.desk = FeedbackDesk(state.cards, state.metrics, state.memory if settings.memory == "process" else None)
        self.reader = Reader(settings.fhir) if settings.fhir.servers else None

    async def discover(self, request: Request) -> Response:
        """`GET /cds-services`."""
        del request
        return Response(self.discovery, media_type=JSON)

    async def call(self, request: Request) -> Response:
        """`POST /cds-services/{id}`."""
        service = BY_ID.get(request.path_params["id"])
        if service is None:
            raise HTTPException(404)
        check_media_type(request)
        body = await read_body(request, self.settings.max_body_bytes)
        deadline = time.monotonic() + self.settings.fhir.deadline_ms / 1000
        received = read_request(body, service.hook, may_read=self.reader is not None)
        hook_call = await self._with_reads(received, self.keys[service.id], deadline)
        today = today_at(self.zone, self.settings.today)
        evaluation = self.evaluator.evaluate(hook_call, today=today)
        answer = response_json(
            evaluation,
            hook_call,
            time_zone=self.settings.time_zone,
            today_pinned=self.settings.today is not None,
            base_url=base_url(self.settings, request.scope),
            selection=KINDS[received.hook].selection,
        )
        shown = [finding for finding in evaluation.findings if finding.disposition == "shown"]
        # The card for further items comes last, and is about no finding.
        self.desk.sent(answer["cards"][: len(shown)], shown, hook_call.patient_id, today)
        note_evaluation(request, self.metrics, evaluation, answer["cards"])
        return Response(orjson.dumps(answer), media_type=JSON)

    async def feedback(self, request: Request) -> Response:
        """`POST /cds-services/{id}/feedback`: 200 without a body, for cards we no longer know too."""
        if request.path_params["id"] not in BY_ID:
            raise HTTPException(404)
        check_media_type(request)
        outcomes = read_feedback(await read_body(request, self.settings.max_body_bytes))
        known = self.desk.take(outcomes, today=today_at(self.zone, self.settings.today), zone=self.zone)
        note(request, outcomes=len(outcomes), known_cards=known)
        return Response()

    async def _with_reads(self, received: Received, keys: Sequence[str], deadline: float) -> HookCall:
        """The call, with what was missing read from the client's FHIR server. A full prefetch waits for nothing."""
        if self.reader is None:
            return received.call
        plan = self.reader.plan(received.call, received.access, received.unfinished, keys)
        if plan is None:
            return received.call
        return await run_in_threadpool(self.reader.read, received.call, plan, deadline=deadline)

    async def education(self, request: Request) -> Response:
        """`GET /education` and `GET /education/{topic}`: pages for the patient."""
        topic = request.path_params.get("topic")
        html = index() if topic is None else page(topic)
        if html is None:
            raise HTTPException(404)
        return HTMLResponse(html, headers=HEADERS)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HookRequestError)
    return outcome(error.status, error.message)


async def _http_error(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return outcome(error.status_code, _MESSAGES.get(error.status_code, "the request failed"), error.headers)


def _token_check(settings: Settings, used: ReplayStores) -> list[Middleware]:
    if not settings.auth.clients:
        return []
    # Imported here: a service without clients needs no cryptography.
    from hooks.auth.authenticator import Authenticator
    from hooks.auth.middleware import RequireToken

    replay = used.of(settings.auth.replay_file, settings.auth.replay_entries)
    return [Middleware(RequireToken, authenticator=Authenticator(settings.auth, replay=replay), settings=settings)]


def build_app(settings: Settings, evaluator: Evaluator | None = None, state: WorkerState | None = None) -> Starlette:
    """The application. Without an evaluator it loads the rules and the engine that the settings name.

    state: of the application that this one takes over from; without it the worker starts anew.
    """
    state = state or WorkerState()
    if evaluator is None:
        from cds.evaluate import Evaluator as RealEvaluator

        evaluator = RealEvaluator(settings, memory=state.memory if settings.memory == "process" else None)
    for problem in evaluator.problems:
        log.warning("left out: %s", problem)
    service = Service(settings, evaluator, state)
    metrics = state.metrics

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        metrics.watch(service.evaluator.rules_version, service.evaluator.engine_name, service.evaluator.engine)
        metrics.save()
        yield
        if service.reader is not None:
            service.reader.close()
        service.evaluator.close()

    app = Starlette(
        routes=[
            Route("/cds-services", service.discover, methods=["GET"]),
            Route("/cds-services/{id}", service.call, methods=["POST"]),
            Route("/cds-services/{id}/feedback", service.feedback, methods=["POST"]),
            Route(EDUCATION_PATH, service.education, methods=["GET"]),
            Route(EDUCATION_PATH + "/{topic}", service.education, methods=["GET"]),
            *Operations(service.evaluator, metrics).routes(),
        ],
        # Observed sees every answer; Cors comes next, so that a browser can read the error of the last resort too.
        middleware=[
            Middleware(Observed, metrics=metrics, log_requests=settings.log_requests),
            Middleware(Cors, origins=settings.cors_origins),
            Middleware(LastResort),
            # A preflight has no token, so Cors answers it before anyone asks for one.
            *_token_check(settings, state.used_tokens),
        ],
        exception_handlers={HookRequestError: _refused, HTTPException: _http_error},
        lifespan=lifespan,
    )
    # A redirect is no answer to a hook, and its body would be empty.
    app.router.redirect_slashes = False
    return app
