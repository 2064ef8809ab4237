-- Deletes at most $2 events of the log that occurred before $1 and that nobody waits for; their
-- deliveries go with them. What is pending is said in a way that does not invite Postgres to go
-- through the indexes of all that is.
DELETE FROM outbox WHERE position IN (
    SELECT position FROM outbox
    WHERE position IS NOT NULL AND occurred_at < $1
        AND NOT EXISTS (
            SELECT FROM delivery
            WHERE delivery.position = outbox.position
                AND delivery.state NOT IN ('delivered', 'dead')
        )
    ORDER BY occurred_at, position
    LIMIT $2
)
