"""Random releases and random damage: the roll-up gives what went in; damage never changes an answer silently."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cds.drugs.product_names import before_components, house_unit, plain, read_component, read_product, strength_of
from cds.drugs.release import SiteRelease
from cds.drugs.release_load import Conditions, load_release
from cds.drugs.rrf import FILES, ReleaseError
from tests.unit.drugs.rrf_release import Release, load, tiny

FIRST = 9_800_000
STRENGTH = st.decimals("0.001", "9999", places=3)
COLUMNS = {"RXNCONSO.RRF": 18, "RXNREL.RRF": 16, "RXNSAT.RRF": 13, "RXNCUI.RRF": 5}


@st.composite
def products(draw: st.DrawFn) -> list[list[tuple[int, Decimal]]]:
    """Products as lists of (ingredient, strength), each ingredient once."""
    one = st.lists(st.tuples(st.integers(0, 5), STRENGTH), min_size=1, max_size=4, unique_by=lambda c: c[0])
    return draw(st.lists(one, min_size=1, max_size=6))


@settings(max_examples=25, deadline=None)
@given(made=products(), packed=st.sets(st.integers(0, 5), min_size=1), salted=st.booleans())
def test_a_random_release_rolls_up_to_what_it_was_made_of(
    made: list[list[tuple[int, Decimal]]], packed: set[int], salted: bool
) -> None:
    release = Release()
    release.attribute(FIRST + 100, "NDC", "00000000001")
    components: dict[tuple[int, Decimal], int] = {}
    for number in range(6):
        release.concept(FIRST + number, "IN", f"randamine{number}x")
        release.concept(FIRST + 10 + number, "PIN", f"randamine{number}x hydrochloride")
        release.relate(FIRST + 10 + number, "form_of", FIRST + number)
    salt = " hydrochloride" if salted else ""
    for at, product in enumerate(made):
        for ingredient, mg in product:
            if (ingredient, mg) not in components:
                component = components[ingredient, mg] = FIRST + 1000 + len(components)
                release.concept(component, "SCDC", f"randamine{ingredient}x{salt} {plain(mg)} MG")
                release.relate(component, "has_ingredient", FIRST + ingredient)
        name = " / ".join(f"randamine{ingredient}x{salt} {plain(mg)} MG" for ingredient, mg in product)
        release.concept(FIRST + 100 + at, "SCD", f"{name} Oral Tablet")
        release.relate(FIRST + 100 + at, "consists_of", *(components[c] for c in product))
        release.concept(FIRST + 200 + at, "SBD", f"{name} Oral Tablet [Randa]")
        release.relate(FIRST + 200 + at, "tradename_of", FIRST + 100 + at)
    inside = sorted(p for p in packed if p < len(made)) or [0]
    release.concept(FIRST + 300, "GPCK", "{ } Pack")
    release.relate(FIRST + 300, "contains", *(FIRST + 100 + p for p in inside))
    with tempfile.TemporaryDirectory() as scratch:
        site = SiteRelease(load(release, Path(scratch)).path)
        for at, product in enumerate(made):
            expected = {f"randamine{ingredient}x={plain(mg)} mg" for ingredient, mg in product}
            for code in (FIRST + 100 + at, FIRST + 200 + at):
                entry = site.by_code(str(code))
                assert entry is not None
                assert set(entry.parts) == expected
        pack = site.by_code(str(FIRST + 300))
        assert pack is not None
        assert set(pack.keys) == {f"randamine{ingredient}x" for p in inside for ingredient, _ in made[p]}
        site.close()


def answers(path: Path) -> dict[int, frozenset[str]]:
    site = SiteRelease(path)
    found = {code: site.by_code(str(code)) for code in range(9_900_000, 9_900_100)}
    site.close()
    return {code: frozenset(entry.keys) for code, entry in found.items() if entry is not None}


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, list[int]]:
    name = draw(st.sampled_from(FILES))
    return name, draw(st.permutations(range(COLUMNS[name])))


@settings(max_examples=60, deadline=None)
@given(order=orders())
def test_columns_in_another_order_are_refused_or_change_nothing(order: tuple[str, list[int]]) -> None:
    name, columns = order
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        expected = answers(load(tiny(), folder).path)
        file = folder / "rrf" / name
        rows = [line.split("|") for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("".join("|".join(row[c] for c in columns) + "|\n" for row in rows), encoding="utf-8")
        try:
            load_release(folder / "rrf", folder / "other.sqlite", conditions=Conditions(small=True))
        except ReleaseError:
            return
        assert answers(folder / "other.sqlite") == expected


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True), data=st.data())
def test_a_file_cut_anywhere_never_gives_a_code_other_ingredients(name: str, share: float, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = answers(load(tiny(), folder).path)
        file = folder / "rrf" / name
        content = file.read_bytes()
        at = int(len(content) * share)
        if data.draw(st.booleans()):
            at = content.rfind(b"\n", 0, at) + 1
        file.write_bytes(content[:at])
        try:
            load_release(folder / "rrf", folder / "other.sqlite", conditions=Conditions(small=True))
        except ReleaseError:
            return
        after = answers(folder / "other.sqlite")
        # Without RXNCUI a retired code is known by its own name, or not at all.
        assert after.items() <= whole.items()


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(FILES), at=st.integers(0, 10_000), noise=st.binary(min_size=1, max_size=12))
def test_noise_in_a_file_raises_nothing_but_a_refusal(name: str, at: int, noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = tiny().write(Path(scratch) / "rrf")
        content = bytearray((folder / name).read_bytes())
        at %= len(content)
        content[at : at + len(noise)] = noise
        (folder / name).write_bytes(content)
        with suppress(ReleaseError):
            load_release(folder, Path(scratch) / "rxnorm.sqlite", conditions=Conditions(small=True))


@given(mg=STRENGTH, per=st.sampled_from(["", "/ML", "/HR", "/ACTUAT"]))
def test_a_strength_in_a_name_is_read_exactly(mg: Decimal, per: str) -> None:
    name = f"randamine hydrochloride {plain(mg)} MG{per}"
    component = read_component(name)
    assert component is not None
    assert (component.written, component.value) == ("randamine hydrochloride", mg)
    assert component.unit == house_unit(f"MG{per}")
    product = read_product(f"24 HR {name} Extended Release Oral Tablet [Randa]")
    assert product == ([component], "Extended Release Oral Tablet")


@given(text=st.text(max_size=80), other=st.text(max_size=20))
def test_no_name_and_no_attribute_whatever_raises(text: str, other: str) -> None:
    read_component(text)
    read_product(text)
    before_components(text, [other])
    strength = strength_of(text, other, other, text)
    assert strength is None or strength[0] > 0
