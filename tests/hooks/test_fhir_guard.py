"""Which addresses may be asked, which names are resolved and when, and which FHIR version a request speaks."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cds.errors import HookRequestError
from cds.model import Hook
from cds.settings import FhirServer, FhirSettings, SettingsError, load_settings
from hooks.reads.access import Access
from hooks.reads.client import Allowance, FhirClient, NoAnswer
from hooks.reads.guard import Guard, NotAllowed, may_connect
from hooks.request import read_request
from tests.hooks.fhir_server import fhir_server

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        (PUBLIC, True, True),
        ("2606:2800:220:1::1", True, True),
        ("127.0.0.1", False, True),
        ("127.8.8.8", False, True),
        ("::1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.0.1", False, True),
        ("172.16.0.1", False, True),
        ("100.64.0.1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("64:ff9b::7f00:1", False, True),
        ("2002:7f00:1::", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("240.0.0.1", False, False),
    ],
)
def test_addresses_that_may_be_connected_to(address: str, public: bool, private: bool) -> None:
    assert may_connect(address, private=False) == public
    assert may_connect(address, private=True) == private


class Names:
    """A resolver under our control: each look-up of a name takes the next answer; addresses pass through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.looked_up = 0
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
            if host != "fhir.example.org":
                return real(host, *arguments, **options)
            self.looked_up += 1
            return [entry for a in self.answers.pop(0) for entry in real(a, *arguments, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def get(server: FhirServer, port: int) -> bytes:
    client = FhirClient(Guard([server]), threads=2)
    try:
        return client.get(
            f"http://fhir.example.org:{port}/fhir/Patient/p1", "t", Allowance(time.monotonic() + 2, 10**6)
        )
    finally:
        client.close()


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fhir_server() as fhir:
        fhir.add({"resourceType": "Patient", "id": "p1"})
        names = Names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
        server = FhirServer(host=f"fhir.example.org:{fhir.port}", plain_http=True, private=True)
        assert json.loads(get(server, fhir.port))["id"] == "p1"
        assert names.looked_up == 1


@pytest.mark.parametrize("answer", [["127.0.0.1"], [PUBLIC, "127.0.0.1"]], ids=["inside", "outside and inside"])
def test_a_name_that_leads_inside_is_not_connected_to(monkeypatch: pytest.MonkeyPatch, answer: list[str]) -> None:
    with fhir_server() as fhir:
        names = Names(monkeypatch, answer)
        with pytest.raises(NoAnswer):
            get(FhirServer(host=f"fhir.example.org:{fhir.port}", plain_http=True), fhir.port)
        assert names.looked_up == 1
        assert fhir.asked == []


def test_a_client_connects_to_no_host_that_is_not_listed_whatever_it_is_told() -> None:
    with fhir_server() as fhir:
        client = FhirClient(Guard([FhirServer(host="fhir.example.org", private=True)]), threads=1)
        with pytest.raises(NoAnswer):
            client.get(f"{fhir.url}/Patient/p1", "t", Allowance(time.monotonic() + 2, 10**6))
        client.close()
        assert fhir.asked == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with fhir_server() as fhir, fhir_server() as proxy:
        fhir.add({"resourceType": "Patient", "id": "p1"})
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        host = f"127.0.0.1:{fhir.port}"
        client = FhirClient(Guard([FhirServer(host=host, plain_http=True, private=True)]), threads=1)
        client.get(f"{fhir.url}/Patient/p1", "t", Allowance(time.monotonic() + 2, 10**6))
        client.close()
        assert proxy.asked == []


@pytest.mark.parametrize("behaviour", ["huge", "huge-announced"])
def test_an_answer_ends_at_the_bound_of_bytes_however_much_time_there_is(behaviour: str) -> None:
    with fhir_server() as fhir:
        fhir.behave = {"Condition": behaviour}
        host = f"127.0.0.1:{fhir.port}"
        client = FhirClient(Guard([FhirServer(host=host, plain_http=True, private=True)]), threads=1)
        begun = time.monotonic()
        with pytest.raises(NoAnswer) as caught:
            client.get(f"{fhir.url}/Condition", "t", Allowance(begun + 20, 300_000))
        client.close()
        assert behaviour == "huge-announced" or str(caught.value) == "too many bytes"
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("pooled", [False, True], ids=["a new connection", "a pooled connection"])
@pytest.mark.parametrize("behaviour", ["drip", "drip-headers", "drip-and-close", "silent"])
def test_a_read_under_way_ends_when_it_is_stopped(behaviour: str, pooled: bool) -> None:
    # The server ends first, so that a read that was not stopped fails the test and does not hang it.
    with ThreadPoolExecutor(1) as threads, fhir_server() as fhir:
        host = f"127.0.0.1:{fhir.port}"
        client = FhirClient(Guard([FhirServer(host=host, plain_http=True, private=True)]), threads=1)
        if pooled:
            client.get(f"{fhir.url}/Condition", "t", Allowance(time.monotonic() + 20, 10**6))
            fhir.asked.clear()
        fhir.behave = {"Condition": behaviour}
        allowance = Allowance(time.monotonic() + 20, 10**9)
        reading = threads.submit(client.get, f"{fhir.url}/Condition", "t", allowance)
        while not fhir.asked:
            time.sleep(0.01)
        time.sleep(0.2)
        allowance.stop()
        with pytest.raises(NoAnswer, match="not in time"):
            reading.result(5)
        client.close()


def test_the_bytes_of_all_reads_of_a_call_count_together() -> None:
    allowance = Allowance(time.monotonic() + 20, 100)
    allowance.spend(60)
    with pytest.raises(NoAnswer):
        allowance.spend(60)


def test_a_port_that_is_the_schemes_own_need_not_be_written() -> None:
    guard = Guard([FhirServer(host="EHR.example.org"), FhirServer(host="other.example.org:443")])
    assert guard.base("https://ehr.example.org:443/fhir/").url == "https://ehr.example.org/fhir"
    assert guard.base("HTTPS://Other.Example.org").url == "https://other.example.org"
    for refused in ("https://ehr.example.org:8443/fhir", "http://ehr.example.org/fhir", "https://example.org/fhir"):
        with pytest.raises(NotAllowed):
            guard.base(refused)


def test_a_refusal_never_repeats_the_address() -> None:
    with pytest.raises(NotAllowed) as caught:
        Guard([]).base("https://secret.example.org/Patient/zebulon")
    assert "secret" not in str(caught.value)
    assert "zebulon" not in str(caught.value)


def test_a_token_is_in_no_representation() -> None:
    assert "hush" not in repr(Access("https://ehr.example.org", "hush"))


@pytest.mark.parametrize(
    "host", ["https://ehr.example.org", "ehr.example.org/fhir", "", "a b", "u@h", "h:99999", "h:0"]
)
def test_a_server_that_is_no_host_is_refused_with_what_to_write(host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, time_zone="UTC", fhir={"servers": [host]})
    assert "fhir.servers.0" in str(caught.value)
    assert "host" in str(caught.value)


def test_the_documented_example_of_servers_is_valid(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "running.md").read_text("utf-8")
    (example,) = (part.split("```")[0] for part in text.split("```yaml\n") if part.startswith("fhir:"))
    path = tmp_path / "site.yaml"
    path.write_text(f"time_zone: UTC\n{example}", encoding="utf-8")
    servers = load_settings(path).fhir.servers
    assert [server.private for server in servers] == [False, True]
    assert not any(server.plain_http for server in servers)


def test_every_fhir_setting_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "running.md").read_text("utf-8")
    for name in FhirSettings.model_fields:
        assert f"| `{name}` |" in text


# FHIR versions -------------------------------------------------------------------------------------------------------

DRAFT = {"resourceType": "MedicationRequest", "id": "d1", "subject": {"reference": "Patient/p1"}}
STATEMENT = {"resourceType": "MedicationStatement", "id": "s1", "subject": {"reference": "Patient/p1"}}


def undecidable(hook: Hook = "order-sign", draft: Any = None, prefetch: Any = None, **fields: Any) -> str | None:
    request = {
        "hook": hook,
        "hookInstance": "x",
        "context": {"patientId": "p1", "draftOrders": {"entry": [{"resource": draft or DRAFT}]}},
        "prefetch": prefetch or {},
        **fields,
    }
    return read_request(json.dumps(request).encode(), hook, may_read=False).call.undecidable


@pytest.mark.parametrize(
    "server",
    [
        "http://hapi.example.org/baseDstu3",
        "https://ehr.example.org/api/FHIR/DSTU2/",
        "https://ehr.example.org/api/FHIR/STU3",
        "https://ehr.example.org/v/r3/fhir",
        "https://ehr.example.org/fhir/r2",
        "https://hapi.example.org/baseR5",
    ],
)
def test_a_server_of_another_version_is_told_by_its_path(server: str) -> None:
    assert undecidable(fhirServer=server) == "fhir-version"


@pytest.mark.parametrize(
    "server",
    [
        "https://ehr.example.org/api/FHIR/R4",
        "https://hapi.example.org/baseR4",
        "https://r3.example.org/fhir",
        "https://ehr.example.org/region/r3/data",
        "https://ehr.example.org/dstu2-archive/fhir/R4",
        "not a url",
        None,
        5,
    ],
)
def test_a_server_of_r4_or_of_nothing_known_is_r4(server: Any) -> None:
    assert undecidable(fhirServer=server) is None


@pytest.mark.parametrize(
    "draft",
    [
        {"resourceType": "MedicationOrder", "id": "d1", "patient": {"reference": "Patient/p1"}},
        {"resourceType": "ProcedureRequest", "id": "d1", "subject": {"reference": "Patient/p1"}},
        DRAFT | {"requester": {"onBehalfOf": "x", "agent": {"reference": "Practitioner/1"}}},
        DRAFT | {"medication": {"concept": {"text": "sertraline"}}},
        DRAFT | {"medication": {"reference": {"reference": "Medication/1"}}},
    ],
)
def test_a_draft_of_another_version_is_told(draft: dict[str, Any]) -> None:
    assert undecidable(draft=draft) == "fhir-version"


@pytest.mark.parametrize(
    "record",
    [
        STATEMENT | {"taken": "n"},
        STATEMENT | {"wasNotTaken": True},
        STATEMENT | {"medication": {"concept": {"text": "x"}}},
        {"resourceType": "MedicationOrder", "id": "o1", "patient": {"reference": "Patient/p1"}},
    ],
)
def test_a_chart_of_another_version_is_told(record: dict[str, Any]) -> None:
    prefetch = {"medication_statements": {"resourceType": "Bundle", "entry": [{"resource": record}]}}
    assert undecidable("patient-view", prefetch=prefetch) == "fhir-version"


@pytest.mark.parametrize(
    "record",
    [
        STATEMENT | {"note": [{"text": '"taken": "n", "requester": {"agent": {"x"'}]},
        STATEMENT | {"extension": [{"url": "taken", "valueString": "y"}]},
        STATEMENT | {"contained": [{"resourceType": "Provenance", "agent": [{"who": {"display": "x"}}]}]},
        DRAFT
        | {"requester": {"reference": "Practitioner/1"}, "category": {"text": "an object, as the sandbox has it"}},
        DRAFT | {"context": {"reference": "Encounter/1"}},
        {"resourceType": "Condition", "id": "c1", "clinicalStatus": "active"},
        {"resourceType": "ProcedureRequest", "id": "x1"},
    ],
)
def test_odd_r4_is_still_r4(record: dict[str, Any]) -> None:
    prefetch = {"medication_statements": {"resourceType": "Bundle", "entry": [{"resource": record}]}}
    assert undecidable("patient-view", prefetch=prefetch) is None


def test_requests_of_others_are_told_by_version(shared_data: Path) -> None:
    told: dict[str, set[str | None]] = {"pddi-cds": set(), "opioid-cds-r4/requests": set()}
    for folder, found in told.items():
        for path in (shared_data / "cds-hooks" / folder).rglob("*.json"):
            body = path.read_bytes()
            hook = json.loads(body)["hook"]
            if hook in ("order-select", "order-sign"):
                with contextlib.suppress(HookRequestError):  # some are about two patients
                    found.add(read_request(body, hook, may_read=False).call.undecidable)
    assert told == {"pddi-cds": {"fhir-version"}, "opioid-cds-r4/requests": {None}}
