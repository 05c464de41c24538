"""Drug table, resolver and dosages: load time, memory, microseconds for each. Run: python bench/drugs.py"""

from __future__ import annotations

import gc
import itertools
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from cds.drugs.dose import daily_mg, read_dosage
from cds.drugs.resolver import Coding, Resolver
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
GOALS = {"load": 150.0, "memory": 30.0, "coded": 5.0}


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
    named = [name for name, _ in itertools.islice(table.names(), 500)]

    def resolve_codes(target: Resolver) -> None:
        for codings in coded:
            target.resolve(codings, None)

    def resolve_names(target: Resolver) -> None:
        for name in named:
            target.resolve([], name)

    first = best(lambda: resolve_codes(Resolver(table))) - best(lambda: Resolver(table))
    first_named = best(lambda: resolve_names(Resolver(table))) - best(lambda: Resolver(table))
    resolve_codes(resolver)
    resolve_names(resolver)
    print(f"load table and resolver   {load:8.1f} ms   goal {GOALS['load']:.0f}")
    print(f"memory after load         {memory:8.1f} MB   goal {GOALS['memory']:.0f}")
    again = best(lambda: resolve_codes(resolver)) / len(coded) * 1e6
    print(f"coded, remembered         {again:8.2f} us   goal {GOALS['coded']:.0f}")
    print(f"coded, first time         {first / len(coded) * 1e6:8.2f} us")
    print(f"named, remembered         {best(lambda: resolve_names(resolver)) / len(named) * 1e6:8.2f} us")
    print(f"named, first time         {first_named / len(named) * 1e6:8.2f} us")

    dosages = msgspec.json.decode(_DOSAGE, type=list[Dosage])
    zone = ZoneInfo("America/New_York")
    tablet = resolver.resolve([], "sertraline 50 MG Oral Tablet").parts[0]
    steps = read_dosage(dosages, zone)
    reading = best(lambda: [read_dosage(dosages, zone) for _ in range(1000)]) / 1000 * 1e6
    daily = best(lambda: [daily_mg(steps, tablet, None, high=True) for _ in range(1000)]) / 1000 * 1e6
    print(f"read one dosage           {reading:8.2f} us")
    print(f"daily mg of it            {daily:8.2f} us")


if __name__ == "__main__":
    main()
