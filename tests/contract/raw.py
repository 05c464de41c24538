"""Runs durable-rules as its documentation has it, in a process of its own: it may crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

PRELUDE = """
import json, sys
import durable_rules_engine as engine

def rules(definition):
    return engine.create_ruleset("r", json.dumps(definition))

def fire(handle, state):
    fired, started = [], engine.start_action_for_state(handle, state)
    message = started[1] if started else None
    while message:
        fired.append(json.loads(message))
        message = engine.complete_and_start_action(handle, state)
    return fired

def run(definition, facts):
    handle = rules(definition)
    code, state = engine.assert_facts(handle, json.dumps(facts))
    return fire(handle, state)

def tell(value):
    print(json.dumps(value), flush=True)
"""


def run_raw(script: str, *, seconds: float = 20.0, **environment: str) -> tuple[int | None, Any]:
    """Run a script after the prelude; return its exit code (None when it hangs) and what it told last."""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", PRELUDE + script],
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired as error:
        return None, _last(error.stdout or b"")
    return ended.returncode, _last(ended.stdout)


def _last(output: bytes) -> Any:
    lines = [line for line in output.splitlines() if line.startswith((b"[", b"{", b'"')) or line[:1].isdigit()]
    return json.loads(lines[-1]) if lines else None
