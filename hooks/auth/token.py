"""The form of a token, before anything in it is believed: three segments, two JSON objects, a header we understand."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from cds.errors import CdsError

MOST_CHARACTERS = 16_384
LONGEST_NAME = 1024  # of a kid or jti
ALGORITHMS = frozenset({"ES384", "RS384", "RS256"})

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class TokenFormError(CdsError):
    """What about the form is wrong, for an administrator: never any part of the token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose form is right. Nothing in it is verified, and none of it is shown by `repr`."""

    text: str = field(repr=False)
    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def algorithm(self) -> str:
        """One of ALGORITHMS."""
        return str(self.header["alg"])

    @property
    def key_id(self) -> str:
        """The `kid`, compared as it is: base64 kids hold `+`, `/` and `=`."""
        return str(self.header["kid"])


def bearer(authorization: Sequence[str]) -> str:
    """The token of the request's Authorization headers.

    Raises TokenFormError unless there is exactly one, with the Bearer scheme.
    """
    if len(authorization) != 1:
        count = "no" if not authorization else "more than one"
        raise TokenFormError(f"the request has {count} Authorization header")
    scheme, _, token = authorization[0].strip().partition(" ")
    if scheme.lower() != "bearer":
        raise TokenFormError("the Authorization header is not Bearer")
    return token.strip()


def parse_token(text: str) -> Token:
    """Read header and claims without believing them.

    Raises TokenFormError: not a JWT, a header we do not understand (`crit`), an algorithm that is none of ours.
    """
    if len(text) > MOST_CHARACTERS:
        raise TokenFormError(f"the token is longer than {MOST_CHARACTERS} characters")
    if not _FORM.fullmatch(text):
        raise TokenFormError("not three base64url segments with dots between them (was the token cut, or encrypted?)")
    header_segment, claims_segment, signature = text.split(".")
    header = _json_object(header_segment, "header")
    claims = _json_object(claims_segment, "payload")
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise TokenFormError('the header\'s typ is not "JWT"')
    if "crit" in header:
        raise TokenFormError("the header has crit: no extension is understood here")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenFormError(_about_algorithm(algorithm))
    if not signature:
        raise TokenFormError("the signature is missing (was the token cut?)")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_NAME:
        raise TokenFormError("the header has no kid, or one that is no text of 1 to 1024 characters")
    return Token(text, header, claims)


def _about_algorithm(algorithm: object) -> str:
    allowed = "ES384, RS384 and RS256 are known here"
    if not isinstance(algorithm, str):
        return f"the header has no alg; {allowed}"
    if algorithm.lower() == "none":
        return f"the token is not signed (alg none); {allowed}"
    if algorithm.upper().startswith("HS"):
        return f"the token is signed with a shared secret (HMAC); {allowed}"
    return f"the header's alg is another; {allowed}"


def _json_object(segment: str, part: str) -> Mapping[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        found = orjson.loads(raw)
    except (binascii.Error, orjson.JSONDecodeError):
        raise TokenFormError(f"the {part} is not base64url of JSON") from None
    if not isinstance(found, dict):
        raise TokenFormError(f"the {part} is not a JSON object")
    return found
