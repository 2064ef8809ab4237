-- Calendars from elsewhere that therapists have linked, and when these say that they are busy.

-- Where one is and what opens it is sealed before it comes here.
CREATE TABLE linked_calendar (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    therapist_id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    kind TEXT NOT NULL CHECK (kind IN ('ics', 'caldav')),
    label TEXT,
    host TEXT NOT NULL,
    location BLOB NOT NULL,
    -- An IANA name; the therapist's when there is none.
    zone TEXT,
    write_back TEXT NOT NULL CHECK (write_back IN ('off', 'on')),
    created_ms INTEGER NOT NULL,
    -- What became of reading it.
    validators TEXT,
    fetched_ms INTEGER,
    expanded_ms INTEGER,
    checked_ms INTEGER,
    failures INTEGER NOT NULL CHECK (failures >= 0),
    fault TEXT,
    fault_detail TEXT,
    -- When it is due, and until when somebody is at it.
    next_ms INTEGER NOT NULL,
    CHECK ((fault IS NULL) = (fault_detail IS NULL)),
    UNIQUE (therapist_id, id)
) STRICT;

CREATE INDEX linked_calendar_by_next ON linked_calendar (next_ms, id);

-- In pieces of at most a day: who looks for those that overlap a span knows how early they begin, and
-- finds them by one range of the primary key.
CREATE TABLE external_busy (
    therapist_id TEXT NOT NULL,
    starts_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    calendar_id BLOB NOT NULL,
    CHECK (starts_ms < ends_ms AND ends_ms - starts_ms <= 86400000),
    PRIMARY KEY (therapist_id, starts_ms, ends_ms, calendar_id),
    FOREIGN KEY (therapist_id, calendar_id) REFERENCES linked_calendar (therapist_id, id)
        ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
