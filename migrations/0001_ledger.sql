-- The state of closte-sync. Times are Unix milliseconds.

-- One ledger for each network and each Closte account (a fingerprint of the key, never the key).
CREATE TABLE ledger (
    id         INTEGER PRIMARY KEY,
    network    TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    UNIQUE (network, account)
) STRICT;

-- Every name that was seen wanted, and so may be removed one day.
CREATE TABLE managed (
    ledger_id      INTEGER NOT NULL REFERENCES ledger (id),
    domain         TEXT    NOT NULL,
    row_id         INTEGER,
    blog_id        INTEGER,
    row_modified   INTEGER, -- Unix seconds by WordPress's clock
    managed_since  INTEGER NOT NULL,
    present_since  INTEGER,
    unwanted_since INTEGER,
    progress       TEXT    NOT NULL CHECK (progress IN ('idle', 'accepted', 'failed', 'refused')),
    attempts       INTEGER NOT NULL DEFAULT 0,
    next_attempt   INTEGER,
    refused_at     INTEGER,
    error          TEXT,
    covered_by     TEXT,    -- the wildcard at Closte that serves it, by the last plan
    PRIMARY KEY (ledger_id, domain)
) STRICT, WITHOUT ROWID;

-- Rows of the network that are no domain name, so that each is reported once.
CREATE TABLE rejected (
    ledger_id INTEGER NOT NULL REFERENCES ledger (id),
    origin    TEXT    NOT NULL, -- 'row 17', 'site 4'
    blog_id   INTEGER NOT NULL,
    value     TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (ledger_id, origin)
) STRICT, WITHOUT ROWID;

-- What happened, for people: `closte-sync events`.
CREATE TABLE event (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    level  TEXT    NOT NULL, -- ERROR, WARN, INFO
    name   TEXT    NOT NULL,
    domain TEXT,
    detail TEXT    NOT NULL -- a JSON object
) STRICT;
CREATE INDEX event_domain ON event (domain, id);
CREATE INDEX event_at ON event (at);

-- How the cycles go, one row.
CREATE TABLE last_cycle (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    ledger_id    INTEGER REFERENCES ledger (id),
    completed_at INTEGER,         -- the last one that was not broken off
    summary      TEXT,            -- its figures, a JSON object
    failed_at    INTEGER,         -- the last one that was, if none was completed since
    error        TEXT
) STRICT;
