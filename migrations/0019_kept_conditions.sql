-- The conditions that stood when `apply --check` ended, as JSON, for the next one. One row.
CREATE TABLE kept_conditions (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    conditions TEXT    NOT NULL
) STRICT;
