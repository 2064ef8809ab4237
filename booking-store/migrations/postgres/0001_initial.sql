-- Instants are of whole milliseconds, enums the words of the contract. Ids of people compare byte by
-- byte: every server then locks them in the same order.
-- The checks say what the types in booking-core say: breaking one is a bug, never control flow.

-- For exclusion constraints over plain values. Whoever owns the database may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE FUNCTION unix_ms(at timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (extract(epoch FROM at) * 1000)::bigint;

-- What a change locks: a row per person who was ever in the scope of one. Rows only ever join, and
-- never change: whoever has seen one may count on it.
CREATE TABLE calendar (
    person_id text COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE meeting (
    id uuid NOT NULL PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    client_id text COLLATE "C" NOT NULL,
    therapist_id text COLLATE "C" NOT NULL CHECK (therapist_id <> client_id),
    start_at timestamptz NOT NULL,
    duration_minutes bigint NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    status text NOT NULL
        CHECK (status IN ('SCHEDULED', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'NO_SHOW')),
    meeting_type text NOT NULL CHECK (meeting_type IN ('video', 'audio', 'in_person', 'chat')),
    title text NOT NULL,
    description text,
    meeting_url text,
    session_notes text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- A person's meetings in the order of listing.
CREATE INDEX meeting_by_client ON meeting (client_id, start_at, id);
CREATE INDEX meeting_by_therapist ON meeting (therapist_id, start_at, id);

-- What conflict checks look at; however many cancelled meetings pile up at one start.
CREATE INDEX meeting_live_by_client ON meeting (client_id, start_at)
    WHERE status IN ('SCHEDULED', 'CONFIRMED');
CREATE INDEX meeting_live_by_therapist ON meeting (therapist_id, start_at)
    WHERE status IN ('SCHEDULED', 'CONFIRMED');

-- Whether two have met before.
CREATE INDEX meeting_of_two ON meeting (client_id, therapist_id, start_at)
    WHERE status <> 'CANCELLED';

-- The second wall: no two live meetings of one person overlap, in whatever role. Triggers keep the
-- table, so that the wall stands for everybody who writes. It is looked at when a transaction
-- commits: in between, two meetings may change places.
CREATE TABLE busy (
    meeting_id uuid NOT NULL,
    person_id text COLLATE "C" NOT NULL,
    during tstzrange NOT NULL,
    PRIMARY KEY (meeting_id, person_id),
    CONSTRAINT live_meetings_of_one_person_overlap
        EXCLUDE USING gist (person_id WITH =, during WITH &&) DEFERRABLE INITIALLY DEFERRED
);

CREATE FUNCTION keep_busy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM busy WHERE meeting_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status IN ('SCHEDULED', 'CONFIRMED') THEN
        INSERT INTO busy (meeting_id, person_id, during)
        SELECT NEW.id, person_id, tstzrange(
            NEW.start_at, NEW.start_at + NEW.duration_minutes * interval '1 minute'
        )
        FROM unnest(ARRAY[NEW.client_id, NEW.therapist_id]) AS person_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER meeting_comes_or_goes AFTER INSERT OR DELETE ON meeting
    FOR EACH ROW EXECUTE FUNCTION keep_busy();

CREATE TRIGGER meeting_moves AFTER UPDATE ON meeting
    FOR EACH ROW WHEN (
        (OLD.id, OLD.client_id, OLD.therapist_id, OLD.start_at, OLD.duration_minutes, OLD.status)
        IS DISTINCT FROM
        (NEW.id, NEW.client_id, NEW.therapist_id, NEW.start_at, NEW.duration_minutes, NEW.status)
    )
    EXECUTE FUNCTION keep_busy();

CREATE TABLE availability (
    id uuid NOT NULL PRIMARY KEY,
    therapist_id text COLLATE "C" NOT NULL,
    -- From Sunday.
    weekday bigint NOT NULL CHECK (weekday BETWEEN 0 AND 6),
    -- On the clocks of the therapist's zone.
    start_minute bigint NOT NULL CHECK (start_minute >= 0),
    end_minute bigint NOT NULL CHECK (start_minute < end_minute AND end_minute <= 1440),
    is_available boolean NOT NULL,
    notes text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- The same wall for availability.
    CONSTRAINT availability_of_one_day_overlaps EXCLUDE USING gist (
        therapist_id WITH =, weekday WITH =, int8range(start_minute, end_minute) WITH &&
    ) DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX availability_by_therapist
    ON availability (therapist_id, weekday, start_minute, end_minute, id);

CREATE TABLE idempotency_record (
    user_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    -- booking_core::Answer. Kept as text, so that numbers come back to the last bit.
    answer json NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_record_by_expiry ON idempotency_record (expires_at);

-- Delivered events stay: a consumer that was away resumes after the last sequence it has seen.
CREATE TABLE outbox (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    meeting_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- booking_core::EventPayload.
    payload json NOT NULL,
    delivered boolean NOT NULL DEFAULT FALSE
);

CREATE INDEX outbox_undelivered ON outbox (sequence) WHERE NOT delivered;

CREATE TABLE directory_user (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('client', 'therapist', 'admin')),
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL,
    -- An IANA name; UTC when nobody said.
    zone text
);

CREATE TABLE relationship (
    client_id text COLLATE "C" NOT NULL REFERENCES directory_user (id),
    therapist_id text COLLATE "C" NOT NULL REFERENCES directory_user (id),
    PRIMARY KEY (client_id, therapist_id)
);
