"""What is wrong with a case file is named as file:line:column."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.authoring.cases import read_cases
from cds.errors import RuleError

GOOD = """\
rule: benzodiazepine-new-order
spec: B-01
today: 2026-03-02
time_zone: America/New_York
hook: order-sign
patients:
  naive:
    - patient: {age: 45}
cases:
  - name: two weeks
    patient: naive
    add: [draft d1: {drug: lorazepam 0.5, take: 1, times: 2, days: 14d}]
    expect: silent
"""


def test_a_good_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(GOOD)
    assert [case.name for case in read_cases(file)] == ["two weeks"]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("expect: silent", "expect: quiet", (13, 13, "R200")),
        ("hook: order-sign", "hook: order-sing", (5, 7, "R200")),
        ("patient: naive", "patient: nave", (11, 14, "R201")),
    ],
)
def test_an_error_is_named_where_it_stands(tmp_path: Path, old: str, new: str, place: tuple[int, int, str]) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(RuleError) as told:
        read_cases(file)
    assert (told.value.line, told.value.column, told.value.code) == place
