"""The public keys of a JWKS, and the signature of a token with one of them. The only place that uses PyJWT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from hooks.auth.fetch import KeysError
from hooks.auth.token import ALGORITHMS, Token

PublicKey = EllipticCurvePublicKey | RSAPublicKey
# (kid, algorithm) -> the keys with that kid: a client may publish two under one kid.
Keys = Mapping[tuple[str, str], tuple[PublicKey, ...]]

LEAST_RSA_BITS = 2048
MOST_KEYS = 100
_PUBLIC_MEMBERS = {"EC": ("kty", "crv", "x", "y"), "RSA": ("kty", "n", "e")}
_RSA_ALGORITHMS = ("RS384", "RS256")

_JWS = jwt.PyJWS(algorithms=sorted(ALGORITHMS))


def read_keys(raw: bytes) -> Keys:
    """The keys of a JWKS that can verify one of our algorithms; what else it holds is passed over.

    A symmetric key, a key without kid, an RSA key under 2048 bits, another curve than P-384 or a key for encryption is
    passed over, and of a private key only the public part is read.
    Raises KeysError when it is no JWKS.
    """
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise KeysError("the JWKS is not JSON") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise KeysError("the JWKS has no list of keys")
    if len(listed) > MOST_KEYS:
        raise KeysError(f"the JWKS has more than {MOST_KEYS} keys")
    found: dict[tuple[str, str], tuple[PublicKey, ...]] = {}
    for jwk in listed:
        if not isinstance(jwk, dict) or not _for_signatures(jwk):
            continue
        key, algorithms = _key(jwk)
        for algorithm in algorithms:
            if key is not None and jwk.get("alg", algorithm) == algorithm:
                place = (jwk["kid"], algorithm)
                found[place] = (*found.get(place, ()), key)
    return found


def _for_signatures(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops")
    return (
        isinstance(jwk.get("kid"), str)
        and jwk.get("use", "sig") == "sig"
        and (operations is None or (isinstance(operations, list) and not {"verify", "sign"}.isdisjoint(operations)))
    )


def _key(jwk: Mapping[str, Any]) -> tuple[PublicKey | None, tuple[str, ...]]:
    kind = jwk.get("kty")
    if kind not in ("EC", "RSA"):
        return None, ()
    public = {name: jwk[name] for name in _PUBLIC_MEMBERS[kind] if name in jwk}
    try:
        key = ECAlgorithm.from_jwk(public) if kind == "EC" else RSAAlgorithm.from_jwk(public)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None, ()
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP384R1):
        return key, ("ES384",)
    if isinstance(key, RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return key, _RSA_ALGORITHMS
    return None, ()


def signed_with(token: Token, keys: tuple[PublicKey, ...]) -> bool:
    """Whether one of the keys made the token's signature, with the token's algorithm."""
    return any(_signed(token, key) for key in keys)


def _signed(token: Token, key: PublicKey) -> bool:
    try:
        _JWS.decode_complete(token.text, key=key, algorithms=[token.algorithm])
    except jwt.PyJWTError:
        return False
    return True


class StandIn:
    """Keys that sign nothing, for the work of a signature check where there is no key to check with.

    Without that work the time of a 401 would tell a stranger which issuers, audiences and tenants the site has.
    """

    def __init__(self) -> None:
        self._ec = generate_private_key(SECP384R1()).public_key()
        # An odd number of 2048 bits; nobody knows its factors, and none are needed.
        self._rsa = RSAPublicNumbers(65_537, (1 << 2047) + (1 << 1024) + 297).public_key()

    def check(self, token: Token) -> None:
        """As much work as `signed_with` and one key."""
        _signed(token, self._ec if token.algorithm == "ES384" else self._rsa)
