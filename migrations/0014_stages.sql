-- Stages written into WordPress's domain table. Times are Unix milliseconds.

-- How many checks in a row found DNS and certificate good, and how often both have stopped being good.
ALTER TABLE domain_status ADD COLUMN good_checks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domain_status ADD COLUMN times_broken INTEGER NOT NULL DEFAULT 0;

-- The names that WordPress does not serve because of their stage alone.
CREATE INDEX managed_stage_not_done ON managed (ledger_id, domain) WHERE row_state & 3840 = 768;

-- Why the checks may be wrong: no stage is written until then.
CREATE TABLE checks_doubt (
    reason TEXT    PRIMARY KEY, -- 'mass-failure', 'sick-resolver'
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Stages that were written: not again, unless the domain was broken and works again.
CREATE TABLE written_stage (
    ledger_id    INTEGER NOT NULL REFERENCES ledger (id),
    row_id       INTEGER NOT NULL,
    domain       TEXT    NOT NULL,
    stage        TEXT    NOT NULL, -- the one before
    at           INTEGER NOT NULL,
    is_sure      INTEGER NOT NULL, -- 0: begun, and how it ended was not seen
    is_retry     INTEGER NOT NULL, -- 1: written again after a lost race
    modified     INTEGER,          -- when the row was written last before, Unix seconds
    last_ended   INTEGER,          -- the plugin's own check of the row that had ended last
    times_broken INTEGER NOT NULL, -- as of the domain's status then
    failures     INTEGER NOT NULL, -- of the calls for this row, in a row
    next_attempt INTEGER,
    taken_back   INTEGER NOT NULL, -- 1: somebody put the row back, which was reported
    PRIMARY KEY (ledger_id, row_id, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX written_stage_unsure ON written_stage (ledger_id, at) WHERE is_sure = 0;
