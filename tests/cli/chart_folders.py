"""Folders of small charts in the case notation, and the command run over them in this process."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import orjson
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

from cds.authoring.new_rule import new_rule
from cds.authoring.notation import PATIENT, Writer
from cds.cli.main import app

TODAY = dt.date(2026, 3, 2)
ZONE = {"PSYCHMED_TIME_ZONE": "America/New_York", "PSYCHMED_SETTINGS": ""}


def psychmed(*arguments: object) -> Result:
    environment = {"PSYCHMED_TIME_ZONE": "America/New_York"}
    return CliRunner().invoke(app, [str(a) for a in arguments], env=environment)


def as_json(done: Result) -> Any:
    return json.loads(done.stdout)


def chart(folder: Path, name: str, *lines: str, also: tuple[dict[str, Any], ...] = ()) -> Path:
    """A Bundle of the lines (an adult, seen 400 days before the charts' last day, unless they say otherwise)."""
    writer = Writer(TODAY)
    for line in ("patient: {age: 45}", "visit seen: {date: -400d}", *lines):
        for kind, body in YAML(typ="safe").load(line).items():
            writer.line(kind, body)
    subject = {"subject": {"reference": f"Patient/{PATIENT}"}}
    entries = [{"resource": r} for r in (*writer.charted, *({**subject, **one} for one in also))]
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def lorazepam(days: int, authored: str = "-100d", **more: Any) -> str:
    body = {"drug": "lorazepam 0.5", "take": 1, "times": 2, "authored": authored, "days": f"{days}d", "refills": 0}
    return f"order o{days}: {json.dumps({**body, **more})}"


def first_supplies(folder: Path) -> Path:
    """Three charts, each with one first order of lorazepam: for 20, 29 and 31 days (B-01: more than 28)."""
    for days in (20, 29, 31):
        chart(folder, f"for-{days}-days", lorazepam(days))
    return folder


def own_rule(folder: Path, *, where: str = "habit_forming is true", status: str = "draft") -> Path:
    """The rule file of a new rule with its TODOs filled in: more than 30 days of a habit-forming drug, at info."""
    written = new_rule("long-supply", into=folder, spec=None, known=(), today=TODAY)
    text = written.rule.read_text().replace("[TODO]", f"[{where}]").replace("source: TODO", "source: P")
    written.rule.write_text(text.replace("status: draft", f"status: {status}"))
    return written.rule
