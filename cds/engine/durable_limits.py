"""What durable-rules can hold (DR3, DR13), and rulesets cut into shards that stay within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cds.engine.durable_text import as_text
from cds.errors import EngineError
from cds.model import Scalar

RULES_A_SHARD: Final = 200  # DR13: 255 rules on one alpha, and every rule hangs on the one of `go`
PATTERNS_AT_ONE_TEST: Final = 200  # DR13: the same list, for patterns of one kind and equal tests
TESTS_UNDER_ONE: Final = 400  # a table of 512 places
STACK: Final = 60  # DR13: 64 satisfied tests on one fact
PROPERTIES_A_FACT: Final = 240  # DR3: 255, less id, sid, kind and what durable-rules adds
TEXT_BYTES: Final = 65_000  # DR13: lengths are 16-bit
SHORT: Final = TEXT_BYTES // 6 - 16  # characters: no encoding of so many is too long
SMALLEST: Final = 1e-4  # DR3: below, and above the next, JSON has an exponent that durable-rules cannot read
LARGEST: Final = 1e15


def check_number(value: float, where: str) -> None:
    """Raise EngineError for a number that durable-rules would read wrongly or not at all (DR3)."""
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise EngineError(f"{where}: durable-rules reads numbers from {SMALLEST} to {LARGEST:.0e} only")


def check_text(value: Scalar, where: str) -> None:
    """Raise EngineError for a text that is too long (DR13)."""
    if isinstance(value, str) and len(value) > SHORT and len(orjson.dumps(as_text(value))) > TEXT_BYTES:
        raise EngineError(f"{where}: durable-rules reads texts up to {TEXT_BYTES} bytes only")


NamedRule = tuple[str, Mapping[str, Any]]


def fnv32(text: str) -> int:
    """The hash that durable-rules takes for the name itself (FNV-1a, 32 bits, signed characters)."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ (byte - 256 if byte > 127 else byte)) * 16777619) & 0xFFFFFFFF
    return value


@dataclass(slots=True)
class _Node:
    """A test in the tree that durable-rules builds: the tests after it, and the patterns that end with it.

    equal: the property, for an equality with a constant; of several such, only one can hold.
    """

    equal: str | None = None
    children: dict[bytes, _Node] = field(default_factory=dict)
    patterns: int = 0

    def stack(self) -> int:
        """The most places that a fact can take on the stack of tests still to follow."""
        if not self.children:
            return 1
        nodes = self.children.values()
        at_once = len({node.equal for node in nodes if node.equal}) + sum(node.equal is None for node in nodes)
        return max(at_once, at_once - 1 + max(node.stack() for node in nodes))

    def fits(self) -> bool:
        """Whether the lists of this test and all after it are long enough."""
        within = len(self.children) <= TESTS_UNDER_ONE and self.patterns <= PATTERNS_AT_ONE_TEST
        return within and all(node.fits() for node in self.children.values())


def between_fields(test: Mapping[str, Any]) -> bool:
    """Whether a test compares two fields rather than a field with a constant."""
    name, right = next(iter(test.items()))
    if name.startswith("$") and isinstance(right, Mapping):
        right = next(iter(right.values()))
    return isinstance(right, Mapping)


def _tree(rules: Sequence[NamedRule]) -> _Node:
    """The tests as durable-rules will chain them: equal ones are shared, those between fields never."""
    root = _Node()
    alone = 0
    for _, rule in rules:
        for pattern in rule["all"]:
            test = next(iter(pattern.values()))
            node = root
            for step in test.get("$and", [test]):
                name, right = next(iter(step.items()))
                spelled = orjson.dumps(step)
                if between_fields(step):
                    alone += 1
                    spelled += str(alone).encode()
                equal = name if isinstance(right, str) else None
                node = node.children.setdefault(spelled, _Node(equal))
            node.patterns += 1
    return root


def cut_into_rulesets(rules: Sequence[NamedRule]) -> list[dict[str, Any]]:
    """Distribute rules over as few rulesets as they fit into, each with the two that guard it.

    Raises EngineError when one rule alone is too much.
    """
    if not rules:
        return []
    tree = _tree(rules)
    if len(rules) > RULES_A_SHARD or not tree.fits() or tree.stack() > STACK:
        if len(rules) == 1:
            raise EngineError("a rule has too many comparisons that can hold at once for durable-rules")
        half = len(rules) // 2
        return cut_into_rulesets(rules[:half]) + cut_into_rulesets(rules[half:])
    return [
        {
            # DR3, DR4: fires for `go` whatever else happens; without it, the batch was not read to its end.
            "done": {"all": [{"go": {"$go": 1}}]},
            **dict(rules),
            # DR5: the last `$and` of the ruleset, so that a reader past the end of another finds an end.
            "last": {"all": [{"z": {"$and": [{"$z1": 1}, {"$z2": 1}]}}]},
        }
    ]
