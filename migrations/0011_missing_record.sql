-- Names that say what the tables hold.
ALTER TABLE lacking_record RENAME TO missing_record;
ALTER TABLE reckoning RENAME TO loop_clock;
