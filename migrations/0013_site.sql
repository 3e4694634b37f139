-- When visitors got the site of a name for the first time, and how many seconds after the name was mapped, where
-- that was seen.
ALTER TABLE domain_status ADD COLUMN live_since INTEGER;
ALTER TABLE domain_status ADD COLUMN live_after_s INTEGER;
