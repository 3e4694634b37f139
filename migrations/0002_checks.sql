-- The checks: how each name stands, seen from outside. Times are Unix milliseconds.

-- The network's own domain: where the others are expected to point.
ALTER TABLE ledger ADD COLUMN domain TEXT;
-- The plugin's own setting, in milliseconds.
ALTER TABLE ledger ADD COLUMN check_interval INTEGER;

-- The latest observation of every wanted name, and when it is looked at next.
CREATE TABLE standing (
    ledger_id               INTEGER NOT NULL REFERENCES ledger (id),
    domain                  TEXT    NOT NULL,
    due_at                  INTEGER NOT NULL,
    looked_at               INTEGER, -- NULL: never yet; then so is everything below
    latest                  TEXT,    -- the observation, a JSON object
    dns_since               INTEGER,
    ssl_since               INTEGER,
    since                   INTEGER, -- it works, or does not, since then
    doubted_at              INTEGER,
    told_at                 INTEGER,
    lacks_certificate_since INTEGER,
    PRIMARY KEY (ledger_id, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_due ON standing (ledger_id, due_at);
CREATE INDEX standing_lacking ON standing (ledger_id, lacks_certificate_since)
    WHERE lacks_certificate_since IS NOT NULL;

-- When Closte was asked for a certificate last, and what it said.
CREATE TABLE certificate_request (
    ledger_id INTEGER NOT NULL REFERENCES ledger (id),
    domain    TEXT    NOT NULL,
    asked_at  INTEGER NOT NULL,
    answer    TEXT    NOT NULL,
    PRIMARY KEY (ledger_id, domain)
) STRICT, WITHOUT ROWID;

-- Calls that Closte answered with 404 or 405: not tried again before.
CREATE TABLE absent_call (
    path  TEXT    PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
