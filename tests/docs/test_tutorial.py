"""The tutorial works: every command of it is run, every file of it is written, in its order and word for word."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cds.cli.main import app

TUTORIAL = Path(__file__).resolve().parents[2] / "docs/tutorial.md"
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ENDS_WITH = re.compile(r"\s+# ends with (\d)$")


def words_of(text: str) -> str:
    return " ".join(text.split())


def test_every_step_of_the_tutorial_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PSYCHMED_TIME_ZONE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    printed = ""
    steps = _BLOCK.findall(TUTORIAL.read_text(encoding="utf-8"))
    assert len([s for s in steps if s[0] == "sh"]) >= 10
    for language, file, text in steps:
        if language == "sh":
            printed = ""
            for line in text.splitlines():
                command = _ENDS_WITH.sub("", line)
                code = int(found[1]) if (found := _ENDS_WITH.search(line)) else 0
                words = shlex.split(command)
                assert words.pop(0) == ".venv/bin/psychmed", command
                done = CliRunner().invoke(app, words)
                printed += done.output
                assert done.exit_code == code, f"{command}\n{done.output}"
        elif language == "text":
            for line in text.splitlines():
                assert words_of(line) in words_of(printed), f"{line}\nis not in:\n{printed}"
        else:
            assert file, f"a {language} block without the file it goes into"
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
