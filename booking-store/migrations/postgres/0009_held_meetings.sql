-- What counts for limits and is not live. No booking writes to it. While it is built, which takes as long
-- as reading all meetings, they can be read and not changed: so it is a transaction of its own, and
-- does not keep others waiting for its turn.
SET LOCAL lock_timeout = '2s';

CREATE INDEX meeting_held_by_therapist ON meeting (therapist_id, start_at)
    WHERE status IN ('COMPLETED', 'NO_SHOW');
