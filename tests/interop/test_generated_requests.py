"""schemathesis makes requests from our OpenAPI document, right ones and wrong ones; the service must answer each as
the document says, and never with a defect of its own.

PSYCHMED_SCHEMA_EXAMPLES: how many it tries for each address (`make schema-long` sets more).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from hooks.openapi import openapi_document
from tests.hooks.service import RunningService

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = int(os.environ.get("PSYCHMED_SCHEMA_EXAMPLES", "40"))
SECONDS = 240 if EXAMPLES <= 100 else 3600  # a quarter of a minute where nothing else runs
# The address of the document itself is not asked.
OPERATIONS = sum(len({"get", "post"} & set(path)) for path in openapi_document()["paths"].values()) - 1


def test_every_generated_request_is_answered_as_the_document_says(cds: RunningService, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{cds.url}/openapi.json", "--checks", CHECKS]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)]
    command += ["--generation-deterministic", "--continue-on-failure", "--no-color", "--warnings", "off"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert f"Tested: {OPERATIONS}" in done.stdout
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) >= 1000
    lines = [json.loads(line) for line in cds.log().splitlines()]
    assert [line for line in lines if line["level"] == "error"] == []
