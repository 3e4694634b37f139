-- The words of the documentation, in the tables too.
ALTER TABLE managed RENAME COLUMN unwanted_since TO undesired_since;
ALTER TABLE rejected RENAME TO invalid_row;
ALTER TABLE standing RENAME TO domain_status;
ALTER TABLE domain_status RENAME COLUMN looked_at TO checked_at;
ALTER TABLE domain_status RENAME COLUMN doubted_at TO suspect_since;
ALTER TABLE domain_status RENAME COLUMN told_at TO alerted_at;
UPDATE event SET name = 'row.invalid' WHERE name = 'row.rejected';
UPDATE event SET name = 'domain.not_desired' WHERE name = 'domain.not_wanted';
UPDATE last_cycle SET summary =
    replace(replace(replace(summary, '"wanted":', '"desired":'), '"foreign":', '"unmanaged":'),
        '"rejected":', '"invalid":');
