"""`psychmed jwt-check`: an administrator learns why a token is refused, and the token stays secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.issuer import EC_KID, ISSUER, claims, ec_key, forged, jwks, key_server, public_jwk, rsa_key, signed
from tests.hooks.service import ROOT

ENDPOINT = "https://cds.example.org/cds-services/psychmed-order-sign"
Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Runs the command on a token from standard input; `client` and `group` change the settings."""

    def run(
        token: str,
        *arguments: str,
        client: dict[str, Any] | None = None,
        group: dict[str, Any] | None = None,
        argument: str = "-",
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "keys.json").write_bytes(jwks())
        settings = {
            "time_zone": "UTC",
            "base_url": "https://cds.example.org",
            "auth": {
                "clients": {"ehr": {"issuer": ISSUER, "jwks_file": str(tmp_path / "keys.json"), **(client or {})}},
                **(group or {}),
            },
        }
        (tmp_path / "site.yaml").write_text(json.dumps(settings))  # JSON is YAML
        command = [sys.executable, "-m", "cds.cli.main", "jwt-check", argument]
        return subprocess.run(
            [*command, "--settings", str(tmp_path / "site.yaml"), *arguments],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("PSYCHMED_")},
            input=token,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def now() -> float:
    return time.time()  # noqa: TID251


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {row["check"]: row["state"] for row in json.loads(done.stdout)["checks"]}


def told(done: subprocess.CompletedProcess[str], check_name: str) -> str:
    return next(row["told"] for row in json.loads(done.stdout)["checks"] if row["check"] == check_name)


@pytest.mark.parametrize("prefix", ["", "Bearer ", "Authorization: Bearer "])
def test_a_good_token_is_accepted_however_it_was_copied(check: Check, prefix: str) -> None:
    token = signed(claims(now(), aud=ENDPOINT))
    done = check(prefix + token + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "accepted"
    assert check("", argument=token).returncode == 0


def test_every_check_is_told_and_not_only_the_first_that_fails(check: Check) -> None:
    token = signed(claims(now() - 5000, aud="https://old.example.org", tenant="west"), key=ec_key("stranger"))
    done = check(token, "--format", "json", client={"tenants": ["north"]})
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "refused"
    failed = [name for name, state in states(done).items() if state == "failed"]
    assert failed == ["audience", "times", "tenant", "signature"]
    assert "https://old.example.org" in told(done, "audience")
    assert ENDPOINT in told(done, "audience")
    assert "expired at" in told(done, "times")
    assert "north" in told(done, "tenant")
    text = check(token).stdout
    assert text.splitlines()[-1] == "refused (the service stops at audience)"


def test_the_token_and_its_parts_are_never_printed(check: Check) -> None:
    good = signed(claims(now(), aud=ENDPOINT))
    bad = signed(claims(now(), aud="x"), key=ec_key("stranger"), header={"kid": "?"})
    unsigned = forged(claims(now()), {"alg": "none", "typ": "JWT"})
    for token in (good, bad, unsigned, good[:-9] + "!", "a secret that is no token"):
        for output in ("text", "json"):
            done = check(token, "--format", output)
            for part in (token, *token.split(".")):
                assert not part or part not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: "abc", "three base64url segments"),
        (lambda: forged(claims(0), {"alg": "none", "typ": "JWT", "kid": "k"}), "not signed"),
        (lambda: forged(claims(0), {"alg": "HS256", "typ": "JWT", "kid": "k"}, b"s"), "shared secret"),
        (lambda: signed(claims(0), header={"typ": None}), "typ"),
    ],
    ids=["text", "none", "hmac", "typ"],
)
def test_what_is_wrong_with_the_form_is_told(check: Check, made: Callable[[], str], words: str) -> None:
    done = check(made(), "--format", "json")
    assert words in told(done, "form")
    assert set(list(states(done).values())[1:]) == {"not checked"}


def test_an_unknown_issuer_is_told_with_the_known_ones(check: Check) -> None:
    done = check(signed(claims(now(), iss="https://elsewhere.example")), "--format", "json")
    assert "https://elsewhere.example" in told(done, "issuer")
    assert ISSUER in told(done, "issuer")


def test_a_token_of_an_hour_ago_can_be_judged_at_the_moment_it_was_sent(check: Check) -> None:
    token = signed(claims(1_772_445_600, aud=ENDPOINT))
    assert check(token).returncode == 1
    assert check(token, "--at", "2026-03-02T10:00:30Z").returncode == 0
    assert check(token, "--at", "2026-03-02 10:00").returncode == 2


def test_the_address_called_narrows_the_audience(check: Check) -> None:
    token = signed(claims(now(), aud=ENDPOINT))
    assert check(token, "--url", ENDPOINT).returncode == 0
    assert check(token, "--url", ENDPOINT + "/feedback").returncode == 1


def test_milliseconds_instead_of_seconds_are_named(check: Check) -> None:
    done = check(signed(claims(now() * 1000, aud=ENDPOINT)), "--format", "json")
    assert "milliseconds" in told(done, "times")


def test_keys_that_cannot_be_read_are_told_with_the_reason(check: Check) -> None:
    with key_server() as keys:
        client = {"jwks_file": None, "jku": [keys.url]}
        group = {"http_jku_on_loopback": True}
        token = signed(claims(now(), aud=ENDPOINT), header={"jku": keys.url})
        assert check(token, client=client, group=group).returncode == 0
        keys.status, keys.headers = 302, {"Location": "https://elsewhere.example"}
        assert "redirect" in told(check(token, "--format", "json", client=client, group=group), "key")
        keys.status, keys.headers, keys.body = 200, {}, jwks(public_jwk(rsa_key(), "another"))
        assert "another" in told(check(token, "--format", "json", client=client, group=group), "key")
        asked = len(keys.asked)
        offline = check(token, "--offline", "--format", "json", client=client, group=group)
        assert (json.loads(offline.stdout)["verdict"], offline.returncode) == ("undecided", 1)
        assert len(keys.asked) == asked


def test_a_kid_of_a_key_for_another_algorithm_is_told(check: Check) -> None:
    token = signed(claims(now(), aud=ENDPOINT), algorithm="RS384", header={"kid": EC_KID})
    assert "is for ES384" in told(check(token, "--format", "json"), "key")


def test_a_used_token_is_told_where_used_tokens_are_kept_and_checking_does_not_use_it_up(
    check: Check, tmp_path: Path
) -> None:
    from hooks.auth.replay import ReplayStore

    group = {"replay_file": str(tmp_path / "used.sqlite")}
    token = signed(claims(now(), aud=ENDPOINT, jti="j1"))
    assert [check(token, group=group).returncode for _ in range(2)] == [0, 0]
    ReplayStore(tmp_path / "used.sqlite", 10).first_use(ISSUER, "j1", until=now() + 300, now=now())
    assert states(check(token, "--format", "json", group=group))["replay"] == "failed"


def test_what_the_token_says_cannot_move_the_cursor(check: Check) -> None:
    done = check(signed(claims(now(), aud="\x1b[2J\nFAKE accepted")))
    assert "\x1b" not in done.stdout
    assert not any(line.startswith("FAKE") for line in done.stdout.splitlines())


def test_settings_without_clients_are_told(check: Check) -> None:
    done = check("abc", group={"clients": {}})
    assert done.returncode == 2
    assert "no client under auth" in done.stderr
