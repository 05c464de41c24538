"""X9: a token is good once, in every worker and after a restart, and the store stays bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hooks.auth.replay import ReplayError, ReplayStore, ReplayStores

NOW = 1_772_445_600.0


def test_a_jti_is_good_once_per_issuer() -> None:
    store = ReplayStore(None, 10)
    assert store.first_use("a", "j", until=NOW + 60, now=NOW)
    assert not store.first_use("a", "j", until=NOW + 60, now=NOW + 1)
    assert store.first_use("b", "j", until=NOW + 60, now=NOW + 1)
    assert store.first_use("a", "J", until=NOW + 60, now=NOW + 1)
    # A separator of one is no part of the other.
    assert store.first_use("a\0j", "", until=NOW + 60, now=NOW + 1)


def test_a_full_store_lets_nobody_in_and_forgets_nobody() -> None:
    store = ReplayStore(None, 3)
    for jti in "123":
        assert store.first_use("a", jti, until=NOW + 60, now=NOW)
    with pytest.raises(ReplayError, match="replay_entries"):
        store.first_use("a", "4", until=NOW + 60, now=NOW)
    assert not store.first_use("a", "1", until=NOW + 60, now=NOW)
    # One client that uses up its share costs the others nothing.
    assert store.first_use("b", "4", until=NOW + 60, now=NOW)
    # And there is room again when tokens have expired.
    assert store.first_use("a", "4", until=NOW + 120, now=NOW + 60)


def test_the_store_stays_as_small_as_its_unexpired_tokens(tmp_path: Path) -> None:
    file = tmp_path / "used.sqlite"
    store = ReplayStore(file, 50)
    for second in range(2000):
        assert store.first_use("a", str(second), until=NOW + second + 30, now=NOW + second)
    assert file.stat().st_size < 200_000


def test_another_process_and_the_next_start_know_the_used_tokens(tmp_path: Path) -> None:
    file = tmp_path / "used.sqlite"
    first, second = ReplayStore(file, 10), ReplayStore(file, 10)
    assert first.first_use("a", "j", until=NOW + 60, now=NOW)
    assert not second.first_use("a", "j", until=NOW + 60, now=NOW)
    first.close()
    second.close()
    again = ReplayStore(file, 10)
    assert not again.first_use("a", "j", until=NOW + 60, now=NOW)
    assert again.was_used("a", "j")
    assert not again.was_used("a", "k")


def test_of_many_that_use_one_token_at_once_one_gets_in(tmp_path: Path) -> None:
    file = tmp_path / "used.sqlite"
    ReplayStore(file, 1000).close()

    def attempt(number: int) -> int:
        store = ReplayStore(file, 1000)
        let_in = sum(store.first_use("a", str(jti), until=NOW + 60, now=NOW) for jti in range(40))
        store.close()
        return let_in

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 40


def test_the_file_holds_no_jti(tmp_path: Path) -> None:
    store = ReplayStore(tmp_path / "used.sqlite", 10)
    store.first_use("a", "a-telling-token-id", until=NOW + 60, now=NOW)
    store.close()
    assert b"telling" not in (tmp_path / "used.sqlite").read_bytes()


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="replay_file"):
        ReplayStore(tmp_path / "no" / "folder.sqlite", 10)
    (tmp_path / "text").write_text("this is no database, but a text that is long enough to be one\n" * 20)
    with pytest.raises(ReplayError, match="replay_file"):
        ReplayStore(tmp_path / "text", 10)


def test_a_worker_keeps_its_store_and_may_keep_more_or_fewer_after_a_reload() -> None:
    stores = ReplayStores()
    before = stores.of(None, 1)
    assert before.first_use("iss", "one", until=NOW + 60, now=NOW)
    after = stores.of(None, 2)
    assert not after.first_use("iss", "one", until=NOW + 60, now=NOW)
    assert after.first_use("iss", "two", until=NOW + 60, now=NOW)
    with pytest.raises(ReplayError):
        after.first_use("iss", "three", until=NOW + 60, now=NOW)
