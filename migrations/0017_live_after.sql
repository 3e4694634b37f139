-- The median of how long mapped names took until visitors got their site.
CREATE INDEX domain_status_live_after ON domain_status (ledger_id, live_since, live_after_s)
    WHERE live_after_s IS NOT NULL;
