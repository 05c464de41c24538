"""What a rule could not know, and what came nearest."""

from __future__ import annotations

from cds.engine.explain import NearMiss, Unknown, UnknownFinder, near_miss, unknowns
from cds.model import Comparison, Fact, FieldRef, Pattern, RuleSpec, Scalar

OF_CLASS = Comparison("therapeutic_class", "is", "benzodiazepine", line=4)
LONG = Comparison("duration_days", "at least", 28.0, line=5)
COURSE = Pattern("course", "episode", (OF_CLASS, LONG), line=3)
TOO_LONG = RuleSpec("too-long", (COURSE,))
SAME_CLASS = Comparison("therapeutic_class", "is", FieldRef("order", "therapeutic_class"), line=8)
OTHER_DRUG = Comparison("ingredient", "is not", FieldRef("order", "ingredient"), line=9)
DUPLICATE = RuleSpec(
    "duplicate", (Pattern("order", "order", line=6), Pattern("active", "medication", (SAME_CLASS, OTHER_DRUG), line=7))
)


def fact(ref: str, kind: str = "episode", **fields: Scalar) -> Fact:
    return Fact(kind, ref, fields)


def course(ref: str = "e1", **fields: Scalar) -> Fact:
    return fact(ref, therapeutic_class="benzodiazepine", **fields)


def test_a_missing_field_that_alone_decides_is_unknown() -> None:
    assert unknowns(TOO_LONG, [course()]) == [Unknown("course", "episode", "duration_days", "e1")]


def test_nothing_is_unknown_when_the_rule_matches_or_fails_for_certain() -> None:
    assert unknowns(TOO_LONG, [course(duration_days=30.0)]) == []
    assert unknowns(TOO_LONG, [course(duration_days=27.0)]) == []
    assert unknowns(TOO_LONG, [fact("e1", therapeutic_class="ssri")]) == []
    assert unknowns(TOO_LONG, []) == []


def test_an_unknown_fact_beside_a_matching_one_is_still_unknown() -> None:
    found = unknowns(TOO_LONG, [course("e1", duration_days=30.0), course("e2")])
    assert found == [Unknown("course", "episode", "duration_days", "e2")]


def test_a_value_of_the_wrong_type_is_false_rather_than_unknown() -> None:
    assert unknowns(TOO_LONG, [course(duration_days="long")]) == []


def test_a_missing_field_on_the_other_side_of_a_join_is_that_facts() -> None:
    facts = [
        fact("o", "order", therapeutic_class="ssri"),
        fact("m", "medication", therapeutic_class="ssri", ingredient="x"),
    ]
    assert unknowns(DUPLICATE, facts) == [Unknown("order", "order", "ingredient", "o")]


def test_a_join_that_fails_for_certain_hides_what_else_is_missing() -> None:
    facts = [fact("o", "order", therapeutic_class="ssri"), fact("m", "medication", therapeutic_class="snri")]
    assert unknowns(DUPLICATE, facts) == []


def test_an_absence_that_holds_for_certain_leaves_nothing_unknown() -> None:
    planned = Pattern("plan", "taper", (Comparison("of", "is", FieldRef("course", "drug")),))
    spec = RuleSpec("r", (COURSE,), (planned,))
    missing = [Unknown("course", "episode", "duration_days", "e1")]
    assert unknowns(spec, [course(drug="x"), fact("t", "taper", of="x")]) == []
    assert unknowns(spec, [course(drug="x"), fact("t", "taper", of="y")]) == missing
    assert (
        unknowns(spec, [course(drug="x"), fact("t", "taper")]) == missing
    )  # an absence that may hold silences nothing


def test_a_group_is_unknown_when_members_it_may_have_would_make_it_large_enough() -> None:
    spec = RuleSpec("r", (Pattern("many", "episode", (LONG,), at_least=2),))
    long, short, perhaps = fact("1", duration_days=30.0), fact("2", duration_days=3.0), fact("3")
    assert unknowns(spec, [long, short, perhaps]) == [Unknown("many", "episode", "duration_days", "3")]
    assert unknowns(spec, [short, perhaps]) == []
    assert unknowns(spec, [long, fact("4", duration_days=28.0), perhaps]) == []


def test_many_rules_are_answered_by_their_ids() -> None:
    finder = UnknownFinder([TOO_LONG, DUPLICATE])
    assert finder.find([course()]) == {"too-long": [Unknown("course", "episode", "duration_days", "e1")]}


def test_a_rule_that_matches_has_no_near_miss() -> None:
    assert near_miss(TOO_LONG, [course(duration_days=28.0)]) is None


def test_the_comparison_that_failed_is_named_with_both_values() -> None:
    assert near_miss(TOO_LONG, [course(duration_days=27.0)]) == NearMiss(
        "comparison", "course", "episode", 5, 0, comparison=LONG, fact="e1", actual=27.0, wanted=28.0
    )


def test_a_missing_field_is_a_comparison_that_failed() -> None:
    nearest = near_miss(TOO_LONG, [course()])
    assert nearest is not None
    assert (nearest.line, nearest.actual, nearest.wanted) == (5, None, 28.0)


def test_the_fact_with_the_fewest_failing_comparisons_is_the_nearest() -> None:
    nearest = near_miss(
        TOO_LONG, [fact("a", therapeutic_class="ssri", duration_days=1.0), course("b", duration_days=2.0)]
    )
    assert nearest is not None
    assert (nearest.fact, nearest.line) == ("b", 5)


def test_more_patterns_bound_come_before_fewer_failing_comparisons() -> None:
    # With o1 the medication fails twice; with o2 the order itself fails once, and the medication once.
    order = Pattern("order", "order", (Comparison("status", "is", "draft", line=2),), line=1)
    spec = RuleSpec("r", (order, Pattern("active", "medication", (SAME_CLASS, OTHER_DRUG))))
    facts = [
        fact("o1", "order", status="draft", therapeutic_class="ssri", ingredient="x"),
        fact("o2", "order", status="old", therapeutic_class="snri", ingredient="x"),
        fact("m", "medication", therapeutic_class="snri", ingredient="x"),
    ]
    nearest = near_miss(spec, facts)
    assert nearest is not None
    assert (nearest.bound, nearest.binding, nearest.line, nearest.wanted) == (1, "active", 8, "ssri")


def test_the_value_wanted_of_a_join_includes_its_offset() -> None:
    window = Comparison("date", "at most", FieldRef("course", "start", 30.0), line=9)
    spec = RuleSpec("r", (Pattern("course", "episode"), Pattern("visit", "encounter", (window,))))
    nearest = near_miss(spec, [fact("e", start=-40.0), fact("v", "encounter", date=-3.0)])
    assert nearest is not None
    assert (nearest.actual, nearest.wanted, nearest.bound) == (-3.0, -10.0, 1)


def test_a_pattern_without_a_fact_of_its_kind_is_named() -> None:
    assert near_miss(DUPLICATE, [fact("o", "order")]) == NearMiss("no fact", "active", "medication", 7, 1)


def test_a_fact_that_is_bound_already_does_not_count_for_a_second_pattern() -> None:
    spec = RuleSpec("r", (Pattern("a", "episode", line=1), Pattern("b", "episode", line=2)))
    assert near_miss(spec, [fact("e")]) == NearMiss("no fact", "b", "episode", 2, 1)


def test_what_silenced_the_rule_is_named_with_its_line_and_fact() -> None:
    planned = Pattern("plan", "taper", (Comparison("of", "is", FieldRef("course", "drug")),), line=11)
    spec = RuleSpec("r", (COURSE,), (Pattern("visit", "encounter", line=10), planned))
    facts = [course(duration_days=30.0, drug="x"), fact("t1", "taper", of="y"), fact("t2", "taper", of="x")]
    assert near_miss(spec, facts) == NearMiss("silenced", "plan", "taper", 11, 1, fact="t2")


def test_a_group_that_is_too_small_names_its_size_and_the_nearest_outsider() -> None:
    spec = RuleSpec("r", (Pattern("many", "episode", (LONG,), at_least=2, line=2),))
    assert near_miss(spec, [fact("1", duration_days=30.0), fact("2", duration_days=27.0)]) == NearMiss(
        "too few", "many", "episode", 5, 0, LONG, "2", 27.0, 28.0, found=1, needed=2
    )
    assert near_miss(spec, [fact("1", duration_days=30.0)]) == NearMiss(
        "too few", "many", "episode", 2, 0, found=1, needed=2
    )


def test_the_near_miss_does_not_depend_on_the_order_of_facts() -> None:
    facts = [course(f"e{number}", duration_days=float(number)) for number in range(5)]
    assert near_miss(TOO_LONG, facts) == near_miss(TOO_LONG, facts[::-1])


def test_many_facts_of_one_kind_are_searched_in_time() -> None:
    pairs = tuple(Pattern(f"p{n}", "episode", (Comparison("duration_days", "at least", 1_000.0),)) for n in range(3))
    nearest = near_miss(RuleSpec("r", pairs), [course(f"e{n:03}", duration_days=float(n)) for n in range(300)])
    assert nearest is not None
    assert nearest.fact == "e000"
