-- Makes at most $4 events of the log, from $2 to $3, due to $1 at $5: those that they want, and
-- that are not on their way already.
INSERT INTO delivery (subscriber_id, position, meeting_id, state, due_at)
SELECT subscriber.id, outbox.position, outbox.meeting_id, 'pending', $5
FROM subscriber CROSS JOIN outbox
WHERE subscriber.id = $1 AND outbox.position >= $2 AND outbox.position <= $3
    AND (event_types = '[]' OR event_types ? event_type)
    AND NOT EXISTS (
        SELECT FROM delivery AS there
        WHERE there.subscriber_id = $1 AND there.position = outbox.position
            AND there.state = 'pending'
    )
ORDER BY outbox.position
LIMIT $4
ON CONFLICT (subscriber_id, position) DO UPDATE SET
    state = 'pending', failures = 0, due_at = excluded.due_at, claimed_until = NULL,
    attempted_at = NULL, status = NULL, error = NULL
