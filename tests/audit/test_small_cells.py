"""No count of few people can be worked out from what is published: found by trying every table that fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.audit.outputs.small_cells import (
    FEW,
    HIDDEN,
    NONE,
    Atoms,
    Count,
    Row,
    Shown,
    ShownAtoms,
    ShownRow,
    check_min_cell,
    protect,
    protect_parts,
    protect_rows,
)
from cds.errors import CdsError


def people(n: int) -> Count:
    return Count(n, n)


def atoms(found: int, clear: int, not_evaluated: int = 0, not_applicable: int = 0) -> Atoms:
    return Atoms(people(found), people(clear), people(not_evaluated), people(not_applicable))


def row(name: str, in_scope: int, found: int) -> Row:
    return Row(name, people(found), people(in_scope - found))


def test_large_counts_and_zeros_are_shown() -> None:
    shown = protect(atoms(30, 40, 0, 50), 11)
    assert shown == ShownAtoms(Shown(120), Shown(70), Shown(30), Shown(40), Shown(0), Shown(50))


def test_ten_found_are_few_and_eleven_are_shown() -> None:
    assert protect(atoms(10, 90), 11).found == FEW
    assert protect(atoms(11, 90), 11).found == Shown(11)


def test_what_was_not_found_is_hidden_with_what_was_so_that_the_difference_tells_nothing() -> None:
    shown = protect(atoms(4, 96, 0, 50), 11)
    assert (shown.in_scope, shown.found, shown.clear, shown.not_applicable) == (Shown(100), FEW, HIDDEN, Shown(50))


def test_nearly_all_found_hides_the_number_found_as_well() -> None:
    shown = protect(atoms(96, 4, 0, 50), 11)
    assert (shown.in_scope, shown.found, shown.clear) == (Shown(100), HIDDEN, HIDDEN)


def test_few_in_scope_hide_those_out_of_scope_as_well() -> None:
    shown = protect(atoms(2, 3, 40, 55), 11)
    assert (shown.in_scope, shown.found, shown.not_applicable) == (HIDDEN, FEW, HIDDEN)
    assert shown.not_evaluated == Shown(40)


def test_of_fewer_people_than_the_threshold_nothing_is_shown_but_zeros() -> None:
    assert protect(atoms(0, 4, 3, 3), 11) == ShownAtoms(FEW, HIDDEN, Shown(0), HIDDEN, HIDDEN, HIDDEN)


def test_without_a_threshold_everything_is_shown() -> None:
    shown = protect(atoms(1, 2, 3, 4), 1)
    assert shown == ShownAtoms(Shown(10), Shown(3), Shown(1), Shown(2), Shown(3), Shown(4))


def test_many_orders_of_few_people_are_few() -> None:
    found = Count(30, 3)
    shown = protect(Atoms(found, Count(300, 200), NONE, Count(500, 400)), 11)
    assert shown.found.value is None
    assert shown.in_scope == Shown(330)


@pytest.mark.parametrize("min_cell", [2, 3, 4])
def test_a_threshold_that_hides_next_to_nothing_is_refused(min_cell: int) -> None:
    with pytest.raises(CdsError, match="5 or more"):
        check_min_cell(min_cell)


def every_table(total: int) -> Iterator[tuple[int, int, int, int]]:
    for found in range(total + 1):
        for clear in range(total + 1 - found):
            for missed in range(total + 1 - found - clear):
                yield found, clear, missed, total - found - clear - missed


@pytest.mark.parametrize("total", [5, 6, 7, 9, 11, 13, 16, 19, 22])
def test_who_knows_the_method_and_tries_every_table_finds_no_small_count(total: int) -> None:
    """Tables with one publication are what an observer cannot tell apart: none may agree on a small count."""
    alike: defaultdict[ShownAtoms, list[tuple[int, int, int, int]]] = defaultdict(list)
    for table in every_table(total):
        alike[protect(atoms(*table), 5)].append(table)
    assert len(alike) > 1
    for tables in alike.values():
        for counted in (*range(4), slice(0, 2), slice(2, 4)):
            values = {sum(t[counted]) if isinstance(counted, slice) else t[counted] for t in tables}
            assert len(values) > 1 or not 0 < values.pop() < 5, tables


@pytest.mark.parametrize("sizes", [(9, 12), (20, 20), (7, 8, 9), (10, 12, 12), (5, 6, 13), (9, 10, 16)])
def test_who_knows_the_method_finds_no_small_count_of_a_unit(sizes: tuple[int, ...]) -> None:
    """The sizes of the units are known to the observer; what was found in each is not."""
    alike: defaultdict[object, list[tuple[int, ...]]] = defaultdict(list)
    for found in product(*(range(n + 1) for n in sizes)):
        rows = [row("abc"[i], n, found[i]) for i, n in enumerate(sizes)]
        totals = protect(atoms(sum(found), sum(sizes) - sum(found), 0, 500), 5)
        alike[totals, tuple(protect_rows(rows, totals, 5))].append(found)
    for tables in alike.values():
        for i, n in enumerate(sizes):
            for values in ({t[i] for t in tables}, {n - t[i] for t in tables}):
                assert len(values) > 1 or not 0 < next(iter(values)) < 5, tables


units = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8)


@given(units)
def test_no_small_count_follows_by_sums_and_differences(counts: list[tuple[int, int]]) -> None:
    """Every published number as an equation over the unknown cells; what they fix is read off by elimination."""
    rows = [Row(f"u{i}", people(found), people(clear)) for i, (found, clear) in enumerate(counts)]
    totals = protect(atoms(sum(f for f, _ in counts), sum(c for _, c in counts), 0, 200), 11)
    truth = [value for pair in counts for value in pair]
    for vector, value in fixed(equations(counts, totals, protect_rows(rows, totals, 11))):
        counted = sum(c * t for c, t in zip(vector, truth, strict=True))
        assert value == counted
        assert all(not 0 < t < 11 for c, t in zip(vector, truth, strict=True) if sum(map(abs, vector)) == 1 and c)


def equations(
    counts: list[tuple[int, int]], totals: ShownAtoms, shown: list[ShownRow]
) -> list[tuple[list[Fraction], Fraction]]:
    """One row for each published number: coefficients of found and clear of each unit, and the number."""
    width = 2 * len(counts)

    def over(cells: Iterator[int], value: int | None) -> list[tuple[list[Fraction], Fraction]]:
        chosen = set(cells)
        return [([Fraction(n in chosen) for n in range(width)], Fraction(value))] if value is not None else []

    told = [
        *over(iter(range(width)), totals.in_scope.value),
        *over(iter(range(0, width, 2)), totals.found.value),
        *over(iter(range(1, width, 2)), totals.clear.value),
    ]
    single = {int(r.name[1:]): r for r in shown if not r.pooled}
    pooled = [i for i in range(len(counts)) if i not in single and sum(counts[i])]
    for i, one in single.items():
        told += over(iter((2 * i, 2 * i + 1)), one.in_scope.value) + over(iter((2 * i,)), one.found.value)
    for one in (r for r in shown if r.pooled):
        assert one.pooled == len(pooled)
        told += over((c for i in pooled for c in (2 * i, 2 * i + 1)), one.in_scope.value)
        told += over((2 * i for i in pooled), one.found.value)
    return told


def fixed(system: list[tuple[list[Fraction], Fraction]]) -> list[tuple[list[Fraction], Fraction]]:
    """The system in reduced row echelon form: a row with one coefficient left fixes a cell."""
    rows = [(list(v), x) for v, x in system]
    done = 0
    for column in range(len(rows[0][0]) if rows else 0):
        pivot = next((r for r in range(done, len(rows)) if rows[r][0][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        scale = rows[done][0][column]
        rows[done] = ([c / scale for c in rows[done][0]], rows[done][1] / scale)
        for r in range(len(rows)):
            if r != done and (factor := rows[r][0][column]):
                rows[r] = (
                    [a - factor * b for a, b in zip(rows[r][0], rows[done][0], strict=True)],
                    rows[r][1] - factor * rows[done][1],
                )
        done += 1
    return rows[:done]


def test_units_with_few_in_scope_are_one_row() -> None:
    rows = [row("North", 40, 20), row("South", 50, 25), row("Hill", 6, 0), row("Lane", 7, 0)]
    shown = protect_rows(rows, protect(atoms(45, 58, 0, 100), 11), 11)
    assert shown == [
        ShownRow("North", Shown(40), Shown(20)),
        ShownRow("South", Shown(50), Shown(25)),
        ShownRow("", Shown(13), Shown(0), pooled=2),
    ]


def test_one_small_unit_takes_the_smallest_of_the_others_into_the_pool() -> None:
    rows = [row("North", 40, 20), row("South", 50, 25), row("Hill", 6, 0)]
    shown = protect_rows(rows, protect(atoms(45, 51, 0, 100), 11), 11)
    assert shown == [ShownRow("South", Shown(50), Shown(25)), ShownRow("", Shown(46), Shown(20), pooled=2)]


def test_units_with_few_findings_say_only_who_was_in_scope() -> None:
    rows = [row("North", 40, 20), row("South", 50, 3), row("Hill", 60, 9)]
    shown = protect_rows(rows, protect(atoms(32, 118, 0, 100), 11), 11)
    assert shown == [
        ShownRow("North", Shown(40), Shown(20)),
        ShownRow("South", Shown(50), HIDDEN),
        ShownRow("Hill", Shown(60), HIDDEN),
    ]


def test_parts_of_a_hidden_number_are_not_shown() -> None:
    assert protect_parts({"a": people(4)}, FEW, 11) == ([], 0, 0)


def test_small_parts_are_added_together() -> None:
    parts = {"a": people(40), "b": people(6), "c": people(7)}
    assert protect_parts(parts, Shown(53), 11) == ([("a", 40)], 2, 13)


def test_one_small_part_takes_the_smallest_of_the_others() -> None:
    parts = {"a": people(40), "b": people(6), "c": people(20)}
    assert protect_parts(parts, Shown(66), 11) == ([("a", 40)], 2, 26)
