-- Notifications. Times are Unix milliseconds. The outbox is the table of events itself, which is written in the
-- transaction of the facts: `notify_cursor` says up to where it has been read.
CREATE TABLE notify_cursor (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    event INTEGER NOT NULL
) STRICT;

-- What stands: opened by an event, ended by another one or by what is known of its subject.
CREATE TABLE trouble (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    event      TEXT    NOT NULL,
    subject    TEXT    NOT NULL, -- a domain, a row, a target of notifications, or ''
    occurrence INTEGER NOT NULL, -- the id of an event that does not last, else 0
    detail     TEXT    NOT NULL, -- the fields of the last such event, a JSON object
    since      INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL, -- when the event was read
    ended_at   INTEGER,
    UNIQUE (event, subject, occurrence)
) STRICT;

-- Which target was told of which trouble, and when last.
CREATE TABLE told (
    target     TEXT    NOT NULL,
    trouble_id INTEGER NOT NULL REFERENCES trouble (id) ON DELETE CASCADE,
    at         INTEGER NOT NULL,
    PRIMARY KEY (target, trouble_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX told_trouble ON told (trouble_id);

-- How the deliveries to a target go: a JSON object.
CREATE TABLE notify_target (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What nobody is told of for a while.
CREATE TABLE mute (
    subject TEXT    PRIMARY KEY, -- a domain, or 'all'
    since   INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    because TEXT
) STRICT, WITHOUT ROWID;
