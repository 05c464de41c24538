"""The one settings model: what a site decides. `site.yaml` is its file, `PSYCHMED_` the environment prefix.

What is given in code wins over the environment, the environment over the file, the file over the defaults.
"""

from __future__ import annotations

import datetime as dt
import os
import zoneinfo
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cds.auth_settings import AuthSettings
from cds.errors import CdsError, RuleError
from cds.model import Hook

ENVIRONMENT_PREFIX = "PSYCHMED_"
SETTINGS_VARIABLE = "PSYCHMED_SETTINGS"
_ENVIRONMENT = "environment"

Engine = Literal["auto", "direct", "durable", "verified"]
ParameterValue = bool | int | float | str


class SettingsError(CdsError):
    """Everything that is wrong with the settings at once, one line each: file:line:column, what, what to write."""

    def __init__(self, problems: tuple[RuleError, ...]) -> None:
        super().__init__("\n".join(_line(problem) for problem in problems))
        self.problems = problems


def _line(problem: RuleError) -> str:
    # A missing setting and an environment variable have no line.
    return str(problem).replace(":0:0: ", ": ", 1)


class RuleSwitch(BaseModel):
    """What a site changes about one rule. `why` is kept for the next reader of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["active", "silent", "off"] | None = None
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    why: str = ""


class CardBudgets(BaseModel):
    """Most cards per hook call; a critical card is always shown (clinical specification 1.11)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    order_select: Annotated[int, Field(alias="order-select", ge=1, le=20)] = 1
    order_sign: Annotated[int, Field(alias="order-sign", ge=1, le=20)] = 3
    patient_view: Annotated[int, Field(alias="patient-view", ge=1, le=20)] = 3
    encounter_discharge: Annotated[int, Field(alias="encounter-discharge", ge=1, le=20)] = 4

    def for_hook(self, hook: Hook) -> int | None:
        """The budget of a hook; None for one without cards."""
        return {
            "order-select": self.order_select,
            "order-sign": self.order_sign,
            "patient-view": self.patient_view,
            "encounter-discharge": self.encounter_discharge,
        }.get(hook)


class DrugSettings(BaseModel):
    """How a site's medicines are identified."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: Path | None = Field(default=None, description="the site's RxNorm, made by psychmed drugs load")
    overlays: tuple[Path, ...] = Field(default=(), description="CSV tables of local, SNOMED CT or ATC codes")
    bare_counts: bool = Field(default=False, description="doses without a unit are numbers of pieces")


class FhirServer(BaseModel):
    """A FHIR server that may be read with the token of a request. In the file, its host alone stands for the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, description="host or host:port, exactly as clients name it in fhirServer")
    plain_http: bool = Field(default=False, description="http is allowed too: token and chart then travel unprotected")
    private: bool = Field(default=False, description="its name may lead to a private or loopback address")

    @model_validator(mode="before")
    @classmethod
    def _host_alone(cls, value: Any) -> Any:
        return {"host": value} if isinstance(value, str) else value

    @field_validator("host")
    @classmethod
    def _host_and_port(cls, host: str) -> str:
        try:
            parts = urlsplit(f"//{host}")
            whole = parts.hostname and parts.netloc == host and "@" not in host and parts.port != 0
        except ValueError:
            whole = False
        if not whole or not host.isascii() or any(c.isspace() for c in host):
            raise ValueError("a server is host or host:port, without https:// and without a path")
        return host.lower()


class FhirSettings(BaseModel):
    """Reading what a request did not bring. Without servers nothing is ever read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: tuple[FhirServer, ...] = Field(default=(), description="the only hosts that are ever asked")
    deadline_ms: int = Field(default=2000, ge=50, le=30_000, description="for all reads of one call together")
    pages: int = Field(default=10, ge=1, le=1000, description="most pages of one search")
    medications: int = Field(default=50, ge=0, le=1000, description="most Medication resources read by reference")
    max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="of all answers to one call together")
    threads: int = Field(default=16, ge=1, le=128, description="most reads at a time in one worker process")
    ca_file: Path | None = Field(default=None, description="PEM file of the authorities that sign the servers' keys")


class Settings(BaseSettings):
    """A site's settings, complete and checked."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True, validate_default=True)

    time_zone: str = Field(description="IANA name of the site's time zone; no default, a wrong day is a wrong card")
    today: dt.date | None = Field(default=None, description="pins the date for tests and replays; loopback only")
    engine: Engine = Field(default="auto", description="auto: verified where durable-rules works, else direct")
    engine_deadline_ms: int = Field(default=50, ge=5, le=10_000, description="an engine that takes longer is abandoned")
    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    workers: int = Field(default=1, ge=1, le=64, description="worker processes")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="a longer request is answered 413")
    rules_dir: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="extra rule folders, read after ours"
    )
    rules: dict[str, RuleSwitch] = Field(default_factory=dict, description="rule id: status, parameters, why")
    card_budgets: CardBudgets = Field(default_factory=CardBudgets, description="most cards per hook call")
    drugs: DrugSettings = Field(default_factory=DrugSettings, description="RxNorm release, overlays, bare_counts")
    fhir: FhirSettings = Field(default_factory=FhirSettings, description="FHIR servers that may be read, and how long")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="browser origins that may call")
    base_url: str | None = Field(default=None, description="the address clients use, when a proxy stands in front")
    memory: Literal["none", "process"] = Field(
        default="none", description="process: what was shown is remembered while a worker runs, for rules that say once"
    )
    log_requests: bool = Field(
        default=True, description="a line on standard error for each request, without patient data"
    )
    auth: AuthSettings = Field(default_factory=AuthSettings, description="who may call: clients and their JWT")
    require_sign_off: bool = Field(default=False, description="rules without a clinical sign-off run silent")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not a known IANA time zone") from None
        return name

    @field_validator("rules_dir", mode="before")
    @classmethod
    def _split_path(cls, value: Any) -> Any:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, rest = origin.partition("://")
            if origin != "*" and (scheme not in ("http", "https") or not rest or "/" in rest):
                raise ValueError("an origin is scheme://host[:port] without a path")
        return origins

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("an absolute http(s) address")
        return url.rstrip("/") if url else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file arrives through `load_settings`, below the environment; .env and secret files are not read."""
        del dotenv_settings, file_secret_settings
        if isinstance(init_settings, InitSettingsSource) and _FILE_KEY in init_settings.init_kwargs:
            from_file = init_settings.init_kwargs.pop(_FILE_KEY)
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)
        return init_settings, env_settings

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The site's time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def budget(self, hook: Hook) -> int | None:
        """Most cards of a hook call that are not forced by being critical; None for batch, which makes no cards."""
        return self.card_budgets.for_hook(hook)


_FILE_KEY = "_site_file"

_HINTS = {
    "time_zone": "write for example `time_zone: America/New_York`, or set PSYCHMED_TIME_ZONE",
    "today": "a date as 2026-01-31, only for tests and replays",
    "engine": "one of auto, direct, durable, verified",
    "cors_origins": "for example https://ehr.example.org",
    "base_url": "for example https://cds.example.org",
    "port": "0 to 65535; 0 takes a free port",
    "rules": "rule id, then status (active, silent, off), parameters, why",
    "drugs": "release: a file; overlays: a list of files; bare_counts: true or false",
    "auth": "see docs/security.md for the settings of auth",
    "fhir": "servers: a list of host[:port] or of {host, plain_http, private}; deadline_ms, pages, max_bytes ...",
    "card_budgets": "hook name, then a number from 1 to 20",
}


def load_settings(path: str | Path | None = None, **given: Any) -> Settings:
    """Read the settings from `path` (or the file that PSYCHMED_SETTINGS names), the environment and `given`.

    Raises SettingsError with every problem found: unreadable file, unknown key, missing or wrong value.
    """
    named = path if path is not None else os.environ.get(SETTINGS_VARIABLE)
    document: Mapping[str, Any] = read_document(Path(named)) if named else CommentedMap()
    try:
        values: dict[str, Any] = {**given, _FILE_KEY: dict(document)}
        return Settings(**values)
    except ValidationError as error:
        source = str(named) if named else _ENVIRONMENT
        raise SettingsError(tuple(_problem(e, source, document, given) for e in error.errors())) from None
    except Exception as error:
        # pydantic-settings wraps an environment value that is no JSON in an error of its own.
        text = f"a PSYCHMED_ variable cannot be read: {error}"
        raise SettingsError((RuleError(_ENVIRONMENT, 0, 0, "SET003", text),)) from None


def read_document(path: Path) -> CommentedMap:
    """A settings file with the places of its keys. Raises SettingsError when it is no YAML mapping."""
    try:
        document = YAML(typ="rt").load(path)
    except OSError as error:
        hint = f"check --settings or {SETTINGS_VARIABLE}"
        text = f"the settings file cannot be read: {error.strerror}"
        raise SettingsError((RuleError(str(path), 0, 0, "SET001", text, hint),)) from None
    except (YAMLError, UnicodeDecodeError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        text = f"not YAML: {getattr(error, 'problem', None) or type(error).__name__}"
        raise SettingsError((RuleError(str(path), line, column, "SET001", text),)) from None
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        text = "the settings file is not a mapping"
        raise SettingsError((RuleError(str(path), 1, 1, "SET001", text, "write `key: value` lines"),))
    return document


def _problem(error: Any, source: str, document: Mapping[str, Any], given: Mapping[str, Any]) -> RuleError:
    keys = [str(part) for part in error["loc"]]
    name = keys[0] if keys else ""
    place = ".".join(keys)
    hint = _HINTS.get(name, "")
    if error["type"] == "extra_forbidden":
        close = get_close_matches(keys[-1], list(Settings.model_fields) if len(keys) == 1 else [], n=1)
        hint = f"did you mean {close[0]}?" if close else "see docs/running.md for the settings"
        message = f"{place} is not a setting"
    elif error["type"] == "missing":
        message = f"{place} is not set"
    else:
        message = f"{place}: {error['msg'].removeprefix('Value error, ')}"
    variable = ENVIRONMENT_PREFIX + name.upper()
    if variable in os.environ and name not in given:
        # The environment wins over the file, so it is the one to blame.
        return RuleError(variable, 0, 0, "SET002", message, hint)
    line, column = position_of(document, error["loc"])
    return RuleError(source, line, column, "SET002", message, hint)


def position_of(document: Any, keys: tuple[int | str, ...]) -> tuple[int, int]:
    """Line and column of the innermost key that the file has; 0, 0 when it has none of them."""
    found = (0, 0)
    node = document
    for key in keys:
        if isinstance(node, CommentedMap) and key in node:
            line, column = node.lc.key(key)
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line, column = node.lc.item(key)
        else:
            break
        found = (line + 1, column + 1)
        node = node[key]
    return found
