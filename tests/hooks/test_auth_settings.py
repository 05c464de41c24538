"""The `auth` group of the settings: what is refused, where it stands, and what is on without being asked for."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from cds.auth_settings import AuthClient, AuthSettings
from cds.settings import SettingsError, load_settings
from hooks.auth.middleware import OPEN_PATHS

SECURITY = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text(encoding="utf-8")

CLIENT = {"issuer": "https://ehr.example.org", "jku": ["https://ehr.example.org/keys"]}


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PSYCHMED_"):
            monkeypatch.delenv(name)


def refused(auth: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, time_zone="UTC", auth=auth)
    return str(caught.value)


def test_without_a_client_nothing_is_trusted_and_es384_and_rs384_are_on_for_a_new_one() -> None:
    # The reference sandbox signs with a key that is published: no issuer is known by default.
    assert load_settings(None, time_zone="UTC").auth.clients == {}
    client = load_settings(None, time_zone="UTC", auth={"clients": {"ehr": CLIENT}}).auth.clients["ehr"]
    assert client.algorithms == ("ES384", "RS384")
    assert client.max_lifetime_seconds == 3600


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384", "hs512", "ES256", ""])
def test_x5_no_setting_can_allow_an_unsigned_or_symmetric_token(algorithm: str) -> None:
    assert "algorithms" in refused({"clients": {"ehr": {**CLIENT, "algorithms": [algorithm]}}})


def test_a_client_needs_an_algorithm() -> None:
    assert "algorithms" in refused({"clients": {"ehr": {**CLIENT, "algorithms": []}}})


@pytest.mark.parametrize(
    ("jku", "told"),
    [
        ("http://ehr.example.org/keys", "https only"),
        ("http://127.0.0.1.example.org/keys", "https only"),
        ("ftp://ehr.example.org/keys", "https://host/path"),
        ("/keys", "https://host/path"),
        ("file:///etc/passwd", "https://host/path"),
        ("https://user:word@ehr.example.org/keys", "user name"),
        ("https://ehr.example.org/keys#part", "fragment"),
        ("http://127.0.0.1:9/keys", "http_jku_on_loopback"),
    ],
)
def test_x7_keys_come_over_https_and_from_nowhere_else(jku: str, told: str) -> None:
    assert told in refused({"clients": {"ehr": {**CLIENT, "jku": [jku]}}})


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_http_on_loopback_is_possible_for_tests(host: str) -> None:
    auth = {"clients": {"ehr": {**CLIENT, "jku": [f"http://{host}/keys"]}}, "http_jku_on_loopback": True}
    assert load_settings(None, time_zone="UTC", auth=auth).auth.clients


def test_x8_a_client_without_any_source_of_keys_is_refused() -> None:
    assert "no source of keys" in refused({"clients": {"ehr": {"issuer": "https://ehr.example.org"}}})


def test_two_clients_with_one_issuer_are_refused() -> None:
    assert "clients a and b have the same issuer" in refused({"clients": {"a": CLIENT, "b": CLIENT}})


def test_keys_are_not_kept_for_a_shorter_time_than_they_are_fresh() -> None:
    assert "keys_keep_seconds" in refused({"keys_fresh_seconds": 900, "keys_keep_seconds": 60})


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "time_zone: UTC\n"
        "auth:\n"
        "  clock_skew_seconds: 9999\n"
        "  clients:\n"
        "    ehr:\n"
        "      issuer: https://ehr.example.org\n"
        "      jku: [http://ehr.example.org/keys]\n"
        "    other:\n"
        "      issuer: https://other.example.org\n"
        "      jwks: keys.json\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    places = sorted(line.split(": ")[0] for line in str(caught.value).splitlines())
    assert places == [f"{path}:{place}" for place in ("10:7", "3:3", "7:7")]
    assert "auth.clients.ehr.jku" in str(caught.value)
    assert "auth.clients.other.jwks is not a setting" in str(caught.value)


def test_the_group_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_AUTH", json.dumps({"clients": {"ehr": CLIENT}}))
    assert load_settings(None, time_zone="UTC").auth.clients["ehr"].issuer == CLIENT["issuer"]


def test_the_worked_example_of_the_docs_is_a_good_settings_file(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", SECURITY, re.MULTILINE | re.DOTALL)
    path = tmp_path / "site.yaml"
    path.write_text(example, encoding="utf-8")
    assert set(load_settings(path).auth.clients) == {"north", "crd-generator"}


def test_every_setting_of_the_group_and_every_open_address_is_documented() -> None:
    names = [*AuthClient.model_fields, *AuthSettings.model_fields, *OPEN_PATHS]
    assert [name for name in names if f"`{name}`" not in SECURITY] == []


@pytest.mark.parametrize(
    "words",
    ["ssl_verify_client       on", "a proxy in front ends TLS", "registered with that client's authorization"],
    ids=["x12 mutual TLS", "g2 TLS", "x15 registration for FHIR reads"],
)
def test_what_the_site_must_do_itself_is_documented(words: str) -> None:
    assert words in SECURITY.replace("\n", " ")
