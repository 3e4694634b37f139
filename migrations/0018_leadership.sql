-- Who leads where several daemons share a network: see src/leader/. A row for each network and account.
CREATE TABLE leadership (
    lock_name   TEXT    PRIMARY KEY,
    proof       TEXT,             -- a second lock of the session that leads for this state; NULL: none does
    since       INTEGER NOT NULL, -- since when nobody else has led, as far as this state has seen
    other_leads INTEGER NOT NULL CHECK (other_leads IN (0, 1)), -- another state leads, or may have since
    leader      TEXT,             -- who that is, for people
    noted_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
