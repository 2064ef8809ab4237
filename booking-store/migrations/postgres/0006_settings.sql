-- How therapists want to be booked.

-- Whoever waits for such a lock keeps everybody else waiting behind it, bookings included: so not for
-- long. The store tries again.
SET LOCAL lock_timeout = '2s';
LOCK TABLE meeting IN ACCESS EXCLUSIVE MODE;

-- A row per therapist who has ever set anything.
CREATE TABLE scheduling_settings (
    therapist_id text COLLATE "C" NOT NULL PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    -- An IANA name; the directory's when there is none.
    zone text,
    interval_minutes bigint NOT NULL CHECK (interval_minutes BETWEEN 5 AND 120),
    -- A bit for each of 30, 60, 90 and 120 minutes, from the lowest.
    durations bigint NOT NULL CHECK (durations BETWEEN 1 AND 15),
    buffer_before_minutes bigint NOT NULL CHECK (buffer_before_minutes BETWEEN 0 AND 120),
    buffer_after_minutes bigint NOT NULL CHECK (buffer_after_minutes BETWEEN 0 AND 120),
    -- The most that any version of these settings had.
    widest_before_minutes bigint NOT NULL CHECK (widest_before_minutes BETWEEN 0 AND 120),
    widest_after_minutes bigint NOT NULL CHECK (widest_after_minutes BETWEEN 0 AND 120),
    notice_minutes bigint NOT NULL CHECK (notice_minutes BETWEEN 0 AND 525600),
    horizon_days bigint CHECK (horizon_days BETWEEN 1 AND 3650),
    most_a_day bigint CHECK (most_a_day BETWEEN 1 AND 48),
    most_a_week bigint CHECK (most_a_week BETWEEN 1 AND 336),
    cancellation_minutes bigint NOT NULL CHECK (cancellation_minutes BETWEEN 0 AND 525600),
    reschedule_minutes bigint NOT NULL CHECK (reschedule_minutes BETWEEN 0 AND 525600),
    meeting_url text,
    updated_at timestamptz NOT NULL,
    CHECK (buffer_before_minutes <= widest_before_minutes),
    CHECK (buffer_after_minutes <= widest_after_minutes)
);

-- What is kept free around each meeting. Not validated: that would read the whole table while nobody
-- can book, and every row there is has the default.
ALTER TABLE meeting
    ADD COLUMN buffer_before_minutes bigint NOT NULL DEFAULT 0,
    ADD COLUMN buffer_after_minutes bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT meeting_buffers CHECK (
        buffer_before_minutes BETWEEN 0 AND 120 AND buffer_after_minutes BETWEEN 0 AND 120
    ) NOT VALID;

-- Civil dates, by the therapist's calendar, on which other windows count than those of the week.
CREATE TABLE availability_override (
    id uuid NOT NULL PRIMARY KEY,
    therapist_id text COLLATE "C" NOT NULL,
    first_date date NOT NULL,
    last_date date NOT NULL CHECK (first_date <= last_date AND last_date - first_date < 366),
    -- booking_core::DayWindows.
    windows json NOT NULL,
    notes text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- No date has two.
    CONSTRAINT overrides_of_one_date EXCLUDE USING gist (
        therapist_id WITH =, daterange(first_date, last_date, '[]') WITH &&
    ) DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX availability_override_by_therapist
    ON availability_override (therapist_id, last_date, first_date);

-- A booking rests on settings and overrides, as on availability: their changes count in the same way.
CREATE TRIGGER settings_are_counted AFTER INSERT OR UPDATE OR DELETE ON scheduling_settings
    FOR EACH ROW EXECUTE FUNCTION count_availability();

CREATE TRIGGER override_is_counted AFTER INSERT OR UPDATE OR DELETE ON availability_override
    FOR EACH ROW EXECUTE FUNCTION count_availability();
