"""Every command in the docs is run; every verb and every linter code is documented."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
# Run by CI itself (`make test`), or by a test of their own: the demo and the service are servers.
ELSEWHERE = {
    "make demo": "tests/hooks/test_demo.py",
    "make test": ".ci/run",
}


def commands() -> list[str]:
    """Lines of the `sh` blocks, without comments."""
    found = []
    # The tutorial's commands stand on each other: a test of its own runs them in their order.
    for page in (p for p in PAGES if p.name != "tutorial.md"):
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            found.extend(line.split("  #")[0].strip() for line in block.splitlines() if line.strip())
    return list(dict.fromkeys(found))


def test_the_readme_shows_commands() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize(
    "command", [c for c in commands() if c not in ELSEWHERE and " serve" not in c and "-m hooks" not in c]
)
def test_a_command_of_the_docs_runs(command: str) -> None:
    words = shlex.split(command)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PSYCHMED_")}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    assert words[0] == ".venv/bin/psychmed", f"no test knows how to run {words[0]}"
    done = subprocess.run(
        [sys.executable, "-m", "cds.cli.main", *words[1:]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    # 1 is "findings": `check` of the example has one.
    assert done.returncode == (1 if words[1] == "check" else 0), done.stdout + done.stderr


def test_the_commands_that_are_run_elsewhere_are() -> None:
    for command, where in ELSEWHERE.items():
        assert command in commands()
        assert (ROOT / where).is_file()


def test_the_serve_command_of_the_readme_starts() -> None:
    command = next(c for c in commands() if " serve" in c)
    words = shlex.split(command)
    child = subprocess.Popen(
        [sys.executable, "-m", "cds.cli.main", *words[1:], "--port", "0"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("PSYCHMED_")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert any("psychmed listening on http://127.0.0.1:" in line for line in child.stdout)
    finally:
        child.terminate()
        child.wait(timeout=20)


def test_every_verb_is_documented() -> None:
    main = "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "cds/cli").glob("*.py")))
    verbs = re.findall(r'@app\.command\((?:name="(\w+)")?\)\ndef (\w+)', main)
    verbs += [(name, "") for name in re.findall(r'app\.command\(name="([\w-]+)"\)\(', main)]
    assert verbs
    for named, function in verbs:
        assert re.search(rf"psychmed (drugs )?{named or function}\b", TEXT), named or function


def test_every_linter_code_is_documented() -> None:
    source = "\n".join(
        p.read_text(encoding="utf-8")
        for p in [*(ROOT / "cds/rules").glob("*.py"), *(ROOT / "cds/authoring").glob("*.py")]
    )
    codes = set(re.findall(r'"(R\d{3})"', source))
    assert codes
    assert {c for c in codes if f"`{c}`" not in TEXT} == set()


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(((?!http)[^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
