-- Sessions that were booked together, as they were booked: rows only ever join. What became of their
-- meetings is in `meeting`.
CREATE TABLE series (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    client_id TEXT NOT NULL,
    therapist_id TEXT NOT NULL CHECK (therapist_id <> client_id),
    -- An RRULE of RFC 5545, meant in `zone`, and the dates there on which it does not count: a list,
    -- as JSON.
    rule TEXT NOT NULL,
    except_dates TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    -- An IANA name.
    zone TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- The meetings that were booked, by their place among them. Each was booked once.
CREATE TABLE series_meeting (
    series_id BLOB NOT NULL REFERENCES series (id),
    place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 103),
    meeting_id BLOB NOT NULL UNIQUE REFERENCES meeting (id),
    PRIMARY KEY (series_id, place)
) STRICT, WITHOUT ROWID;
