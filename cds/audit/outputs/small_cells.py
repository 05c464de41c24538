"""Small cells: which counts may be shown, so that nobody can work out a count of few people from what is shown.

A count of 1 to `min_cell` - 1 people is small; 0 is not. Instead of hiding a cell and then looking for others that give
it away, counts are merged until nothing small is left: what is published are sums over the blocks of one partition, and
every block is 0 or holds at least `min_cell` people. Any sum or difference of published numbers is then made of such
blocks too.

One rule, one table: everybody the rule was asked about is in one of four atoms (`Atoms`), and each published number is
a union of blocks. A block of k atoms holds at least k x `min_cell` - 1, and what is merged with what depends on no
number but 0, so that who knows this method learns no more than who does not. Where a block hides a small number that
matters, that one is called "1 to 10": the rest of the block can take up every value of it.

Strata (units, months) split the people in scope and those found. Their rows are pooled: rows with too few in scope go
into one pool; of the others a row shows its findings when both parts (found, not found) are large enough or 0, and all
that do not are known only by their sum. What is left to an observer is a table of r rows and two columns of which the
margins are known; there the bounds of Fréchet are sharp, and the least width of a hidden cell is
min(found, not found, own row, other rows) of what is pooled: `min_cell` or more, by construction. One more check keeps
a sum from lying at the end of what small numbers can add up to.
Sources: Fréchet bounds of a two-way table: Dobra & Fienberg, PNAS 97:11885, 2000; threshold 11: CMS cell size policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cds.errors import CdsError

DEFAULT_MIN_CELL = 11
LEAST_MIN_CELL = 5
Atom = Literal["found", "clear", "not_evaluated", "not_applicable"]


def check_min_cell(min_cell: int) -> int:
    """Below 5 a hidden "1 to 3" says what it hides. Raises CdsError."""
    if min_cell != 1 and min_cell < LEAST_MIN_CELL:
        raise CdsError(f"--min-cell: {min_cell} hides nothing worth hiding (write 1 to show every count, or 5 or more)")
    return min_cell


@dataclass(frozen=True, slots=True)
class Count:
    """A counted thing (a patient, or an order of a replay) and the number of people behind it."""

    value: int
    people: int


NONE = Count(0, 0)


@dataclass(frozen=True, slots=True)
class Shown:
    """A number as it may be published: `value`, or None when hidden; `few`: known to be 1 to `min_cell` - 1."""

    value: int | None
    few: bool = False


HIDDEN = Shown(None)
FEW = Shown(None, few=True)


@dataclass(frozen=True, slots=True)
class Atoms:
    """Everybody a rule was asked about, by what came of it; the four add up to all."""

    found: Count
    clear: Count
    not_evaluated: Count
    not_applicable: Count

    def of(self, names: Sequence[Atom]) -> Count:
        parts = [getattr(self, name) for name in names]
        people = max((part.people for part in parts), default=0)
        value = sum(part.value for part in parts)
        # Where each is counted once, value and people are one number, and the people of a union are the sum.
        return Count(value, value if all(part.value == part.people for part in parts) else people)


@dataclass(frozen=True, slots=True)
class ShownAtoms:
    """What is published of a rule."""

    everybody: Shown
    in_scope: Shown
    found: Shown
    clear: Shown
    not_evaluated: Shown
    not_applicable: Shown


_BESIDE: Mapping[Atom, tuple[Atom, ...]] = {
    "found": ("clear", "not_applicable", "not_evaluated"),
    "clear": ("found", "not_applicable", "not_evaluated"),
    "not_evaluated": ("not_applicable", "clear", "found"),
    "not_applicable": ("not_evaluated", "clear", "found"),
}
_NAMES: tuple[Atom, ...] = ("found", "clear", "not_evaluated", "not_applicable")
_IN_SCOPE: tuple[Atom, ...] = ("found", "clear")
_COUNTED: tuple[tuple[Atom, ...], ...] = (*((name,) for name in _NAMES), _IN_SCOPE)
_Block = frozenset[Atom]


def is_small(count: Count, min_cell: int) -> bool:
    return 0 < count.people < min_cell or (count.people == 0 and count.value > 0)


def protect(atoms: Atoms, min_cell: int) -> ShownAtoms:
    """Merge atoms until no block is small; of fewer than `min_cell` people nothing is shown but zeros."""
    if is_small(atoms.of(_NAMES), min_cell):
        known = {names: HIDDEN if atoms.of(names).value else Shown(0) for names in _COUNTED}
        return _shown_atoms(FEW, known)
    nonzero = [name for name in _NAMES if atoms.of((name,)).value]
    blocks: list[_Block] = [frozenset({name}) for name in nonzero]
    while len(blocks) > 1 and (small := [b for b in blocks if _tells(atoms, b, min_cell)]):
        block = next(b for name in _NAMES for b in small if name in b)
        partner = _partner(block, [b for b in blocks if b != block])
        blocks = [b for b in blocks if b not in (block, partner)] + [block | partner]
    shown = {names: _published(atoms, frozenset(names), blocks) for names in _COUNTED}
    few = _few(atoms, blocks, min_cell)
    marked = {names: FEW if names in few else value for names, value in shown.items()}
    return _shown_atoms(Shown(atoms.of(_NAMES).value), marked)


def _shown_atoms(everybody: Shown, counted: Mapping[tuple[Atom, ...], Shown]) -> ShownAtoms:
    return ShownAtoms(
        everybody,
        counted[_IN_SCOPE],
        counted[("found",)],
        counted[("clear",)],
        counted[("not_evaluated",)],
        counted[("not_applicable",)],
    )


def _tells(atoms: Atoms, block: _Block, min_cell: int) -> bool:
    """Whether a block is too small to be shown.

    One that was merged has to leave room for each value of what is hidden in it: who knows that one part of 11 is small
    and that the other, not being called small, is not, would know both.
    """
    return is_small(_sum(atoms, block), min_cell if len(block) == 1 else len(block) * min_cell - 1)


def _sum(atoms: Atoms, block: _Block) -> Count:
    return atoms.of(sorted(block))


def _partner(block: _Block, others: Sequence[_Block]) -> _Block:
    """What goes with a block: its sibling, so that the number in scope stays known, then what is usually largest.

    The order depends on no number, so that it tells nothing of them.
    """
    wanted = (name for first in _NAMES if first in block for name in _BESIDE[first])
    return next(other for name in wanted for other in others if name in other)


def _published(atoms: Atoms, names: frozenset[Atom], blocks: Sequence[_Block]) -> Shown:
    names = frozenset(name for name in names if atoms.of((name,)).value)
    if frozenset().union(*(block for block in blocks if block <= names)) != names:
        return HIDDEN
    return Shown(_sum(atoms, names).value)


def _few(atoms: Atoms, blocks: Sequence[_Block], min_cell: int) -> set[tuple[Atom, ...]]:
    """The numbers that are called "1 to 10": of each block at most one, in this order of worth.

    Only where each counts people: then any of its values leaves the rest of its block at least one.
    """
    marked: dict[_Block, tuple[Atom, ...]] = {}
    for names in (("found",), _IN_SCOPE, ("not_evaluated",)):
        count = atoms.of(names)
        if is_small(count, min_cell) and count.value < min_cell and count.value == count.people:
            inside = frozenset(name for name in names if atoms.of((name,)).value)
            for block in (b for b in blocks if inside < b and not _tells(atoms, b, min_cell)):
                marked.setdefault(block, names)
    return set(marked.values())


@dataclass(frozen=True, slots=True)
class Row:
    """A stratum: who was in scope, of whom something was found for `found` and nothing for `clear`.

    people: those in scope, where some of them have both (orders of a replay); None: what the two add up to.
    """

    name: str
    found: Count
    clear: Count
    people: int | None = None

    @property
    def in_scope(self) -> Count:
        together = Atoms(self.found, self.clear, NONE, NONE).of(_IN_SCOPE)
        return together if self.people is None else Count(together.value, self.people)


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A stratum as published; `pooled`: how many strata this row stands for (0: itself)."""

    name: str
    in_scope: Shown
    found: Shown
    pooled: int = 0


def protect_rows(rows: Sequence[Row], totals: ShownAtoms, min_cell: int, *, whole: Row | None = None) -> list[ShownRow]:
    """Strata of what a rule has in scope, those of enough people by themselves and the rest as one last row.

    totals: what is published of the rule; where the number in scope is hidden there are no strata at all, and where
    what was found is hidden no stratum shows it. whole: all rows together, where people can be in several of them.
    """
    if totals.in_scope.value is None:
        return []
    strata = _Strata([row for row in rows if row.in_scope.value], whole, min_cell)
    kept, pool = strata.pooled(lambda row: row.in_scope)
    closed = {row.name for row in kept}
    if totals.found.value is not None:
        closed = strata.closed(kept, pool)
    shown = [
        ShownRow(r.name, Shown(r.in_scope.value), HIDDEN if r.name in closed else Shown(r.found.value)) for r in kept
    ]
    if pool:
        known = totals.found.value is not None and not closed
        found = Shown(sum(r.found.value for r in pool)) if known else HIDDEN
        shown.append(ShownRow("", Shown(sum(r.in_scope.value for r in pool)), found, pooled=len(pool)))
    return shown


def protect_parts(parts: Mapping[str, Count], total: Shown, min_cell: int) -> tuple[list[tuple[str, int]], int, int]:
    """The parts of one published number: those that may be shown, then how many others there are, and their sum.

    Nothing is shown of a number that is hidden itself.
    """
    if total.value is None:
        return [], 0, 0
    rows = [Row(name, count, NONE) for name, count in parts.items() if count.value]
    kept, pool = _Strata(rows, None, min_cell).pooled(lambda row: row.found)
    return [(row.name, row.found.value) for row in kept], len(pool), sum(row.found.value for row in pool)


@dataclass(frozen=True, slots=True)
class _Strata:
    """The rows of one table. whole: all of them together; None: nobody is in two of them, or nobody knows."""

    rows: list[Row]
    whole: Row | None
    min_cell: int

    def small(self, together: Sequence[Row], of: Callable[[Row], Count]) -> bool:
        """Whether rows are of few people even together."""
        counts = [of(row) for row in together]
        value = sum(count.value for count in counts)
        people = value
        if any(count.value != count.people for count in counts):
            # Orders of a replay: as many people as in the largest row, and as are in none of the other rows.
            others = sum(of(row).people for row in self.rows if all(row is not one for one in together))
            elsewhere = of(self.whole).people - others if self.whole is not None else 0
            people = max(elsewhere, *(count.people for count in counts))
        return is_small(Count(value, people), self.min_cell)

    def pooled(self, of: Callable[[Row], Count]) -> tuple[list[Row], list[Row]]:
        """Rows large enough, and those that go together; a pool that is still small takes the smallest row as well."""
        kept = [row for row in self.rows if not is_small(of(row), self.min_cell)]
        pool = [row for row in self.rows if is_small(of(row), self.min_cell)]
        while pool and self.small(pool, of):
            large = [row for row in kept if of(row).value]
            if not large:
                return [], self.rows
            smallest = min(large, key=lambda row: (of(row).value, row.name))
            kept.remove(smallest)
            pool.append(smallest)
        return kept, pool

    def closed(self, kept: Sequence[Row], pool: Sequence[Row]) -> set[str]:
        """Names of the rows that show who was in scope, but not what was found."""
        tell = [row for row in kept if is_small(row.found, self.min_cell) or is_small(row.clear, self.min_cell)]
        others = self._covers([row for row in kept if all(row is not one for one in tell)], tell)
        joined: list[Row] = []
        while tell or pool:
            free = [*joined, *pool]
            together = [*tell, *free]
            sums_tell = self.small(together, lambda row: row.found) or self.small(together, lambda row: row.clear)
            if not sums_tell and self._have_company(tell, together) and self._can_trade(tell, free):
                break
            if not others:
                return {row.name for row in kept}
            joined.append(others.pop(0))
        return {row.name for row in (*tell, *joined)}

    def _covers(self, others: Sequence[Row], tell: Sequence[Row]) -> list[Row]:
        """Rows to hide along with those that tell: the smallest that is as large as they are, else the largest.

        A smaller one could not have had what is hidden in them, which would show who goes along with whom.
        """
        least = max([2 * self.min_cell - 1, *(row.in_scope.value for row in tell)])

        def order(row: Row) -> tuple[bool, int, str]:
            size = row.in_scope.value
            return size < least, size if size >= least else -size, row.name

        return sorted(others, key=order)

    def _have_company(self, closed: Sequence[Row], together: Sequence[Row]) -> bool:
        """Whether beside each closed row enough others are known by their sum alone."""
        return all(
            len(together) > 1 and not self.small([o for o in together if o is not row], lambda o: o.in_scope)
            for row in closed
        )

    def _can_trade(self, closed: Sequence[Row], free: Sequence[Row]) -> bool:
        """Whether each closed row could have one more, or one less, and another row the opposite, and look the same.

        Who knows the method knows that one side of a closed row is small. At the ends of that a sum tells the parts:
        two numbers of at most 10 that add up to 20.
        """

        def looks_closed(row: Row, found: int) -> bool:
            return 0 < found < self.min_cell or 0 < row.in_scope.value - found < self.min_cell

        up = [row for row in closed if looks_closed(row, row.found.value + 1)]
        down = [row for row in closed if looks_closed(row, row.found.value - 1)]
        up += [row for row in free if row.clear.value]
        down += [row for row in free if row.found.value]
        for row in closed:
            others_down, others_up = any(o is not row for o in down), any(o is not row for o in up)
            if not ((any(o is row for o in up) and others_down) or (any(o is row for o in down) and others_up)):
                return False
        return True
