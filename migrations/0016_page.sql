-- The status page.

-- How a domain stands by its last check alone, worst first: see Severity in src/status/severity.rs. NULL: never
-- checked.
ALTER TABLE domain_status ADD COLUMN severity INTEGER;
UPDATE domain_status SET severity = CASE
    WHEN latest->>'$.dns.verdict' NOT IN ('ok', 'proxied')
        OR latest->>'$.ssl.verdict' NOT IN ('valid', 'old-tls', 'expiring')
        OR latest->>'$.site.verdict' NOT IN ('served', 'redirected', 'blocked', 'unknown') THEN 0
    WHEN latest->>'$.ssl.verdict' <> 'valid' OR json_array_length(latest, '$.blockers') > 0 THEN 1
    ELSE 2 END
WHERE json_valid(latest);
-- The rows themselves are large.
CREATE INDEX domain_status_severity ON domain_status (ledger_id, domain, severity);

-- What signs logins and the customers' links, one row.
CREATE TABLE signing_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB    NOT NULL
) STRICT;
