-- Meetings of a person ($1) after a place ($2, $3) and before an instant ($4), in one of some
-- statuses ($5). Each half comes in order from its index, and ends when the page is full.
SELECT
    id AS "id!", version AS "version!", client_id AS "client_id!", therapist_id AS "therapist_id!",
    unix_ms(start_at) AS "start_ms!", duration_minutes AS "duration_minutes!",
    buffer_before_minutes AS "buffer_before_minutes!",
    buffer_after_minutes AS "buffer_after_minutes!",
    status AS "status!", meeting_type AS "meeting_type!", title AS "title!",
    description, meeting_url, session_notes,
    unix_ms(created_at) AS "created_ms!", unix_ms(updated_at) AS "updated_ms!"
FROM (
    (
        SELECT * FROM meeting
        WHERE client_id = $1 AND (start_at, id) > ($2, $3) AND start_at < $4
            AND status = ANY($5::text[])
        ORDER BY start_at, id LIMIT $6
    )
    UNION ALL
    (
        SELECT * FROM meeting
        WHERE therapist_id = $1 AND (start_at, id) > ($2, $3) AND start_at < $4
            AND status = ANY($5::text[])
        ORDER BY start_at, id LIMIT $6
    )
) AS either
ORDER BY start_at, id
LIMIT $6
