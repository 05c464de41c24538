"""The `auth` group of the settings: who may call the service, and how a caller's JWT is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cds.addresses import is_loopback

# No symmetric algorithm and no `none` can be written here, so none can ever be accepted.
Algorithm = Literal["ES384", "RS384", "RS256"]
ClientName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class AuthClient(BaseModel):
    """One CDS client: the only issuer, key sources, algorithms and claims its tokens may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Text
    jku: tuple[Text, ...] = Field(default=(), description="addresses of its keys; a token may name only one of these")
    jwks_file: Path | None = Field(default=None, description="its public keys as a JWKS file")
    audience: tuple[Text, ...] = Field(default=(), description="accepted besides the address that is called")
    algorithms: tuple[Algorithm, ...] = Field(default=("ES384", "RS384"), min_length=1)
    subject: tuple[Text, ...] = Field(default=(), description="if given, `sub` must be one of them")
    tenants: tuple[Text, ...] = Field(default=(), description="if given, `tenant` must be one of them")
    max_lifetime_seconds: int = Field(default=3600, ge=10, le=86_400, description="most that exp may lie after iat")

    @field_validator("jku")
    @classmethod
    def _addresses(cls, jku: tuple[str, ...]) -> tuple[str, ...]:
        for url in jku:
            parts = urlsplit(url)
            if parts.username is not None or parts.password is not None or parts.fragment:
                raise ValueError("an address of keys has no user name, password or fragment")
            if not parts.hostname or parts.scheme not in ("https", "http"):
                raise ValueError("an address of keys is https://host/path")
            if parts.scheme == "http" and not is_loopback(parts.hostname):
                raise ValueError("keys are fetched over https only; http is for tests on loopback")
        return jku

    @model_validator(mode="after")
    def _has_keys(self) -> AuthClient:
        if not self.jku and self.jwks_file is None:
            raise ValueError("no source of keys: give jku (a list of addresses) or jwks_file")
        return self


class AuthSettings(BaseModel):
    """JWT checking. It is on as soon as there is a client."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clients: dict[ClientName, AuthClient] = Field(default_factory=dict)
    open_discovery: bool = Field(default=False, description="GET /cds-services needs no token")
    clock_skew_seconds: int = Field(default=60, ge=0, le=300)
    keys_fresh_seconds: int = Field(default=900, ge=10, le=86_400, description="older keys are fetched again")
    keys_keep_seconds: int = Field(default=86_400, ge=10, le=604_800, description="older keys are not used any more")
    keys_refetch_seconds: int = Field(default=10, ge=1, le=3600, description="least time between two fetches")
    keys_timeout_seconds: float = Field(default=3.0, ge=0.1, le=30)
    ca_file: Path | None = Field(default=None, description="certificates that the key servers' TLS is checked with")
    http_jku_on_loopback: bool = Field(default=False, description="for tests: keys over http from this machine")
    replay_file: Path | None = Field(default=None, description="where used jti are kept; default: the process's memory")
    replay_entries: int = Field(default=100_000, ge=1, le=10_000_000, description="most unexpired jti kept per client")

    @model_validator(mode="after")
    def _consistent(self) -> AuthSettings:
        issuers: dict[str, str] = {}
        for name, client in self.clients.items():
            other = issuers.setdefault(client.issuer, name)
            if other != name:
                raise ValueError(f"clients {other} and {name} have the same issuer")
            plain = [url for url in client.jku if url.startswith("http:")]
            if plain and not self.http_jku_on_loopback:
                raise ValueError(f"client {name} has a jku over http; that needs http_jku_on_loopback: true (tests)")
        if self.keys_keep_seconds < self.keys_fresh_seconds:
            raise ValueError("keys_keep_seconds is shorter than keys_fresh_seconds")
        return self
