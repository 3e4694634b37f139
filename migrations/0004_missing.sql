-- Since when Closte's lists lack a name that they named before, or that a wildcard of theirs served.
ALTER TABLE managed ADD COLUMN missing_since INTEGER;
