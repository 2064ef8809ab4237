-- What became of deliveries to $1. A success counts at all times, a failure under its own claim
-- only. The later ones of a meeting wait for the one that is tried again: whoever looks for what is
-- due does not have to pass over them. No row is changed twice.
WITH attempts AS (
    SELECT * FROM unnest(
        $2::bigint[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::bigint[],
        $7::timestamptz[], $8::bigint[], $9::text[]
    ) AS row (position, until, state, due_at, failures, attempted_at, status, error)
), settled AS (
    UPDATE delivery SET
        state = attempts.state,
        failures = delivery.failures + attempts.failures,
        due_at = coalesce(attempts.due_at, delivery.due_at),
        claimed_until = NULL,
        attempted_at = attempts.attempted_at,
        status = attempts.status,
        error = attempts.error
    FROM attempts
    WHERE delivery.subscriber_id = $1 AND delivery.position = attempts.position
        AND (
            attempts.state = 'delivered'
            OR (delivery.state = 'pending' AND delivery.claimed_until = attempts.until)
        )
    RETURNING delivery.position, delivery.meeting_id, attempts.due_at
)
UPDATE delivery SET due_at = settled.due_at
FROM settled
WHERE settled.due_at IS NOT NULL
    AND delivery.subscriber_id = $1 AND delivery.meeting_id = settled.meeting_id
    AND delivery.state = 'pending' AND delivery.position > settled.position
    AND delivery.due_at < settled.due_at
    AND delivery.position <> ALL($2::bigint[])
