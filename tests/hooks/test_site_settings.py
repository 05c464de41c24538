"""The settings file and the environment: what wins, what is refused, and how it is said."""

from __future__ import annotations

import datetime as dt
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from cds.model import Hook
from cds.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PSYCHMED_"):
            monkeypatch.delenv(name)


def site(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path | None, **given: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, **given)
    return str(caught.value)


def test_the_time_zone_has_no_default_and_the_message_says_what_to_write() -> None:
    message = refused(None)
    assert "time_zone is not set" in message
    assert "PSYCHMED_TIME_ZONE" in message


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "CET+1"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    assert "time_zone: not a known IANA time zone" in refused(None, time_zone=zone)


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    path = site(tmp_path, "time_zone: Europe/Berlin\nport: 99999\nrules:\n  some-rule:\n    status: asleep\n")
    problems = [line.split(": ")[0] for line in refused(path).splitlines()]
    assert problems == [f"{path}:2:1", f"{path}:5:5"]


def test_a_mistyped_setting_is_told_with_the_right_name(tmp_path: Path) -> None:
    message = refused(site(tmp_path, "time_zone: UTC\nengin: direct\n"))
    assert "engin is not a setting (did you mean engine?)" in message


def test_a_wrong_environment_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_ENGINE", "turbo")
    assert refused(None, time_zone="UTC").startswith("PSYCHMED_ENGINE: ")


def test_the_environment_is_blamed_and_not_the_file_it_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSYCHMED_PORT", "none")
    assert refused(site(tmp_path, "time_zone: UTC\nport: 8080\n")).startswith("PSYCHMED_PORT: ")


def test_an_environment_variable_that_is_no_json_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_RULES", "{bad")
    assert "rules" in refused(None, time_zone="UTC")


@pytest.mark.parametrize("text", ["time_zone: [\n", "- a\n- b\n", "a: 1\na: 2\n", "\tx"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    path = site(tmp_path, text)
    assert str(path) in refused(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.yaml", time_zone="UTC")


def test_code_wins_over_environment_over_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = site(tmp_path, "time_zone: Europe/Berlin\nport: 1111\nengine_deadline_ms: 70\n")
    monkeypatch.setenv("PSYCHMED_PORT", "2222")
    monkeypatch.setenv("PSYCHMED_TIME_ZONE", "Europe/Paris")
    settings = load_settings(path, time_zone="UTC")
    assert (settings.time_zone, settings.port, settings.engine_deadline_ms) == ("UTC", 2222, 70)
    assert settings.max_body_bytes == 16 * 1024 * 1024


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_SETTINGS", str(site(tmp_path, "time_zone: Asia/Tokyo\n")))
    assert load_settings().zone.key == "Asia/Tokyo"


def test_lists_in_the_environment_are_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_CORS_ORIGINS", "https://a.example, https://b.example:8443")
    monkeypatch.setenv("PSYCHMED_RULES_DIR", "/a:/b")
    settings = load_settings(time_zone="UTC")
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")
    assert settings.rules_dir == (Path("/a"), Path("/b"))


@pytest.mark.parametrize("origin", ["ehr.example.org", "https://ehr.example.org/path", "ftp://x"])
def test_an_origin_is_scheme_and_host(origin: str) -> None:
    assert "origin" in refused(None, time_zone="UTC", cors_origins=[origin])


def test_a_rule_switch_has_status_parameters_and_why(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        "time_zone: UTC\nrules:\n  benzodiazepine-new-order:\n    status: silent\n"
        "    parameters: {max_days: 21}\n    why: pharmacy board 2026-01\n",
    )
    switch = load_settings(path).rules["benzodiazepine-new-order"]
    assert (switch.status, switch.parameters, switch.why) == ("silent", {"max_days": 21}, "pharmacy board 2026-01")


def test_card_budgets_default_to_the_specification_and_can_be_set_by_hook_name(tmp_path: Path) -> None:
    settings = load_settings(site(tmp_path, "time_zone: UTC\ncard_budgets: {order-sign: 5}\n"))
    hooks: tuple[Hook, ...] = ("order-select", "order-sign", "patient-view", "encounter-discharge", "batch")
    assert [settings.budget(hook) for hook in hooks] == [1, 5, 3, 4, None]


def test_a_pinned_day_is_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_TODAY", "2026-03-02")
    assert load_settings(time_zone="UTC").today == dt.date(2026, 3, 2)
    monkeypatch.setenv("PSYCHMED_TODAY", "tomorrow")
    assert refused(None, time_zone="UTC").startswith("PSYCHMED_TODAY: ")


def test_settings_reach_a_worker_process_unchanged() -> None:
    settings = Settings(time_zone="UTC", port=9)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "running.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert any(f"`{name}`" in row.split(" | ")[0] for row in rows)


def test_the_documented_example_is_a_valid_file(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "running.md").read_text("utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    assert set(load_settings(site(tmp_path, example)).rules) == {"same-class-pair", "benzodiazepine-new-order"}
