-- How therapists want to be booked.

-- A row per therapist who has ever set anything.
CREATE TABLE scheduling_settings (
    therapist_id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version >= 1),
    -- An IANA name; the directory's when there is none.
    zone TEXT,
    interval_minutes INTEGER NOT NULL CHECK (interval_minutes BETWEEN 5 AND 120),
    -- A bit for each of 30, 60, 90 and 120 minutes, from the lowest.
    durations INTEGER NOT NULL CHECK (durations BETWEEN 1 AND 15),
    buffer_before_minutes INTEGER NOT NULL CHECK (buffer_before_minutes BETWEEN 0 AND 120),
    buffer_after_minutes INTEGER NOT NULL CHECK (buffer_after_minutes BETWEEN 0 AND 120),
    -- The most that any version of these settings had.
    widest_before_minutes INTEGER NOT NULL CHECK (widest_before_minutes BETWEEN 0 AND 120),
    widest_after_minutes INTEGER NOT NULL CHECK (widest_after_minutes BETWEEN 0 AND 120),
    notice_minutes INTEGER NOT NULL CHECK (notice_minutes BETWEEN 0 AND 525600),
    horizon_days INTEGER CHECK (horizon_days BETWEEN 1 AND 3650),
    most_a_day INTEGER CHECK (most_a_day BETWEEN 1 AND 48),
    most_a_week INTEGER CHECK (most_a_week BETWEEN 1 AND 336),
    cancellation_minutes INTEGER NOT NULL CHECK (cancellation_minutes BETWEEN 0 AND 525600),
    reschedule_minutes INTEGER NOT NULL CHECK (reschedule_minutes BETWEEN 0 AND 525600),
    meeting_url TEXT,
    updated_ms INTEGER NOT NULL,
    CHECK (buffer_before_minutes <= widest_before_minutes),
    CHECK (buffer_after_minutes <= widest_after_minutes)
) STRICT;

-- What is kept free around each meeting.
ALTER TABLE meeting ADD COLUMN buffer_before_minutes INTEGER NOT NULL DEFAULT 0
    CHECK (buffer_before_minutes BETWEEN 0 AND 120);
ALTER TABLE meeting ADD COLUMN buffer_after_minutes INTEGER NOT NULL DEFAULT 0
    CHECK (buffer_after_minutes BETWEEN 0 AND 120);

-- What counts for limits and is not live. No booking writes to it.
CREATE INDEX meeting_held_by_therapist ON meeting (therapist_id, start_ms)
    WHERE status IN ('COMPLETED', 'NO_SHOW');

-- Civil dates, as YYYY-MM-DD by the therapist's calendar, on which other windows count than those of
-- the week.
CREATE TABLE availability_override (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    therapist_id TEXT NOT NULL,
    first_date TEXT NOT NULL CHECK (first_date IS date(first_date)),
    last_date TEXT NOT NULL CHECK (last_date IS date(last_date) AND first_date <= last_date),
    -- JSON of booking_core::DayWindows.
    windows TEXT NOT NULL,
    notes TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX availability_override_by_therapist
    ON availability_override (therapist_id, last_date, first_date);

-- No date has two.
CREATE TRIGGER override_insert_overlap BEFORE INSERT ON availability_override
BEGIN
    SELECT RAISE(ABORT, 'overrides of one date overlap')
    WHERE EXISTS (
        SELECT 1 FROM availability_override
        WHERE therapist_id = NEW.therapist_id
            AND first_date <= NEW.last_date AND last_date >= NEW.first_date
    );
END;

CREATE TRIGGER override_update_overlap
BEFORE UPDATE OF therapist_id, first_date, last_date ON availability_override
BEGIN
    SELECT RAISE(ABORT, 'overrides of one date overlap')
    WHERE EXISTS (
        SELECT 1 FROM availability_override
        WHERE therapist_id = NEW.therapist_id
            AND first_date <= NEW.last_date AND last_date >= NEW.first_date
            AND id <> OLD.id
    );
END;
