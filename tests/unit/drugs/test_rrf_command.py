"""`psychmed drugs load` as a person or a nightly job sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cds.cli.drugs_load import Shown
from cds.cli.main import app
from cds.drugs.release import SiteRelease
from tests.unit.drugs import rrf_release as codes
from tests.unit.drugs.rrf_release import tiny

RUN = CliRunner()


def run(*arguments: object) -> tuple[int, str]:
    done = RUN.invoke(app, ["drugs", "load", *map(str, arguments)])
    return done.exit_code, done.output


def test_a_load_prints_progress_in_plain_lines_counts_and_what_to_do_next(tmp_path: Path) -> None:
    folder, path = tiny().write(tmp_path / "rrf"), tmp_path / "site" / "rxnorm.sqlite"
    code, out = run("--rrf", folder, "--to", path, "--allow-small")
    assert code == 0
    assert "\r" not in out
    assert "reading RXNREL.RRF: 100 %" in out
    assert "SCDC 4" in out
    assert f"in use: {path}; restart the service" in out.replace("\n", "")
    assert SiteRelease(path).by_code(str(codes.TABLET_25)) is not None


def test_a_refusal_exits_with_2_and_every_reason(tmp_path: Path) -> None:
    code, out = run("--rrf", tiny().write(tmp_path / "rrf"), "--to", tmp_path / "rxnorm.sqlite")
    assert code == 2
    assert "not a whole RxNorm release" in out
    assert not (tmp_path / "rxnorm.sqlite").exists()


def test_the_table_of_the_settings_is_loaded_and_rolled_back(tmp_path: Path) -> None:
    path, site = tmp_path / "rxnorm.sqlite", tmp_path / "site.yaml"
    site.write_text(f"time_zone: UTC\ndrugs: {{release: {path}}}\n", encoding="utf-8")
    for name in ("first", "second"):
        folder = tiny().write(tmp_path / name)
        assert run("--rrf", folder, "--settings", site, "--allow-small", "--name", name)[0] == 0
    assert SiteRelease(path).manifest["release"] == "second"
    code, out = run("--rollback", "--settings", site)
    assert (code, "back in use: first" in out) == (0, True)
    assert SiteRelease(path).manifest["release"] == "first"


@pytest.mark.parametrize("arguments", [(), ("--rrf", "somewhere", "--rollback")])
def test_load_and_roll_back_are_one_or_the_other(arguments: tuple[str, ...]) -> None:
    code, out = run(*arguments)
    assert code == 2
    assert "either --rrf DIR or --rollback" in out


def test_a_place_for_the_table_is_asked_for(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("time_zone: UTC\n", encoding="utf-8")
    code, out = run("--rrf", tmp_path, "--settings", site)
    assert code == 2
    assert "--to FILE, or drugs.release in the settings" in out


@pytest.mark.parametrize(("terminal", "lines", "ends"), [(False, 11, 11), (True, 101, 1)])
def test_progress_is_one_changing_line_on_a_terminal_and_a_few_plain_ones_elsewhere(
    terminal: bool, lines: int, ends: int
) -> None:
    said: list[tuple[str, bool]] = []
    show = Shown(lambda text, nl=True: said.append((text, nl)), terminal=terminal)
    for done in range(0, 10_001, 7):
        show("RXNREL.RRF", done, 10_000)
    show("RXNREL.RRF", 10_000, 10_000)
    assert len(said) == lines
    assert sum(nl for _, nl in said) == ends
