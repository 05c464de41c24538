"""Evaluations as text for a terminal."""

from __future__ import annotations

from cds.findings import Evaluation


def evaluation_text(name: str, evaluation: Evaluation) -> str:
    """One chart's result: findings, then what could not be evaluated."""
    lines = [f"{name}  ({evaluation.hook}, {evaluation.today.isoformat()}, engine {evaluation.engine})"]
    for f in evaluation.findings:
        shown = "" if f.disposition == "shown" else f"  [{f.disposition}]"
        lines.append(f"  {f.indicator:8} {f.spec}  {f.summary}{shown}")
        lines.extend(f"           {m}" for m in f.missing)
    if not evaluation.findings:
        lines.append("  no finding")
    lines.extend(f"  not evaluated  {n.spec}: {n.reason}" for n in evaluation.not_evaluated)
    lines.extend(f"  bad resource   {b.where}: {b.reason}" for b in evaluation.bad_resources)
    return "\n".join(lines)
