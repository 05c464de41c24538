"""Reading a request body with a limit, whatever the client says about its length."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from cds.errors import HookRequestError

MEDIA_TYPES = ("application/json", "application/fhir+json", "application/json+fhir", "text/json")
READ_SECONDS = 30.0


def check_media_type(request: Request) -> None:
    """Raises HookRequestError 415 unless the body is announced as plain UTF-8 JSON."""
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    if media_type.strip() not in MEDIA_TYPES:
        raise HookRequestError(415, "Content-Type must be application/json")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise HookRequestError(415, "the body must be UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HookRequestError(415, "Content-Encoding is not supported: send the body as it is")


async def read_body(request: Request, limit: int) -> bytes:
    """The body, counted while it arrives: the server in front has no limit of its own.

    Raises HookRequestError 413 for more than `limit` bytes, 408 when the client stops sending,
    400 when it goes away in the middle.
    """
    too_large = HookRequestError(413, f"the body is larger than {limit} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        raise HookRequestError(408, "the body did not arrive in time") from None
    except ClientDisconnect:
        raise HookRequestError(400, "the body ended too early") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
