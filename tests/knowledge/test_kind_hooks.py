"""The `hooks:` of a fact kind in the vocabulary are those on which `derive` makes its facts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, cast, get_args

import orjson
import pytest

from cds.authoring.cases import case_files, read_cases
from cds.cli.doors import EngineDoor
from cds.facts.derive import _MODULES, derive
from cds.model import Hook
from cds.rules.load import load_rules
from cds.rules.vocabulary import vocabulary
from cds.shipped import shipped
from hooks.request import read_call

HOOKS = get_args(Hook)
# Derived in code and shown by no case of the sample.
UNSEEN = {
    ("pair", "encounter-discharge"): "two entries of one discharge list: shown by tests/unit/facts",
    ("planned_end", "encounter-discharge"): "the end of one of two such entries",
}
EVERY = 3  # of the cases: the facts of neighbours are of one kind


def asked_as(request: bytes, hook: str) -> bytes:
    """The request of a case as another hook would send it."""
    body: dict[str, Any] = orjson.loads(request)
    context = body["context"]
    drafts = context.pop("draftOrders", {"resourceType": "Bundle", "type": "collection", "entry": []})
    context.pop("selections", None)
    body["hook"] = hook
    if hook in {"order-sign", "order-select"}:
        context["draftOrders"] = drafts
    if hook == "order-select":
        resources = [entry["resource"] for entry in drafts["entry"]]
        context["selections"] = [f"{r['resourceType']}/{r['id']}" for r in resources]
    return orjson.dumps(body)


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """Hooks on which facts of each kind came up in the shipped cases, each asked on every hook."""
    door, parameters = EngineDoor(), load_rules()[0].shared_values
    found: dict[str, set[str]] = defaultdict(set)
    for path in case_files(shipped("fixtures/cases")):
        for case in read_cases(path, sweep=False)[::EVERY]:
            for hook in HOOKS:
                call = read_call(asked_as(case.request, hook), cast(Hook, hook))
                chart = door.evaluator(case.time_zone).chart(call, today=case.today)
                for fact in derive(chart, hook=cast(Hook, hook), parameters=parameters).facts:
                    found[fact.kind].add(hook)
    return found


def test_no_fact_comes_on_a_hook_that_its_kind_does_not_name(seen: dict[str, set[str]]) -> None:
    known = vocabulary().hooks
    wrong = {(kind, hook) for kind, hooks in seen.items() for hook in hooks - known.get(kind, frozenset(HOOKS))}
    assert wrong == set()


def test_every_hook_that_a_kind_names_brings_its_facts(seen: dict[str, set[str]]) -> None:
    known = vocabulary().hooks
    assert {(kind, hook) for kind, hooks in known.items() for hook in hooks - seen[kind]} <= set(UNSEEN)


def test_every_kind_of_the_vocabulary_is_made_by_a_module() -> None:
    assert set(vocabulary().kinds) == {kind for _, kinds in _MODULES for kind in kinds}
