"""Texts of cards: longest values, missing values, and hostile text of the chart."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.chart.model import Chart, Visit
from cds.decide import Decision
from cds.drugs.resolver import Resolver
from cds.drugs.table import rows
from cds.model import Fact, Match, Scalar
from cds.needs import looked_at, not_identified
from cds.render import Filler, detail, summary
from cds.rules import load_rules
from cds.rules.model import Level, Rule
from cds.rules.vocabulary import vocabulary
from cds.shipped import shipped, table
from cds.text import LONGEST_CHART_TEXT, plain

RULES, _ = load_rules()
LEVELS = [(rule, level) for rule in RULES.rules for level in rule.levels]
TODAY = dt.date(2026, 3, 2)
LABELS = sorted({row["class_label"] for row in table("class_pairs")}, key=len)
HOSTILE = "a|b\nc<script>alert(1)</script> [x](http://evil.example) www.evil.example `y` **z** _e_ ~~s~~ \x00\u202e\\|"


def longest(kind: str, name: str) -> Scalar:
    """The longest value that a field can reasonably have."""
    field = vocabulary().kinds[kind][name]
    if field.type == "boolean":
        return True
    if field.type == "code":
        return max(field.values, key=len)
    if field.type == "text":
        return LABELS[-1] if name == "class_label" else LONGEST_DRUG
    return {"date": -365.0, "days": 3660.0, "mg": 1312.5, "percent": 12345.0}.get(field.type, 365.0)


def longest_drug() -> str:
    """The longest label of any product of the table."""
    resolver = Resolver()
    products = rows(shipped("rules/drugs/products.csv"))
    labels = (resolver.resolve([(RXNORM, row["rxcui"], None)], None).label for row in products)
    return max(labels, key=len)


RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LONGEST_DRUG = longest_drug()


def decision(rule: Rule, level: Level, *, without: frozenset[str] = frozenset()) -> Decision:
    """The level, decided on facts in which every field has its longest value, or only those it compares."""
    assert level.spec is not None
    bound = {}
    for pattern in level.spec.patterns:
        fields = {n: longest(pattern.kind, n) for n in vocabulary().kinds[pattern.kind] if n not in without}
        bound[pattern.binding] = Fact(pattern.kind, f"{pattern.kind}:1", fields, ("MedicationRequest/1",))
    return Decision(rule, level, level.indicator, Match(level.spec.id, tuple(bound.values())), bound, (), (), False)


@pytest.mark.parametrize(("rule", "level"), LEVELS, ids=[f"{r.spec}-{lv.name}" for r, lv in LEVELS])
def test_the_longest_values_still_make_a_summary_that_is_whole(rule: Rule, level: Level) -> None:
    text = summary(decision(rule, level), {**RULES.shared, **rule.parameters}, TODAY)
    assert len(text.encode("utf-16-le")) // 2 <= 139
    last_words = level.summary.rstrip().rsplit("}", 1)[-1].rpartition("]")[2]
    assert text.endswith(last_words), f"drug names give way, not the sentence: {text}"


@pytest.mark.parametrize(("rule", "level"), LEVELS, ids=[f"{r.spec}-{lv.name}" for r, lv in LEVELS])
def test_a_row_of_facts_never_says_not_known(rule: Rule, level: Level) -> None:
    optional = frozenset(
        name
        for fields in vocabulary().kinds.values()
        for name, f in fields.items()
        if f.type in {"mg", "days", "score"}
    )
    made = decision(rule, level, without=optional)
    text = detail(made, {**RULES.shared, **rule.parameters}, TODAY, ())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all("not known" not in row and "[" not in row for row in rows)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "no refills"), (1, "1 refill"), (2, "2 refills"), (1.5, "1.5 refills")]
)
def test_things_are_counted_in_words(count: float, words: str) -> None:
    filler = Filler({"order": Fact("order", "o", {"refills": count})}, {}, TODAY)
    assert filler.fill("with {order.refills|refill}") == f"with {words}"


def test_a_part_in_brackets_is_left_out_when_its_value_is_not_known() -> None:
    filler = Filler({"order": Fact("order", "o", {"drug": "zolpidem", "daily_dose": 10.0})}, {}, TODAY)
    text = "{order.drug}[ {order.daily_dose} a day][, about {order.diazepam_equivalent}]"
    assert filler.fill(text) == "zolpidem 10 mg a day"
    assert filler.knows(text)
    assert not filler.knows("{order.diazepam_equivalent}")


@given(st.text(max_size=300) | st.text(alphabet="|`[]()<>*_~\\!#&:/w. \n\x00\u202e", max_size=200))
def test_text_of_the_chart_is_one_bounded_line_without_markup(text: str) -> None:
    made = plain(text)
    assert 0 < len(made) <= LONGEST_CHART_TEXT
    assert made.isprintable()
    assert not set("|`[]<>*~\\\n\r") & set(made)
    assert "://" not in made
    assert "www." not in made.lower()


def test_a_megabyte_of_text_is_shown_in_80_characters_and_in_no_time() -> None:
    assert len(plain("x y" * 400_000)) <= 80


def test_record_ids_stay_as_they_are() -> None:
    assert plain("MedicationRequest/a_b-c.d") == "MedicationRequest/a_b-c.d"


def chart(*unidentified: str) -> Chart:
    return Chart("p1", TODAY.toordinal(), None, False, unidentified=unidentified, searches={"Encounter": "complete"})


def test_names_of_unidentified_medicines_are_cleaned_and_counted() -> None:
    (one,) = not_identified(chart(HOSTILE))
    assert one.startswith("1 medicine could not be identified and was not checked: ")
    assert not set("|<>`[]*\n") & set(one)
    (many,) = not_identified(chart(*(f"drug {n}" for n in range(8))))
    assert many.startswith("8 medicines could not be identified and were not checked: drug 0; ")
    assert many.endswith("; and 3 more")


def test_a_single_visit_is_a_visit() -> None:
    one = Visit("Encounter/1", "contact", TODAY.toordinal() - 200, None, False)
    seen = Chart("p1", TODAY.toordinal(), None, False, visits=(one,), searches={"Encounter": "complete"})
    assert looked_at(["encounters"], seen) == ("encounters: searched, 1 visit",)
