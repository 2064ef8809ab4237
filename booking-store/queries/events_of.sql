-- Events of a person ($3) after a position ($1). Each half comes in order from its index, has what
-- the other has not, and ends when the page is full. Rows are compared so that no other index has
-- that order: Postgres might go through the whole log instead, in the hope of finding some soon.
SELECT
    position AS "sequence!", event_id AS "event_id!", unix_ms(occurred_at) AS "occurred_ms!",
    payload AS "payload!: Json<EventPayload>"
FROM (
    (
        SELECT position, event_id, occurred_at, payload FROM outbox
        WHERE (client_id, position) > ($3, $1) AND client_id <= $3 AND position IS NOT NULL
        ORDER BY client_id, position LIMIT $2
    )
    UNION ALL
    (
        SELECT position, event_id, occurred_at, payload FROM outbox
        WHERE (therapist_id, position) > ($3, $1) AND therapist_id <= $3 AND position IS NOT NULL
            AND client_id <> $3
        ORDER BY therapist_id, position LIMIT $2
    )
) AS of_person
ORDER BY position
LIMIT $2
