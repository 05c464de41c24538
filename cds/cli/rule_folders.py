"""Which rules a verb is about: `shipped`, a folder, or `git:REV` for the rules of a revision."""

from __future__ import annotations

import io
import subprocess
import tarfile
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cds.errors import CdsError
from cds.rules.load import load_rules, rule_files
from cds.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.rules.load import Deployment
    from cds.rules.model import RuleSet

_GIT = "git:"
_FOLDER = "rules"


class NoRules(CdsError):
    """A place without rules, or with rules that do not compile."""


def rules_at(place: str, *, site: Mapping[str, Deployment]) -> RuleSet:
    """The rules of a place, and of that place alone, with what a site sets of those that are there.

    place: "shipped", a folder, or "git:REV" ("git:REV:FOLDER" where the folder is not rules/) of the repository around
    the working directory. Raises NoRules with every problem that the linter has with a rule there.
    """
    with _folder(place) as folder:
        if not folder.is_dir():
            raise NoRules(f"{place}: no such folder (write a folder of rules, shipped or git:REV)")
        if not rule_files([folder]):
            raise NoRules(f"{place}: no rule file (*.yaml) in this folder")
        rules, problems = load_rules(site=site, base=folder)
    # R031: the site sets a rule that this place does not have, which is no fault of the place.
    told = [str(p).replace(str(folder), place, 1) for p in problems if p.code != "R031"]
    if told:
        raise NoRules("\n".join([f"{place}: some rules do not compile", *told]))
    return rules


def _folder(place: str) -> AbstractContextManager[Path]:
    if place.startswith(_GIT):
        revision, _, folder = place.removeprefix(_GIT).partition(":")
        return _checked_out(revision, folder or _FOLDER)
    return nullcontext(shipped("rules") if place == "shipped" else Path(place))


@contextmanager
def _checked_out(revision: str, folder: str) -> Iterator[Path]:
    """A folder of a revision, in a temporary place."""
    if not revision or revision.startswith("-"):
        raise NoRules(f"{_GIT}{revision}: name a revision, as in git:main or git:v1.2.0")
    try:
        done = subprocess.run(
            ["git", "archive", "--format=tar", f"{revision}:{folder}"], capture_output=True, check=True
        )
    except OSError:
        raise NoRules(f"{_GIT}{revision}: git is not installed here") from None
    except subprocess.CalledProcessError:
        text = f"{_GIT}{revision}: no revision with a folder {folder}/ in the repository of this directory"
        raise NoRules(text) from None
    with TemporaryDirectory() as temporary, tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        # Only plain files are wanted, and no newer Python's filter is relied on for it.
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and "/" not in member.name else None
            if content is not None:
                (Path(temporary) / member.name).write_bytes(content.read())
        yield Path(temporary)
