-- Deletes at most $2 events of the log that occurred before $1 and that nobody waits for; their
-- deliveries go with them.
DELETE FROM outbox WHERE position IN (
    SELECT position FROM outbox
    WHERE position IS NOT NULL AND occurred_at < $1
        AND NOT EXISTS (
            SELECT FROM delivery
            WHERE delivery.position = outbox.position AND delivery.state = 'pending'
        )
    ORDER BY occurred_at, position
    LIMIT $2
)
