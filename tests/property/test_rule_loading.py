"""Whatever stands in a rule file, the linter answers with problems that have a place inside the file."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.errors import RuleError
from cds.rules.lint import lint_paths
from cds.shipped import shipped

FILES = sorted(p for p in shipped("rules").glob("*.yaml") if not p.name.startswith("_"))
PIECES = [
    "no", "on", "yes", "~", "null", "1e999", "[]", "{}", "- a", "*a", "&a", "<<: *x", "!!python/object:os.system x",
    "\t", ": ", "'", '"', "{order.drug", "}", "{order..x}", "{|}", "{order.refills|}", "[", "]", "\x00", "\ufeff", "💊",
    "2026-13-45", "0x1f", "1_000", "28 months", "is", "is not", "today plus", "order.order.order", "- order: order",
    "where: no", "count: at least 99999999999999999999", "at least 0", "%YAML 9.9", "---", "...", "!!binary x", "?",
]  # fmt: skip


def lint_text(folder: Path, text: str) -> list[RuleError]:
    file = folder / "rule.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    return lint_paths([file])


def check_places(problems: list[RuleError], text: str) -> None:
    lines = text.count("\n") + text.count("\r") + 2
    for problem in problems:
        assert 1 <= problem.line <= lines, problem
        assert problem.column >= 1, problem
        assert "\n" not in str(problem)


def mutated(source: str, seed: int) -> str:
    """A rule file with one to four lines changed, as a careless author (or a broken merge) would."""
    dice = random.Random(seed)
    lines = source.splitlines()
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(lines))
        line = lines[at]
        cut = dice.randint(0, len(line))
        change = dice.randrange(7)
        if change == 0:
            del lines[at]
        elif change == 1:
            lines.insert(at, lines[dice.randrange(len(lines))])
        elif change == 2:
            lines[at] = line[:cut] + dice.choice(PIECES) + line[cut:]
        elif change == 3:
            lines[at] = line[:cut]
        elif change == 4:
            lines[at] = " " * dice.randint(0, 9) + line.lstrip()
        elif change == 5:
            key, colon, _ = line.partition(":")
            lines[at] = f"{key}{colon} {dice.choice(PIECES)}"
        else:
            words = line.split(" ")
            words[dice.randrange(len(words))] = dice.choice(PIECES)
            lines[at] = " ".join(words)
    return "\n".join(lines) + "\n"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(file=st.sampled_from(FILES), seed=st.integers(0, 10**9))
def test_a_mutated_rule_file_gives_problems_with_a_place_and_nothing_else(
    tmp_path: Path, file: Path, seed: int
) -> None:
    text = mutated(file.read_text(encoding="utf-8"), seed)
    check_places(lint_text(tmp_path, text), text)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(text=st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=12).map("\n".join))
def test_any_text_gives_problems_with_a_place_and_nothing_else(tmp_path: Path, text: str) -> None:
    problems = lint_text(tmp_path, text)
    assert problems
    check_places(problems, text)
