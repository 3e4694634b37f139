-- Where a row stands that is no domain name: the table and the id there, which stood in one text.
CREATE TABLE located_row (
    ledger_id INTEGER NOT NULL REFERENCES ledger (id),
    kind      TEXT    NOT NULL CHECK (kind IN ('row', 'site')),
    id        INTEGER NOT NULL,
    blog_id   INTEGER NOT NULL,
    value     TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (ledger_id, kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO located_row (ledger_id, kind, id, blog_id, value, reason, since)
    SELECT ledger_id, substr(origin, 1, instr(origin, ' ') - 1),
        CAST(substr(origin, instr(origin, ' ') + 1) AS INTEGER), blog_id, value, reason, since
    FROM invalid_row;
DROP TABLE invalid_row;
ALTER TABLE located_row RENAME TO invalid_row;
