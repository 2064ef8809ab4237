-- Deliveries to $1 of events before $2, the latest first. Rows are compared so that one index alone
-- has that order: Postgres might go through everybody's instead.
SELECT
    delivery.position AS "sequence!", event_id, unix_ms(occurred_at) AS "occurred_ms!",
    payload AS "payload: Json<EventPayload>", state, failures, unix_ms(due_at) AS "due_ms!",
    unix_ms(attempted_at) AS attempted_ms, status, error
FROM delivery JOIN outbox ON outbox.position = delivery.position
WHERE (subscriber_id, delivery.position) < ($1, $2) AND subscriber_id >= $1
ORDER BY subscriber_id DESC, delivery.position DESC
LIMIT $3
