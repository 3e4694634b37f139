-- Domain records, and which network a ledger belongs to. Times are Unix milliseconds.

-- Sites that lack their domain record: since when, and in how many reads, they have been so.
CREATE TABLE lacking_record (
    network_id INTEGER NOT NULL,
    blog_id    INTEGER NOT NULL,
    state      TEXT    NOT NULL, -- all of the site and its network that the record depends on
    since      INTEGER NOT NULL,
    reads      INTEGER NOT NULL,
    PRIMARY KEY (network_id, blog_id)
) STRICT, WITHOUT ROWID;

-- Domain records that were written: never again, unless the operator asks for it by name.
CREATE TABLE written_record (
    network_id INTEGER NOT NULL,
    blog_id    INTEGER NOT NULL,
    domain     TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    is_sure    INTEGER NOT NULL, -- 0: begun, and how it ended was not seen
    PRIMARY KEY (network_id, blog_id, domain)
) STRICT, WITHOUT ROWID;

-- A network is known by its id and its domain in lower case, which stood in one text: 'domain (id)'.
ALTER TABLE ledger ADD COLUMN network_id INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET
    domain = lower(substr(network, 1, length(rtrim(rtrim(network, ')'), '-0123456789')) - 2)),
    network_id = CAST(
        substr(rtrim(network, ')'), length(rtrim(rtrim(network, ')'), '-0123456789')) + 1)
        AS INTEGER);

-- Ledgers that differed in letter case only become the newest of them.
CREATE TEMP TABLE merged AS
    SELECT one.id AS old, max(other.id) AS new
    FROM ledger one
    JOIN ledger other USING (network_id, domain, account)
    GROUP BY one.id HAVING max(other.id) > one.id;
INSERT OR IGNORE INTO managed (ledger_id, domain, row_id, blog_id, row_modified, managed_since,
        present_since, unwanted_since, progress, attempts, next_attempt, refused_at, error, covered_by)
    SELECT new, managed.domain, row_id, blog_id, row_modified, managed_since, present_since,
        unwanted_since, progress, attempts, next_attempt, refused_at, error, covered_by
    FROM managed JOIN merged ON old = ledger_id ORDER BY old DESC;
DELETE FROM managed WHERE ledger_id IN (SELECT old FROM merged);
DELETE FROM rejected WHERE ledger_id IN (SELECT old FROM merged);
DELETE FROM standing WHERE ledger_id IN (SELECT old FROM merged);
DELETE FROM certificate_request WHERE ledger_id IN (SELECT old FROM merged);
UPDATE last_cycle SET ledger_id = (SELECT new FROM merged WHERE old = ledger_id)
    WHERE ledger_id IN (SELECT old FROM merged);
DELETE FROM ledger WHERE id IN (SELECT old FROM merged);
DROP TABLE merged;

UPDATE ledger SET network = domain || ' (' || network_id || ')';
CREATE UNIQUE INDEX ledger_network ON ledger (network_id, domain, account);
