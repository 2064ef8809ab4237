-- Instants are unix milliseconds, ids the 16 bytes of a UUID, enums the words of the contract.
-- The checks say what the types in booking-core say: breaking one is a bug, never control flow.

CREATE TABLE meeting (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version INTEGER NOT NULL CHECK (version >= 1),
    client_id TEXT NOT NULL,
    therapist_id TEXT NOT NULL CHECK (therapist_id <> client_id),
    start_ms INTEGER NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    status TEXT NOT NULL
        CHECK (status IN ('SCHEDULED', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'NO_SHOW')),
    meeting_type TEXT NOT NULL CHECK (meeting_type IN ('video', 'audio', 'in_person', 'chat')),
    title TEXT NOT NULL,
    description TEXT,
    meeting_url TEXT,
    session_notes TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

-- A person's meetings in the order of listing.
CREATE INDEX meeting_by_client ON meeting (client_id, start_ms, id);
CREATE INDEX meeting_by_therapist ON meeting (therapist_id, start_ms, id);

-- Whether two people have met, however much else either of them has in the past.
CREATE INDEX meeting_of_two ON meeting (client_id, therapist_id, start_ms)
    WHERE status <> 'CANCELLED';

-- What conflict checks look at; however many cancelled meetings pile up at one start.
CREATE INDEX meeting_live_by_client ON meeting (client_id, start_ms)
    WHERE status IN ('SCHEDULED', 'CONFIRMED');
CREATE INDEX meeting_live_by_therapist ON meeting (therapist_id, start_ms)
    WHERE status IN ('SCHEDULED', 'CONFIRMED');

-- The second wall: no two live meetings of one person overlap, in whatever role. No meeting is
-- longer than 120 minutes (7 200 000 ms), so one that overlaps starts less than that before.
CREATE TRIGGER meeting_insert_overlap BEFORE INSERT ON meeting
WHEN NEW.status IN ('SCHEDULED', 'CONFIRMED')
BEGIN
    SELECT RAISE(ABORT, 'live meetings of one person overlap')
    WHERE EXISTS (
        SELECT 1 FROM meeting
        WHERE client_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
    ) OR EXISTS (
        SELECT 1 FROM meeting
        WHERE therapist_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
    );
END;

CREATE TRIGGER meeting_update_overlap
BEFORE UPDATE OF client_id, therapist_id, start_ms, duration_minutes, status ON meeting
WHEN NEW.status IN ('SCHEDULED', 'CONFIRMED')
BEGIN
    SELECT RAISE(ABORT, 'live meetings of one person overlap')
    WHERE EXISTS (
        SELECT 1 FROM meeting
        WHERE client_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
            AND id <> OLD.id
    ) OR EXISTS (
        SELECT 1 FROM meeting
        WHERE therapist_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
            AND id <> OLD.id
    );
END;

CREATE TABLE availability (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    therapist_id TEXT NOT NULL,
    -- From Sunday.
    weekday INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6),
    -- On the clocks of the therapist's zone.
    start_minute INTEGER NOT NULL CHECK (start_minute >= 0),
    end_minute INTEGER NOT NULL CHECK (start_minute < end_minute AND end_minute <= 1440),
    is_available INTEGER NOT NULL CHECK (is_available IN (0, 1)),
    notes TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX availability_by_therapist
    ON availability (therapist_id, weekday, start_minute, end_minute, id);

-- The same wall for availability.
CREATE TRIGGER availability_insert_overlap BEFORE INSERT ON availability
BEGIN
    SELECT RAISE(ABORT, 'availability of one day overlaps')
    WHERE EXISTS (
        SELECT 1 FROM availability
        WHERE therapist_id = NEW.therapist_id AND weekday = NEW.weekday
            AND start_minute < NEW.end_minute AND end_minute > NEW.start_minute
    );
END;

CREATE TRIGGER availability_update_overlap
BEFORE UPDATE OF therapist_id, weekday, start_minute, end_minute ON availability
BEGIN
    SELECT RAISE(ABORT, 'availability of one day overlaps')
    WHERE EXISTS (
        SELECT 1 FROM availability
        WHERE therapist_id = NEW.therapist_id AND weekday = NEW.weekday
            AND start_minute < NEW.end_minute AND end_minute > NEW.start_minute
            AND id <> OLD.id
    );
END;

CREATE TABLE idempotency_record (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- JSON of booking_core::Answer.
    answer TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT;

CREATE INDEX idempotency_record_by_expiry ON idempotency_record (expires_ms);

-- Delivered events stay: a consumer that was away resumes after the last sequence it has seen.
-- AUTOINCREMENT, so that a number is never used twice, even once old events are cleared away.
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL CHECK (length(event_id) = 16),
    meeting_id BLOB NOT NULL CHECK (length(meeting_id) = 16),
    occurred_ms INTEGER NOT NULL,
    -- JSON of booking_core::EventPayload.
    payload TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1))
) STRICT;

CREATE INDEX outbox_undelivered ON outbox (sequence) WHERE delivered = 0;

CREATE TABLE directory_user (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('client', 'therapist', 'admin')),
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL,
    -- An IANA name; UTC when nobody said.
    zone TEXT
) STRICT;

CREATE TABLE relationship (
    client_id TEXT NOT NULL REFERENCES directory_user (id),
    therapist_id TEXT NOT NULL REFERENCES directory_user (id),
    PRIMARY KEY (client_id, therapist_id)
) STRICT, WITHOUT ROWID;
