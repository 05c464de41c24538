"""The linter of rule files: what loading a rule says, and what only an author needs to know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cds.errors import RuleError
from cds.model import Pattern
from cds.rules.bounds import check_bounds
from cds.rules.compilation import Compilation
from cds.rules.compile import compile_rule
from cds.rules.load import load_shared, rule_files, set_of
from cds.rules.model import Level, Parameter, Rule
from cds.rules.shape_problems import follow
from cds.rules.source import Source, read_leniently
from cds.rules.summaries import check_summaries
from cds.rules.tables_lint import lint_parameters, lint_vocabulary
from cds.rules.vocabulary import column, nearest, vocabulary
from cds.shipped import shipped


@dataclass(frozen=True, slots=True)
class Linted:
    """One rule file, read once. rule: None where nothing could be made of it. whole: it compiles as it stands."""

    compilation: Compilation | None
    rule: Rule | None
    problems: tuple[RuleError, ...]
    shown: str
    whole: bool = False

    @property
    def rule_id(self) -> str:
        """The id that the file gives its rule, "" when it gives none."""
        return str(self.compilation.source.data.get("id", "")) if self.compilation else ""


def shown_as(path: Path) -> str:
    """A shipped file by its place in the project, another one by the path that was given."""
    for folder in ("rules", "fixtures/cases"):
        if path.parent == shipped(folder):
            return f"{folder}/{path.name}"
    return str(path)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Files to lint of these files and folders (none: the shipped rules), tables of the language first."""
    folders = [p for p in paths if p.is_dir()] if paths else [shipped("rules")]
    tables = [p for folder in folders for p in sorted(folder.glob("_*.yaml"))]
    files = [p for p in paths if p.is_file()]
    return [*tables, *sorted(files, key=lambda p: not p.name.startswith("_")), *rule_files(folders)]


def lint_rules(paths: Sequence[Path], *, today: dt.date | None = None) -> list[Linted]:
    """Every file with every problem of it. today: for dates that have passed; None: not judged."""
    ground: list[RuleError] = []
    shared = load_shared(ground)
    found = [_lint_file(path, shared, today) for path in files_of(paths)]
    return [*found, Linted(None, None, tuple(ground), "rules/_parameters.yaml")] if ground else found


def lint_paths(paths: Sequence[Path], *, today: dt.date | None = None) -> list[RuleError]:
    """Every problem of these rule files and folders (none: the shipped rules), by place."""
    linted = lint_rules(paths, today=today)
    return in_order([*(p for one in linted for p in one.problems), *same_names(linted)])


def in_order(problems: Iterable[RuleError]) -> list[RuleError]:
    return sorted(set_of(problems), key=lambda p: (p.path, p.line, p.column, p.code, p.message))


def same_names(linted: Sequence[Linted]) -> list[RuleError]:
    """R030 and R033: an id, or a row of the specification, that two rules have."""
    found: list[RuleError] = []
    for key, code in (("id", "R030"), ("spec", "R033")):
        known: dict[str, Linted] = {}
        for one in linted:
            name = str(one.compilation.source.data.get(key, "")) if one.compilation else ""
            other = known.setdefault(name, one) if name else one
            if other is one or one.compilation is None or (code == "R033" and other.rule_id == one.rule_id):
                continue
            text = f'two rules have the {key} "{name}"'
            found.append(one.compilation.source.error((key,), code, text, f"the other is {other.shown}"))
    return found


def lint_text(text: str, name: str) -> list[RuleError]:
    """Problems of one rule file, or table of the language, by its text and file name."""
    source, problems = Source.lenient(name, text)
    return list(_lint_source(source, problems, name, load_shared([]), None).problems)


def _lint_file(path: Path, shared: Mapping[str, Parameter], today: dt.date | None) -> Linted:
    shown = shown_as(path)
    source, problems = read_leniently(path, shown_as=shown)
    return _lint_source(source, problems, shown, shared, today)


def _lint_source(
    source: Source | None,
    problems: Sequence[RuleError],
    shown: str,
    shared: Mapping[str, Parameter],
    today: dt.date | None,
) -> Linted:
    if source is None:
        return Linted(None, None, tuple(problems), shown)
    if (name := Path(shown).name).startswith("_"):
        tables = {"_vocabulary": lint_vocabulary, "_parameters": lint_parameters}
        lint_table = next((f for start, f in tables.items() if name.startswith(start)), None)
        return Linted(None, None, (*problems, *(lint_table(source) if lint_table else ())), shown)
    c = Compilation(source, vocabulary(), shared)
    rule = compile_rule(c)
    whole = not problems and not c.problems
    if rule is not None:
        check_bounds(c, rule)
        _check_tables(c)
        _check_hooks(c, rule)
        check_summaries(c, rule)
    _check_dates(c, today)
    return Linted(c, rule, (*problems, *set_of(c.problems)), shown, whole)


def _check_dates(c: Compilation, today: dt.date | None) -> None:
    data = c.source.data
    listed: list[tuple[tuple[str | int, ...], object]] = [(("review_by",), data.get("review_by"))]
    for key, name in (("sources", "checked"), ("clinical_review", "date")):
        rows = data.get(key)
        for n, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, Mapping) and row.get(name) is not None:
                listed.append(((key, n, name), row[name]))
    for path, value in listed:
        if value is None:
            continue
        day = as_date(value)
        if day is None:
            c.problem(path, "R010", f'{path[-1]} "{value}" is not a date', "write 2027-11-21")
        elif path == ("review_by",) and today is not None and day < today and data.get("status") != "retired":
            text = f"review_by {day.isoformat()} has passed"
            c.problem(path, "R020", text, "review the rule and its sources, then set a new date")


def as_date(value: object) -> dt.date | None:
    """A date as YAML gives it, in quotes or not; None for anything else."""
    if isinstance(value, dt.datetime) or not isinstance(value, (dt.date, str)):
        return None
    try:
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
    except ValueError:
        return None


def _check_tables(c: Compilation) -> None:
    """R125: a text that is compared with a word that its table does not have."""
    for comparison, kind in c.kept:
        known = c.vocabulary.field(kind, comparison.field)
        value = comparison.value
        if known is None or not known.tables or not isinstance(value, str):
            continue
        values = frozenset().union(*(column(name) for name in known.tables))
        if value not in values:
            line, at, text = c.places[id(comparison)]
            files = ", ".join(f"rules/{name.rpartition('.')[0]}.csv" for name in known.tables)
            hint = nearest(value, values) if len(values) < 40 or '"' in nearest(value, values) else ""
            shift = max(0, text.rfind(value))
            c.problems.append(RuleError(c.source.path, line, at + shift, "R125", f'"{value}" is not in {files}', hint))


def _check_hooks(c: Compilation, rule: Rule) -> None:
    """R170: a hook on which a fact that a level needs is never derived."""
    possible: set[str] = set()
    for n, level in enumerate(rule.levels):
        if level.spec is None:
            possible |= level.hooks
            continue
        lacking = {hook: kinds for hook in level.hooks if (kinds := _never_there(c, level.spec.patterns, hook))}
        possible |= level.hooks.difference(lacking)
        own = follow(c.source.data, ("levels", n, "hooks"))
        if isinstance(own, list) and own:
            for k, hook in enumerate(own):
                if str(hook) in lacking:
                    _say_hook(c, ("levels", n, "hooks", k), hook, level, lacking[str(hook)])
        elif len(lacking) == len(level.hooks):
            _say_hook(c, ("levels", n), ", ".join(sorted(level.hooks)), level, next(iter(lacking.values())))
    named = c.source.data.get("hooks")
    for n, hook in enumerate(map(str, named) if isinstance(named, list) else ()):
        if hook in rule.hooks and hook not in possible and not any(hook in lv.hooks and lv.spec for lv in rule.levels):
            c.problem(("hooks", n), "R170", f"no level has the hook {hook}", "remove it, or write a level for it")
        elif hook in rule.hooks and hook not in possible:
            text = f"no level can hold on {hook}: each needs a fact that {hook} never carries"
            c.problem(("hooks", n), "R170", text, "remove the hook, or write a level for it")


def _never_there(c: Compilation, patterns: Iterable[Pattern], hook: str) -> list[str]:
    return sorted({p.kind for p in patterns if p.kind in c.vocabulary.hooks and hook not in c.vocabulary.hooks[p.kind]})


def _say_hook(c: Compilation, path: Sequence[str | int], hook: str, level: Level, kinds: Sequence[str]) -> None:
    has = ", ".join(sorted(c.vocabulary.hooks[kinds[0]]))
    text = f'level "{level.name}" needs {" and ".join(kinds)}, which {hook} never carries'
    c.problem(path, "R170", text, f"{kinds[0]} is there on {has}")
