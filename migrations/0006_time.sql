-- Time, when the machine's clock jumps. Times are Unix milliseconds.

-- What each of the loops reckons the time from: a boot of the machine, by the clock that it followed last.
CREATE TABLE reckoning (
    loop      TEXT    PRIMARY KEY, -- 'cycles', 'checks'
    boot      TEXT    NOT NULL,
    booted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The days on which cycles were completed, by the clock, and the last event by the end of each. How old an
-- event is, is counted in these: a clock that jumps adds one, however far it goes.
CREATE TABLE event_day (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    day        INTEGER NOT NULL UNIQUE, -- since 1970
    last_event INTEGER NOT NULL
) STRICT;
DROP INDEX event_at;
