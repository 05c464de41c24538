"""What one evaluation costs: 50 facts against 30 rules, and against 300. Run: python bench/engine.py"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cds.engine import available, compile_engine
from cds.engine.explain import UnknownFinder
from cds.model import Comparison, Fact, FieldRef, Pattern, RuleSpec

CLASSES = ("ssri", "snri", "benzodiazepine", "antipsychotic", "stimulant", "mood-stabiliser")
ROUNDS = 2_000


def rules(count: int) -> list[RuleSpec]:
    """Rules of the shapes that the clinical rules have: too long, duplicate, no follow-up, too many."""
    made = []
    for number in range(count):
        of_class = Comparison("therapeutic_class", "is", CLASSES[number % 6] if number < 30 else f"class-{number % 60}")
        limit = 28.0 + number
        course = Pattern("course", "episode", (of_class, Comparison("duration_days", "at least", limit)))
        order = Pattern("order", "medication_order", (Comparison("status", "is", "draft"), of_class))
        active = Pattern(
            "active",
            "medication",
            (
                Comparison("therapeutic_class", "is", FieldRef("order", "therapeutic_class")),
                Comparison("ingredient", "is not", FieldRef("order", "ingredient")),
                Comparison("end", "at least", FieldRef("order", "start")),
            ),
        )
        visit = Pattern("visit", "encounter", (Comparison("date", "at most", FieldRef("course", "start", limit)),))
        test = Pattern("test", "result", (Comparison("date", "at least", -limit),))
        shapes = (
            RuleSpec(f"r{number}", (course,)),
            RuleSpec(f"r{number}", (order, active)),
            RuleSpec(f"r{number}", (course,), (visit,)),
            RuleSpec(f"r{number}", (order, Pattern("many", "medication", (of_class,), at_least=3))),
            RuleSpec(f"r{number}", (order, course), (test,)),
        )
        made.append(shapes[number % 5])
    return made


def chart(*, days: float) -> list[Fact]:
    """50 facts; courses of `days` decide whether rules match."""
    facts = []
    for number in range(50):
        of_class = CLASSES[number % 6]
        kind = ("episode", "medication", "encounter", "result", "medication_order")[number % 5]
        fields: dict[str, str | bool | float] = {"therapeutic_class": of_class, "ingredient": f"drug-{number % 9}"}
        fields |= {"start": -float(number), "end": float(number), "date": -400.0, "duration_days": days}
        fields |= {"status": "draft" if days > 1 else "active"}
        facts.append(Fact(kind, f"{kind}/{number}", fields))
    return facts


def best(work: Callable[[], object]) -> tuple[float, float]:
    """The least and the middle time of one call, in microseconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    times.sort()
    return times[0] * 1e6, times[ROUNDS // 2] * 1e6


def main() -> None:
    """Print a line for each engine, number of rules and outcome."""
    gc.freeze()
    engines = ["direct", *(["durable", "verified"] if available()["durable"] == "works" else [])]
    print(f"{'engine':10} {'rules':>5} {'matches':>7} {'least µs':>9} {'median µs':>9}")
    for count in (30, 300):
        for facts in (chart(days=1.0), chart(days=45.0)):
            for name in engines:
                with compile_engine(rules(count), name, deadline_s=1.0) as engine:  # type: ignore[arg-type]
                    matches = len(engine.evaluate(facts))
                    least, median = best(lambda: engine.evaluate(facts))  # noqa: B023
                print(f"{name:10} {count:5} {matches:7} {least:9.1f} {median:9.1f}")
            finder = UnknownFinder(rules(count))
            least, median = best(lambda: finder.find(facts))  # noqa: B023
            print(f"{'unknowns':10} {count:5} {'':7} {least:9.1f} {median:9.1f}")


if __name__ == "__main__":
    main()
