"""The double's state: one SQLite file, or memory. A committed request survives a killed process."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY,
    livemode INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS objects_by_id ON objects (kind, id, livemode);
CREATE INDEX IF NOT EXISTS objects_by_owner ON objects (kind, livemode, owner);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, livemode);

CREATE TABLE IF NOT EXISTS meter_events (
    seq INTEGER PRIMARY KEY,
    livemode INTEGER NOT NULL,
    identifier TEXT NOT NULL,
    received REAL NOT NULL,
    event_name TEXT NOT NULL,
    meter TEXT NOT NULL,
    customer TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    value INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS meter_events_by_identifier ON meter_events (identifier, livemode, received);
CREATE INDEX IF NOT EXISTS meter_events_by_usage
    ON meter_events (customer, livemode, meter, timestamp, received, value);

CREATE TABLE IF NOT EXISTS sums (
    livemode INTEGER NOT NULL,
    customer TEXT NOT NULL,
    event_name TEXT NOT NULL,
    events INTEGER NOT NULL,
    units INTEGER NOT NULL,
    PRIMARY KEY (customer, event_name, livemode)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS sightings (
    identifier TEXT NOT NULL,
    livemode INTEGER NOT NULL,
    body BLOB NOT NULL,
    times INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    conflicting INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (identifier, livemode)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sightings_again ON sightings (identifier) WHERE times > 1;
CREATE INDEX IF NOT EXISTS sightings_conflicting ON sightings (identifier) WHERE conflicting;

CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY,
    livemode INTEGER NOT NULL,
    expires REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS refusals (
    livemode INTEGER NOT NULL,
    meter TEXT NOT NULL,
    opened REAL NOT NULL,
    closes REAL NOT NULL,
    code TEXT NOT NULL,
    errors INTEGER NOT NULL,
    samples TEXT NOT NULL,
    PRIMARY KEY (livemode, meter, opened, code)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY,
    livemode INTEGER NOT NULL,
    event TEXT NOT NULL,
    created REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (due) WHERE state = 'waiting';

CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL,
    livemode INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    at REAL NOT NULL,
    status INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (key, livemode)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_time ON answers (at);
"""

# A file of an earlier version has events, but no sums yet.
_SUM_UP = """
INSERT INTO sums SELECT livemode, customer, event_name, count(*), sum(value) FROM meter_events
WHERE NOT EXISTS (SELECT 1 FROM sums) GROUP BY customer, event_name, livemode
"""


class StripeStore:
    """A connection and its schema. Only one event loop uses it, so that transactions never interleave.

    When a commit returns, the operating system has the data: it survives the process, but not a power failure.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("PRAGMA wal_autocheckpoint = 16000")
        self.connection.execute("PRAGMA cache_size = -65536")
        self.connection.executescript(_SCHEMA)
        self.connection.execute(_SUM_UP)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits everything in the context; after an exception, nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        """Returns a remembered value; None if there is none."""
        row = self.connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Remembers a value."""
        self.connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Closes the connection; the file stays."""
        self.connection.close()
