"""Drug table, resolver and dosages: load time, memory, microseconds for each. Run: python bench/drugs.py"""

from __future__ import annotations

import gc
import itertools
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from cds.drugs.dose import daily_mg, read_dosage
from cds.drugs.resolver import Coding, Resolver
from cds.drugs.sig import parse_sig
from cds.drugs.table import DrugTable
from cds.fhir.datatypes import Dosage
from cds.shipped import shipped

_DOSAGE = json.dumps(
    [
        {
            "sequence": 1,
            "asNeededBoolean": False,
            "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet", "code": "{tbl}"}}],
        }
    ]
)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
GOALS = {"load": 150.0, "memory": 30.0, "coded": 5.0, "named": 50.0}
NDC = "http://hl7.org/fhir/sid/ndc"
SIGS = ("take 1 tab po bid", "1-2 tabs qhs prn", "1 tablet by mouth every 6 hours as needed for anxiety, max 4/day")


def best(run: Callable[[], object], times: int = 5) -> float:
    """Shortest of several runs in seconds, collector off."""
    shortest = float("inf")
    for _ in range(times):
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - start)
        gc.enable()
    return shortest


def _ndcs(folder: Path) -> list[str]:
    return [line for line in (folder / "ndc.txt").read_text("ascii").splitlines() if not line.startswith("#")]


def main() -> None:
    folder = shipped("rules/drugs")
    load = best(lambda: Resolver(DrugTable(folder))) * 1000
    tracemalloc.start()
    table = DrugTable(folder)
    resolver = Resolver(table)
    memory = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()

    shuffled = random.Random(7)
    codes = list(table.product_codes())
    shuffled.shuffle(codes)
    coded: list[list[Coding]] = []
    for code in codes[:2000]:
        entry = table.by_code(code)
        coded.append([(RXNORM, code, entry.name if entry else None)])
    packages: list[list[Coding]] = [[(NDC, line[:11], None)] for line in shuffled.sample(_ndcs(folder), 2000)]
    labels = [f"{entry.name} 10 mg tab" for _, entry in itertools.islice(table.names(), 500)]
    named = [name for name, _ in itertools.islice(table.names(), 500)]

    def resolve_codes(target: Resolver) -> None:
        for codings in coded:
            target.resolve(codings, None)

    def resolve_names(target: Resolver, names: list[str]) -> None:
        for name in names:
            target.resolve([], name)

    def resolve_packages(target: Resolver) -> None:
        for codings in packages:
            target.resolve(codings, None)

    start = time.perf_counter()
    table.by_ndc("00002323030")
    ndc_load = (time.perf_counter() - start) * 1000
    start = time.perf_counter()
    table.products_of(frozenset({"sertraline"}))
    family_load = (time.perf_counter() - start) * 1000
    made = best(lambda: Resolver(table))
    first_packages = best(lambda: resolve_packages(Resolver(table))) - made
    first_labels = best(lambda: resolve_names(Resolver(table), labels)) - made
    first = best(lambda: resolve_codes(Resolver(table))) - made
    first_named = best(lambda: resolve_names(Resolver(table), named)) - made
    resolve_codes(resolver)
    resolve_names(resolver, named)
    print(f"load table and resolver   {load:8.1f} ms   goal {GOALS['load']:.0f}")
    print(f"memory after load         {memory:8.1f} MB   goal {GOALS['memory']:.0f}")
    again = best(lambda: resolve_codes(resolver)) / len(coded) * 1e6
    print(f"coded, remembered         {again:8.2f} us   goal {GOALS['coded']:.0f}")
    print(f"coded, first time         {first / len(coded) * 1e6:8.2f} us")
    again = best(lambda: resolve_names(resolver, named)) / len(named) * 1e6
    print(f"named, remembered         {again:8.2f} us   goal {GOALS['named']:.0f}")
    print(f"named, first time         {first_named / len(named) * 1e6:8.2f} us")
    print(f"label, first time         {first_labels / len(labels) * 1e6:8.2f} us")
    print(f"NDC, first time           {first_packages / len(packages) * 1e6:8.2f} us")
    print(f"NDC table, once           {ndc_load:8.1f} ms")
    print(f"index of ingredients, once{family_load:8.1f} ms")

    dosages = msgspec.json.decode(_DOSAGE, type=list[Dosage])
    zone = ZoneInfo("America/New_York")
    tablet = resolver.resolve([], "sertraline 50 MG Oral Tablet").parts[0]
    steps = read_dosage(dosages, zone)
    reading = best(lambda: [read_dosage(dosages, zone) for _ in range(1000)]) / 1000 * 1e6
    daily = best(lambda: [daily_mg(steps, tablet, None, high=True) for _ in range(1000)]) / 1000 * 1e6
    print(f"read one dosage           {reading:8.2f} us")
    print(f"daily mg of it            {daily:8.2f} us")
    sigs = best(lambda: [parse_sig(text) for text in SIGS * 100]) / (100 * len(SIGS)) * 1e6
    print(f"read one sig              {sigs:8.2f} us")


if __name__ == "__main__":
    main()
