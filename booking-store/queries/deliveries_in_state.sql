-- Deliveries to $1 of events before $2, the latest first, in one state ($4).
SELECT
    delivery.position AS "sequence!", event_id, unix_ms(occurred_at) AS "occurred_ms!",
    payload AS "payload: Json<EventPayload>", state, failures, unix_ms(due_at) AS "due_ms!",
    unix_ms(attempted_at) AS attempted_ms, status, error
FROM delivery JOIN outbox ON outbox.position = delivery.position
WHERE subscriber_id = $1 AND state = $4 AND delivery.position < $2
ORDER BY delivery.position DESC
LIMIT $3
