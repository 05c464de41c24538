"""Logs as JSON lines on standard error, one object a line, with the id of the request they belong to.

No line holds anything of a patient, a token or an address that a client wrote: our own messages are made of our own
words, and of what libraries log only the text of their source is kept, never the values put into it.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import sys
import uuid
from contextvars import ContextVar
from typing import Any

import orjson

OURS = ("psychmed", "cds", "hooks")
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

log = logging.getLogger("psychmed.requests")


def request_id(given: str | None) -> str:
    """The client's own id of its request when it is short and plain, else a new one."""
    return given if given is not None and _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex


def request_line(fields: dict[str, Any]) -> None:
    """Log one request. fields: numbers and our own words."""
    log.info("request", extra={"fields": fields})


class JsonLines(logging.Formatter):
    """time, level, logger, message, request_id where there is one; for a request its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line. Never raises: a message that does not fit its values is shown without them."""
        time = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = _message(record)
        if (running := REQUEST_ID.get()) is not None:
            line["request_id"] = running
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its text and traceback can hold what was in a request
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line.update(fields)
        return orjson.dumps(line, default=str).decode()


def _message(record: logging.LogRecord) -> str:
    text = str(record.msg)
    if record.name.partition(".")[0] not in OURS:
        return text
    try:
        return record.getMessage()
    except Exception:
        return text


def configure() -> None:
    """Send every log of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)


# The server's own words, in the shape that granian wants them.
SERVER_LOGS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "hooks.logs.JsonLines"}},
    "handlers": {"json": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "loggers": {
        "_granian": {"handlers": ["json"], "level": "WARNING", "propagate": False},
        "granian.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}
