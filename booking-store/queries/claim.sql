-- Takes on, until $3, what is due to $1 at $2: of each meeting the oldest, if nobody has it. What
-- somebody else is taking on at this moment is passed over.
WITH due AS (
    SELECT position FROM delivery
    WHERE subscriber_id = $1 AND state = 'pending' AND due_at <= $2
        AND (claimed_until IS NULL OR claimed_until <= $2)
        AND EXISTS (SELECT FROM subscriber WHERE id = $1 AND is_active)
        AND NOT EXISTS (
            SELECT FROM delivery AS older
            WHERE older.subscriber_id = $1 AND older.meeting_id = delivery.meeting_id
                AND older.state = 'pending' AND older.position < delivery.position
        )
    ORDER BY due_at, position
    LIMIT $4
    FOR UPDATE OF delivery SKIP LOCKED
), claimed AS (
    UPDATE delivery SET claimed_until = $3
    FROM due WHERE delivery.subscriber_id = $1 AND delivery.position = due.position
    RETURNING delivery.position, delivery.due_at, delivery.failures
)
SELECT
    outbox.position AS "sequence!", event_id AS "event_id!", unix_ms(occurred_at) AS "occurred_ms!",
    payload AS "payload!: Json<EventPayload>", failures AS "failures!"
FROM claimed JOIN outbox ON outbox.position = claimed.position
ORDER BY due_at, claimed.position
