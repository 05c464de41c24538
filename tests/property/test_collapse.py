"""The collapse of findings against the definition it is an optimisation of."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from cds.findings import Finding, Source
from cds.policy import COLLAPSE_MAP, apply_policy

SPECS = sorted({pair.absorber for pair in COLLAPSE_MAP} | {pair.absorbed for pair in COLLAPSE_MAP})
ABOUT = ["", "benzodiazepine", "benzodiazepine-z-drug"]
REFS = ["MedicationRequest/1", "MedicationRequest/2", "MedicationDispense/3", "Condition/4"]


def finding(spec: str, indicator: str, evidence: frozenset[str], disposition: str, n: int) -> Finding:
    return Finding(
        spec, spec.lower(), "1.0.0", spec, "", indicator, f"summary {n}", "", Source("s", ""), tuple(sorted(evidence)),  # type: ignore[arg-type]
        disposition=disposition, subject=(str(n),), about=ABOUT[n % len(ABOUT)],  # type: ignore[arg-type]
    )  # fmt: skip


def absorbs(a: Finding, b: Finding, drafts: frozenset[str]) -> bool:
    """Whether a stands for b, straight from the map."""
    if a.disposition != "shown" or b.disposition != "shown" or (b.indicator == "critical" != a.indicator):
        return False
    theirs = {ref for ref in a.evidence if ref.startswith("Medication")}
    ours = {ref for ref in b.evidence if ref.startswith("Medication")}
    orders = {ref for ref in ours if ref.startswith("MedicationRequest/")} or ours
    holds = {
        "same medication": bool(theirs & ours),
        "same draft": bool(theirs & ours & drafts) if drafts else bool(theirs & ours),
        "same switch": bool(theirs & ours & drafts and theirs & (ours - drafts)) if drafts else bool(theirs & ours),
        "same pair": bool(orders) and orders <= theirs,
    }
    return any(
        p.absorber == a.spec and p.absorbed == b.spec and holds[p.when] and p.about in {"", a.about}
        for p in COLLAPSE_MAP
    )


FINDINGS = st.lists(
    st.tuples(
        st.sampled_from(SPECS), st.sampled_from(["critical", "warning", "info"]),
        st.frozensets(st.sampled_from(REFS), max_size=3), st.sampled_from(["shown", "shown", "shown", "silent"]),
    ),
    max_size=12,
)  # fmt: skip


@given(FINDINGS, st.frozensets(st.sampled_from(REFS[:2])))
def test_a_finding_is_absorbed_exactly_when_the_map_says_so(
    made: list[tuple[str, str, frozenset[str], str]], drafts: frozenset[str]
) -> None:
    found = [finding(*parts, n) for n, parts in enumerate(made)]
    told = {f.summary: f for f in apply_policy(found, budget=None, rank={}, drafts=drafts)}
    for one in found:
        expected = any(absorbs(other, one, drafts) for other in found if other is not one)
        assert (told[one.summary].disposition == "absorbed") == expected
    absorbed = {f.spec for f in told.values() if f.disposition == "absorbed"}
    assert {spec for f in told.values() for spec in f.absorbed} == absorbed


def test_ten_thousand_findings_are_sorted_out_in_seconds() -> None:
    found = [
        finding("C-01" if n % 2 else "A-02", "warning", frozenset({f"MedicationRequest/{n // 3}"}), "shown", n)
        for n in range(10_000)
    ]
    start = time.perf_counter()
    told = apply_policy(found, budget=3, rank={})
    assert time.perf_counter() - start < 5
    assert len(told) == 10_000
