"""What becomes of each finding: collapse map, budget, order (clinical specification 1.11, 10.1)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cds.findings import Finding, Source
from cds.policy import COLLAPSE_MAP, apply_policy


def finding(spec: str, indicator: Any = "warning", evidence: tuple[str, ...] = (), **fields: Any) -> Finding:
    return Finding(
        spec=spec,
        rule=spec.lower(),
        version="1.0.0",
        title=spec,
        level="",
        indicator=indicator,
        summary=f"summary of {spec}",
        detail="",
        source=Source("source", "https://example.org"),
        evidence=evidence,
        **fields,
    )


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.spec, f.disposition) for f in findings]


def test_critical_comes_before_warning_before_info_whatever_the_rank() -> None:
    found = [finding("I", "info"), finding("C", "critical"), finding("W", "warning")]
    assert told(apply_policy(found, budget=3, rank={"I": 1, "W": 2, "C": 3})) == [
        ("C", "shown"), ("W", "shown"), ("I", "shown"),
    ]  # fmt: skip


def test_within_one_indicator_the_lower_rank_comes_first_and_an_unranked_rule_last() -> None:
    found = [finding("A"), finding("B"), finding("C")]
    assert [f.spec for f in apply_policy(found, budget=None, rank={"C": 1, "B": 2})] == ["C", "B", "A"]


def test_findings_of_one_rule_come_by_subject() -> None:
    found = [finding("A", subject=("order/2",)), finding("A", subject=("order/1",))]
    assert [f.subject for f in apply_policy(found, budget=None, rank={})] == [("order/1",), ("order/2",)]


def test_the_order_of_arrival_changes_nothing() -> None:
    found = [
        finding("A-02", evidence=("MedicationRequest/1", "MedicationRequest/2")),
        finding("C-01", evidence=("MedicationRequest/1",)),
        finding("B-01", evidence=("MedicationRequest/3",)),
        finding("D-01", "info"),
    ]
    results = {apply_policy(order, budget=1, rank={}) for order in itertools.permutations(found)}
    assert len(results) == 1


def test_the_budget_holds_back_what_comes_last() -> None:
    found = [finding("A"), finding("B"), finding("C", "info")]
    assert told(apply_policy(found, budget=2, rank={})) == [("A", "shown"), ("B", "shown"), ("C", "budget")]


def test_a_critical_finding_is_shown_beyond_the_budget_and_uses_it_up() -> None:
    found = [finding("A", "critical"), finding("B", "critical"), finding("C")]
    assert told(apply_policy(found, budget=1, rank={})) == [("A", "shown"), ("B", "shown"), ("C", "budget")]


def test_without_a_budget_everything_is_shown() -> None:
    found = [finding(str(n), "info") for n in range(30)]
    assert {f.disposition for f in apply_policy(found, budget=None, rank={})} == {"shown"}


def test_a_silent_finding_takes_no_place_in_the_budget() -> None:
    found = [finding("A", disposition="silent"), finding("B")]
    assert told(apply_policy(found, budget=1, rank={})) == [("A", "silent"), ("B", "shown")]


def test_an_early_switch_stands_for_the_duplicate_of_the_same_draft() -> None:
    pair = finding("A-02", evidence=("MedicationRequest/old", "MedicationRequest/d1"))
    switch = finding("C-01", evidence=("MedicationDispense/f1", "MedicationRequest/old", "MedicationRequest/d1"))
    result = apply_policy([pair, switch], budget=3, rank={}, drafts=("MedicationRequest/d1",))
    assert {f.spec: f.disposition for f in result} == {"A-02": "absorbed", "C-01": "shown"}
    assert next(f for f in result if f.spec == "C-01").absorbed == ("A-02",)


def test_an_early_switch_does_not_stand_for_a_duplicate_of_another_draft() -> None:
    pair = finding("A-02", evidence=("MedicationRequest/old", "MedicationRequest/d2"))
    switch = finding("C-01", evidence=("MedicationRequest/old", "MedicationRequest/d1"))
    drafts = ("MedicationRequest/d1", "MedicationRequest/d2")
    assert {f.disposition for f in apply_policy([pair, switch], budget=3, rank={}, drafts=drafts)} == {"shown"}


def test_an_early_switch_does_not_stand_for_a_duplicate_with_a_second_old_drug_or_another_draft() -> None:
    switch = finding("C-01", evidence=("MedicationRequest/old", "MedicationRequest/d1"))
    pair = finding("A-02", evidence=("MedicationRequest/second", "MedicationRequest/d1"))
    both = finding("A-02", evidence=("MedicationRequest/d1", "MedicationRequest/d2"))
    drafts = ("MedicationRequest/d1", "MedicationRequest/d2")
    assert {f.disposition for f in apply_policy([switch, pair, both], budget=3, rank={}, drafts=drafts)} == {"shown"}


@pytest.mark.parametrize(("about", "disposition"), [("benzodiazepine", "absorbed"), ("benzodiazepine-z-drug", "shown")])
def test_only_a_pair_of_two_benzodiazepines_stands_for_their_continuous_use(about: str, disposition: str) -> None:
    shared = ("MedicationRequest/1",)
    pair = finding("A-02", "info", evidence=shared, about=about)
    result = dict(told(apply_policy([pair, finding("B-02", evidence=shared)], budget=3, rank={})))
    assert result == {"A-02": "shown", "B-02": disposition}


def test_a_shared_condition_is_no_shared_medication() -> None:
    found = [finding("A-02", evidence=("Condition/1",)), finding("B-02", evidence=("Condition/1",))]
    assert {f.disposition for f in apply_policy(found, budget=3, rank={})} == {"shown"}


def test_an_interaction_stands_only_for_a_duplicate_of_the_same_two_orders() -> None:
    interaction = finding("X-DDI-03", evidence=("MedicationRequest/1", "MedicationRequest/2", "Observation/9"))
    same = finding("A-02", evidence=("MedicationRequest/1", "MedicationRequest/2", "MedicationDispense/7"))
    other = finding("A-02", evidence=("MedicationRequest/1", "MedicationRequest/3"))
    result = apply_policy([interaction, same, other], budget=3, rank={})
    assert {f.evidence: f.disposition for f in result} == {
        interaction.evidence: "shown", same.evidence: "absorbed", other.evidence: "shown",
    }  # fmt: skip


def test_a_chain_ends_in_one_card_that_names_all_it_stands_for() -> None:
    shared = ("MedicationRequest/1",)
    found = [finding("X-DDI-02", evidence=shared), finding("A-02", evidence=shared), finding("B-02", evidence=shared)]
    (survivor,) = (f for f in apply_policy(found, budget=3, rank={}) if f.disposition == "shown")
    assert (survivor.spec, survivor.absorbed) == ("X-DDI-02", ("A-02", "B-02"))


def test_a_silent_rule_absorbs_nothing() -> None:
    shared = ("MedicationRequest/1",)
    found = [finding("C-01", evidence=shared, disposition="silent"), finding("A-02", evidence=shared)]
    assert dict(told(apply_policy(found, budget=3, rank={}))) == {"C-01": "silent", "A-02": "shown"}


def test_a_critical_finding_is_not_absorbed_by_a_milder_one() -> None:
    shared = ("MedicationRequest/1",)
    found = [finding("C-01", evidence=shared), finding("A-02", "critical", evidence=shared)]
    assert {f.disposition for f in apply_policy(found, budget=3, rank={})} == {"shown"}


def test_an_absorbed_finding_takes_no_place_in_the_budget() -> None:
    shared = ("MedicationRequest/1",)
    found = [finding("A-02", evidence=shared), finding("C-01", evidence=shared), finding("Z", "info")]
    result = dict(told(apply_policy(found, budget=2, rank={})))
    assert result == {"A-02": "absorbed", "C-01": "shown", "Z": "shown"}


@pytest.mark.parametrize("pair", COLLAPSE_MAP, ids=lambda pair: f"{pair.absorber} over {pair.absorbed}")
def test_every_pair_of_the_map_collapses_when_both_rest_on_the_same_orders(pair: Any) -> None:
    shared = ("MedicationRequest/1", "MedicationRequest/2")
    found = [finding(pair.absorber, evidence=shared, about=pair.about), finding(pair.absorbed, evidence=shared)]
    assert dict(told(apply_policy(found, budget=3, rank={}))) == {pair.absorber: "shown", pair.absorbed: "absorbed"}


def test_the_map_has_no_circle() -> None:
    absorbed_by = {(pair.absorber, pair.absorbed) for pair in COLLAPSE_MAP}
    for _ in COLLAPSE_MAP:
        absorbed_by |= {(a, d) for a, b in absorbed_by for c, d in absorbed_by if b == c}
    assert not [pair for pair in absorbed_by if pair[0] == pair[1]]
