"""Load a synthetic RxNorm release of realistic size: seconds, peak memory. Run: python bench/rrf.py [SHARE ...]

SHARE 1 is about the size of a full monthly release (1.2 million RXNCONSO rows, 7 million RXNREL, 6 million RXNSAT); the
default shares show how memory and time grow. All codes and names are invented.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cds.drugs.release import site_drug_table
from cds.drugs.release_load import Conditions, load_release

CONSO, REL, SAT = 1_200_000, 7_000_000, 6_000_000
INGREDIENTS, SALTS, COMPONENTS, PRODUCTS, OBSOLETE, BRANDED = 14_000, 4_000, 30_000, 40_000, 100_000, 25_000
FORMS = ("Oral Tablet", "Oral Capsule", "24 HR Extended Release Oral Tablet", "Injection", "Topical Cream")
GOAL_MB = 500.0
FIRST = 9_000_000


class Writer:
    """Writes the four files; counts rows, so that the rest can be filled with rows of other sources."""

    def __init__(self, folder: Path) -> None:
        self.files = {n: (folder / f"RXN{n}.RRF").open("w", encoding="utf-8") for n in ("CONSO", "REL", "SAT", "CUI")}
        self.rows = dict.fromkeys(self.files, 0)
        self.code = FIRST

    def put(self, name: str, line: str) -> None:
        self.files[name].write(line + "\n")
        self.rows[name] += 1

    def concept(self, tty: str, name: str, suppress: str = "N", rxcui: int | None = None) -> int:
        if rxcui is None:
            self.code += 1
            rxcui = self.code
        row = self.rows["CONSO"]
        self.put("CONSO", f"{rxcui}|ENG||||||{row}|{row}|{rxcui}||RXNORM|{tty}|{rxcui}|{name}||{suppress}|4096|")
        return rxcui

    def relate(self, subject: int, rela: str, inverse: str, target: int) -> None:
        """Both directions, as in a real release."""
        self.put("REL", f"{target}||CUI|RO|{subject}||CUI|{rela}|||RXNORM||||N|4096|")
        self.put("REL", f"{subject}||CUI|RO|{target}||CUI|{inverse}|||RXNORM||||N|4096|")

    def attribute(self, rxcui: int, name: str, value: str) -> None:
        self.put("SAT", f"{rxcui}|||||{rxcui}|||{name}|RXNORM|{value}|N|4096|")


def generate(folder: Path, share: float) -> dict[str, int]:
    """A release whose concepts and rows of every kind are `share` of the full size."""
    w = Writer(folder)

    def many(count: int) -> range:
        return range(max(1, int(count * share)))

    forms = [w.concept("DF", form.removeprefix("24 HR ")) for form in FORMS]
    ingredients = [w.concept("IN", f"benchamine{i}") for i in many(INGREDIENTS)]
    for i in many(SALTS):
        w.relate(w.concept("PIN", f"benchamine{i} hydrochloride"), "form_of", "has_form", ingredients[i])
    components = []
    for i in many(COMPONENTS):
        at = i % len(ingredients)
        components.append((w.concept("SCDC", f"benchamine{at} {i + 1} MG"), at, i + 1))
        w.relate(components[-1][0], "has_ingredient", "ingredient_of", ingredients[at])
    products = []
    for i in many(PRODUCTS):
        inside = [components[i % len(components)], components[(i * 7 + 1) % len(components)]][: 1 + (i % 4 == 0)]
        inside = sorted(set(inside))
        form = i % len(FORMS)
        hours, _, rest = FORMS[form].partition(" HR ")
        lead, kind = (f"{hours} HR ", rest) if rest else ("", FORMS[form])
        name = lead + " / ".join(f"benchamine{at} {mg} MG" for _, at, mg in inside) + f" {kind}"
        product = w.concept("SCD", name)
        w.concept("PSN", f"{name} psn {i}", rxcui=product)
        w.concept("SY", f"{name} synonym {i}", rxcui=product)
        w.relate(product, "has_dose_form", "dose_form_of", forms[form])
        for component, _, mg in inside:
            w.relate(product, "consists_of", "constitutes", component)
            for part, value in (("NUM_VALUE", mg), ("NUM_UNIT", "MG"), ("DENOM_VALUE", 1), ("DENOM_UNIT", "EACH")):
                w.attribute(product, f"RXN_BOSS_STRENGTH_{part}", f"{{{component}}} {value}")
        for pack in range(5):
            w.attribute(product, "NDC", f"{i * 5 + pack:011d}")
        products.append((product, name))
    brands = [w.concept("BN", f"Benchbrand{i}") for i in many(BRANDED)]
    for i in many(BRANDED):
        generic, name = products[i % len(products)]
        branded = w.concept("SBD", f"{name} [Benchbrand{i}]")
        w.concept("SY", f"Benchbrand{i} {name}", rxcui=branded)
        w.relate(branded, "tradename_of", "has_tradename", generic)
        w.relate(branded, "has_ingredient", "ingredient_of", brands[i])
        w.attribute(branded, "NDC", f"{50_000_000_000 + i:011d}")
    for i in many(OBSOLETE):
        successor, name = products[i % len(products)]
        old = w.concept("SCD", f"{name} of {i}", "O")
        if i % 3 == 0:
            w.put("CUI", f"{old}|01AA_010101F|20AA_201207F|1|{successor}|")
    _fill(w, share)
    for file in w.files.values():
        file.close()
    return w.rows


def _fill(w: Writer, share: float) -> None:
    """Rows of other sources, as most rows of a release are."""
    others: tuple[tuple[str, int, Callable[[int], str]], ...] = (
        ("CONSO", CONSO, lambda i: f"{i}|ENG||||||{i}|S{i}|{i}||MMSL|BD|{i}|Somebody's benchamine {i} tablet||N||"),
        ("REL", REL, lambda i: f"|{i}|AUI|RN||{i + 1}|AUI|isa|R{i}||SNOMEDCT_US||Y||N||"),
        ("SAT", SAT, lambda i: f"{i}|||{i}|AUI|{i}|||SPL_SET_ID|MTHSPL|00000000-0000-0000-0000-{i:012d}|N||"),
    )
    for name, whole, line in others:
        for i in range(max(0, int(whole * share) - w.rows[name])):
            w.put(name, line(i))


def load(folder: Path, out: Path) -> None:
    """In a process of its own, so that its peak is the peak of one load from start to end."""
    started = time.perf_counter()
    loaded = load_release(folder, out, conditions=Conditions(small=True))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.1f} {peak:.0f} {out.stat().st_size / 1e6:.0f} {loaded.compiled['SCD']} {loaded.compiled['ndc']}")


def look_up(out: Path) -> None:
    table = site_drug_table(out)
    codes = [str(c) for (c,) in table.release._db.execute("SELECT rxcui FROM concept ORDER BY random() LIMIT 2000")]
    ndcs = [f"{n:011d}" for (n,) in table.release._db.execute("SELECT ndc FROM ndc ORDER BY random() LIMIT 2000")]
    names = [n for (n,) in table.release._db.execute("SELECT name FROM name ORDER BY random() LIMIT 2000")]
    for what, look, asked in (
        ("code", table.by_code, codes),
        ("NDC", table.release.by_ndc, ndcs),
        ("name", table.by_name, names),
    ):
        started = time.perf_counter()
        for item in asked:
            look(item)
        print(f"  first look-up by {what:5} {(time.perf_counter() - started) / len(asked) * 1e6:6.1f} us")


def main() -> None:
    if sys.argv[1:2] == ["--load"]:
        load(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    print("share      CONSO       REL       SAT    seconds   peak MB   file MB     SCD      NDC")
    for share in [float(a) for a in sys.argv[1:]] or [1 / 16, 1 / 4]:
        with tempfile.TemporaryDirectory() as scratch:
            folder, out = Path(scratch) / "rrf", Path(scratch) / "rxnorm.sqlite"
            folder.mkdir()
            rows = generate(folder, share)
            done = subprocess.run(
                [sys.executable, __file__, "--load", str(folder), str(out)],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            seconds, peak, size, scd, ndc = done.stdout.split()
            print(
                f"{share:5.3f} {rows['CONSO']:10,} {rows['REL']:9,} {rows['SAT']:9,} {seconds:>10} {peak:>9} {size:>9} "
                f"{scd:>7} {ndc:>8}   goal {GOAL_MB:.0f} MB"
            )
            look_up(out)


if __name__ == "__main__":
    main()
