"""Which tokens were used: each jti of an issuer once, until the token has expired.

SQLite, in memory for one worker and in a file for several: workers are processes, and a token must not be good once in
each of them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from cds.errors import CdsError

_WAIT_SECONDS = 0.5
_PURGE_AT_ONCE = 20

_SCHEMA = """
create table if not exists used (issuer text not null, token blob not null, until real not null);
create unique index if not exists used_once on used (issuer, token);
create index if not exists used_until on used (until);
create table if not exists kept (issuer text primary key, entries integer not null) without rowid;
create trigger if not exists used_more after insert on used begin
  insert into kept values (new.issuer, 1) on conflict (issuer) do update set entries = entries + 1;
end;
create trigger if not exists used_less after delete on used begin
  update kept set entries = entries - 1 where issuer = old.issuer;
end;
"""


class ReplayError(CdsError):
    """It cannot be said whether the token was used before: the store is full, or its file cannot be used."""


class ReplayStore:
    """A bounded set of (issuer, jti). Kept are digests, so that the file tells nothing."""

    def __init__(self, file: Path | None, most_entries: int) -> None:
        """file: made when it is not there; None for memory. most_entries: per issuer. Raises ReplayError."""
        self._most = most_entries
        try:
            self._db = sqlite3.connect(
                ":memory:" if file is None else file,
                timeout=_WAIT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._db.execute("pragma journal_mode = wal")
            # A crash of the machine may lose the last entries; a crash of the process loses none.
            self._db.execute("pragma synchronous = off")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ReplayError(f"replay_file {file} cannot be used: {error}") from None

    def allow(self, most_entries: int) -> None:
        """Keep so many per issuer from now on."""
        self._most = most_entries

    def first_use(self, issuer: str, jti: str, *, until: float, now: float) -> bool:
        """Whether this is the token's first use; then it is remembered until `until`.

        Expired entries leave little by little, so that no request pays for all of them.
        Raises ReplayError when the issuer has as many unexpired tokens as may be kept: none is forgotten for another.
        """
        try:
            self._db.execute("begin immediate")
            try:
                self._db.execute(
                    "delete from used where rowid in (select rowid from used where until <= ? order by until limit ?)",
                    (now, _PURGE_AT_ONCE),
                )
                row = (issuer, _digest(jti))
                if self._db.execute("select 1 from used where issuer = ? and token = ?", row).fetchone():
                    return False
                kept = self._db.execute("select entries from kept where issuer = ?", (issuer,)).fetchone()
                if kept and kept[0] >= self._most:
                    raise ReplayError(f"{self._most} unexpired tokens are kept already (replay_entries)")
                self._db.execute("insert into used values (?, ?, ?)", (*row, until))
                return True
            finally:
                self._db.execute("commit")
        except sqlite3.Error as error:
            raise ReplayError(f"the store of used tokens failed: {error}") from None

    def was_used(self, issuer: str, jti: str) -> bool:
        """Whether the token was used; nothing is remembered."""
        row = (issuer, _digest(jti))
        return self._db.execute("select 1 from used where issuer = ? and token = ?", row).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class ReplayStores:
    """The stores of a worker by file: a reload of the settings goes on with the store it had."""

    def __init__(self) -> None:
        self._stores: dict[Path | None, ReplayStore] = {}

    def of(self, file: Path | None, most_entries: int) -> ReplayStore:
        """The store of this file, or the one in memory. Raises ReplayError."""
        store = self._stores.get(file)
        if store is None:
            store = self._stores[file] = ReplayStore(file, most_entries)
        store.allow(most_entries)
        return store


def _digest(jti: str) -> bytes:
    return hashlib.blake2b(jti.encode("utf-8", "surrogatepass"), digest_size=16).digest()
