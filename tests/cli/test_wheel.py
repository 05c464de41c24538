"""The wheel carries its rules and fixtures: installed elsewhere, `psychmed test` runs from a foreign folder."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_rules_fixtures_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "cds/_shipped/rules/benzodiazepine_new_order.yaml" in names
    assert "cds/_shipped/rules/drugs/products.csv" in names
    assert "cds/_shipped/fixtures/cases/benzodiazepine_new_order.yaml" in names
    assert not [n for n in names if n.startswith(("tests/", "rules/", "fixtures/", "bench/"))]


def test_the_installed_wheel_runs_the_cases_from_a_foreign_folder(wheel: Path, tmp_path: Path) -> None:
    # The environment sees the libraries that are installed here, and the package from the wheel alone.
    venv.create(tmp_path / "env", with_pip=True, system_site_packages=False)
    python = tmp_path / "env/bin/python"
    libraries = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    site = next((tmp_path / "env/lib").glob("python*/site-packages"))
    (site / "libraries.pth").write_text(f"{libraries}\n")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True, timeout=300
    )
    foreign = tmp_path / "foreign"
    (foreign / "rules").mkdir(parents=True)  # a folder of that name must not be mistaken for ours
    (foreign / "rules" / "trap.yaml").write_text("schema: not-a-rule\n")
    where = subprocess.run(
        [python, "-c", "import cds; print(cds.__file__)"], cwd=foreign, check=True, capture_output=True, text=True
    )
    assert str(tmp_path / "env") in where.stdout
    done = subprocess.run(
        [tmp_path / "env/bin/psychmed", "test", "-k", "B-01"],
        cwd=foreign,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout.splitlines()[-1]
