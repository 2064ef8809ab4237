-- The outbox becomes a log that everybody reads at their own pace: there is one writer, so the
-- order of sequences is the order of commits, and each event has its place as soon as it is there.
-- How far it is on its way to somebody is no longer the event's own business.

DROP INDEX outbox_undelivered;
ALTER TABLE outbox DROP COLUMN delivered;

-- Whom it concerns, and of which kind it is. What such an index holds is worked out once, when the
-- event is written.
ALTER TABLE outbox ADD COLUMN client_id TEXT
    GENERATED ALWAYS AS (payload ->> '$.data.clientId') VIRTUAL;
ALTER TABLE outbox ADD COLUMN therapist_id TEXT
    GENERATED ALWAYS AS (payload ->> '$.data.therapistId') VIRTUAL;
ALTER TABLE outbox ADD COLUMN event_type TEXT
    GENERATED ALWAYS AS (payload ->> '$.type') VIRTUAL;

-- A person's events in order: every index ends in the sequence, which is the row's own number.
CREATE INDEX outbox_by_client ON outbox (client_id);
CREATE INDEX outbox_by_therapist ON outbox (therapist_id);
CREATE INDEX outbox_by_age ON outbox (occurred_ms);

CREATE TABLE subscriber (
    id TEXT NOT NULL PRIMARY KEY,
    -- JSON: the tags of the payloads that are wanted; all when empty.
    event_types TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    -- JSON.
    settings TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    -- The last event that was looked at for them: later ones have no deliveries yet.
    noted_to INTEGER NOT NULL
) STRICT;

CREATE TABLE delivery (
    subscriber_id TEXT NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL REFERENCES outbox (sequence) ON DELETE CASCADE,
    meeting_id BLOB NOT NULL CHECK (length(meeting_id) = 16),
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    due_ms INTEGER NOT NULL,
    claimed_until_ms INTEGER,
    -- How the last attempt ended.
    attempted_ms INTEGER,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (subscriber_id, sequence)
) STRICT, WITHOUT ROWID;

-- What is due, and whether it is the oldest of its meeting.
CREATE INDEX delivery_due ON delivery (subscriber_id, due_ms, sequence) WHERE state = 'pending';
CREATE INDEX delivery_of_meeting ON delivery (subscriber_id, meeting_id, sequence)
    WHERE state = 'pending';

-- Lists and counts.
CREATE INDEX delivery_by_state ON delivery (subscriber_id, state, sequence);

-- Of an event that is to be forgotten.
CREATE INDEX delivery_of_event ON delivery (sequence);
