"""Write section 8.1 of the clinical specification from the rules: every parameter as its YAML has it.

Run `python scripts/write_parameter_table.py` after a parameter changed; a test holds the table equal to the rules.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cds.rules.source import read_source  # noqa: E402

SPECIFICATION = ROOT / "docs/clinical/specification.md"
HEAD = "| Parameter | Default | Range | Mark | Why |\n|---|---|---|---|---|\n"


def rows() -> Iterator[str]:
    """Shared parameters first, then those of each rule by its specification id."""
    sources = [read_source(path).data for path in sorted((ROOT / "rules").glob("*.yaml"))]
    for data in sorted(sources, key=lambda d: d.get("spec", "")):
        for name, p in data.get("parameters", {}).items():
            if "spec" in data:
                shown = f"`{data['spec'].replace('-', '')}.{name}`"
            else:
                shown = f"`{name}` (shared; {p['spec']})" if p.get("spec") else f"`{name}` (shared)"
            value = str(p["value"]).lower() if isinstance(p["value"], bool) else str(p["value"])
            mark = str(p["source"]) if p["source"] in {"V", "U", "P"} else f"V: {p['source']}"
            yield f"| {shown} | {value} | {p.get('range', 'bool')} | {mark} | {p['why']} |"


def main() -> None:
    text = SPECIFICATION.read_text(encoding="utf-8")
    start = text.index(HEAD, text.index("### 8.1 "))
    end = re.compile(r"\n\n").search(text, start).start()  # type: ignore[union-attr]
    SPECIFICATION.write_text(text[:start] + HEAD + "\n".join(rows()) + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
