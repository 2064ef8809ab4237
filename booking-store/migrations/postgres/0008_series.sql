-- Sessions that were booked together, as they were booked: rows only ever join. What became of their
-- meetings is in `meeting`; no decision about a calendar looks here.

-- A reference waits for those who write to `meeting`, and whoever wants to write next waits behind it: so
-- not for long. The store tries again.
SET LOCAL lock_timeout = '2s';
LOCK TABLE meeting IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE series (
    id uuid NOT NULL PRIMARY KEY,
    client_id text COLLATE "C" NOT NULL,
    therapist_id text COLLATE "C" NOT NULL CHECK (therapist_id <> client_id),
    -- An RRULE of RFC 5545, meant in `zone`, and the dates there on which it does not count.
    rule text NOT NULL,
    except_dates date[] NOT NULL,
    start_at timestamptz NOT NULL,
    duration_minutes bigint NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    -- An IANA name.
    zone text NOT NULL,
    created_at timestamptz NOT NULL
);

-- The meetings that were booked, by their place among them. Each was booked once.
CREATE TABLE series_meeting (
    series_id uuid NOT NULL REFERENCES series (id),
    place bigint NOT NULL CHECK (place BETWEEN 0 AND 103),
    meeting_id uuid NOT NULL UNIQUE REFERENCES meeting (id),
    PRIMARY KEY (series_id, place)
);
