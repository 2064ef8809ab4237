-- The outbox becomes a log that everybody reads at their own pace. `sequence` is drawn before its
-- transaction commits: a later number may be seen before an earlier one. `position` is the event's
-- place in the log, given when it is published, one publisher at a time: whoever has read up to a
-- position has read everything up to there.
-- How far an event is on its way to somebody is no longer its own business.

DROP INDEX outbox_undelivered;
ALTER TABLE outbox
    DROP COLUMN delivered,
    ADD COLUMN position bigint UNIQUE,
    -- Whom it concerns, and of which kind it is.
    ADD COLUMN client_id text COLLATE "C"
        GENERATED ALWAYS AS (payload -> 'data' ->> 'clientId') STORED,
    ADD COLUMN therapist_id text COLLATE "C"
        GENERATED ALWAYS AS (payload -> 'data' ->> 'therapistId') STORED,
    ADD COLUMN event_type text GENERATED ALWAYS AS (payload ->> 'type') STORED;

-- Nobody else has the table while it changes: what there is has been committed, and keeps the
-- numbers that readers know.
UPDATE outbox SET position = sequence;

CREATE INDEX outbox_unpublished ON outbox (sequence) WHERE position IS NULL;

-- A person's events in order.
CREATE INDEX outbox_by_client ON outbox (client_id, position) WHERE position IS NOT NULL;
CREATE INDEX outbox_by_therapist ON outbox (therapist_id, position) WHERE position IS NOT NULL;
CREATE INDEX outbox_by_age ON outbox (occurred_at, position) WHERE position IS NOT NULL;

-- Where the log ends, one row: locked by whoever publishes, delivers again or forgets. It outlives
-- the events, so that no position is used twice.
CREATE TABLE log_end (
    id smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL
);

INSERT INTO log_end (id, position) SELECT 1, coalesce(max(position), 0) FROM outbox;

CREATE TABLE subscriber (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    -- The tags of the payloads that are wanted; all when empty.
    event_types jsonb NOT NULL,
    is_active boolean NOT NULL,
    -- Kept as text, so that it comes back as it was.
    settings json NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE delivery (
    subscriber_id text COLLATE "C" NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    position bigint NOT NULL REFERENCES outbox (position) ON DELETE CASCADE,
    meeting_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0),
    due_at timestamptz NOT NULL,
    claimed_until timestamptz,
    -- How the last attempt ended.
    attempted_at timestamptz,
    status bigint,
    error text,
    PRIMARY KEY (subscriber_id, position)
);

-- What is due, and whether it is the oldest of its meeting.
CREATE INDEX delivery_due ON delivery (subscriber_id, due_at, position) WHERE state = 'pending';
CREATE INDEX delivery_of_meeting ON delivery (subscriber_id, meeting_id, position)
    WHERE state = 'pending';

-- Lists and counts.
CREATE INDEX delivery_by_state ON delivery (subscriber_id, state, position);

-- Of an event that is to be forgotten.
CREATE INDEX delivery_of_event ON delivery (position);
