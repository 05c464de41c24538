"""What changed in rule files since a git revision: does the version say so, and the changelog?

Files are compared as what they mean, not as bytes: a comment or another order of keys is no change.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cds.errors import CdsError, RuleError
from cds.rules.load import rule_files
from cds.rules.shape_problems import plain
from cds.rules.source import Source, read_leniently
from cds.shipped import shipped

Part = Literal["major", "minor", "patch"]
_SECONDS = 60
_CHANGELOG = "CHANGELOG.md"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
# What each part of a rule can change. What stands in neither decides who fires.
_TEXTS = frozenset({"title", "rank", "card"})
_METADATA = frozenset({"owner", "review_by", "sources", "clinical_review", "related", "known_false_alerts"})
_LEVEL_TEXTS = frozenset({"summary", "why"})
_MEANS = {"major": "who fires may change", "minor": "a threshold or a text changes", "patch": "metadata change"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what, in the words of the file, and which part of the version it raises."""

    what: str
    part: Part


def changed_since(revision: str, paths: Sequence[Path]) -> list[RuleError]:
    """R040 to R043 for the rule files of these folders (none: the shipped rules) since a git revision.

    Raises CdsError where there is no git, no repository or no such revision.
    """
    folders = list(dict.fromkeys(p if p.is_dir() else p.parent for p in paths)) or [shipped("rules")]
    found: list[RuleError] = []
    for folder in folders:
        found += _in_folder(folder, _Repository(folder, revision))
    return found


class _Repository:
    """Read-only look at one revision, through the git command."""

    def __init__(self, folder: Path, revision: str) -> None:
        self._git = shutil.which("git")
        if self._git is None:
            raise CdsError("git is not installed here: versions cannot be compared")
        self.folder = folder.resolve()
        try:
            self.top = Path(self._run("rev-parse", "--show-toplevel").strip())
        except CdsError:
            raise CdsError(f"{folder} is in no git repository") from None
        try:
            name = f"{revision}^{{commit}}"
            self.commit = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", name).strip()
        except CdsError:
            raise CdsError(f'git knows no revision "{revision}" (a tag, a branch or a commit)') from None
        self.revision = revision

    def _run(self, *arguments: str) -> str:
        command = [self._git or "git", "--no-pager", "-c", "core.quotepath=off", "-C", str(self.folder), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CdsError(f"git could not be run: {type(error).__name__}") from None
        if done.returncode != 0:
            raise CdsError((done.stderr.decode("utf-8", "replace").splitlines() or ["git failed"])[0])
        return done.stdout.decode("utf-8", "replace")

    def files(self) -> list[str]:
        """Paths of the folder's own files, from the top of the repository."""
        inside = self.folder.relative_to(self.top.resolve()).as_posix()
        where = f"{inside}/" if inside != "." else "."
        return [
            name
            for name in self._run("ls-tree", "-z", "--full-tree", "--name-only", self.commit, where).split("\0")
            if name
        ]

    def text(self, name: str) -> str:
        return self._run("cat-file", "blob", f"{self.commit}:{name}")


def _in_folder(folder: Path, repository: _Repository) -> Iterator[RuleError]:
    old: dict[str, tuple[Source, str]] = {}
    changelog_then, shared_then = "", None
    for name in repository.files():
        file = name.rpartition("/")[2]
        if file == _CHANGELOG:
            changelog_then = repository.text(name)
        if not file.endswith(".yaml"):
            continue
        source, _ = Source.lenient(name, repository.text(name).removeprefix("\ufeff"))
        if file == "_parameters.yaml":
            shared_then = source
        elif not file.startswith("_") and source is not None and "id" in source.data:
            old.setdefault(str(source.data["id"]), (source, file))
    new = _now(folder)
    changelog = folder / _CHANGELOG
    log = changelog.read_text(encoding="utf-8-sig", errors="replace") if changelog.is_file() else ""
    for rule_id, source in new.items():
        yield from _of_rule(source, rule_id, old[rule_id][0] if rule_id in old else None, log, repository.revision)
    for rule_id, (_, file) in old.items():
        if rule_id not in new:
            yield _removed(folder, rule_id, file, new, repository.revision)
    yield from _of_shared(folder, shared_then, log, changelog_then, repository.revision)


def _shown(path: Path) -> str:
    return f"rules/{path.name}" if path.parent.resolve() == shipped("rules").resolve() else str(path)


def _now(folder: Path) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for path in rule_files([folder]):
        source, _ = read_leniently(path, shown_as=_shown(path))
        if source is not None and "id" in source.data:
            found.setdefault(str(source.data["id"]), source)
    return found


def _removed(folder: Path, rule_id: str, file: str, new: Mapping[str, Source], revision: str) -> RuleError:
    path = folder / file
    hint = f'keep the rule "{rule_id}" with status: retired; a rule that takes its place says related: replaces'
    text = f'the rule id "{rule_id}" of {revision} is gone'
    here = next((s for s in new.values() if s.path == _shown(path)), None)
    return here.error(("id",), "R043", text, hint) if here else RuleError(_shown(path), 1, 1, "R043", text, hint)


def _of_rule(source: Source, rule_id: str, then: Source | None, log: str, revision: str) -> Iterator[RuleError]:
    version = str(source.data.get("version", ""))
    row = f"{source.data.get('spec', '')} {rule_id} {version}".strip()
    if then is None:
        if not _is_logged(log, rule_id, version):
            text = f"the rule is new since {revision} and has no line in {_CHANGELOG}"
            yield source.error(("id",), "R042", text, f'write "- {row}: <what it finds, and for whom>"')
        return
    before, now = plain(then.data), plain(source.data)
    if before.get("spec") != now.get("spec"):
        text = f'the id "{rule_id}" was the rule {before.get("spec")} in {revision}'
        yield source.error(("id",), "R043", text, "give another rule another id")
        return
    changes = [*changes_between(before, now)]
    was, is_now = _VERSION.fullmatch(str(before.get("version"))), _VERSION.fullmatch(version)
    if was is None or is_now is None:
        return  # R010 says so
    old_number, new_number = tuple(map(int, was.groups())), tuple(map(int, is_now.groups()))
    if new_number < old_number:
        yield source.error(("version",), "R041", f"version went down from {was[0]}", f"write more than {was[0]}")
        return
    if changes:
        part = next(p for p in ("major", "minor", "patch") if any(c.part == p for c in changes))
        least = _raised(old_number, part)
        if new_number < least:
            listed = ", ".join(c.what for c in changes if c.part == part)
            code = "R040" if new_number == old_number else "R041"
            said = f"is still {version}" if code == "R040" else f"rose from {was[0]} to {version} only"
            hint = f"write version: {'.'.join(map(str, least))} ({part}: {_MEANS[part]})"
            yield source.error(("version",), code, f"{listed} changed since {revision}, and the version {said}", hint)
            return
    if (changes or new_number != old_number) and not _is_logged(log, rule_id, version):
        text = f"version {version} has no line in {_CHANGELOG}"
        yield source.error(("version",), "R042", text, f'write "- {row}: <what changes clinically, and for whom>"')


def _raised(version: tuple[int, ...], part: str) -> tuple[int, int, int]:
    major, minor, patch = version
    return {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0)}.get(part, (major, minor, patch + 1))


def _is_logged(log: str, rule_id: str, version: str) -> bool:
    """The id and the version stand in one line of the changelog, or in its entry's next lines."""
    entry = rf"(?<![\w-]){re.escape(rule_id)}(?![\w-]) {re.escape(version)}(?![\w.]*\d)"
    return re.search(entry, " ".join(log.split())) is not None


def changes_between(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Every difference between two rule files, as plain data."""
    for key in dict.fromkeys([*before, *now]):
        was, is_now = before.get(key), now.get(key)
        if key == "version" or _same(was, is_now):
            continue
        if key == "parameters":
            yield from _of_parameters(was or {}, is_now or {})
        elif key == "levels" and isinstance(was, list) and isinstance(is_now, list):
            yield from _of_levels(was, is_now)
        else:
            yield Change(key, "minor" if key in _TEXTS else "patch" if key in _METADATA else "major")


def _same(was: Any, is_now: Any) -> bool:
    """Equal data; what is left out is what is empty, and a date is a date in quotes too."""
    empty: tuple[Any, ...] = (None, [], {}, "")
    return was == is_now or (was in empty and is_now in empty) or str(was) == str(is_now)


def _of_parameters(was: Mapping[str, Any], is_now: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*was, *is_now]):
        one, other = was.get(name) or {}, is_now.get(name) or {}
        if _same(one, other):
            continue
        threshold = any(not _same(one.get(key), other.get(key)) for key in ("value", "range"))
        yield Change(f"parameter {name}", "minor" if threshold else "patch")


def _of_levels(was: Sequence[Any], is_now: Sequence[Any]) -> Iterator[Change]:
    names = [[str(level.get("name")) for level in levels] for levels in (was, is_now)]
    if names[0] != names[1]:
        yield Change("the levels", "major")
        return
    for one, other in zip(was, is_now, strict=True):
        for key in dict.fromkeys([*one, *other]):
            if not _same(one.get(key), other.get(key)):
                yield Change(f"{key} of level {other['name']}", "minor" if key in _LEVEL_TEXTS else "major")


def _of_shared(folder: Path, then: Source | None, log: str, log_then: str, revision: str) -> Iterator[RuleError]:
    """A shared parameter has no version of its own: its change is told by name."""
    path = folder / "_parameters.yaml"
    source, _ = read_leniently(path, shown_as=_shown(path)) if path.is_file() else (None, [])
    if then is None or source is None:
        return
    before, now = (plain(s.data).get("parameters") or {} for s in (then, source))
    for change in _of_parameters(before, now):
        name = change.what.removeprefix("parameter ")
        if change.part != "patch" and log.count(name) <= log_then.count(name):
            text = f"the shared parameter {name} changed since {revision} and has no line in {_CHANGELOG}"
            hint = f'write "- {name}: <from, to, and for whom>"'
            yield source.error(("parameters", name), "R042", text, hint, key=True)
