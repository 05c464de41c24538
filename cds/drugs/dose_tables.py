"""Dose limits and diazepam equivalents (clinical specification 1.6), as rules/drugs/*.csv keep them, marks and all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from cds.drugs.table import rows
from cds.shipped import shipped

Mark = Literal["V", "U", "P"]
_ADULT = 18


@dataclass(frozen=True, slots=True)
class DoseLimit:
    """One limit of an ingredient.

    unit: "mg/d", or "mg/24 h" for a patch. mark: V read in a source, U not confirmed, P project default.
    param_low, param_high: the range within which a site may move the value; None where it may not.
    """

    value: Decimal
    unit: str
    mark: Mark
    source: str
    note: str = ""
    param_low: Decimal | None = None
    param_high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    form: str
    min_age: int | None
    max_age: int | None
    inpatient: bool
    limit: DoseLimit


def minimum_effective(ingredient: str, *, form: str | None, age: int | None) -> DoseLimit | None:
    """The minimum usual effective dose of an adult; the lowest of the forms when the form is not known.

    None below 18 (all values are for adults) and for drugs without a value. form: as in `Medication`.
    """
    if age is not None and age < _ADULT:
        return None
    return _pick(list(_fitting(ingredient, "MED", form, age, inpatient=False)), highest=False)


def maximum(ingredient: str, *, form: str | None, age: int | None, inpatient: bool = False) -> DoseLimit | None:
    """The ceiling; the highest of the forms when the form is not known, so that an excess is never claimed wrongly.

    None for drugs without one, and below 18 without a paediatric one. Without an age, age rows do not apply.
    The lower ceiling of the old wins over the higher one of inpatients.
    """
    found = list(_fitting(ingredient, "MAX", form, age, inpatient=inpatient))
    if age is not None and age < _ADULT:
        found = [row for row in found if row.max_age is not None]
    return _pick(found, highest=True)


def information_above(ingredient: str, *, form: str | None, age: int | None) -> DoseLimit | None:
    """A dose above which only an information is wanted (escitalopram from 65, extended-release venlafaxine)."""
    found = [row for row in _fitting(ingredient, "INFO", form, age, inpatient=False) if form or not row.form]
    return None if age is not None and age < _ADULT else _pick(found, highest=True)


def diazepam_equivalents(ingredient: str, mg: Decimal) -> dict[str, Decimal] | None:
    """mg of diazepam that a dose equals, by column ("va_dod", "ashton"); None for drugs without an equivalent."""
    per_ten = _equivalents().get(ingredient)
    return None if per_ten is None else {column: mg * 10 / value for column, value in per_ten.items()}


def _fitting(ingredient: str, limit: str, form: str | None, age: int | None, *, inpatient: bool) -> Iterator[_Row]:
    kinds = _form_kinds(form)
    for row in _limits().get((ingredient, limit), ()):
        if row.form and form and row.form not in kinds:
            continue
        if row.inpatient and not inpatient:
            continue
        if row.min_age is not None and (age is None or age < row.min_age):
            continue
        if row.max_age is not None and (age is None or age > row.max_age):
            continue
        # A patch has nothing to do with milligrams by mouth: it takes part only where the form says so.
        if row.form != "patch" if "patch" in kinds else row.form == "patch":
            continue
        yield row


def _pick(found: list[_Row], *, highest: bool) -> DoseLimit | None:
    """The most particular rows first: age, then setting, then form; among equals the highest or the lowest value."""
    for particular in (
        lambda r: r.min_age is not None or r.max_age is not None,
        lambda r: r.inpatient,
        lambda r: bool(r.form),
    ):
        narrowed = [row for row in found if particular(row)]
        found = narrowed or found
    limits = [row.limit for row in found]
    if not limits:
        return None
    return max(limits, key=lambda x: x.value) if highest else min(limits, key=lambda x: x.value)


def _form_kinds(form: str | None) -> frozenset[str]:
    """How the dose table names an RxNorm dose form ("24 HR Extended Release Oral Tablet": extended, 24 h)."""
    if not form:
        return frozenset()
    if "Transdermal" in form or "Patch" in form:
        return frozenset({"patch"})
    if "Extended Release" not in form:
        return frozenset({"immediate"})
    hours = {f"{n} h" for n in ("12", "24") if form.startswith(f"{n} HR")}
    return frozenset({"extended", *hours})


@cache
def _limits() -> dict[tuple[str, str], list[_Row]]:
    found: dict[tuple[str, str], list[_Row]] = {}
    for row in rows(shipped("rules/drugs") / "doses.csv"):
        mark: Mark = "V" if row["mark"] == "V" else "P" if row["mark"] == "P" else "U"
        limit = DoseLimit(
            value=Decimal(row["value"]),
            unit=row["unit"],
            mark=mark,
            source=row["source"],
            note=row["note"],
            param_low=Decimal(row["param_low"]) if row["param_low"] else None,
            param_high=Decimal(row["param_high"]) if row["param_high"] else None,
        )
        found.setdefault((row["ingredient"], row["limit"]), []).append(
            _Row(
                form=row["form"],
                min_age=int(row["min_age"]) if row["min_age"] else None,
                max_age=int(row["max_age"]) if row["max_age"] else None,
                inpatient=row["setting"] == "inpatient",
                limit=limit,
            )
        )
    return found


@cache
def unconfirmed_equivalent(ingredient: str) -> bool:
    """Whether the diazepam equivalent that single figures use (VA/DoD) was not read in a source: mark U."""
    table = rows(shipped("rules/drugs") / "benzodiazepine_equivalents.csv")
    return any(row["ingredient"] == ingredient and row["va_dod_mark"] == "U" for row in table)


@cache
def _equivalents() -> dict[str, dict[str, Decimal]]:
    return {
        row["ingredient"]: {column: Decimal(row[column]) for column in ("va_dod", "ashton")}
        for row in rows(shipped("rules/drugs") / "benzodiazepine_equivalents.csv")
    }
